"""Passwords of documents while they are known: in the memory of this process alone, and for a while.

Nothing here is written to disk, logged or shown. Knows neither files nor how they are opened.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

SECONDS = 3600.0  # after its last use a password is forgotten


@dataclass
class _Known:
    word: str = field(repr=False)
    until: float


class Passwords:
    """By a collection's id and a document's SHA-256. Safe under threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Known] = {}
        self._lock = threading.Lock()
        self._alarm: threading.Timer | None = None

    def remember(self, collection: str, sha256: str, word: str) -> None:
        with self._lock:
            self._sweep()
            self._known[collection, sha256] = _Known(word, time.monotonic() + SECONDS)
            self._set_alarm()

    def get(self, collection: str, sha256: str) -> str | None:
        """The password, which is then known for another while."""
        with self._lock:
            self._sweep()
            known = self._known.get((collection, sha256))
            if known is None:
                return None
            known.until = time.monotonic() + SECONDS
            return known.word

    def of(self, sha256: str, collections: Iterable[str]) -> str | None:
        """The password of a document in any of these collections, as `get`."""
        return next((word for collection in collections if (word := self.get(collection, sha256)) is not None), None)

    def forget(self, collection: str, sha256: str | None = None) -> None:
        """That of a document, or those of a whole collection."""
        with self._lock:
            for key in [key for key in self._known if key[0] == collection and sha256 in (None, key[1])]:
                del self._known[key]

    def _sweep(self) -> None:
        now = time.monotonic()
        for key in [key for key, known in self._known.items() if known.until <= now]:
            del self._known[key]

    def _set_alarm(self) -> None:
        """Sweep also where nobody asks for a password any more."""
        if self._alarm is None and self._known:
            first = min(known.until for known in self._known.values())
            self._alarm = threading.Timer(max(0.0, first - time.monotonic()), self._ring)
            self._alarm.daemon = True
            self._alarm.start()

    def _ring(self) -> None:
        with self._lock:
            self._alarm = None
            self._sweep()
            self._set_alarm()
