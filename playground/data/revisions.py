"""Everything that changes a dataset after it was brought in: by hand, by repairs, by reading the file again, and the way back.

Each change is a new version (see `versions`) and a line in the history. Leaves finding and repairing to `doctor`, edits to `editing`.
"""

from __future__ import annotations

import builtins
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from playground.data import bulk, doctor, large, versions
from playground.data.doctor import Finding
from playground.data.editing import edit
from playground.data.export import FORMATS, export
from playground.data.folder import how_read, look, manifest, record, vanished
from playground.data.large import TableWriter, is_large
from playground.data.mapping import map_table
from playground.data.streams import read_any
from playground.data.table import plain
from playground.decoding import ENCODINGS
from playground.errors import MappingError, NotFound, Sentence, SettingsError
from playground.settings import Settings
from playground.workspace import read_json

NAMED = ("text", "markdown")  # formats that only the ending of a file's name tells apart
Lengths = Callable[[list[str]], list[int]]  # tokens of each text


class Revisions:
    """The part of `DatasetStore` that makes versions. Every call names the owner; safe for many threads."""

    settings: Settings
    encodings = ENCODINGS
    downloads = FORMATS

    def __init__(self) -> None:
        self._names = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}  # by dataset
        self._checked: dict[tuple[Any, ...], builtins.list[Finding]] = {}  # of the table that was looked at last

    def _open(self, owner: str, id: str) -> tuple[Path, dict[str, Any]]:
        raise NotImplementedError

    def info(self, owner: str, id: str) -> dict[str, Any]:
        raise NotImplementedError

    def cell(self, owner: str, id: str, row: int, column: str) -> Any:
        """One whole cell.

        Raises:
            NotFound: the table has no such place.
        """
        folder, about = self._open(owner, id)
        if column not in {one["name"] for one in about["columns"]} or not 0 <= row < about["rows"]:
            raise NotFound("The table has no such cell any more.")
        with vanished():
            return plain(pl.scan_parquet(versions.table(folder, about)).select(pl.col(column)).slice(row, 1).collect().item())

    def edit(
        self,
        owner: str,
        id: str,
        cells: Sequence[dict[str, Any]] = (),
        add: Sequence[dict[str, Any]] = (),
        delete: Sequence[int] = (),
        drop_columns: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Change cells, add rows, take rows or columns out, as `editing.edit`; a new version.

        Gives {dataset_id, version, rows, changed, added, dropped, dropped_columns}.
        """
        with self._changing(owner, id) as (folder, about):
            path, target = versions.table(folder, about), versions.next_table(folder, about)
            content: pl.DataFrame | TableWriter
            if is_large(path):
                content, done = bulk.change(path, target, about["columns"], about["rows"], cells, add, delete, drop_columns)
            else:
                done = edit(look(folder, about)[0], cells, add, delete, drop_columns)
                content = done.frame
            told = {"dataset_id": id, "changed": done.changed, "added": done.added, "dropped_columns": list(drop_columns)}
            if not (done.changed or done.added or done.deleted or drop_columns):
                return {**told, "version": about.get("version", 1), "rows": about["rows"], "dropped": {}}
            dropped = {str(Sentence("taken out by hand")): done.deleted} if done.deleted else {}
            changed = {str(Sentence("edited by hand")): done.changed} if done.changed else {}
            counts = {"dropped": dropped, "changed": changed, "added": done.added, "columns": drop_columns}
            new = versions.add(folder, about, content, "edited", **counts)
            record(folder, **new)
            _forget_mapping(folder)
            return {**told, "version": new["version"], "rows": new["rows"], "dropped": dropped}

    def check(
        self, owner: str, id: str, lengths: Lengths | None = None, max_length: int | None = None, *, reader: str = ""
    ) -> builtins.list[Finding]:
        """What is wrong with the current version, worst first, as `doctor.check`, by the mapping that was saved or a sample's own.

        `reader` names whose `lengths` they are: what was found for one model is not told of another.
        """
        folder, about = self._open(owner, id)
        mapping = read_json(folder / "mapping.json") or about["suggested"]
        key = (id, about.get("version", 1), json.dumps(mapping, sort_keys=True), max_length, reader)
        if key not in self._checked:
            frame, numbers = look(folder, about)
            with vanished():
                self._checked = {
                    key: doctor.check(frame, mapping, lengths=lengths, max_length=max_length)
                    if numbers is None
                    else bulk.check(versions.table(folder, about), about["columns"], about["rows"], frame, numbers, mapping)
                }
        return self._checked[key]

    def fix(
        self,
        owner: str,
        id: str,
        ids: Sequence[str],
        lengths: Lengths | None = None,
        max_length: int | None = None,
        *,
        keep: bool = True,
    ) -> dict[str, Any]:
        """Carry out the fixes of findings as a new version; without `keep`, only show what they would do.

        Gives {dataset_id, version, rows, changed (cells), dropped: {reason: rows}, changes: [doctor.Change]}.

        Raises:
            NotFound, SettingsError: as `doctor.fix`.
        """
        with self._changing(owner, id) if keep else self._looking(owner, id) as (folder, about):
            mapping = read_json(folder / "mapping.json") or about["suggested"]
            path, number = versions.table(folder, about), about.get("version", 1)
            fixed: doctor.Fixed | bulk.Repaired
            if is_large(path):
                target = versions.next_table(folder, about) if keep else folder / f".{secrets.token_hex(4)}.parquet"
                try:
                    fixed = bulk.fix(path, target, list(ids), about["columns"], about["rows"], mapping or _guessed(look(folder, about)[0]))
                finally:
                    if not keep:
                        large.remove(target)
                content: pl.DataFrame | TableWriter = fixed.table
            else:
                fixed = doctor.fix(look(folder, about)[0], list(ids), mapping, lengths=lengths, max_length=max_length)
                content = fixed.frame
            rows = content.rows if isinstance(content, TableWriter) else content.height
            if not rows or (isinstance(content, pl.DataFrame) and not content.width):
                raise SettingsError("Nothing would be left of the table. Choose fewer repairs.")
            if keep and (fixed.dropped or fixed.changed or fixed.dropped_columns):
                counts = {"dropped": fixed.dropped, "changed": fixed.changed, "columns": fixed.dropped_columns}
                new = versions.add(folder, about, content, "repaired", **counts)
                record(folder, **{**new, "repairs": list(ids)})
                number = new["version"]
            return {
                "dataset_id": id,
                "version": number,
                "rows": rows,
                "changed": sum(fixed.changed.values()),
                "dropped": dict(fixed.dropped),
                "dropped_columns": fixed.dropped_columns,
                "changes": fixed.changes,
            }

    def read_again(self, owner: str, id: str, options: dict[str, Any]) -> dict[str, Any]:
        """Read the file once more with other options, as a new version; gives what `info` gives. The mapping goes where its columns went.

        Raises:
            FileUnreadable, SettingsError: as `formats.read_table`; the dataset stays as it was.
        """
        with self._changing(owner, id) as (folder, about):
            source = next(iter(sorted(folder.glob("source.*"))), folder / "source")
            known = about["read_as"]["format"]
            if known in NAMED and not {"format", "delimiter"} & options.keys():
                options = {**options, "format": known}  # the file's own ending told, and that is no longer known
            read = read_any(source, about["name"], options, self.settings.limits, versions.next_table(folder, about))
            versions.replace(folder, about, read.content, read.dropped, **how_read(read))
            record(folder, "read again", options=options, rows=read.rows, dropped=read.dropped)
            _forget_mapping(folder)
        return self.info(owner, id)

    def restore(self, owner: str, id: str, version: int) -> dict[str, Any]:
        """Bring a former version back; the newer ones stay. Gives {dataset_id, version, rows, changed, dropped}.

        Raises:
            NotFound: no such version, or it is not kept any more.
        """
        with self._changing(owner, id) as (folder, about):
            versions.restore(folder, about, version)
            record(folder, "restored", version=version)
        return {"dataset_id": id, "version": version, "rows": self.info(owner, id)["rows"], "changed": 0, "dropped": {}}

    def download(self, owner: str, id: str, format: str, folder: Path) -> Path:
        """The current version as a file (csv, jsonl or parquet) in a folder of the caller's, named after the dataset."""
        of, about = self._open(owner, id)
        stem = re.sub(r"[^\w-]+", "_", Path(about["name"]).stem)[:60].strip("_") or "dataset"
        with vanished():
            return export(versions.table(of, about), folder / f"{stem}.{format if format in FORMATS else 'none'}", format)

    @contextmanager
    def _looking(self, owner: str, id: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        """(folder, manifest)."""
        with vanished():
            yield self._open(owner, id)

    @contextmanager
    def _changing(self, owner: str, id: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        """As `_looking`, while nobody else changes this dataset; others can be changed meanwhile, for a repair may take its time."""
        self._open(owner, id)  # a lock for what is there only
        with self._names:
            lock = self._locks.setdefault(id, threading.Lock())
        with lock, self._looking(owner, id) as found:
            yield found


def _forget_mapping(folder: Path) -> None:
    """A mapping of columns that are no longer there is none."""
    used = {name for name in ((read_json(folder / "mapping.json") or {}).get("columns") or {}).values() if name}
    if not used <= {column["name"] for column in manifest(folder).get("columns", [])}:
        (folder / "mapping.json").unlink(missing_ok=True)


def _guessed(frame: pl.DataFrame) -> dict[str, Any]:
    """A mapping for all pieces of a large table, which each of them would guess anew."""
    try:
        return map_table(frame).settings()
    except MappingError:
        return {}
