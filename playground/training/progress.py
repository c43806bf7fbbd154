"""What the worker writes while it works: its status and its curve.

Status is replaced as a whole, at most twice a second; the curve gets one whole line per point. Imports nothing heavy, because the first
status is written before anything else is loaded. Knows nothing of TRL.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playground.errors import Sentence, StorageFull, pack, storage_errors
from playground.system import elapsed, memory_mb, moment
from playground.training import ranks, record
from playground.training.metrics import REWIND
from playground.workspace import write_json

EVERY = 0.5  # seconds between two writes of the status
RESERVE_BYTES = 64 * 1024  # freed when the disk is full, so that the last status still fits
MOST_BOOT = 60.0  # seconds between the app's order and the worker's first word that are counted
RECENT = 30  # steps over which speed is averaged


class Status:
    """status.json of a run whose worker this process is, or the main one of several."""

    def __init__(self, folder: Path) -> None:
        self._path, self._reserve = folder / "status.json", folder / ".reserve"
        me = ranks.head()
        self.now: dict[str, Any] = {
            **record.status(folder),
            "pid": me.pid,
            "pid_started": me.started,
            "boot": me.boot,
            "error": None,
            "ended": None,
            "saving": False,
        }
        # The time before counts what the app did to start this process, and earlier attempts.
        since = min(elapsed(self.now.get("at")) or 0.0, MOST_BOOT)
        self._began = time.monotonic() - since - self.now.get("seconds_before", 0.0)
        self._written = 0.0

    def reserve(self) -> None:
        """Hold the room that the last word will need.

        Raises:
            StorageFull: there is none even now.
        """
        try:
            with storage_errors():
                self._reserve.write_bytes(b"\1" * RESERVE_BYTES)
        except StorageFull:
            self._reserve.unlink(missing_ok=True)  # the part of it that there was room for
            raise

    def doing(self, sentence: Sentence, **values: Any) -> None:
        """Tell what takes a while, at once."""
        self.write(doing=pack(sentence), **values)

    def write(self, **values: Any) -> None:
        """Change some values and write the whole."""
        self.now.update(values, updated=time.time(), memory_mb=memory_mb(), at=moment(), seconds=round(self.seconds, 3))
        write_json(self._path, self.now)
        self._written = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long this run has been at work, in this process and those before."""
        return time.monotonic() - self._began

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """While large files are written, which may take minutes, nobody should take silence for deafness."""
        self.write(saving=True)
        yield
        self.write(saving=False)

    def maybe(self, **values: Any) -> None:
        """As `write`, but to disk only when the last write is a moment ago."""
        self.now.update(values)
        if time.monotonic() - self._written >= EVERY:
            self.write()

    def end(self, state: str, error: Sentence | None = None, **values: Any) -> None:
        """The last word of this worker."""
        self._reserve.unlink(missing_ok=True)
        self.now.pop("rescue", None)
        packed = pack(error) if error is not None else None
        self.write(state=state, error=packed, ended=time.time(), eta_seconds=None, doing=None, saving=False, **values)


class Unwritten(Status):
    """The same in a process beside the main one: for itself only."""

    def reserve(self) -> None:
        return None

    def write(self, **values: Any) -> None:
        self.now.update(values)

    def end(self, state: str, error: Sentence | None = None, **values: Any) -> None:
        self.write(state=state, **values)


class Log:
    """Standard output that may be lost: a full disk under the log must not end a run that could still say why it pauses."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Curve:
    """A file of one JSON object per line, only ever appended to: metrics.jsonl, and samples.jsonl likewise."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with storage_errors():
            self._file = path.open("ab")
            if self._file.tell() and not _ends_line(path):
                self._file.write(b"\n")  # a worker was killed in the middle of a line, which must not spoil the next

    def rewind(self, step: int) -> None:
        """What was written of later steps, if anything was, does not count: the run goes on from `step`."""
        if not self._file.tell():
            return
        self.write({REWIND: step})

    def add(self, step: int, **values: float | None) -> None:
        """One point; what is not finite or not given is left out.

        Raises:
            StorageFull: the disk is full; the points so far are whole.
        """
        self.write({"step": step, **{key: value for key, value in values.items() if value is not None and math.isfinite(value)}})

    def write(self, line: dict[str, Any]) -> None:
        """One line, whole on disk when this returns, but for a power cut."""
        with storage_errors():
            self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            self._file.flush()

    def to_disk(self) -> None:
        """Past the operating system's cache: a power cut from here on takes nothing of what was written.

        Raises:
            StorageFull: the disk is full.
        """
        with storage_errors():
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() == b"\n"


class Clock:
    """How fast it goes and how long it will take, from the last steps and checks."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, int]] = deque(maxlen=RECENT)  # seconds, tokens
        self._check_seconds = 0.0
        self._since = 0.0

    def start(self) -> None:
        self._since = time.perf_counter()

    def step(self, tokens: int) -> None:
        """A step has ended in which `tokens` were read."""
        self._steps.append((time.perf_counter() - self._since, tokens))

    def check(self, seconds: float) -> None:
        """A look at the validation rows took this long."""
        self._check_seconds = seconds

    @property
    def tokens_per_second(self) -> float | None:
        seconds = sum(one for one, _ in self._steps)
        return round(sum(tokens for _, tokens in self._steps) / seconds, 1) if seconds else None

    def eta(self, steps_left: int, checks_left: int) -> float | None:
        """Seconds that the remaining steps and checks will take; None before the first step."""
        if not self._steps:
            return None
        mean = sum(one for one, _ in self._steps) / len(self._steps)
        return round(steps_left * mean + checks_left * self._check_seconds, 1)
