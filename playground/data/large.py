"""Tables that are too large to be held in memory: written and read piece by piece, with some of their rows drawn by chance beside them.

    table.parquet  table.sample.parquet (the rows drawn, and where they stand)

A table that has such a sample is large; what needs a whole table in memory (guessing, mapping, finding faults) looks at the sample. Knows
frames and files; does not know formats, datasets or what is done with the rows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import polars as pl

from playground.data.table import EXAMPLE_CHARACTERS, NOT_AVAILABLE, describe, plain, shorten, written
from playground.errors import storage_errors

ROWS, BYTES = 200_000, 256 * 1024**2  # more than either of these makes a table large
SAMPLE, SAMPLE_BYTES = 50_000, 96 * 1024**2  # what is drawn from it, at most
SLICE = 50_000  # rows of a piece, at most
HASHES = 25_000_000  # values whose hashes are kept while a table is written, 8 bytes each
PLACE = "\0place"  # a name that no column has
LARGEST_INT = 2**53  # that a decimal number holds exactly


def sample_path(path: Path) -> Path:
    """Where the sample of a table's file is."""
    return path.with_suffix(".sample.parquet")


def is_large(path: Path) -> bool:
    return sample_path(path).exists()


def looked_at(path: Path) -> tuple[pl.DataFrame, list[int] | None]:
    """(the whole table, None), or of a large one (its sample in the table's order, the number of each of its rows in the table)."""
    if not is_large(path):
        return pl.read_parquet(path), None
    frame = pl.read_parquet(sample_path(path))
    return frame.drop(PLACE), frame[PLACE].to_list()


def slices(path: Path, columns: list[str] | None = None) -> Iterator[pl.DataFrame]:
    """The table piece by piece, in order, as it was written; all of it or some of its columns."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    start = 0
    for size in sizes:
        scan = pl.scan_parquet(path).slice(start, size)
        yield (scan if columns is None else scan.select(columns)).collect()
        start += size


def remove(path: Path) -> None:
    """Take a table's file away, and its sample first: what has no sample is read as a small table."""
    path.unlink(missing_ok=True)
    sample_path(path).unlink(missing_ok=True)


class TableWriter:
    """Write a table piece by piece; whole, with its sample where it turned out large, when the context ends well, and not at all otherwise.
    A table without a row is not written.

    A column's type is the one that all of its values fit, as for a table that is read at once: whole numbers, decimals, truth values, else
    text. A later piece can widen it; what was written before is then written again. Pieces may lack columns, or bring new ones.
    """

    def __init__(self, path: Path, seed: int = 0, compression: str = "zstd") -> None:
        self.path = path
        self._compression = compression
        self._hashes: dict[str, list[pl.Series]] | None = {}  # of the values of each column; None where they would take too much room
        self._writing: Future[None] | None = None
        self._thread = ThreadPoolExecutor(1, "table-writer")  # the next piece is read while this one is written
        self.rows = 0
        self._bytes = 0
        self.columns: list[dict[str, Any]] = []  # as `table.describe`, when the context has ended
        self._draft = path.with_name(f".{path.name}.part")
        self._random = np.random.default_rng(seed)
        self._schema: dict[str, pl.DataType] = {}
        self._empty: set[str] = set()  # columns without a value so far: any type fits them
        self._drawn: list[pl.DataFrame] = []
        self._bound = 1.0  # rows whose lot is below it may be drawn
        self._writer: Any = None
        self._file_schema: dict[str, pl.DataType] = {}

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._written(raises=kind is None)
            if self._writer is not None:
                self._writer.close()
            if kind is None and self.rows:
                with storage_errors():
                    self._finish()
        finally:
            self._thread.shutdown()
            self._draft.unlink(missing_ok=True)

    def write(self, frame: pl.DataFrame) -> None:
        """Add rows."""
        if not frame.height:
            return
        frame = self._fitted(frame)
        start = self.rows
        self.rows += frame.height
        self._bytes += int(frame.estimated_size())
        self._draw(frame, start)
        self._count(frame)
        self._written()
        self._writing = self._thread.submit(self._append, frame)

    def _written(self, raises: bool = True) -> None:
        """Wait for the piece before."""
        if self._writing is not None:
            with storage_errors() if raises else contextlib.suppress(Exception):
                self._writing.result()
            self._writing = None

    def _count(self, frame: pl.DataFrame) -> None:
        """What `describe_large` would count afterwards, as long as it takes little room."""
        if self._hashes is None or self.rows * len(self._schema) > HASHES:
            self._hashes = None
            return
        for column in frame.iter_columns():
            self._hashes.setdefault(column.name, []).append(column.drop_nulls().hash())

    def _fitted(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The piece in the table's columns and types, which it may widen."""
        for column in frame.iter_columns():
            name, empty = column.name, column.null_count() == len(column)
            known = self._schema.get(name)
            if known is None or (name in self._empty and not empty):
                self._schema[name] = column.dtype
            elif not empty and not _only_blanks(column, known):
                self._schema[name] = _wider(known, column)
                if self._schema[name] != known or column.dtype != known:
                    self._hashes = None  # a number and its text have different ones
            if known is None and empty:
                self._empty.add(name)
            elif not empty:
                self._empty.discard(name)
        return _cast(frame, self._schema)

    def _append(self, frame: pl.DataFrame) -> None:
        """Runs on a thread of its own, one piece at a time."""
        schema = dict(frame.schema)
        if self._writer is not None and self._file_schema != schema:
            self._rewrite(schema)
        self._put(frame)
        self._file_schema = schema

    def _put(self, frame: pl.DataFrame) -> None:
        import pyarrow.parquet

        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            level = 1 if self._compression == "zstd" else None
            self._writer = pyarrow.parquet.ParquetWriter(
                self._draft, table.schema, compression=self._compression, compression_level=level, use_dictionary=False
            )
        self._writer.write_table(table, row_group_size=SLICE)

    def _rewrite(self, schema: dict[str, pl.DataType]) -> None:
        """What was written so far, in the types of now."""
        self._writer.close()
        before = self._draft.with_name(f"{self._draft.name}.old")
        self._draft.replace(before)
        try:
            self._writer = None
            for piece in slices(before):
                self._put(_cast(piece, schema))
        finally:
            before.unlink(missing_ok=True)

    def _draw(self, frame: pl.DataFrame, start: int) -> None:
        """Keep the rows with the smallest lots: a fair sample of however many rows will come."""
        lots = self._random.random(frame.height)
        chosen = np.flatnonzero(lots < self._bound)
        if not len(chosen):
            return
        # Through Arrow and back, or a few texts would keep all texts of their piece in memory: polars only points to them.
        drawn = pl.DataFrame(pl.from_arrow(frame[chosen].to_arrow(compat_level=pl.CompatLevel.oldest())))
        self._drawn.append(drawn.with_columns(pl.Series(PLACE, chosen + start), pl.Series("\0lot", lots[chosen])))
        if sum(piece.height for piece in self._drawn) > 2 * self._room:
            self._drawn = [self._smallest()]
            self._bound = float(self._drawn[0]["\0lot"].max())  # type: ignore[arg-type]

    @property
    def _room(self) -> int:
        """Rows of the sample."""
        return max(1, min(SAMPLE, SAMPLE_BYTES * self.rows // max(1, self._bytes)))

    def _smallest(self) -> pl.DataFrame:
        types = self._schema | {PLACE: pl.Int64(), "\0lot": pl.Float64()}
        return pl.concat([_cast(piece, types) for piece in self._drawn]).bottom_k(self._room, by="\0lot")

    def _finish(self) -> None:
        target = sample_path(self.path)
        if self.rows <= ROWS and self._bytes <= BYTES:
            target.unlink(missing_ok=True)
            self._draft.replace(self.path)
            self.columns = describe(pl.read_parquet(self.path))
            return
        sample = self._smallest().drop("\0lot").sort(PLACE)
        sample.write_parquet(target)
        self._draft.replace(self.path)
        hashes, self._hashes = self._hashes, None
        counts = None
        if hashes is not None:
            counts = {name: (self.rows - sum(map(len, its)), pl.concat(its).n_unique()) for name, its in hashes.items()}
        self.columns = describe_large(self.path, sample.drop(PLACE), counts)


Counts = dict[str, tuple[int, int]]  # by column: cells that are missing, different values


def describe_large(path: Path, sample: pl.DataFrame, counts: Counts | None = None) -> list[dict[str, Any]]:
    """As `table.describe`: `counts` of the whole table, type and example as the sample has them."""
    counts = counts or _counts(path, sample.columns)
    told = describe(sample)
    for one in told:
        one["missing"], one["unique"] = counts[one["name"]]
        if one["example"] is None and one["unique"]:
            value = pl.scan_parquet(path).select(pl.col(one["name"]).drop_nulls().first()).collect(engine="streaming").item()
            one["example"] = shorten(plain(value), EXAMPLE_CHARACTERS)
    return told


def _counts(path: Path, names: list[str]) -> Counts:
    found = (
        pl.scan_parquet(path)
        .select(
            *(pl.col(name).null_count().alias(f"missing {place}") for place, name in enumerate(names)),
            # hashes take the room of a number where texts would take that of the file
            *(pl.col(name).drop_nulls().hash().n_unique().alias(f"unique {place}") for place, name in enumerate(names)),
        )
        .collect(engine="streaming")
    )
    return {name: (found[f"missing {place}"].item(), found[f"unique {place}"].item()) for place, name in enumerate(names)}


def _wider(known: pl.DataType, column: pl.Series) -> pl.DataType:
    """The narrowest type for the values of both."""
    kinds = {known, column.dtype}
    if len(kinds) == 1:
        return known
    if kinds == {pl.Int64(), pl.Float64()}:
        largest = column.abs().max() if column.dtype == pl.Int64 else 0
        return pl.Float64() if isinstance(largest, int) and largest < LARGEST_INT else pl.String()
    return pl.String()


def _only_blanks(column: pl.Series, known: pl.DataType) -> bool:
    """Whether what a piece has in a column of numbers are only words for "missing"."""
    return known in (pl.Int64(), pl.Float64()) and column.dtype == pl.String and bool(_not_available(column).drop_nulls().all())


def _not_available(column: pl.Series) -> pl.Series:
    return column.str.strip_chars().str.to_lowercase().is_in(NOT_AVAILABLE)


def _cast(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """The frame in exactly these columns."""
    fitted = []
    for name, kind in schema.items():
        if name not in frame.columns:
            fitted.append(pl.Series(name, [None], dtype=kind).new_from_index(0, frame.height))
            continue
        column = frame[name]
        if column.dtype == kind:
            fitted.append(column)
        elif kind == pl.String:
            fitted.append(_text(column))
        elif column.dtype == pl.String:  # nothing but words for "missing"
            fitted.append(pl.Series(name, [None], dtype=kind).new_from_index(0, frame.height))
        else:
            fitted.append(column.cast(kind))
    return pl.DataFrame(fitted)


def _text(column: pl.Series) -> pl.Series:
    """Values as a table that is read at once writes them: truth values as JSON does."""
    return column.cast(pl.String).str.to_lowercase() if column.dtype == pl.Boolean else written(column)
