"""Many questions at once: a list goes to both models, their answers become a table to filter and take away. A part of the Chat tab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from playground.errors import InputError, NotFound, PlaygroundError
from playground.jobs import Job
from playground.many import questions as lists
from playground.many.table import FORMATS, save
from playground.many.verdicts import FILTERS, chosen, counts
from playground.many.work import Many
from playground.ui import many as shown
from playground.ui.errors import Visitor
from playground.ui.formatting import plain, when
from playground.ui.page import Page
from playground.ui.tabs import sheet

SOURCES = ("rows", "lines", "file")
USUAL = 50  # questions that are asked unless somebody wants more
TICK = 0.5  # seconds between two looks at a list that is being asked
NO_ANSWERS = ""  # what stands for no column of right answers


@dataclass(frozen=True)
class ManyPanel:
    whole: gr.Accordion


def build(page: Page, run: gr.Dropdown) -> ManyPanel:
    services, label, on = page.services, page.label, page.handler
    many, limits = Many(services), services.settings.limits
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}

    timer = gr.Timer(TICK, active=False)
    with gr.Accordion(label("many.title"), open=False, elem_id="many") as whole:
        gr.Markdown(label("many.about"), elem_classes="hint")
        source = gr.Radio(
            [(label(f"many.source_{name}"), name) for name in SOURCES], value="rows", label=label("many.source"), elem_id="many-source"
        )
        lines = gr.Textbox(
            label=label("many.lines"), info=label("many.lines_info"), lines=5, max_lines=12, visible=False, elem_id="many-lines"
        )
        with gr.Column(visible=False, elem_id="many-from-file") as from_file:
            file = gr.File(
                label=label("many.file"), file_types=[".csv", ".tsv", ".xlsx", ".jsonl", ".json", ".txt"], height=110, elem_id="many-file"
            )
            read = gr.Markdown(elem_id="many-read")
            with gr.Row(visible=False) as columns:
                asks = gr.Dropdown(label=label("many.asks"), min_width=200, elem_id="many-asks")
                answers = gr.Dropdown(label=label("many.answers"), info=label("many.answers_info"), min_width=200, elem_id="many-answers")
        with gr.Row(equal_height=True, elem_id="many-begin"):
            most = gr.Number(
                min(USUAL, many.most), precision=0, label=label("many.most"), info=label("many.most_info"), scale=4, min_width=220,
                elem_id="many-most",
            )  # fmt: skip
            start = gr.Button(label("many.start"), variant="primary", scale=1, min_width=180, elem_id="many-start")
        with gr.Accordion(label("chat.settings"), open=False), gr.Row():
            tokens = gr.Slider(1, 512, 96, step=1, label=label("chat.max_new_tokens"))
            temperature = gr.Slider(0, 2, 0, step=0.1, label=label("chat.temperature"), info=label("chat.temperature_info"))
            template = gr.Checkbox(True, label=label("chat.use_template"), info=label("chat.use_template_info"))
        working = gr.HTML(visible=False, elem_id="many-working")
        stop = gr.Button(label("many.stop"), size="sm", visible=False, elem_id="many-stop")
        empty = gr.Markdown(label("many.empty"), elem_classes="hint", elem_id="many-empty")
        rounds = gr.Dropdown(label=label("many.rounds"), info=label("many.rounds_info"), visible=False, elem_id="many-rounds")
        with gr.Column(visible=False) as result:
            figures = gr.HTML(elem_id="many-figures")
            which = gr.Radio(
                [(name, name) for name in FILTERS], value="all", label=label("many.filter"), info=label("many.filter_info"),
                elem_id="many-filter",
            )  # fmt: skip
            table = sheet.build(page, "many", FORMATS, shown.PAGE_ROWS)
            by = gr.Markdown(elem_classes="hint", elem_id="many-by")
        sheet.links(table)
        job_id, offset = gr.State(""), gr.State(0)
        seen = gr.State(())  # what the table shows: it is not drawn anew under a reader's eyes without need

    view = [timer, working, stop, empty, result, figures, which, *table.shown, by, seen]

    def look(visitor: Visitor, id: str, wanted: str, start: int, before: tuple[Any, ...]) -> list[Any]:
        """How far the list is, and its table as far as it goes."""
        try:
            job = services.jobs.get(visitor.owner, id) if id else None
        except NotFound:
            job = None
        if job is None:
            hidden = gr.update(visible=False)
            return [gr.Timer(active=False), hidden, hidden, gr.update(visible=True), hidden, *[gr.skip()] * 6, ()]
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        finished = job.finished
        told = shown.ending(job, say, translate) if finished else shown.progress(job, say, translate)
        state = [
            gr.Timer(active=not finished),
            gr.update(value=told, visible=bool(told)),
            gr.update(visible=not finished),
            gr.update(visible=False),
        ]
        rows = (job.result or {}).get("rows", [])
        now = (id, len(rows), finished, wanted, start, visitor.language)
        if now == tuple(before) or not rows:
            return [*state, gr.update(visible=bool(rows)), *[gr.skip()] * 6, before if rows else ()]
        return [*state, *drawn(job, rows, wanted, start, say, translate), now]

    def drawn(job: Job, rows: list[dict[str, Any]], wanted: str, start: int, say: Any, translate: Any) -> list[Any]:
        counted, found = counts(rows), chosen(rows, wanted)
        part = found[start : start + shown.PAGE_ROWS]
        choices = [(say(f"many.filter_{name}", n=counted[name], total=len(rows)), name) for name in FILTERS]
        where = say("dataset.showing", first=start + 1, last=start + len(part), total=len(found)) if part else ""
        return [
            gr.update(visible=True),
            shown.figures(counted, len(rows), say),
            gr.update(choices=choices, value=wanted),
            shown.table(part, say, translate),
            gr.update(visible=len(found) > shown.PAGE_ROWS),
            where,
            shown.told(job.result, say),
        ]

    def begin(visitor: Visitor, run_id: str | None, kind: str, text: str, path: str | None, *values: Any) -> str:
        """Start to ask; gives the job's id."""
        if not run_id:
            raise NotFound("There is no finished run to ask yet. Train one first.")
        asks, answers, wanted, tokens, temperature, template = values
        limit = many.number(wanted)
        if kind == "rows":
            taken = many.unseen(visitor.owner, run_id, limit)
        elif kind == "lines":
            taken = lists.pasted(text or "")
        elif not path:
            raise InputError("There is no file yet. Choose one first.")
        else:
            taken = lists.in_file(Path(path), Path(path).name, asks, answers or None, limits)
        settings = {"max_new_tokens": tokens, "temperature": temperature, "use_template": template}
        return many.start(visitor.owner, run_id, taken.first(limit), settings, source=kind).job_id

    def look_into(visitor: Visitor, path: str | None) -> list[Any]:
        """What the file has; one that cannot be read says so in place."""
        nothing = [gr.update(visible=False), gr.update(choices=[], value=None), gr.update(choices=[], value=None)]
        if not path:
            return ["", *nothing]
        try:
            found = lists.columns(Path(path), Path(path).name, limits)
        except PlaygroundError as error:
            return [f"**{plain(page.texts.sentence(error.sentence, visitor.language))}**", *nothing]
        say = page.say_in(visitor.language)
        told = say("many.read", name=plain(Path(path).name), rows=found.rows)
        right = gr.update(choices=[(say("many.no_answers"), NO_ANSWERS), *found.names], value=found.right or NO_ANSWERS)
        return [told, gr.update(visible=True), gr.update(choices=found.names, value=found.question), right]

    def remember(visitor: Visitor, id: str) -> list[Any]:
        """The lists that are kept; the one shown, or the newest."""
        kept = many.kept(visitor.owner)
        say = page.say_in(visitor.language)
        choices = [(say("many.round", run=one["run"], n=one["questions"], date=when(one["created"])), one["job_id"]) for one in kept]
        ids = [one["job_id"] for one in kept]
        chosen_id = id if id in ids else ids[0] if ids else ""
        under_way = bool(chosen_id) and not services.jobs.get(visitor.owner, chosen_id).finished
        opened = gr.update(open=True) if under_way else gr.skip()  # whoever comes back to a list under way finds it open
        return [chosen_id, gr.update(choices=choices, value=chosen_id or None, visible=len(ids) > 1), opened]

    def halt(visitor: Visitor, id: str) -> None:
        if id:
            services.jobs.stop(visitor.owner, id)

    def write(visitor: Visitor, id: str, target: Path, form: str) -> None:
        save(services.jobs.get(visitor.owner, id).result, target, form)

    def switch(kind: str) -> list[Any]:
        return [gr.update(visible=kind == "lines"), gr.update(visible=kind == "file")]

    looking = {"fn": on(look), "inputs": [page.owner, job_id, which, offset, seen], "outputs": view, **quiet}
    remembering = {"fn": on(remember), "inputs": [page.owner, job_id], "outputs": [job_id, rounds, whole], **quiet}
    source.change(switch, source, [lines, from_file], **quiet)
    gr.on([file.upload, file.clear], on(look_into), [page.owner, file], [read, columns, asks, answers], **quiet)
    inputs = [page.owner, run, source, lines, file, asks, answers, most, tokens, temperature, template]
    begun = start.click(on(begin), inputs, job_id, api_visibility="private", show_progress="minimal", concurrency_limit=None)
    begun.success(lambda: ("all", 0), None, [which, offset], **quiet).then(**remembering).then(**looking)
    run.change(trigger_mode="always_last", **remembering).then(**looking)
    timer.tick(**looking)
    stop.click(on(halt), [page.owner, job_id], None, **quiet).then(**looking)
    rounds.input(lambda id: (id, "all", 0), rounds, [job_id, which, offset], **quiet).then(**looking)
    which.input(lambda: 0, None, offset, **quiet).then(**looking)
    sheet.wire(page, table, job_id, which, offset, looking, chosen, write, "answers")
    return ManyPanel(whole)
