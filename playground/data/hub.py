"""Datasets of the Hugging Face Hub: what one holds, and bringing a split of it in as a table.

A split is fetched by a job that outlives the page, into a temporary folder, and then read like an upload. Does not know how the Hub is
asked (`hub_client`), which of a repository's files belong together (`hub_layout`), nor how a table is read and kept.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from playground.data import hub_client, shards
from playground.data.folder import record
from playground.data.hub_layout import Found, Part
from playground.data.store import DatasetStore
from playground.errors import DatasetUnavailable, Sentence, StorageFull, WrongState
from playground.jobs import Job, Jobs

CLOSED = (
    "Visitors of a shared playground cannot name datasets of the Hugging Face Hub, since they would be fetched in its host's name. "
    "Download the file from the dataset's page, and upload it here."
)
STOPPED = "The download of the dataset was stopped, and nothing of it was kept."
TOO_LARGE = (
    "{name} has {size} MB in its part {part}; {most} MB is the most that can be read here. Choose a smaller part, or another dataset."
)
NO_SPACE = "{name} needs about {needed} MB of disk space while it is fetched, and only {free} MB are free. Free some space, then try again."


class HubDatasets:
    """Datasets of the Hub for the owners of one playground; safe for many threads."""

    def __init__(self, store: DatasetStore, jobs: Jobs) -> None:
        self.store = store
        self.jobs = jobs

    def look(self, name: str) -> Found:
        """What a dataset holds, within seconds.

        Raises:
            InputError: no name of a dataset.
            WrongState: visitors may not, as they may not name models: the host's token and network would serve them.
            DatasetUnavailable: no network, no such dataset, no permission, or nothing in it that is a table.
        """
        id = hub_client.clean_id(name)
        if self.store.settings.mode == "shared":
            raise WrongState(CLOSED)
        return hub_client.ask(id)

    def start(self, owner: str, name: str, config: str | None = None, split: str | None = None) -> Job:
        """Begin to bring a part in. The job's result is {dataset_id, id, revision, config, split}; it counts bytes.

        Raises:
            NotFound, DatasetUnavailable: as `look` and `Found.part`, or the part is too large.
        """
        found = self.look(name)
        part = found.part(config, split)
        self._must_fit(found, part, part.size)
        return self.jobs.start(owner, "import_hub_dataset", lambda job: self._bring(owner, found, part, job), total=part.size)

    def _must_fit(self, found: Found, part: Part, size: int) -> None:
        most = self.store.settings.limits.upload_bytes
        if size > most:
            values = {"size": -(-size // 1024**2), "most": most // 1024**2}
            raise DatasetUnavailable(TOO_LARGE, name=found.id, part=part.label, **values)

    def _bring(self, owner: str, found: Found, part: Part, job: Job) -> dict[str, Any]:
        def fetched(more: int) -> None:
            job.done += more
            if job.stopping():
                raise WrongState(STOPPED)
            self._must_fit(found, part, job.done)  # the Hub may not have told how large a file is

        def read(share: float) -> None:
            job.done = int(share * job.total)
            fetched(0)

        job.doing = Sentence("Downloading {name}", name=found.id)
        with tempfile.TemporaryDirectory(prefix="playground-hub-") as folder:
            free = shutil.disk_usage(folder).free
            if free < part.size * 2:
                raise StorageFull(NO_SPACE, name=found.id, needed=part.size * 2 // 1024**2, free=free // 1024**2)
            paths = [hub_client.fetch(found, name, Path(folder), fetched) for name in part.files]
            job.done = job.total = sum(path.stat().st_size for path in paths)
            fetched(0)
            job.doing = Sentence("Reading {name}", name=found.id)
            path, called = self._one_table(found, part, paths, Path(folder))
            made = self.store.import_file(owner, path, called, told=read)["dataset_id"]
            job.done = job.total
        origin = {"id": found.id, "revision": found.revision, "config": part.config, "split": part.split}
        record(self.store.workspace.find("datasets", made, owner), "from_hub", **origin)
        return {"dataset_id": made, **origin}

    def _one_table(self, found: Found, part: Part, paths: list[Path], folder: Path) -> tuple[Path, str]:
        """One file with the whole part, and how it is called: the dataset, its configuration where there are several, and the split."""
        several = len({one.config for one in found.parts}) > 1
        called = "-".join([found.id.split("/")[-1], *([part.config] if several else []), part.split]).replace("/", "-")
        if len(paths) == 1:
            return paths[0], f"{called}.{part.kind}" + (".gz" if paths[0].suffix.lower() == ".gz" else "")
        target = folder / ".joined.parquet"  # a name that no table of a repository has
        join = shards.join_parquet if part.kind == "parquet" else shards.join_tables
        join(paths, target, called, self.store.settings.limits)
        return target, f"{called}.parquet"
