"""What a run will need before it begins: memory, time, disk and parameters, whether they fit, and what to change where they do not.

From formulas (`needs`), corrected by what runs on this machine have shown (`past`), and by a rehearsal where there was one. Pure
arithmetic; does not know files or owners, and starts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from playground.errors import Sentence
from playground.training.ahead import needs
from playground.training.ahead.anatomy import Anatomy, counts
from playground.training.ahead.lengths import Lengths, batches, worst
from playground.training.ahead.needs import MB, Work
from playground.training.ahead.speed import Machine
from playground.training.circumstances import unpadded
from playground.training.config import TrainingSettings
from playground.training.defaults import check_rows

TIGHT = 0.8  # share of what is there from which on it is tight
HELPS = 0.93  # a change that leaves more than that share of the need is not worth a sentence
ADVICE = 3
STEPS, USUAL_STEPS = 3, 5  # of a rehearsal, on the longest rows and on a fair sample; the latter twice
Fits = Literal["fits", "tight", "does not fit"]
ORDER: tuple[Fits, ...] = ("fits", "tight", "does not fit")
FEW = (1024, 512, 256, 128)


@dataclass(frozen=True)
class Planned:
    """A run as planned: its settings, the model's make, the measured examples, and how much there is of each.

    `packed`: how many rows the trainer makes of the `rows`, where it packs them. `about`: the number of steps is itself an estimate.
    `guessed`: the model's files are not here, so its make is a guess.
    """

    settings: TrainingSettings
    model: Anatomy
    lengths: Lengths
    validation: Lengths
    steps: int
    rows: int
    validation_rows: int
    data_bytes: int
    parted: bool = False
    packed: int | None = None
    about: bool = False
    guessed: bool = False


@dataclass(frozen=True)
class Room:
    """What is free: memory and disk in MB of 1024² bytes; `gpu`: the memory is a card's."""

    memory_mb: int
    disk_mb: int
    gpu: bool = False


@dataclass(frozen=True)
class Measured:
    """What a rehearsal saw: peak of memory in MB, seconds of a step on the longest rows and of the rest; None where it was not tried.

    `usual_seconds`: of a step on a fair sample of the rows, which need not be there where rows are few or packed.
    `error`: why it broke off, and nothing else is told then; only where `memory_ran_out` does it say anything of the run.
    """

    memory_mb: int = 0
    step_seconds: float = 0.0
    usual_seconds: float | None = None
    tokens_per_second: float = 0.0
    start_seconds: float = 0.0
    answer_seconds: float | None = None
    check_seconds: float | None = None
    check_tokens: int = 0
    save_seconds: float | None = None
    error: Sentence | None = None
    memory_ran_out: bool = False


@dataclass(frozen=True)
class Estimate:
    """Sizes in MB of 1024² bytes. `basis` says in a sentence where the figures come from, `steps_about` that the steps are a guess too."""

    memory_mb: int
    disk_mb: int
    seconds: float
    trainable_parameters: int
    total_parameters: int
    fits: Fits
    advice: list[Sentence]
    steps: int
    steps_about: bool
    memory_available_mb: int
    disk_available_mb: int
    measured: bool
    basis: Sentence
    seconds_per_step: float
    tokens_per_second: float | None = None
    error: Sentence | None = None
    parts: dict[str, int] = field(default_factory=dict)  # MB of memory by what takes it

    def to_dict(self) -> dict[str, Any]:
        """The form of `/estimate_run`; sentences in English."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        return told | {"advice": [str(one) for one in self.advice], "basis": str(self.basis), "error": self.error and str(self.error)}


def estimate(
    planned: Planned, machine: Machine, room: Room, *, factor: float = 1.0, runs: int = 0, seen: Measured | None = None
) -> Estimate:
    """What a planned run needs.

    Args:
        factor: how much longer a step took on this machine than the formulas say, by `runs` finished runs.
        seen: a rehearsal of this very run.
    """
    work = work_of(planned, room.gpu, machine.half)
    held = needs.memory(work)
    memory_mb = math.ceil(held.total / MB)
    measured = seen is not None and not seen.error
    if seen is not None and measured:
        longest = _longest(work, planned)
        memory_mb = math.ceil(seen.memory_mb * held.total / needs.memory(longest).total)
        seconds, step = _by_measure(work, planned, seen)
        basis = Sentence("Measured in {steps} real steps on the longest rows.", steps=STEPS)
        if seen.usual_seconds:
            basis = Sentence("Measured in {steps} real steps on the longest rows, and some on usual ones.", steps=STEPS)
    else:
        parts = needs.seconds(work)
        pace = machine.pace * factor
        step = parts.step * pace
        seconds = replace(parts, **{one.name: getattr(parts, one.name) * pace for one in fields(parts)}).whole(work)
        if planned.guessed:
            basis = Sentence("A rough guess from the model's size: its files are not on this machine yet.")
        elif runs == 1:
            basis = Sentence("Estimated, and corrected by what one finished run with this model and method took here.")
        elif runs:
            basis = Sentence("Estimated, and corrected by what {runs} finished runs with this model and method took here.", runs=runs)
        else:
            basis = Sentence("Estimated from the model, the lengths of the examples and the speed of this machine.")
    disk_mb = math.ceil(needs.disk(work) / MB)
    fits = max(verdict(memory_mb, room.memory_mb), verdict(disk_mb, room.disk_mb), key=ORDER.index)
    if seen is not None and measured:  # should the longest rows meet in one batch, they have to fit as well
        fits = max(fits, min(verdict(seen.memory_mb, room.memory_mb), "tight", key=ORDER.index), key=ORDER.index)
    ran_out = seen is not None and seen.memory_ran_out
    fits = "does not fit" if ran_out else fits
    advice = [] if fits == "fits" else advise(planned, machine, room, memory_mb, disk_mb, forced=ran_out)
    trainable, total = counts(planned.model, planned.settings)
    return Estimate(
        memory_mb, disk_mb, round(seconds, 1), trainable, total, fits, advice, planned.steps, planned.about, room.memory_mb, room.disk_mb,
        measured, basis, round(step, 3),
        round(seen.tokens_per_second * planned.settings.num_processes, 1) if seen and measured else None,  # one process rehearses
        seen.error if seen else None, {one.name: round(getattr(held, one.name) / MB) for one in fields(held)},
    )  # fmt: skip


def verdict(needed: float, there: float) -> Fits:
    """Whether something fits: above four fifths of what is there it is tight."""
    return "does not fit" if needed > there else "tight" if needed > TIGHT * there else "fits"


def work_of(planned: Planned, gpu: bool, half: bool) -> Work:
    """The planned run in figures."""
    settings, steps = planned.settings, planned.steps
    flat = _flat(planned, gpu)
    rows = check_rows(planned.validation_rows, planned.rows, settings, parted=planned.parted, packed=planned.packed)
    checks = 1 + math.ceil(steps / settings.eval_steps) if rows and settings.eval_steps else 0
    saves = math.ceil(steps / settings.save_steps) if settings.save_steps else 0
    size = min(rows, max(8, settings.per_device_train_batch_size))  # as `building` sets it
    longest = planned.validation.longest[:size]
    looked = (longest[0][0] * len(longest), sum(learned for _, learned in longest)) if longest else (0, 0)
    answer = max((learned for _, learned in (*planned.lengths.rows, *planned.lengths.longest)), default=0)
    return Work(
        planned.model, settings, steps, batches(planned.lengths, settings, steps, flat), rows * planned.validation.mean, looked, checks,
        saves, planned.data_bytes, gpu, half, answer,
    )  # fmt: skip


def _longest(work: Work, planned: Planned) -> Work:
    """The rehearsal of a run: few steps on its longest rows."""
    return replace(work, steps=STEPS, batches=worst(planned.lengths, planned.settings, _flat(planned, work.gpu)))


def _flat(planned: Planned, gpu: bool) -> bool:
    model, settings = planned.model, planned.settings
    return unpadded(model.kind, model.sliding_window, settings.max_length, gpu=gpu, packing=settings.packing)


def _by_measure(work: Work, planned: Planned, seen: Measured) -> tuple[float, float]:
    """(seconds of the whole, of one usual step): what was not tried is as much slower than its formula as what was.

    Where no usual step was tried, the formula carries what was seen on the longest rows over to the others.
    """
    usual = needs.seconds(work)
    ratio = seen.usual_seconds / usual.step if seen.usual_seconds else seen.step_seconds / needs.seconds(_longest(work, planned)).step
    parts = needs.Seconds(
        start=seen.start_seconds,
        step=usual.step * ratio,
        check=seen.check_seconds * work.validation / seen.check_tokens / planned.settings.num_processes
        if seen.check_seconds and seen.check_tokens
        else usual.check * ratio,
        answers=usual.answers * ratio if seen.answer_seconds is None else seen.answer_seconds,
        save=usual.save if seen.save_seconds is None else seen.save_seconds,
    )
    return parts.whole(work), parts.step


def advise(planned: Planned, machine: Machine, room: Room, memory_mb: int, disk_mb: int, forced: bool = False) -> list[Sentence]:
    """What to change, concretely: first what makes it fit at the least cost. `forced`: it ran out of memory whatever the formula says."""
    found: list[Sentence] = []
    if verdict(disk_mb, room.disk_mb) != "fits":
        short = max(1, math.ceil(disk_mb / TIGHT) - room.disk_mb)
        found.append(Sentence("Free {needed} MB on the disk, or save less often with save_steps 0.", needed=short))
    if not forced and verdict(memory_mb, room.memory_mb) == "fits":
        return found

    def need(changed: Planned) -> int:
        return math.ceil(needs.memory(work_of(changed, room.gpu, machine.half)).total / MB)

    before = need(planned)
    wanted = before * 0.75 if forced else TIGHT * room.memory_mb
    changes = [change for make in (_batch, _length, _checkpointing, _method) if (change := make(planned, need, wanted))]
    useful = [(after, sentence) for after, sentence in changes if after < HELPS * before]
    enough = [sentence for after, sentence in useful if after <= wanted]
    found += (enough or [sentence for _, sentence in useful])[:ADVICE]
    if not enough:
        found.append(Sentence("Choose a smaller model, or close other programs: {free} MB of memory are free.", free=room.memory_mb))
    return found


Need = Callable[[Planned], int]
Change = tuple[int, Sentence]


def _batch(planned: Planned, need: Need, wanted: float) -> Change | None:
    now = planned.settings
    size = now.per_device_train_batch_size
    tried: list[Change] = []
    for part in (number for number in range(2, size + 1) if size % number == 0):
        accumulate = now.gradient_accumulation_steps * part
        smaller = replace(now, per_device_train_batch_size=size // part, gradient_accumulation_steps=accumulate)
        after = need(replace(planned, settings=smaller))
        tried.append(
            (
                after,
                Sentence(
                    "Set per_device_train_batch_size to {size} and gradient_accumulation_steps to {times}: as many examples a step, "
                    "about {needed} MB.", size=size // part, times=accumulate, needed=after,
                ),
            )
        )  # fmt: skip
    return _first(tried, wanted)


def _length(planned: Planned, need: Need, wanted: float) -> Change | None:
    now, longest = planned.settings, planned.lengths.longest[0][0] if planned.lengths.longest else 0
    tried: list[Change] = []
    for length in (one for one in FEW if one < min(now.max_length, longest)):
        cut = replace(planned, settings=replace(now, max_length=length), lengths=_shorter(planned.lengths, length))
        after = need(cut)
        said = "Set max_length to {length}: longer examples are cut, about {needed} MB."
        if planned.parted:
            said = "Set max_length to {length}: longer texts come in more parts, about {needed} MB."
        tried.append((after, Sentence(said, length=length, needed=after)))
    return _first(tried, wanted)


def _shorter(found: Lengths, length: int) -> Lengths:
    def cut(rows: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        return tuple((min(read, length), min(learned, length)) for read, learned in rows)

    return Lengths(cut(found.rows), cut(found.longest))


def _checkpointing(planned: Planned, need: Need, wanted: float) -> Change | None:
    if planned.settings.gradient_checkpointing:
        return None
    after = need(replace(planned, settings=replace(planned.settings, gradient_checkpointing=True)))
    return after, Sentence("Switch gradient_checkpointing on: a third slower, about {needed} MB.", needed=after)


def _method(planned: Planned, need: Need, wanted: float) -> Change | None:
    if planned.settings.method == "qlora":
        return None
    small = replace(planned.settings, method="qlora", use_dora=False, init_lora_weights=True, target_modules="all-linear")
    after = need(replace(planned, settings=small))
    return after, Sentence("Choose the method qlora: a small adapter on a model in 4 bits, about {needed} MB.", needed=after)


def _first(tried: list[Change], wanted: float) -> Change | None:
    """The first that is enough, else the one that helps most."""
    return next((one for one in tried if one[0] <= wanted), min(tried, key=lambda one: one[0], default=None))
