"""The folded form of all training settings: every field may stay empty, which means "chosen for you"."""

from __future__ import annotations

import re
from typing import Any

import gradio as gr

from playground.training.config import METHODS, OPTIMIZERS, SCHEDULERS, WHOLE
from playground.ui.page import Page

NUMBERS = (
    "learning_rate",
    "num_train_epochs",
    "max_steps",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "max_length",
    "warmup_steps",
    "weight_decay",
    "max_grad_norm",
    "lora_r",
    "lora_alpha",
    "lora_dropout",
    "eval_steps",
    "seed",
)
CHOICES = {"method": METHODS, "lr_scheduler_type": SCHEDULERS, "optim": OPTIMIZERS}
NAMES = (*CHOICES, *NUMBERS, "target_modules")


def build(page: Page) -> list[Any]:
    """The fields, in the order of `NAMES`. Labels are the names that TRL, PEFT and Transformers use; hints say what each costs."""
    fields: list[Any] = []
    with gr.Row(elem_classes="settings-form"):
        for name in NAMES:
            common: dict[str, Any] = {"label": name, "info": page.label(f"setting.{name}"), "min_width": 240, "elem_id": f"setting-{name}"}
            if name in CHOICES:
                fields.append(gr.Dropdown([("–", ""), *((c, c) for c in CHOICES[name])], value="", **common))
            else:  # numbers too: a number field cannot stay empty
                fields.append(gr.Textbox("", max_lines=1, **common))
    return fields


def collect(values: tuple[Any, ...]) -> dict[str, Any]:
    """Run settings from the fields' values, without those left empty. What should be a number and is none is kept for the check to tell."""
    given = {name: value.strip() for name, value in zip(NAMES, values, strict=True) if value and value.strip()}
    settings: dict[str, Any] = {name: number(value, whole=name in WHOLE) if name in NUMBERS else value for name, value in given.items()}
    targets = settings.get("target_modules")
    if targets and targets.strip() != "all-linear":
        settings["target_modules"] = [name.strip() for name in targets.split(",") if name.strip()]
    return settings


def number(text: str, *, whole: bool) -> int | float | str:
    """`10`, `1e-3` and `0,05` as numbers, `1,000` as a thousand where only whole numbers make sense; anything else as it is."""
    if whole and re.fullmatch(r"\d{1,3}([., ]\d{3})+", text):
        return int(re.sub(r"\D", "", text))
    for read in (int, float):
        try:
            return read(text.replace(",", "."))
        except ValueError:
            continue
    return text
