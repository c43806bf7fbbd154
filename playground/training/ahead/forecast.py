"""Everything an estimate needs, brought together for one planned run: the model's files, the examples' lengths, the machine, the past.

Keeps what takes long to find out. Does not know owners; starts nothing and downloads nothing.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

from playground.errors import ModelUnavailable
from playground.messages import Conversation
from playground.models.catalog import ModelRef
from playground.models.known import KNOWN
from playground.training import record
from playground.training.ahead.anatomy import Anatomy, anatomy_of, imagined
from playground.training.ahead.estimate import Estimate, Measured, Planned, Room, estimate, work_of
from playground.training.ahead.lengths import Lengths, measure
from playground.training.ahead.past import Past
from playground.training.ahead.speed import here
from playground.training.plan import PARTED, Parts, Plan, tokenizer_here
from playground.workspace import Workspace

KEPT = 64  # measured sets of examples
ROW_BYTES = 110  # of a row's line in the run's copy, besides its texts
CONTAINER = (("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),)
log = logging.getLogger(__name__)
# Settings that do not change what one step needs: what was measured with one value holds for the others.
ELSEWHERE = {
    "num_train_epochs", "max_steps", "warmup_steps", "lr_scheduler_type", "learning_rate", "weight_decay", "seed", "eval_steps",
    "save_steps", "early_stopping_patience", "load_best_model_at_end", "logging_steps", "sample_prompts", "max_grad_norm", "report_to",
}  # fmt: skip


class Forecasts:
    """Estimates for one workspace; safe under threads."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._past = workspace, Past(workspace)
        self._lengths: OrderedDict[tuple[Any, ...], tuple[Lengths, Lengths, int]] = OrderedDict()
        self._seen: OrderedDict[tuple[Any, ...], Measured] = OrderedDict()
        self._lock = threading.Lock()

    def estimate(self, plan: Plan, splits: Parts, seen: Measured | None = None) -> Estimate:
        """What a planned run needs, measured where a rehearsal of the same steps has been made.

        Raises:
            ModelUnavailable: nothing is known of the model's size.
        """
        machine, planned = here(), self._planned(plan, splits)
        room = self.room()
        seen = seen or self._seen.get(self._key(plan, planned))
        factor, runs = self._past.factor(plan.model.id, work_of(planned, room.gpu, machine.half), machine.pace) if not seen else (1.0, 0)
        return estimate(planned, machine, room, factor=factor, runs=runs, seen=seen)

    def remember(self, plan: Plan, splits: Parts, seen: Measured) -> None:
        """Keep what a rehearsal has shown for later estimates of the same steps."""
        key = self._key(plan, self._planned(plan, splits))
        with self._lock:
            self._seen[key] = seen
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)

    def room(self) -> Room:
        """What is free now, with what a run that is under way will have given back by the time the next one starts."""
        machine = here()
        disk = psutil.disk_usage(str(self._workspace.home)).free // 1024**2
        if machine.gpu:
            return Room(machine.gpu_memory_mb or 0, disk, gpu=True)
        return Room(free_memory_mb() + self._lent(), disk)

    def _lent(self) -> int:
        """MB that workers hold at this moment."""
        lent = 0
        for folder in self._workspace.list("runs"):
            if record.status(folder)["state"] not in (*record.FINAL, "queued"):
                known = record.process_id(folder)
                process = known.process() if known else None
                if process is not None:
                    lent += process.memory_info().rss // 1024**2
        return int(lent)

    def _planned(self, plan: Plan, splits: Parts) -> Planned:
        model, guessed = _anatomy(plan.model)
        train, validation, data = self._measured(plan, splits)
        rows, parted = plan.examples or len(splits.train), splits.task == PARTED
        return Planned(
            plan.settings, model, train, validation, plan.steps, rows, len(splits.validation), data, parted=parted,
            packed=plan.packed, about=plan.about, guessed=guessed,
        )  # fmt: skip

    def _measured(self, plan: Plan, splits: Parts) -> tuple[Lengths, Lengths, int]:
        """(lengths of the training rows, of the validation rows, bytes of the copy of the data)."""
        key = (plan.model.id, plan.settings.max_length, *(_digest(part) for part in (splits.train, splits.validation)))
        with self._lock:
            found = self._lengths.get(key)
            if found is None:
                tokenizer, length = tokenizer_here(plan.model), plan.settings.max_length
                data = sum(_bytes(part) for part in (splits.train, splits.validation, splits.test))
                found = measure(tokenizer, splits.train, length), measure(tokenizer, splits.validation, length), data
                self._lengths[key] = found
                while len(self._lengths) > KEPT:
                    self._lengths.popitem(last=False)
        return found

    def _key(self, plan: Plan, planned: Planned) -> tuple[Any, ...]:
        settings = {name: str(value) for name, value in plan.settings.to_dict().items() if name not in ELSEWHERE}
        return (plan.model.id, planned.rows, hash(planned.lengths), *sorted(settings.items()))


def free_memory_mb() -> int:
    """Memory that a new process can have, in MB of 1024² bytes; a container may be given less than the machine has free."""
    free = psutil.virtual_memory().available
    for most, now in CONTAINER:
        try:
            free = min(free, int(Path(most).read_text()) - int(Path(now).read_text()))
        except (OSError, ValueError):  # no container, or one without a limit
            continue
    return max(0, free // 1024**2)


def _digest(part: Sequence[Conversation]) -> tuple[int, int]:
    """Tells one set of examples from another, without reading all of a large one."""
    some = part[:: max(1, len(part) // 50)]
    return len(part), hash(tuple(some))


def _bytes(part: Sequence[Conversation]) -> int:
    """What the lines of a part take, by a sample."""
    some = part[:: max(1, len(part) // 500)]
    if not some:
        return 0
    mean = sum(sum(len(turn.content.encode()) for turn in (*one.prompt, *one.completion)) for one in some) / len(some)
    return int((mean + ROW_BYTES) * len(part))


@lru_cache(maxsize=16)
def _guess(id: str) -> Anatomy | None:
    known = next((one for one in KNOWN if one.id == id), None)
    return imagined(known.parameters) if known else None


def _anatomy(ref: ModelRef) -> tuple[Anatomy, bool]:
    folder = ref.folder()
    found = anatomy_of(folder) if folder else None
    if found is not None:
        return found, False
    guess = _guess(ref.id)
    if guess is None:
        raise ModelUnavailable("{name} is not on this machine yet, so nothing can be said of what it needs.", name=ref.id)
    return guess, True
