"""The same training on a GPU; skipped where there is none."""

import subprocess

import pytest

from playground.data.store import DatasetStore
from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.browser.conftest import wait_for


def gpu() -> bool:
    try:
        return bool(subprocess.run(["nvidia-smi", "-L"], capture_output=True, timeout=20, check=True).stdout)
    except (OSError, subprocess.SubprocessError):
        return False


pytestmark = pytest.mark.skipif(not gpu(), reason="no NVIDIA GPU here")


@pytest.mark.parametrize("method", ["qlora", "lora"])
def test_a_run_on_the_gpu_learns(settings: Settings, workspace: Workspace, method: str) -> None:
    datasets, runs = DatasetStore(workspace, settings), Runs(workspace, Catalog(settings))
    dataset = datasets.import_sample("me", datasets.samples()[0]["name"])["dataset_id"]
    runs.open()
    try:
        run = runs.start(
            "me",
            dataset_id=dataset,
            dataset_name="sample",
            splits=datasets.splits("me", dataset),
            settings={"method": method, "max_steps": 40},
        )
        wait_for(lambda: runs.get("me", run).finished, 300, "the run ends")
        assert runs.get("me", run).state == "done"
        points, ended = runs.metrics("me", run), runs.get("me", run)
        learned = [point for point in points if point["loss"] is not None]
        assert all(20 < point["memory_reserved_mb"] <= point["max_memory_reserved_mb"] for point in learned)
        assert ended.max_memory_reserved_mb and ended.max_memory_reserved_mb >= learned[-1]["memory_reserved_mb"]
        losses = [point["loss"] for point in runs.metrics("me", run) if point["loss"] is not None]
        assert losses[-1] < losses[0] * 0.8
    finally:
        runs.close()
