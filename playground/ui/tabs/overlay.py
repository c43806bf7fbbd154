"""Several runs in one chart, and beneath it what they were told differently and how they came out. A part of the Train tab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.training.record import Run
from playground.ui import overlaid
from playground.ui.errors import Visitor
from playground.ui.formatting import when
from playground.ui.page import Page


@dataclass(frozen=True)
class Overlay:
    inputs: list[Any]
    outputs: list[Any]
    update: Callable[..., list[Any]]  # (visitor, runs, *inputs)


def build(page: Page) -> Overlay:
    services, label, on = page.services, page.label, page.handler
    with gr.Accordion(label("overlay.title"), open=False, visible=False, elem_id="overlay") as box:
        picked = gr.Dropdown(
            [],
            value=[],
            multiselect=True,
            max_choices=overlaid.MOST,
            label=label("overlay.pick"),
            info=label("overlay.pick_info"),
            elem_id="overlay-pick",
        )
        chart = gr.HTML(elem_id="overlay-chart")
        table = gr.HTML(elem_id="overlay-table")
    listed = gr.State("")  # the choices as they were sent last; sent again only when they change, so that an open list stays still

    def draw(visitor: Visitor, runs: Sequence[Run], chosen: Sequence[str]) -> list[Any]:
        say = page.say_in(visitor.language)
        known = {run.run_id: run for run in runs}
        shown = [known[run_id] for run_id in chosen if run_id in known][: overlaid.MOST]
        if len(shown) < 2:
            return [f'<p class="quiet">{say("overlay.more")}</p>' if chosen else "", ""]
        curves = {run.run_id: services.runs.metrics(visitor.owner, run.run_id) for run in shown}
        return [overlaid.chart(shown, curves, say), overlaid.table(shown, say)]

    def update(visitor: Visitor, mine: Sequence[Run], chosen: Sequence[str] | None, former: str) -> list[Any]:
        begun = [run for run in mine if run.step]
        known = [run.run_id for run in begun]
        kept = [run_id for run_id in chosen or [] if run_id in known]
        now = f"{visitor.language} {' '.join(known)}"
        field: Any = gr.skip()
        if now != former:
            field = gr.update(choices=[(f"{run.name} · {when(run.created)}", run.run_id) for run in begun])
            if len(kept) < len(chosen or []):
                field["value"] = kept
        drawn = draw(visitor, begun, kept) if chosen else [gr.skip()] * 2
        return [gr.update(visible=len(begun) > 1), field, *drawn, now]

    def pick(visitor: Visitor, chosen: Sequence[str] | None) -> list[Any]:
        return draw(visitor, services.runs.list(visitor.owner), chosen or [])

    picked.change(
        on(pick),
        [page.owner, picked],
        [chart, table],
        api_visibility="private",
        show_progress="hidden",
        concurrency_limit=None,
        trigger_mode="always_last",
    )
    return Overlay([picked, listed], [box, picked, chart, table, listed], update)
