"""An owner's datasets on disk: bring in, look at, map, delete.

    datasets/<id>/  source.<format>  table.parquet  mapping.json  history.jsonl  manifest.json

Knows where things lie and whose they are; leaves reading files to `formats` and meaning to `mapping`.
"""

from __future__ import annotations

import builtins
import io
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import polars as pl

from playground.data.formats import read_table
from playground.data.mapping import Mapped, Splits, map_table
from playground.data.table import CONTROL, Table, describe, plain, shorten
from playground.errors import NotFound, Sentence, SettingsError, storage_errors
from playground.settings import Settings
from playground.workspace import Workspace, read_json, write_bytes, write_json

NAME_CHARACTERS = 120
CELL_CHARACTERS = 500
PREVIEW_ROWS = 1_000
SAMPLES_SEEN = ("name", "kind", "rows", "description", "example_prompts")


class DatasetStore:
    """All datasets of a workspace. Every call names the owner, who sees only what is theirs; safe for many threads."""

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self.workspace = workspace
        self.settings = settings
        self._names = threading.Lock()

    def samples(self) -> builtins.list[dict[str, Any]]:
        """The datasets that come with the playground: [{name, kind, rows, description, example_prompts}]."""
        return [{**{key: sample.get(key) for key in SAMPLES_SEEN}, "rows": self._sample_rows(sample)} for sample in self._samples()]

    def import_sample(self, owner: str, sample: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """As `import_file`, for a sample by its name; its own mapping comes with it.

        Raises:
            NotFound: there is no sample of this name.
        """
        found = next((one for one in self._samples() if one["name"] == sample), None)
        if found is None:
            known = ", ".join(one["name"] for one in self._samples()) or "–"
            raise NotFound(
                "There is no sample called {sample}. The samples are: {known}.", sample=str(sample)[:NAME_CHARACTERS], known=known
            )
        path = self._sample_folder / found["file"]
        return self._import(owner, path, found["name"], options, found.get("mapping"), file_name=path.name)

    def import_file(self, owner: str, path: str | Path, name: str | None = None, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Copy a file into the workspace and read it as a table.

        `name` is how the user calls the file (its own name by default); `options` as in `formats.read_table`. Gives {dataset_id, name,
        rows, columns: [{name, type, missing, unique, example}], read_as, dropped: {reason: rows}, warnings: [Sentence], mapping, created}.

        Raises:
            FileUnreadable, SettingsError: as `formats.read_table`.
            StorageFull: nothing half-written is kept.
        """
        path = Path(path)
        return self._import(owner, path, clean_name(name or path.name), options)

    def _import(
        self,
        owner: str,
        path: Path,
        name: str,
        options: dict[str, Any] | None,
        mapping: dict[str, Any] | None = None,
        file_name: str | None = None,
    ) -> dict[str, Any]:
        table = read_table(path, file_name or name, options, self.settings.limits)
        mapped = map_table(table.frame, mapping).settings() if mapping else None
        folder = self.workspace.draft("datasets")
        try:
            with storage_errors():
                shutil.copyfile(path, folder / f"source.{table.read_as['format']}")
            write_table(folder / "table.parquet", table.frame)
            if mapped:
                write_json(folder / "mapping.json", mapped)
            with self._names:
                self._publish(folder, owner, name, table, mapped)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return self.info(owner, folder.name)

    def _publish(self, folder: Path, owner: str, name: str, table: Table, suggested: dict[str, Any] | None) -> None:
        taken = {manifest(other)["name"] for other in self.workspace.list("datasets", owner)}
        name = next(free for number in range(1, len(taken) + 2) if (free := name if number == 1 else f"{name} ({number})") not in taken)
        record(folder, "imported", name=name, rows=table.frame.height)
        self.workspace.publish(
            folder,
            owner=owner,
            name=name,
            rows=table.frame.height,
            columns=describe(table.frame),
            read_as=table.read_as,
            dropped=table.dropped,
            warnings=[{"template": warning.template, "values": warning.values} for warning in table.warnings],
            suggested=suggested,
        )

    def list(self, owner: str) -> list[dict[str, Any]]:
        """Newest first: [{dataset_id, name, rows, columns (how many), created, mapped}]."""
        found = [(folder, manifest(folder)) for folder in self.workspace.list("datasets", owner)]
        return [
            {
                "dataset_id": folder.name,
                "name": about["name"],
                "rows": about["rows"],
                "columns": len(about["columns"]),
                "created": about["created"],
                "mapped": (folder / "mapping.json").exists(),
            }
            for folder, about in found
            if about
        ]

    def info(self, owner: str, id: str) -> dict[str, Any]:
        """What `import_file` gave, with `mapping`: the settings that were saved, or None."""
        folder, about = self._open(owner, id)
        return {
            "dataset_id": id,
            **{key: about[key] for key in ("name", "rows", "columns", "read_as", "dropped")},
            "warnings": [Sentence(warning["template"], **warning["values"]) for warning in about["warnings"]],
            "mapping": read_json(folder / "mapping.json"),
            "created": about["created"],
        }

    def delete(self, owner: str, id: str) -> None:
        """Remove a dataset. Runs that learnt from it keep their own copy of the examples."""
        self.workspace.delete(self.workspace.find("datasets", id, owner))

    def preview(self, owner: str, id: str, offset: int = 0, limit: int = 50) -> dict[str, Any]:
        """{columns: [name], rows: [[cell]], total}; long cells are cut, at most 1,000 rows come at once.

        Raises:
            SettingsError: offset or limit is no whole number, or negative.
        """
        if not all(isinstance(value, int) and not isinstance(value, bool) and value >= 0 for value in (offset, limit)):
            raise SettingsError("offset and limit must be whole numbers from 0.")
        folder, about = self._open(owner, id)
        total = about["rows"]
        with _vanished():
            page = pl.scan_parquet(folder / "table.parquet").slice(min(offset, total), min(limit, PREVIEW_ROWS)).collect()
        rows = [[shorten(plain(cell), CELL_CHARACTERS) for cell in row] for row in page.iter_rows()]
        return {"columns": page.columns, "rows": rows, "total": total}

    def map(self, owner: str, id: str, settings: dict[str, Any] | None = None) -> Mapped:
        """Decide what is learnt from a dataset, and save that. As `mapping.map_table`; a sample's own mapping is its first guess."""
        folder, about = self._open(owner, id)
        mapped = map_table(read_frame(folder), _with_suggestion(settings, about["suggested"]))
        if read_json(folder / "mapping.json") != mapped.settings():
            with self._names, _vanished():
                write_json(folder / "mapping.json", mapped.settings())
                record(folder, "mapped", **mapped.settings())
        return mapped

    def splits(self, owner: str, id: str) -> Splits:
        """The examples by the saved mapping; by a guess, which is not saved, where there is none."""
        folder, about = self._open(owner, id)
        return map_table(read_frame(folder), read_json(folder / "mapping.json") or about["suggested"]).conversations

    def _open(self, owner: str, id: str) -> tuple[Path, dict[str, Any]]:
        """(folder, manifest) of an owner's dataset, or NotFound."""
        folder = self.workspace.find("datasets", id, owner)
        about = manifest(folder)
        if not about:  # deleted in between
            raise gone()
        return folder, about

    @property
    def _sample_folder(self) -> Path:
        return self.settings.assets / "samples"

    def _samples(self) -> builtins.list[dict[str, Any]]:
        listed = read_json(self._sample_folder / "samples.json", [])
        return [sample for sample in listed if (self._sample_folder / sample["file"]).is_file()]

    def _sample_rows(self, sample: dict[str, Any]) -> int | None:
        """Rows of a sample table, None for a document. Counted once for a file as it is."""
        path = self._sample_folder / sample["file"]
        key = (path, path.stat().st_mtime_ns)
        if key not in _SAMPLE_ROWS:
            table = None if path.suffix.lower() == ".pdf" else read_table(path, path.name, None, self.settings.limits)
            _SAMPLE_ROWS[key] = table.frame.height if table else None
        return _SAMPLE_ROWS[key]


_SAMPLE_ROWS: dict[tuple[Path, int], int | None] = {}


def _with_suggestion(settings: dict[str, Any] | None, suggested: dict[str, Any] | None) -> dict[str, Any] | None:
    """What was left out taken from the suggestion, as long as what was given does not contradict it."""
    if not suggested or not isinstance(settings or {}, dict):
        return settings
    given = {key: value for key, value in (settings or {}).items() if value is not None}
    columns = given.get("columns", {})
    fits = given.get("task", suggested["task"]) == suggested["task"]
    fits = fits and isinstance(columns, dict) and all(suggested["columns"].get(role) == name for role, name in columns.items())
    if "label_names" in given and given["label_names"] != suggested.get("label_names"):
        suggested = {key: value for key, value in suggested.items() if key != "instruction"}  # it names the groups by their old names
    return {**suggested, **given, "columns": suggested["columns"] | columns} if fits else settings


def clean_name(name: str) -> str:
    """How a file is called in lists and sentences: its last part, printable, at most 120 characters. Never used as a path."""
    last = PureWindowsPath(PurePosixPath(CONTROL.sub(" ", str(name))).name).name
    last = last.encode("utf-8", "replace").decode()
    return " ".join(last.split())[:NAME_CHARACTERS].strip(" .") or "dataset"


def manifest(folder: Path) -> dict[str, Any]:
    """What a dataset's folder says about itself; empty where it was deleted meanwhile."""
    about = read_json(folder / "manifest.json", {})
    return about if isinstance(about, dict) else {}


def write_table(path: Path, frame: pl.DataFrame) -> None:
    """A frame as Parquet, whole or not at all."""
    content = io.BytesIO()
    frame.write_parquet(content)
    write_bytes(path, content.getvalue())


def read_frame(folder: Path) -> pl.DataFrame:
    """The whole table of a dataset."""
    with _vanished():
        return pl.read_parquet(folder / "table.parquet")


def gone() -> NotFound:
    return NotFound("There is no such {kind} any more. Choose another one from the list.", kind=Sentence("dataset"))


@contextmanager
def _vanished() -> Iterator[None]:
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
