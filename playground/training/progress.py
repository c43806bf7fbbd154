"""What the worker writes while it works: its status and its curve.

Status is replaced as a whole, at most twice a second; the curve gets one whole line per point. Imports nothing heavy, because the first
status is written before anything else is loaded. Knows nothing of TRL.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from pathlib import Path
from typing import Any

from playground.errors import Sentence, pack, storage_errors
from playground.system import ProcessId, memory_mb
from playground.training import record
from playground.workspace import write_json

EVERY = 0.5  # seconds between two writes of the status
RESERVE_BYTES = 64 * 1024  # freed when the disk is full, so that the last status still fits
RECENT = 30  # steps over which speed is averaged


class Status:
    """status.json of a run whose worker this process is."""

    def __init__(self, folder: Path) -> None:
        self._path, self._reserve = folder / "status.json", folder / ".reserve"
        me = ProcessId.of_self()
        self.now: dict[str, Any] = {**record.status(folder), "pid": me.pid, "pid_started": me.started, "error": None, "ended": None}
        self.now.setdefault("began", time.time())
        self._written = 0.0
        with storage_errors():
            self._reserve.write_bytes(b"\1" * RESERVE_BYTES)

    def doing(self, sentence: Sentence, **values: Any) -> None:
        """Tell what takes a while, at once."""
        self.write(doing=pack(sentence), **values)

    def write(self, **values: Any) -> None:
        """Change some values and write the whole."""
        now = time.time()
        self.now.update(values, updated=now, memory_mb=memory_mb(), seconds=round(now - self.now["began"], 1))
        write_json(self._path, self.now)
        self._written = now

    def maybe(self, **values: Any) -> None:
        """As `write`, but to disk only when the last write is a moment ago."""
        self.now.update(values)
        if time.time() - self._written >= EVERY:
            self.write()

    def end(self, state: str, error: Sentence | None = None, **values: Any) -> None:
        """The last word of this worker."""
        self._reserve.unlink(missing_ok=True)
        packed = pack(error) if error is not None else None
        self.write(state=state, error=packed, ended=time.time(), eta_seconds=None, doing=None, **values)


class Curve:
    """metrics.jsonl, appended line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with storage_errors():
            self._file = path.open("ab")

    def add(self, step: int, **values: float | None) -> None:
        """One point; what is not finite or not given is left out.

        Raises:
            StorageFull: the disk is full; the points so far are whole.
        """
        point = {"step": step, **{key: value for key, value in values.items() if value is not None and math.isfinite(value)}}
        with storage_errors():
            self._file.write(json.dumps(point).encode() + b"\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()


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
