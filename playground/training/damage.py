"""What to make of a run's folder in which a file is damaged: cut off by a power cut, or overwritten by something else.

A guess that looks like the truth would be the worst, so whatever is lost is said in a sentence, nothing that could be used is thrown away,
and no run begins to train because its record cannot be read. Reads files only; does not know how a run is started or shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playground.errors import InputError, Sentence, pack
from playground.system import held
from playground.workspace import read_json

STATES = ("queued", "starting", "running", "stopping", "stopped", "done", "failed")
TAIL_BYTES = 64 * 1024
CHUNK = 1024**2
LOST_RECORD = (
    "The record of where this run stood (status.json) is damaged. What it had saved by then is still there: press Resume, or train again."
)
LOST_RECORD_OF_DONE = "The record of this run (status.json) is damaged; what is shown of it was saved with what it has learned."
LOST_ASKED = (
    "The record of what this run was to learn (config.json) is damaged, so it can be neither used nor resumed. What it has learned lies in "
    "{folder}, in the folder whose name begins with adapter, and can be brought in from there. Delete the run when you need it no more."
)
LOST_CHANGED = (
    "The record of how this run was changed when it was resumed (changes.json) is damaged; shown are the settings of its first start."
)
LOST_LEARNED = (
    "The record that vouches for what this run has learned (manifest.json) is damaged, so it is not used. "
    "Resume the run for a few more steps, or train again."
)
LOST_ROWS = (
    "This run's own copy of its rows ({file}) is damaged, so it cannot go on learning. What it has saved stays; to train on, "
    "start a new run from the dataset."
)
LOST_START = (
    "This run's own copy of what the earlier run had learned (start) is damaged, so it cannot go on learning. What it has saved stays; to "
    "train on, start a new run that begins with the earlier one."
)


def lost_status(folder: Path) -> dict[str, Any]:
    """What can still be said of a run whose status cannot be read: never that it waits to be started, unless it has only just been made."""
    if held(folder / "worker.lock"):
        return {"state": "running"}  # it writes its next status in a moment
    learned = read_manifest(folder)
    if learned is not None:
        known = {key: learned[key] for key in ("step", "loss", "eval_loss", "best_eval_loss", "best_step") if learned.get(key) is not None}
        seconds = learned.get("loop_seconds") or 0.0
        return {**known, "state": learned.get("state", "done"), "seconds": seconds, "warnings": [pack(Sentence(LOST_RECORD_OF_DONE))]}
    if not (folder / "status.json").exists() and not (folder / "metrics.jsonl").exists():
        return {"state": "queued"}
    known = {}
    for point in _points(folder / "metrics.jsonl"):
        if "step" in point:
            known = {"step": point["step"], "seconds": point.get("time") or 0.0}
            break
    return {**known, "state": "failed", "error": pack(Sentence(LOST_RECORD))}


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """What vouches for that which a run has learned; None where it is not there or not whole."""
    found = read_json(folder / "manifest.json")
    learned = found.get("adapter") if isinstance(found, dict) else None
    return found if isinstance(learned, dict) and isinstance(learned.get("sha256"), str) else None


def unreadable(path: Path) -> bool:
    """Whether there is a file that should hold JSON and does not."""
    return path.exists() and not isinstance(read_json(path), dict)


def warnings(folder: Path, now: Mapping[str, Any]) -> list[Sentence]:
    """What is lost of a run that has ended, besides its status, its curve and its answers."""
    found = []
    if unreadable(folder / "changes.json"):
        found.append(Sentence(LOST_CHANGED))
    if (folder / "manifest.json").exists() and read_manifest(folder) is None:
        found.append(Sentence(LOST_LEARNED))
    return found


def check_rows(folder: Path, asked: Mapping[str, Any]) -> None:
    """Raise unless the rows that the run learns from, and is asked, are as many as were copied into its folder.

    Raises:
        InputError: some are missing, or something else has been written there.
    """
    own = asked.get("settings", {}).get("sample_prompts") or ()
    for part, rows in {**asked["rows"], "prompts": len(own)}.items():
        path = folder / "data" / f"{part}.jsonl"
        if part != "test" and rows and _lines(path) != rows:
            raise InputError(LOST_ROWS, file=path.name)


def check_start(folder: Path, asked: Mapping[str, Any]) -> None:
    """Raise where the run goes on from an earlier one's adapter and its copy of that is not whole.

    Raises:
        InputError: it is cut off, gone, or something else has been written there.
    """
    if asked.get("start_from") and not whole_adapter(folder / "start"):
        raise InputError(LOST_START)


def whole_adapter(folder: Path) -> bool:
    """Whether an adapter's configuration and weights can be read: sizes and headers, not every number."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(folder / "adapter_model.safetensors"), framework="np"):
            return isinstance(read_json(folder / "adapter_config.json"), dict)
    except (OSError, SafetensorError):
        return False


def _lines(path: Path) -> int:
    """Lines of a file, all of which are ended; -1 where the last one is not, or nothing is there."""
    count, last = 0, b"\n"
    try:
        with path.open("rb") as file:
            while piece := file.read(CHUNK):
                count, last = count + piece.count(b"\n"), piece[-1:]
    except OSError:
        return -1
    return count if last == b"\n" else -1


def _points(path: Path) -> list[dict[str, Any]]:
    """The last lines of a curve that can be read, the last one first."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            lines = file.read().splitlines(keepends=True)
    except OSError:
        return []
    found = []
    for line in reversed(lines):
        try:
            point = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            continue
        if isinstance(point, dict):
            found.append(point)
    return found
