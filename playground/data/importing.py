"""A large file on its way in, on a thread of its own, so that somebody can see how far it is and stop it.

Knows how far and how long; what reading means is `DatasetStore.import_file`.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from playground.errors import NotFound, WrongState

STOPPED = "Reading the file was stopped, and nothing of it was kept."
Told = Callable[[float], None]


class Import:
    """`share` of the file that is read (0 to 1); `result` is what the work gave, once `wait` says that it is over."""

    def __init__(self, owner: str, work: Callable[[Told], dict[str, Any]]) -> None:
        self.id, self.owner = secrets.token_hex(6), owner
        self.share = 0.0
        self._work, self._stop, self._over = work, threading.Event(), threading.Event()
        self._began = time.monotonic()
        self._result: dict[str, Any] = {}
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="import", daemon=True).start()

    def stop(self) -> None:
        """Give up at the next piece."""
        self._stop.set()

    def wait(self, seconds: float) -> bool:
        """Whether it is over by then."""
        return self._over.wait(seconds)

    @property
    def seconds_left(self) -> float | None:
        """By the pace so far; None where nobody can tell yet."""
        return (time.monotonic() - self._began) * (1 - self.share) / self.share if self.share > 0.02 else None

    @property
    def result(self) -> dict[str, Any]:
        """Raises what kept it from ending well."""
        if self._error is not None:
            raise self._error
        return self._result

    def _told(self, share: float) -> None:
        self.share = share
        if self._stop.is_set():
            raise WrongState(STOPPED)

    def _run(self) -> None:
        try:
            self._result = self._work(self._told)
        except BaseException as error:  # for whoever asks for the result; readers written in Rust panic with a kind of their own
            self._error = error
        finally:
            self._over.set()


class Imports:
    """The imports under way, each its owner's."""

    def __init__(self) -> None:
        self._running: dict[str, Import] = {}

    def start(self, owner: str, work: Callable[[Told], dict[str, Any]]) -> Import:
        self._running = {id: one for id, one in self._running.items() if not one.wait(0)}
        made = Import(owner, work)
        self._running[made.id] = made
        return made

    def stop(self, owner: str, id: str) -> None:
        """Raises NotFound where there is no such import of this owner."""
        found = self._running.get(id)
        if found is None or found.owner != owner:
            raise NotFound("This file is not being read any more.")
        found.stop()
