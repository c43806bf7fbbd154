"""A run as one file to take away, and the same run once more from the command line:

    python -m playground.training.again RUN.zip [--home FOLDER]

The file is a ZIP archive of settings.json (the model, every setting, the versions it ran with, and where it was made longer), data/ (the
examples in their parts) and, of a run that went on from another one, start/ (the adapter that it began with), all of it readable. The run
is made in the workspace (`PLAYGROUND_HOME`, or --home), where the app shows it afterwards, and is trained in the foreground. With the same
versions on the same machine it gives the same curve. Does not know the line of runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

from playground.errors import FileUnreadable, InputError, PlaygroundError, WrongState, storage_errors
from playground.models.catalog import Catalog, ModelRef
from playground.settings import load
from playground.system import moment
from playground.training import damage, record, resuming
from playground.training.beginning import FOLDER
from playground.training.brought import adapter_check
from playground.training.brought.adapter_files import CONFIG, UNREADABLE, WEIGHTS
from playground.training.config import TrainingSettings, check
from playground.workspace import PERSONAL, Workspace, read_json, read_twice, write_bytes, write_json

PARTS = ("train", "validation", "test", "prompts")
SETTINGS = "settings.json"
KEPT = (
    "name", "settings", "given", "planned_steps", "planned_about", "planned_examples", "planned_packed", "rows", "instruction", "system",
    "task", "labels", "shots", "slots",
)  # fmt: skip
UNKNOWN_STEP = (
    "This run was made longer without a note of the step at which that was, so nothing could follow its curve. Train it anew, then take "
    "that run away."
)
MOST_BYTES = 4 * 1024**3  # of a part, unpacked
NOT_ONE = (
    "{name} is not a run that was taken away from a playground: it has no settings.json that can be read, or its examples are missing."
)


def pack(folder: Path, target: Path) -> Path:
    """Write the run in `folder` as an archive to `target`.

    Raises:
        WrongState: the same curve could not be had of it.
        StorageFull: no room; nothing is left behind.
    """
    asked, changed = read_twice(folder / "config.json"), read_json(folder / "changes.json", {})
    if not asked:
        raise WrongState(damage.LOST_ASKED, folder=folder)
    if asked.get("brought"):
        raise WrongState("This adapter was trained elsewhere, so there are no rows and settings with which it could be trained again.")
    if damage.unreadable(folder / "changes.json"):
        raise WrongState(damage.LOST_CHANGED)
    settings = {**asked["settings"], **changed.get("settings", {})}
    first = {name: asked["settings"][name] for name in resuming.LENGTHS}  # as long as it was to be when it began
    if any(settings[name] != value for name, value in first.items()) and not changed.get("extended"):
        raise WrongState(UNKNOWN_STEP)
    begun = asked.get("start_from")
    told: dict[str, Any] = {
        "playground": 1,
        "model": asked["model"]["id"],
        **{key: asked[key] for key in KEPT if key in asked},
        "settings": settings | first,
        "extended": changed.get("extended", []),
        "start_from": {key: begun[key] for key in ("name", "sha256")} if begun else None,
        "dataset": asked.get("dataset", {}).get("name", ""),
        "versions": (record.manifest(folder) or {}).get("versions", {}),
    }
    try:
        with storage_errors(), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(SETTINGS, json.dumps(told, ensure_ascii=False, indent=1))
            for part in PARTS:
                if (file := folder / "data" / f"{part}.jsonl").exists():
                    archive.write(file, f"data/{part}.jsonl")
            for name in (CONFIG, WEIGHTS) if begun else ():
                archive.write(folder / FOLDER / name, f"{FOLDER}/{name}")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target


def unpack(path: Path, workspace: Workspace, catalog: Catalog, owner: str = PERSONAL) -> Path:
    """Make a run of an archive, ready to be trained; gives its folder.

    Raises:
        FileUnreadable: it is no such archive; SettingsError: settings that cannot be used; NotFound, ModelUnavailable: the model.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            told = json.loads(archive.read(SETTINGS))
            settings = TrainingSettings(**{"report_to": "none", **told["settings"]})
            settings = settings.alone()  # the other processes, where there were some, had cards that this machine may not have
            check({name: value for name, value in settings.to_dict().items() if value is not None})
            parts = {part: _part(archive, f"data/{part}.jsonl") for part in PARTS}
            stretches = [_stretch(one) for one in told.get("extended", [])]
            start = {name: _part(archive, f"{FOLDER}/{name}") for name in (CONFIG, WEIGHTS)} if told.get("start_from") else {}
        kept = {key: told[key] for key in KEPT if key in told}
        known = kept["rows"], str(kept["name"]), kept["task"]
    except (*UNREADABLE, KeyError, TypeError) as error:
        raise FileUnreadable(NOT_ONE, name=path.name) from error
    if not parts["train"] or not all(known):
        raise FileUnreadable(NOT_ONE, name=path.name)
    model = catalog.resolve(told["model"])
    folder = workspace.draft("runs")
    try:
        with storage_errors():
            (folder / "data").mkdir()
        for part, content in parts.items():
            if content is not None:
                write_bytes(folder / "data" / f"{part}.jsonl", content)
        begun = _start(folder, start, told["start_from"], model, settings.lora_dropout) if start else None
        now = time.time()
        write_json(folder / "status.json", {"state": "starting", "queued_at": now, "launched": now, "at": moment()})
        workspace.publish(
            folder, owner=owner, **{**kept, "settings": settings.to_dict()}, model=model.to_dict(), start_from=begun, stretches=stretches,
            dataset={"id": "", "name": str(told.get("dataset", ""))}, reasons={},
        )  # fmt: skip
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def train(folder: Path) -> None:
    """Train the run in `folder` in this process, as far as it was trained before and then as much longer as it was made."""
    from playground.training.worker import main as work

    work(folder)
    while (due := record.stretch(record.config(folder))) and (run := record.read(folder)).finished and run.step == due["step"]:
        resuming.take_up(folder, {}, time.time(), state="starting")
        work(folder)


def _stretch(told: Any) -> dict[str, Any]:
    """A step and what holds from there on, checked."""
    lengths = {name: told["settings"][name] for name in resuming.LENGTHS}
    check({name: value for name, value in lengths.items() if value is not None})
    step, planned = told["step"], told["planned_steps"]
    if not (isinstance(step, int) and isinstance(planned, int) and 0 < step < planned):
        raise ValueError("no step at which a run could have become longer")
    return {"step": step, "settings": lengths, "planned_steps": planned}


def _start(folder: Path, files: dict[str, bytes | None], told: Any, model: ModelRef, dropout: float) -> dict[str, str]:
    """Lay down the adapter that the run begins with, of which nothing is believed that was not checked.

    Raises:
        InputError: it does not fit the model, or is not the one that the run began with; ModelUnavailable: the model cannot be had.
    """
    from playground.models.loading import folder_of

    config, weights = files[CONFIG], files[WEIGHTS]
    if config is None or weights is None or hashlib.sha256(weights).hexdigest() != told.get("sha256"):
        raise InputError("The adapter with which this run began is not in the archive as it was. Take the run away once more.")
    with storage_errors():
        (folder / FOLDER).mkdir()
    write_bytes(folder / FOLDER / WEIGHTS, weights)
    checked = adapter_check.check(folder / FOLDER / WEIGHTS, adapter_check.read_config(config), model, folder_of(model))
    learned = {"lora_dropout": dropout} if "lora_dropout" in checked.config else {}
    write_json(folder / FOLDER / CONFIG, {**checked.config, **learned})
    return {"run_id": "", "name": str(told.get("name", "")), "sha256": told["sha256"]}


def _part(archive: zipfile.ZipFile, name: str) -> bytes | None:
    try:
        entry = archive.getinfo(name)
    except KeyError:
        return None
    if entry.file_size > MOST_BYTES:
        raise ValueError("too large")
    return archive.read(entry)


def main(arguments: list[str] | None = None) -> int:
    """Train once more what an archive holds; the exit code is 0 when it is done."""
    parser = argparse.ArgumentParser(
        "python -m playground.training.again", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", type=Path, help="the archive")
    parser.add_argument("--home", type=Path, help="the workspace; PLAYGROUND_HOME or ./workspace by default")
    options = parser.parse_args(arguments)
    settings = load()
    workspace = Workspace(options.home.resolve() if options.home else settings.home)
    try:
        folder = unpack(options.run, workspace, Catalog(settings))
    except PlaygroundError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"run {folder.name} in {workspace.home}", flush=True)
    over = threading.Event()
    threading.Thread(target=_tell, args=(folder, over), daemon=True).start()
    try:
        train(folder)
    except PlaygroundError as error:
        print(error, file=sys.stderr)
    over.set()
    run = record.read(folder)
    print(run.error or f"{run.state} after {run.step} steps, loss {run.loss}, on validation rows {run.eval_loss}", flush=True)
    return 0 if run.state == "done" else 1


def _tell(folder: Path, over: threading.Event) -> None:
    while not over.wait(5):
        run = record.read(folder)
        if run.eta_seconds:
            print(f"{run.step} of {run.max_steps} steps, {run.eta_seconds:.0f} s left", flush=True)


if __name__ == "__main__":
    sys.exit(main())
