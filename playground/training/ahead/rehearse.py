"""Try a planned run before it begins: the app's side of a rehearsal, as a job that can be stopped.

One at a time, in a process of its own with a limit of time, and only while no run is training: it gives way at once to one that begins.
What it needs lies in its job's folder and is removed at its end. Does not know the interface.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from math import ceil
from pathlib import Path
from typing import Any

from playground.errors import InputError, ModelUnavailable, Sentence, WrongState, pack, storage_errors, unpack
from playground.jobs import Job, Jobs, follow
from playground.messages import Conversation
from playground.models import hub
from playground.settings import PROJECT
from playground.system import gpus, start_detached
from playground.training import record, slots
from playground.training.ahead.estimate import STEPS, USUAL_STEPS, Estimate, Measured
from playground.training.ahead.forecast import Forecasts, Parts
from playground.training.launching import environment
from playground.training.plan import Plan
from playground.workspace import Workspace, read_json, write_bytes, write_json

REHEARSAL = (sys.executable, "-m", "playground.training.ahead.rehearsal")
LIMIT = 600  # seconds
LOOK = 0.2  # seconds between two looks
SPARE = 4  # times the rows that three steps take: those with the most characters are not quite those with the most tokens
UNSEEN = 24  # rows that are looked at and asked
KIND = "rehearsal"
BUSY = "A run is training or waiting in line. Three steps can be tried when it has ended."
GAVE_WAY = "A run has begun, so the rehearsal was ended. Try again when the run has ended."
KILLED = "The machine ran out of memory while it tried the longest rows."
TOO_LONG = "Three steps took longer than {minutes} minutes, so the rehearsal was ended. The run would be very slow here."
ENDED = "The rehearsal ended unexpectedly (exit code {code})."


class Rehearsals:
    """The rehearsals of one workspace."""

    def __init__(
        self, workspace: Workspace, jobs: Jobs, forecasts: Forecasts, command: Sequence[str] = REHEARSAL, limit: float = LIMIT
    ) -> None:
        self._workspace, self._jobs, self._forecasts = workspace, jobs, forecasts
        self._command, self._limit = tuple(command), limit

    def start(self, owner: str, plan: Plan, splits: Parts) -> Job:
        """Begin to try a planned run; the job's result has the form of `/estimate_run`, with `error` where it broke off.

        Raises:
            WrongState: a run is training or waits.
            InputError: no row to learn from.
            ModelUnavailable: the model is not on this machine yet.
        """
        if not splits.train:
            raise InputError("There are no rows to learn from. Check the columns and the split on the Dataset tab.")
        if not Path(plan.model.source).is_absolute() and hub.cached(plan.model.source, plan.model.revision) is None:
            raise ModelUnavailable(
                "{name} is not on this machine yet. Its first run downloads it; three steps can be tried afterwards.", name=plan.model.id
            )
        self._refuse_while_busy(before=True)
        return self._jobs.start(owner, KIND, lambda job: self._work(job, plan, splits), total=STEPS)

    def result(self, job: Job) -> Estimate:
        """Wait for a rehearsal's end, and give the estimate that it led to.

        Raises:
            WrongState: it gave way to a run, or somebody stopped it.
        """
        for _ in follow(job):
            pass
        if job.error:
            raise WrongState(job.error.template, **job.error.values)
        if not job.result:
            raise WrongState("The rehearsal was stopped before it could tell anything.")
        return read_told(job.result)

    def _work(self, job: Job, plan: Plan, splits: Parts) -> dict[str, Any] | None:
        self._refuse_while_busy(before=True)
        folder = self._workspace.home / "jobs" / job.job_id / KIND
        try:
            _prepare(folder, plan, splits)
            seen = self._try(job, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if seen is None:
            return None
        if not seen.error or seen.memory_ran_out:
            self._forecasts.remember(plan, splits, seen)
        return told(self._forecasts.estimate(plan, splits, seen))

    def _try(self, job: Job, folder: Path) -> Measured | None:
        """Run the process to its end; None where a person stopped it."""
        began = time.monotonic()
        environ = environment(offline=True) | slots.environment(next(iter(gpus()), None))  # one process, so one card
        command = (*self._command, str(folder), str(int(self._limit) + 5))
        process = start_detached(command, folder / "worker.log", cwd=PROJECT, environ=environ)
        try:
            while process.poll() is None:
                if job.stopping():
                    return None
                if time.monotonic() - began > self._limit:
                    return Measured(error=Sentence(TOO_LONG, minutes=max(1, round(self._limit / 60))))
                self._refuse_while_busy(before=False)
                now = record.status(folder)
                job.done, job.doing = min(STEPS, int(now.get("step", 0))), unpack(now.get("doing"))
                time.sleep(LOOK)
        finally:
            if process.poll() is None:
                process.kill()  # its own group holds nobody else: the trainer starts no processes on a processor or one card
            code = process.wait()
        return _read(folder, code)

    def _refuse_while_busy(self, *, before: bool) -> None:
        for folder in self._workspace.list("runs"):
            if record.status(folder)["state"] not in record.FINAL:
                raise WrongState(BUSY) if before else WrongState(GAVE_WAY)


def told(found: Estimate) -> dict[str, Any]:
    """An estimate as a job's result, which goes to disk: its sentences in English, and packed beside, for translation."""
    packed = {"advice": [pack(one) for one in found.advice], "basis": pack(found.basis), "error": found.error and pack(found.error)}
    return {**found.to_dict(), "packed": packed}


def read_told(result: dict[str, Any]) -> Estimate:
    """The inverse of `told`."""
    packed = result["packed"]
    plain = {name: value for name, value in result.items() if name != "packed"}
    sentences = {
        "advice": [one for one in map(unpack, packed["advice"]) if one],
        "basis": unpack(packed["basis"]),
        "error": unpack(packed["error"]),
    }
    return Estimate(**{**plain, **sentences})


def _read(folder: Path, code: int) -> Measured:
    seen = read_json(folder / "rehearsal.json")
    if not isinstance(seen, dict):
        return Measured(error=Sentence(KILLED) if code == -9 else Sentence(ENDED, code=code), memory_ran_out=code == -9)
    if seen.get("error"):
        return Measured(error=unpack(seen["error"]), memory_ran_out=bool(seen.get("memory_ran_out")))
    known = {one.name for one in fields(Measured)}
    return Measured(**{name: value for name, value in seen.items() if name in known})


def _prepare(folder: Path, plan: Plan, splits: Parts) -> None:
    """A folder like a run's, with the longest rows, and a fair sample of all."""
    with storage_errors():
        (folder / "data").mkdir(parents=True)
    settings = plan.settings
    a_step = settings.per_device_train_batch_size * settings.gradient_accumulation_steps
    needed, usual = STEPS * SPARE * a_step, USUAL_STEPS * a_step
    if plan.packed:
        needed *= ceil(plan.examples / plan.packed)
    long = sorted(splits.train, key=_characters, reverse=True)[: max(needed, 64)]
    fair = splits.train[:: max(1, len(splits.train) // usual)][:usual]
    for part, rows in (("train", long), ("usual", fair), ("validation", splits.validation[:UNSEEN]), ("test", [])):
        lines = (json.dumps(one.to_dict(), ensure_ascii=False).encode() + b"\n" for one in rows)
        write_bytes(folder / "data" / f"{part}.jsonl", b"".join(lines))
    write_json(
        folder / "config.json",
        {
            "name": KIND, "model": asdict(plan.model), "task": splits.task,
            "settings": settings.to_dict() | {"sample_prompts": []},  # rows are asked instead of a person's own questions
            "rows": {"train": len(long), "validation": len(splits.validation[:UNSEEN]), "test": 0},
        },
    )  # fmt: skip


def _characters(one: Conversation) -> int:
    return sum(len(turn.content) for turn in (*one.prompt, *one.completion))
