"""The memory runs out while a real worker trains: it takes fewer examples at a time, says so, and learns the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground.messages import conversation
from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.helpers import make_tiny_model
from tests.integration.colours import finish, learn_here, start, wait_for

resource = pytest.importorskip("resource")
LEAVE_MB = 250  # of address space beyond what the worker has when its first step begins
# Only the address space is limited, in the worker alone, when its step begins: what the libraries take to load differs between machines.
LIMIT = """
import os, sys, threading, time

def limit():
    import resource
    pages = int(open("/proc/self/statm").read().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + int(os.environ["LEAVE_MB"]) * 1024**2
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    print("limited to", most // 1024**2, "MB", flush=True)

def watch():
    while "playground.training.follow" not in sys.modules or not hasattr(sys.modules["playground.training.follow"], "Follow"):
        time.sleep(0.005)
    Follow = sys.modules["playground.training.follow"].Follow
    real = Follow.on_step_begin
    def begin(self, args, state, control, **more):
        if state.global_step == int(os.environ["LIMIT_AT"]) and not limited:
            limited.append(True)
            limit()
        return real(self, args, state, control, **more)
    Follow.on_step_begin = begin

limited = []
if any("playground.training.worker" in one for one in sys.orig_argv) and os.environ.get("LIMIT_AT"):
    threading.Thread(target=watch, daemon=True).start()
"""


@pytest.fixture(autouse=True)
def limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(LIMIT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("LEAVE_MB", str(LEAVE_MB))


def begun(runs: Runs, tiny: Path, **settings: Any) -> str:
    rows = [conversation(f"Number {index}? " + "so " * (200 + index % 7), ["red", "green", "blue"][index % 3]) for index in range(64)]
    splits = SimpleNamespace(
        train=rows, validation=rows[:4], test=[], instruction="", system="", task="instruction", labels=[], shots=(), slots=()
    )
    chosen = {
        "model": f"local:{tiny}",
        "method": "lora",
        "lora_r": 4,
        "lora_dropout": 0.0,
        "max_steps": 3,
        "learning_rate": 1e-3,
        **settings,
    }
    return runs.start("me", dataset_id="d", dataset_name="colours", splits=splits, settings=chosen)


def test_a_worker_that_the_kernel_ends_goes_on_from_its_last_checkpoint_with_half_the_batch(
    workspace: Workspace, settings: Settings, learner: Path
) -> None:
    """It is really killed, without a word; only the kernel's count is told by the test, which cannot fill the machine's memory."""
    killed: list[int] = []
    runs = Runs(workspace, Catalog(settings), ended_by_kernel=lambda: {"boot": "", "of": "", "count": len(killed)})
    runs.open()
    try:
        run_id = start(runs, learner, max_steps=120, save_steps=5, eval_steps=40, per_device_train_batch_size=8)
        wait_for(lambda: runs.get("me", run_id).step >= 12)
        killed.append(runs.get("me", run_id).pid or 0)
        os.kill(killed[0], signal.SIGKILL)
        run = finish(runs, run_id)
    finally:
        runs.close()
    assert run.step == 120 and run.has_adapter and run.pid != killed[0]
    assert (run.settings["per_device_train_batch_size"], run.settings["gradient_accumulation_steps"]) == (4, 2)
    [told] = run.warnings
    assert "ran out of memory" in told and "so 4 examples" in told and "instead of 8" in told
    assert "going on from step" in (workspace.find("runs", run_id, "me") / "worker.log").read_text()
    assert [point["step"] for point in runs.metrics("me", run_id)] == list(range(121)), "no point lost or doubled"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("at", [2, pytest.param(0, marks=pytest.mark.soak)])
def test_out_of_memory_halves_the_batch_and_goes_on(
    runs: Runs, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    tiny = make_tiny_model(tmp_path / "tiny", spread=0.05, hidden=256, intermediate=1024, heads=4)
    monkeypatch.setenv("LIMIT_AT", str(at))
    broken = begun(runs, tiny, per_device_train_batch_size=32, save_steps=1)
    wait_for(lambda: runs.get("me", broken).finished, 120)
    log = (workspace.home / "runs" / broken / "worker.log").read_text()
    run = runs.get("me", broken)
    assert "limited to" in log
    assert run.state == "done", (run.error, log[-3000:])
    said = [str(one) for one in run.warnings]
    assert any("ran out of memory" in one and "instead of 32" in one for one in said), (said, log[-1500:])
    assert run.step == 3
    monkeypatch.delenv("LIMIT_AT")
    size = next(int(one.split(" examples")[0].rsplit(" ", 1)[1]) for one in said if "instead of 32" in one)
    assert size in (16, 8, 4, 2, 1)
    parts = {"per_device_train_batch_size": size, "gradient_accumulation_steps": 32 // size}
    small = learn_here(runs, workspace, lambda: begun(runs, tiny, **parts))
    curves = [runs.metrics("me", one) for one in (broken, small)]
    assert [point["step"] for point in curves[0]] == [point["step"] for point in curves[1]] == [0, 1, 2, 3]
    for key in ("loss", "eval_loss", "learning_rate", "epoch"):
        ours, theirs = ({point["step"]: point[key] for point in curve if point[key] is not None} for curve in curves)
        assert ours == pytest.approx(theirs, rel=0.02, abs=0.02), key
