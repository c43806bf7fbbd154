"""What a new run begins with: nothing learned, or what an earlier run of the same model learned. A part of the Train tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.training.record import Run
from playground.ui.errors import Visitor
from playground.ui.formatting import when
from playground.ui.page import Page


@dataclass(frozen=True)
class Beginning:
    page: Page
    choice: gr.Dropdown

    def wire(self, tab: gr.Tab, changed: gr.State) -> None:
        """`changed` changes whenever a run does."""
        page = self.page

        def offer(visitor: Visitor, wanted: str | None, earlier: str | None) -> Any:
            """A choice that stays possible stays."""
            found = [one for one in page.services.runs.list(visitor.owner) if can_begin(one, wanted)]
            choices = [
                (page.texts.say("begin.new", visitor.language), ""),
                *((f"{one.name} · {when(one.created)}", one.run_id) for one in found),
            ]
            return gr.update(choices=choices, value=earlier if earlier in [one.run_id for one in found] else "", interactive=bool(found))

        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
        gr.on(
            [tab.select, page.model.change, changed.change],
            page.handler(offer),
            [page.owner, page.model, self.choice],
            self.choice,
            trigger_mode="always_last",
            **quiet,
        )


def can_begin(run: Run, model: str | None) -> bool:
    """Whether a new run of `model` can go on from what `run` learned."""
    return run.finished and run.has_adapter and run.model == model and run.method != "full"


def build(page: Page) -> Beginning:
    choice = gr.Dropdown([("–", "")], value="", label=page.label("begin.choice"), info=page.label("begin.info"), elem_id="begin-with")
    return Beginning(page, choice)
