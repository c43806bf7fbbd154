"""Check the documents with one's own questions and expected answers: figures, rows, two settings side by side, the threshold of refusal.

A folded part of the Documents tab.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from playground.errors import InputError, NotFound, PlaygroundError
from playground.many import expected as lists
from playground.many.checks import BASE, NOBODY, Checks
from playground.many.checks_table import FILTERS, FORMATS, chosen, save
from playground.rag.exam.kept import typed
from playground.rag.exam.threshold import LEAST, curves
from playground.ui import exam as shown
from playground.ui import many as words
from playground.ui.errors import Visitor
from playground.ui.formatting import plain
from playground.ui.page import Page
from playground.ui.tabs import search_steps, sheet
from playground.ui.tabs.train import run_label

SOURCES = ("lines", "file", "sample")
TICK = 0.5  # seconds between two looks at a list that is being asked
NONE = ""  # what stands for no column
COLUMNS = ("question", "answer", "document", "page")


@dataclass(frozen=True)
class CheckPanel:
    whole: gr.Accordion


def build(page: Page, tab: gr.Tab, collection: gr.State) -> CheckPanel:
    services, label, on = page.services, page.label, page.handler
    checks, collections, limits = Checks(services), services.collections, services.settings.limits
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}

    timer = gr.Timer(TICK, active=False)
    with gr.Accordion(label("exam.title"), open=False, elem_id="exam") as whole:
        gr.Markdown(label("exam.about"), elem_classes="hint")
        source = gr.Radio(
            [(label(f"exam.source_{n}"), n) for n in SOURCES], value="lines", label=label("exam.source"), elem_id="exam-source"
        )
        lines = gr.Textbox(label=label("exam.lines"), info=label("exam.lines_info"), lines=4, max_lines=12, elem_id="exam-lines")
        with gr.Column(visible=False) as from_file:
            file = gr.File(
                label=label("many.file"), file_types=[".csv", ".tsv", ".xlsx", ".jsonl", ".json"], height=110, elem_id="exam-file"
            )
            read = gr.Markdown(elem_id="exam-read")
            with gr.Row(visible=False) as columns:
                picked = [gr.Dropdown(label=label(f"exam.column_{name}"), min_width=160, elem_id=f"exam-{name}") for name in COLUMNS]
        with gr.Row(equal_height=True):
            mode = search_steps.mode(page, "exam-mode")
            phrased_by = gr.Dropdown([(NOBODY, NOBODY)], value=NOBODY, label=label("exam.phrased_by"), info=label("exam.phrased_by_info"))
            sure = gr.Textbox(
                label=label("exam.threshold"), info=label("exam.threshold_info"), max_lines=1, min_width=200, elem_id="exam-threshold"
            )
        with gr.Accordion(label("exam.steps"), open=False, elem_id="exam-steps"):
            steps = search_steps.build(page, "exam", mode)
        start = gr.Button(label("many.start"), variant="primary", elem_id="exam-start")
        working = gr.HTML(visible=False, elem_id="exam-working")
        stop = gr.Button(label("many.stop"), size="sm", visible=False, elem_id="exam-stop")
        empty = gr.Markdown(label("exam.empty"), elem_classes="hint", elem_id="exam-empty")
        with gr.Row(visible=False) as choices:
            rounds = gr.Dropdown(label=label("many.rounds"), info=label("many.rounds_info"), elem_id="exam-rounds")
            other = gr.Dropdown(label=label("exam.other"), info=label("exam.other_info"), elem_id="exam-other")
        with gr.Column(visible=False) as result:
            figures = gr.HTML(elem_id="exam-figures")
            by = gr.Markdown(elem_classes="hint", elem_id="exam-by")
            which = gr.Radio(
                [(n, n) for n in FILTERS], value="all", label=label("many.filter"), info=label("exam.filter_info"), elem_id="exam-filter"
            )
            table = sheet.build(page, "exam", FORMATS, shown.PAGE_ROWS)
            with gr.Accordion(label("exam.calibrate"), open=False, elem_id="exam-calibrate"):
                gr.Markdown(label("exam.calibrate_about"), elem_classes="hint")
                chart = gr.HTML(elem_id="exam-chart")
                proposed = gr.Markdown(elem_id="exam-proposal")
                keep = gr.Button(label("exam.keep"), elem_id="exam-keep")
        with gr.Row(equal_height=True):
            now = gr.Markdown(elem_classes="hint", elem_id="exam-now")
            reset = gr.Button(label("exam.reset"), size="sm", visible=False, scale=0, min_width=240, elem_id="exam-reset")
        sheet.links(table)
        job_id, offset = gr.State(""), gr.State(0)
        seen = gr.State(())  # what is shown: it is not drawn anew under a reader's eyes without need

    drawn_parts = [result, figures, by, which, *table.shown, chart, proposed, keep, seen]
    view = [timer, working, stop, empty, *drawn_parts]

    def look(
        visitor: Visitor, id: str, beside: str | None, wanted: str, start: int, before: tuple[Any, ...], chosen_collection: str
    ) -> list[Any]:
        """How far the list is, and what came out as far as it goes."""
        try:
            job = services.jobs.get(visitor.owner, id) if id else None
        except NotFound:
            job = None
        if job is None:
            hidden = gr.update(visible=False)
            return [gr.Timer(active=False), hidden, hidden, gr.update(visible=True), hidden, *[gr.skip()] * 9, ()]
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        told = words.ending(job, say, translate) if job.finished else words.progress(job, say, translate)
        going = not job.finished
        state = [gr.Timer(active=going), gr.update(value=told, visible=bool(told)), gr.update(visible=going), gr.update(visible=False)]
        rows = (job.result or {}).get("rows", [])
        is_now = (id, beside, len(rows), job.finished, wanted, start, visitor.language, chosen_collection)
        if is_now == tuple(before) or not rows:
            return [*state, gr.update(visible=bool(rows)), *[gr.skip()] * 9, before if rows else ()]
        return [*state, *drawn(visitor, job, beside, wanted, start, chosen_collection), is_now]

    def drawn(visitor: Visitor, job: Any, beside: str | None, wanted: str, start: int, chosen_collection: str) -> list[Any]:
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        told, rows = checks.result(visitor.owner, job.job_id), job.result["rows"]
        found = chosen(rows, wanted)
        part = found[start : start + shown.PAGE_ROWS]
        offered = [(say(f"exam.filter_{n}", n=len(chosen(rows, n)), total=len(rows)), n) for n in FILTERS]
        proposal = None
        if job.finished:
            with contextlib.suppress(InputError):
                proposal = checks.suggest(visitor.owner, job.job_id)
        threshold = proposal["threshold"] if proposal else told["settings"]["threshold"]
        return [
            gr.update(visible=True),
            side_by_side(visitor, beside, told) if beside and beside != job.job_id else shown.figures(told["figures"], say),
            shown.told(told, say),
            gr.update(choices=offered, value=wanted),
            shown.table(part, say, translate),
            gr.update(visible=len(found) > shown.PAGE_ROWS),
            say("dataset.showing", first=start + 1, last=start + len(part), total=len(found)) if part else "",
            shown.threshold_chart(curves(rows), threshold, say) if job.finished else "",
            shown.proposal(proposal, LEAST, say),
            # what was found on one collection's documents is kept for no other
            gr.update(visible=proposal is not None and told["collection_id"] == id_of(visitor, chosen_collection)),
        ]

    def id_of(visitor: Visitor, chosen_collection: str) -> str:
        """The collection's id, which stays when it gets another name; empty where there is none."""
        try:
            return collections.find(visitor.owner, chosen_collection).name if chosen_collection else ""
        except NotFound:
            return ""

    def side_by_side(visitor: Visitor, beside: str, told: dict[str, Any]) -> str:
        say = page.say_in(visitor.language)
        try:
            before = checks.result(visitor.owner, beside)
            found = checks.compare_results(before, told)
        except PlaygroundError as error:
            sentence = page.texts.sentence(error.sentence, visitor.language)
            return f'<p class="warn">{plain(sentence)}</p>{shown.figures(told["figures"], say)}'
        return shown.comparison(found, shown.setting(before, say), shown.setting(told, say), say)

    def begin(visitor: Visitor, chosen_collection: str, kind: str, text: str, path: str | None, *values: Any) -> str:
        """Start to ask; gives the job's id."""
        names, (how, *fields), (who, threshold) = list(values[: len(COLUMNS)]), values[len(COLUMNS) : -2], values[-2:]
        if kind == "lines":
            asked = lists.pasted(text or "", limits)
        elif kind == "sample":
            asked = lists.given(services.sample_questions(visitor.owner, chosen_collection))
        elif not path:
            raise InputError("There is no file yet. Choose one first.")
        else:
            asks, answer, document, page_column = (name or None for name in names)
            picked_names = lists.ExpectedColumns(names, asks or "", answer, document, page_column)
            asked = lists.in_file(Path(path), Path(path).name, picked_names, limits)
        settings = {**search_steps.chosen(how, *fields).settings(), "phrased_by": who, "threshold": typed(threshold)}
        return checks.start(visitor.owner, chosen_collection, asked, settings).job_id

    def look_into(visitor: Visitor, path: str | None) -> list[Any]:
        """What the file has; one that cannot be read says so in place."""
        nothing = [gr.update(visible=False), *[gr.update(choices=[], value=None)] * len(COLUMNS)]
        if not path:
            return ["", *nothing]
        try:
            found = lists.columns(Path(path), Path(path).name, limits)
        except PlaygroundError as error:
            return [f"**{plain(page.texts.sentence(error.sentence, visitor.language))}**", *nothing]
        say = page.say_in(visitor.language)
        names = [(say("many.no_answers"), NONE), *((one, one) for one in found.names)]
        guessed = (found.question, found.answer, found.document, found.page)
        told = say("many.read", name=plain(Path(path).name), rows=found.rows)
        return [told, gr.update(visible=True), *(gr.update(choices=names, value=one or NONE) for one in guessed)]

    def remember(visitor: Visitor, id: str, beside: str | None, chosen_collection: str) -> list[Any]:
        """The lists that are kept; the one shown, if it is of this collection, or this one's newest; and the threshold that counts."""
        say = page.say_in(visitor.language)
        kept = checks.kept(visitor.owner)
        ids = [one["job_id"] for one in kept]
        this = id_of(visitor, chosen_collection)
        here = [one["job_id"] for one in kept if one["collection_id"] == this]
        shown_id = id if id in here else here[0] if here else ""
        names = [(shown.round_name(one, say), one["job_id"]) for one in kept]
        runs = [(run_label(one, say), one.run_id) for one in services.runs.list(visitor.owner) if one.has_adapter]
        who = [(say(f"exam.by_{name}"), name) for name in (NOBODY, BASE)]
        going = bool(shown_id) and not services.jobs.get(visitor.owner, shown_id).finished
        return [
            shown_id,
            gr.update(choices=names, value=shown_id or None),
            gr.update(choices=[(say("exam.no_other"), NONE), *names], value=beside if beside in ids else NONE),
            gr.update(visible=bool(names)),
            gr.update(choices=[*who, *runs]),
            *stand(visitor, chosen_collection),
            gr.update(open=True) if going else gr.skip(),  # whoever comes back to a list under way finds it open
        ]

    def stand(visitor: Visitor, chosen_collection: str) -> list[Any]:
        """The threshold that counts."""
        if not chosen_collection:
            return ["", gr.update(visible=False)]
        try:
            threshold = checks.threshold(visitor.owner, chosen_collection)
        except NotFound:
            return ["", gr.update(visible=False)]
        return [shown.standing(threshold, page.say_in(visitor.language)), gr.update(visible=threshold.own)]

    def keep_it(visitor: Visitor, id: str, chosen_collection: str) -> list[Any]:
        checks.keep(visitor.owner, id, chosen_collection)
        return stand(visitor, chosen_collection)

    def let_go(visitor: Visitor, chosen_collection: str) -> list[Any]:
        checks.set_threshold(visitor.owner, chosen_collection, None)
        return stand(visitor, chosen_collection)

    def halt(visitor: Visitor, id: str) -> None:
        if id:
            services.jobs.stop(visitor.owner, id)

    def write(visitor: Visitor, id: str, target: Path, form: str) -> None:
        save(checks.result(visitor.owner, id), target, form)

    looking = {"fn": on(look), "inputs": [page.owner, job_id, other, which, offset, seen, collection], "outputs": view, **quiet}
    remembered = [job_id, rounds, other, choices, phrased_by, now, reset, whole]
    remembering = {"fn": on(remember), "inputs": [page.owner, job_id, other, collection], "outputs": remembered, **quiet}
    source.change(lambda kind: [gr.update(visible=kind == one) for one in ("lines", "file")], source, [lines, from_file], **quiet)
    gr.on([file.upload, file.clear], on(look_into), [page.owner, file], [read, columns, *picked], **quiet)
    inputs = [page.owner, collection, source, lines, file, *picked, mode, *steps.fields, phrased_by, sure]
    begun = start.click(on(begin), inputs, job_id, api_visibility="private", show_progress="minimal", concurrency_limit=None)
    begun.success(lambda: ("all", 0), None, [which, offset], **quiet).then(**remembering).then(**looking)
    gr.on([tab.select, collection.change], trigger_mode="always_last", **remembering).then(**looking)
    timer.tick(**looking)
    stop.click(on(halt), [page.owner, job_id], None, **quiet).then(**looking)
    rounds.input(lambda id: (id, "all", 0), rounds, [job_id, which, offset], **quiet).then(**looking)
    other.input(**looking)
    which.input(lambda: 0, None, offset, **quiet).then(**looking)
    keep.click(on(keep_it), [page.owner, job_id, collection], [now, reset], **quiet)
    reset.click(on(let_go), [page.owner, collection], [now, reset], **quiet)
    sheet.wire(page, table, job_id, which, offset, looking, chosen, write, "checked")
    return CheckPanel(whole)
