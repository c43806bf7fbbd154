"""Taking up a run again: one that was stopped or broke off from its last checkpoint, one that has finished to go further than planned.

Changes the run's folder so that the line can start it once more. Knows neither the line nor owners.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playground.errors import Sentence, SettingsError, WrongState
from playground.training import checkpoints, damage, record
from playground.training.config import TrainingSettings, check
from playground.workspace import read_json, write_json

LENGTHS = ("max_steps", "num_train_epochs")
FELL_APART = "The loss of this run was no longer a number, and going on would lead there again. Train anew with a smaller learning rate."


def take_up(folder: Path, given: Mapping[str, Any], turn: float, state: str = "queued") -> None:
    """Put a finished run back into the state before its start, its last whole checkpoint being where it begins.

    Args:
        given: `max_steps` or `num_train_epochs`, where it should become longer or shorter.
        turn: when it is put in line, by which the line is ordered.
        state: `starting`, where whoever asks trains it without the line.

    Raises:
        WrongState: it is still at work, has nothing to go on from, fell apart, or is where it was to end.
        InputError: its rows are damaged.
        SettingsError: other settings, which cannot change on the way.
    """
    before = record.read(folder)
    if not before.finished:
        raise WrongState("This run is still at work. Stop it first, or wait for it.")
    now = record.status(folder)
    if now.get("diverged"):
        raise WrongState(FELL_APART)
    asked = record.config(folder)
    if not asked:
        raise WrongState(damage.LOST_ASKED, folder=folder)
    damage.check_rows(folder, asked)
    lengths = _lengths(given) or (record.stretch(asked) or {}).get("settings", {})
    settings = {**asked["settings"], **lengths}
    point = checkpoints.newest(folder / "checkpoints")
    if point is None:
        raise WrongState("Nothing was saved that this run could go on from. Train again from the start.")
    steps = _steps(before, asked, settings)
    if steps <= point[0]:
        raise WrongState(
            "This run has already made {step} steps, as many as it was to make. To go on, ask for more steps or more passes.", step=point[0]
        )
    _note(folder, point[0], lengths, {**asked, "settings": settings}, steps)
    for name in ("request.json", "manifest.json"):
        (folder / name).unlink(missing_ok=True)
    write_json(
        folder / "status.json",
        {
            **{
                key: value
                for key, value in now.items()
                if key not in ("pid", "pid_started", "boot", "launched", "at", "began", "max_steps")
            },
            "state": state,
            **({} if state == "queued" else {"launched": turn}),
            "queued_at": turn,
            "seconds_before": now.get("seconds", 0.0),
            "step": point[0],
            "error": None,
            "ended": None,
            "cancelled": False,
            "warnings": [],  # of how it ended then; the worker tells anew what still holds
        },
    )


def _note(folder: Path, point: int, lengths: Mapping[str, Any], asked: Mapping[str, Any], steps: int) -> None:
    """Into changes.json: how long it is to be now, and since which step, by which its curve can be had again (see `again`)."""
    path = folder / "changes.json"
    kept = {} if damage.unreadable(path) else read_json(path, {})
    extended = {min(one["step"], point): one for one in kept.get("extended", [])}  # later steps are learned anew
    if lengths:
        now = {name: asked["settings"][name] for name in LENGTHS}
        extended[point] = {"settings": now, "planned_steps": steps}
        kept = {**kept, "settings": {**kept.get("settings", {}), **lengths}, "planned_steps": steps}
    if extended:
        kept["extended"] = [{**one, "step": step} for step, one in extended.items()]
    if asked.get("stretches") and len(extended) >= len(asked["stretches"]):
        kept["stretches"] = []  # all that was to be made once more has been; what follows is this run's own
    if kept:
        write_json(path, kept)


def _lengths(given: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise SettingsError("The settings have to be given by name, for example max_steps: 200.")
    other = [str(name) for name in given if name not in LENGTHS]
    if other:
        raise SettingsError("A run that goes on can only become longer or shorter, by {known}; {other} cannot change on the way.",
                            known=Sentence("max_steps or num_train_epochs"), other=", ".join(other))  # fmt: skip
    chosen = {name: value for name, value in check(given).items() if value}
    if "num_train_epochs" in chosen and "max_steps" not in chosen:
        chosen["max_steps"] = None
    return chosen


def _steps(before: record.Run, asked: dict[str, Any], settings: dict[str, Any]) -> int:
    """Optimizer steps of the whole run; counted from those that it told of before, since the worker counts texts in parts."""
    if settings["max_steps"]:
        return int(settings["max_steps"])
    old = TrainingSettings(**asked["settings"])
    if old.max_steps or not before.max_steps:
        rows = asked.get("planned_packed") or asked.get("planned_examples") or asked["rows"]["train"]
        return TrainingSettings(**settings).planned_steps(rows)
    return max(1, round(before.max_steps * settings["num_train_epochs"] / old.num_train_epochs))
