"""An owner's datasets on disk: bring in, look at, map, delete.

    datasets/<id>/  source.<format>  table.parquet  table-<version>.parquet  mapping.json  history.jsonl  manifest.json
                    table*.sample.parquet beside a large table

Knows where things lie and whose they are; leaves reading files to `formats`, meaning to `mapping`, changes to `revisions`.
"""

from __future__ import annotations

import builtins
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from playground.data import versions
from playground.data.folder import gone, how_read, keep, look, manifest, record, vanished
from playground.data.formats import read_table
from playground.data.importing import Import, Imports
from playground.data.large import looked_at
from playground.data.mapping import Mapped, Splits, map_table
from playground.data.revisions import Revisions
from playground.data.streams import Streamed, Told, read_any
from playground.data.table import CONTROL, plain, shorten
from playground.errors import NotFound, Sentence, SettingsError, storage_errors, unpack
from playground.settings import Settings
from playground.workspace import Workspace, read_json, write_json

NAME_CHARACTERS = 120
CELL_CHARACTERS = 500
PREVIEW_ROWS = 1_000
NUMBER = "\0row"  # a name that no column has
SAMPLES_SEEN = ("name", "kind", "rows", "description", "example_prompts")


class DatasetStore(Revisions):
    """All datasets of a workspace. Every call names the owner, who sees only what is theirs; safe for many threads."""

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        super().__init__()
        self.workspace = workspace
        self.settings = settings
        self.imports = Imports()
        self.came_in: Callable[[], None] = lambda: None  # called when a person has brought a dataset

    def samples(self) -> builtins.list[dict[str, Any]]:
        """The datasets that come with the playground: [{name, kind, rows, description, example_prompts}]."""
        return [{**{key: sample.get(key) for key in SAMPLES_SEEN}, "rows": self._sample_rows(sample)} for sample in self._samples()]

    def import_sample(self, owner: str, sample: str, options: dict[str, Any] | None = None, *, asked: bool = True) -> dict[str, Any]:
        """As `import_file`, for a sample by its name; its own mapping comes with it. `asked`: a person wanted it.

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
        done = self._import(owner, path, found["name"], options, found.get("mapping"), file_name=path.name)
        if asked:
            self.came_in()
        return done

    def import_file(
        self, owner: str, path: str | Path, name: str | None = None, options: dict[str, Any] | None = None, *, told: Told | None = None
    ) -> dict[str, Any]:
        """Copy a file into the workspace and read it as a table.

        `name` is how the user calls the file (its own name by default); `options` as in `formats.read_table`; `told` hears how much of a
        large file is read, from 0 to 1, and may raise to give up. Gives {dataset_id, name,
        rows, columns: [{name, type, missing, unique, example}], read_as, dropped: {reason: rows}, warnings: [Sentence], mapping, created}.

        Raises:
            FileUnreadable, SettingsError: as `formats.read_table`.
            StorageFull: nothing half-written is kept.
        """
        path = Path(path)
        done = self._import(owner, path, clean_name(name or path.name), options, told=told)
        self.came_in()
        return done

    def bring(self, owner: str, path: Path, name: str) -> Import:
        """As `import_file`, to be followed and stopped."""
        return self.imports.start(owner, lambda told: self.import_file(owner, path, name, told=told))

    def _import(
        self,
        owner: str,
        path: Path,
        name: str,
        options: dict[str, Any] | None,
        mapping: dict[str, Any] | None = None,
        file_name: str | None = None,
        told: Told | None = None,
    ) -> dict[str, Any]:
        folder = self.workspace.draft("datasets")
        try:
            target = folder / "table.parquet"
            table = read_any(path, file_name or name, options, self.settings.limits, target, told)
            columns = versions.write(target, table.content)
            mapped = map_table(looked_at(target)[0], mapping).settings() if mapping else None
            with storage_errors():
                keep(path, folder / f"source.{table.read_as['format']}")
            if mapped:
                write_json(folder / "mapping.json", mapped)
            with self._names:
                self._publish(folder, owner, name, table, columns, mapped)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return self.info(owner, folder.name)

    def _publish(
        self, folder: Path, owner: str, name: str, table: Streamed, columns: builtins.list[dict[str, Any]], suggested: dict[str, Any] | None
    ) -> None:
        taken = {manifest(other)["name"] for other in self.workspace.list("datasets", owner)}
        name = next(free for number in range(1, len(taken) + 2) if (free := name if number == 1 else f"{name} ({number})") not in taken)
        record(folder, "imported", name=name, rows=table.rows)
        self.workspace.publish(
            folder,
            owner=owner,
            name=name,
            rows=table.rows,
            columns=columns,
            **versions.first(table.rows, table.dropped, **how_read(table)),
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
        """What `import_file` gave, with `mapping`: the settings that were saved, or None.

        The counts are those of the current version, see `versions.ledger`: read + added = rows + all that was dropped.
        """
        folder, about = self._open(owner, id)
        there = set(versions.kept(folder, about))
        return {
            "dataset_id": id,
            **{key: about[key] for key in ("name", "columns", "read_as")},
            **versions.ledger(about),
            "version": about.get("version", 1),
            "versions": [{**one, "kept": one["version"] in there} for one in versions.listed(about)],
            "warnings": [told for warning in about["warnings"] if (told := unpack(warning))],
            "mapping": read_json(folder / "mapping.json"),
            "created": about["created"],
        }

    def delete(self, owner: str, id: str) -> None:
        """Remove a dataset. Runs that learnt from it keep their own copy of the examples."""
        self.workspace.delete(self.workspace.find("datasets", id, owner))

    def preview(
        self,
        owner: str,
        id: str,
        offset: int = 0,
        limit: int = 50,
        *,
        search: str = "",
        column: str = "",
        only: Sequence[int] | None = None,
    ) -> dict[str, Any]:
        """{columns: [name], rows: [[cell]], numbers: [row number from 0], total}; long cells are cut, at most 1,000 rows come at once.

        `search`: only rows in which a cell has this text, in any case, of any column or the one that `column` names; `only`: these rows of
        the table. `total` counts what is left.

        Raises:
            SettingsError: offset or limit is no whole number, or negative, or there is no such column.
        """
        if not all(isinstance(value, int) and not isinstance(value, bool) and value >= 0 for value in (offset, limit)):
            raise SettingsError("offset and limit must be whole numbers from 0.")
        folder, about = self._open(owner, id)
        limit = min(limit, PREVIEW_ROWS)
        looked = [one for one in about["columns"] if column in ("", one["name"])]
        if not looked:
            columns = ", ".join(one["name"] for one in about["columns"])
            raise SettingsError("The table has no column called {unknown}. Its columns are: {columns}.", unknown=column, columns=columns)
        with vanished():
            rows = pl.scan_parquet(versions.table(folder, about), row_index_name=NUMBER)
            total = about["rows"]
            if only is not None:
                rows = rows.filter(pl.col(NUMBER).is_in(list(only)))
            if search.strip():
                rows = rows.filter(_has(search.strip(), looked))
            if only is not None or search.strip():
                # Numbers first, and only those: the cells of the rows that are shown are read afterwards.
                found = rows.select(NUMBER).collect(engine="streaming").to_series()
                total, wanted = len(found), found.slice(offset, limit)
                page = pl.scan_parquet(versions.table(folder, about), row_index_name=NUMBER).filter(pl.col(NUMBER).is_in(wanted.implode()))
            else:
                page = rows.slice(min(offset, total), min(limit, total))
            shown = page.collect()
        numbers = shown.drop_in_place(NUMBER).to_list()
        cells = [[shorten(plain(cell), CELL_CHARACTERS) for cell in row] for row in shown.iter_rows()]
        return {"columns": shown.columns, "rows": cells, "numbers": numbers, "total": total}

    def map(self, owner: str, id: str, settings: dict[str, Any] | None = None) -> Mapped:
        """Decide what is learnt from a dataset, and save that. As `mapping.map_table`; a sample's own mapping is its first guess."""
        folder, about = self._open(owner, id)
        mapped = self._mapped(folder, about, _with_suggestion(settings, about["suggested"]))
        if read_json(folder / "mapping.json") != mapped.settings():
            with self._names, vanished():
                write_json(folder / "mapping.json", mapped.settings())
                record(folder, "mapped", **mapped.settings())
        return mapped

    def splits(self, owner: str, id: str) -> Splits:
        """The examples by the saved mapping; by a guess, which is not saved, where there is none."""
        folder, about = self._open(owner, id)
        return self._mapped(folder, about, read_json(folder / "mapping.json") or about["suggested"]).conversations

    def _mapped(self, folder: Path, about: dict[str, Any], settings: dict[str, Any] | None) -> Mapped:
        frame, numbers = look(folder, about)
        mapped = map_table(frame, settings)
        if numbers is not None:
            message = "The table has {rows:,} rows. {count:,} of them, drawn by chance, are what can be learnt from."
            mapped.warnings.insert(0, Sentence(message, rows=about["rows"], count=len(numbers)))
        return mapped

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


def _has(text: str, columns: builtins.list[dict[str, Any]]) -> pl.Expr:
    """Rows in which a cell has this text, in any case."""
    looked = [pl.col(column["name"]).cast(pl.String).str.to_lowercase().str.contains(text.lower(), literal=True) for column in columns]
    return pl.any_horizontal([expression.fill_null(False) for expression in looked])


def clean_name(name: str) -> str:
    """How a file is called in lists and sentences: its last part, printable, at most 120 characters. Never used as a path."""
    last = re.split(r"[/\\]", CONTROL.sub(" ", str(name)).rstrip("/\\"))[-1]
    last = last.encode("utf-8", "replace").decode()
    return " ".join(last.split())[:NAME_CHARACTERS].strip(" .") or "dataset"
