"""Access tokens of the Hugging Face Hub that people typed, for models whose licence has to be accepted.

They live in the memory of this process and end with it: never in a file, a log, an exception, or what a page is sent. A token serves the
owner who gave it, while `Tokens.acting` says that work is done for this owner, and only for models that are closed without it: so a wrong
one keeps nobody from the open models. The host's own token is found by huggingface_hub itself and never passes through here.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from playground.errors import InputError

SHAPE = re.compile(r"hf_[A-Za-z0-9]{20,200}")
OWNERS = 1_000  # remembered at a time; the one who was not heard of for longest is asked again
ANOTHER_SHAPE = (
    "That is not an access token of the Hugging Face Hub: one begins with hf_, followed by at least 20 letters and digits. "
    "Make one at https://huggingface.co/settings/tokens, and copy the whole of it."
)


@dataclass
class _Kept:
    """What is known of one owner: the token, the models that wanted one, and those that the Hub kept closed when last asked."""

    token: str | None = field(default=None, repr=False)
    wanting: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)


class Tokens:
    """The tokens of one playground; safe under threads. Its text tells nothing, and it can be neither pickled nor copied."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "Tokens(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("tokens stay in memory")

    def keep(self, owner: str, token: str) -> None:
        """Remember an owner's token in place of the former one.

        Raises:
            InputError: it has not the shape of a token; what it was is not repeated.
        """
        given = token.strip() if isinstance(token, str) else ""
        if not SHAPE.fullmatch(given):
            raise InputError(ANOTHER_SHAPE)
        with self._lock:
            kept = self._of(owner)
            kept.token = given
            kept.closed.clear()  # it may open what the former one did not

    def has(self, owner: str) -> bool:
        """Whether this owner gave a token."""
        with self._lock:
            return owner in self._kept and self._kept[owner].token is not None

    def key(self, owner: str, model: str) -> str | None:
        """The token with which a worker may fetch a model for its owner: none where the model opens without one."""
        with self._lock:
            kept = self._kept.get(owner)
            return kept.token if kept and model in kept.wanting else None

    @contextmanager
    def acting(self, owner: str) -> Iterator[None]:
        """What is asked of the Hub inside, in this thread, is asked for this owner."""
        former = _acting.set((self, owner))
        try:
            yield
        finally:
            _acting.reset(former)

    def _of(self, owner: str) -> _Kept:
        """The lock is held."""
        kept = self._kept.setdefault(owner, _Kept())
        self._kept.move_to_end(owner)
        if len(self._kept) > OWNERS:
            self._kept.popitem(last=False)
        return kept


_acting: ContextVar[tuple[Tokens, str] | None] = ContextVar("acting", default=None)


def by_token(home: Path, model: str) -> Path:
    """The file whose being there says that a model came to this machine by a person's own token. It is empty."""
    return home / "by-token" / model.replace("/", "--")


def token() -> str | None:
    """The token of whom work is done for, where they gave one."""
    if (who := _acting.get()) is None:
        return None
    tokens, owner = who
    with tokens._lock:
        return tokens._kept[owner].token if owner in tokens._kept else None


def wanted(model: str) -> None:
    """Remember that a model did not open without a token."""
    if (who := _acting.get()) is not None:
        tokens, owner = who
        with tokens._lock:
            tokens._of(owner).wanting.add(model)


def answered(model: str, *, opened: bool) -> None:
    """Remember whether the Hub gave a model to whom work is done for."""
    if (who := _acting.get()) is not None:
        tokens, owner = who
        with tokens._lock:
            closed = tokens._of(owner).closed
            closed.discard(model) if opened else closed.add(model)


def closed(model: str) -> bool:
    """Whether the Hub refused a model when it was last asked for whom work is done for."""
    if (who := _acting.get()) is None:
        return False
    tokens, owner = who
    with tokens._lock:
        return owner in tokens._kept and model in tokens._kept[owner].closed
