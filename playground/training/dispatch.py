"""The line of runs: one worker at a time, or as many as the cards seat, started in the order of asking, and noticed when it dies.

A background thread looks at the unfinished runs twice a second, also at those that the command line began. What it knows is on disk, so
after a restart of the app the same thread goes on watching workers that the former app started. A worker is known by its pid and start
time, and by the lock it holds on its run folder. Does not know owners, settings or what a worker does.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from playground.errors import PlaygroundError, Sentence, pack
from playground.models import access, hub
from playground.settings import PROJECT
from playground.system import elapsed, moment, start_detached
from playground.training import damage, ending, oom, ranks, record, resuming, slots
from playground.training.launching import WORKER, command, end_group, environment
from playground.training.slots import Cards, Slots
from playground.training.warm import Warm
from playground.workspace import Workspace, mark, write_json

log = logging.getLogger(__name__)
TICK = 0.5  # seconds between two looks
PATIENCE = 60.0  # seconds that a stop request may go without any sign of the worker
SLOW_DISK = 10  # times that patience for a worker that saves and waits for the disk, without any work of its own
SLOW_STEPS = 5  # usual steps that a worker may be silent after a request
BOOT = 20.0  # seconds within which a started worker has to claim its folder; so many for each of several processes
DEAF = "The run did not answer for {seconds} seconds when asked to stop, so it was ended and its last steps are lost."
TOO_MANY = (
    "This run was to train in {wanted} processes, one on each card, and {most} is the most that this machine has cards for. "
    "Start it again with a smaller num_processes."
)
FORGOTTEN = (
    "{model} opens with your access token only, which was forgotten when the playground was started anew. Give it again on the Train tab, "
    "under the model; the run starts by itself then"
)
Part = TypeVar("Part")
Secret = Callable[[str, str], str | None]  # (owner, model) -> the token with which a worker may fetch the model for its owner


class Dispatcher:
    """Owns the transition of runs from queued to starting, and from dead to failed. All methods may be called from any thread."""

    def __init__(
        self,
        workspace: Workspace,
        worker: Sequence[str] = WORKER,
        patience: float = PATIENCE,
        secret: Secret | None = None,
        warm: bool = False,
        cards: Cards | None = None,
        make_room: Callable[[Path], None] = lambda folder: None,
        ended_by_kernel: Callable[[], Any] = oom.mark,
    ) -> None:
        self.lock = threading.RLock()  # held by whoever changes a status while no worker owns it
        self._workspace, self._worker, self._patience = workspace, tuple(worker), patience
        self._secret, self._slots, self._make_room = secret, Slots(cards), make_room
        self._ended_by_kernel = ended_by_kernel
        self._unfinished: set[Path] = set()
        self._children: dict[Path, subprocess.Popen[bytes]] = {}
        self.warm = Warm(self._worker, workspace.home, lambda: environment(offline=True), enabled=warm)
        self._heard: dict[Path, tuple[Any, float]] = {}  # last sign of a worker that was asked to stop, and when it was seen
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._ended: dict[str, tuple[int, int]] = {}  # runs that had ended, and their status files then
        self._last_turn = 0.0
        self._troubled: dict[Path, str] = {}  # what goes wrong with a folder at every look is told once

    def open(self) -> None:
        """Begin to start and watch runs; harmless when begun already."""
        with self.lock:
            if self._thread is None:
                self._closing.clear()
                self._thread = threading.Thread(target=self._loop, name="runs", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop watching. Workers go on by themselves."""
        self._closing.set()
        self._wake.set()
        self.warm.end()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    @property
    def most_processes(self) -> int:
        """How many processes one run can have here."""
        return self._slots.most

    def expect(self) -> None:
        """A run is likely to come: have a process ready, unless the machine is at work on another."""
        with self.lock:
            self._scan()
            if not self._unfinished:
                self._warm_up()

    def _warm_up(self) -> None:
        if len(self._slots.cards) <= 1:  # a process that waits has to know its card already
            self.warm.begin()

    def add(self, folder: Path) -> None:
        """A run that waits to be started."""
        with self.lock:
            self._unfinished.add(folder)
        self._wake.set()

    def forget(self, folder: Path) -> None:
        """A run that is no more: without its folder it would read as one that waits, at the head of the line and for good."""
        with self.lock:
            self._unfinished.discard(folder)
            for known in (self._children, self._heard, self._troubled):
                known.pop(folder, None)

    def waiting(self) -> list[Path]:
        """Queued runs in the order in which they will start."""
        with self.lock:
            self._scan()
            queued = [
                (status.get("queued_at", 0.0), folder)
                for folder in self._unfinished
                if (status := self._tried(folder, record.status)) and status["state"] == "queued"
            ]
        return [folder for _, folder in sorted(queued)]

    def turn(self) -> float:
        """When a run is put in line that comes now: after all that wait, also when the machine's clock was set back."""
        with self.lock:
            last = max((record.status(folder).get("queued_at", 0.0) for folder in self.waiting()), default=0.0)
            self._last_turn = max(time.time(), last + 1e-3, self._last_turn + 1e-3)
            return self._last_turn

    def finish(self, folder: Path, state: str, error: Sentence | None = None, **more: Any) -> None:
        """Write the last status of a run that no worker owns."""
        with self.lock:
            before = record.status(folder)
            ended = {
                **before,
                "state": state,
                "ended": time.time(),
                "seconds": record.read(folder).seconds,
                "error": pack(error) if error else None,
                **more,
            }
            if resuming.replaced(folder, before):
                ended = {key: value for key, value in ended.items() if key not in resuming.KEPT}
            ended.pop("rescue", None)
            (folder / ".reserve").unlink(missing_ok=True)  # what a killed worker held for its own last word
            write_json(folder / "status.json", ended)
            self._unfinished.discard(folder)
            self._children.pop(folder, None)

    def alive(self, folder: Path) -> bool:
        """Whether a worker is at this run."""
        child = self._children.get(folder)
        if child is not None and child.poll() is None:
            return True
        known = record.process_id(folder)
        if known is None:  # its record is damaged while a worker is at it
            return record.status(folder)["state"] == "running"
        return known.alive

    def kill(self, folder: Path, wait: float = 10.0) -> bool:
        """End a run's worker and its children at once; False when they are still there after `wait` seconds."""
        child = self._children.get(folder)
        if child is not None and child.poll() is None:
            end_group(child)
        known = record.process_id(folder)
        if known is not None:
            known.kill()
        end = time.monotonic() + wait
        while self.alive(folder):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def _loop(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(TICK)
            self._wake.clear()
            if self._closing.is_set():
                return
            try:
                self.look()
            except PlaygroundError as error:
                log.warning("runs: %s", error)
            except Exception:
                log.exception("runs: the line could not be looked at; trying again")

    def look(self) -> None:
        """One look at all unfinished runs: bury the dead, insist on ignored requests, start the next."""
        with self.lock:
            self._scan()
            before = len(self._unfinished)
            active = [folder for folder in sorted(self._unfinished) if self._tried(folder, self._is_active)]
            waiting = self.waiting()
            ready = [folder for folder in waiting if self._tried(folder, lambda one: not self._locked(one))]
            while seated := self._slots.seat(active, ready):
                folder, cards = seated[0]
                ready.remove(folder)
                if self._tried(folder, partial(self._start, cards=cards)):
                    active.append(folder)
            if not waiting and not active and before > len(self._unfinished):
                self._warm_up()  # for the next

    def _tried(self, folder: Path, part: Callable[[Path], Part]) -> Part | None:
        """One folder's part of a look; None where it goes wrong, which must not keep the others from their turn."""
        try:
            return part(folder)
        except Exception as error:
            if self._troubled.get(folder) != repr(error):
                self._troubled[folder] = repr(error)
                trace = not isinstance(error, PlaygroundError)
                log.warning("runs: %s could not be looked at, which is tried again: %s", folder.name, error, exc_info=trace)
            return None

    def _scan(self) -> None:
        """Find what has not ended, also what somebody began beside this app. What has ended is not read again until its status changes."""
        ended, there = {}, list(self._workspace.all("runs"))
        for folder in self._unfinished.difference(there):
            self.forget(folder)
        for folder in there:
            now = mark(folder / "status.json")
            if now is not None and self._ended.get(folder.name) == now:
                ended[folder.name] = now
            elif folder not in self._unfinished and (state := self._tried(folder, self._state)):
                if state not in record.FINAL:
                    self._unfinished.add(folder)
                elif now is not None:
                    ended[folder.name] = now
        self._ended = ended

    def _state(self, folder: Path) -> str:
        """Empty for a draft."""
        return str(record.status(folder)["state"]) if self._workspace.is_item(folder) else ""

    def _is_active(self, folder: Path) -> bool:
        """Whether a worker is at it; the status of a run whose worker is gone is put right on the way."""
        state = record.status(folder)["state"]
        if state == "queued":
            return False
        if state not in record.FINAL and self.alive(folder):
            self._insist(folder)
            return True
        state = record.status(folder)["state"]  # the worker's last word may have come just now
        if state in record.FINAL:
            if self.alive(folder):
                return True  # it still holds memory for a moment
            self.forget(folder)
            return False
        if self._booting(folder):
            return True
        self._bury(folder)
        return False

    def _booting(self, folder: Path) -> bool:
        """A worker that an app started just before it died may not have claimed its folder yet."""
        now = record.status(folder)
        if now.get("pid") or folder in self._children:
            return False
        since = elapsed(now.get("at"))
        return since is not None and since < BOOT * slots.processes(folder)

    def _insist(self, folder: Path) -> None:
        asked, now = record.request(folder), record.status(folder)
        if asked is None:
            return
        known = record.process_id(folder) if now.get("saving") else None
        sign = (now.get("updated"), known.work() if known is not None else None)
        last, since = self._heard.get(folder, (None, 0.0))
        if last != sign:  # measured here, because somebody may set the machine's clock
            self._heard[folder] = (sign, time.monotonic())
            return
        quiet = time.monotonic() - since
        # requests are heard between steps, and a large model takes minutes for one
        usual_step = now.get("seconds", 0.0) / max(1, now.get("step", 0))
        patience = self._patience * (SLOW_DISK if now.get("saving") else 1)  # and some more to be saved
        if quiet > max(patience, SLOW_STEPS * usual_step) and self.kill(folder):
            self._heard.pop(folder, None)
            why = Sentence(DEAF, seconds=round(quiet))
            cancelled = asked.get("kind") == "cancel"
            if not (resuming.fall_back_to_end(folder) if cancelled else resuming.rescue(folder, why)):
                self.finish(folder, "stopped", why)

    def _bury(self, folder: Path) -> None:
        child = self._children.get(folder)
        code = child.poll() if child is not None else None
        finished, now = record.manifest(folder), record.status(folder)
        asked, step = record.request(folder), now.get("step", 0)
        if finished is not None and resuming.replaced(folder, now):  # it ended between its last two writes
            self.finish(folder, finished.get("state", "done"))
        elif asked is not None and asked.get("kind") == "cancel":
            if not resuming.fall_back_to_end(folder):
                self.finish(folder, "stopped")
        elif code in (None, -9) and slots.processes(folder) == 1 and oom.since(now.get("ended_by_kernel"), self._ended_by_kernel()):
            why = Sentence(ending.NO_MEMORY, step=step)
            if not (resuming.rescue(folder, why) if asked is not None else resuming.with_less(folder)):
                self.finish(folder, "failed", why)
        else:
            self.finish(folder, *(ranks.word(folder, step) or ("failed", ending.by_exit(code, step))))

    def _locked(self, folder: Path) -> bool:
        """Whether a run waits for an access token, which its owner gave when it was put in line, and which an app forgets when it ends."""
        asked, now = record.config(folder), record.status(folder)
        locked = bool(asked.get("by_token")) and not _local(asked["model"]) and self._token(asked) is None
        if locked != (now.get("doing") is not None):
            write_json(folder / "status.json", {**now, "doing": pack(Sentence(FORGOTTEN, model=asked["model"]["id"])) if locked else None})
        return locked

    def _token(self, asked: dict[str, Any]) -> str | None:
        return self._secret(asked["owner"], asked["model"]["id"]) if self._secret else None

    def by_token(self, owner: str, model: str) -> bool:
        """Whether a worker would fetch this model with its owner's token."""
        return self._secret is not None and self._secret(owner, model) is not None

    def _start(self, folder: Path, cards: str | None) -> bool:
        """Hand a queued run to a new worker, which from then on owns its status; False where it has none and never will."""
        if not record.config(folder):
            self.finish(folder, "failed", Sentence(damage.LOST_ASKED, folder=folder))
            return False
        wanted = slots.processes(folder)
        if wanted > self.most_processes:
            self.finish(folder, "failed", Sentence(TOO_MANY, wanted=wanted, most=self.most_processes))
            return False
        (folder / ranks.WORD).unlink(missing_ok=True)
        try:
            self._make_room(folder)
        except Exception:
            log.exception("runs: no room could be made")
        now = record.status(folder)
        begun = {"launched": time.time(), "at": moment(), "seconds": now.get("seconds_before", 0.0), "pid": None, "gpu": cards}
        begun["ended_by_kernel"] = self._ended_by_kernel()
        write_json(folder / "status.json", {**now, "state": "starting", **begun})
        try:
            asked = record.config(folder)
            local = _local(asked["model"])
            token = None if local else self._token(asked)
            if token:
                came = access.by_token(self._workspace.home, asked["model"]["id"])
                came.parent.mkdir(exist_ok=True)
                came.touch()
            environ = environment(offline=local, token=token) | slots.environment(cards)
            ready = self.warm.take(folder) if local and not token and len(self._slots.cards) <= 1 else None
            self._children[folder] = ready or start_detached(
                command(self._worker, folder, wanted), folder / "worker.log", cwd=PROJECT, environ=environ
            )
        except OSError as error:
            log.exception("runs: a worker could not be started")
            why = error.strerror or Sentence("unknown")
            self.finish(folder, "failed", Sentence("The training process could not be started: {why}.", why=why))
            return False
        return True


def _local(ref: dict[str, Any]) -> bool:
    """Whether a worker finds the model on this machine."""
    return Path(ref["source"]).is_absolute() or hub.cached(ref["source"], ref.get("revision")) is not None
