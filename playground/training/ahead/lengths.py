"""How long the examples of a run are in tokens, measured on a sample, and what batches they make.

A tokenizer counts; where there is none, bytes are divided. Imports no torch. Does not know what a model costs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from playground.messages import Conversation, Message
from playground.models import template
from playground.models.texts import is_text
from playground.training.config import TrainingSettings
from playground.training.defaults import WEIGHTS_KEPT
from playground.training.packing import pack

SAMPLE = 600  # examples that are measured
LONGEST = 64  # of those with the most characters, besides
CLIP = 60_000  # characters of one text that are read: its parts are all alike
BYTES_A_TOKEN = 4
DRAWN = 1_500  # batches that are put together to see how large they become
MEGA = 50  # batches among which rows of similar length are looked for, as in `batches.Order`

Row = tuple[int, int]  # tokens that are read, and how many of them are learned


@dataclass(frozen=True)
class Lengths:
    """What was measured: a fair sample of the rows, and the longest, longest first. Empty where there is nothing to learn."""

    rows: tuple[Row, ...]
    longest: tuple[Row, ...]

    @property
    def mean(self) -> float:
        return sum(read for read, _ in self.rows) / len(self.rows) if self.rows else 0.0


@dataclass(frozen=True)
class Batches:
    """What one pass of the model has to hold, in tokens: on average and at most. `squares`: mean sum of the rows' squared lengths.

    `long_squares`: of these, what batches with a row of more than WEIGHTS_KEPT tokens have, whose attention is computed in another way.
    """

    read: float
    learned: float
    squares: float
    long_squares: float
    most_read: int
    most_learned: int


def measure(tokenizer: Any, examples: Sequence[Conversation], max_length: int) -> Lengths:
    """The lengths of examples that are cut, or parted, at `max_length` tokens."""
    if not examples:
        return Lengths((), ())
    fair = examples[:: max(1, len(examples) // SAMPLE)][:SAMPLE]
    long = sorted(examples, key=_characters, reverse=True)[:LONGEST]
    rows = _rows(tokenizer, fair, max_length)
    return Lengths(tuple(rows), tuple(sorted([*_rows(tokenizer, long, max_length), *rows], reverse=True)[:LONGEST]))


def _rows(tokenizer: Any, examples: Sequence[Conversation], max_length: int) -> list[Row]:
    clipped = [_clipped(one) for one in examples]
    if tokenizer is None:
        return [row for one in clipped for row in _guessed(one, max_length)]
    parts = [part for several in template.encode_parts(tokenizer, clipped, max_length) for part in several]
    return [(len(part.ids), sum(part.trained[1:])) for part in parts if any(part.trained[1:])]


def _guessed(one: Conversation, max_length: int) -> Iterator[Row]:
    said = [sum(len(turn.content.encode()) for turn in turns) // BYTES_A_TOKEN + 4 * len(turns) for turns in (one.prompt, one.completion)]
    whole = sum(said)
    if is_text(one):
        yield from ((min(max_length, whole - start), min(max_length, whole - start)) for start in range(0, whole, max_length))
    else:
        yield min(whole, max_length), min(said[1], max_length)


def _characters(one: Conversation) -> int:
    return sum(len(turn.content) for turn in (*one.prompt, *one.completion))


def _clipped(one: Conversation) -> Conversation:
    if not is_text(one) or _characters(one) <= CLIP:
        return one
    return Conversation((), (Message("text", "".join(turn.content for turn in (*one.prompt, *one.completion))[:CLIP]),))


def batches(found: Lengths, settings: TrainingSettings, steps: int, flat: bool) -> Batches:
    """The batches of a run, put together from the measured rows as the worker will from all.

    Args:
        flat: rows lie side by side without padding.
    """
    size, count = settings.per_device_train_batch_size, min(DRAWN, max(1, steps * settings.gradient_accumulation_steps))
    rows = _together(found.rows or ((1, 1),), settings)
    drawn = [_held(batch, flat) for batch in _draw(rows, size, count, settings.train_sampling_strategy)]
    most = max(drawn)
    return Batches(
        read=sum(read for read, *_ in drawn) / len(drawn),
        learned=sum(learned for _, learned, *_ in drawn) / len(drawn),
        squares=sum(squares for _, _, squares, _ in drawn) / len(drawn),
        long_squares=sum(long for *_, long in drawn) / len(drawn),
        most_read=most[0],
        most_learned=max(learned for _, learned, *_ in drawn),
    )


def worst(found: Lengths, settings: TrainingSettings, flat: bool) -> Batches:
    """The batch of the longest rows that there are."""
    size, there = settings.per_device_train_batch_size, len(_together(found.rows, settings))
    long = sorted(_together(found.longest or ((1, 1),), settings), key=_tokens, reverse=True)[:size]
    long += long[-1:] * (min(size, there) - len(long))
    read, learned, squares, long_squares = _held([row for together in long for row in together], flat)
    return Batches(read, learned, squares, long_squares, read, learned)


def _together(rows: Sequence[Row], settings: TrainingSettings) -> list[Sequence[Row]]:
    """The rows as the trainer reads them: one by one, or several in a packed one."""
    if not settings.packing:
        return [(row,) for row in rows]
    packed = pack([min(read, settings.max_length) for read, _ in rows], settings.max_length)
    return [[rows[place] for place in places] for places in packed]


def _tokens(rows: Sequence[Row]) -> int:
    return sum(read for read, _ in rows)


def _held(rows: Sequence[Row], flat: bool) -> tuple[int, int, int, int]:
    longest = max(read for read, _ in rows)
    read = sum(read for read, _ in rows) if flat else longest * len(rows)
    squares = sum(read**2 for read, _ in rows) if flat else longest**2 * len(rows)
    return read, sum(learned for _, learned in rows), squares, squares if longest > WEIGHTS_KEPT or not flat else 0


def _draw(rows: Sequence[Sequence[Row]], size: int, count: int, strategy: str) -> Iterator[Sequence[Row]]:
    """`count` batches, pass after pass over the rows, in an order like the worker's."""
    chance, made = random.Random(0), 0
    while made < count:
        order = list(rows)
        if strategy != "sequential":
            chance.shuffle(order)
        if strategy == "group_by_length":
            wide = size * MEGA
            groups = [sorted(order[start : start + wide], key=_tokens, reverse=True) for start in range(0, len(order), wide)]
            order = [row for group in groups for row in group]
        for start in range(0, len(order), size):
            if made == count:
                return
            yield [row for together in order[start : start + size] for row in together]
            made += 1
