"""Before a run: one calm line with its time and memory, and a button that tries three real steps. A part of the Train tab."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from playground.errors import PlaygroundError, Sentence, Sentences
from playground.jobs import follow
from playground.training.ahead.estimate import Estimate
from playground.training.ahead.rehearse import read_told
from playground.training.config import PRESETS
from playground.ui.errors import Visitor
from playground.ui.formatting import Say, Translate, duration, megabytes, parameters
from playground.ui.page import Page
from playground.ui.tabs import settings_form

MARKS = {"fits": ("✓", "fits"), "tight": ("!", "tight"), "does not fit": ("✕", "unfit")}  # the shape tells it as well as the colour


@dataclass(frozen=True)
class EstimateLine:
    """The line with its buttons, hidden until `wire` has something to show."""

    page: Page
    row: gr.Row
    line: gr.HTML
    rehearse: gr.Button
    stop: gr.Button
    job: gr.State

    def wire(self, tab: gr.Tab, model: Any, own: Any, preset: Any, begin: Any, fields: list[Any], again: Any) -> None:
        """`own` is a typed name that goes before `model`, `begin` is the run that it goes on from; `again` changes when runs do."""
        page, on = self.page, self.page.handler

        def settings_of(chosen: str, typed: str | None, values: tuple[Any, ...]) -> dict[str, Any]:
            return {**settings_form.collect(values), "model": (typed or "").strip() or chosen}

        def show(
            visitor: Visitor,
            dataset_id: str | None,
            chosen: str | None,
            typed: str | None,
            length: str,
            begun: Any,
            *values: Any,
        ) -> tuple[Any, Any]:
            """What the run would need, as things stand; a calm sentence where that cannot be told."""
            if not dataset_id or not chosen:
                return gr.update(visible=False), ""
            say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
            asked = settings_of(chosen, typed, values)
            try:
                found = page.services.estimate_presets(visitor.owner, dataset_id, asked, start_from=begun or None)
            except PlaygroundError as error:
                return gr.update(visible=True), refused(error.sentence, say, translate)
            return gr.update(visible=True), written(found, length, say, translate)

        def rehearse(
            visitor: Visitor, dataset_id: str | None, chosen: str, typed: str | None, length: str, begun: Any, *values: Any
        ) -> Iterator[tuple[Any, Any, Any, Any]]:
            """Follow the rehearsal's job; it goes on when the page is closed, and the next look shows what it has found."""
            if not dataset_id:
                return
            say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
            asked = settings_of(chosen, typed, values)
            job = page.services.rehearse_run(visitor.owner, dataset_id, asked, preset=length, start_from=begun or None)
            for now in follow(job):
                doing = translate(now.doing) if now.doing else say("estimate.trying", done=min(now.done + 1, now.total), total=now.total)
                yield progress(doing, now.done, now.total), gr.update(visible=False), gr.update(visible=True), job.job_id
            shown = show(visitor, dataset_id, chosen, typed, length, begun, *values)[1]
            broke = job.error or (read_told(job.result).error if job.result else None)
            why = escape(translate(broke)) if broke else ""
            note = f'<p class="estimate-note">{why}</p>' if why and why not in shown else ""  # what is remembered is shown anyway
            yield note + shown, gr.update(visible=True), gr.update(visible=False), None

        def end(visitor: Visitor, job_id: str | None) -> None:
            if job_id:
                page.services.jobs.stop(visitor.owner, job_id)

        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
        inputs = [page.owner, page.dataset_id, model, own, preset, begin, *fields]
        changes = [one.change for one in (page.dataset_id, model, preset, begin, *fields)] + [
            own.submit,
            own.blur,
            tab.select,
            again.change,
        ]
        gr.on(changes, on(show), inputs, [self.row, self.line], trigger_mode="always_last", **quiet)
        self.rehearse.click(on(rehearse), inputs, [self.line, self.rehearse, self.stop, self.job], **quiet)
        self.stop.click(on(end), [page.owner, self.job], None, **quiet)


def build(page: Page) -> EstimateLine:
    """The line under the start row."""
    with gr.Row(visible=False, equal_height=False, elem_id="estimate-row") as row:
        line = gr.HTML(elem_id="estimate", min_height=0)
        rehearse = gr.Button(page.label("estimate.rehearse"), size="sm", variant="secondary", scale=0, min_width=170, elem_id="rehearse")
        stop = gr.Button(page.label("estimate.stop"), size="sm", visible=False, scale=0, min_width=170, elem_id="rehearse-stop")
    return EstimateLine(page, row, line, rehearse, stop, gr.State(None))


def refused(reason: Sentence, say: Say, translate: Translate) -> str:
    """Why there is no estimate, as HTML: settings that cannot be used each in a line of its own."""
    problems = reason.values.get("problems")
    if not isinstance(problems, Sentences):
        return f'<p class="estimate-note">{escape(translate(reason))}</p>'
    lines = "".join(f"<li>{escape(translate(one))}</li>" for one in problems)
    return f'<div class="estimate"><p class="estimate-note">{escape(say("estimate.refused"))}</p><ul class="advice">{lines}</ul></div>'


def written(found: dict[str, Estimate], chosen: str, say: Say, translate: Translate) -> str:
    """The estimate of the chosen preset as HTML, and time and memory of the others; every text is escaped."""
    now = found.get(chosen) or next(iter(found.values()))
    mark, kind = MARKS[now.fits]
    key = "estimate.measured" if now.measured else "estimate.line"
    line = say(key, time=rounded(now.seconds), memory=megabytes(now.memory_mb, say), fits=say(f"estimate.{kind}"))
    details = [
        share(now, say),
        say("estimate.disk", disk=megabytes(now.disk_mb, say), memory=megabytes(now.memory_available_mb, say)),
        translate(now.basis),
    ]
    others = [
        (say(f"train.{name}"), say("estimate.each", time=rounded(found[name].seconds), memory=megabytes(found[name].memory_mb, say)), name)
        for name in PRESETS
        if name in found
    ]
    each = "".join(
        f"<span{' class=chosen' if name == chosen else ''}><b>{escape(label)}</b> {escape(told)}</span>" for label, told, name in others
    )
    told = [now.error] if now.error else []
    advice = "".join(f"<li>{escape(translate(one))}</li>" for one in [*told, *now.advice])
    return (
        f'<div class="estimate {kind}" role="status"><p class="need"><i aria-hidden="true">{mark}</i> {escape(line)}</p>'
        + (f'<ul class="advice">{advice}</ul>' if advice else "")
        + f'<p class="each">{each}</p><p class="basis">{escape(" ".join(details))}</p></div>'
    )


def share(now: Estimate, say: Say) -> str:
    """How many of the model's numbers learn, with their percent to two figures."""
    trained, total = now.trainable_parameters, now.total_parameters
    if trained >= total:
        return say("estimate.share_all", all=few(total, say))
    percent = 100 * trained / total
    places = max(0, 1 - math.floor(math.log10(percent))) if percent else 0
    return say("estimate.share", trained=few(trained, say), all=few(total, say), share=percent, places=places)


def progress(doing: str, done: int, total: int) -> str:
    """How far the rehearsal is, as HTML."""
    bar = f'<progress value="{done}" max="{total}"></progress>'
    return f'<div class="estimate trying" role="status"><p class="need">{escape(doing)}</p>{bar}</div>'


def rounded(seconds: float) -> str:
    """A duration without more figures than an estimate has: 98 s is 1 min 40 s."""
    step = 1 if seconds < 20 else 5 if seconds < 60 else 10 if seconds < 600 else 60
    return duration(max(1, round(seconds / step) * step))


def few(count: int, say: Say) -> str:
    """A count in millions, or as it is where it is small."""
    return parameters(count, say) if count >= 100_000 else say("number.whole", n=count)
