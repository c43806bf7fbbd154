"""The number of a dead worker belongs to another program now: that program is never signalled, whatever is done to the run."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from playground.errors import PlaygroundError
from playground.system import ProcessId
from playground.workspace import Workspace, write_json
from tests.unit.test_training_runs import STEADY, Make, make_runs, start, wait_for  # noqa: F401

LISTENS = """
import signal, sys, time
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGCONT}:
    try:
        signal.signal(number, lambda number, frame: print("got", number, flush=True))
    except (OSError, ValueError):
        pass
print("here", flush=True)
while True:
    time.sleep(60)
"""


@pytest.fixture
def stranger() -> Iterator[Any]:
    """Another program with a child of its own, which says when it gets a signal."""
    process = subprocess.Popen([sys.executable, "-c", LISTENS], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout and process.stdout.readline() == "here\n"
    yield process
    process.kill()
    rest = process.stdout.read()
    process.wait()
    assert rest == "", f"it was signalled: {rest}"


@pytest.mark.parametrize("lie", [{"pid_started": 60.0}, {"pid_started": -0.2}, {"boot": "00000000-0000-0000-0000-000000000000"}])
@pytest.mark.parametrize("state", ["starting", "running", "done", "failed"])
def test_a_stranger_with_the_number_of_a_worker_is_left_alone(
    make_runs: Make,  # noqa: F811
    workspace: Workspace,
    stranger: subprocess.Popen[str],
    lie: dict[str, Any],
    state: str,
) -> None:
    runs = make_runs(STEADY, opened=False, patience=0.2)
    folder = workspace.find("runs", start(runs), "me")
    true = ProcessId.of(stranger.pid)
    told = {"pid": true.pid, "pid_started": true.started + lie.get("pid_started", 0.0), "boot": lie.get("boot", true.boot)}
    doings = ["stop", "cancel", "resume", "delete"]
    for doing in doings:
        write_json(folder / "status.json", {"state": state, "step": 3, "seconds": 1.0, **told})
        with contextlib.suppress(PlaygroundError):
            getattr(runs, doing)("me", folder.name)
        assert stranger.poll() is None, f"{doing} ended it"
    if state != "running":
        return
    if not folder.exists():
        folder = workspace.find("runs", start(runs), "me")
    (folder / "request.json").unlink(missing_ok=True)
    for request in (None, {"kind": "stop", "at": time.time()}):
        write_json(folder / "status.json", {"state": "running", "step": 3, "seconds": 1.0, **told})
        if request:
            write_json(folder / "request.json", request)
        (runs := make_runs(STEADY, patience=0.2)).open()
        wait_for(lambda runs=runs: runs.get("me", folder.name).state == "failed")  # type: ignore[misc]
        time.sleep(0.5)
        assert stranger.poll() is None, "the line ended it"
        runs.close()


def test_a_worker_of_this_boot_is_ended(make_runs: Make, workspace: Workspace) -> None:  # noqa: F811
    """So that the test above cannot pass for want of any signal at all."""
    runs = make_runs(STEADY, opened=False)
    folder = workspace.find("runs", start(runs), "me")
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    true = ProcessId.of(worker.pid)
    write_json(folder / "status.json", {"state": "running", "pid": true.pid, "pid_started": true.started, "boot": true.boot})
    assert runs.cancel("me", folder.name).state == "stopped"
    assert worker.wait(5) == -9
