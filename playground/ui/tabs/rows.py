"""The rows of the dataset: pages, search, one cell at a time to edit, rows added and taken out, and the file to take away."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from playground.ui.errors import Visitor
from playground.ui.formatting import plain, shorten
from playground.ui.page import Page

PAGE_ROWS = 20


@dataclass(frozen=True)
class RowsPanel:
    """`open(visitor, dataset_id, *page)` fills `outputs`; `changed` are the events after which there is another version.

    `page` is what is shown of the rows: offset, search, and the column that is searched.
    """

    open: Callable[..., list[Any]]
    outputs: list[Any]
    changed: list[Any]
    page: list[Any]
    search: gr.Textbox


def build(page: Page) -> RowsPanel:
    services, label, on = page.services, page.label, page.handler
    formats = services.datasets.downloads
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

    with gr.Row(equal_height=True):
        search = gr.Textbox(
            label=label("rows.search"), placeholder=label("rows.search_info"), max_lines=1, scale=3, min_width=160, elem_id="search-rows"
        )
        within = gr.Dropdown([""], value="", label=label("rows.within"), scale=2, min_width=140, elem_id="search-column")
    rows = gr.Dataframe(label=label("dataset.rows"), interactive=False, wrap=True, max_height=330, elem_id="rows")
    with gr.Row():
        earlier = gr.Button(label("dataset.previous"), size="sm")
        shown = gr.Markdown(elem_classes="centre", elem_id="rows-shown")
        later = gr.Button(label("dataset.next"), size="sm")
    gr.Markdown(label("rows.edit_info"), elem_classes="hint")
    with gr.Column(visible=False, elem_id="cell-editor") as editor:
        where = gr.Markdown()
        cell = gr.Textbox(label=label("rows.cell"), lines=2, max_lines=8, elem_id="cell")
        with gr.Row():
            save = gr.Button(label("rows.save"), size="sm", variant="primary", elem_id="save-cell")
            remove = gr.Button(label("rows.remove"), size="sm", elem_id="remove-row")
    with gr.Row(elem_classes="samples"):
        add = gr.Button(label("rows.add"), size="sm", elem_id="add-row")
        downloads = [gr.Button(label(f"rows.{format}"), size="sm", elem_id=f"download-{format}") for format in formats]
    with gr.Accordion(label("rows.drop"), open=False, elem_id="drop-columns"):
        names = gr.Dropdown(label=label("rows.drop"), info=label("rows.drop_info"), multiselect=True, elem_id="columns-to-drop")
        drop = gr.Button(label("rows.drop_do"), size="sm", elem_id="drop-chosen")
    ready = [gr.DownloadButton(elem_id=f"ready-{format}", elem_classes="unseen") for format in formats]
    offset = gr.State(0)
    numbers = gr.State([])  # of the rows that are shown, as they are counted in the table
    place = gr.State(None)  # (row, column) of the cell in the editor

    last = gr.State((None, ""))  # the dataset and the search whose rows are shown
    table = [rows, shown, offset, numbers, last]

    def read(visitor: Visitor, dataset_id: str | None, start: int, text: str, column: str) -> list[Any]:
        if not dataset_id:
            return [None, "", 0, [], (None, "")]
        found = services.datasets.preview(visitor.owner, dataset_id, max(0, start), PAGE_ROWS, search=text or "", column=column or "")
        cells = [[shorten(value) for value in row] for row in found["rows"]]
        say = page.say_in(visitor.language)
        last = start + len(cells)
        told = say("dataset.showing", first=min(start + 1, last), last=last, total=found["total"]) if cells else say("rows.none")
        heads = found["columns"]
        return [
            gr.Dataframe(cells, headers=heads, column_widths=widths(len(heads))),
            told,
            max(0, start),
            found["numbers"],
            (dataset_id, text or ""),
        ]

    def find(visitor: Visitor, dataset_id: str | None, text: str, column: str, known: Sequence[str | None]) -> list[Any]:
        """Another dataset empties the box and brings its rows by itself: then nothing is read here."""
        if already_there(known, dataset_id, text):
            return [gr.skip()] * len(table)
        return read(visitor, dataset_id, 0, text, column)

    def open_rows(visitor: Visitor, dataset_id: str | None, start: int, text: str, column: str) -> list[Any]:
        columns = [one["name"] for one in (services.dataset(visitor.owner, dataset_id) or {"columns": []})["columns"]]
        column = column if column in columns else ""
        shown_rows = read(visitor, dataset_id, start, text, column)
        if start and not shown_rows[3]:  # the page that was shown is gone
            shown_rows = read(visitor, dataset_id, 0, text, column)
        places = [(page.say_in(visitor.language)("rows.anywhere"), ""), *columns]
        updates = [gr.update(choices=columns, value=[]), gr.update(choices=places, value=column)]
        return [*shown_rows, gr.update(visible=False), None, *updates]

    def turn(by: int) -> Any:
        def turn_page(visitor: Visitor, dataset_id: str | None, start: int, text: str, column: str) -> list[Any]:
            if not dataset_id:
                return read(visitor, None, 0, "", "")
            total = services.datasets.preview(visitor.owner, dataset_id, 0, 0, search=text or "", column=column or "")["total"]
            return read(visitor, dataset_id, max(0, min(start + by, max(0, total - 1) // PAGE_ROWS * PAGE_ROWS)), text, column)

        return turn_page

    def pick(visitor: Visitor, event: gr.SelectData, dataset_id: str | None, known: list[int], shown_rows: Any) -> list[Any]:
        row, column = event.index
        if not dataset_id or not 0 <= row < len(known):
            return [gr.skip()] * 4
        name = str(shown_rows.columns[column])
        value = services.datasets.cell(visitor.owner, dataset_id, known[row], name)
        told = page.say_in(visitor.language)("rows.place", row=known[row] + 1, column=plain(name))
        return [gr.update(visible=True), told, "" if value is None else str(value), (known[row], name)]

    def save_cell(visitor: Visitor, dataset_id: str | None, at: tuple[int, str] | None, value: str) -> None:
        if dataset_id and at:
            services.datasets.edit(visitor.owner, dataset_id, cells=[{"row": at[0], "column": at[1], "value": value}])

    def remove_row(visitor: Visitor, dataset_id: str | None, at: tuple[int, str] | None) -> None:
        if dataset_id and at:
            services.datasets.edit(visitor.owner, dataset_id, delete=[at[0]])

    def drop_columns(visitor: Visitor, dataset_id: str | None, chosen: list[str]) -> None:
        if dataset_id and chosen:
            services.datasets.edit(visitor.owner, dataset_id, drop_columns=chosen)

    def add_row(visitor: Visitor, dataset_id: str | None) -> int:
        """An empty row at the end, and the page that shows it."""
        if not dataset_id:
            return 0
        total = services.datasets.edit(visitor.owner, dataset_id, add=[{}])["rows"]
        return (total - 1) // PAGE_ROWS * PAGE_ROWS

    def make(format: str) -> Any:
        def make_file(visitor: Visitor, dataset_id: str | None) -> Any:
            """Into Gradio's own folder, which it may serve from and clears by itself; the workspace is closed to it."""
            if not dataset_id:
                return gr.skip()
            folder = Path(ready[0].GRADIO_CACHE) / secrets.token_hex(16)
            folder.mkdir(parents=True)
            return str(services.datasets.download(visitor.owner, dataset_id, format, folder))

        return make_file

    base = [page.owner, page.dataset_id]
    search.change(on(find), [*base, search, within, last], table, **quiet)
    within.input(on(lambda visitor, id, text, column: read(visitor, id, 0, text, column)), [*base, search, within], table, **quiet)
    for button, by in ((earlier, -PAGE_ROWS), (later, PAGE_ROWS)):
        button.click(on(turn(by)), [*base, offset, search, within], table, **quiet)
    rows.select(on(pick, selects=True), [*base, numbers, rows], [editor, where, cell, place], **quiet)
    for button, format, link in zip(downloads, formats, ready, strict=True):
        made = button.click(on(make(format)), base, link, api_visibility="private", show_progress="minimal")
        made.success(None, js=f"() => document.querySelector('#ready-{format}, #ready-{format} a, #ready-{format} button').click()")
    changed = [
        save.click(on(save_cell), [*base, place, cell], None, **quiet),
        remove.click(on(remove_row), [*base, place], None, **quiet),
        add.click(on(add_row), base, offset, **quiet),
        drop.click(on(drop_columns), [*base, names], None, **quiet),
    ]
    return RowsPanel(open_rows, [*table, editor, place, names, within], changed, [offset, search, within], search)


def already_there(known: Sequence[str | None], dataset_id: str | None, text: str | None) -> bool:
    """Whether a search need not be read: its rows are shown (`known`: dataset and search of those), or another dataset's are coming."""
    return known[0] != dataset_id or known[1] == (text or "")


def widths(columns: int) -> list[str]:
    """Equal shares while that leaves room to read; then a fixed width, and the table scrolls sideways."""
    return [f"{100 // columns}%"] * columns if 0 < columns <= 5 else ["180px"] * columns
