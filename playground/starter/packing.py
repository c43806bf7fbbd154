"""Token streams: documents as one array of uint16, cut into windows in an order that a seed decides.

Knows token ids only. A window may begin inside a document: with short conversations and long stories, that costs little and keeps
every token in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np


def pack(documents: Iterable[Sequence[int]], separator: int) -> np.ndarray:
    """The documents' ids one after the other, the separator after each; shape (tokens,), uint16."""
    parts: list[np.ndarray] = []
    for document in documents:
        ids = np.asarray(document, dtype=np.int64)
        if ids.size and (ids.min() < 0 or ids.max() > np.iinfo(np.uint16).max):
            raise ValueError("A token id does not fit into 16 bits")
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

    def batch(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(inputs, targets), each (batch size, length) int64; the targets are the inputs one token later."""
        epoch, index = divmod(number, self.batches_per_epoch)
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, self.length, epoch])
            self._epoch, self._order, self._offset = epoch, rng.permutation(self.count), int(rng.integers(self.length))
        chosen = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        starts = chosen * self.length + self._offset
        rows = np.stack([self.tokens[s : s + self.length + 1] for s in starts]).astype(np.int64)
        return rows[:, :-1], rows[:, 1:]
