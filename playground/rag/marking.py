"""Where the words of a quote stand on a page: units (characters or words, in reading order) with boxes in, boxes to mark out.

What a page shows and what was read from it differ in white space, in words divided at a line's end, in quotation marks, dashes, ligatures
and accents, so only letters and digits count. Pure functions; knows neither PDFs nor pictures.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise

from playground.rag.boxes import Box

MOST_WORDS = 10_000  # of a page that are compared one by one
RUN = 3  # words in a row that make a part of a quote, where it does not stand on the page as a whole
TRAILING = 3  # marks after the last letter that a quote takes along
APART = 2.5  # a gap wider than so many line heights ends a mark


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Letters and digits alone, small, without accents and ligatures."""
    return "".join(c for c in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()) if c.isalnum())


def find(units: Sequence[str], quote: str, near: float = 0.0) -> list[int]:
    """The places of the units that a quote covers; empty where it is not there.

    Args:
        near: where on the page (0..1) it is expected, which decides where it stands there several times.

    A quote that goes on on another page, or that was read with a slip, is found by runs of its words.
    """
    wanted = fold(quote)
    if not wanted:
        return []
    folded = [fold(unit) for unit in units]
    owners = [place for place, text in enumerate(folded) for _ in text]
    whole = "".join(folded)
    starts = []
    at = whole.find(wanted)
    while at >= 0:
        starts.append(at)
        at = whole.find(wanted, at + 1)
    if not starts:
        return _runs(units, quote)
    start = min(starts, key=lambda one: abs(one - near * len(whole)))
    first, last = owners[start], owners[start + len(wanted) - 1]
    tail = len(quote) - len(quote.rstrip("".join(c for c in set(quote) if not c.isalnum())))
    for _ in range(min(tail, TRAILING)):
        if last + 1 < len(units) and units[last + 1].strip() and not folded[last + 1]:
            last += 1
    return list(range(first, last + 1))


def _runs(units: Sequence[str], quote: str) -> list[int]:
    """The units of the longest runs of words that page and quote share."""
    words, spans = _words(units)
    wanted = [word for word in (fold(part) for part in quote.split()) if word]
    blocks = SequenceMatcher(None, words, wanted, autojunk=False).get_matching_blocks()
    long = [block for block in blocks if block.size >= min(RUN, max(1, len(wanted)))]
    return [place for block in long for start, end in spans[block.a : block.a + block.size] for place in range(start, end)]


def _words(units: Sequence[str]) -> tuple[list[str], list[tuple[int, int]]]:
    """The page's words, folded, and for each the range of its units; a unit that is several letters is a word of its own."""
    words: list[str] = []
    spans: list[tuple[int, int]] = []
    grows = False
    for place, unit in enumerate(units):
        text = fold(unit)
        if not text:
            grows = grows and bool(unit.strip())
        elif grows and len(unit) == 1:
            words[-1] += text
            spans[-1] = (spans[-1][0], place + 1)
        else:
            if len(words) == MOST_WORDS:
                break
            words.append(text)
            spans.append((place, place + 1))
            grows = len(unit) == 1
    return words, spans


def lines(boxes: Sequence[Box]) -> list[Box]:
    """Boxes in reading order joined to one a line, whether lines run across the page or, on a page that lies on its side, along it."""
    steps = [(abs(b.left + b.right - a.left - a.right), abs(b.top + b.bottom - a.top - a.bottom)) for a, b in pairwise(boxes)]
    if sum(x >= y for x, y in steps) * 2 >= len(steps):
        return _joined(boxes)
    return [_turned(box) for box in _joined([_turned(box) for box in boxes])]


def _joined(boxes: Sequence[Box]) -> list[Box]:
    told: list[Box] = []
    for box in boxes:
        before = told[-1] if told else None
        if before is not None:
            height = max(before.bottom - before.top, box.bottom - box.top)
            shared = min(before.bottom, box.bottom) - max(before.top, box.top)
            gap = max(box.left - before.right, before.left - box.right)
            if shared >= 0.5 * min(before.bottom - before.top, box.bottom - box.top) and gap <= APART * height:
                told[-1] = _around(before, box)
                continue
        told.append(box)
    return told


def _around(one: Box, other: Box) -> Box:
    return replace(
        one,
        text=one.text + other.text,
        left=min(one.left, other.left),
        top=min(one.top, other.top),
        right=max(one.right, other.right),
        bottom=max(one.bottom, other.bottom),
        confidence=None,
    )


def _turned(box: Box) -> Box:
    return replace(box, left=box.top, top=box.left, right=box.bottom, bottom=box.right)


def marks(readings: Sequence[Sequence[tuple[str, Box | None]]], quote: str, near: float = 0.0) -> list[Box]:
    """The boxes to mark for a quote, one a line, by that of a page's readings in which most of it is found."""
    best: list[Box] = []
    for units in readings:
        found = find([text for text, _ in units], quote, near)
        boxes = [box for place in found if (box := units[place][1]) is not None and units[place][0].strip()]
        best = max(best, boxes, key=len)
    return lines(best)
