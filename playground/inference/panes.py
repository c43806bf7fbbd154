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
PULSE = 0.25  # seconds without news after which the last states are told again


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
    the model began to read, `cut` the prompt's tokens that did not fit; `stopped_because` is "end", "stop", "length", "cancelled" or
    "error".
    """

    text: str = ""
    tokens: int = 0
    seconds: float = 0.0
    adapter: dict[str, str] | None = None
    done: bool = False
    stopped_because: str | None = None
    error: Sentence | None = None
    cut: int = 0
    prompt_tokens: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The form of `/compare`."""
        return {**vars(self), "error": str(self.error) if self.error else None, "seconds": round(self.seconds, 3)}


class Feed:
    """Where the writing thread leaves the newest states and the reader finds them."""

    def __init__(self, panes: Sequence[Pane]) -> None:
        self.states = {pane.key: PaneState() for pane in panes}
        self.cancel = threading.Event()
        self._queue: queue.SimpleQueue[dict[str, PaneState] | None] = queue.SimpleQueue()

    def change(self, key: str, **values: Any) -> None:
        self.states[key] = replace(self.states[key], **values)

    def fail(self, key: str, error: Exception) -> None:
        self.change(key, done=True, stopped_because="error", error=sentence_for(error))

    def tell(self) -> None:
        self._queue.put(dict(self.states))

    def end(self) -> None:
        self._queue.put(None)

    def __iter__(self) -> Iterator[dict[str, PaneState]]:
        """States as they change; a slow reader gets the newest and misses those between."""
        while True:
            try:
                states = self._queue.get(timeout=PULSE)
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
        return Sentence("The memory of this machine is full. Ask for a shorter answer, or choose a smaller model.")
    return Sentence(
        "The answer broke off for a reason that only the log knows: look for {reference} there, and ask again.", reference=reference
    )
