"""How answers are made: the folded settings of the Chat tab. Asks nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.ui.page import Page
from playground.ui.tabs import search_steps

NAMES = ("max_new_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed", "stop", "system", "use_template")


@dataclass(frozen=True)
class Answering:
    """The fields, in the order of `NAMES`; after them those of a search through documents."""

    fields: list[Any]

    def read(self, *values: Any) -> dict[str, Any]:
        """The settings of `/compare` that the fields hold; an empty field leaves its default."""
        found = dict(zip(NAMES, values[: len(NAMES)], strict=True)) | search_steps.chosen(*values[len(NAMES) :]).settings()
        stops = [line for line in (found.pop("stop") or "").split("\n") if line]
        system = found.pop("system")
        return {**found, **({"stop": stops} if stops else {}), **({"system": system} if system and system.strip() else {})}


def build(page: Page) -> Answering:
    label = page.label
    with gr.Accordion(label("chat.settings"), open=False, elem_id="chat-settings"):
        with gr.Row():
            max_new_tokens = gr.Slider(1, 512, 96, step=1, label=label("chat.max_new_tokens"))
            temperature = gr.Slider(0, 2, 0, step=0.1, label=label("chat.temperature"), info=label("chat.temperature_info"))
            top_p = gr.Slider(0.05, 1, 1, step=0.05, label=label("chat.top_p"), info=label("chat.top_p_info"))
            top_k = gr.Slider(0, 200, 0, step=1, label=label("chat.top_k"), info=label("chat.top_k_info"))
            penalty = gr.Slider(1, 2, 1, step=0.05, label=label("chat.repetition_penalty"), info=label("chat.repetition_penalty_info"))
            seed = gr.Number(42, precision=0, label=label("chat.seed"), info=label("chat.seed_info"))
        with gr.Row():
            stop = gr.Textbox(label=label("chat.stop_texts"), info=label("chat.stop_texts_info"), lines=1, max_lines=4)
            system = gr.Textbox(label=label("chat.system"), info=label("chat.system_info"), lines=1, max_lines=6, elem_id="chat-system")
            use_template = gr.Checkbox(True, label=label("chat.use_template"), info=label("chat.use_template_info"))
        gr.Markdown(label("chat.search"), elem_classes="hint")
        mode = search_steps.mode(page, "chat-mode")
        steps = search_steps.build(page, "chat", mode)
    told = [max_new_tokens, temperature, top_p, top_k, penalty, seed, stop, system, use_template]
    return Answering([*told, mode, *steps.fields])
