"""Pages as people write them (`7`, `p. 7`, `pages 3-4`, `págs. 3 e 5`, `iv`, `A-3`), and whether a passage stands on one of them.

A number may be the printed one or the page's place in the file: lists have either and seldom say which, so either counts as right.
Knows no questions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from playground.rag.text import fold, squeezed

# what stands for a page in the kinds of documents there are, too
WORD = re.compile(
    r"(pages?|paginas?|pags?|pgs?|pp?|folhas?|fls?|slides?|sheets?|planilhas?|abas?|sections?|secao|secoes|parts?|partes?)\b[\s.]*|pp?(?=\d)"
)
NUMBER = r"\d{1,6}(?:\.0+)?(?![\d])"  # a spreadsheet's `3.0` is 3
ROMAN = r"(?=[ivxlcdm])m{0,3}(?:c[md]|d?c{0,3})(?:x[cl]|l?x{0,3})(?:i[xv]|v?i{0,3})(?![a-z0-9])"
SPAN = re.compile(rf"({NUMBER}|{ROMAN})(?:\s*(?:-|\b(?:a|ate|to)\b)\s*({NUMBER}|{ROMAN}))?")
NEXT = re.compile(r"\s*(?:[,;&/+|]|\b(?:and|or|e|ou)\b)\s*")
OWN = re.compile(r"[a-z]{1,2}[-. ]?\d{1,5}[a-z]?")  # an appendix's `A-3`
LETTERS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}


@dataclass(frozen=True)
class Span:
    """The pages from `first` to `last`; `roman` where they were written so, as they are printed before the first chapter."""

    first: int
    last: int
    roman: bool


def page_of(written: str) -> int | str | None:
    """A page as it was written: one number as a number, several or other ones as a text, and what is no page as None."""
    found = spans(written)
    if not found:
        return own[0].upper() if (own := OWN.fullmatch(_plain(written))) else None
    if len(found) == 1 and found[0].first == found[0].last and not found[0].roman:
        return found[0].first
    return ", ".join(_text(one) for one in found)


def holds(page: int | str, count: int, label: str) -> bool:
    """Whether a page is among the written ones, by its printed number or by its place in the file.

    Args:
        page: as `page_of` gives it.
        count: the place, from 1.
        label: what is printed on it, empty where nobody knows.
    """
    printed = " ".join(fold(label.lower()).split())
    if printed and printed == fold(str(page).lower()):
        return True
    shown = spans(printed) if printed.isdecimal() or re.fullmatch(ROMAN, printed) else ()
    for one in spans(str(page)):
        if any(one.roman == other.roman and one.first <= other.first <= one.last for other in shown):
            return True
        # Roman numbers are printed ones, unless the file does not say what is printed
        if one.first <= count <= one.last and not (one.roman and printed):
            return True
    return False


@lru_cache(maxsize=1_000)
def spans(written: str) -> tuple[Span, ...]:
    """What a text says of pages, in its order; what follows the last of them is no matter."""
    return tuple(_spans(_plain(written)))


def _spans(text: str) -> Iterator[Span]:
    at = 0
    while found := SPAN.match(text, at):
        first, last = _number(found[1]), _number(found[2] or found[1])
        if first:
            yield Span(first, last if last >= first else first, not found[1][0].isdecimal())
        after = NEXT.match(text, found.end())
        if after is None:
            return
        word = WORD.match(text, after.end())
        at = word.end() if word else after.end()


def _plain(written: str) -> str:
    """Small letters without accents, plain dashes, and no word for page before it."""
    text = fold(squeezed(written))
    word = WORD.match(text)
    return text[word.end() :] if word else text


def _number(text: str) -> int:
    if text[0].isdecimal():
        return int(text.partition(".")[0])
    values = [LETTERS[letter] for letter in text]
    return sum(-one if one < following else one for one, following in zip(values, [*values[1:], 0], strict=True))


def _text(one: Span) -> str:
    ends = [one.first] if one.first == one.last else [one.first, one.last]
    return "-".join(_roman(end) if one.roman else str(end) for end in ends)


def _roman(number: int) -> str:
    written = ""
    pairs = (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix")
    for value, letters in (*pairs, (5, "v"), (4, "iv"), (1, "i")):
        written += letters * (number // value)
        number %= value
    return written
