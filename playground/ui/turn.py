"""One answer at a time on a page: a new question ends the answer before it, and Stop ends it where it is.

Gradio can end a running handler from the page, but then nobody says how far the answer had come, and what was still on its way is shown
after what came later. So the handler ends by itself, and whoever wants to go on waits until it has. Knows no models, and not what an answer
is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LEAVES = 10.0  # seconds after which an answer that does not end is no longer waited for: its reader may be gone


class Turn:
    """Whose turn it is on one page. Kept in a `gr.State`, which gives every page its own. Safe under threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._now: Answering | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Turn:
        return Turn()

    @contextmanager
    def taken(self, question: object) -> Iterator[Answering | None]:
        """Answer a question, once the answer before it has ended; None where that one answers the same question: one press came twice."""
        with self._changed:
            while (before := self._now) is not None and (before.over or before.question != question):
                self._end(before, overtaken=True)
            mine = Answering(question) if before is None else None
            self._now = mine or before
        try:
            yield mine
        finally:
            with self._changed:
                if mine is not None and self._now is mine:
                    self._now = None
                self._changed.notify_all()

    def stop(self) -> None:
        """End the answer that is being written, if any, and wait until it has shown its last."""
        with self._changed:
            if self._now is not None:
                self._end(self._now, overtaken=False)

    def _end(self, one: Answering, overtaken: bool) -> None:
        one.over, one.overtaken = True, one.overtaken or overtaken
        if not self._changed.wait_for(lambda: self._now is not one, LEAVES):
            self._now = None


class Answering:
    """An answer that is being written. `over`: it shall end now; `overtaken`: and show nothing more, since another is to be seen."""

    def __init__(self, question: object) -> None:
        self.question, self.over, self.overtaken = question, False, False
