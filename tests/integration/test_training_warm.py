"""A training process that waits takes the next run, and never outlives whoever started it without one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from playground.models.catalog import Catalog
from playground.settings import PROJECT, Settings, load
from playground.training import warm
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.integration.colours import finish, start, wait_for


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
        log = (workspace.find("runs", run_id, "me") / "worker.log").read_text()
        assert "done at step 4" in log and "Traceback" not in log
        wait_for(lambda: runs._line.warm.waiting, 20)
        again = runs._line.warm._process.pid  # type: ignore[union-attr]
        assert again != waiting
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
