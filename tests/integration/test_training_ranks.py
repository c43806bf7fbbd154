"""One run in two processes, by Accelerate's own launcher: it learns what one learns from twice the batch, and no process is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from safetensors.numpy import load_file

from playground.messages import conversation
from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.training import record
from playground.training.dispatch import Dispatcher
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.helpers import make_tiny_t5
from tests.integration.colours import COLOURS, wait_for

pytestmark = pytest.mark.timeout(600)
FAILS = """
import os, sys, threading, time

def watch():
    while "playground.training.follow" not in sys.modules or not hasattr(sys.modules["playground.training.follow"], "Follow"):
        time.sleep(0.005)
    Follow = sys.modules["playground.training.follow"].Follow
    real = Follow.on_step_begin
    def begin(self, args, state, control, **more):
        if state.global_step == 40:
            raise MemoryError
        return real(self, args, state, control, **more)
    Follow.on_step_begin = begin

if os.environ.get("RANK") == os.environ["FAILING_RANK"] and any("playground.training.worker" in one for one in sys.orig_argv):
    threading.Thread(target=watch, daemon=True).start()
"""
CARDS = ("0", "1")  # that are not there, so that the processes train on the processor and meet by gloo


@pytest.fixture
def runs(workspace: Workspace, settings: Settings) -> Iterator[Runs]:
    runs = Runs(workspace, Catalog(settings), cards=lambda: CARDS)
    runs.open()
    yield runs
    runs.close()
    watcher = Dispatcher(workspace)
    assert all([watcher.kill(folder) for folder in workspace.list("runs")])
    wait_for(lambda: not processes(workspace.home), 20)


def processes(home: Path) -> list[psutil.Process]:
    """Everything that works in a workspace: launchers and those that train."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        told = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(one.startswith(str(home / "runs")) for one in told):
            found.append(process)
    return found


def training(runs: Runs, run_id: str) -> list[psutil.Process]:
    """The processes that train a run, the main one first."""
    pid = runs.get("me", run_id).pid
    assert pid is not None
    return sorted(psutil.Process(pid).children(), key=lambda one: int(one.environ()["RANK"]))


def start(runs: Runs, learner: Path, rows: int = 64, **settings: Any) -> str:
    def some(rows: int) -> list[Any]:
        return [conversation(f"Number {index} is painted. Which? " + "so " * (index % 7), COLOURS[index % 3]) for index in range(rows)]

    splits = SimpleNamespace(
        train=some(rows), validation=some(16), test=[], instruction="", system="", task="chat", labels=[], shots=(), slots=()
    )
    chosen = {"model": f"local:{learner}", "method": "lora", "learning_rate": 5e-3, "lora_r": 8, "lora_dropout": 0.0, **settings}
    return runs.start("me", dataset_id="d", dataset_name="colours", splits=splits, settings=chosen)


def finish(runs: Runs, run_id: str, state: str = "done") -> Any:
    wait_for(lambda: runs.get("me", run_id).finished, 240)
    run = runs.get("me", run_id)
    assert run.state == state, (run.error, run.log_tail)
    return run


@pytest.mark.soak
@pytest.mark.parametrize("strategy", ["random", "group_by_length"])
def test_two_processes_learn_what_one_learns_from_twice_the_batch(runs: Runs, learner: Path, workspace: Workspace, strategy: str) -> None:
    common = {"num_train_epochs": 3, "eval_steps": 8, "train_sampling_strategy": strategy, "gradient_accumulation_steps": 2}
    together = start(runs, learner, per_device_train_batch_size=2, num_processes=2, **common)
    alone = start(runs, learner, per_device_train_batch_size=4, **common)
    finish(runs, together)
    finish(runs, alone)
    curves = [runs.metrics("me", run_id) for run_id in (together, alone)]
    for run_id, curve in zip((together, alone), curves, strict=True):
        run = runs.get("me", run_id)
        assert [point["step"] for point in curve] == list(range(25)) and run.max_steps == 24 and run.has_adapter
    for key, near in {"loss": 0.005, "eval_loss": 0.005, "grad_norm": 0.05, "learning_rate": 1e-9, "epoch": 1e-9, "tokens": 0}.items():
        ours, theirs = ({point["step"]: point[key] for point in curve if point[key] is not None} for curve in curves)
        assert ours == pytest.approx(theirs, rel=near, abs=0), key
    weights = [load_file(runs.adapter("me", run_id).path / "adapter_model.safetensors") for run_id in (together, alone)]
    for name, weight in weights[0].items():  # that have moved by up to 0.17, in products of 16 bits
        assert abs(weight - weights[1][name]).max() < 0.02, name
    folder = workspace.find("runs", together, "me")
    assert len(runs.samples("me", together)["steps"]) == len(runs.samples("me", alone)["steps"]) == 4
    assert len(list((folder / "tensorboard").iterdir())) == 1 and not (folder / "failed.json").exists()


@pytest.mark.soak
@pytest.mark.parametrize(
    "given",
    [
        {"method": "full", "lora_r": None, "lora_dropout": None, "learning_rate": 1e-3},
        {"method": "qlora", "gradient_checkpointing": True, "lora_dropout": 0.1},
        {"method": "lora", "init_lora_weights": "pissa", "gradient_accumulation_steps": 3},
        {"method": "lora", "encoder_decoder": True},
    ],
    ids=lambda given: "-".join(map(str, given.values())),
)
def test_every_method_trains_in_two_processes(
    runs: Runs, learner: Path, workspace: Workspace, tmp_path: Path, given: dict[str, Any]
) -> None:
    model = make_tiny_t5(tmp_path / "t5") if given.get("encoder_decoder") else learner
    settings = {name: value for name, value in given.items() if name != "encoder_decoder"}
    run_id = start(runs, model, rows=21, max_steps=6, per_device_train_batch_size=2, num_processes=2, **settings)  # an odd number of rows
    assert finish(runs, run_id).has_adapter
    curve = runs.metrics("me", run_id)
    assert [point["step"] for point in curve] == list(range(7)) and curve[-1]["eval_loss"] < curve[0]["eval_loss"]
    none_left(workspace, 20)


def long(runs: Runs, learner: Path) -> str:
    """A run in two processes that is at work, and has saved."""
    run_id = start(runs, learner, max_steps=4000, save_steps=5, eval_steps=50, per_device_train_batch_size=2, num_processes=2)
    wait_for(lambda: runs.get("me", run_id).finished or runs.get("me", run_id).step >= 8)
    assert not runs.get("me", run_id).finished, (runs.get("me", run_id).error, runs.get("me", run_id).log_tail)
    assert len(training(runs, run_id)) == 2
    return run_id


def none_left(workspace: Workspace, seconds: float) -> None:
    wait_for(lambda: not processes(workspace.home), seconds)


@pytest.mark.soak
def test_stop_keeps_what_was_learned_and_ends_all(runs: Runs, learner: Path, workspace: Workspace) -> None:
    run_id = long(runs, learner)
    runs.stop("me", run_id)
    run = finish(runs, run_id, "stopped")
    assert run.has_adapter and run.can_resume == run.step and run.error is None
    assert [point["step"] for point in runs.metrics("me", run_id)] == list(range(run.step + 1))
    none_left(workspace, 20)


@pytest.mark.parametrize(
    "victim", [pytest.param("the first", marks=pytest.mark.soak), "the second", pytest.param("the launcher", marks=pytest.mark.soak)]
)
def test_when_one_is_killed_all_end_and_the_run_can_go_on(runs: Runs, learner: Path, workspace: Workspace, victim: str) -> None:
    run_id = long(runs, learner)
    first, second = training(runs, run_id)
    launcher = first.parent()
    assert launcher is not None and launcher.pid == runs.get("me", run_id).pid
    os.kill({"the first": first, "the second": second, "the launcher": launcher}[victim].pid, signal.SIGKILL)
    began = time.monotonic()
    none_left(workspace, 30)
    run = finish(runs, run_id, "failed")
    print(victim, round(time.monotonic() - began, 1), "s", run.error, run.log_tail)
    assert "ended from outside after step" in str(run.error) and run.can_resume
    folder = workspace.find("runs", run_id, "me")
    resumed = runs.resume("me", run_id, {"max_steps": run.can_resume + 20})
    whole = finish(runs, run_id)
    assert whole.step == resumed.step + 20
    assert not list((folder / "checkpoints").glob(".draft-*"))
    assert [point["step"] for point in runs.metrics("me", run_id)] == list(range(whole.step + 1)), "no point lost or doubled"
    none_left(workspace, 20)


@pytest.mark.soak
def test_a_machine_that_shuts_down_keeps_what_was_learned(runs: Runs, learner: Path, workspace: Workspace) -> None:
    run_id = long(runs, learner)
    launcher = runs.get("me", run_id).pid
    assert launcher is not None
    os.kill(launcher, signal.SIGTERM)
    run = finish(runs, run_id, "stopped")
    assert run.has_adapter and run.can_resume == run.step
    none_left(workspace, 20)


@pytest.mark.soak
def test_a_run_is_cancelled_while_its_processes_start(runs: Runs, learner: Path, workspace: Workspace) -> None:
    for seconds in (0.5, 3.0):
        run_id = start(runs, learner, max_steps=4000, num_processes=2)
        wait_for(lambda: processes(workspace.home))
        time.sleep(seconds)
        assert runs.cancel("me", run_id).state == "stopped"
        none_left(workspace, 3)


@pytest.mark.soak
@pytest.mark.parametrize("restarted", [False, True])
def test_cancel_ends_all_at_once(runs: Runs, learner: Path, workspace: Workspace, settings: Settings, restarted: bool) -> None:
    run_id = long(runs, learner)
    if restarted:  # the next app knows the number in status.json only
        runs.close()
        runs = Runs(workspace, Catalog(settings), cards=lambda: CARDS)
    run = runs.cancel("me", run_id)
    assert run.state == "stopped" and not run.has_adapter
    none_left(workspace, 3)


@pytest.mark.soak
@pytest.mark.parametrize("rank", ["0", "1"])
def test_what_one_process_fails_of_is_what_the_run_failed_of(
    runs: Runs, learner: Path, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: str
) -> None:
    monkeypatch.setenv("FAILING_RANK", rank)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(FAILS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    run_id = start(runs, learner, max_steps=4000, per_device_train_batch_size=4, num_processes=2)
    run = finish(runs, run_id, "failed")
    assert str(run.error).startswith("The machine ran out of memory at step ") and run.settings["per_device_train_batch_size"] == 4
    assert record.status(workspace.find("runs", run_id, "me"))["step"] > 0
    none_left(workspace, 5)
