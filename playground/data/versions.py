"""Versions of a dataset's table: every change makes a new one beside the former, and any of them can be brought back.

    datasets/<id>/  table.parquet (as imported)  table-2.parquet  ...     and in manifest.json: version, versions

The manifest is written after the table, so a version exists whole or not at all. Knows files and counts; does not know what the changes
mean or whose dataset it is.
"""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from playground.data import large
from playground.data.large import TableWriter
from playground.data.table import describe
from playground.errors import NotFound
from playground.workspace import write_bytes, write_json

KEPT = 20  # versions with a table of their own; the first one always stays


def first(rows: int, dropped: Mapping[str, int], **reading: Any) -> dict[str, Any]:
    """What a manifest says right after the import; `reading`: its keys that tell how the file was read, kept for `restore`."""
    told = {**reading, "dropped": dict(dropped)}
    return {"version": 1, "versions": [{**entry(1, None, "imported", rows, dropped=dropped), "reading": told}], **told}


def entry(
    number: int,
    parent: int | None,
    what: str,
    rows: int,
    *,
    dropped: Mapping[str, int] | None = None,
    changed: Mapping[str, int] | None = None,
    added: int = 0,
    columns: Sequence[str] = (),
) -> dict[str, Any]:
    """One line of the list of versions. `dropped`: reason -> rows left out on the way from the parent; `changed`: reason -> cells;
    `columns`: names of those left out."""
    return {
        "version": number,
        "parent": parent,
        "what": what,
        "rows": rows,
        "dropped": dict(dropped or {}),
        "changed": dict(changed or {}),
        "added": added,
        "dropped_columns": list(columns),
        "time": time.time(),
    }


def listed(about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The versions a manifest names, oldest first; a manifest from before there were versions has one."""
    return about.get("versions") or first(about["rows"], about["dropped"])["versions"]


def table(folder: Path, about: Mapping[str, Any], number: int | None = None) -> Path:
    """The file of a version, of the current one by default."""
    number = number or about.get("version", 1)
    return folder / ("table.parquet" if number == 1 else f"table-{number}.parquet")


def write_table(path: Path, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """A frame as Parquet, whole or not at all; gives its columns as `describe` tells them."""
    if frame.height > large.ROWS:
        with TableWriter(path) as writer:
            for piece in frame.iter_slices(large.SLICE):
                writer.write(piece)
        return writer.columns
    content = io.BytesIO()
    frame.write_parquet(content)
    write_bytes(path, content.getvalue())
    return describe(frame)


def write(path: Path, content: pl.DataFrame | TableWriter) -> list[dict[str, Any]]:
    """The columns of a table, which is written now where it is a frame."""
    return content.columns if isinstance(content, TableWriter) else write_table(path, content)


def next_table(folder: Path, about: Mapping[str, Any]) -> Path:
    """Where the table of the next version goes."""
    return table(folder, about, _next(about))


def add(folder: Path, about: Mapping[str, Any], content: pl.DataFrame | TableWriter, what: str, **counts: Any) -> dict[str, Any]:
    """Keep a changed table as the newest version and make it the current one; gives its entry.

    `content`: a frame, or the writer that wrote to `next_table`. `counts` as in `entry`. Rows of the parent + added = rows of the table +
    dropped.
    """
    before = listed(about)
    current = about.get("version", 1)
    number = _next(about)
    new = entry(number, current, what, _rows(content), **counts)
    rows = next(one["rows"] for one in before if one["version"] == current)
    if rows + new["added"] != new["rows"] + sum(new["dropped"].values()):
        raise ValueError("The rows of a new version do not add up")
    columns = write(table(folder, about, number), content)
    _switch(folder, {**about, "versions": [*before, new]}, number, new["rows"], columns)
    _forget(folder, number, [one["version"] for one in before])
    return new


def replace(
    folder: Path, about: Mapping[str, Any], content: pl.DataFrame | TableWriter, dropped: Mapping[str, int], **reading: Any
) -> dict[str, Any]:
    """The file read anew: a version with no parent, which counts from the file again. `content` as in `add`, `reading` as in `first`."""
    before = listed(about)
    number = _next(about)
    told = {**reading, "dropped": dict(dropped)}
    new = {**entry(number, None, "imported", _rows(content), dropped=dropped), "reading": told}
    columns = write(table(folder, about, number), content)
    _switch(folder, {**about, **told, "versions": [*before, new]}, number, new["rows"], columns)
    _forget(folder, number, [one["version"] for one in before])
    return new


def _next(about: Mapping[str, Any]) -> int:
    return max(one["version"] for one in listed(about)) + 1


def _rows(content: pl.DataFrame | TableWriter) -> int:
    return content.rows if isinstance(content, TableWriter) else content.height


def restore(folder: Path, about: Mapping[str, Any], number: int) -> None:
    """Make a former version the current one; the newer ones stay.

    Raises:
        NotFound: there is no such version, or its table is no longer kept.
    """
    path = table(folder, about, number)
    if number not in {one["version"] for one in listed(about)} or not path.exists():
        raise NotFound("Version {number} of this dataset is not kept any more.", number=number)
    origin = chain(about, number)[-1].get("reading", {})
    rows = next(one["rows"] for one in listed(about) if one["version"] == number)
    frame, numbers = large.looked_at(path)
    _switch(folder, {**about, **origin}, number, rows, describe(frame) if numbers is None else large.describe_large(path, frame))


def chain(about: Mapping[str, Any], number: int) -> list[dict[str, Any]]:
    """The entries from a version back to the reading of the file that it came from."""
    by_number = {one["version"]: one for one in listed(about)}
    steps = [by_number[number]]
    while steps[-1]["parent"] in by_number:
        steps.append(by_number[steps[-1]["parent"]])
    return steps


def kept(folder: Path, about: Mapping[str, Any]) -> list[int]:
    """The versions that can be brought back."""
    return [one["version"] for one in listed(about) if table(folder, about, one["version"]).exists()]


def _switch(folder: Path, about: Mapping[str, Any], number: int, rows: int, described: Sequence[Mapping[str, Any]]) -> None:
    columns = [{**column, "type": str(column["type"])} for column in described]
    write_json(folder / "manifest.json", {**about, "version": number, "rows": rows, "columns": columns, "versions": listed(about)})


def _forget(folder: Path, current: int, older: Sequence[int]) -> None:
    """Of many versions only the newest tables stay, and the first."""
    for number in sorted(older)[:-KEPT]:
        if number not in (1, current):
            large.remove(table(folder, {}, number))


def ledger(about: Mapping[str, Any]) -> dict[str, Any]:
    """{read, added, dropped: {reason: rows}, rows} from the file to the current version: read + added = rows + all dropped."""
    steps = chain(about, about.get("version", 1))
    dropped: Counter[str] = Counter()
    for step in steps:
        dropped.update(step["dropped"])
    rows, added = steps[0]["rows"], sum(step["added"] for step in steps)
    return {"read": rows + sum(dropped.values()) - added, "added": added, "dropped": dict(dropped), "rows": rows}
