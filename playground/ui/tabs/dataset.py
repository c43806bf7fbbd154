"""Dataset tab: bring a table, see what was understood, choose what the model should learn from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from playground.errors import PlaygroundError
from playground.ui.errors import Visitor
from playground.ui.formatting import column_rows, duration, plain, understood
from playground.ui.i18n import DEFAULT
from playground.ui.page import Page
from playground.ui.tabs import doctor, hub, mapping, reading, rows

FOLLOW_SECONDS = 0.4  # between two looks at a file that is being read
COLUMN_WIDTHS = ["24%", "12%", "14%", "16%", "34%"]
FILE_TYPES = [".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xls", ".ods", ".md", ".zip", ".gz", ".bz2"]


@dataclass(frozen=True)
class DatasetTab:
    """`changed`: events after which the chosen dataset has another version."""

    tab: gr.Tab
    changed: list[Any]


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
            with gr.Row(visible=False, elem_id="reading-file") as under_way:
                progress, reading_id = gr.Markdown(), gr.State("")
                stop = gr.Button(label("dataset.stop_reading"), size="sm", min_width=110, scale=0, elem_id="stop-reading")
            failed = gr.Markdown(visible=False, elem_classes="failed", elem_id="upload-failed")
            hub.build(page, failed)
            with gr.Column(visible=False) as loaded:
                with gr.Row(equal_height=True):
                    choice = gr.Dropdown(
                        label=label("dataset.choose"), info=label("dataset.choose_info"), scale=4, elem_id="dataset-choice"
                    )
                    with gr.Column(scale=1, min_width=150):
                        delete = gr.Button(label("dataset.delete"), size="sm", variant="secondary")
                        sure = gr.Button(label("dataset.delete_sure"), size="sm", variant="stop", visible=False)
                summary = gr.Markdown(elem_id="understood")
                options = reading.build(page)
                table = rows.build(page)
                columns = gr.Dataframe(
                    label=label("dataset.columns"), interactive=False, wrap=True, elem_id="columns", column_widths=COLUMN_WIDTHS
                )
                health = doctor.build(page)
        with gr.Column(scale=5, min_width=340, visible=False) as right:
            panel = mapping.build(page)

    def open_dataset(visitor: Visitor, dataset_id: str | None) -> list[Any]:
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        choices = [(say("strip.rows", name=d["name"], rows=d["rows"]), d["dataset_id"]) for d in services.datasets.list(visitor.owner)]
        info = services.dataset(visitor.owner, dataset_id)
        if info is None:
            hidden = gr.update(visible=False)
            return [gr.update(visible=True), hidden, hidden, gr.update(choices=choices, value=None), "", None, hidden]
        heads = [say(f"dataset.col_{key}") for key in ("name", "type", "missing", "unique", "example")]
        return [
            gr.update(visible=False),
            gr.update(visible=True),
            gr.update(visible=True),
            gr.update(choices=choices, value=dataset_id),
            understood(info, say, translate),
            gr.Dataframe(column_rows(info["columns"], say, translate), headers=heads),
            gr.update(visible=False),
        ]

    def bring(visitor: Visitor, path: str | None, current: str | None) -> Iterator[tuple[Any, ...]]:
        """A large file tells how far it is. A failed import says so in place and leaves what was open before."""
        if not path:
            yield current, gr.skip(), gr.skip(), gr.skip(), gr.skip(), gr.skip()
            return
        say, hidden = page.say_in(visitor.language), gr.update(visible=False)
        coming = services.datasets.bring(visitor.owner, Path(path), Path(path).name)
        while not coming.wait(FOLLOW_SECONDS):
            left = coming.seconds_left
            told = say("dataset.reading_file", percent=100 * coming.share)
            if left is not None:
                told = f"{told} · {say('documents.left', time=duration(left))}"
            yield gr.skip(), hidden, gr.skip(), gr.update(visible=True), told, coming.id
        try:
            yield coming.result["dataset_id"], hidden, None, hidden, "", ""
        except PlaygroundError as error:
            sorry = f"**{plain(page.texts.sentence(error.sentence, visitor.language))}**"
            yield current, gr.update(value=sorry, visible=True), None, hidden, "", ""

    def stop_reading(visitor: Visitor, id: str) -> None:
        if id:
            services.datasets.imports.stop(visitor.owner, id)

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
        on(bring),
        [page.owner, file, page.dataset_id],
        [page.dataset_id, failed, file, under_way, progress, reading_id],
        api_visibility="private",
        concurrency_limit=4,
        show_progress_on=file,  # how far a large file is, is told in words, which a bar would cover
    )
    stop.click(on(stop_reading), [page.owner, reading_id], None, api_visibility="private", show_progress="hidden")
    for button, sample in zip(buttons, samples, strict=True):
        button.click(on(take_sample(sample["name"])), page.owner, [page.dataset_id, failed], api_visibility="private")
    choice.input(lambda chosen: chosen, choice, page.dataset_id, api_visibility="private", show_progress="hidden")
    delete.click(lambda: gr.update(visible=True), None, sure, api_visibility="private", show_progress="hidden")
    sure.click(on(remove), [page.owner, page.dataset_id], [page.dataset_id, sure], api_visibility="private")
    about = [empty, loaded, right, choice, summary, columns, sure]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}

    read = [page.owner, page.dataset_id, page.model]

    def show(event: Any, same: bool) -> None:
        """After an event, fill the tab: what is quick first. The `same` dataset keeps its page of rows and its search."""
        place = table.page if same else []
        fill = table.open if same else lambda visitor, dataset_id: table.open(visitor, dataset_id, 0, "", "")
        filled = event.then(on(open_dataset), [page.owner, page.dataset_id], about, **quiet)
        filled = filled.then(on(fill), [page.owner, page.dataset_id, *place], table.outputs, **quiet)
        filled = filled.then(on(options.open), [page.owner, page.dataset_id], options.outputs, **quiet)
        seen: dict[str, Any] = {**quiet, "show_progress": "minimal"}
        filled = filled.then(on(panel.open), read, panel.outputs, **seen, show_progress_on=panel.example)
        filled.then(on(health.open), read, health.outputs, **seen, show_progress_on=health.shown)

    show(page.dataset_id.change(lambda: "", None, table.search, **quiet), same=False)
    changed = [*table.changed, *health.changed, *options.changed]
    for event in changed:
        show(event, same=True)
    # What is wrong with a table depends on what it shall teach; a check that was made before costs nothing.
    panel.changed.then(on(health.open), read, health.outputs, **quiet)
    page.model.change(on(panel.open), read, panel.outputs, **quiet).then(on(health.open), read, health.outputs, **quiet)
    return DatasetTab(tab, changed)


def sample_name(page: Page, name: str) -> Any:
    """A sample's name, in the visitor's language where the locale files know it."""
    known = {text: key for key, text in page.texts.locales[DEFAULT].items() if key.startswith("sample.")}
    return page.label(known[name]) if name in known else name
