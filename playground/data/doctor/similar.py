"""Texts that are nearly the same, found without comparing each with each. Knows only texts.

The likeness of two texts is the Jaccard index of their sets of shingles (runs of a few characters): shared ones over all of either. The
least value of a random function over such a set is the same for two sets with a probability equal to that index (A. Broder, "On the
resemblance and containment of documents", Compression and Complexity of Sequences, 1997). A signature holds many such values; texts that
agree in a whole band of them are compared exactly, so that nothing is called alike that is not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SHINGLE = 4  # characters
ALIKE = 0.85
BANDS, ROWS = 16, 8  # finds 99 % of the pairs with a likeness of 0.85
MOST_COMPARED = 8  # texts a text is compared with: where very many are somewhat alike, those that share most bands
CHUNK = 1_000_000  # characters at a time, which bounds the memory
PRIME = np.uint64(0x9E3779B97F4A7C15)
MARKS = re.compile(r"(?<!\d)[.,]|[.,](?!\d)|[!?;:\"'“”‘’…]")
NUMBER = re.compile(r"\d+")


def bare(text: str) -> str:
    """A text as it is compared: without capitals, punctuation and white space that mean little; as it is where nothing else is there."""
    text = text.casefold()
    return " ".join(MARKS.sub("", text).split()) or " ".join(text.split())


def likeness(left: str, right: str) -> float:
    """The Jaccard index of the shingles of two bare texts, from 0 to 1."""
    one, other = _shingles(left), _shingles(right)
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def alike(left: str, right: str) -> bool:
    """Whether two bare texts are nearly the same. Texts with different numbers are not: they ask for different things."""
    if left == right:
        return True
    return NUMBER.findall(left) == NUMBER.findall(right) and likeness(left, right) >= ALIKE


def _shingles(text: str) -> set[str]:
    text = text.ljust(SHINGLE)
    return {text[start : start + SHINGLE] for start in range(len(text) - SHINGLE + 1)}


class Neighbours:
    """Finds, among the texts added so far, one that is nearly the same.

    What is found depends only on the texts and on the order in which they were added: the random function has a fixed seed.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.bands = _bands(texts)
        self.buckets: dict[tuple[int, int], list[int]] = {}

    def clear(self) -> None:
        self.buckets = {}

    def add(self, place: int) -> None:
        for bucket in self.bands.get(place, ()):
            members = self.buckets.setdefault(bucket, [])
            if len(members) < 4 * MOST_COMPARED:
                members.append(place)

    def find(self, place: int) -> int | None:
        """One of the added texts, by place, that is nearly the same as this one."""
        text = self.texts[place]
        near = Counter(other for bucket in self.bands.get(place, ()) for other in self.buckets.get(bucket, ()))
        return next((other for other, _ in near.most_common(MOST_COMPARED) if alike(text, self.texts[other])), None)


def _bands(texts: Sequence[str]) -> dict[int, list[tuple[int, int]]]:
    """Place -> the (band, value) pairs that its signature has in common with another text; without those that have none."""
    if not texts:
        return {}
    values = np.vstack([_signatures(texts[first:last]) for first, last in _chunks(texts)])
    found: dict[int, list[tuple[int, int]]] = {}
    for band in range(BANDS):
        _, which, counts = np.unique(values[:, band], return_inverse=True, return_counts=True)
        for place in np.flatnonzero(counts[which] > 1).tolist():
            found.setdefault(place, []).append((band, int(which[place])))
    return found


def _chunks(texts: Sequence[str]) -> list[tuple[int, int]]:
    bounds, first, size = [], 0, 0
    for place, text in enumerate(texts):
        size += len(text) + SHINGLE
        if size >= CHUNK:
            bounds.append((first, place + 1))
            first, size = place + 1, 0
    return [*bounds, (first, len(texts))] if first < len(texts) else bounds


def _signatures(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
    """One value per text and band, shape (texts, BANDS), each made of ROWS least values of its shingles."""
    padded = [text.ljust(SHINGLE) for text in texts]
    letters = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    ends = np.cumsum([len(text) for text in padded])
    starts = np.concatenate([[0], ends[:-1]])
    hashes = np.zeros(len(letters), dtype=np.uint64)
    for offset in range(SHINGLE):
        hashes = hashes * PRIME + np.roll(letters, -offset)
    hashes ^= hashes >> np.uint64(29)
    hashes *= PRIME
    # Runs that reach into the next text are no shingles: each text's stretch ends before them, and every second result is dropped.
    stretches = np.stack([starts, ends - SHINGLE + 1], axis=1).ravel()
    random = np.random.default_rng(0)
    factors, shifts, weights = (random.integers(1, 2**63, BANDS * ROWS, dtype=np.uint64) | np.uint64(1) for _ in range(3))
    values = np.zeros((len(texts), BANDS), dtype=np.uint64)
    for place in range(BANDS * ROWS):
        mixed = ((hashes * factors[place] + shifts[place]) >> np.uint64(32)).astype(np.uint32)
        least = np.minimum.reduceat(mixed, stretches)[::2]
        values[:, place // ROWS] += least.astype(np.uint64) * weights[place]
    return values
