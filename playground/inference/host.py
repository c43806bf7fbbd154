"""The models in memory and the answers they give: panes that share a base are written by one batch, and each says who wrote it.

One base per model and precision, kept while memory lasts; many adapters on it. Whoever asks follows an iterator; the work is done in a
thread of the base's own line, so that a reader who leaves or dawdles never keeps a model locked. Does not know runs, datasets or screens.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from playground.errors import PlaygroundError, PromptError
from playground.inference.base import Base
from playground.inference.generate import GenerationSettings
from playground.inference.inside import Answered, look
from playground.inference.line import Asked, Line
from playground.inference.panes import Feed, Pane, PaneState
from playground.messages import Conversation
from playground.models import library
from playground.models.catalog import AdapterRef, Catalog, ModelRef
from playground.models.folder import parameters_of
from playground.models.loading import free_memory, memory_needed

log = logging.getLogger(__name__)

MEMORY_SHARE = 0.5  # of the machine's memory, for bases that wait for their next question


class Host:
    """Answers for everybody; safe under threads. Callers of one base are answered together where they ask at the same time."""

    def __init__(self, catalog: Catalog, memory_mb: int | None = None) -> None:
        self._catalog = catalog
        self._limits = catalog.settings.limits
        self._memory_mb = int(psutil.virtual_memory().total // 1024**2 * MEMORY_SHARE) if memory_mb is None else memory_mb
        self._lines: dict[tuple[str, str | None, bool], Line] = {}
        self._lock = threading.Lock()

    def stream(self, panes: Sequence[Pane], settings: GenerationSettings) -> Iterator[dict[str, PaneState]]:
        """Answer every pane; yields the state of all of them as they grow, the last one whole. Closing the iterator ends the writing.

        A pane that fails says so in its `error`, and the others go on.

        Raises:
            PromptError: at once, where a prompt is empty or far too long.
        """
        for pane in panes:
            self.check(pane.conversation)
        if len({pane.key for pane in panes}) != len(panes):
            raise ValueError("two panes have one key")
        return self._follow(list(panes), settings)

    def _follow(self, panes: list[Pane], settings: GenerationSettings) -> Iterator[dict[str, PaneState]]:
        feed = Feed(panes)
        try:
            feed.tell()
            asked: dict[Line, list[Asked]] = {}
            for pane in panes:
                asked.setdefault(self._line(*_model_of(pane), pane.adapter), []).append(Asked(pane, settings, feed))
            for line, together in asked.items():
                line.join(together)
            yield from feed
        finally:
            feed.cancel.set()

    def look(self, panes: Sequence[Pane], answers: Sequence[Answered], wanted: int) -> dict[str, Any]:
        """Let the model of every pane read answers that are there already, and tell what it held possible at each place: see `inside`.

        Args:
            wanted: how many tokens an answer could have had; a prompt that is too long beside them is cut as it was for answering.

        Raises:
            PromptError: a prompt that is empty or far too long; ModelUnavailable: a model or an adapter that cannot be had or used.
        """
        for pane in panes:
            self.check(pane.conversation)
        shared: dict[tuple[str, str | None, bool], list[Pane]] = {}
        for pane in panes:
            shared.setdefault(_key(*_model_of(pane)), []).append(pane)
        return look(list(shared.values()), answers, self._held, wanted)

    @contextlib.contextmanager
    def _held(self, pane: Pane) -> Iterator[Base]:
        """The base of a pane, loaded and ours for a moment."""
        base = self._line(*_model_of(pane), pane.adapter).base
        with base.lock:
            self._prepare(base)
            yield base

    def check(self, conversation: Conversation) -> None:
        """Raises PromptError where a conversation asks nothing or is far too long."""
        if not any(message.content.strip() for message in conversation.prompt if message.role in ("user", "text")):
            raise PromptError("The question is empty. Write something first.")
        length = sum(len(message.content) for message in conversation.prompt)
        if length > self._limits.prompt_characters:
            raise PromptError(
                "The question has {length} characters; at most {limit} can be read. Shorten it, or put the text into Documents.",
                length=length,
                limit=self._limits.prompt_characters,
            )

    def _line(self, ref: ModelRef, quantised: bool, adapter: AdapterRef | None = None) -> Line:
        whole = adapter if adapter is not None and adapter.whole else None
        with self._lock:
            line = self._lines.setdefault(_key(ref, quantised), Line(Base(ref, quantised, whole), self._prepare))
            line.base.used = time.monotonic()
            return line

    def _prepare(self, base: Base) -> None:
        """Load a base, after making room for it. Its lock is held."""
        if base.ready:
            return
        self._make_room(base)
        base.prepare()

    def _make_room(self, base: Base) -> None:
        """Let go of bases unused for longest, none that is at work, until the new one fits beside the rest."""
        folder = Path(base.ref.source)
        parameters = parameters_of(folder) if folder.is_dir() else None
        needed = int((parameters or 0) * (1.0 if base.quantised else 4.0) // 1024**2)
        with self._lock:
            for old in sorted(self._lines.values(), key=lambda line: line.base.used):
                if sum(line.base.memory_mb for line in self._lines.values()) + needed <= self._memory_mb:
                    break
                if old.base is not base and not old.busy:
                    del self._lines[_key(old.base.ref, old.base.quantised)]
        free()

    def warm(self, ref: ModelRef, quantised: bool = False) -> threading.Thread:
        """Load a base in the background, so that its first answer comes at once; a failure is told to whoever asks it later."""

        def load() -> None:
            base = self._line(ref, quantised).base
            with base.lock:
                try:
                    self._prepare(base)
                except PlaygroundError as error:
                    log.info("not warmed: %s", error)

        thread = threading.Thread(target=load, name="warm", daemon=True)
        thread.start()
        return thread

    def weight(self, adapter: AdapterRef) -> tuple[int, int] | None:
        """(MB of 1024² bytes that a run takes which trained a whole model of its own, MB that are free), before it is loaded.

        None for an adapter, which takes next to nothing, and for a model that is in memory already or cannot be read.
        """
        if not adapter.whole:
            return None
        ref, quantised = _model_of(Pane("", adapter.model, adapter.quantised, adapter, Conversation(())))
        with self._lock:
            line = self._lines.get(_key(ref, quantised))
        needed = memory_needed(adapter.path, quantised)
        return None if needed is None or (line is not None and line.base.ready) else (needed, free_memory())

    def status(self) -> dict[str, Any]:
        """What is in memory: the model used last, MB of 1024² bytes of all, and its adapters' names; `models` has each."""
        with self._lock:
            lines = sorted((line for line in self._lines.values() if line.base.ready), key=lambda line: -line.base.used)
        models: list[dict[str, Any]] = [
            {
                "model": line.base.ref.id,
                "quantised": line.base.quantised,
                "memory_mb": line.base.memory_mb,
                "adapters": [one.name for one in line.base.adapters.loaded] if line.base.adapters else [],
                "adapters_mb": round(line.base.adapters.memory / 1024**2, 1) if line.base.adapters else 0,
                "busy": line.busy,
            }
            for line in lines
        ]
        first: dict[str, Any] = models[0] if models else {"model": None, "adapters": []}
        return {
            "model": first["model"],
            "memory_mb": sum(line.base.memory_mb for line in lines),
            "adapters": first["adapters"],
            "models": models,
        }

    def idle(self) -> bool:
        """Whether models are in memory that nobody is asking at the moment."""
        with self._lock:
            return any(line.base.ready and not line.busy for line in self._lines.values())

    def release_idle(self) -> None:
        """Forget the models that nobody is asking at the moment; the next question loads its model again."""
        with self._lock:
            for key, line in list(self._lines.items()):
                if not line.busy:
                    del self._lines[key]
        free()

    def release(self) -> None:
        """Forget all models; one that is writing an answer finishes it and then goes."""
        with self._lock:
            self._lines.clear()
        free()


def free() -> None:
    """Give memory back."""
    gc.collect()
    if library.ready():
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _model_of(pane: Pane) -> tuple[ModelRef, bool]:
    """Which model answers a pane, and whether in 4 bits: the pane's, or the one that its run trained as a whole."""
    if pane.adapter is not None and pane.adapter.whole:
        return replace(pane.ref, source=str(pane.adapter.path), revision=pane.adapter.sha256), False
    return pane.ref, pane.quantised


def _key(ref: ModelRef, quantised: bool) -> tuple[str, str | None, bool]:
    return ref.source, ref.revision, quantised
