"""Watch it learn: what the model answered at each check, beside the curve, with a slider to go back. A part of the Train tab."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from playground.training.record import Run
from playground.ui.errors import Visitor
from playground.ui.formatting import Say, shorten
from playground.ui.page import Page

QUESTION_CHARACTERS = 160


FOLLOW = "(at, place) => { const [end, last] = JSON.parse(place); return at >= end ? last : at }"
Check = tuple[str, int] | None  # a run and the step of one of its checks; None for the newest, whichever that is by then


@dataclass(frozen=True)
class Watch:
    inputs: list[Any]
    outputs: list[Any]
    update: Callable[[Visitor, Run | None, Check, tuple[str, int] | None], list[Any]]


def build(page: Page) -> Watch:
    services, label, on = page.services, page.label, page.handler
    held, ends = gr.State(None), gr.State(None)  # the check that a hand has chosen; the run and the place at which its slider ends
    with gr.Column(visible=False, min_width=300, elem_id="watch") as box:
        shown = gr.HTML(elem_id="watched")
        # hidden by the style sheet: Gradio shows whatever is in a column that is shown
        place = gr.Textbox("[0, 0]", show_label=False, elem_id="watch-place")
        slider = gr.Slider(0, 1, 0, step=1, label=label("watch.slider"), info=label("watch.slider_info"), elem_id="watch-slider")

    def update(visitor: Visitor, run: Run | None, chosen: Check, former: tuple[str, int] | None) -> list[Any]:
        """The answers of the check that was chosen, else the newest. The slider becomes longer as the run goes on, and follows only where
        it stood at its end: that is decided in the browser, since a hand may have moved it while this was on its way."""
        told = services.runs.samples(visitor.owner, run.run_id) if run else {"prompts": [], "steps": []}
        steps = [one["step"] for one in told["steps"]]
        last, run_id = len(steps) - 1, run.run_id if run else ""
        before = former[1] if former and former[0] == run_id and former[1] <= last else -1  # -1: another run, or one that went back
        stays = chosen is not None and before >= 0 and chosen[0] == run_id and chosen[1] in steps
        at = steps.index(chosen[1]) if chosen and stays else last
        return [
            gr.update(visible=last >= 0 and bool(told["prompts"])),
            answers(told, at, page.say_in(visitor.language), own_questions(run)),
            gr.update(maximum=max(1, last), visible=last > 0),
            (run_id, last),
            gr.skip() if former == (run_id, last) else json.dumps([before, max(0, last), run_id]),
            gr.skip() if before >= 0 else None,
        ]

    def replay(visitor: Visitor, run_id: str | None, at: int, shown_place: str) -> tuple[str, Check]:
        told = services.runs.samples(visitor.owner, run_id) if run_id else {"prompts": [], "steps": []}
        own = own_questions(services.runs.get(visitor.owner, run_id) if run_id else None)
        newest = not told["steps"] or int(at) >= json.loads(shown_place)[1]  # the end that the hand saw, whatever has come since
        at = len(told["steps"]) - 1 if newest else min(int(at), len(told["steps"]) - 1)
        return answers(told, at, page.say_in(visitor.language), own), None if newest else (run_id or "", told["steps"][at]["step"])

    slider.input(
        on(replay),
        [page.owner, page.run_id, slider, place],
        [shown, held],
        api_visibility="private",
        show_progress="hidden",
        concurrency_limit=None,
        trigger_mode="always_last",
    )
    place.change(None, [slider, place], slider, js=FOLLOW, api_visibility="private")
    return Watch([held, ends], [box, shown, slider, ends, place, held], update)


def own_questions(run: Run | None) -> list[str]:
    """The person's own questions, where the run asks those, as they were typed: without the instruction that stands around them."""
    return run.settings.get("sample_prompts") or [] if run else []


def answers(told: dict[str, Any], at: int, say: Say, own: Sequence[str] = ()) -> str:
    """One check as HTML; every text is escaped. Where nobody knows the right answer, none is shown."""
    if not 0 <= at < len(told["steps"]):
        return ""
    one = told["steps"][at]
    when = say("watch.at", step=one["step"]) if one["step"] else say("watch.before")
    asked = own if len(own) == len(told["prompts"]) else [prompt["prompt"] for prompt in told["prompts"]]
    right = f'<dd class="right"><span>{escape(say("watch.right"))}</span>'
    rows = "".join(
        f"<dt>{escape(shorten(question, QUESTION_CHARACTERS))}</dt>"
        f'<dd class="now"><span>{escape(say("watch.answer"))}</span>{escape(text or say("watch.nothing"))}</dd>'
        + (f"{right}{escape(known['answer'])}</dd>" if known["answer"] else "")
        for question, known, text in zip(asked, told["prompts"], one["answers"], strict=False)
    )
    title, about = escape(say("watch.title")), escape(say("watch.about_own" if own else "watch.about"))
    return f'<section class="watch"><h3>{title}<b>{escape(when)}</b></h3><p>{about}</p><dl>{rows}</dl></section>'
