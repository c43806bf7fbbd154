"""What is missing of a run's curve and of its answers along the way: points that it must have drawn, and that its files do not hold.

Both are on the disk before each checkpoint, so up to the newest one, or to the last step of a run that came to save what it learned then,
every step that was to be drawn has its point and every check its answers. A step that broke off may be told of and have none.
Reads files only; does not know how a run is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from playground.errors import Sentence
from playground.training import checkpoints, damage, samples
from playground.training.metrics import read_since

MOST_NAMED = 4  # stretches of steps that a sentence names
LOST_CURVE = "The record of this run's curve (metrics.jsonl) is damaged: what stood there of these steps is lost: {steps}."
LOST_ANSWERS = "The record of the answers along the way (samples.jsonl) is damaged: those after these steps are lost: {steps}."
LOST_QUESTIONS = "The record of what was asked along the way (samples.json) is damaged, so those answers can no longer be shown."
Stamp = tuple[int, int]


def warnings(folder: Path, asked: Mapping[str, Any], now: Mapping[str, Any]) -> list[Sentence]:
    """What is lost, in sentences, of a run that has ended."""
    last = _last(folder, now)
    end = max([last, *(step for step, _ in checkpoints.found(folder / "checkpoints"))])
    if not end:
        return []
    settings = asked.get("settings", {})
    files = [folder / name for name in ("metrics.jsonl", "samples.jsonl", "samples.json")]
    return list(_lost(folder, end, last, settings.get("logging_steps") or end, settings.get("eval_steps") or 0, *map(_stamp, files)))


def _last(folder: Path, now: Mapping[str, Any]) -> int:
    """The last step of a run that saved what it learned then, which is always drawn; 0 where it broke off, or was taken up since."""
    learned = damage.read_manifest(folder)
    told = learned.get("global_step") if learned is not None and not now.get("before") else None
    return told if isinstance(told, int) else 0


@lru_cache(maxsize=512)  # a list of runs is read again and again, and these files are long
def _lost(folder: Path, end: int, last: int, drawn_every: int, checked_every: int, *stamps: Stamp) -> tuple[Sentence, ...]:
    found = []
    points = {point["step"]: point for point in read_since(folder / "metrics.jsonl")}
    checks = [step for step, point in points.items() if point["eval_loss"] is not None]
    wanted = {*range(drawn_every, end + 1, drawn_every)}
    if last:
        wanted.add(last)
    if checks and checked_every:
        wanted.update(range(0, end + 1, checked_every))
    if missing := sorted(wanted - points.keys()):
        found.append(Sentence(LOST_CURVE, steps=_stretches(missing, wanted | points.keys())))
    questions, answered = samples.questions(folder), {one["step"] for one in samples.read(folder)["steps"]}
    if questions is None:
        found.append(Sentence(LOST_QUESTIONS))
    if questions or answered:
        due = [step for step in sorted(checks)[: samples.MOST_CHECKS] if step <= end]
        if missing := [step for step in due if step not in answered]:
            found.append(Sentence(LOST_ANSWERS, steps=_stretches(missing, due)))
    return tuple(found)


def _stretches(missing: Iterable[int], all_steps: Iterable[int]) -> str:
    """`3, 7–9, 20`: steps that follow each other among `all_steps` are one stretch."""
    place = {step: number for number, step in enumerate(sorted(all_steps))}
    steps = list(missing)
    breaks = [number for number, (a, b) in enumerate(pairwise(steps), 1) if place[b] > place[a] + 1]
    parts = [steps[a:b] for a, b in pairwise([0, *breaks, len(steps)])]
    named = [f"{part[0]}–{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts[:MOST_NAMED]]
    return ", ".join([*named, *(["…"] if len(parts) > MOST_NAMED else [])])


def _stamp(path: Path) -> Stamp:
    """By which a file that has changed is known; (0, 0) where there is none."""
    try:
        now = path.stat()
    except OSError:
        return (0, 0)
    return now.st_mtime_ns, now.st_size
