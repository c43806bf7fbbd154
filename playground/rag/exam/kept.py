"""The threshold that a person has kept for a collection, beside its manifest.

    collections/<id>/threshold.json

Confidences depend on the embedder, so a threshold counts only with the weights it was found with; with others, the playground's own does.
Does not know how one is found.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playground.errors import SettingsError
from playground.rag.evidence import ENOUGH
from playground.workspace import read_json, write_json

FILE = "threshold.json"
NO_THRESHOLD = "The threshold is a number from 0 to 1."


@dataclass(frozen=True)
class Threshold:
    """`value` is 0 to 1; `own` whether it was kept for this collection; `about` what was known when it was."""

    value: float
    own: bool = False
    about: dict[str, Any] = field(default_factory=dict)


def checked(value: Any) -> float:
    """A threshold as a person or a program gave it.

    Raises:
        SettingsError: it is not a number from 0 to 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise SettingsError(NO_THRESHOLD)
    return float(value)


def typed(text: str) -> float | None:
    """A threshold as a person writes it, with a point or a comma; None where nothing is written.

    Raises:
        SettingsError: as `checked`.
    """
    if not (text or "").strip():
        return None
    try:
        return checked(float(text.strip().replace(",", ".")))
    except ValueError as error:
        raise SettingsError(NO_THRESHOLD) from error


def threshold_of(folder: Path) -> Threshold:
    """The threshold that counts for a collection's folder."""
    told = read_json(folder / FILE, {})
    try:
        value = checked(told["threshold"])
        same = told["embedder"] == _fingerprint(folder)
    except (KeyError, TypeError, SettingsError):  # none, or one that is damaged
        return Threshold(ENOUGH)
    return Threshold(value, True, dict(told.get("about") or {})) if same else Threshold(ENOUGH)


def keep(folder: Path, value: float | None, about: dict[str, Any]) -> Threshold:
    """Keep a threshold, or with None let the kept one go."""
    if value is None:
        (folder / FILE).unlink(missing_ok=True)
    else:
        about = {**about, "kept": time.time()}
        write_json(folder / FILE, {"threshold": checked(value), "embedder": _fingerprint(folder), "about": about})
    return threshold_of(folder)


def _fingerprint(folder: Path) -> str | None:
    """Of the embedder that made the collection's vectors; None before there are any."""
    told = read_json(folder / "embedder.json", {})
    return told.get("fingerprint") if isinstance(told, dict) else None
