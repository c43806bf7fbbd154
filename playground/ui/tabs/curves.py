"""The curves of the run that is shown: losses or another measure large, the learning rate small below it. A part of the Train tab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.training.record import Run
from playground.ui import charts
from playground.ui.errors import Visitor
from playground.ui.page import Page

Points = list[dict[str, Any]]


@dataclass(frozen=True)
class Curves:
    view: gr.Radio
    outputs: list[Any]  # what `update` gives
    update: Callable[[Visitor, Run | None, Points, str], list[Any]]


def build(page: Page) -> Curves:
    services, label, on = page.services, page.label, page.handler
    with gr.Column(min_width=300, elem_id="run-charts"):
        view = gr.Radio(
            [(label(f"train.view_{name}"), name) for name in charts.VIEWS],
            value="loss",
            label=label("train.view"),
            show_label=False,
            container=False,
            visible=False,
            elem_id="chart-view",
        )
        chart = gr.HTML(elem_id="run-chart")
        rate = gr.HTML(elem_id="run-rate")

    def update(visitor: Visitor, run: Run | None, metrics: Points, wanted: str) -> list[Any]:
        say = page.say_in(visitor.language)
        if run is None or not metrics:
            return [gr.update(visible=False), "", ""]
        return [
            gr.update(visible=True),
            charts.draw_run(metrics, run.max_steps, say, wanted),
            charts.draw_rate(metrics, run.max_steps, say),
        ]

    def look(visitor: Visitor, run_id: str | None, wanted: str) -> list[Any]:
        run = services.runs.get(visitor.owner, run_id) if run_id else None
        return update(visitor, run, services.runs.metrics(visitor.owner, run_id) if run_id else [], wanted)

    view.input(
        on(look),
        [page.owner, page.run_id, view],
        [view, chart, rate],
        api_visibility="private",
        show_progress="hidden",
        concurrency_limit=None,
        trigger_mode="always_last",
    )
    return Curves(view, [view, chart, rate], update)
