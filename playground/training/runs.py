"""Start, watch, stop and delete runs.

Everything a run needs is copied into its folder before it waits in line, so a later change of the dataset does not reach it. The worker
trains; `dispatch` starts workers and notices their end; `record` reads folders. Knows neither the interface nor TRL.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from playground.errors import InputError, WrongState, pack, storage_errors
from playground.messages import Conversation, Message, conversation
from playground.models.catalog import AdapterRef, Catalog, ModelRef
from playground.models.folder import parameters_of
from playground.settings import Limits
from playground.system import machine
from playground.training import again, beginning, damage, oom, record, resuming, samples
from playground.training.dispatch import PATIENCE, Dispatcher, Secret
from playground.training.launching import WORKER
from playground.training.metrics import MetricsReader
from playground.training.plan import Parts, Plan, make_plan
from playground.training.record import Run
from playground.training.slots import Cards
from playground.workspace import Workspace, mark, write_bytes, write_json

READERS = 32  # curves kept in memory between two looks
Points = list[dict[str, Any]]
Line = Sequence[Path]


class Examples(Parts, Protocol):
    """What a dataset gives a run: conversations in three parts, and what they have in common."""

    @property
    def instruction(self) -> str: ...
    @property
    def system(self) -> str: ...
    @property
    def labels(self) -> Sequence[str]: ...
    @property
    def shots(self) -> Sequence[Message]: ...
    @property
    def slots(self) -> Sequence[str]: ...


class Runs:
    """The runs of a workspace. Every lookup asks for the owner; another owner's run is not found."""

    def __init__(
        self,
        workspace: Workspace,
        catalog: Catalog,
        *,
        limits: Limits | None = None,
        worker: Sequence[str] = WORKER,
        patience: float = PATIENCE,
        secret: Secret | None = None,
        warm: bool = False,
        cards: Cards | None = None,
        make_room: Callable[[Path], None] = lambda folder: None,
        ended_by_kernel: Callable[[], Any] = oom.mark,
    ) -> None:
        self._workspace, self._catalog, self._limits = workspace, catalog, limits or Limits()
        self._line = Dispatcher(workspace, worker, patience, secret, warm, cards, make_room, ended_by_kernel)
        self._readers: OrderedDict[str, MetricsReader] = OrderedDict()
        self._reading = threading.Lock()
        self._owners: dict[str, Any] = {}

    def open(self) -> None:
        """Begin to start queued runs and to watch running ones, also those that a former app started."""
        self._line.open()

    def close(self) -> None:
        """Stop watching; running workers go on and are found again by the next `open`."""
        self._line.close()

    def expect(self) -> None:
        """Somebody brought rows to learn from: have a training process ready, which takes seconds less when they press the button."""
        self._line.expect()

    def plan(self, splits: Parts, settings: Mapping[str, Any]) -> Plan:
        """The complete settings that a run would have, with the reason for each value that was not given, and its steps.

        Raises:
            SettingsError: all that is wrong with them.
            ModelUnavailable, NotFound: the model.
        """
        wanted = settings.get("model") if isinstance(settings, Mapping) else None
        ref = self._catalog.resolve(wanted if isinstance(wanted, str) and wanted else "starter")
        known = next((model.parameters for model in self._catalog.list() if model.id == ref.id), None)
        folder = ref.folder() if known is None else None
        parameters = known if folder is None else parameters_of(folder)
        return make_plan(settings, splits, ref, parameters, self._machine["gpu"] is not None, self._line.most_processes)

    def going_on(self, owner: str, start_from: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The given settings with those that the adapter of an earlier run brings: see `beginning.settings_of`."""
        return beginning.settings_of(self.adapter(owner, start_from), settings)

    def start(
        self,
        owner: str,
        *,
        name: str = "",
        dataset_id: str,
        dataset_name: str,
        splits: Examples,
        settings: Mapping[str, Any],
        put: Callable[[str], Conversation] = conversation,
        start_from: str | None = None,
    ) -> str:
        """Copy the examples into a new run and put it in line; gives its id at once.

        `put` makes of a question of the person's own (`sample_prompts`) what the model is to read. With `start_from`, an earlier run's id,
        it goes on from what that run learned: model, method and the adapter's shape are that run's, settings that differ are refused.

        Raises:
            InputError: no row to learn from.
            SettingsError, ModelUnavailable, NotFound: as `plan`.
            WrongState: the line is full.
            StorageFull: no room for the copy; nothing is left behind.
        """
        if not splits.train:
            raise InputError("There are no rows to learn from. Check the columns and the split on the Dataset tab.")
        earlier = self.adapter(owner, start_from) if start_from else None
        whole = settings if start_from is None else self.going_on(owner, start_from, settings)
        planned = self.plan(splits, whole)
        chosen = planned.settings
        self._refuse_when_full()
        folder = self._workspace.draft("runs")
        try:
            with storage_errors():
                (folder / "data").mkdir()
            parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
            for part, conversations in parts.items():
                write_bytes(folder / "data" / f"{part}.jsonl", _lines(conversations))
            if chosen.sample_prompts:
                write_bytes(folder / "data" / f"{samples.OWN}.jsonl", _lines(put(text) for text in chosen.sample_prompts))
            if earlier is not None:
                beginning.copy(earlier, folder, chosen.lora_dropout)
            write_json(folder / "status.json", {"state": "queued", "queued_at": self._line.turn()})
            self._workspace.publish(
                folder,
                owner=owner,
                name=name.strip() or self._next_name(owner, dataset_name),
                dataset={"id": dataset_id, "name": dataset_name},
                model=asdict(planned.model),
                settings=chosen.to_dict(),
                given=sorted(set(settings) & set(chosen.to_dict())),
                reasons={key: pack(reason) for key, reason in (planned.reasons | beginning.reasons(earlier, settings, whole)).items()},
                planned_steps=planned.steps,
                planned_about=planned.about,
                planned_examples=planned.examples,
                planned_packed=planned.packed,
                rows={part: len(conversations) for part, conversations in parts.items()},
                instruction=splits.instruction,
                system=splits.system,
                task=splits.task,
                labels=list(splits.labels),
                by_token=self._line.by_token(owner, planned.model.id),
                shots=[asdict(turn) for turn in splits.shots],
                slots=list(splits.slots),
                start_from=earlier and {"run_id": earlier.run_id, "name": earlier.name, "sha256": earlier.sha256},
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._line.add(folder)
        return folder.name

    def get(self, owner: str, run_id: str) -> Run:
        """A run as it stands now."""
        return self._read(self._find(owner, run_id))

    def list(self, owner: str) -> list[Run]:
        """All runs of an owner, newest first."""
        waiting = self._line.waiting()
        return [self._read(folder, waiting) for folder in self._workspace.list("runs", owner)]

    def stirred(self, owner: str) -> str:
        """What differs as soon as anything becomes of an owner's runs; costs little enough to be asked all the time."""
        found = []
        for folder in self._workspace.all("runs"):
            if folder.name not in self._owners and (asked := record.config(folder)):
                self._owners[folder.name] = asked.get("owner")  # which never changes
            if self._owners.get(folder.name) == owner:
                found.append((folder.name, mark(folder / "status.json")))
        return hashlib.sha256(repr(sorted(found)).encode()).hexdigest()[:16]

    def metrics(self, owner: str, run_id: str, since_step: int = 0) -> Points:
        """The curve after `since_step` (all of it with 0, also the check before the first step), one point per step with all keys."""
        folder = self._find(owner, run_id)
        with self._reading:
            reader = self._readers.pop(run_id, None) or MetricsReader(folder / "metrics.jsonl")
            self._readers[run_id] = reader
            if len(self._readers) > READERS:
                self._readers.popitem(last=False)
            return reader.since(since_step)

    def samples(self, owner: str, run_id: str) -> dict[str, Any]:
        """What the model answered along the way: see `playground.training.samples.read`."""
        return samples.read(self._find(owner, run_id))

    def stop(self, owner: str, run_id: str) -> Run:
        """End a run and keep what it has learned. A queued run stops at once; a running one finishes its step and saves, which `get` shows.

        A run that has finished stays as it is, and one that was to go on and has not begun is as it was before.
        """
        folder = self._find(owner, run_id)
        with self._line.lock:
            state = record.status(folder)["state"]
            if record.status(folder).get("rescue"):
                pass  # it has been ended, and what it had saved is made into its result
            elif state == "queued":
                if not resuming.rescue(folder, None):
                    self._line.finish(folder, "stopped")
            elif state not in record.FINAL and record.request(folder) is None:
                write_json(folder / "request.json", {"kind": "stop", "at": time.time()})
        return self._read(folder)

    def cancel(self, owner: str, run_id: str) -> Run:
        """End a run at once and throw away what it has learned; its settings and curve stay.

        One that had finished and was to go on is again as it was when it had finished.

        Raises:
            WrongState: it has finished already.
        """
        folder = self._find(owner, run_id)
        with self._line.lock:
            before = record.read(folder)
            if before.state == "stopped" and not before.has_adapter:
                return self._read(folder)
            if before.finished:
                raise WrongState("This run has finished already. Delete it to throw away what it has learned.")
            if before.state != "queued":
                write_json(folder / "request.json", {"kind": "cancel", "at": time.time()})
                if not self._line.kill(folder):
                    raise WrongState("The run could not be ended yet. Try again in a few seconds.")
            if resuming.fall_back_to_end(folder):
                return self._read(folder)
            for kept in (*record.places("adapter"), ".adapter", *record.places("model"), ".model", "checkpoints", "initial"):
                shutil.rmtree(folder / kept, ignore_errors=True)
            (folder / "manifest.json").unlink(missing_ok=True)
            self._line.finish(folder, "stopped", cancelled=True)
        return self._read(folder)

    def resume(self, owner: str, run_id: str, settings: Mapping[str, Any] | None = None) -> Run:
        """Put a run that has ended back in line, to go on from its last checkpoint; `settings` may make it longer or shorter.

        Raises:
            WrongState, SettingsError: as `resuming.take_up`; also when the line is full.
        """
        folder = self._find(owner, run_id)
        with self._line.lock:
            self._refuse_when_full()
            if record.status(folder)["state"] in record.FINAL:  # or a page that was left open would end a run that still learns
                self._line.kill(folder)  # a worker that has written its last word may take a moment to end
            resuming.take_up(folder, settings or {}, self._line.turn())
            self._line.add(folder)
        return self._read(folder)

    def move(self, owner: str, run_id: str, place: int) -> Run:
        """Let a waiting run wait at another place among the owner's own waiting runs, 1 being the first of them.

        Raises:
            WrongState: it does not wait.
            InputError: that is no place.
        """
        folder = self._find(owner, run_id)
        if not isinstance(place, int):
            raise InputError("A place in line is a whole number, 1 being the first.")
        with self._line.lock:
            waiting = [one for one in self._line.waiting() if record.config(one).get("owner") == owner]
            if folder not in waiting:
                raise WrongState("This run does not wait in line any more.")
            times = [record.status(one)["queued_at"] for one in waiting]
            waiting.remove(folder)
            waiting.insert(max(0, min(place - 1, len(waiting))), folder)
            for one, at in zip(waiting, times, strict=True):
                write_json(one / "status.json", {**record.status(one), "queued_at": at})
        return self._read(folder)

    def delete(self, owner: str, run_id: str) -> None:
        """Remove a run and everything it has learned.

        Raises:
            WrongState: it is starting, running or stopping.
        """
        folder = self._find(owner, run_id)
        with self._line.lock:
            state = record.status(folder)["state"]
            if state == "queued":
                self._line.finish(folder, "stopped")
            elif state not in record.FINAL:
                raise WrongState("This run is still training. Stop or cancel it first, then delete it.")
            self._line.kill(folder)  # a worker that has written its last word may take a moment to end
            self._workspace.delete(folder)
            self._line.forget(folder)
        with self._reading:
            self._readers.pop(run_id, None)

    def packed(self, owner: str, run_id: str, target: Path) -> Path:
        """A run's settings and examples as one archive: see `playground.training.again`.

        Raises:
            WrongState: it cannot be made once more.
        """
        return again.pack(self._find(owner, run_id), target)

    def adapter(self, owner: str, run_id: str) -> AdapterRef:
        """What a finished run has learned, ready to be loaded.

        Raises:
            WrongState: it has not finished, or ended without anything learned.
        """
        folder = self._find(owner, run_id)
        finished, asked = record.manifest(folder), record.config(folder)
        if not asked:
            raise WrongState(damage.LOST_ASKED, folder=folder)
        if damage.unreadable(folder / "manifest.json"):
            raise WrongState(damage.LOST_LEARNED)
        whole = asked.get("settings", {}).get("method") == "full"
        path = record.learned_at(folder, "model" if whole else "adapter")
        if finished is None or path is None:
            if record.status(folder)["state"] in record.FINAL:
                raise WrongState("This run ended before anything was learned, so there is nothing to load. Choose another run.")
            raise WrongState("This run has not finished yet. Wait for it, or stop it to use what it has learned so far.")
        return AdapterRef(
            run_id=run_id,
            name=asked["name"],
            path=path,
            whole=whole,
            step=finished.get("step"),
            sha256=finished["adapter"]["sha256"],
            model=ModelRef(**asked["model"]),
            quantised=asked["settings"]["method"] == "qlora",
            instruction=asked["instruction"],
            system=asked["system"],
            task=asked.get("task", "instruction"),
            shots=tuple(Message(**turn) for turn in asked.get("shots", [])),  # runs of before have none
            slots=tuple(asked.get("slots", [])),
        )

    def _refuse_when_full(self) -> None:
        if len(self._line.waiting()) >= self._limits.queued_runs:
            raise WrongState(
                "{count} runs are waiting in line already. Wait until one has finished, or cancel one of yours.",
                count=self._limits.queued_runs,
            )

    def _find(self, owner: str, run_id: str) -> Path:
        return self._workspace.find("runs", run_id, owner)

    def _read(self, folder: Path, waiting: Line | None = None) -> Run:
        run = record.read(folder)
        if run.state == "queued":
            line = self._line.waiting() if waiting is None else waiting
            run.place_in_line = line.index(folder) + 1 if folder in line else None
        return run

    @cached_property
    def _machine(self) -> dict[str, int | str | None]:
        return machine()

    def _next_name(self, owner: str, dataset_name: str) -> str:
        """One above the highest number so far, for a run that is deleted does not give its number to another."""
        names = (str(record.config(folder).get("name", "")) for folder in self._workspace.list("runs", owner))
        numbered = (name.removeprefix(f"{dataset_name} #") for name in names if name.startswith(f"{dataset_name} #"))
        return f"{dataset_name} #{max((int(number) for number in numbered if number.isdecimal() and len(number) < 10), default=0) + 1}"


def _lines(conversations: Iterable[Conversation]) -> bytes:
    """Halves of characters, which JSON can name and no text can hold, become question marks, as in `write_json`."""
    return b"".join(json.dumps(one.to_dict(), ensure_ascii=False).encode(errors="replace") + b"\n" for one in conversations)
