"""Repairing what was found, as ticked: cells first, then rows, then columns, with every change counted.

Each repair works on what the former ones left. Repairs of cells are repeated until they find nothing more, and again after rows were left
out, so that a second look no longer finds what was ticked. Decides nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from typing import Any

import polars as pl

from playground.data.doctor import labels, personal, text, values
from playground.data.doctor.columns import check_columns, unused_columns
from playground.data.doctor.duplicates import Questions, conflicting_rows, duplicate_rows, leaking_rows, near_duplicate_rows
from playground.data.doctor.findings import finding_id
from playground.data.doctor.roles import Lengths, empty_rows, long_rows
from playground.data.doctor.teaching import Teaching, cells, teaching_of, text_columns
from playground.data.doctor.words import DOCTOR_REASONS
from playground.data.table import written
from playground.errors import NotFound, Sentence

MOST_CHANGES = 200
ROUNDS = 10
CELL_KINDS = (*text.REPAIRS, "label_spellings", "numbers_as_text", "date_spellings", *personal.KINDS)
COLUMN_KINDS = ("empty_column", "constant_column")


@dataclass(frozen=True)
class Change:
    """One cell before and after, or one row that went (column and after are None). `row`: its position in the frame that was given."""

    row: int
    column: str | None
    before: str | None
    after: str | None
    reason: Sentence


@dataclass
class Fixed:
    """A repaired table. Rows that were given = rows of `frame` + all of `dropped`.

    `dropped`: reason -> rows. `changed`: reason -> cells; a cell with several faults counts for each. `changes`: at most MOST_CHANGES of
    all, about as many of each reason.
    """

    frame: pl.DataFrame
    dropped: dict[str, int] = field(default_factory=dict)
    dropped_columns: list[str] = field(default_factory=list)
    changed: dict[str, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)


def fix(
    frame: pl.DataFrame,
    ids: Sequence[str],
    mapping: dict[str, Any] | None = None,
    *,
    lengths: Lengths | None = None,
    max_length: int | None = None,
) -> Fixed:
    """Repair the findings with these ids; what is not there any more changes nothing. The frame that was given stays as it is.

    Raises:
        NotFound: ids that no finding of this table can have or that cannot be repaired, all of them at once.
    """
    teaching = teaching_of(frame, mapping)
    known = _fixable(frame, teaching, lengths is not None and max_length is not None)
    if unknown := [one for one in dict.fromkeys(ids) if one not in known]:
        message = "The table cannot be repaired by these names: {unknown}. Look over the table again and choose from what is found."
        raise NotFound(message, unknown=", ".join(map(str, unknown)))
    work = _Work(frame, teaching, {known[one] for one in ids})
    work.repair(lengths, max_length)
    return work.result()


def _fixable(frame: pl.DataFrame, teaching: Teaching, measured: bool) -> dict[str, tuple[str, str | None]]:
    """Id -> (kind, column) for everything that could be ticked."""
    pairs: list[tuple[str, str | None]] = [("duplicate_rows", None), ("unused_columns", None)]
    pairs += [(kind, name) for kind in (*CELL_KINDS, *COLUMN_KINDS) if kind != "label_spellings" for name in frame.columns]
    if teaching.prompt is not None:
        pairs += [("near_duplicates", teaching.prompt)]
    if teaching.known:
        pairs += [("leakage", None), ("missing_prompts", teaching.prompt)]
        pairs += [(kind, teaching.answer) for kind in ("missing_answers", "conflicting_answers", "label_spellings")]
        pairs += [("long_rows", None)] * measured
    return {finding_id(kind, name): (kind, name) for kind, name in pairs}


class _Work:
    """A table under repair, with what was done to it so far."""

    def __init__(self, frame: pl.DataFrame, teaching: Teaching, ticked: set[tuple[str, str | None]]) -> None:
        self.frame, self.teaching, self.ticked = frame, teaching, ticked
        self.kinds = {kind for kind, _ in ticked}
        self.places = list(range(frame.height))  # of the rows that are left, in the frame that was given
        self.touched: dict[str, dict[tuple[int, str | None], Change]] = {}
        self.dropped: dict[str, int] = {}
        self.dropped_columns: list[str] = []

    def repair(self, lengths: Lengths | None, max_length: int | None) -> None:
        if "unused_columns" in self.kinds:
            self.dropped_columns += unused_columns(self.frame.columns, self.teaching)
            self.frame = self.frame.drop(self.dropped_columns)
        for _ in range(ROUNDS):
            changed = self._repair_cells()
            if not self._drop_rows(lengths, max_length) or not (changed or self.kinds & set(CELL_KINDS)):
                break
        self._drop_columns()

    def result(self) -> Fixed:
        changed = {reason: len(its) for reason, its in self.touched.items() if its and reason not in self.dropped}
        taken = zip_longest(*(its.values() for its in self.touched.values()))
        changes = list(islice((one for one in chain.from_iterable(taken) if one is not None), MOST_CHANGES))
        return Fixed(self.frame, self.dropped, self.dropped_columns, changed, changes)

    def _repair_cells(self) -> bool:
        """Whether any cell was changed."""
        ever = False
        for _ in range(ROUNDS):
            changed = False
            for kind in CELL_KINDS:
                for name in self.frame.columns:
                    if (kind, name) in self.ticked:
                        changed |= self._repair_column(kind, name)
            if not changed:
                break
            ever = True
        return ever

    def _repair_column(self, kind: str, name: str) -> bool:
        before = self.frame[name]
        after = _repaired(self.frame, before, kind, self.teaching)
        if after is None:
            return False
        old, new = written(before), written(after)
        rows = old.ne_missing(new).arg_true()
        for row, was, becomes in zip(rows.to_list(), old.gather(rows).to_list(), new.gather(rows).to_list(), strict=True):
            self._note(kind, self.places[row], name, was, becomes)
        self.frame = self.frame.with_columns(after)
        return len(rows) > 0 or before.dtype != after.dtype

    def _note(self, kind: str, row: int, column: str | None, before: str | None, after: str | None) -> None:
        reason = Sentence(DOCTOR_REASONS[kind])
        its = self.touched.setdefault(str(reason), {})
        first = its.get((row, column))
        its[row, column] = Change(row, column, first.before if first else before, after, reason)

    def _drop_rows(self, lengths: Lengths | None, max_length: int | None) -> bool:
        """Whether any row was left out."""
        before = self.frame.height
        teaching = self.teaching
        finders: dict[str, Callable[[pl.DataFrame], list[int]]] = {
            "duplicate_rows": duplicate_rows,
            "missing_prompts": lambda frame: empty_rows(frame, teaching.prompt),
            "missing_answers": lambda frame: empty_rows(frame, teaching.answer),
            "conflicting_answers": lambda frame: conflicting_rows(frame, teaching),
            "near_duplicates": lambda frame: near_duplicate_rows(frame, teaching, Questions(frame, teaching)),
            "long_rows": lambda frame: long_rows(frame, teaching, lengths, max_length),
            "leakage": lambda frame: leaking_rows(frame, teaching, Questions(frame, teaching)),
        }
        for kind, find in finders.items():
            # Rows are dealt anew to training and judging when some are gone, so leakage is looked for until there is none.
            while kind in self.kinds and self.frame.height and (rows := find(self.frame)):
                self._drop(kind, rows)
        return self.frame.height < before

    def _drop(self, kind: str, rows: list[int]) -> None:
        asked = cells(self.frame, self.teaching.prompt) if self.teaching.prompt is not None else None
        for row in rows:
            self._note(kind, self.places[row], None, asked[row] if asked else None, None)
        reason = str(Sentence(DOCTOR_REASONS[kind]))
        self.dropped[reason] = self.dropped.get(reason, 0) + len(rows)
        gone = set(rows)
        left = [row for row in range(self.frame.height) if row not in gone]
        self.frame = self.frame[left]
        self.places = [self.places[row] for row in left]

    def _drop_columns(self) -> None:
        if not self.frame.height:
            return
        idle = [one for one in check_columns(self.frame, self.teaching) if one.fix is not None and one.column is not None]
        names = [str(one.column) for one in idle if (one.kind, one.column) in self.ticked]
        self.frame = self.frame.drop(names)
        self.dropped_columns += names


def _repaired(frame: pl.DataFrame, column: pl.Series, kind: str, teaching: Teaching) -> pl.Series | None:
    """The column after a repair of its cells; None where there is nothing to repair."""
    if kind in personal.KINDS:
        searched = next((one for one in personal.searchable(frame.select(column.name))), None)
        return None if searched is None else _with(searched, personal.masked(searched, kind))
    if not any(True for _ in text_columns(frame.select(column.name))):
        return None
    if kind == "label_spellings":
        return _with(column, labels.respelt(column)) if teaching.has_labels(frame) else None
    if kind == "numbers_as_text":
        return values.as_numbers(column)
    if kind == "date_spellings":
        return values.as_dates(column)
    return _with(column, text.mended(column, kind))


def _with(column: pl.Series, cells_after: dict[int, str | None]) -> pl.Series | None:
    if not cells_after:
        return None
    cells_now = column.to_list()
    for row, after in cells_after.items():
        cells_now[row] = after
    return pl.Series(column.name, cells_now, dtype=pl.String)
