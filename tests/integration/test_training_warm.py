"""A training process that waits takes the next run, and never outlives whoever started it without one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from playground.messages import conversation
from playground.models.catalog import Catalog
from playground.settings import PROJECT, Settings, load
from playground.training import record, warm
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.integration.colours import finish, start, wait_for

MOST_MB = 950  # of a run of the starter on rows of mixed length


def long_rows(runs: Runs) -> str:
    """Batches of eight rows, from its shortest to its longest."""
    text = " ".join((PROJECT / "README.md").read_text("utf-8").split())
    lengths = [60, 120, 240, 360, 480, 600, 600, 600]
    starts = [(place, at) for place in range(len(lengths)) for at in range(place, 800, 100)]
    rows = [conversation(text[at : at + 120], text[at + 120 :][: lengths[place]]) for place, at in starts]
    said = {"instruction": "", "system": "", "task": "chat", "labels": [], "shots": (), "slots": ()}
    splits = SimpleNamespace(train=rows, validation=[], test=[], **said)
    chosen = {"method": "lora", "max_steps": 8, "num_train_epochs": 1, "per_device_train_batch_size": 8, "gradient_checkpointing": False}
    return runs.start("me", dataset_id="d", dataset_name="long", splits=splits, settings={**chosen, "max_length": 512})


def test_the_process_that_waits_takes_the_run_and_another_waits_after_it(workspace: Workspace, settings: Settings, learner: Path) -> None:
    runs = Runs(workspace, Catalog(settings), warm=True)
    runs.open()
    try:
        runs.expect()
        first = runs._line.warm._process
        runs.expect()
        assert runs._line.warm._process is first, "one is enough"
        held = runs._line.warm._process
        assert held is not None
        waiting = held.pid
        assert os.getpgid(waiting) == waiting and psutil.Process(waiting).nice() == 10
        run_id = start(runs, learner, max_steps=4, eval_steps=2)
        assert finish(runs, run_id).pid == waiting
        log = workspace.find("runs", run_id, "me") / "worker.log"
        wait_for(lambda: "done at step 4" in log.read_text(), 10)  # its last word, after the status
        assert "Traceback" not in log.read_text()
        wait_for(lambda: runs._line.warm.waiting, 20)
        again = runs._line.warm._process.pid  # type: ignore[union-attr]
        assert again != waiting
        run_id = long_rows(runs)
        assert finish(runs, run_id).pid == again
        manifest = record.manifest(workspace.find("runs", run_id, "me")) or {}
        assert manifest["peak_memory_mb"] <= MOST_MB
        wait_for(lambda: runs._line.warm.waiting, 20)
        again = runs._line.warm._process.pid  # type: ignore[union-attr]
    finally:
        runs.close()
    assert not psutil.pid_exists(again)


def test_it_ends_with_an_app_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from playground.training.launching import WORKER, environment;"
        "from playground.training.warm import Warm;"
        "one = Warm(WORKER, Path(sys.argv[1]), lambda: environment(offline=True)); one.begin(); print(one._process.pid, flush=True);"
        "time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    waiting = psutil.Process(int(parent.stdout.readline()))
    time.sleep(1)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert waiting.wait(60) is None, "it noticed by itself"


def test_none_waits_where_it_is_not_wanted(workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load({}).warm and not load({"PLAYGROUND_WARM": "off"}).warm
    for enabled, memory in ((False, 64), (True, 7)):
        monkeypatch.setattr(warm.psutil, "virtual_memory", lambda memory=memory: type("Memory", (), {"total": memory * 1024**3}))
        one = warm.Warm((sys.executable, "-c", "input()"), workspace.home, dict, enabled)
        one.begin()
        assert not one.waiting and one.take(workspace.home) is None


def test_one_that_has_died_is_not_given_a_run(workspace: Workspace) -> None:
    one = warm.Warm((sys.executable, "-c", "pass"), workspace.home, lambda: dict(os.environ))
    one.begin()
    assert one._process is not None
    one._process.wait(10)
    assert not one.waiting and one.take(workspace.home) is None
    one.begin()
    assert one._process is not None, "the next attempt makes a new one"
    one.end()
