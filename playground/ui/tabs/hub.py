"""From the Hugging Face Hub: a dataset by its name, with a choice of its splits. Folded on the Dataset tab, not shown to visitors.

What fails is told where a failed upload is, and leaves the dataset that was open. Does not know how the Hub is asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from playground.errors import PlaygroundError
from playground.ui.errors import Visitor
from playground.ui.formatting import plain
from playground.ui.page import Page

MEGABYTE = 1024**2


def build(page: Page, failed: gr.Markdown) -> None:
    """`failed` is the place for what went wrong."""
    services, label, on = page.services, page.label, page.handler

    with gr.Accordion(label("hub.title"), open=False, visible=services.settings.mode == "personal", elem_id="hub"):
        gr.Markdown(label("hub.about"), elem_classes="hint")
        with gr.Row(equal_height=True):
            name = gr.Textbox(
                label=label("hub.name"), info=label("hub.name_info"), placeholder="owner/name", max_lines=1, scale=3, elem_id="hub-name"
            )
            with gr.Column(scale=1, min_width=170):
                look = gr.Button(label("hub.look"), size="sm", elem_id="hub-look")
                bring = gr.Button(label("hub.bring"), size="sm", variant="primary", elem_id="hub-bring")
        part = gr.Dropdown(label=label("hub.part"), info=label("hub.part_info"), visible=False, elem_id="hub-part")
        told = gr.Markdown(visible=False, elem_id="hub-told")
        stop = gr.Button(label("hub.stop"), size="sm", visible=False, elem_id="hub-stop")
    job_id = gr.State("")
    hidden = gr.update(visible=False)

    def sorry(visitor: Visitor, error: PlaygroundError) -> Any:
        return gr.update(value=f"**{plain(page.texts.sentence(error.sentence, visitor.language))}**", visible=True)

    def look_up(visitor: Visitor, id: str) -> tuple[Any, Any, Any]:
        """What the dataset holds: one part needs no choosing."""
        say = page.say_in(visitor.language)
        try:
            found = services.hub_datasets.look(id)
        except PlaygroundError as error:
            return hidden, hidden, sorry(visitor, error)
        choices = [(part_name(one.config, one.split, one.size, say), part_value(one.config, one.split)) for one in found.parts]
        chosen = part_value(found.default.config, found.default.split)
        several = len(choices) > 1
        said = say("hub.found", name=plain(found.id), n=len(choices)) if several else say("hub.found_one", name=plain(found.id))
        return gr.update(choices=choices, value=chosen, visible=several), gr.update(value=said, visible=True), hidden

    def bring_in(visitor: Visitor, id: str, chosen: str | None) -> Iterator[tuple[Any, ...]]:
        """Follow the job that fetches the dataset; it goes on where the page is left."""
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        yield gr.skip(), gr.update(value=say("hub.asking"), visible=True), hidden, hidden, gr.skip()
        try:
            config, split = json.loads(chosen) if chosen else (None, None)
            for job in services.import_hub_dataset(visitor.owner, id, split, config):
                doing = plain(translate(job.doing)) if job.doing else say("hub.waiting")
                size = say("hub.progress", done=job.done / MEGABYTE, total=job.total / MEGABYTE)
                yield gr.skip(), gr.update(value=f"{doing} · {size}", visible=True), hidden, gr.update(visible=True), job.job_id
            made = services.imported(visitor.owner, job)
            done = say("hub.done", name=plain(made["name"]), rows=made["rows"])
            yield made["dataset_id"], gr.update(value=done, visible=True), hidden, hidden, ""
        except PlaygroundError as error:
            yield gr.skip(), hidden, sorry(visitor, error), hidden, ""

    def halt(visitor: Visitor, id: str) -> None:
        if id:
            services.jobs.stop(visitor.owner, id)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    another: dict[str, Any] = {"fn": lambda: (gr.update(choices=[], value=None, visible=False), hidden), **quiet}
    name.change(inputs=None, outputs=[part, told], **another)
    gr.on([look.click, name.submit], on(look_up), [page.owner, name], [part, told, failed], concurrency_limit=4, **quiet)
    outputs = [page.dataset_id, told, failed, stop, job_id]
    bring.click(on(bring_in), [page.owner, name, part], outputs, concurrency_limit=4, **quiet)
    stop.click(on(halt), [page.owner, job_id], None, concurrency_limit=None, **quiet)


def part_value(config: str, split: str) -> str:
    """A part as the value of a choice; either name may have any character in it."""
    return json.dumps([config, split])


def part_name(config: str, split: str, size: int, say: Any) -> str:
    """A part as it stands in the list; the configuration that every dataset has goes without saying."""
    name = split if config == "default" else f"{config} · {split}"
    return say("hub.choice", name=name, size=max(size / MEGABYTE, 0.1)) if size else name
