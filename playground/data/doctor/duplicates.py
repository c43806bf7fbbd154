"""Rows that come again: exactly, nearly, or with another answer to the same question."""

from __future__ import annotations

from collections import Counter

import polars as pl

from playground.data.doctor.findings import Finding, found
from playground.data.doctor.similar import Neighbours, bare
from playground.data.doctor.teaching import Teaching, cells, parts_of, questions, same_question

MOST_ROWS = 100_000
MOST_CHARACTERS = 30_000_000


class Questions:
    """The questions of a table, equal ones as one, ready to be compared.

    `keys`: for each row, what equal questions share. `places`: key -> its place among the different ones. Only the first rows are
    compared, up to MOST_ROWS and MOST_CHARACTERS; the others have no place.
    """

    def __init__(self, frame: pl.DataFrame, teaching: Teaching) -> None:
        asks = questions(frame, teaching)
        self.keys = [same_question(text) for text in asks]
        self.places: dict[str, int] = {}
        texts: list[str] = []
        characters = 0
        self.not_compared: list[int] = []
        for row, key in enumerate(self.keys):
            if not key or key in self.places:
                continue
            if row >= MOST_ROWS or characters > MOST_CHARACTERS:
                self.not_compared.append(row)
                continue
            self.places[key] = len(texts)
            texts.append(bare(key))
            characters += len(key)
        self.neighbours = Neighbours(texts)

    def near(self) -> set[str]:
        """The keys that are nearly the same as an earlier one, which is not itself left out for that."""
        self.neighbours.clear()
        late = set()
        for key, place in self.places.items():
            if self.neighbours.find(place) is None:
                self.neighbours.add(place)
            else:
                late.add(key)
        return late

    def near_one_of(self, keys: set[str], known: set[str]) -> set[str]:
        """Those of `keys` that are nearly the same as one in `known`."""
        self.neighbours.clear()
        for key, place in self.places.items():
            if key in known:
                self.neighbours.add(place)
        return {key for key, place in self.places.items() if key in keys and self.neighbours.find(place) is not None}


def duplicate_rows(frame: pl.DataFrame) -> list[int]:
    """Positions of rows that are equal to an earlier one in every column."""
    first = _first_equal(frame)
    return [row for row, earliest in enumerate(first) if row != earliest]


def _first_equal(frame: pl.DataFrame) -> list[int]:
    """For each row the position of the first row that is equal to it."""
    place = "place" + "_" * max(map(len, frame.columns))  # longer than any name, so no column has it
    placed = frame.with_columns(pl.int_range(pl.len()).alias(place))
    return placed.select(pl.col(place).first().over(frame.columns)).to_series().to_list()


def near_duplicate_rows(frame: pl.DataFrame, teaching: Teaching, asked: Questions) -> list[int]:
    """Positions of rows whose question is nearly the same as an earlier one.

    A question that is the same counts with the same answer only, and not where the whole row is the same: those are findings of their own.
    """
    near = asked.near()
    first = _first_equal(frame)
    answers = cells(frame, teaching.answer) if teaching.answer is not None else [""] * frame.height
    seen: dict[tuple[str, str], int] = {}
    late = []
    for row, key in enumerate(asked.keys):
        if not key or key not in asked.places:
            continue
        if key in near or first[row] != first[seen.setdefault((key, answers[row]), row)]:
            late.append(row)
    return late


def conflicting_rows(frame: pl.DataFrame, teaching: Teaching) -> list[int]:
    """Positions of rows whose question has another answer more often, or first where two are equally frequent."""
    if not teaching.known:
        return []
    answers = cells(frame, str(teaching.answer))
    keys = [same_question(text) for text in questions(frame, teaching)]
    counts: dict[str, Counter[str]] = {}
    for key, answer in zip(keys, answers, strict=True):
        if key and answer:
            counts.setdefault(key, Counter())[answer] += 1
    best = {key: its.most_common(1)[0][0] for key, its in counts.items() if len(its) > 1}
    return [row for row, key in enumerate(keys) if key in best and answers[row] and answers[row] != best[key]]


def leaking_rows(frame: pl.DataFrame, teaching: Teaching, asked: Questions) -> list[int]:
    """Positions of rows outside training whose question is nearly the same as one in training. Equal ones are never split."""
    if not teaching.known:
        return []
    parts = parts_of(asked.keys, cells(frame, str(teaching.answer)), teaching)
    train = {key for key, part in zip(asked.keys, parts, strict=True) if part == "train"}
    outside = {key for key, part in zip(asked.keys, parts, strict=True) if part in ("validation", "test")}
    near = asked.near_one_of(outside, train)
    return [row for row, key in enumerate(asked.keys) if parts[row] is not None and key in near]


def check_duplicates(frame: pl.DataFrame, teaching: Teaching) -> list[Finding]:
    """Findings of the kinds duplicate_rows, near_duplicates, not_compared, conflicting_answers and leakage."""
    findings = []
    if rows := duplicate_rows(frame):
        findings.append(found("duplicate_rows", "advice", rows))
    if teaching.prompt is None:
        return findings
    asked = Questions(frame, teaching)
    if rows := near_duplicate_rows(frame, teaching, asked):
        findings.append(found("near_duplicates", "advice", rows, teaching.prompt))
        # Whatever leaks is nearly the same as another row, so there is nothing to look for otherwise.
        if rows := leaking_rows(frame, teaching, asked):
            findings.append(found("leakage", "serious", rows))
    if asked.not_compared:
        findings.append(found("not_compared", "note", asked.not_compared))
    if rows := conflicting_rows(frame, teaching):
        findings.append(found("conflicting_answers", "advice", rows, teaching.answer))
    return findings
