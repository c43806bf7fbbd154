"""Watch it learn: what the model answered at each check, beside the curve, with a slider to go back. A part of the Train tab."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Watch:
    outputs: list[Any]
    update: Callable[[Visitor, Run | None], list[Any]]


def build(page: Page) -> Watch:
    services, label, on = page.services, page.label, page.handler
    with gr.Column(visible=False, min_width=300, elem_id="watch") as box:
        shown = gr.HTML(elem_id="watched")
        slider = gr.Slider(0, 1, 0, step=1, label=label("watch.slider"), info=label("watch.slider_info"), elem_id="watch-slider")

    def update(visitor: Visitor, run: Run | None) -> list[Any]:
        """The newest answers; the slider appears when the run has ended, for until then it would run away from the hand."""
        told = services.runs.samples(visitor.owner, run.run_id) if run else {"prompts": [], "steps": []}
        last = len(told["steps"]) - 1
        say = page.say_in(visitor.language)
        replay = run is not None and run.finished and last > 0
        return [
            gr.update(visible=last >= 0),
            answers(told, last, say, own_questions(run)),
            gr.update(maximum=max(1, last), value=max(0, last), visible=replay),
        ]

    def replay(visitor: Visitor, run_id: str | None, at: int) -> str:
        told = services.runs.samples(visitor.owner, run_id) if run_id else {"prompts": [], "steps": []}
        own = own_questions(services.runs.get(visitor.owner, run_id) if run_id else None)
        return answers(told, min(int(at), len(told["steps"]) - 1), page.say_in(visitor.language), own)

    slider.input(
        on(replay),
        [page.owner, page.run_id, slider],
        shown,
        api_visibility="private",
        show_progress="hidden",
        concurrency_limit=None,
        trigger_mode="always_last",
    )
    return Watch([box, shown, slider], update)


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
