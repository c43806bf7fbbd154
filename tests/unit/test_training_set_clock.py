"""Somebody sets the machine's clock while runs train and wait: nobody is buried, nobody overtakes, and no second is counted twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from playground.training import record
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.unit.test_training_runs import STEADY, Make, make_runs, start, wait_for  # noqa: F401

DAY = 86_400.0
Set = Callable[[float], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Set]:
    """Move this process's clock by some seconds, and with it what the system says of when processes began."""
    real, began, shift = time.time, psutil.Process.create_time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + shift[0])
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: began(self) + shift[0])
    yield lambda seconds: shift.__setitem__(0, seconds)


class Watch:
    """Looks at a run again and again: its seconds go on as they do on the wall, whatever the clock says."""

    def __init__(self, runs: Runs, run_id: str) -> None:
        self.runs, self.run_id = runs, run_id
        self.began, self.first = time.monotonic(), runs.get("me", run_id).seconds
        self.last = self.first

    def look(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            run = self.runs.get("me", self.run_id)
            assert run.state == "running"
            assert run.seconds >= self.last, "seconds went down"
            assert run.seconds - self.first <= time.monotonic() - self.began + 0.2, "seconds jumped"
            self.last = run.seconds
            time.sleep(0.02)
        assert self.last - self.first >= time.monotonic() - self.began - 0.5, "seconds stood still"


@pytest.mark.parametrize("shift", [DAY, -DAY])
def test_a_clock_that_is_set_changes_nothing(make_runs: Make, set_clock: Set, shift: float) -> None:  # noqa: F811
    runs = make_runs(STEADY.replace("0.02", "0.3"))
    running, *waiting = [start(runs) for _ in range(3)]
    wait_for(lambda: runs.get("me", running).step >= 1)
    pid = runs.get("me", running).pid
    watch = Watch(runs, running)
    watch.look(0.6)
    set_clock(shift)
    watch.look(1.2)
    waiting.append(start(runs))
    set_clock(0)
    watch.look(0.6)
    waiting.append(start(runs))
    set_clock(shift)
    assert [runs.get("me", one).place_in_line for one in waiting] == [1, 2, 3, 4], "nobody overtakes"
    runs.close()
    runs = make_runs()  # an app of another day
    waiting.append(start(runs))
    watch.runs = runs
    watch.look(1.2)
    assert runs.get("me", running).pid == pid
    assert [runs.get("me", one).place_in_line for one in waiting] == [1, 2, 3, 4, 5]
    runs.stop("me", running)
    wait_for(lambda: runs.get("me", running).finished)
    ended = runs.get("me", running)
    assert ended.state == "stopped" and watch.last <= ended.seconds <= time.monotonic() - watch.began + watch.first + 1


@pytest.mark.parametrize("shift", [DAY, -DAY])
def test_a_worker_that_is_just_starting_is_waited_for(make_runs: Make, workspace: Workspace, set_clock: Set, shift: float) -> None:  # noqa: F811
    former = make_runs(STEADY)
    slow = former._line._worker[1]
    with open(slow) as file:  # noqa: PTH123
        script = file.read()
    with open(slow, "w") as file:  # noqa: PTH123
        file.write("import time; time.sleep(2.5)\n" + script)
    run_id = start(former)
    wait_for(lambda: record.status(workspace.find("runs", run_id, "me"))["state"] == "starting")
    time.sleep(0.2)
    former.close()
    set_clock(shift)
    runs = make_runs()
    end, seconds = time.monotonic() + 2, 0.0
    while time.monotonic() < end:
        run = runs.get("me", run_id)
        assert run.state in ("starting", "running") and seconds <= run.seconds < 6
        seconds = run.seconds
        time.sleep(0.05)
    wait_for(lambda: runs.get("me", run_id).step > 1)
    assert runs.get("me", run_id).seconds < 30
