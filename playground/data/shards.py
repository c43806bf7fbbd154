"""Several files of one table put together as one Parquet file.

Looks at the totals before anything is unpacked. Does not know where the files came from, or what becomes of the table.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from playground.data import versions
from playground.data.streams import read_any
from playground.data.workbooks import INFLATED, too_many_rows
from playground.errors import FileUnreadable, storage_errors
from playground.settings import Limits

log = logging.getLogger(__name__)
DIFFERENT = "The files of {name} do not fit together as one table. Choose another part, or bring one of the files by itself."


def join_parquet(paths: Sequence[Path], target: Path, name: str, limits: Limits) -> None:
    """Write the rows of all files to `target` in their order, piece by piece; a column that a file lacks is empty there.

    Raises:
        FileUnreadable: damaged, too many rows, too large when unpacked, or columns of types that do not fit together.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        abouts = [pyarrow.parquet.read_metadata(path) for path in paths]
    except (pyarrow.ArrowException, OSError) as error:
        log.info("shards refused: %s", error)
        damaged = "The Parquet file {name} is damaged or of a kind that cannot be read. Save it once more."
        raise FileUnreadable(damaged, name=name) from error
    try:
        rows = sum(about.num_rows for about in abouts)
        size = sum(about.row_group(group).total_byte_size for about in abouts for group in range(about.num_row_groups))
        if rows > limits.rows:
            raise too_many_rows(name, rows, limits.rows)
        if size > INFLATED * limits.upload_bytes:
            raise FileUnreadable("Unpacked, the file {name} is too large to be read. Split it.", name=name)
        with storage_errors():
            pl.concat([pl.scan_parquet(path) for path in paths], how="diagonal_relaxed").sink_parquet(target)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        log.info("shards refused: %s", error)
        raise FileUnreadable(DIFFERENT, name=name) from error


def join_tables(paths: Sequence[Path], target: Path, name: str, limits: Limits) -> None:
    """As `join_parquet`, for CSV and JSON files, each of which is read as if it had come alone.

    Raises:
        FileUnreadable: as `formats.read_table`, or together they have too many rows.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".joining-") as folder:
        pieces, rows = [], 0
        for number, path in enumerate(paths):
            piece = Path(folder) / f"{number}.parquet"
            table = read_any(path, path.name, None, limits, piece)
            versions.write(piece, table.content)
            pieces.append(piece)
            rows += table.rows
            if rows > limits.rows:
                raise too_many_rows(name, rows, limits.rows)
        join_parquet(pieces, target, name, limits)
