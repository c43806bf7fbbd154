"""An adapter that somebody trained elsewhere, made into a run that has finished: it can be asked, listed, deleted and gone on from.

Only the two files that make an adapter are taken, and of its configuration only what was checked. The model is the one that the person
chooses: the name in a configuration is a suggestion, and nothing is ever loaded by it. Does not train, load weights or know the interface.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from playground.errors import InputError, storage_errors
from playground.models.catalog import Catalog, ModelRef
from playground.settings import Settings
from playground.training.brought import adapter_check, adapter_files
from playground.workspace import Workspace, file_hash, write_bytes, write_json

NAME_CHARACTERS = 80
NOT_HERE = (
    "{model} is not on this machine yet, so it cannot be seen whether the adapter fits it. Train with the model once, which downloads "
    "it, then bring the adapter."
)


class Bringing:
    """`bring` for the people of one playground: of whom only one's own machine lets them name a folder."""

    def __init__(self, workspace: Workspace, catalog: Catalog, settings: Settings) -> None:
        self._workspace, self._catalog, self._settings = workspace, catalog, settings

    def bring(self, owner: str, sources: Sequence[Path], model: str = "", name: str = "", *, path: str = "") -> str:
        """Make a finished run of an adapter that was trained elsewhere; gives its id. `path` is a folder or a ZIP archive on this machine.

        Raises:
            InputError, ModelUnavailable, NotFound, StorageFull: as the function `bring`; InputError for a path in shared mode.
        """
        given = [self._own(path)] if path.strip() else list(sources)
        if not given:
            raise InputError("There is no adapter yet. Choose its files, or a ZIP archive of its folder.")
        with self._catalog.tokens.acting(owner):
            return bring(self._workspace, self._catalog, owner, given, name, model, most_bytes=self._settings.limits.upload_bytes)

    def suggest(self, owner: str, sources: Sequence[Path], *, path: str = "") -> str | None:
        """The model that an adapter's own file names, where the list has it: a suggestion, which nothing is loaded by."""
        with contextlib.suppress(InputError):
            return suggest(self._catalog, owner, [self._own(path)] if path.strip() else sources)
        return None

    def _own(self, path: str) -> Path:
        """What a person named on their own machine; a visitor of somebody else's names nothing there."""
        if self._settings.mode != "personal":
            raise InputError("Folders of this machine are closed to visitors. Upload the adapter's files instead.")
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # longer than a path can be, of nobody's home, or no path
            found = Path(path.strip()).expanduser()
            if found.is_absolute() and os.access(found, os.R_OK | os.X_OK if found.is_dir() else os.R_OK):
                return found
        raise InputError("There is no folder or file {path} on this machine. Give its whole path, from the root on.", path=path.strip())


def bring(
    workspace: Workspace, catalog: Catalog, owner: str, sources: Path | Sequence[Path], name: str, model_id: str = "", *, most_bytes: int
) -> str:
    """Make a finished run of the adapter in `sources` (a folder, a ZIP archive, or its two files); gives the run's id.

    Args:
        model_id: the model that it belongs to; empty takes the one that the configuration names, where the catalog lists it.

    Raises:
        InputError: the files are missing, damaged, too large or do not fit the model.
        ModelUnavailable, NotFound: the model.
        StorageFull: no room; nothing is left behind.
    """
    given = [sources] if isinstance(sources, Path) else list(sources)
    folder = workspace.draft("runs")
    try:
        adapter = folder / "adapter"
        with storage_errors():
            adapter.mkdir()
        adapter_files.fetch(given, adapter, most_bytes)
        config = adapter_check.read_config((adapter / adapter_files.CONFIG).read_bytes())
        ref = catalog.resolve(model_id or _suggested(catalog, owner, config))
        checked = adapter_check.check(adapter / adapter_files.WEIGHTS, config, ref, _files_of(ref))
        write_json(adapter / adapter_files.CONFIG, checked.config)
        return _publish(workspace, folder, owner, _name(name, given), ref, checked)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def suggest(catalog: Catalog, owner: str, sources: Sequence[Path]) -> str | None:
    """The model of the catalog that the adapter's configuration names; None where it names another, or cannot be read."""
    with contextlib.suppress(InputError, OSError), tempfile.TemporaryDirectory() as folder:
        adapter_files.fetch(sources, Path(folder), 0, names=(adapter_files.CONFIG,))
        return _suggested(catalog, owner, adapter_check.read_config((Path(folder) / adapter_files.CONFIG).read_bytes()))
    return None


def _suggested(catalog: Catalog, owner: str, config: dict[str, Any]) -> str:
    named = config.get("base_model_name_or_path")
    if isinstance(named, str) and any(one.id == named for one in catalog.list(owner)):
        return named
    raise InputError("Choose the model that the adapter was trained on; its own file names none of this list.")


def _files_of(ref: ModelRef) -> Path:
    folder = ref.folder()
    if folder is None:
        raise InputError(NOT_HERE, model=ref.id)
    return folder


def _name(name: str, given: Sequence[Path]) -> str:
    said = " ".join((name or "").split()) or (given[0].stem if len(given) == 1 else "")
    return said[:NAME_CHARACTERS] or "Adapter"


def _publish(workspace: Workspace, folder: Path, owner: str, name: str, ref: ModelRef, checked: adapter_check.Checked) -> str:
    """The files of a finished run, as a worker leaves them; the one by which it is found comes last."""
    with storage_errors():
        (folder / "data").mkdir()
    for part in ("train", "validation", "test"):
        write_bytes(folder / "data" / f"{part}.jsonl", b"")
    write_bytes(folder / "metrics.jsonl", b"")
    weights = folder / "adapter" / adapter_files.WEIGHTS
    digest = file_hash(weights)
    now = time.time()
    results = dict.fromkeys(("loss", "eval_loss", "best_eval_loss", "best_step"))
    versions = {one: version(one) for one in ("torch", "transformers", "trl", "peft")}
    adapter = {"sha256": digest, "bytes": weights.stat().st_size}
    write_json(
        folder / "manifest.json",
        {"state": "done", "step": 0, **results, "finished": now, "loop_seconds": 0.0, "adapter": adapter, "versions": versions},
    )
    write_json(
        folder / "status.json",
        {"state": "done", "step": 0, "max_steps": 0, "seconds": 0.0, "ended": now, "trainable_parameters": checked.trainable},
    )
    workspace.publish(
        folder,
        owner=owner,
        name=name,
        brought=True,
        dataset={"id": "", "name": ""},
        model=asdict(ref),
        settings=checked.settings,
        given=[],
        reasons={},
        planned_steps=0,
        planned_about=False,
        rows={"train": 0, "validation": 0, "test": 0},
        instruction="",
        system="",
        task="instruction",
        labels=[],
        shots=[],
    )
    return folder.name
