"""A table as a file to take away: CSV that a spreadsheet program can open without running anything, JSON Lines, Parquet.

Knows frames and files; does not know datasets or owners.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from playground.data.table import DECIMAL
from playground.errors import SettingsError, storage_errors

FORMATS = ("csv", "jsonl", "parquet")
# What makes a spreadsheet program take a cell for a formula (OWASP, "CSV Injection"); an apostrophe before it makes it text again.
FORMULA = r"^[=+\-@\t\r]"


def export(frame: pl.DataFrame, path: Path, format: str) -> Path:
    """Write the frame to `path`, whole or not at all.

    Raises:
        SettingsError: an unknown format.
    """
    if format not in FORMATS:
        raise SettingsError("A dataset can be taken away as {known}, not as {format}.", known=", ".join(FORMATS), format=format)
    draft = path.with_name(f".{path.name}.part")
    with storage_errors():
        try:
            if format == "csv":
                # With a byte order mark, or Excel reads accents wrongly.
                spreadsheet_safe(frame).write_csv(draft, include_bom=True)
            elif format == "jsonl":
                frame.write_ndjson(draft)
            else:
                frame.write_parquet(draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return path


def spreadsheet_safe(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with an apostrophe before each text that a spreadsheet program would take for a formula; numbers stay."""
    risky = [
        pl.col(name).str.contains(FORMULA) & ~pl.col(name).str.contains(DECIMAL) for name, kind in frame.schema.items() if kind == pl.String
    ]
    names = [name for name, kind in frame.schema.items() if kind == pl.String]
    quoted = [
        pl.when(formula).then(pl.lit("'") + pl.col(name)).otherwise(pl.col(name)).alias(name)
        for name, formula in zip(names, risky, strict=True)
    ]
    heads = {name: f"'{name}" for name in frame.columns if name[:1] in ("=", "+", "-", "@")}
    return frame.with_columns(quoted).rename(heads)
