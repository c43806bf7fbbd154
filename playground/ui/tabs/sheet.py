"""A table that a list of questions has led to: page by page, and to take away as a file. A part of two panels.

Does not know what stands in the rows: whoever builds it draws the table and writes the files.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import gradio as gr

from playground.ui.errors import Visitor
from playground.ui.page import Page

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Sheet:
    """`shown` are the outputs of whoever draws: the table, the row of buttons that turn its pages, and where in the table it is."""

    name: str
    page_rows: int
    table: gr.HTML
    pages: gr.Row
    place: gr.Markdown
    earlier: gr.Button
    later: gr.Button
    downloads: dict[str, gr.Button]
    ready: dict[str, gr.DownloadButton] = field(default_factory=dict)

    @property
    def shown(self) -> list[Any]:
        return [self.table, self.pages, self.place]


def build(page: Page, name: str, formats: Sequence[str], page_rows: int) -> Sheet:
    """Lay out the table with its buttons; `name` begins the ids of all."""
    with gr.Row(elem_classes="samples"):
        downloads = {one: gr.Button(page.label(f"many.{one}"), size="sm", elem_id=f"{name}-{one}") for one in formats}
    table = gr.HTML(elem_id=f"{name}-table")
    with gr.Row(visible=False) as pages:
        earlier = gr.Button(page.label("dataset.previous"), size="sm", elem_id=f"{name}-earlier")
        place = gr.Markdown(elem_classes="centre", elem_id=f"{name}-place")
        later = gr.Button(page.label("dataset.next"), size="sm", elem_id=f"{name}-later")
    return Sheet(name, page_rows, table, pages, place, earlier, later, downloads)


def links(sheet: Sheet) -> None:
    """Lay out what hands the files to the browser; outside whatever is hidden while there is no table."""
    for one in sheet.downloads:
        sheet.ready[one] = gr.DownloadButton(elem_id=f"ready-{sheet.name}-{one}", elem_classes="unseen")


def wire(
    page: Page,
    sheet: Sheet,
    job_id: gr.State,
    which: gr.Radio,
    offset: gr.State,
    looking: dict[str, Any],
    chosen: Callable[[Rows, str], Sequence[Any]],
    write: Callable[[Visitor, str, Path, str], None],
    called: str,
) -> None:
    """Let the buttons work.

    Args:
        job_id, which, offset: whose rows, which of them, and the first that is shown.
        looking: the event that draws.
        chosen: the rows that `which` leaves.
        write: writes a job's result to a path in one of the formats.
        called: what a file is called; the time is put behind it.
    """
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    jobs, on = page.services.jobs, page.handler

    def turn(by: int) -> Any:
        def turn_page(visitor: Visitor, id: str, wanted: str, start: int) -> int:
            rows = (jobs.get(visitor.owner, id).result or {}).get("rows", []) if id else []
            last = max(0, len(chosen(rows, wanted)) - 1) // sheet.page_rows * sheet.page_rows
            return max(0, min(start + by, last))

        return turn_page

    def make(form: str) -> Any:
        def make_file(visitor: Visitor, id: str) -> str:
            """Into Gradio's own folder, which it may serve from and clears by itself; the workspace is closed to it."""
            day = datetime.fromtimestamp(jobs.get(visitor.owner, id).result["asked"]).strftime("%Y-%m-%d-%H%M")
            folder = Path(sheet.ready[form].GRADIO_CACHE) / secrets.token_hex(16)
            folder.mkdir(parents=True)
            target = folder / f"{called}-{day}.{form}"
            write(visitor, id, target, form)
            return str(target)

        return make_file

    for button, by_rows in ((sheet.earlier, -sheet.page_rows), (sheet.later, sheet.page_rows)):
        button.click(on(turn(by_rows)), [page.owner, job_id, which, offset], offset, **quiet).then(**looking)
    for form, button in sheet.downloads.items():
        made = button.click(on(make(form)), [page.owner, job_id], sheet.ready[form], api_visibility="private", show_progress="minimal")
        link = f"#ready-{sheet.name}-{form}"
        made.success(None, js=f"() => document.querySelector('{link}, {link} a, {link} button').click()")
