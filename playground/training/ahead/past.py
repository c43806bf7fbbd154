"""What finished runs on this machine have shown: how much longer their steps took than the formulas say.

Reads the folders of runs, of all owners: nothing but speeds leaves here. Does not know how an estimate is made of it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from playground.training import record
from playground.training.ahead import needs
from playground.training.ahead.lengths import Batches
from playground.training.ahead.needs import Work
from playground.training.config import TrainingSettings
from playground.workspace import Workspace

LOOKED, MOST = 30, 3  # runs that are looked at, and comparable ones that count
FEWEST_STEPS = 10
SLOWEST, FASTEST = 2.5, 0.4
FRESH = 20.0  # seconds for which the folders are not read again
SAME = ("method", "use_dora", "gradient_checkpointing", "packing")


class Past:
    """The finished runs of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._read: tuple[float, list[tuple[dict[str, Any], dict[str, Any]]]] = (0.0, [])

    def factor(self, model: str, work: Work, pace: float) -> tuple[float, int]:
        """(real seconds of a step over what the formulas say of it on this machine, how many runs told it); (1.0, 0) where none did."""
        found = [
            ratio
            for asked, now in self._finished()
            if asked.get("model", {}).get("id") == model and (ratio := _ratio(asked["settings"], now, work, pace))
        ][:MOST]
        return (min(SLOWEST, max(FASTEST, median(found))), len(found)) if found else (1.0, 0)

    def _finished(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        at, found = self._read
        if time.monotonic() - at > FRESH or not at:
            folders = self._workspace.list("runs")[:LOOKED]
            read = [(folder, record.status(folder)) for folder in folders]
            found = [(record.config(folder), now | _steps(folder, now)) for folder, now in read if now["state"] == "done"]
            self._read = (time.monotonic(), found)
        return found


def _steps(folder: Path, now: dict[str, Any]) -> dict[str, Any]:
    """Tokens that the run has read, from the last lines of its curve."""
    from playground.training.metrics import read_since

    points = read_since(folder / "metrics.jsonl", 0)
    return {"tokens": next((point["tokens"] for point in reversed(points) if point.get("tokens")), 0)}


def _ratio(settings: dict[str, Any], now: dict[str, Any], work: Work, pace: float) -> float | None:
    """For a run with the same kind of step: its seconds a step over the formula's, for batches of its own size."""
    if any(settings.get(name) != getattr(work.settings, name) for name in SAME):
        return None
    speed, tokens, steps = now.get("tokens_per_second"), now.get("tokens", 0), now.get("step", 0)
    if not speed or not tokens or steps < FEWEST_STEPS:
        return None
    try:
        theirs = TrainingSettings(**settings)
    except TypeError:  # a run of before, with other settings
        return None
    read = tokens / steps / theirs.gradient_accumulation_steps / theirs.num_processes
    share = read / max(1.0, work.batches.read)
    held = work.batches
    scaled = Batches(
        read, held.learned * share, held.squares * share, held.long_squares * share, round(read), round(held.most_learned * share)
    )
    formula = needs.seconds(replace(work, settings=theirs, batches=scaled)).step * pace
    return tokens / steps / speed / formula if formula else None
