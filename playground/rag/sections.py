"""The sections of a document, by its outline or headings: where each begins in a page's text, which holds at a place, and their table.

A section holds until the next one begins, on the same page or on a later one. Does not know files, passages or questions.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from playground.rag.marking import fold
from playground.rag.readers.told import Begun
from playground.rag.text import clean

_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")  # would turn the line around in which a title is shown
TITLE_CHARACTERS = 80  # that are kept
MOST_PLACES = 200  # of one title on one page that are compared
ENOUGH = 40  # characters on either side in which words of the same line would be
NEAR = 0.05  # of a page's letters; so far from its destination at most a title may stand amid other words
Path = tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A section that begins at the character `start` of a text; `path` has the headings that it stands under, its own last."""

    start: int
    path: Path


def placed(begun: Iterable[Begun], text: str) -> tuple[Section, ...]:
    """The sections that begin on a page, in the order of its text.

    A section begins where its title stands: better as a line of its own than at an end of one, or amid others right at its destination;
    and of several such places at the one nearest to that. Where the title does not stand on the page it begins at the destination; where
    there is none, with the section before it in the outline, or with the page. No section begins after one that lies within it.
    """
    paths = [(path, one.share) for one in begun if (path := tuple(title for one in one.path if (title := _title(one))))]
    if not paths:
        return ()
    folded = [fold(character) for character in text]
    owners = [place for place, units in enumerate(folded) for _ in units]
    whole = "".join(folded)
    starts: list[int] = []
    for path, share in paths:
        start = _start(fold(path[-1]), share, text, whole, owners)
        starts.append(start if start is not None else starts[-1] if starts else 0)
    for place in reversed(range(len(paths))):
        path = paths[place][0]
        within = [start for (below, _), start in zip(paths[place:], starts[place:], strict=True) if below[: len(path)] == path]
        starts[place] = min(within)
    return tuple(sorted(map(Section, starts, (path for path, _ in paths)), key=lambda one: one.start))


def _title(title: str) -> str:
    whole = " ".join(_TURNS.sub("", clean(title)).split())
    if len(whole) <= TITLE_CHARACTERS:
        return whole
    cut = whole[: TITLE_CHARACTERS - 1]
    return (cut.rpartition(" ")[0] or cut) + "…"


def _start(title: str, share: float | None, text: str, whole: str, owners: Sequence[int]) -> int | None:
    """Where a section begins by its folded title and the `share` of the page's letters before its destination; None where neither tells."""
    expected = (share or 0.0) * len(whole)
    found = islice(re.finditer(re.escape(title), whole), MOST_PLACES) if title else ()
    spans = [(at.start(), owners[at.start()], owners[at.end() - 1] + 1) for at in found]
    words = [(at, start, end) for at, start, end in spans if not text[start - 1 : start].isalnum() and not text[end : end + 1].isalnum()]
    titles = [(_beside(text, start, end), abs(at - expected), start) for at, start, end in words]
    likely = [one for one in titles if one[0] < 2 or (share is not None and one[1] <= NEAR * len(whole))]
    if likely:
        return min(likely)[2]
    if not share or not owners:
        return None if share is None else 0
    start = owners[min(int(expected), len(owners) - 1)]
    while text[start - 1 : start].isalnum():  # the letters before a destination are not counted so exactly
        start -= 1
    return start


def _beside(text: str, start: int, end: int) -> int:
    """On how many sides of a piece of text words stand in its line: on none where it is a line of its own."""
    before, after = text[max(0, start - ENOUGH) : start].rpartition("\n")[2], text[end : end + ENOUGH].partition("\n")[0]
    return any(map(str.isalnum, before)) + any(map(str.isalnum, after))


def held(sections: Iterable[Section], place: int) -> Path:
    """The path of the section that holds at a place; empty before the first."""
    path: Path = ()
    for one in sections:
        if one.start > place:
            break
        path = one.path
    return path


def store(db: sqlite3.Connection, document: int, pages: Mapping[int, Sequence[Section]]) -> None:
    """Write down the sections that begin on each page, by its number."""
    rows = [
        (document, number, place, one.start, json.dumps(one.path, ensure_ascii=False))
        for number, sections in pages.items()
        for place, one in enumerate(sections)
    ]
    db.executemany("INSERT INTO sections (document, page, number, start, path) VALUES (?, ?, ?, ?, ?)", rows)


def within(db: sqlite3.Connection, document: int, page: int, start: int, end: int) -> tuple[Section, ...]:
    """The sections of a page's text from `start` to `end`, the first one being that which holds at `start`; starts count from there."""
    columns, order = "SELECT start, path FROM sections WHERE document = ?", "page DESC, number DESC"
    before = f"{columns} AND page <= ? AND (page < ? OR start <= ?) ORDER BY {order} LIMIT 1"
    rows = [(0, path) for _, path in db.execute(before, (document, page, page, start))]
    here = db.execute(f"{columns} AND page = ? AND start > ? AND start < ? ORDER BY number", (document, page, start, end))
    rows += [(at - start, path) for at, path in here]
    return tuple(Section(at, tuple(json.loads(path))) for at, path in rows)
