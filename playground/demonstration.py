"""The demonstration that lies in assets/: a finished run on the sample table and an indexed sample document, ready at the first start.

    assets/demonstration/ run/ (as in a workspace, without identity)  collection/index.sqlite  collection/embedder.json  about.json

`install` copies it into an owner's data, `restore` brings it back, and `python -m playground.demonstration` makes it anew, which is due
whenever a starter model changes. Knows services; no page.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from playground.errors import ModelUnavailable, PlaygroundError, WrongState, storage_errors
from playground.rag.index import Index
from playground.services import SAMPLE_QUESTIONS, STARTER, Services
from playground.settings import Settings
from playground.workspace import file_hash, read_json, write_json

MARK = "demonstration"  # key of an identity that belongs to the demonstration
KEPT = ("status.json", "metrics.jsonl", "samples.json", "samples.jsonl", "manifest.json")
PROCESS = ("pid", "pid_started", "launched", "at", "queued_at")  # of a worker that no longer exists
COLLECTION = "Harbour Café handbook"
NOT_THERE = "The demonstration is missing from {folder}. Get the whole project again, with the files in its assets folder."
WAIT_SECONDS = 20  # for a run to end that is thrown away


class Demonstration:
    """What lies in the box, and who has been given it."""

    def __init__(self, services: Services) -> None:
        self.services, self.workspace = services, services.workspace
        self.folder = services.settings.assets / "demonstration"
        self._lock = threading.Lock()

    @property
    def there(self) -> bool:
        return (self.folder / "about.json").is_file()

    def greet(self, owner: str) -> None:
        """Install it for an owner who comes for the first time and has nothing yet. A failure costs the demonstration, not the page."""
        seen = self.workspace.home / "greeted" / hashlib.sha256(owner.encode()).hexdigest()[:32]
        with self._lock:
            if seen.exists() or not self.there:
                return
            with contextlib.suppress(PlaygroundError, OSError):
                seen.parent.mkdir(exist_ok=True)
                if not any(self.workspace.list(kind, owner) for kind in ("datasets", "runs", "collections")):
                    self.install(owner)
                seen.touch()

    def install(self, owner: str) -> dict[str, str]:
        """Add the sample table, the run that learned from it and the sample document; gives their ids.

        Raises:
            ModelUnavailable: it does not lie in the box; StorageFull: nothing half-written is kept.
        """
        self._check()
        services, about = self.services, read_json(self.folder / "about.json", {})
        with contextlib.ExitStack() as undo:
            dataset_id = services.datasets.import_sample(owner, about["dataset"], asked=False)["dataset_id"]
            undo.callback(services.datasets.delete, owner, dataset_id)
            services.datasets.map(owner, dataset_id)
            run = self._copy_run(owner, dataset_id, about["dataset"])
            undo.callback(services.runs.delete, owner, run)
            collection = self._copy_collection(owner)
            undo.pop_all()
        return {"dataset_id": dataset_id, "run_id": run, "collection": collection}

    def restore(self, owner: str, *, everything: bool = False) -> dict[str, str]:
        """Put the demonstration back as it was; with `everything`, the owner's own datasets, runs and collections go first.

        Raises:
            WrongState: a run could not be ended in time; ModelUnavailable: there is nothing to bring back, so nothing goes.
        """
        self._check()
        with self._lock:
            self._clear(owner, everything)
            return self.install(owner)

    def _check(self) -> None:
        if not self.there:
            raise ModelUnavailable(NOT_THERE, folder=self.folder)

    def _clear(self, owner: str, everything: bool) -> None:
        services, workspace = self.services, self.workspace
        datasets = set()
        for folder in workspace.list("runs", owner):
            identity = read_json(folder / "config.json", {})
            if everything or identity.get(MARK):
                datasets.add(identity.get("dataset", {}).get("id"))
                self._end(owner, folder.name)
                services.runs.delete(owner, folder.name)
        for folder in workspace.list("datasets", owner):
            if everything or folder.name in datasets:
                services.datasets.delete(owner, folder.name)
        for folder in workspace.list("collections", owner):
            if everything or read_json(folder / "manifest.json", {}).get(MARK):
                services.collections.delete(owner, folder.name)

    def _end(self, owner: str, run_id: str) -> None:
        with contextlib.suppress(WrongState):
            self.services.runs.cancel(owner, run_id)
        until = time.monotonic() + WAIT_SECONDS
        while not self.services.runs.get(owner, run_id).finished and time.monotonic() < until:
            time.sleep(0.2)

    def _copy_run(self, owner: str, dataset_id: str, dataset_name: str) -> str:
        source = self.folder / "run"
        folder = self.workspace.draft("runs")
        try:
            _copy(source, folder, leave="config.json")
            asked = read_json(source / "config.json", {})
            asked["dataset"] = {"id": dataset_id, "name": dataset_name}
            asked["model"]["source"] = str(self.services.settings.starter)
            self.workspace.publish(folder, owner=owner, **asked, **{MARK: True})
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder.name

    def _copy_collection(self, owner: str) -> str:
        samples = self.services.settings.assets / "samples"
        taken = {one["collection"] for one in self.services.collections.list(owner)}
        name = next(free for n in range(1, len(taken) + 2) if (free := COLLECTION if n == 1 else f"{COLLECTION} ({n})") not in taken)
        folder = self.workspace.draft("collections")
        try:
            with storage_errors():
                (folder / "documents").mkdir()
            _copy(self.folder / "collection", folder)
            document = Index(folder / "index.sqlite").documents()[0]
            _link(samples / document.name, folder / "documents" / document.file)
            self.workspace.publish(folder, owner=owner, name=name, embedder=STARTER, **{MARK: True})
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return name


def _copy(source: Path, target: Path, leave: str = "") -> None:
    for path in sorted(source.rglob("*")):
        here = target / path.relative_to(source)
        if path.is_dir():
            here.mkdir(exist_ok=True)
        elif path.name != leave:
            _link(path, here) if path.suffix == ".safetensors" else _copy_file(path, here)


def _copy_file(source: Path, target: Path) -> None:
    with storage_errors():
        shutil.copyfile(source, target)


def _link(source: Path, target: Path) -> None:
    """The same file under another name, where the disk can do that: what is never changed need not be there for every visitor."""
    try:
        os.link(source, target)
    except OSError:
        _copy_file(source, target)


def build(services: Services, out: Path, preset: str = "balanced") -> dict[str, Any]:
    """Train and index for real, and write the demonstration to `out`. The workspace of `services` should be an empty one."""
    owner = "builder"
    sample = services.datasets.samples()[0]["name"]
    dataset_id = services.datasets.import_sample(owner, sample)["dataset_id"]
    services.datasets.map(owner, dataset_id)
    run_id = services.start_run(owner, dataset_id, preset=preset)
    document = read_json(services.settings.assets / "samples" / SAMPLE_QUESTIONS)["document"]
    job, collection = services.collections.add(owner, [(services.settings.assets / "samples" / document, document)], COLLECTION)
    while not (run := services.runs.get(owner, run_id)).finished or not job.finished:
        time.sleep(0.5)
    if run.state != "done" or job.state != "done":
        raise RuntimeError(f"run {run.state}: {run.error}; indexing {job.state}: {job.error}")
    fresh = out.with_name(f".{out.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "run").mkdir(parents=True)
    (fresh / "collection").mkdir()
    source = services.workspace.find("runs", run_id, owner)
    for name in KEPT:
        shutil.copyfile(source / name, fresh / "run" / name)
    for name in ("adapter", "data"):
        shutil.copytree(source / name, fresh / "run" / name)
    (fresh / "run" / "adapter" / "README.md").unlink(missing_ok=True)  # names the folder of this machine
    _without_paths(fresh / "run" / "adapter" / "adapter_config.json")
    status = read_json(fresh / "run" / "status.json")
    write_json(fresh / "run" / "status.json", {key: value for key, value in status.items() if key not in PROCESS})
    asked = read_json(source / "config.json")
    asked["model"]["source"] = ""  # set to where the starter lies when it is installed
    write_json(fresh / "run" / "config.json", {key: value for key, value in asked.items() if key not in ("id", "owner", "created")})
    with contextlib.closing(sqlite3.connect(collection / "index.sqlite")) as db:
        db.execute("VACUUM INTO ?", (str(fresh / "collection" / "index.sqlite"),))
    shutil.copyfile(collection / "embedder.json", fresh / "collection" / "embedder.json")
    about = {
        "dataset": sample,
        "document": document,
        "starter_sha256": file_hash(services.settings.starter / "model.safetensors"),
        "steps": run.step,
        "seconds": run.seconds,
        "eval_loss": run.eval_loss,
        "preset": preset,
        "made": time.strftime("%Y-%m-%d"),
        "versions": read_json(source / "manifest.json")["versions"],
    }
    write_json(fresh / "about.json", about)
    shutil.rmtree(out, ignore_errors=True)
    fresh.rename(out)
    return about


def _without_paths(path: Path) -> None:
    config = read_json(path)
    config["base_model_name_or_path"] = STARTER
    write_json(path, config)


def main() -> int:
    """`python -m playground.demonstration`: make assets/demonstration anew from the starters and samples as they are."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--preset", default="balanced")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        services = Services.make(Settings(home=Path(home)))
        services.open()
        try:
            print(json.dumps(build(services, services.settings.assets / "demonstration", given.preset), indent=1))
        finally:
            services.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
