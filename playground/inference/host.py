"""The models in memory and the answers they give: panes that share a base are written by one batch, and each says who wrote it.

One base per model and precision, kept while memory lasts; many adapters on it. Whoever asks follows an iterator; the work is done in a
thread of its own, so that a reader who leaves or dawdles never keeps a model locked. Does not know runs, datasets or screens.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from playground.errors import ModelUnavailable, PlaygroundError, PromptError
from playground.inference.base import Base, Row
from playground.inference.generate import GenerationSettings
from playground.inference.panes import Feed, Pane, PaneState
from playground.messages import Conversation
from playground.models import library
from playground.models.catalog import Catalog, ModelRef
from playground.models.folder import parameters_of
from playground.models.template import encode
from playground.models.texts import is_text

log = logging.getLogger(__name__)

MEMORY_SHARE = 0.5  # of the machine's memory, for bases that wait for their next question


class Host:
    """Answers for everybody; safe under threads. Callers of one base wait for each other."""

    def __init__(self, catalog: Catalog, memory_mb: int | None = None) -> None:
        self._catalog = catalog
        self._limits = catalog.settings.limits
        self._memory_mb = int(psutil.virtual_memory().total // 1024**2 * MEMORY_SHARE) if memory_mb is None else memory_mb
        self._bases: dict[tuple[str, str | None, bool], Base] = {}
        self._lock = threading.Lock()

    def stream(self, panes: Sequence[Pane], settings: GenerationSettings) -> Iterator[dict[str, PaneState]]:
        """Answer every pane; yields the state of all of them as they grow, the last one whole. Closing the iterator ends the writing.

        A pane that fails says so in its `error`, and the others go on.

        Raises:
            PromptError: at once, where a prompt is empty or far too long.
        """
        for pane in panes:
            self._check(pane.conversation)
        if len({pane.key for pane in panes}) != len(panes):
            raise ValueError("two panes have one key")
        return self._follow(list(panes), settings)

    def _follow(self, panes: list[Pane], settings: GenerationSettings) -> Iterator[dict[str, PaneState]]:
        feed = Feed(panes)
        threading.Thread(target=self._write, args=(panes, settings, feed), name="answers", daemon=True).start()
        try:
            yield from feed
        finally:
            feed.cancel.set()

    def _check(self, conversation: Conversation) -> None:
        if not any(message.content.strip() for message in conversation.prompt if message.role in ("user", "text")):
            raise PromptError("The question is empty. Write something first.")
        length = sum(len(message.content) for message in conversation.prompt)
        if length > self._limits.prompt_characters:
            raise PromptError(
                "The question has {length} characters; at most {limit} can be read. Shorten it, or put the text into Documents.",
                length=length,
                limit=self._limits.prompt_characters,
            )

    def _write(self, panes: list[Pane], settings: GenerationSettings, feed: Feed) -> None:
        """The work behind `stream`: base by base, in the order of the panes."""
        try:
            feed.tell()
            groups: dict[tuple[str, str | None, bool], list[Pane]] = {}
            for pane in panes:
                groups.setdefault(_key(pane.ref, pane.quantised), []).append(pane)
            for group in groups.values():
                if feed.cancel.is_set():
                    break
                try:
                    self._answer(group, settings, feed)
                except Exception as error:
                    for pane in group:
                        if not feed.states[pane.key].done:
                            feed.fail(pane.key, error)
            for pane in panes:
                if not feed.states[pane.key].done:
                    feed.change(pane.key, done=True, stopped_because="cancelled")
            feed.tell()
        finally:
            feed.end()

    def _answer(self, panes: list[Pane], settings: GenerationSettings, feed: Feed) -> None:
        """Panes of one base: those that can share a batch first, then the others in turn."""
        base = self._base(panes[0].ref, panes[0].quantised)
        with base.lock:
            if feed.cancel.is_set():
                return
            self._prepare(base)
            together, alone = self._sorted(base, panes, feed)
            for batch in ([together] if together else []) + [[pane] for pane in alone]:
                if feed.cancel.is_set():
                    return
                try:
                    self._batch(base, batch, settings, feed)
                except PlaygroundError as error:
                    for pane in batch:
                        feed.fail(pane.key, error)
                except Exception:
                    # PEFT leaves its hooks on the model when a batch breaks off, and later answers would be another's: start afresh.
                    base.forget()
                    raise

    def _sorted(self, base: Base, panes: list[Pane], feed: Feed) -> tuple[list[Pane], list[Pane]]:
        """Panes whose adapters can share a batch, and those that answer alone; a pane whose adapter cannot be had fails by itself."""
        together: list[Pane] = []
        alone: list[Pane] = []
        for pane in panes:
            if pane.adapter is None:
                together.append(pane)
                continue
            try:
                (together if base.adapters and base.adapters.put_on(pane.adapter).mixable else alone).append(pane)
            except ModelUnavailable as error:
                feed.fail(pane.key, error)
        return together, alone

    def _batch(self, base: Base, panes: list[Pane], settings: GenerationSettings, feed: Feed) -> None:
        if base.adapters is None:
            raise RuntimeError("the model is not loaded")
        room = base.ref.window - base.room(settings.max_new_tokens)
        rows: list[tuple[Pane, Row]] = []
        keep: set[str] = set()
        for pane in panes:
            loaded = base.adapters.put_on(pane.adapter, frozenset(keep)) if pane.adapter else None
            keep |= {loaded.key} if loaded else set()
            encoded = encode(base.tokenizer, pane.conversation, room, generation=True)
            rows.append((pane, base.row(encoded.ids, loaded, settings, turns=not is_text(pane.conversation))))
            feed.change(pane.key, cut=encoded.cut, prompt_tokens=len(encoded.ids))

        def told() -> None:
            for pane, row in rows:
                finished = row.answer.finished
                feed.change(
                    pane.key,
                    text=row.answer.text,
                    tokens=row.answer.tokens,
                    seconds=row.seconds,
                    adapter=row.proof,
                    done=finished is not None,
                    stopped_because=finished,
                )
            feed.tell()

        base.answer([row for _, row in rows], settings, feed.cancel, told)
        for pane, row in rows:
            if row.answer.tokens and (row.proof or {}).get("sha256") != (row.adapter.sha256 if row.adapter else None):
                log.error("pane %s was answered by %s instead of %s", pane.key, row.proof, row.adapter)
                feed.change(pane.key, text="", tokens=0)
                feed.fail(
                    pane.key, ModelUnavailable("This answer was not written by the model it was asked of, so it is not shown. Ask again.")
                )

    def _base(self, ref: ModelRef, quantised: bool) -> Base:
        with self._lock:
            base = self._bases.setdefault(_key(ref, quantised), Base(ref, quantised))
            base.used = time.monotonic()
            return base

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
            for old in sorted(self._bases.values(), key=lambda one: one.used):
                if sum(one.memory_mb for one in self._bases.values()) + needed <= self._memory_mb:
                    break
                if old is not base and not old.lock.locked():
                    del self._bases[_key(old.ref, old.quantised)]
        free()

    def warm(self, ref: ModelRef, quantised: bool = False) -> threading.Thread:
        """Load a base in the background, so that its first answer comes at once; a failure is told to whoever asks it later."""

        def load() -> None:
            base = self._base(ref, quantised)
            with base.lock:
                try:
                    self._prepare(base)
                except PlaygroundError as error:
                    log.info("not warmed: %s", error)

        thread = threading.Thread(target=load, name="warm", daemon=True)
        thread.start()
        return thread

    def status(self) -> dict[str, Any]:
        """What is in memory: the model used last, MB of 1024² bytes of all, and its adapters' names; `models` has each."""
        with self._lock:
            bases = sorted((base for base in self._bases.values() if base.ready), key=lambda base: -base.used)
        models = [
            {
                "model": base.ref.id,
                "quantised": base.quantised,
                "memory_mb": base.memory_mb,
                "adapters": [one.name for one in base.adapters.loaded] if base.adapters else [],
                "busy": base.lock.locked(),
            }
            for base in bases
        ]
        first = models[0] if models else {"model": None, "adapters": []}
        return {
            "model": first["model"],
            "memory_mb": sum(base.memory_mb for base in bases),
            "adapters": first["adapters"],
            "models": models,
        }

    def release(self) -> None:
        """Forget all models; one that is writing an answer finishes it and then goes."""
        with self._lock:
            self._bases.clear()
        free()


def free() -> None:
    """Give memory back."""
    gc.collect()
    if library.ready():
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _key(ref: ModelRef, quantised: bool) -> tuple[str, str | None, bool]:
    return ref.source, ref.revision, quantised
