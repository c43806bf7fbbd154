"""Going on with a run that has ended: where it broke off, or further than it was to go. A part of the Train tab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.errors import Sentence, SettingsError
from playground.training.record import Run
from playground.ui.errors import Visitor
from playground.ui.page import Page
from playground.ui.tabs.settings_form import number

SHARE = 0.2  # of the steps made, that a run gets more where nobody says how much
EXAMPLES = {"steps": "20", "passes": "1.5"}


@dataclass(frozen=True)
class Onward:
    button: gr.Button
    more: gr.Textbox
    unit: gr.Radio
    outputs: list[Any]
    update: Callable[[Visitor, Run | None], list[Any]]
    take_up: Callable[..., Any]  # (visitor, run_id, more, unit) -> what the field shows afterwards, and the ticking timer


def build(page: Page) -> Onward:
    services, label = page.services, page.label
    with gr.Row(visible=False, equal_height=True, elem_id="onward") as box:
        about = gr.Markdown(elem_id="onward-about")
        more = gr.Textbox("", label=label("onward.more"), max_lines=1, min_width=120, elem_id="onward-more")
        unit = gr.Radio(
            [(label(f"onward.{name}"), name) for name in EXAMPLES],
            value="steps",
            label=label("onward.unit"),
            min_width=180,
            elem_id="onward-unit",
        )
        button = gr.Button(scale=0, min_width=230, elem_id="resume-button")

    def update(visitor: Visitor, run: Run | None) -> list[Any]:
        if run is None or not run.finished or run.can_resume is None:
            return [gr.update(visible=False), *[gr.skip()] * 4]
        say = page.say_in(visitor.language)
        if broken_off(run):
            asked = gr.update(visible=False)
            return [
                gr.update(visible=True),
                say("onward.resume_about", max=run.max_steps),
                asked,
                asked,
                say("onward.resume", step=run.can_resume),
            ]
        about_it = say("onward.further_about", step=run.can_resume, more=fifth(run))
        return [
            gr.update(visible=True),
            about_it,
            gr.update(visible=True, placeholder=say("number.whole", n=fifth(run))),
            gr.update(visible=True),
            say("onward.further"),
        ]

    def take_up(visitor: Visitor, run_id: str | None, wanted: str, counted: str) -> tuple[str, Any]:
        if run_id:
            run = services.runs.get(visitor.owner, run_id)
            services.runs.resume(visitor.owner, run_id, {} if broken_off(run) else further(run, wanted, counted))
        return "", gr.Timer(active=True)

    return Onward(button, more, unit, [box, about, more, unit, button], update, take_up)


def broken_off(run: Run) -> bool:
    """Whether it ended before the steps that it was to make: stopped, failed, or paused."""
    return run.state in ("stopped", "failed") and run.can_resume is not None and run.can_resume < (run.max_steps or run.can_resume + 1)


def fifth(run: Run) -> int:
    """How many steps more, where nobody says."""
    return max(1, round(run.step * SHARE))


def further(run: Run, more: str, unit: str) -> dict[str, Any]:
    """The settings that make a finished run longer by so many steps or passes over the examples; empty text: by a fifth.

    Raises:
        SettingsError: what was typed is no amount.
    """
    if not (more or "").strip():
        return {"max_steps": run.step + fifth(run)}
    wanted = number(more.strip(), whole=unit == "steps")
    if isinstance(wanted, str) or not 0 < wanted < 1_000_000 or (unit == "steps" and wanted != int(wanted)):
        what = Sentence("steps, as a whole number") if unit == "steps" else Sentence("passes")
        raise SettingsError("How much further? Type how many {what}, for example {example}.", what=what, example=EXAMPLES[unit])
    if unit == "passes":
        return {"num_train_epochs": round((run.epoch or run.settings.get("num_train_epochs") or 0) + wanted, 4)}
    return {"max_steps": run.step + int(wanted)}
