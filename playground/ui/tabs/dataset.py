"""Dataset tab: bring a table, see what was understood, choose what the model should learn from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from playground.errors import PlaygroundError
from playground.ui.errors import Visitor
from playground.ui.formatting import column_rows, plain, shorten, understood
from playground.ui.i18n import DEFAULT
from playground.ui.page import Page
from playground.ui.tabs import mapping

PAGE_ROWS = 20
COLUMN_WIDTHS = ["24%", "12%", "14%", "16%", "34%"]
FILE_TYPES = [".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xls", ".ods"]


@dataclass(frozen=True)
class DatasetTab:
    tab: gr.Tab


def build(page: Page) -> DatasetTab:
    services, label, on = page.services, page.label, page.handler
    samples = services.datasets.samples()

    with gr.Tab(label("dataset.tab"), id="dataset") as tab, gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=340):
            empty = gr.Markdown(label("dataset.empty"), elem_classes="empty")
            file = gr.File(label=label("dataset.upload"), file_types=FILE_TYPES, height=120, elem_id="upload")
            with gr.Row(elem_classes="samples"):
                gr.Markdown(label("dataset.samples"), elem_classes="inline")
                buttons = [gr.Button(sample_name(page, s["name"]), size="sm", min_width=120, elem_classes="sample") for s in samples]
            failed = gr.Markdown(visible=False, elem_classes="failed", elem_id="upload-failed")
            with gr.Column(visible=False) as loaded:
                with gr.Row(equal_height=True):
                    choice = gr.Dropdown(
                        label=label("dataset.choose"), info=label("dataset.choose_info"), scale=4, elem_id="dataset-choice"
                    )
                    with gr.Column(scale=1, min_width=150):
                        delete = gr.Button(label("dataset.delete"), size="sm", variant="secondary")
                        sure = gr.Button(label("dataset.delete_sure"), size="sm", variant="stop", visible=False)
                summary = gr.Markdown(elem_id="understood")
                rows = gr.Dataframe(label=label("dataset.rows"), interactive=False, wrap=True, max_height=330, elem_id="rows")
                with gr.Row():
                    earlier = gr.Button(label("dataset.previous"), size="sm")
                    shown = gr.Markdown(elem_classes="centre")
                    later = gr.Button(label("dataset.next"), size="sm")
                columns = gr.Dataframe(
                    label=label("dataset.columns"), interactive=False, wrap=True, elem_id="columns", column_widths=COLUMN_WIDTHS
                )
        with gr.Column(scale=5, min_width=340, visible=False) as right:
            panel = mapping.build(page)
        offset = gr.State(0)  # inside the tab: anything else directly under Tabs would be counted as one

    def open_dataset(visitor: Visitor, dataset_id: str | None) -> list[Any]:
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        choices = [(say("strip.rows", name=d["name"], rows=d["rows"]), d["dataset_id"]) for d in services.datasets.list(visitor.owner)]
        info = services.dataset(visitor.owner, dataset_id)
        if info is None:
            hidden = gr.update(visible=False)
            return [gr.update(visible=True), hidden, hidden, gr.update(choices=choices, value=None), "", None, None, 0, "", hidden]
        heads = [say(f"dataset.col_{key}") for key in ("name", "type", "missing", "unique", "example")]
        return [
            gr.update(visible=False),
            gr.update(visible=True),
            gr.update(visible=True),
            gr.update(choices=choices, value=dataset_id),
            understood(info, say, translate),
            _rows(visitor, dataset_id, 0)[0],
            gr.Dataframe(column_rows(info["columns"], say, translate), headers=heads),
            0,
            _rows(visitor, dataset_id, 0)[2],
            gr.update(visible=False),
        ]

    def _rows(visitor: Visitor, dataset_id: str | None, start: int) -> tuple[Any, int, str]:
        if not dataset_id:
            return None, 0, ""
        page_of_rows = services.datasets.preview(visitor.owner, dataset_id, max(0, start), PAGE_ROWS)
        table = [[shorten(cell) for cell in row] for row in page_of_rows["rows"]]
        last = min(start + PAGE_ROWS, page_of_rows["total"])
        say = page.say_in(visitor.language)
        return (
            gr.Dataframe(table, headers=page_of_rows["columns"], column_widths=widths(len(page_of_rows["columns"]))),
            max(0, start),
            say("dataset.showing", first=min(start + 1, last), last=last, total=page_of_rows["total"]),
        )

    def turn(by: int) -> Any:
        def turn_page(visitor: Visitor, dataset_id: str | None, start: int) -> tuple[Any, int, str]:
            total = services.datasets.info(visitor.owner, dataset_id)["rows"] if dataset_id else 0
            return _rows(visitor, dataset_id, max(0, min(start + by, (total - 1) // PAGE_ROWS * PAGE_ROWS)))

        return turn_page

    def bring(visitor: Visitor, path: str | None, current: str | None) -> tuple[Any, Any, Any]:
        """A failed import says so in place and leaves what was open before."""
        if not path:
            return current, gr.skip(), gr.skip()
        try:
            imported = services.datasets.import_file(visitor.owner, Path(path), Path(path).name)
            return imported["dataset_id"], gr.update(visible=False), None
        except PlaygroundError as error:
            return current, gr.update(value=f"**{plain(page.texts.sentence(error.sentence, visitor.language))}**", visible=True), None

    def take_sample(name: str) -> Any:
        def take(visitor: Visitor) -> tuple[str, Any]:
            mine = [d for d in services.datasets.list(visitor.owner) if d["name"] == name]
            dataset_id = mine[0]["dataset_id"] if mine else services.datasets.import_sample(visitor.owner, name)["dataset_id"]
            return dataset_id, gr.update(visible=False)

        return take

    def remove(visitor: Visitor, dataset_id: str | None) -> tuple[str | None, Any]:
        if dataset_id:
            services.datasets.delete(visitor.owner, dataset_id)
        return services.newest(visitor.owner)[0], gr.update(visible=False)

    file.upload(
        on(bring), [page.owner, file, page.dataset_id], [page.dataset_id, failed, file], api_visibility="private", concurrency_limit=4
    )
    for button, sample in zip(buttons, samples, strict=True):
        button.click(on(take_sample(sample["name"])), page.owner, [page.dataset_id, failed], api_visibility="private")
    choice.input(lambda chosen: chosen, choice, page.dataset_id, api_visibility="private", show_progress="hidden")
    delete.click(lambda: gr.update(visible=True), None, sure, api_visibility="private", show_progress="hidden")
    sure.click(on(remove), [page.owner, page.dataset_id], [page.dataset_id, sure], api_visibility="private")
    outputs = [empty, loaded, right, choice, summary, rows, columns, offset, shown, sure]
    opened = page.dataset_id.change(
        on(open_dataset), [page.owner, page.dataset_id], outputs, api_visibility="private", show_progress="hidden", concurrency_limit=None
    )
    opened.then(
        on(panel.open),
        [page.owner, page.dataset_id],
        panel.outputs,
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=panel.example,
    )
    for button, by in ((earlier, -PAGE_ROWS), (later, PAGE_ROWS)):
        button.click(
            on(turn(by)), [page.owner, page.dataset_id, offset], [rows, offset, shown], api_visibility="private", show_progress="hidden"
        )
    return DatasetTab(tab)


def sample_name(page: Page, name: str) -> Any:
    """A sample's name, in the visitor's language where the locale files know it."""
    known = {text: key for key, text in page.texts.locales[DEFAULT].items() if key.startswith("sample.")}
    return page.label(known[name]) if name in known else name


def widths(columns: int) -> list[str]:
    """Equal shares while that leaves room to read; then a fixed width, and the table scrolls sideways."""
    return [f"{100 // columns}%"] * columns if 0 < columns <= 5 else ["180px"] * columns
