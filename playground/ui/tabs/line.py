"""A run that waits in line: it can be let wait before or behind one's other waiting runs. A part of the Train tab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.training.record import Run
from playground.ui.errors import Visitor
from playground.ui.page import Page


@dataclass(frozen=True)
class Line:
    earlier: gr.Button
    later: gr.Button
    outputs: list[Any]
    update: Callable[[Run | None, Sequence[Run]], list[Any]]
    move: Callable[[int], Callable[..., None]]  # (+1 or -1) -> handler(visitor, run_id)


def build(page: Page) -> Line:
    services, label = page.services, page.label
    earlier = gr.Button(label("line.earlier"), visible=False, scale=0, min_width=130, elem_id="earlier-button")
    later = gr.Button(label("line.later"), visible=False, scale=0, min_width=130, elem_id="later-button")

    def update(run: Run | None, mine: Sequence[Run]) -> list[Any]:
        ids = waiting(mine)
        shown = run is not None and run.run_id in ids and len(ids) > 1
        place = ids.index(run.run_id) if run is not None and shown else 0
        return [
            gr.update(visible=shown, interactive=place > 0),
            gr.update(visible=shown, interactive=place < len(ids) - 1),
        ]

    def move(by: int) -> Callable[..., None]:
        def send(visitor: Visitor, run_id: str | None) -> None:
            ids = waiting(services.runs.list(visitor.owner))
            if run_id in ids:
                services.runs.move(visitor.owner, run_id, max(1, ids.index(run_id) + 1 + by))

        return send

    return Line(earlier, later, [earlier, later], update, move)


def waiting(runs: Sequence[Run]) -> list[str]:
    """The ids of those that wait, the next to start first."""
    line = [run for run in runs if run.state == "queued"]
    return [run.run_id for run in sorted(line, key=lambda run: run.place_in_line or 0)]
