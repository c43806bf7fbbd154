"""The line of questions to one base: who asks at the same moment is answered in the same batch, the others in the order of asking.

A batch holds every question whose adapter can share it, as far as memory allows. The thread that writes lives while somebody waits.
Does not know which bases there are, or who asks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from playground.errors import ModelUnavailable
from playground.inference.adapters import Loaded, together
from playground.inference.base import Base, Row
from playground.inference.generate import GenerationSettings
from playground.inference.panes import READERS, Feed, Pane
from playground.models.catalog import AdapterRef
from playground.models.template import encode, plain_template
from playground.models.texts import is_text

log = logging.getLogger(__name__)
GATHER = 0.05  # seconds for which a batch waits for others who ask at the same moment
GATHER_MOST = 0.5  # and at most, while others go on coming: a class that is told "now" takes a while to arrive
MOST_ROWS = 64
NOT_ITS_OWN = "This answer was not written by the model it was asked of, so it is not shown. Ask again."


@dataclass(frozen=True, eq=False)
class Asked:
    """One pane of somebody's question. Its feed is cancelled when nobody reads it any more."""

    pane: Pane
    settings: GenerationSettings
    feed: Feed


class Line:
    """Who waits for `base`. Safe under threads. `prepare` loads the base, whose lock is held."""

    def __init__(self, base: Base, prepare: Callable[[Base], None]) -> None:
        self.base, self._prepare = base, prepare
        self._waiting: list[Asked] = []
        self._lock = threading.Lock()
        self._working = False

    @property
    def busy(self) -> bool:
        """Whether the model loads, writes, or is waited for."""
        return self._working or self.base.lock.locked()

    def join(self, asked: Sequence[Asked]) -> None:
        """Wait for an answer; what becomes of it is told to each one's feed."""
        with self._lock:
            self._waiting += asked
            self._tell_places()
            if not self._working:
                self._working = True
                threading.Thread(target=self._work, name="answers", daemon=True).start()

    def _work(self) -> None:
        while True:
            self._gather()
            with self._lock:
                self._waiting = [one for one in self._waiting if not one.feed.cancel.is_set()]
                if not self._waiting:
                    self._working = False
                    return
            try:
                with self.base.lock:
                    self._next()
            except Exception as error:  # nobody may be left waiting by a failure that nobody has thought of
                with self._lock:
                    lost, self._waiting = self._waiting, []
                _fail(lost, error)

    def _gather(self) -> None:
        """Wait for those who ask at the same moment, as long as they keep coming."""
        began, here = time.monotonic(), -1
        while here != len(self._waiting) and time.monotonic() - began < GATHER_MOST and len(self._waiting) < MOST_ROWS:
            here = len(self._waiting)
            time.sleep(GATHER)

    def _next(self) -> None:
        """Write one batch. The base's lock is held."""
        self._prepare(self.base)
        rows = self._take()
        if not rows:
            return
        try:
            self._write(rows)
        except Exception as error:
            # PEFT leaves its hooks on the model when a batch breaks off, and later answers would be another's: start afresh.
            self.base.forget()
            _fail([one for one, _ in rows], error)

    def _take(self) -> list[tuple[Asked, Row]]:
        """The next batch: the first in line and all who can share it; one whose adapter cannot be had fails by itself."""
        with self._lock:
            first = self._waiting[0]
            shared = self._shares(first)
            batch = [one for one in self._waiting if (self._shares(one) if shared else _adapter(one) == _adapter(first))][:MOST_ROWS]
        batch = [one for one, fits in zip(batch, together(map(_adapter, batch)), strict=True) if fits]
        loaded = self._put_on(batch)
        rows: list[tuple[Asked, Row]] = []
        for one in batch:
            if one not in loaded:
                continue
            row = self._row(one, loaded[one])
            if rows and not self.base.holds([*(before for _, before in rows), row]):
                break
            rows.append((one, row))
        taken = {one for one, _ in rows} | {one for one in batch if one not in loaded}
        with self._lock:
            self._waiting = [one for one in self._waiting if one not in taken]
            self._tell_places()
        return rows

    def _shares(self, one: Asked) -> bool:
        adapter = _adapter(one)
        return adapter is None or (self.base.adapters is not None and self.base.adapters.mixable(adapter))

    def _put_on(self, batch: Sequence[Asked]) -> dict[Asked, Loaded | None]:
        """The adapter of each, loaded. One that is damaged takes others off the model with it, so these are put on again."""
        found: dict[Asked, Loaded | None] = {}
        left = list(batch)
        failed = True
        while failed:
            failed, found = False, {}
            keep: set[str] = set()
            for one in list(left):
                try:
                    adapter = _adapter(one)
                    loaded = self.base.adapters.put_on(adapter, frozenset(keep)) if adapter and self.base.adapters else None
                except ModelUnavailable as error:
                    one.feed.fail(one.pane.key, error)
                    one.feed.tell()
                    left.remove(one)
                    failed = True
                    break
                found[one] = loaded
                keep |= {loaded.key} if loaded else set()
        return found

    def _row(self, one: Asked, adapter: Loaded | None) -> Row:
        room = self.base.ref.window - self.base.room(one.settings.max_new_tokens)
        encoded = encode(self.base.tokenizer, one.pane.conversation, room, generation=True)
        plain = plain_template(self.base.tokenizer) and not is_text(one.pane.conversation)
        one.feed.change(one.pane.key, cut=encoded.cut, prompt_tokens=len(encoded.ids), place=0, plain=plain)
        return self.base.row(encoded.ids, adapter, one.settings, one.feed.cancel, turns=not is_text(one.pane.conversation))

    def _write(self, rows: Sequence[tuple[Asked, Row]]) -> None:
        feeds = list(dict.fromkeys(one.feed for one, _ in rows))
        unfinished, due = list(rows), 0.0

        def told() -> None:
            """News for those whose answer is whole at once, for all others when it is time."""
            nonlocal unfinished, due
            whole = {one.feed for one, row in unfinished if row.answer.finished}
            now = time.monotonic()
            if now >= due:
                due, whole = now + READERS.pause, set(feeds)
            elif not whole:
                return
            for one, row in unfinished:
                if one.feed in whole:
                    _tell(one, row)
            unfinished = [(one, row) for one, row in unfinished if not row.answer.finished]
            for feed in feeds:
                if feed in whole:
                    feed.tell()

        self.base.answer([row for _, row in rows], told)
        for one, row in rows:
            if not _by_whom_it_was_asked(one, row):
                log.error("pane %s was answered by %s instead of %s", one.pane.key, row.proof, one.pane.adapter)
                one.feed.change(one.pane.key, text="", tokens=0)
                one.feed.fail(one.pane.key, ModelUnavailable(NOT_ITS_OWN))
            elif row.answer.finished is None:
                _tell(one, row)
                one.feed.change(one.pane.key, done=True, stopped_because="cancelled")
        for feed in feeds:
            feed.tell()

    def _tell_places(self) -> None:
        """How many come before each who waits, counted in people. The lock is held."""
        places = {feed: place for place, feed in enumerate(dict.fromkeys(one.feed for one in self._waiting), 1)}
        moved = [one for one in self._waiting if one.feed.states[one.pane.key].place != places[one.feed]]
        for one in moved:
            one.feed.change(one.pane.key, place=places[one.feed])
        for feed in dict.fromkeys(one.feed for one in moved):  # nobody else has news: who comes last moves nobody
            feed.tell()


def _adapter(one: Asked) -> AdapterRef | None:
    adapter = one.pane.adapter
    return None if adapter is None or adapter.whole else adapter


def _by_whom_it_was_asked(one: Asked, row: Row) -> bool:
    return not row.answer.tokens or (row.proof or {}).get("sha256") == (one.pane.adapter.sha256 if one.pane.adapter else None)


def _tell(one: Asked, row: Row) -> None:
    """Leave in the feed what a row has come to."""
    own, finished = _by_whom_it_was_asked(one, row), row.answer.finished
    one.feed.change(
        one.pane.key,
        text=row.answer.text if own else "",
        tokens=row.answer.tokens,
        seconds=row.seconds,
        first_seconds=row.first_seconds,
        adapter=row.proof,
        done=finished is not None and own,
        stopped_because=finished,
    )


def _fail(asked: Sequence[Asked], error: Exception) -> None:
    for one in asked:
        if not one.feed.states[one.pane.key].done:
            one.feed.fail(one.pane.key, error)
        one.feed.tell()
