"""A dataset's folder: what its manifest says, its current table, its history. Knows files; does not know owners or what changes mean."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from playground.data import versions
from playground.data.large import looked_at
from playground.data.streams import LARGE, Streamed
from playground.errors import NotFound, Sentence, pack
from playground.workspace import read_json, write_bytes


def how_read(table: Streamed) -> dict[str, Any]:
    """What a manifest tells of how the file was read."""
    return {"read_as": table.read_as, "warnings": [pack(warning) for warning in table.warnings]}


def manifest(folder: Path) -> dict[str, Any]:
    """What a dataset's folder says about itself; empty where it was deleted meanwhile."""
    about = read_json(folder / "manifest.json", {})
    return about if isinstance(about, dict) else {}


def look(folder: Path, about: dict[str, Any]) -> tuple[pl.DataFrame, list[int] | None]:
    """The current version of a dataset, as `large.looked_at` gives it: the whole table, or a large one's sample with its row numbers."""
    with vanished():
        return looked_at(versions.table(folder, about))


def keep(path: Path, target: Path) -> None:
    """A file that was brought in, kept: a large one under a second name where the disk can do that, since a copy would take its time."""
    if path.stat().st_size > LARGE:
        with contextlib.suppress(OSError):
            os.link(path, target)
            return
    shutil.copyfile(path, target)


def gone() -> NotFound:
    return NotFound("There is no such {kind} any more. Choose another one from the list.", kind=Sentence("dataset"))


@contextmanager
def vanished() -> Iterator[None]:
    """A dataset that somebody deletes while it is being used is one that is not there."""
    try:
        yield
    except FileNotFoundError as error:
        raise gone() from error


def record(folder: Path, what: str, **details: Any) -> None:
    """Add a line {time, what, ...} to the history of a dataset."""
    path = folder / "history.jsonl"
    before = path.read_bytes() if path.exists() else b""
    write_bytes(path, before + json.dumps({"time": time.time(), "what": what, **details}, ensure_ascii=False).encode() + b"\n")
