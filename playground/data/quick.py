"""Pieces of large files through polars' own readers, which are fast: None where anything in a piece is unusual.

Whoever gets None reads the piece with the readers that small files have. Knows a piece and what was found out about its file before.
"""

from __future__ import annotations

import io
import re
from typing import Any

import polars as pl

from playground.data.delimited import Dialect
from playground.data.grid import Grid
from playground.data.table import BLANK, blank_to_null, typed, unique_names
from playground.errors import Sentence

REFUSED = (pl.exceptions.PolarsError, pl.exceptions.PanicException, UnicodeDecodeError)


def json_like_before(piece: bytes, known: dict[str, Any]) -> pl.DataFrame | None:
    """A piece through polars with the columns of the piece before; None where it may have others.

    Every row has every column if no value is missing, and no other one if there are no more names than that.
    """
    if not known:
        return None
    try:
        frame = pl.read_ndjson(io.BytesIO(piece), schema=known)
    except REFUSED:
        return None
    names = piece.count(b'":')
    if names != frame.height * len(known) or any(frame.null_count().row(0)):
        return None
    return _cleaned(frame)


def _cleaned(frame: pl.DataFrame) -> pl.DataFrame:
    """Blank cells are missing, and rows with nothing in them are left out."""
    frame = frame.with_columns(blank_to_null(column) for column in frame.iter_columns() if column.dtype == pl.String)
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def json(piece: bytes, texts: dict[str, Any]) -> pl.DataFrame | None:
    """A piece through polars; None where anything in it is unusual: a broken line, objects inside objects, names to be cleaned."""
    try:
        frame = pl.read_ndjson(io.BytesIO(piece), infer_schema_length=None, schema_overrides=texts)
        if lists := [column for column, kind in frame.schema.items() if isinstance(kind, pl.List)]:
            texts.update(dict.fromkeys(lists, pl.String))
            frame = pl.read_ndjson(io.BytesIO(piece), infer_schema_length=None, schema_overrides=texts)
    except REFUSED:
        return None
    simple = all(kind in (pl.String, pl.Int64, pl.Float64, pl.Boolean, pl.Null) for kind in frame.dtypes)
    if not simple or unique_names(frame.columns)[0] != frame.columns:
        return None
    frame = _cleaned(frame.cast({pl.Null: pl.String}))
    texts.update(
        {column.name: pl.String for column in frame.iter_columns() if column.dtype == pl.String and column.null_count() < len(column)}
    )
    return frame


def delimited(
    piece: bytes, dialect: Dialect, grid: Grid, decimal_comma: bool
) -> tuple[pl.DataFrame, dict[str, int], list[Sentence]] | None:
    """A piece through polars; None where a row has another number of cells, or a quotation mark stands in an unusual place."""
    if not dialect.delimiter or dialect.skip_space or dialect.escape or dialect.old_mac or not dialect.delimiter.isascii():
        return None
    mark = re.escape(dialect.delimiter.encode())
    bare = piece
    if b'"' in piece:
        bare = re.sub(rb"(?:(?<=\n)|(?<=\r)|(?<=" + mark + rb')|\A)"(?:[^"]|"")*"(?=' + mark + rb"|\r|\n|\Z)", b"", piece)
    if b'"' in bare or bare.count(b"\r") != bare.count(b"\r\n"):
        return None
    rows = bare.count(b"\n") + (not bare.endswith(b"\n"))
    if bare.count(dialect.delimiter.encode()) != rows * (grid.width - 1):
        return None
    try:
        frame = pl.read_csv(
            io.BytesIO(piece),
            has_header=False,
            separator=dialect.delimiter,
            infer_schema=False,
            schema={f"column_{place + 1}": pl.String for place in range(grid.width)},
        )
    except REFUSED:
        return None
    if frame.height != rows:
        return None
    named = {f"column_{place + 1}": label for place, label in grid.labels.items()}
    idle = [one for one in frame.columns if one not in named]
    if any(blank_to_null(frame[one]).null_count() < frame.height for one in idle):
        return None
    frame, warnings = typed(frame.drop(idle).rename(named), decimal_comma=decimal_comma)
    kept = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return kept, {BLANK: frame.height - kept.height} if kept.height < frame.height else {}, warnings
