"""Splitting word lists and templates into a part for training and a part held out for measuring.

Knows nothing of what the lists hold.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal, TypeVar

Part = Literal["train", "held"]
T = TypeVar("T")

HELD_EVERY = 6


def pool(items: Sequence[T], part: Part) -> Sequence[T]:
    """The items of one part: every sixth item is held out, the rest is for training; both keep their order."""
    if part == "held":
        return items[HELD_EVERY - 1 :: HELD_EVERY]
    return [item for index, item in enumerate(items) if index % HELD_EVERY != HELD_EVERY - 1]


def pick(rng: random.Random, items: Sequence[T], part: Part) -> T:
    """One item of a part."""
    return rng.choice(pool(items, part))


def words(text: str) -> tuple[str, ...]:
    """A list written as words or phrases between commas."""
    return tuple(" ".join(word.split()) for word in text.split(",") if word.strip())


def phrases(text: str) -> tuple[str, ...]:
    """A list written as sentences between bars; an empty one counts."""
    return tuple(" ".join(phrase.split()) for phrase in text.split("|"))
