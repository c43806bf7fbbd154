"""Changes to tables that are too large for memory, piece by piece: repairs and edits.

What can be decided row by row, or from counts, is done here exactly as for a small table. What compares rows with each other, but for
equal ones, is not offered. Knows tables' files; does not know datasets, owners or versions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from playground.data import doctor
from playground.data.doctor import Finding
from playground.data.doctor.columns import unused_columns
from playground.data.doctor.findings import finding_id, found
from playground.data.doctor.fix import CELL_KINDS, COLUMN_KINDS, MOST_CHANGES, Change
from playground.data.doctor.teaching import teaching_of
from playground.data.doctor.words import DOCTOR_REASONS
from playground.data.editing import Edited, check_edit, edit
from playground.data.large import TableWriter, slices
from playground.data.table import written
from playground.errors import NotFound, Sentence

DUPLICATES = "duplicate_rows"
ROW_KINDS = ("missing_prompts", "missing_answers")
UNUSED = "unused_columns"
KINDS = (*CELL_KINDS, *COLUMN_KINDS, *ROW_KINDS, DUPLICATES, UNUSED)
Columns = Sequence[Mapping[str, Any]]  # as `table.describe` tells them


@dataclass
class Repaired:
    """As `doctor.Fixed`, with the writer that holds the table."""

    table: TableWriter
    dropped: Counter[str] = field(default_factory=Counter)
    dropped_columns: list[str] = field(default_factory=list)
    changed: Counter[str] = field(default_factory=Counter)
    changes: list[Change] = field(default_factory=list)


def check(
    path: Path, columns: Columns, rows: int, sample: pl.DataFrame, numbers: Sequence[int], mapping: dict[str, Any] | None
) -> list[Finding]:
    """As `doctor.check`, over the sample; missing cells, columns that say nothing and equal rows are counted over the whole table."""
    missing = {column["name"]: column["missing"] for column in columns}
    idle = _idle(columns, rows)
    findings = [found("sampled", "note", numbers, total=rows)]
    for one in doctor.check(sample, mapping):
        if one.kind in (DUPLICATES, *COLUMN_KINDS):
            continue
        one = replace(one, examples=tuple(numbers[place] for place in one.examples))
        if one.kind in ROW_KINDS and one.column is not None:
            message = Sentence(one.message.template, **{**one.message.values, "count": missing[one.column]})
            one = replace(one, rows=missing[one.column], message=message)
        findings.append(one if one.kind in KINDS else replace(one, fix=None))
    findings += [found(kind, "note", range(rows), name) for name, kind in idle.items()]
    if again := equal_rows(path):
        findings.append(found(DUPLICATES, "advice", again))
    return findings


def equal_rows(path: Path) -> list[int]:
    """Numbers of the rows that are equal to an earlier one, going by their hashes."""
    hashes = pl.concat([piece.hash_rows() for piece in slices(path)])
    return (~hashes.is_first_distinct()).arg_true().to_list()


def fix(path: Path, target: Path, ids: Sequence[str], columns: Columns, rows: int, mapping: dict[str, Any]) -> Repaired:
    """As `doctor.fix`, from one file to another.

    Raises:
        NotFound: ids that a large table cannot be repaired by.
    """
    known = {finding_id(kind, name) for kind in (*CELL_KINDS, *COLUMN_KINDS, *ROW_KINDS) for name in (one["name"] for one in columns)}
    if unknown := [one for one in dict.fromkeys(ids) if one not in known | {DUPLICATES, UNUSED}]:
        message = "The table cannot be repaired by these names: {unknown}. Look over the table again and choose from what is found."
        raise NotFound(message, unknown=", ".join(map(str, unknown)))
    names = [str(one["name"]) for one in columns]
    unused: list[str] = []
    if UNUSED in ids:
        unused = unused_columns(names, teaching_of(pl.DataFrame(schema=dict.fromkeys(names, pl.String)), mapping))
    idle = [name for name, kind in _idle(columns, rows).items() if finding_id(kind, name) in ids and name not in unused]
    each = [one for one in ids if one.partition(":")[0] in CELL_KINDS]
    empty = {name: kind for kind in ROW_KINDS for name in names if finding_id(kind, name) in ids}
    same = str(Sentence(DOCTOR_REASONS[DUPLICATES]))
    seen: set[int] = set()
    start = 0
    with TableWriter(target) as writer:
        done = Repaired(writer, dropped_columns=[*unused, *idle])
        for piece in slices(path, [name for name in names if name not in unused]):
            left = piece
            if each:
                fixed = doctor.fix(piece, each, mapping)
                done.dropped.update(fixed.dropped)
                done.changed.update(fixed.changed)
                done.changes += [replace(one, row=one.row + start) for one in fixed.changes[: MOST_CHANGES - len(done.changes)]]
                left = fixed.frame
            start += piece.height
            if DUPLICATES in ids:
                new = left.filter(_unseen(left.hash_rows(), seen))
                if left.height > new.height:
                    done.dropped[same] += left.height - new.height
                left = new
            for name, kind in empty.items():
                new = left.filter(written(left[name]).fill_null("").str.strip_chars() != "")
                if left.height > new.height:
                    done.dropped[str(Sentence(DOCTOR_REASONS[kind]))] += left.height - new.height
                left = new
            writer.write(left.drop(idle))
    return done


def _unseen(hashes: pl.Series, seen: set[int]) -> pl.Series:
    """Which hashes come for the first time; all of them are noted."""
    first = hashes.is_first_distinct()
    whole = hashes.to_list()
    new = pl.Series([one not in seen for one in whole], dtype=pl.Boolean)
    seen.update(whole)
    return first & new


def _idle(columns: Columns, rows: int) -> dict[str, str]:
    """Column -> empty_column or constant_column, as `doctor.columns.idle_columns`."""
    idle = {
        str(one["name"]): "empty_column" if one["missing"] == rows else "constant_column"
        for one in columns
        if one["missing"] == rows or (one["missing"] == 0 and one["unique"] == 1 and rows > 1)
    }
    return idle if len(idle) < len(columns) else {}


def change(
    path: Path,
    target: Path,
    columns: Columns,
    rows: int,
    cells: Sequence[dict[str, Any]],
    add: Sequence[dict[str, Any]],
    delete: Sequence[int],
    drop_columns: Sequence[str],
) -> tuple[TableWriter, Edited]:
    """As `editing.edit`, from one file to another; the frame of the second result is that of the last piece."""
    pieces = slices(path)
    head = next(pieces)
    check_edit(head.columns, rows, cells, add, delete, drop_columns)
    changed = deleted = start = 0
    last = Edited(head, 0, 0, 0)
    with TableWriter(target) as writer:
        piece: pl.DataFrame | None = head
        while piece is not None:
            after = next(pieces, None)
            inside = range(start, start + piece.height)
            mine = [{**cell, "row": cell["row"] - start} for cell in cells if cell["row"] in inside]
            gone = {row - start for row in delete if row in inside}
            last = edit(piece, mine, add if after is None else (), sorted(gone), drop_columns, least=0)
            changed, deleted, start = changed + last.changed, deleted + last.deleted, start + piece.height
            writer.write(last.frame)
            piece = after
    return writer, Edited(last.frame, changed, len(add), deleted)
