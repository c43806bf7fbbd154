"""A run as one file to take away, and the same run once more from the command line:

    python -m playground.training.again RUN.zip [--home FOLDER]

The file is a ZIP archive of settings.json (the model, every setting, the versions it ran with) and data/ (the examples in their parts), all
of it readable. The run is made in the workspace (`PLAYGROUND_HOME`, or --home), where the app shows it afterwards, and is trained in the
foreground. With the same versions on the same machine it gives the same curve. Does not know the line of runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

from playground.errors import FileUnreadable, PlaygroundError, storage_errors
from playground.models.catalog import Catalog
from playground.settings import load
from playground.system import moment
from playground.training import record
from playground.training.config import TrainingSettings, check
from playground.workspace import PERSONAL, Workspace, write_bytes, write_json

PARTS = ("train", "validation", "test", "prompts")
SETTINGS = "settings.json"
KEPT = ("name", "settings", "given", "planned_steps", "planned_about", "rows", "instruction", "system", "task", "labels", "shots", "slots")
MOST_BYTES = 4 * 1024**3  # of a part, unpacked
NOT_ONE = (
    "{name} is not a run that was taken away from a playground: it has no settings.json that can be read, or its examples are missing."
)


def pack(folder: Path, target: Path) -> Path:
    """Write the run in `folder` as an archive to `target`.

    Raises:
        StorageFull: no room; nothing is left behind.
    """
    asked = record.config(folder)
    told: dict[str, Any] = {
        "playground": 1,
        "model": asked["model"]["id"],
        **{key: asked[key] for key in KEPT if key in asked},
        "dataset": asked.get("dataset", {}).get("name", ""),
        "versions": (record.manifest(folder) or {}).get("versions", {}),
    }
    try:
        with storage_errors(), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(SETTINGS, json.dumps(told, ensure_ascii=False, indent=1))
            for part in PARTS:
                if (file := folder / "data" / f"{part}.jsonl").exists():
                    archive.write(file, f"data/{part}.jsonl")
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
            parts = {part: _part(archive, part) for part in PARTS}
        kept = {key: told[key] for key in KEPT if key in told}
        known = kept["rows"], str(kept["name"]), kept["task"]
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise FileUnreadable(NOT_ONE, name=path.name) from error
    if not parts["train"] or not all(known):
        raise FileUnreadable(NOT_ONE, name=path.name)
    model = catalog.resolve(told["model"])
    folder = workspace.draft("runs")
    with storage_errors():
        (folder / "data").mkdir()
    for part, content in parts.items():
        if content is not None:
            write_bytes(folder / "data" / f"{part}.jsonl", content)
    now = time.time()
    write_json(folder / "status.json", {"state": "starting", "queued_at": now, "launched": now, "at": moment()})
    dataset = {"id": "", "name": str(told.get("dataset", ""))}
    workspace.publish(folder, owner=owner, **{**kept, "settings": settings.to_dict()}, model=model.to_dict(), dataset=dataset, reasons={})
    return folder


def _part(archive: zipfile.ZipFile, part: str) -> bytes | None:
    try:
        entry = archive.getinfo(f"data/{part}.jsonl")
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
    from playground.training.worker import main as train

    over = threading.Event()
    threading.Thread(target=_tell, args=(folder, over), daemon=True).start()
    train(folder)
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
