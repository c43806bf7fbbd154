"""What a run survives: its worker is killed at any moment, and what it goes on to is what it would have come to by itself."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from playground.errors import Sentence, SettingsError, WrongState
from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.training import checkpoints, record, worker
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.integration.colours import finish, learn_here, start, wait_for


def same_end(runs: Runs, one: str, other: str) -> None:
    """Both runs have the same curve, answers and weights."""
    curves = [runs.metrics("me", run_id) for run_id in (one, other)]
    assert [point["step"] for point in curves[0]] == [point["step"] for point in curves[1]]
    for key in ("loss", "eval_loss", "learning_rate", "epoch", "tokens"):
        ours, theirs = ({point["step"]: point[key] for point in curve if point[key] is not None} for curve in curves)
        assert ours == pytest.approx(theirs, rel=0.02, abs=0.02), key
    weights = [load_file(runs.adapter("me", run_id).path / "adapter_model.safetensors") for run_id in (one, other)]
    for name, weight in weights[0].items():
        assert abs(weight - weights[1][name]).max() < 0.01, name
    steps = [[told["step"] for told in runs.samples("me", run_id)["steps"]] for run_id in (one, other)]
    assert steps[0] == steps[1]


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("kills", [5, pytest.param(30, marks=pytest.mark.soak)])
def test_a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(
    runs: Runs, learner: Path, kills: int, workspace: Workspace
) -> None:
    settings = {"max_steps": 60 * kills, "eval_steps": 40, "save_steps": 10}
    whole = learn_here(runs, workspace, lambda: start(runs, learner, **settings))
    finish(runs, whole)
    broken = start(runs, learner, **settings)
    folder, chance = workspace.find("runs", broken, "me"), random.Random(kills)
    resumed_from = []
    for _ in range(kills):
        saved = checkpoints.found(folder / "checkpoints")
        last = saved[0][0] if saved else 0
        wait_for(lambda last=last: runs.get("me", broken).state == "running" and runs.get("me", broken).step > last + 10)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 0.6))
        assert not runs.get("me", broken).finished, "too few steps for a machine so fast"
        os.kill(runs.get("me", broken).pid, signal.SIGKILL)
        wait_for(lambda: runs.get("me", broken).state == "failed", 10)
        resumed_from.append(runs.resume("me", broken).step)
        assert not runs.get("me", broken).finished
    run = finish(runs, broken)
    assert len(resumed_from) == kills and all(resumed_from), "it was really interrupted every time, and never began anew"
    assert [point["step"] for point in runs.metrics("me", broken)] == list(range(run.max_steps + 1)), "no point lost or doubled"
    assert len(checkpoints.found(folder / "checkpoints")) <= checkpoints.MOST
    same_end(runs, whole, broken)


@pytest.mark.soak  # a browser test does the same by clicking
@pytest.mark.timeout(300)
def test_stop_and_go_on_and_go_further(runs: Runs, learner: Path) -> None:
    whole = start(runs, learner, max_steps=80, eval_steps=20, lr_scheduler_type="constant")
    finish(runs, whole)
    run_id = start(runs, learner, max_steps=4000, eval_steps=20, lr_scheduler_type="constant")
    with pytest.raises(WrongState, match="still at work"):
        runs.resume("me", run_id)
    wait_for(lambda: runs.get("me", run_id).step >= 5)
    runs.stop("me", run_id)
    wait_for(lambda: runs.get("me", run_id).finished)
    stopped = runs.get("me", run_id)
    assert stopped.state == "stopped" and stopped.has_adapter and stopped.can_resume == stopped.step
    seconds = stopped.seconds
    with pytest.raises(SettingsError, match="cannot change on the way"):
        runs.resume("me", run_id, {"learning_rate": 1})
    again = runs.resume("me", run_id, {"max_steps": max(80, stopped.step + 1)})
    assert again.state in ("queued", "starting") and again.has_adapter and again.step == stopped.step
    run = finish(runs, run_id)
    assert run.seconds > seconds and run.settings["max_steps"] == run.max_steps == max(80, stopped.step + 1)
    if run.max_steps == 80:
        same_end(runs, whole, run_id)
    with pytest.raises(WrongState, match="already made"):
        runs.resume("me", run_id)
    runs.resume("me", run_id, {"max_steps": run.step + 30})
    further = finish(runs, run_id)
    assert further.step == run.step + 30 and [p["step"] for p in runs.metrics("me", run_id)] == list(range(further.step + 1))


@pytest.mark.timeout(300)
def test_a_worker_that_is_deaf_to_stop_is_ended_and_what_it_had_saved_is_kept(
    workspace: Workspace, settings: Settings, learner: Path
) -> None:
    runs = Runs(workspace, Catalog(settings), patience=0.5)
    run_id = start(runs, learner, max_steps=5000, save_steps=5, eval_steps=10)
    folder = workspace.find("runs", run_id, "me")
    runs.open()
    try:
        wait_for(lambda: runs.get("me", run_id).step >= 22)
        pid = runs.get("me", run_id).pid or 0
        os.kill(pid, signal.SIGSTOP)  # it hangs for good
        while record.status(folder)["saving"]:  # in which more patience is had with it
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.05)
            os.kill(pid, signal.SIGSTOP)
        assert runs.stop("me", run_id).state == "stopping"
        wait_for(lambda: record.status(folder).get("rescue"), 20)
        assert runs.stop("me", run_id).state == "stopping", "and pressing it once more harms nothing"
        wait_for(lambda: runs.get("me", run_id).finished)
    finally:
        runs.close()
        assert runs._line.kill(folder)
    run = runs.get("me", run_id)
    assert run.state == "stopped" and "did not answer" in str(run.error)
    assert run.has_adapter and run.warnings == [Sentence(worker.BEST, step=run.best_step)], "and no word of a damaged curve"
    assert run.can_resume and run.can_resume >= 20
    ref, best = runs.adapter("me", run_id), run.best_step
    assert ref.step == best
    kept = load_file(ref.path / "adapter_model.safetensors")
    saved = load_file(ref.path.parent / "checkpoints" / f"checkpoint-{best:08d}" / "weights.safetensors")
    assert kept.keys() == {name.replace(".default", "") for name in saved}
    assert all((kept[name.replace(".default", "")] == weight).all() for name, weight in saved.items())


@pytest.mark.timeout(300)
def test_a_run_goes_on_from_the_newest_checkpoint_that_is_whole(runs: Runs, learner: Path, workspace: Workspace) -> None:
    run_id = learn_here(runs, workspace, lambda: start(runs, learner, max_steps=30, eval_steps=10, save_steps=10))
    finish(runs, run_id)
    saved = checkpoints.found(workspace.find("runs", run_id, "me") / "checkpoints")
    assert saved[0][0] == 30
    weights = saved[0][1] / "optimizer.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert runs.resume("me", run_id, {"max_steps": 40}).step == saved[1][0]
    assert finish(runs, run_id).step == 40
    assert [point["step"] for point in runs.metrics("me", run_id)] == list(range(41))
