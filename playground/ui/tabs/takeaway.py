"""A run's settings and examples as one file to take away. A part of the Train tab."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from playground.services import Services
from playground.ui.errors import Visitor
from playground.ui.page import Page

NAME_CHARACTERS = 60


@dataclass(frozen=True)
class Takeaway:
    button: gr.Button


def build(page: Page) -> Takeaway:
    """The button; the file follows by itself."""
    button = gr.Button(page.label("train.takeaway"), size="sm", variant="secondary", scale=1, min_width=150, elem_id="take-run")
    ready = gr.DownloadButton(elem_id="ready-run", elem_classes="unseen")

    def make(visitor: Visitor, run_id: str | None) -> Any:
        if not run_id:
            return gr.skip()
        return str(packed(page.services, visitor.owner, run_id, ready.GRADIO_CACHE))

    made = button.click(page.handler(make), [page.owner, page.run_id], ready, api_visibility="private", show_progress="minimal")
    made.success(None, js="() => document.querySelector('#ready-run, #ready-run a, #ready-run button').click()")
    return Takeaway(button)


def packed(services: Services, owner: str, run_id: str, cache: str) -> Path:
    """The archive, in Gradio's own folder, which it may serve from and clears by itself; the workspace is closed to it."""
    name = re.sub(r"[^\w-]+", "-", services.runs.get(owner, run_id).name).strip("-")[:NAME_CHARACTERS] or "run"
    folder = Path(cache) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return services.runs.packed(owner, run_id, folder / f"{name}.zip")
