"""Changes by hand: cells, new rows, rows taken out. Knows a frame and the wishes; does not know datasets or files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from playground.data.table import blank_to_null
from playground.errors import Sentence, Sentences, SettingsError

MOST = 1_000  # changes at once
WHOLE, NUMBER = r"-?\d{1,18}", r"-?\d+(\.\d+)?([eE][+-]?\d{1,2})?"


@dataclass(frozen=True)
class Edited:
    """The changed frame; `changed` cells, `added` and `deleted` rows."""

    frame: pl.DataFrame
    changed: int
    added: int
    deleted: int


def edit(
    frame: pl.DataFrame,
    cells: Sequence[Mapping[str, Any]] = (),
    add: Sequence[Mapping[str, Any]] = (),
    delete: Sequence[int] = (),
    drop_columns: Sequence[str] = (),
    least: int = 1,
) -> Edited:
    """`cells`: [{row, column, value}], `add`: [{column: value}] at the end, `delete`: row numbers; numbers count from 0 before any change.

    `drop_columns`: names of columns to leave out afterwards; `least`: rows that have to stay.

    Raises:
        SettingsError: rows or columns that are not there, or words for a column of numbers; all of it in one sentence, nothing is changed.
    """
    problems = _problems(frame.columns, frame.height, cells, add, delete, drop_columns, least)
    changed = 0
    columns = {}
    for column in frame.iter_columns():
        mine = {cell["row"]: cell.get("value") for cell in cells if cell["column"] == column.name} if not problems else {}
        more = [row.get(column.name) for row in add] if not problems else []
        try:
            new = {row: _value(column, value) for row, value in mine.items()}
            added = [_value(column, value) for value in more]
        except ValueError:
            problems.append(
                Sentence("the column {column} holds {type}, and not every new value is one", column=column.name, type=_type(column))
            )
            continue
        changed += sum(column[row] != value for row, value in new.items())
        if new:
            column = column.scatter(list(new), pl.Series(list(new.values()), dtype=column.dtype))
        columns[column.name] = column.append(pl.Series(column.name, added, dtype=column.dtype)) if added else column
    if problems:
        raise SettingsError("These changes cannot be made: {problems}.", problems=Sentences(problems))
    edited = pl.DataFrame(list(columns.values()))
    gone = sorted(set(delete))
    if gone:
        keep = pl.Series([True]).new_from_index(0, edited.height).scatter(gone, False)
        edited = edited.filter(keep)
    return Edited(edited.drop(drop_columns), changed, len(add), len(gone))


def check_edit(
    columns: Sequence[str], height: int, cells: Sequence[Any], add: Sequence[Any], delete: Sequence[Any], drop_columns: Sequence[Any]
) -> None:
    """What `edit` checks before it looks at values, for a table of these columns and rows.

    Raises:
        SettingsError: as `edit`.
    """
    if problems := _problems(columns, height, cells, add, delete, drop_columns, 1):
        raise SettingsError("These changes cannot be made: {problems}.", problems=Sentences(problems))


def _problems(
    columns: Sequence[str],
    height: int,
    cells: Sequence[Any],
    add: Sequence[Any],
    delete: Sequence[Any],
    drop_columns: Sequence[Any],
    least: int,
) -> list[Sentence]:
    well_formed = (
        all(isinstance(cell, Mapping) and {"row", "column"} <= cell.keys() for cell in cells)
        and all(isinstance(row, Mapping) for row in add)
        and all(isinstance(row, int) for row in delete)
        and not isinstance(drop_columns, str)
    )
    if not well_formed:
        return [Sentence("cells need row, column and value; new rows need values by column; rows to take out need numbers")]
    if len(cells) + len(add) + len(delete) > MOST:
        return [Sentence("at most {most:,} changes can be made at once", most=MOST)]
    rows = [*(cell["row"] for cell in cells), *delete]
    names = {str(name) for name in (*(cell["column"] for cell in cells), *(name for row in add for name in row), *drop_columns)}
    problems = [Sentence("there is no column {column}", column=name) for name in sorted(names - set(columns))]
    if any(isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < height for row in rows):
        problems.append(Sentence("the rows are numbered from 0 to {last}", last=height - 1))
    if not problems and len(set(drop_columns)) >= len(columns):
        problems.append(Sentence("at least one column has to stay"))
    if not problems and height + len(add) - len(set(delete)) < least:
        problems.append(Sentence("at least one row has to stay"))
    return problems


def _value(column: pl.Series, value: Any) -> Any:
    """A value as the column keeps it; empty is missing. Raises ValueError for words in a column of numbers."""
    text = None if value is None else str(value)
    text = blank_to_null(pl.Series([text], dtype=pl.String))[0]
    if text is None or column.dtype == pl.String:
        return text
    text = text.strip()
    if column.dtype == pl.Boolean:
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    if not re.fullmatch(WHOLE if column.dtype.is_integer() else NUMBER, text):
        raise ValueError(text)
    return int(text) if column.dtype.is_integer() else float(text)


def _type(column: pl.Series) -> Sentence:
    return Sentence("true or false") if column.dtype == pl.Boolean else Sentence("numbers")
