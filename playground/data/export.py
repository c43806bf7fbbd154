"""A table as a file to take away: CSV that a spreadsheet program can open without running anything, JSON Lines, Parquet.

Knows frames and files; does not know datasets or owners.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from playground.data.table import DECIMAL
from playground.errors import SettingsError, storage_errors

CSV = "csv"
FORMATS = (CSV, "jsonl", "parquet")
# What makes a spreadsheet program take a cell for a formula (OWASP, "CSV Injection"); an apostrophe before it makes it text again.
FORMULA = r"^[=+\-@\t\r]"


def export(table: Path, path: Path, format: str) -> Path:
    """Write a table's file to `path`, piece by piece, whole or not at all.

    Raises:
        SettingsError: an unknown format.
    """
    if format not in FORMATS:
        raise SettingsError("A dataset can be taken away as {known}, not as {format}.", known=", ".join(FORMATS), format=format)
    draft = path.with_name(f".{path.name}.part")
    rows = pl.scan_parquet(table)
    with storage_errors():
        try:
            if format == CSV:
                # With a byte order mark, or Excel reads accents wrongly.
                spreadsheet_safe(rows).sink_csv(draft, include_bom=True)
            elif format == "jsonl":
                rows.sink_ndjson(draft)
            else:
                shutil.copyfile(table, draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return path


def spreadsheet_safe(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The frame with an apostrophe before each text that a spreadsheet program would take for a formula; numbers stay."""
    schema = frame.collect_schema()
    names = [name for name, kind in schema.items() if kind == pl.String]
    risky = [pl.col(name).str.contains(FORMULA) & ~pl.col(name).str.contains(DECIMAL) for name in names]
    quoted = [
        pl.when(formula).then(pl.lit("'") + pl.col(name)).otherwise(pl.col(name)).alias(name)
        for name, formula in zip(names, risky, strict=True)
    ]
    heads = {name: f"'{name}" for name in schema if name[:1] in ("=", "+", "-", "@")}
    return frame.with_columns(quoted).rename(heads)
