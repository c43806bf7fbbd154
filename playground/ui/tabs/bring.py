"""An adapter that was trained elsewhere, brought in to be asked and gone on from. A part of the Train tab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from playground.ui.errors import Visitor
from playground.ui.formatting import plain
from playground.ui.page import Page


@dataclass(frozen=True)
class Bring:
    page: Page
    files: gr.File
    path: gr.Textbox
    model: gr.Dropdown
    name: gr.Textbox
    button: gr.Button
    told: gr.Markdown

    def wire(self, tab: gr.Tab, timer: gr.Timer) -> None:
        """A brought adapter is the run that the page shows next; a tick of `timer` makes it look."""
        page, on, services = self.page, self.page.handler, self.page.services

        def models(visitor: Visitor, chosen: str | None) -> Any:
            listed = services.catalog.list(visitor.owner)
            return gr.update(choices=[(one.name, one.id) for one in listed], value=chosen or listed[0].id)

        def guess(visitor: Visitor, files: list[str] | None, path: str | None) -> Any:
            """The model that the adapter's own file names, where the list knows it."""
            named = services.bringing.suggest(visitor.owner, [Path(one) for one in files or []], path=path or "")
            return gr.update(value=named) if named else gr.skip()

        def bring(visitor: Visitor, files: list[str] | None, path: str | None, model: str | None, name: str | None) -> tuple[Any, ...]:
            run_id = services.bringing.bring(visitor.owner, [Path(one) for one in files or []], model or "", name or "", path=path or "")
            run = services.runs.get(visitor.owner, run_id)
            return run_id, page.texts.say("bring.done", visitor.language, name=plain(run.name)), None, "", "", gr.Timer(active=True)

        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
        tab.select(on(models), [page.owner, self.model], self.model, **quiet)
        given = [page.owner, self.files, self.path]
        gr.on([self.files.upload, self.path.blur, self.path.submit], on(guess), given, self.model, **quiet)
        self.button.click(
            on(bring),
            [*given, self.model, self.name],
            [page.run_id, self.told, self.files, self.path, self.name, timer],
            api_visibility="private",
        )
        gr.on([self.files.upload, self.path.input], lambda: "", None, self.told, **quiet)


def build(page: Page) -> Bring:
    label = page.label
    with gr.Accordion(label("bring.title"), open=False, elem_id="bring"):
        gr.Markdown(label("bring.about"), elem_classes="hint")
        with gr.Row(equal_height=False):
            files = gr.File(label=label("bring.files"), file_count="multiple", height=150, scale=1, min_width=260, elem_id="bring-files")
            with gr.Column(scale=1, min_width=260):
                path = gr.Textbox(
                    label=label("bring.path"),
                    info=label("bring.path_info"),
                    max_lines=1,
                    visible=page.services.settings.mode == "personal",
                    elem_id="bring-path",
                )
                model = gr.Dropdown(
                    label=label("bring.model"), info=label("bring.model_info"), allow_custom_value=True, elem_id="bring-model"
                )
                name = gr.Textbox(label=label("bring.name"), max_lines=1, max_length=80, elem_id="bring-name")
        with gr.Row(equal_height=True):
            button = gr.Button(label("bring.button"), scale=0, min_width=220, elem_id="bring-button")
            told = gr.Markdown(elem_id="bring-told")
    return Bring(page, files, path, model, name, button, told)
