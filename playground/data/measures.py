"""Figures about examples: a histogram of their lengths, words in the middle. Pure arithmetic; knows no tokens, models or pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

from playground.messages import Message

BINS = 24


def histogram(values: Sequence[int], edge: int, bins: int = BINS) -> list[tuple[int, int, int]]:
    """(from, up to, how many) over the range of the values, about ``bins`` of one width; ``edge`` is a border where it lies within."""
    if not values:
        return []
    low, high = min(values), max(values) + 1
    width = max(1, -(-(high - low) // bins))
    edges = sorted({*range(low, high, width), high, *([edge] if low < edge < high else [])})
    return [(start, end, sum(start <= value < end for value in values)) for start, end in pairwise(edges)]


def middle_words(turns: Iterable[Sequence[Message]]) -> int:
    """Words of the last turn, the median over all conversations that have one."""
    counts = [len(messages[-1].content.split()) for messages in turns if messages]
    return int(median(counts)) if counts else 0
