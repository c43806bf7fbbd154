"""Taking up a run again: one that was stopped or broke off from its last checkpoint, one that has finished to go further than planned.

Changes the run's folder so that the line can start it once more, and takes that back. What a finished run has learned stays as it is until
something new takes its place; until then its status holds how the run was:

    before      when it was taken up last: what Stop leads back to while nothing has been learned since
    finished    when what lies there was learned: what Cancel leads back to

Knows neither the line nor owners.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from playground.errors import Sentence, SettingsError, WrongState, pack
from playground.system import moment
from playground.training import checkpoints, damage, ending, record
from playground.training.config import TrainingSettings, check
from playground.workspace import file_hash, read_json, write_json

KEPT = ("before", "finished")
LINES = ("metrics.jsonl", "samples.jsonl")
MOST_HALVED = 2  # times that a run goes on by itself with fewer examples at a time
RAN_OUT = "The machine ran out of memory with {before} examples at a time."
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
        InputError: its rows, or what it began with, are damaged.
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
    damage.check_start(folder, asked)
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
    was = _as_it_is(folder, now, point[0])
    _note(folder, point[0], lengths, {**asked, "settings": settings}, steps)
    (folder / "request.json").unlink(missing_ok=True)
    finished = now.get("finished") or (was if was["manifest"] else None)
    own = {} if state == "queued" else {"state": state, "launched": turn, "at": moment()}
    _queue(folder, now, step=point[0], queued_at=turn, before=was, finished=finished, halved=0, **own)


def rescue(folder: Path, why: Sentence | None) -> bool:
    """Put a run in line that has no worker, so that one makes its result of the best that was saved; `why` will be told with it.

    Where nothing was saved since it was taken up, it is what it was before. False where it was not taken up either, or this was tried.
    """
    now = record.status(folder)
    if now.get("rescue"):
        return False
    if not saved_since(folder):
        return fall_back(folder)
    (folder / "request.json").unlink(missing_ok=True)
    _queue(folder, now, rescue={"why": pack(why) if why else None}, max_steps=now.get("max_steps"))
    return True


def saved_since(folder: Path) -> bool:
    """Whether there are checkpoints that are newer than when the run was taken up."""
    saved, was = checkpoints.found(folder / "checkpoints"), record.status(folder).get("before")
    return bool(saved) and (not was or saved[0][0] > was["checkpoint"])


def with_less(folder: Path) -> bool:
    """Put a run back in line whose worker the kernel ended for want of memory: from its last checkpoint, with fewer examples at a time.

    False where one example at a time was too much, and where that was tried often enough since the person asked for the run.
    """
    asked, now = record.config(folder), record.status(folder)
    settings, halved = asked["settings"], now.get("halved", 0)
    size = settings["per_device_train_batch_size"]
    if size == 1 or halved >= MOST_HALVED:
        return False
    less = ending.fewer(size, settings["gradient_accumulation_steps"])
    step = now.get("step", 0)
    ran_out = {"step": step, "before": (asked.get("ran_out") or {}).get("before", size)}
    why = pack(Sentence(RAN_OUT, before=ran_out["before"]))
    kept = {} if damage.unreadable(folder / "changes.json") else read_json(folder / "changes.json", {})
    changes = {
        "settings": {**kept.get("settings", {}), **less},
        "ran_out": ran_out,
        "reasons": asked.get("reasons", {}) | dict.fromkeys(less, why),
    }
    write_json(folder / "changes.json", {**kept, **changes})
    point = checkpoints.newest(folder / "checkpoints")
    warnings = [pack(ending.smaller(step, less["per_device_train_batch_size"], ran_out["before"]))]
    _queue(folder, now, step=point[0] if point else 0, halved=halved + 1, warnings=warnings)
    return True


def _queue(folder: Path, now: Mapping[str, Any], **changed: Any) -> None:
    kept = {key: value for key, value in now.items() if key not in ("pid", "pid_started", "boot", "launched", "at", "began", "max_steps")}
    fresh = {
        "state": "queued",
        "seconds_before": now.get("seconds", 0.0),
        "error": None,
        "ended": None,
        "cancelled": False,
        "warnings": [],  # of how it ended then; the worker tells anew what still holds
    }
    write_json(folder / "status.json", {**kept, **fresh, **changed})


def fall_back(folder: Path) -> bool:
    """Make of a run that was taken up again, and has learned nothing since, what it was before; False where it was not taken up."""
    was = record.status(folder).get("before")
    return _fall_back(folder, was) if was else False


def fall_back_to_end(folder: Path, warnings: Sequence[Sentence] = ()) -> bool:
    """Make of a run that goes on after its end what it was at its end; False where it has not ended before."""
    was = record.status(folder).get("finished")
    if not was:
        return False
    checkpoints.forget_after(folder / "checkpoints", was["checkpoint"])
    return _fall_back(folder, was, warnings)


def replaced(folder: Path, now: Mapping[str, Any]) -> bool:
    """Whether what lies there was learned since the run, whose status is `now`, was taken up again."""
    was = now.get("before")
    return not was or _hash(folder / "manifest.json") != was["manifest"]


def _as_it_is(folder: Path, now: Mapping[str, Any], checkpoint: int) -> dict[str, Any]:
    """All that taking up changes."""
    changes = None if damage.unreadable(folder / "changes.json") else read_json(folder / "changes.json")
    status = {key: value for key, value in now.items() if key not in KEPT}
    # These are only ever added to, also by a worker that takes back what they say of the steps after its checkpoint.
    sizes = {name: (folder / name).stat().st_size for name in LINES if (folder / name).exists()}
    manifest = _hash(folder / "manifest.json")
    return {"status": status, "changes": changes, "manifest": manifest, "checkpoint": checkpoint, "sizes": sizes}


def _fall_back(folder: Path, was: Mapping[str, Any], warnings: Sequence[Sentence] = ()) -> bool:
    now, old = record.status(folder), was["status"]
    if was["changes"] is None:
        (folder / "changes.json").unlink(missing_ok=True)
    else:
        write_json(folder / "changes.json", was["changes"])
    for name, size in was.get("sizes", {}).items():
        if (folder / name).exists() and (folder / name).stat().st_size > size:
            os.truncate(folder / name, size)
    process = {key: now[key] for key in ("pid", "pid_started", "boot") if key in now}  # a worker may take a moment to end
    finished = {"finished": now["finished"]} if now.get("finished") not in (None, was) else {}
    told = [*old.get("warnings", []), *map(pack, warnings)]
    (folder / ".reserve").unlink(missing_ok=True)
    write_json(folder / "status.json", {**old, **process, **finished, "warnings": told})
    (folder / "request.json").unlink(missing_ok=True)
    return True


def _hash(path: Path) -> str | None:
    return file_hash(path) if path.exists() else None


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
