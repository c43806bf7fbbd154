"""What is asked and what is shown: panes, the state of each answer, and the way from the writing thread to the reader.

Does not know models.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from playground.errors import PlaygroundError, Sentence
from playground.messages import Conversation
from playground.models.catalog import AdapterRef, ModelRef

log = logging.getLogger(__name__)
MEMORY_FULL = "The memory of this machine is full. Ask for a shorter answer, or choose a smaller model."
PULSE = 0.25  # seconds without news after which the last states are told again
NEWS = 0.015  # seconds between two pieces of news to any of the readers: thirty get theirs twice a second and leave the model its time
ALONE = 0.08  # seconds between two pieces of news to one reader: more often nobody sees it, and a browser is kept busy with drawing


@dataclass(frozen=True)
class Pane:
    """A question to one model, with one adapter or none. `key` names the pane in the answers."""

    key: str
    ref: ModelRef
    quantised: bool
    adapter: AdapterRef | None
    conversation: Conversation


@dataclass(frozen=True)
class PaneState:
    """An answer so far.

    `adapter` is who wrote it ({run_id, name, sha256}), as seen in the model itself, None for the base; `seconds` counts from the moment
    the model began to read, `first_seconds` until the first token; `cut` are the prompt's tokens that did not fit; `place` is how many
    stand in line up to this one, 0 once it is being written; `plain`: the model has no chat format of its own; `stopped_because` is "end",
    "stop", "length", "cancelled" or "error"; `served` is the model's name as the server that answered told it, None for one in memory.
    """

    text: str = ""
    tokens: int = 0
    seconds: float = 0.0
    first_seconds: float = 0.0
    adapter: dict[str, str] | None = None
    done: bool = False
    stopped_because: str | None = None
    error: Sentence | None = None
    cut: int = 0
    prompt_tokens: int = 0
    place: int = 0
    plain: bool = False
    served: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The form of `/compare`."""
        seconds = {"seconds": round(self.seconds, 3), "first_seconds": round(self.first_seconds, 3)}
        return {**vars(self), "error": str(self.error) if self.error else None, **seconds}


class Readers:
    """How many follow their answers at the moment, and so how often each may be told news. Safe under threads."""

    def __init__(self) -> None:
        self._lock, self._count = threading.Lock(), 0

    @contextlib.contextmanager
    def one_more(self) -> Iterator[None]:
        with self._lock:
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1

    @property
    def pause(self) -> float:
        """Seconds between two pieces of news for one reader."""
        return max(ALONE, NEWS * (self._count - 1))


READERS = Readers()


class Feed:
    """Where the writing threads leave the newest states and the reader finds them. It ends when all its panes are done."""

    def __init__(self, panes: Sequence[Pane]) -> None:
        self.states = {pane.key: PaneState() for pane in panes}
        self.cancel = threading.Event()
        self._lock = threading.Lock()  # panes of two models are written by two threads
        self._ended = False
        self._queue: queue.SimpleQueue[dict[str, PaneState] | None] = queue.SimpleQueue()

    def change(self, key: str, **values: Any) -> None:
        with self._lock:
            self.states[key] = replace(self.states[key], **values)

    def fail(self, key: str, error: Exception) -> None:
        self.change(key, done=True, stopped_because="error", error=sentence_for(error))

    def tell(self) -> None:
        """Let the reader know the states as they are now."""
        with self._lock:
            if self._ended:
                return
            self._queue.put(dict(self.states))
            if all(state.done for state in self.states.values()):
                self._ended = True
                self._queue.put(None)

    def __iter__(self) -> Iterator[dict[str, PaneState]]:
        """States as they change; a slow reader gets the newest and misses those between."""
        with READERS.one_more():
            yield from self._news()

    def _news(self) -> Iterator[dict[str, PaneState]]:
        while True:
            try:
                states = self._queue.get(timeout=PULSE + READERS.pause)
            except queue.Empty:  # a reader who wants to leave can only do so when it is handed something
                yield dict(self.states)
                continue
            if states is None:
                return
            ended = False
            with contextlib.suppress(queue.Empty):
                while (newer := self._queue.get_nowait()) is not None:
                    states = newer
                ended = True
            yield states
            if ended:
                return


def sentence_for(error: Exception) -> Sentence:
    """What a pane says about a failure; an unexpected one goes to the log under a reference."""
    if isinstance(error, PlaygroundError):
        return error.sentence
    reference = secrets.token_hex(4)
    log.error("answering failed, reference %s", reference, exc_info=error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return Sentence(MEMORY_FULL)
    return Sentence(
        "The answer broke off for a reason that only the log knows: look for {reference} there, and ask again.", reference=reference
    )
