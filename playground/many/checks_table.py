"""The answers to a list of questions with expected answers as a file to take away: CSV that runs nothing, or JSON; and filters.

Does not know jobs, owners or screens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playground.errors import unpack
from playground.many.table import keep
from playground.workspace import write_json

Row = Mapping[str, Any]
FORMATS = ("csv", "json")
HEADS = (
    *("question", "expected", "expected_document", "expected_page", "answer", "document", "page", "label", "right", "refused", "rank"),
    *("f1", "confidence", "model_words", "model_f1", "error", "collection", "embedder", "mode", "thesaurus", "weight", "reranker"),
    *("threshold", "phrased_by", "date"),
)
FILTERS: dict[str, Callable[[Row], bool]] = {
    "all": lambda row: True,
    "wrong": lambda row: row["right"] is False,
    "right": lambda row: row["right"] is True,
    "refused": lambda row: row["refused"],
    "unanswerable": lambda row: not row["answerable"],
    "not_found": lambda row: row["ranked"] and row["rank"] is None,
}


def chosen(rows: Sequence[Row], which: str) -> list[tuple[int, Row]]:
    """The rows of a filter, each with its number in the whole table, from 0."""
    return [(number, row) for number, row in enumerate(rows) if FILTERS[which](row)]


def save(result: Mapping[str, Any], path: Path, format: str) -> Path:
    """Write a result of `checks` to `path`, whole or not at all."""
    when = datetime.fromtimestamp(result["asked"], UTC).isoformat(timespec="seconds")
    if format == "json":
        rows = [{**row, "error": str(unpack(row["error"])) if row["error"] else None} for row in result["rows"]]
        write_json(path, {**result, "asked": when, "rows": rows})
        return path
    how = result["settings"]
    lines = [
        (
            *_line(row),
            result["collection"],
            result["embedder"],
            how["mode"],
            _written(how.get("thesaurus")),
            _written(how.get("weight")),
            how.get("reranker"),
            f"{how['threshold']:g}",
            result["run"] or how["phrased_by"],
            when,
        )
        for row in result["rows"]
    ]
    return keep(path, HEADS, lines)


def _line(row: Row) -> tuple[str | None, ...]:
    cited = row["cited"] or {}
    return (
        row["question"],
        " | ".join(row["expected"]),
        row["document"],
        _page(row["page"]),
        row["answer"],
        cited.get("document"),
        _page(cited.get("page")),
        cited.get("label"),
        _written(row["right"]),
        _written(row["refused"]),
        _written(row["rank"]),
        _written(row["f1"]),
        _written(row["confidence"]),
        row["said"],
        _written(row["said_f1"]),
        str(unpack(row["error"])) if row["error"] else None,
    )


def _page(page: int | str | None) -> str | None:
    return None if page is None else str(page)


def _written(value: float | bool | None) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if value is None else json.dumps(round(value, 4))
