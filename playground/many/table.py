"""The table of answers as a file to take away, with who answered, how and when: CSV that runs nothing, or JSON.

Does not know jobs, owners or screens.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from playground.data.export import spreadsheet_safe
from playground.errors import storage_errors
from playground.workspace import write_json

FORMATS = ("csv", "json")
HEADS = ("question", "base", "tuned", "right_answer", "same", "base_right", "tuned_right", "base_error", "tuned_error")
WHO = ("model", "run", "adapter_sha256", "settings", "date")


def save(result: dict[str, Any], path: Path, format: str) -> Path:
    """Write a result of `work` to `path`, whole or not at all."""
    when = datetime.fromtimestamp(result["asked"], UTC).isoformat(timespec="seconds")
    if format == "json":
        plain = [
            {**row, **{name: {key: value for key, value in row[name].items() if key != "sentence"} for name in ("base", "tuned")}}
            for row in result["rows"]
        ]
        write_json(path, {**result, "asked": when, "rows": plain})
        return path
    settings = json.dumps(result["settings"], ensure_ascii=False)
    lines = [(*_line(row), result["model"], result["run"], _proof(row), settings, when) for row in result["rows"]]
    return keep(path, [*HEADS, *WHO], lines)


def keep(path: Path, heads: Sequence[str], lines: Sequence[Sequence[str | None]]) -> Path:
    """Write lines of texts under their heads as CSV, safe for spreadsheets, whole or not at all; gives the path.

    Raises:
        StorageFull: no room.
    """
    frame = pl.DataFrame(lines, schema=dict.fromkeys(heads, pl.String), orient="row")
    draft = path.with_name(f".{path.name}.part")
    with storage_errors():
        try:
            # with a byte order mark, or Excel reads accents wrongly
            spreadsheet_safe(frame.lazy()).sink_csv(draft, include_bom=True)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return path


def _line(row: dict[str, Any]) -> tuple[str | None, ...]:
    verdicts = ("" if row[key] is None else "yes" if row[key] else "no" for key in ("same", "base_right", "tuned_right"))
    return (
        row["question"],
        row["base"]["text"],
        row["tuned"]["text"],
        row["right"],
        *verdicts,
        row["base"]["error"],
        row["tuned"]["error"],
    )


def _proof(row: dict[str, Any]) -> str | None:
    """The hash of what really wrote the tuned answer."""
    return (row["tuned"]["adapter"] or {}).get("sha256")
