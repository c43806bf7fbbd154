"""How the file was read (format, encoding, delimiter, header, sheet), to be set right where the guess was wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.errors import PlaygroundError
from playground.ui.errors import Visitor
from playground.ui.formatting import DELIMITERS, plain
from playground.ui.page import Page


@dataclass(frozen=True)
class ReadingPanel:
    """`open(visitor, dataset_id)` fills `outputs`; `changed` are the events after which the file was read anew."""

    open: Callable[..., list[Any]]
    outputs: list[Any]
    changed: list[Any]


def build(page: Page) -> ReadingPanel:
    services, label, on = page.services, page.label, page.handler

    with gr.Accordion(label("reading.title"), open=False, elem_id="reading") as whole:
        with gr.Row():
            encoding = gr.Dropdown(
                list(services.datasets.encodings),
                label=label("reading.encoding"),
                info=label("reading.encoding_info"),
                min_width=150,
                elem_id="read-encoding",
            )
            delimiter = gr.Dropdown(
                [(label(f"dataset.{name}"), mark) for mark, name in DELIMITERS.items()] + [(label("reading.none"), "")],
                label=label("reading.delimiter"),
                info=label("reading.delimiter_info"),
                min_width=150,
                allow_custom_value=True,
                elem_id="read-delimiter",
            )
            header = gr.Radio(
                [(label("reading.yes"), True), (label("reading.no"), False)],
                label=label("reading.header"),
                min_width=150,
                elem_id="read-header",
            )
            sheet = gr.Textbox(
                label=label("reading.sheet"), info=label("reading.sheet_info"), max_lines=1, min_width=150, elem_id="read-sheet"
            )
        again = gr.Button(label("reading.again"), size="sm", elem_id="read-again")
        failed = gr.Markdown(visible=False, elem_classes="failed", elem_id="reading-failed")
    outputs = [whole, encoding, delimiter, header, sheet, failed]

    def open_reading(visitor: Visitor, dataset_id: str | None) -> list[Any]:
        """Only what this format has is asked for."""
        info = services.dataset(visitor.owner, dataset_id)
        read = (info or {}).get("read_as", {})
        known = [read.get(key) is not None for key in ("encoding", "delimiter", "header", "sheet")]
        return [
            gr.update(visible=any(known)),
            *(
                gr.update(value=read.get(key), visible=there)
                for key, there in zip(("encoding", "delimiter", "header"), known, strict=False)
            ),
            gr.update(value=read.get("sheet") or "", visible=known[3]),
            gr.update(visible=False),
        ]

    def read_again(visitor: Visitor, dataset_id: str | None, *values: Any) -> Any:
        """A reading that fails says so in place and leaves what was there."""
        info = services.dataset(visitor.owner, dataset_id)
        if info is None:
            return gr.skip()
        read = info["read_as"]
        wanted = dict(zip(("encoding", "delimiter", "header", "sheet"), values, strict=True))
        options = {key: value for key, value in wanted.items() if read.get(key) is not None and value is not None}
        if options.get("sheet") == "":
            del options["sheet"]
        try:
            services.datasets.read_again(visitor.owner, info["dataset_id"], options)
        except PlaygroundError as error:
            return gr.update(value=f"**{plain(page.texts.sentence(error.sentence, visitor.language))}**", visible=True)
        return gr.update(visible=False)

    event = again.click(
        on(read_again),
        [page.owner, page.dataset_id, encoding, delimiter, header, sheet],
        failed,
        api_visibility="private",
        show_progress="minimal",
    )
    return ReadingPanel(open_reading, outputs, [event])
