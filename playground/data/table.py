"""What a table is here: columns of text, whole numbers, decimals or truth values, and how raw cells become such columns.

Knows nothing of file formats, datasets or tasks.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from playground.errors import Sentence

COLUMNS = 2_000
BLANK, UNREADABLE, ABOVE_HEADER = Sentence("blank"), Sentence("unreadable"), Sentence("above the header")  # why rows are left out
EXAMPLE_CHARACTERS = 200
ERROR_MARKS = (  # what a spreadsheet shows where a formula has no value, in English and in Portuguese
    *("#n/a", "#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#spill!", "#calc!"),
    *("#n/d", "#nulo!", "#valor!", "#nome?", "#núm!", "#despejar!"),
)
NOT_AVAILABLE = ("na", "n/a", "nan", "-nan", "null", "none", *ERROR_MARKS)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\ufeff]+")
WHOLE = r"^-?(0|[1-9]\d{0,18})$"
DECIMAL = r"^-?(0|[1-9]\d*)(\.\d+)?$"
DATE = r"^(\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?|\d{1,2}[/.-]\d{1,2}[/.-](\d{2}|\d{4}))$"
TRUTHS = {"true", "false", "yes", "no", "sim", "não", "nao", "verdadeiro", "falso"}


@dataclass
class Table:
    """A file as it was understood.

    `read_as` has the keys format, encoding, delimiter, header, sheet and chat_format, None where the file has no such thing; every one of
    its values is a valid value of the option of that name. `dropped` counts rows by reason: rows in the file = rows of `frame` + dropped.
    """

    frame: pl.DataFrame
    read_as: dict[str, Any]
    dropped: dict[str, int] = field(default_factory=dict)
    warnings: list[Sentence] = field(default_factory=list)


def plain(value: Any) -> Any:
    """A cell as JSON can say it: text, number, truth value or None."""
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def written(column: pl.Series) -> pl.Series:
    """A column as text, each value as it stood in the file: 7 and not 7.0, null where it is missing."""
    if column.dtype == pl.String:
        return column
    text = column.cast(pl.String)
    return text.str.replace(r"\.0$", "") if column.dtype.is_float() else text


def unique_names(raw: Iterable[str | None]) -> tuple[list[str], list[Sentence]]:
    """Column names made printable, not empty and different from each other, with what had to be changed."""
    given = [CONTROL.sub(" ", name or "") for name in raw]
    given = [" ".join(name.split())[:120] for name in given]
    taken: set[str] = set(given)
    seen: set[str] = set()
    names: list[str] = []
    unnamed = repeated = 0
    for position, name in enumerate(given, start=1):
        if not name or name in seen:
            unnamed, repeated = unnamed + (not name), repeated + bool(name)
            stem, start = (name, 2) if name else ("column", position)
            name = next(new for n in itertools.count(start) if (new := f"{stem}_{n}") not in taken)
        seen.add(name)
        taken.add(name)
        names.append(name)
    warnings = []
    if unnamed:
        message = "Columns without a name: {count}. They are called by their place: column_1, column_2 and so on."
        warnings.append(Sentence(message, count=unnamed))
    if repeated:
        warnings.append(Sentence("Columns with the name of another column: {count}. A number was added to theirs.", count=repeated))
    return names, warnings


def from_text(
    names: Sequence[str], columns: Sequence[Sequence[str | None]], *, decimal_comma: bool = False
) -> tuple[pl.DataFrame, list[Sentence]]:
    """As `typed`, from columns of raw cells."""
    frame = pl.DataFrame([pl.Series(name, cells, dtype=pl.String) for name, cells in zip(names, columns, strict=True)])
    return typed(frame, decimal_comma=decimal_comma)


def typed(frame: pl.DataFrame, *, decimal_comma: bool = False) -> tuple[pl.DataFrame, list[Sentence]]:
    """Columns of text -> a frame. Blank cells are missing; columns become numbers where all values survive the way there and back."""
    commas: list[str] = []
    finished = []
    for column in frame.iter_columns():
        column = blank_to_null(column)
        numbers = as_numbers(column)
        if numbers is None and decimal_comma and not column.str.contains(".", literal=True).any():
            numbers = as_numbers(column.str.replace(",", ".", literal=True))
            if numbers is not None:
                commas.append(column.name)
        finished.append(column if numbers is None else numbers)
    warnings = []
    if commas:
        listed = ", ".join(commas)
        warnings.append(Sentence("Decimal commas were read as decimal points, 1,5 as 1.5, in the columns: {columns}.", columns=listed))
    return pl.DataFrame(finished), warnings


def blank_to_null(column: pl.Series) -> pl.Series:
    """Empty or white cells of a text column become missing."""
    return column.set(column.str.strip_chars() == "", None)


def as_numbers(column: pl.Series) -> pl.Series | None:
    """The numbers that a text column says, or None where one would not be written the same again: 007, 1e5, 1.50, +3."""
    values = column.str.strip_chars()
    values = values.set(values.str.to_lowercase().is_in(NOT_AVAILABLE), None)
    known = values.drop_nulls()
    if not len(known) or not known.str.contains(DECIMAL).all():
        return None
    for dtype, shape in ((pl.Int64, WHOLE), (pl.Float64, DECIMAL)):
        if known.str.contains(shape).all():
            numbers = values.cast(dtype, strict=False)
            if (written(numbers.drop_nulls()) == known).all() if numbers.null_count() == values.null_count() else False:
                return numbers
    return None


def from_values(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> pl.DataFrame:
    """Columns of JSON values -> a frame. Numbers and truth values keep their type where all of a column have it; lists become JSON text."""
    return pl.DataFrame([_column(name, values) for name, values in zip(names, columns, strict=True)])


def _column(name: str, values: Sequence[Any]) -> pl.Series:
    values = [None if isinstance(value, float) and value != value else value for value in values]
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {int} and all(abs(value) < 2**63 for value in values if value is not None):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds and kinds <= {int, float} and all(abs(value) < 2**53 for value in values if value is not None):
        return pl.Series(name, values, dtype=pl.Float64)
    return blank_to_null(pl.Series(name, [value_text(value) for value in values], dtype=pl.String))


def value_text(value: Any) -> str | None:
    """One JSON value as text; what UTF-8 cannot hold (half a surrogate pair) becomes the replacement character."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def describe(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """For each column {name, type, missing, unique, example}; type: text, number, true-false, date, list or empty."""
    return [
        {
            "name": column.name,
            "type": column_type(column),
            "missing": column.null_count(),
            "unique": column.drop_nulls().n_unique(),
            "example": _example(column),
        }
        for column in frame.iter_columns()
    ]


def column_type(column: pl.Series) -> Sentence:
    """What the values of a column are."""
    if column.null_count() == len(column):
        return Sentence("empty")
    if column.dtype == pl.Boolean:
        return Sentence("true-false")
    if column.dtype != pl.String:
        return Sentence("number")
    known = column.drop_nulls()
    if known.str.contains(DATE).all():
        return Sentence("date")
    if known.n_unique() <= 2 and set(known.str.to_lowercase().unique()) <= TRUTHS:
        return Sentence("true-false")
    if known.str.starts_with("[").all() and all(_is_list(text) for text in known.head(20)):
        return Sentence("list")
    return Sentence("text")


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False


def _example(column: pl.Series) -> Any:
    known = column.drop_nulls()
    return shorten(plain(known[0]), EXAMPLE_CHARACTERS) if len(known) else None


def shorten(value: Any, characters: int) -> Any:
    """A value to show: long text ends in an ellipsis."""
    return value[: characters - 1] + "…" if isinstance(value, str) and len(value) > characters else value
