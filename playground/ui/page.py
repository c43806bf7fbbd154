"""What every tab shares: the services, the words, who is asking, and the dataset and run that are chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.demonstration import Demonstration
from playground.services import Services
from playground.ui.i18n import Texts


@dataclass(frozen=True)
class Page:
    """Made by `ui/app.py` before the tabs. `handler` wraps functions `fn(visitor, *inputs)`; events take `owner` first."""

    services: Services
    demonstration: Demonstration
    texts: Texts
    handler: Callable[..., Callable[..., Any]]
    owner: gr.BrowserState
    dataset_id: gr.State
    run_id: gr.State
    model: gr.State  # the model that is chosen for the next run
    timer: gr.Timer  # ticks while a run is under way; it stands outside the tabs, where it works whichever is shown
    slow: gr.Timer  # ticks always, for what another page began

    def label(self, key: str) -> Any:
        return self.texts.label(key)

    def say_in(self, language: str) -> Callable[..., str]:
        """`say(key, **values)` in one visitor's language."""
        return lambda key, **values: self.texts.say(key, language, **values)

    def translate_in(self, language: str) -> Callable[[str], str]:
        """`translate(sentence)` of what a service said, in one visitor's language."""
        return lambda sentence: self.texts.sentence(sentence, language)
