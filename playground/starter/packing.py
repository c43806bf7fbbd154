"""Token streams: documents as one array of uint16, cut into windows in an order that a seed decides.

Knows token ids only, and how much each counts. A window may begin inside a document: with short conversations and long stories, that
costs little and keeps every token in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

# The two highest bits of a stored token say how much it counts in the loss: the words of an invented question are chance, and little is
# learnt from guessing them; its answer is what the conversation is for, and short.
LIGHT, HEAVY = 1 << 15, 1 << 14
IDS = HEAVY - 1
LIGHT_WEIGHT, HEAVY_WEIGHT = 0.1, 3.0


def weigh(ids: Sequence[int], turn_start: int, assistant: int, others: int = LIGHT) -> np.ndarray:
    """Mark the assistant's turns as heavy and all ``others`` as light (0: as plain text).

    A turn is ``turn_start``, then its role's first token, and what follows.
    """
    marked = np.asarray(ids, dtype=np.int64)
    starts = np.flatnonzero(marked == turn_start)
    if not starts.size:
        return marked
    own = marked[np.minimum(starts + 1, len(marked) - 1)] == assistant
    turn = np.searchsorted(starts, np.arange(len(marked)), side="right") - 1
    return np.where(turn < 0, marked, marked | np.where(own[turn], HEAVY, others))


def weights(tokens: np.ndarray, light: float = LIGHT_WEIGHT, heavy: float = HEAVY_WEIGHT) -> np.ndarray:
    """What each stored token counts in the loss, same shape, float32."""
    return np.where(tokens & LIGHT, light, np.where(tokens & HEAVY, heavy, 1.0)).astype(np.float32)


def pack(documents: Iterable[Sequence[int] | np.ndarray], separator: int) -> np.ndarray:
    """The documents' ids one after the other, the separator after each; shape (tokens,), uint16."""
    parts: list[np.ndarray] = []
    for document in documents:
        ids = np.asarray(document, dtype=np.int64)
        if ids.size and (ids.min() < 0 or ids.max() > np.iinfo(np.uint16).max):
            raise ValueError("A token id does not fit")
        parts.append(np.append(ids, separator).astype(np.uint16))
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint16)


def save(tokens: np.ndarray, path: Path) -> None:
    """Write as .npy, whole or not at all."""
    temporary = path.with_suffix(".tmp.npy")
    np.save(temporary, tokens)
    temporary.replace(path)


def load(path: Path) -> np.ndarray:
    """The packed tokens, read from the disk only where they are used."""
    return np.load(path, mmap_mode="r")


class Windows:
    """Batches of windows of a token stream, a fresh random order and a fresh offset each epoch.

    ``batch(n)`` depends on the seed and n alone, so training resumes exactly from a step number.
    """

    def __init__(self, tokens: np.ndarray, length: int, batch_size: int, seed: int) -> None:
        self.tokens, self.length, self.batch_size, self.seed = tokens, length, batch_size, seed
        # One window fewer than fits, so that each epoch can begin at another offset.
        self.count = (len(tokens) - 1) // length - 1
        if self.count < batch_size:
            raise ValueError(f"{len(tokens)} tokens are too few for a batch of {batch_size} windows of {length}")
        self.batches_per_epoch = self.count // batch_size
        self._epoch, self._order, self._offset = -1, np.zeros(0, dtype=np.int64), 0

    def batch(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(inputs, targets, weights), each (batch size, length), int64 and float32; the targets are the inputs one token later."""
        epoch, index = divmod(number, self.batches_per_epoch)
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, self.length, epoch])
            self._epoch, self._order, self._offset = epoch, rng.permutation(self.count), int(rng.integers(self.length))
        chosen = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        starts = chosen * self.length + self._offset
        rows = np.stack([self.tokens[s : s + self.length + 1] for s in starts]).astype(np.int64)
        ids = rows & IDS
        return ids[:, :-1], ids[:, 1:], weights(rows[:, 1:])


class Repeats:
    """Batches of chance tokens said again and again, from which a model learns to copy within some hundred steps.

    Copying heads come late from prose alone (Olsson et al. 2022, arXiv 2209.11895). ``batch(n)`` depends on the seed and n alone.
    """

    def __init__(self, vocabulary: int, length: int, batch_size: int, seed: int, first: int = 4) -> None:
        self.vocabulary, self.length, self.batch_size, self.seed, self.first = vocabulary, length, batch_size, seed, first

    def batch(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As ``Windows.batch``; what is said for the first time is light."""
        rng = np.random.default_rng([self.seed, number])
        rows = np.stack([self._row(rng) for _ in range(self.batch_size)])
        ids = rows & IDS
        return ids[:, :-1], ids[:, 1:], weights(rows[:, 1:], light=0.05)

    def _row(self, rng: np.random.Generator) -> np.ndarray:
        parts: list[np.ndarray] = []
        while sum(len(part) for part in parts) <= self.length:
            said = rng.integers(self.first, self.vocabulary, int(rng.integers(4, 64)))
            parts += [said | LIGHT] + [said] * int(rng.integers(1, 4))
        return np.concatenate(parts)[: self.length + 1]
