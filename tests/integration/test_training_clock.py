"""The machine's clock is set while a real worker trains: its seconds and the chart's time go on as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.training.dispatch import Dispatcher
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.helpers import make_tiny_model
from tests.integration.colours import start, wait_for

DAY = 86_400
SET_CLOCK = """
import os, time
_real = time.time
def _set():
    try:
        return _real() + float(open(os.environ["CLOCK_FILE"]).read() or 0)
    except OSError:
        return _real()
time.time = _set
"""


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with the seconds by which every worker's clock is set."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SET_CLOCK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("CLOCK_FILE", str(tmp_path / "clock"))
    yield tmp_path / "clock"


@pytest.mark.parametrize("shift", [pytest.param(DAY, marks=pytest.mark.soak), -DAY])
def test_the_clock_is_set_while_a_worker_trains(workspace: Workspace, settings: Settings, tmp_path: Path, clock: Path, shift: int) -> None:
    runs = Runs(workspace, Catalog(settings))
    runs.open()
    began = time.monotonic()
    tiny = make_tiny_model(tmp_path / "tiny", spread=0.05)
    run_id = start(runs, tiny, max_steps=80, eval_steps=20, save_steps=20)
    try:
        wait_for(lambda: runs.get("me", run_id).step >= 20)
        clock.write_text(str(shift))
        seconds = 0.0
        while not (run := runs.get("me", run_id)).finished:
            assert seconds <= run.seconds <= time.monotonic() - began + 1
            seconds = run.seconds
            time.sleep(0.05)
        assert run.state == "done", run.error
        curve = runs.metrics("me", run_id)
        times = [point["time"] for point in curve]
        assert [point["step"] for point in curve] == list(range(81))
        assert times == sorted(times) and 0 <= times[-1] <= run.seconds <= time.monotonic() - began + 1
        assert all(later - earlier < 20 for earlier, later in pairwise(times))
    finally:
        runs.close()
        watcher = Dispatcher(workspace)
        assert all([watcher.kill(folder) for folder in workspace.list("runs")])
