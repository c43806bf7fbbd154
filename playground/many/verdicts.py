"""Which answers are right, which are the same, and the rows that a person wants to see.

Compares texts and nothing else: an answer that says the same in other words counts as another one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
ENDING = re.compile(r"[\s.!?…,;:。！？]+$")


def folded(text: str) -> str:
    """A text without what does not count: capitals, spaces around it, punctuation at its end (all of it, if it has nothing else)."""
    # canonical caseless matching (The Unicode Standard, section 3.13, D145)
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold()).strip()
    return ENDING.sub("", plain) or plain


def alike(one: str, other: str) -> bool:
    return folded(one) == folded(other)


def judged(row: Row) -> dict[str, bool | None]:
    """`same`: whether base and tuned said the same; `base_right`, `tuned_right`: whether each was right.

    None where it cannot be said: a model that failed said nothing, and not every question has a right answer.
    """
    base, tuned = (None if row[name]["error"] else str(row[name]["text"]) for name in ("base", "tuned"))
    right = row["right"] or None
    return {"same": _alike(base, tuned), "base_right": _alike(base, right), "tuned_right": _alike(tuned, right)}


def _alike(one: str | None, other: str | None) -> bool | None:
    return None if one is None or other is None else alike(one, other)


FILTERS: dict[str, Callable[[Row], bool]] = {
    "all": lambda row: True,
    "differ": lambda row: row["same"] is False,
    "gained": lambda row: row["tuned_right"] is True and row["base_right"] is False,
    "lost": lambda row: row["tuned_right"] is False and row["base_right"] is True,
    "wrong": lambda row: row["tuned_right"] is False,
}


def chosen(rows: Sequence[Row], which: str) -> list[tuple[int, Row]]:
    """The rows of a filter, each with its number in the whole table, from 0."""
    return [(number, row) for number, row in enumerate(rows) if FILTERS[which](row)]


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """How many rows each filter keeps, and how many answers are right, wrong or cannot be judged: base, tuned, and whether they agree."""
    told = {name: sum(map(keeps, rows)) for name, keeps in FILTERS.items()}
    for key in ("same", "base_right", "tuned_right"):
        for value, word in ((True, "yes"), (False, "no"), (None, "unknown")):
            told[f"{key}_{word}"] = sum(row[key] is value for row in rows)
    return told
