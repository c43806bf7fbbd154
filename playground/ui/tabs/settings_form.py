"""The folded form of all training settings: every field may stay empty, which means "chosen for you".

Each has a hint that says what it does and what it costs. Does not judge what was typed: the check of the settings does.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

import gradio as gr

from playground.training.config import ALL_LINEAR, FROM_WEIGHTS, METHODS, OPTIMIZERS, SAMPLING, SCHEDULERS, TRACKERS, WHOLE
from playground.ui.page import Page

# title -> what belongs together, in the order in which people ask for it
GROUPS: dict[str, tuple[str, ...]] = {
    "length": ("num_train_epochs", "max_steps", "early_stopping_patience", "seed"),
    "learning": ("method", "learning_rate", "lr_scheduler_type", "warmup_steps", "optim", "weight_decay", "max_grad_norm"),
    "adapter": ("lora_r", "lora_alpha", "lora_dropout", "target_modules", "use_dora", "use_rslora", "init_lora_weights"),
    "memory": (
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "num_processes",
        "max_length",
        "gradient_checkpointing",
        "packing",
        "train_sampling_strategy",
    ),
    "checks": ("eval_steps", "save_steps", "logging_steps", "load_best_model_at_end", "report_to"),
    "watch": ("sample_prompts",),
}
NAMES = tuple(name for group in GROUPS.values() for name in group)
CHOICES = {
    "method": METHODS,
    "lr_scheduler_type": SCHEDULERS,
    "optim": OPTIMIZERS,
    "init_lora_weights": ("true", "gaussian", "orthogonal", *FROM_WEIGHTS),
    "train_sampling_strategy": SAMPLING,
    "report_to": TRACKERS,
}
SWITCHES = ("use_dora", "use_rslora", "gradient_checkpointing", "packing", "load_best_model_at_end")
TEXTS = ("target_modules", "sample_prompts")
NUMBERS = tuple(name for name in NAMES if name not in (*CHOICES, *SWITCHES, *TEXTS))


def build(page: Page) -> list[Any]:
    """The fields, in the order of `NAMES`. Labels are the names that TRL, PEFT and Transformers use."""
    fields: list[Any] = []
    for title, names in GROUPS.items():
        gr.Markdown(page.label(f"form.{title}"), elem_classes="form-title")
        with gr.Row(elem_classes="settings-form"):
            fields += [_field(page, name) for name in names]
    return fields


def _field(page: Page, name: str) -> Any:
    common: dict[str, Any] = {"label": name, "info": page.label(f"setting.{name}"), "min_width": 240, "elem_id": f"setting-{name}"}
    if name in CHOICES:
        return gr.Dropdown([("–", ""), *((choice, choice) for choice in CHOICES[name])], value="", **common)
    if name in SWITCHES:
        return gr.Dropdown([("–", ""), (page.label("form.yes"), "true"), (page.label("form.no"), "false")], value="", **common)
    if name == "sample_prompts":
        return gr.Textbox("", lines=3, max_lines=8, placeholder=page.label("form.questions"), **common)
    return gr.Textbox("", max_lines=1, **common)  # numbers too: a number field cannot stay empty


def collect(values: tuple[Any, ...]) -> dict[str, Any]:
    """Run settings from the fields' values, without those left empty. What should be a number and is none is kept for the check to tell."""
    given = {name: value.strip() for name, value in zip(NAMES, values, strict=True) if value and value.strip()}
    return {name: _read(name, text) for name, text in given.items()}


def _read(name: str, text: str) -> Any:
    if name in NUMBERS:
        return number(text, whole=name in WHOLE or name == "warmup_steps")  # of which less than one is a share of the run
    if name in SWITCHES or (name == "init_lora_weights" and text == "true"):
        return text == "true"
    if name == "sample_prompts":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if name == "target_modules":
        named = [one.strip() for one in text.split(",") if one.strip()] or text
        return ALL_LINEAR if text.lower() == ALL_LINEAR else named
    return text


def number(text: str, *, whole: bool) -> int | float | str:
    """`10`, `1e-3` and `0,05` as numbers, `1,000` as a thousand where only whole numbers make sense; anything else as it is."""
    if whole and re.fullmatch(r"[1-9]\d{0,2}([.,\s])\d{3}(\1\d{3})*", text):
        text = re.sub(r"\D", "", text)
    for read in (int, float):
        with contextlib.suppress(ValueError):
            return read(text.replace(",", "."))
    return text
