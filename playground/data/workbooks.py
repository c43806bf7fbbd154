"""From Excel and OpenDocument workbooks, and Parquet files, to cells. Knows nothing of headers or datasets."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from playground.data.table import COLUMNS, blank_to_null, from_values
from playground.errors import FileUnreadable

log = logging.getLogger(__name__)
MOMENT = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}"
MIDNIGHT = r"^(\d{4}-\d{2}-\d{2})[ T]00:00:00(\.0+)?$"
PIECE_ROWS, PIECE_BYTES = 20_000, 512 * 1024**2  # of a Parquet file at once, and of its texts
INFLATED = 20  # times the upload limit: what a compressed file may hold when unpacked


def read_sheet(path: Path, name: str, sheet: str | None, upload_bytes: int) -> tuple[list[list[str]], str, list[str]]:
    """(rows of cells, sheet read, all sheets). Without `sheet`, the first one that has something in it.

    Raises:
        FileUnreadable: damaged, locked, no such sheet, or nothing in it.
    """
    import fastexcel

    content = path.read_bytes()
    _refuse_bomb(content, name, upload_bytes)
    try:
        book = fastexcel.read_excel(content)
        sheets = list(book.sheet_names)
        if sheet is not None and sheet not in sheets:
            listed = ", ".join(sheets)
            raise FileUnreadable(
                "The workbook {name} has no sheet called {sheet}. Its sheets are: {sheets}.", name=name, sheet=sheet, sheets=listed
            )
        for candidate in [sheet] if sheet is not None else sheets:
            frame = book.load_sheet(candidate, header_row=None, dtypes="string").to_polars()
            if frame.width > COLUMNS:
                message = (
                    "The file {name} has {count} columns; {most} is the most that can be read. Leave out the columns that are not needed."
                )
                raise FileUnreadable(message, name=name, count=frame.width, most=COLUMNS)
            if frame.height:
                frame = frame.fill_null("").with_columns(_days(column) for column in frame.iter_columns())
                return [list(row) for row in frame.fill_null("").iter_rows()], candidate, sheets
    except BaseException as error:
        # the reader is written in Rust, and where a broken file makes it panic, what arrives is no Exception
        if not isinstance(error, fastexcel.FastExcelError) and type(error).__name__ != "PanicException":
            raise
        log.info("workbook refused: %s", error)
        if "password" in str(error).lower():
            raise locked(name) from error
        message = "The workbook {name} is damaged or of a kind that cannot be read. Save it as CSV or XLSX in your spreadsheet program."
        raise FileUnreadable(message, name=name) from error
    raise FileUnreadable("The workbook {name} is empty: no sheet has anything in it. Choose another file.", name=name)


def _days(column: pl.Series) -> pl.Series:
    """Dates as ISO text: where every time of day in a column is midnight, the cells are days, and no time is written."""
    if not column.str.contains(MOMENT).any() or column.str.contains(MOMENT).fill_null(False).ne(column.str.contains(MIDNIGHT)).any():
        return column
    return column.str.replace(MIDNIGHT, "$1")


def locked(name: str) -> FileUnreadable:
    return FileUnreadable("The workbook {name} is protected by a password. Save a copy without a password and choose that.", name=name)


def _refuse_bomb(content: bytes, name: str, upload_bytes: int) -> None:
    if not content.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile as error:
        raise FileUnreadable("The workbook {name} is damaged. Save it once more in your spreadsheet program.", name=name) from error
    if size > INFLATED * upload_bytes:
        raise FileUnreadable("Unpacked, the workbook {name} is too large to be read. Save the sheet you need as CSV.", name=name)


def read_parquet(path: Path, name: str, rows: int, most_bytes: int) -> pl.DataFrame:
    """A Parquet file with its nested values as JSON text, its dates and times as ISO text, and objects spread over columns, one level deep.

    Raises:
        FileUnreadable: damaged, too many rows, or of more than `most_bytes` when unpacked.
    """
    pieces, size = [], 0
    for piece in parquet_pieces(path, name, rows):
        size += int(piece.estimated_size())
        if size > most_bytes:
            raise _inflated(name)
        pieces.append(piece)
    if not pieces:
        raise FileUnreadable("The file {name} is empty: there is not one row with something in it. Choose another file.", name=name)
    # A piece in which a column holds nothing but lists of nothing is text, as all of them are; numbers of two kinds find one.
    return pl.concat(pieces, how="vertical_relaxed")


def parquet_pieces(path: Path, name: str, rows: int, told: Callable[[float], None] | None = None) -> Iterator[pl.DataFrame]:
    """The file piece by piece, as `read_parquet` gives it; `told` hears how much was read.

    Raises:
        FileUnreadable: damaged, too many rows, or a piece that is too large when unpacked.
    """
    import pyarrow
    import pyarrow.parquet

    done = 0
    try:
        about = pyarrow.parquet.read_schema(path)
        # Texts that come again stay apart in memory, so that a small file cannot blow up before it is measured.
        texts = [field.name for field in about if pyarrow.types.is_string(field.type) or pyarrow.types.is_large_string(field.type)]
        with pyarrow.parquet.ParquetFile(path, read_dictionary=texts) as file:
            total = file.metadata.num_rows
            if total > rows:
                raise too_many_rows(name, total, rows)
            for batch in file.iter_batches(batch_size=PIECE_ROWS):
                if batch.num_rows:
                    yield plain_frame(pl.DataFrame(pl.from_arrow(_unpacked(batch, name))))
                    done += batch.num_rows
                if told:
                    told(done / max(1, total))
    except (pyarrow.ArrowException, OSError, ValueError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        log.info("parquet refused: %s", error)
        message = "The Parquet file {name} is damaged or of a kind that cannot be read. Save it once more."
        raise FileUnreadable(message, name=name) from error


def _unpacked(batch: Any, name: str) -> Any:
    """A batch with each text in its place, if that is not too much."""
    import pyarrow
    import pyarrow.compute

    columns = []
    for column in batch.columns:
        if pyarrow.types.is_dictionary(column.type):
            lengths = pyarrow.compute.binary_length(column.dictionary)
            size = pyarrow.compute.sum(lengths.take(column.indices)).as_py() or 0
            if size > PIECE_BYTES:
                raise _inflated(name)
            column = column.dictionary_decode()
        columns.append(column)
    return pyarrow.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _inflated(name: str) -> FileUnreadable:
    return FileUnreadable("Unpacked, the file {name} is too large to be read. Split it.", name=name)


def plain_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame of any types as `read_parquet` gives it.

    Raises:
        ValueError: too many columns, or several of one name.
    """
    columns: list[pl.Series] = []
    for column in frame.iter_columns():
        inner = column.struct.unnest().iter_columns() if isinstance(column.dtype, pl.Struct) else [column]
        prefix = f"{column.name}." if isinstance(column.dtype, pl.Struct) else ""
        columns += [_simple(one).alias(prefix + one.name) for one in inner]
    names = [column.name for column in columns]
    if len(columns) > COLUMNS or len(set(names)) < len(names):
        raise ValueError("columns that cannot be told apart, or too many")
    return pl.DataFrame(columns)


def too_many_rows(name: str, count: int, most: int) -> FileUnreadable:
    message = "The file {name} has {count:,} rows; {most:,} is the most that can be read here. Split it, or take a part of it."
    return FileUnreadable(message, name=name, count=count, most=most)


def _simple(column: pl.Series) -> pl.Series:
    """A column of any type as text, whole numbers, decimals or truth values."""
    dtype = column.dtype
    if dtype == pl.Boolean:
        return column
    if dtype.is_integer():
        return column.cast(pl.Int64) if dtype not in (pl.UInt64, pl.Int128) else column.cast(pl.String)
    if dtype.is_float():
        return column.cast(pl.Float64).fill_nan(None)
    if dtype == pl.Binary:
        return pl.Series(column.name, [None if value is None else value.decode("utf-8", "replace") for value in column], dtype=pl.String)
    if dtype.is_nested() or dtype == pl.Object:
        return from_values([column.name], [[_json(value) for value in column.to_list()]]).to_series()
    return blank_to_null(column.cast(pl.String))


def _json(value: object) -> object:
    """Nested values with what JSON lacks (dates, bytes, decimals) as text."""
    if isinstance(value, dict):
        return {str(key): _json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_json(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
