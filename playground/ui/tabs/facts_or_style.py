"""The guided experiment "facts or style?": one button asks for a table's facts. A part of the Documents tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.errors import InputError, NotFound
from playground.facts.work import MOST, USUAL, Facts
from playground.ui import facts as shown
from playground.ui.errors import Visitor
from playground.ui.page import Page
from playground.ui.tabs.train import run_label

TICK = 0.5  # seconds between two looks at an experiment under way


@dataclass(frozen=True)
class FactsPanel:
    """`open` fills the panel as `everything` of the tab does: `inputs` in, `outputs` out."""

    open: dict[str, Any]


def build(page: Page) -> FactsPanel:
    services, label, on = page.services, page.label, page.handler
    facts = Facts(services)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    timer = gr.Timer(TICK, active=False)
    with gr.Accordion(label("facts.title"), open=False, elem_id="facts") as whole:
        gr.Markdown(label("facts.about"), elem_classes="hint")
        with gr.Row(equal_height=True):
            run = gr.Dropdown(label=label("facts.run"), info=label("facts.run_info"), scale=4, min_width=220, elem_id="facts-run")
            most = gr.Slider(
                4,
                MOST,
                USUAL,
                step=1,
                label=label("facts.most"),
                info=label("facts.most_info"),
                scale=3,
                min_width=200,
                elem_id="facts-most",
            )
            start = gr.Button(label("facts.start"), variant="primary", scale=2, min_width=170, elem_id="facts-start")
        none = gr.Markdown(label("facts.no_run"), visible=False, elem_classes="hint")
        with gr.Row(visible=False) as offer:
            dataset = gr.Dropdown(label=label("facts.dataset"), min_width=220, elem_id="facts-dataset")
            train = gr.Button(label("facts.train"), min_width=170, elem_id="facts-train")
        training = gr.Markdown(elem_id="facts-training")
        working = gr.HTML(visible=False, elem_id="facts-working")
        stop = gr.Button(label("facts.stop"), size="sm", visible=False, elem_id="facts-stop")
        table = gr.HTML(elem_id="facts-table")
        job_id, seen = gr.State(""), gr.State(())

    def fill(visitor: Visitor, id: str) -> list[Any]:
        """The runs it can be done with, or else the tables one could train on; and the last experiment."""
        say = page.say_in(visitor.language)
        runs = facts.runs(visitor.owner)
        datasets = [(one["name"], one["dataset_id"]) for one in services.datasets.list(visitor.owner)]
        kept = facts.kept(visitor.owner)
        last = id if any(one["job_id"] == id for one in kept) else kept[0]["job_id"] if kept else ""
        under_way = bool(last) and not services.jobs.get(visitor.owner, last).finished
        return [
            gr.update(choices=[(run_label(one, say), one.run_id) for one in runs], value=runs[0].run_id if runs else None),
            gr.update(interactive=bool(runs)),
            gr.update(visible=not runs),
            gr.update(visible=not runs and bool(datasets)),
            gr.update(choices=datasets, value=datasets[0][1] if datasets else None),
            last,
            gr.update(open=True) if under_way else gr.skip(),
        ]

    def begin(visitor: Visitor, run_id: str | None, number: float) -> str:
        """Start to ask; gives the job's id."""
        if not run_id:
            raise NotFound("There is no finished run to ask yet. Train one first.")
        return facts.start(visitor.owner, run_id, int(number)).job_id

    def teach(visitor: Visitor, dataset_id: str | None) -> tuple[str, str]:
        """Start a short run on a table."""
        if not dataset_id:
            raise InputError("There is no table yet. Bring one in on the Dataset tab, or take the sample.")
        return services.start_run(visitor.owner, dataset_id, preset="quick"), page.texts.say("facts.training", visitor.language)

    def look(visitor: Visitor, id: str, before: tuple[Any, ...]) -> list[Any]:
        """How far it is, and the answers so far."""
        try:
            job = services.jobs.get(visitor.owner, id) if id else None
        except NotFound:
            job = None
        if job is None:
            return [gr.Timer(active=False), gr.update(visible=False), gr.update(visible=False), "", ()]
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        told = shown.ending(job, say, translate) if job.finished else shown.progress(job, say, translate)
        rows = (job.result or {}).get("rows", [])
        now = (id, len(rows), visitor.language)
        return [
            gr.Timer(active=not job.finished),
            gr.update(value=told, visible=bool(told)),
            gr.update(visible=not job.finished),
            gr.skip() if now == tuple(before) else shown.drawn(job.result, say, translate) if rows else "",
            now,
        ]

    def halt(visitor: Visitor, id: str) -> None:
        if id:
            services.jobs.stop(visitor.owner, id)

    looking: dict[str, Any] = {
        "fn": on(look), "inputs": [page.owner, job_id, seen], "outputs": [timer, working, stop, table, seen], **quiet,
    }  # fmt: skip
    filling: dict[str, Any] = {
        "fn": on(fill), "inputs": [page.owner, job_id], "outputs": [run, start, none, offer, dataset, job_id, whole], **quiet,
    }  # fmt: skip
    begun = start.click(on(begin), [page.owner, run, most], job_id, api_visibility="private", show_progress="minimal")
    begun.success(**looking)
    job_id.change(**looking)
    timer.tick(**looking)
    stop.click(on(halt), [page.owner, job_id], None, **quiet).then(**looking)
    train.click(on(teach), [page.owner, dataset], [page.run_id, training], api_visibility="private", show_progress="minimal")
    gr.on([whole.expand, page.run_id.change], trigger_mode="always_last", **filling)
    return FactsPanel(filling)
