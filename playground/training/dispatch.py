"""The line of runs: one worker at a time, started in the order of asking, and noticed when it dies.

A background thread looks at the unfinished runs twice a second. What it knows is on disk, so after a restart of the app the same thread
goes on watching workers that the former app started. A worker is known by its pid and start time, and by the lock it holds on its run
folder. Does not know owners, settings or what a worker does.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError, Sentence, pack
from playground.models import hub
from playground.settings import PROJECT
from playground.system import lock_file, start_detached
from playground.training import record
from playground.workspace import Workspace, write_json

log = logging.getLogger(__name__)
WORKER = (sys.executable, "-m", "playground.training.worker")
TICK = 0.5  # seconds between two looks
PATIENCE = 60.0  # seconds that a stop request may go without any sign of the worker
SLOW_STEPS = 5  # usual steps that a worker may be silent after a request
BOOT = 20.0  # seconds within which a started worker has to claim its folder
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN")


class Dispatcher:
    """Owns the transition of runs from queued to starting, and from dead to failed. All methods may be called from any thread."""

    def __init__(self, workspace: Workspace, worker: Sequence[str] = WORKER, patience: float = PATIENCE) -> None:
        self.lock = threading.RLock()  # held by whoever changes a status while no worker owns it
        self._workspace, self._worker, self._patience = workspace, tuple(worker), patience
        self._unfinished: set[Path] = set()
        self._children: dict[Path, subprocess.Popen[bytes]] = {}
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._scanned = False

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
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def add(self, folder: Path) -> None:
        """A run that waits to be started."""
        with self.lock:
            self._unfinished.add(folder)
        self._wake.set()

    def waiting(self) -> list[Path]:
        """Queued runs in the order in which they will start."""
        with self.lock:
            self._scan()
            queued = [
                (status.get("queued_at", 0.0), folder)
                for folder in self._unfinished
                if (status := record.status(folder))["state"] == "queued"
            ]
        return [folder for _, folder in sorted(queued)]

    def finish(self, folder: Path, state: str, error: Sentence | None = None, **more: Any) -> None:
        """Write the last status of a run that no worker owns."""
        with self.lock:
            before = record.status(folder)
            began = before.get("began")
            seconds = round(time.time() - began, 1) if began else 0.0
            ended = {
                **before,
                "state": state,
                "ended": time.time(),
                "seconds": seconds,
                "error": pack(error) if error else None,
                **more,
            }
            write_json(folder / "status.json", ended)
            self._unfinished.discard(folder)
            self._children.pop(folder, None)

    def alive(self, folder: Path) -> bool:
        """Whether a worker is at this run."""
        child = self._children.get(folder)
        if child is not None and child.poll() is None:
            return True
        known = record.process_id(folder)
        return known is not None and known.alive

    def kill(self, folder: Path, wait: float = 10.0) -> bool:
        """End a run's worker and its children at once; False when they are still there after `wait` seconds."""
        child = self._children.get(folder)
        if child is not None and child.poll() is None:
            _group(child)
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
            active = [folder for folder in sorted(self._unfinished) if self._is_active(folder)]
            if not active:
                waiting = self.waiting()
                if waiting:
                    self._start(waiting[0])

    def _scan(self) -> None:
        if not self._scanned:
            folders = self._workspace.list("runs")
            self._unfinished |= {folder for folder in folders if record.status(folder)["state"] not in record.FINAL}
            self._scanned = True

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
            self._unfinished.discard(folder)
            self._children.pop(folder, None)
            return False
        if not folder.exists():
            self._unfinished.discard(folder)
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
        return time.time() - now.get("launched", 0.0) < BOOT

    def _insist(self, folder: Path) -> None:
        asked, now = record.request(folder), record.status(folder)
        if asked is None:
            return
        quiet = time.time() - max(asked.get("at", 0.0), now.get("updated", 0.0))
        # requests are heard between steps, and a large model takes minutes for one
        usual_step = (now.get("updated", 0.0) - now.get("began", 0.0)) / max(1, now.get("step", 0))
        if quiet > max(self._patience, SLOW_STEPS * usual_step) and self.kill(folder):
            self.finish(
                folder, "stopped",
                Sentence("The run did not answer for {seconds} seconds when asked to stop, so it was ended and its last steps are lost.",
                         seconds=round(quiet)),
            )  # fmt: skip

    def _bury(self, folder: Path) -> None:
        child = self._children.get(folder)
        code = child.poll() if child is not None else None
        finished = record.manifest(folder)
        asked = record.request(folder)
        if finished is not None:  # it ended between its last two writes
            self.finish(folder, finished.get("state", "done"))
        elif asked is not None and asked.get("kind") == "cancel":
            self.finish(folder, "stopped")
        else:
            self.finish(folder, "failed", _reason(code, record.status(folder)))

    def _start(self, folder: Path) -> None:
        """Hand a queued run to a new worker, which from then on owns its status."""
        now = record.status(folder)
        write_json(folder / "status.json", {**now, "state": "starting", "launched": time.time(), "began": time.time(), "pid": None})
        try:
            ref = record.config(folder)["model"]
            source = ref["source"]
            local = Path(source).is_absolute() or hub.cached(source, ref.get("revision")) is not None
            command = (*self._worker, str(folder))
            self._children[folder] = start_detached(command, folder / "worker.log", cwd=PROJECT, environ=_environ(offline=local))
        except OSError as error:
            log.exception("runs: a worker could not be started")
            why = error.strerror or Sentence("unknown")
            self.finish(folder, "failed", Sentence("The training process could not be started: {why}.", why=why))


def claim(folder: Path) -> Any:
    """For the worker: hold its run folder, so that no second worker can work on it. None when another one holds it."""
    return lock_file(folder / "worker.lock")


def _reason(code: int | None, status: dict[str, Any]) -> Sentence:
    step = status.get("step", 0)
    if code is None or code == -9:
        return Sentence(
            "Training was ended from outside after step {step}, most often because the machine ran out of memory. "
            "Choose a smaller batch size or a smaller model, then train again.", step=step,
        )  # fmt: skip
    return Sentence(
        "Training stopped unexpectedly after step {step} (exit code {code}). The end of its log is below.", step=step, code=code
    )


def _group(child: subprocess.Popen[bytes]) -> None:
    try:
        if os.name == "posix":
            os.killpg(child.pid, 9)  # the worker leads its own group, and has not been reaped, so the number is still its own
        else:
            child.kill()
    except ProcessLookupError:
        pass


def _environ(*, offline: bool) -> dict[str, str]:
    """The worker's environment: nothing that reaches the network or a log where the model lies on this machine."""
    environ = {**os.environ, "PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1"}
    environ |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONFAULTHANDLER": "1"}
    environ |= {
        "MALLOC_MMAP_THRESHOLD_": str(64 * 1024**2),
        "MALLOC_TRIM_THRESHOLD_": str(512 * 1024**2),
    }  # glibc: keep what each step needs
    if offline:
        environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        for secret in SECRETS:
            environ.pop(secret, None)
    return environ
