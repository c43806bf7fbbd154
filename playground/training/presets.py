"""The three lengths of a run as far as they suit a dataset. Knows no models and no files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from playground.training.config import PRESETS
from playground.training.plan import Parts, Plan

Planner = Callable[[Parts, Mapping[str, Any]], Plan]


def filled(name: str | None, given: Mapping[str, Any], splits: Parts, plan: Planner) -> dict[str, Any]:
    """The given settings, and for the rest those of a preset: no early stopping without checks, and never longer than without."""
    if not isinstance(given, Mapping):
        return given  # for the check of settings to refuse
    if not name:
        return dict(given)
    given = {key: value for key, value in given.items() if value is not None}  # as the check of settings counts them
    values = {key: value for key, value in PRESETS[name].items() if key not in given}
    if not splits.validation or given.get("eval_steps") == 0:
        values.pop("early_stopping_patience", None)
    if "max_steps" in values:
        values["max_steps"] = min(values["max_steps"], plan(splits, given).steps)
    if "num_train_epochs" in given:
        values.pop("max_steps", None)
    return {**values, **given}
