"""A finished run that is to go on loses nothing: when that is taken back, when it goes wrong, and when it is killed in mid-write."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from playground.errors import Sentence
from playground.training import checkpoints, record, worker
from playground.training.record import Run
from playground.training.runs import Runs
from playground.workspace import Workspace, file_hash, write_json
from tests.integration.colours import learn_here, start, wait_for

SMALL = {"max_steps": 8, "eval_steps": 2, "save_steps": 2, "lr_scheduler_type": "constant"}
WEIGHTS = "adapter_model.safetensors"
watched: list[Any] = []  # an audit hook stays for as long as its process


def look(event: str, args: tuple[Any, ...]) -> None:
    if watched and event in ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"):
        check = watched.pop()  # what it does itself is not looked at
        check(event, args)
        watched.append(check)


sys.addaudithook(look)


def facts(runs: Runs, run_id: str) -> tuple[Any, ...]:
    """All that a finished run is worth, and how it is told of."""
    run, ref = runs.get("me", run_id), runs.adapter("me", run_id)
    assert file_hash(ref.path / WEIGHTS) == ref.sha256
    saved = [step for step, _ in checkpoints.found(ref.path.parent / "checkpoints") if step <= run.step]
    return replace(run, pid=None), runs.metrics("me", run_id), runs.samples("me", run_id), ref, saved[0]


@pytest.mark.timeout(300)
def test_a_finished_run_that_was_to_go_on_is_as_it_was_when_that_is_taken_back(runs: Runs, learner: Path, workspace: Workspace) -> None:
    run_id = learn_here(runs, workspace, lambda: start(runs, learner, **SMALL))
    before, folder = facts(runs, run_id), workspace.find("runs", run_id, "me")
    assert before[0].state == "done" and before[0].can_resume == 8

    for end in (runs.stop, runs.cancel):
        with runs._line.lock:  # so that it waits in line
            again = runs.resume("me", run_id, {"max_steps": 5000})
            assert again.state == "queued" and again.has_adapter and again.max_steps == 5000
            end("me", run_id)
        assert facts(runs, run_id) == before, end
        assert runs._line.waiting() == []

    def stopped_while_it_loads() -> str:
        runs.resume("me", run_id, {"max_steps": 5000})
        write_json(folder / "request.json", {"kind": "stop", "at": 0})
        return run_id

    learn_here(runs, workspace, stopped_while_it_loads)
    assert facts(runs, run_id) == before

    runs.resume("me", run_id, {"max_steps": 5000})
    wait_for(lambda: runs.get("me", run_id).step >= 8 + 12)  # long enough that its checkpoint would have given way to later ones
    assert runs.adapter("me", run_id) == before[3], "it can be used meanwhile"
    runs.cancel("me", run_id)
    assert facts(runs, run_id) == before
    assert next(step for step, _ in checkpoints.found(folder / "checkpoints")) == 8, "what came later would be gone on from"


@pytest.mark.timeout(300)
def test_what_a_finished_run_has_learned_is_whole_at_every_moment_until_more_takes_its_place(
    runs: Runs, learner: Path, workspace: Workspace
) -> None:
    run_id = learn_here(runs, workspace, lambda: start(runs, learner, **SMALL))
    folder, seen = workspace.find("runs", run_id, "me"), [runs.adapter("me", run_id)]
    moments: list[str] = []

    def whole(event: str, args: tuple[Any, ...]) -> None:
        if str(folder) not in str(args[0]) or record.status(folder)["state"] == "queued":
            return
        ref = runs.adapter("me", run_id)  # as an app would find it if the worker were killed now
        assert file_hash(ref.path / WEIGHTS) == ref.sha256, f"before {event} {args}"
        moments.append(ref.sha256)

    for steps in (12, 16):
        moments.clear()
        watched.append(whole)
        try:
            learn_here(runs, workspace, lambda steps=steps: runs.resume("me", run_id, {"max_steps": steps}).run_id)  # type: ignore[misc]
        finally:
            watched.clear()
        seen.append(runs.adapter("me", run_id))
        assert runs.get("me", run_id).state == "done" and runs.get("me", run_id).step == steps
        assert list(dict.fromkeys(moments)) == [seen[-2].sha256, seen[-1].sha256] and len(moments) > 50
        assert {one.name for one in folder.iterdir() if "adapter" in one.name} == {seen[-1].path.name}, "the old one takes no room"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("why", ["only the best is saved", "the newest checkpoint is damaged"])
def test_a_finished_run_whose_checkpoint_is_older_than_its_end_is_as_it_was(
    runs: Runs, learner: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    from playground.training import follow

    real_check, real_log, real_trainer = follow.Follow.on_evaluate, follow.Follow.on_log, worker.Training._trainer

    def best_at_4(self: Any, args: Any, state: Any, control: Any, metrics: dict[str, Any], **more: Any) -> None:
        real_check(self, args, state, control, {**metrics, "eval_loss": 1 + abs(state.global_step - 4)}, **more)

    monkeypatch.setattr(follow.Follow, "on_evaluate", best_at_4)
    run_id = learn_here(runs, workspace, lambda: start(runs, learner, **SMALL | {"save_steps": 2 * (why != "only the best is saved")}))
    folder = workspace.find("runs", run_id, "me")
    if why != "only the best is saved":
        (folder / "checkpoints" / "checkpoint-00000008" / "weights.safetensors").write_bytes(b"half")
    before, files = facts(runs, run_id), {name: (folder / name).read_bytes() for name in ("metrics.jsonl", "samples.jsonl")}
    assert before[0].state == "done" and before[0].warnings == [Sentence(worker.BEST, step=4)] and before[4] < 8
    assert [point["step"] for point in before[1]] == list(range(9))

    def unchanged() -> bool:
        return facts(runs, run_id) == before and all((folder / name).read_bytes() == content for name, content in files.items())

    def stop_as_it_begins(self: Any, *args: Any) -> Any:
        begun = real_trainer(self, *args)
        write_json(folder / "request.json", {"kind": "stop", "at": 0})
        return begun

    with monkeypatch.context() as patched:
        patched.setattr(worker.Training, "_trainer", stop_as_it_begins)
        learn_here(runs, workspace, lambda: runs.resume("me", run_id, {"max_steps": 20}).run_id)
    assert unchanged()

    class Killed(BaseException):
        pass

    def killed_at_7(self: Any, args: Any, state: Any, *more: Any, **named: Any) -> None:
        if state.global_step == 7:
            raise Killed
        real_log(self, args, state, *more, **named)

    with monkeypatch.context() as patched:
        patched.setattr(follow.Follow, "on_log", killed_at_7)
        learn_here(runs, workspace, lambda: runs.resume("me", run_id, {"max_steps": 20}).run_id)
    broken = runs.get("me", run_id)
    assert broken.state == "failed" and broken.step == 7 and broken.warnings == [], "no point is missed that was never drawn"
    assert [point["step"] for point in runs.metrics("me", run_id)] == list(range(7))
    write_json(folder / "status.json", {**record.status(folder), "state": "running"})  # as it lies there when a worker is killed
    runs.cancel("me", run_id)
    assert unchanged()


@pytest.mark.timeout(300)
def test_what_was_saved_is_kept_of_a_run_that_is_stopped_while_it_begins_again(
    runs: Runs, learner: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from playground.training import follow

    run_id = learn_here(runs, workspace, lambda: start(runs, learner, **SMALL))
    folder, real = workspace.find("runs", run_id, "me"), follow.Follow.on_log

    def run_out_of_memory(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.global_step == 13:
            write_json(folder / "request.json", {"kind": "stop", "at": 0})
            raise MemoryError
        real(self, args, state, control, **more)

    monkeypatch.setattr(follow.Follow, "on_log", run_out_of_memory)
    learn_here(runs, workspace, lambda: runs.resume("me", run_id, {"max_steps": 20}).run_id)
    run = runs.get("me", run_id)
    assert run.state == "stopped" and run.error is None and run.can_resume == 12 and run.best_step in (8, 10, 12)
    assert not any("damaged" in one for one in run.warnings), run.warnings
    assert run.has_adapter and runs.adapter("me", run_id).step == run.best_step


@pytest.mark.timeout(300)
def test_a_finished_run_outlives_that_it_falls_apart_as_it_goes_on(
    runs: Runs, learner: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from playground.training import follow

    run_id = learn_here(runs, workspace, lambda: start(runs, learner, **SMALL))
    before, real = facts(runs, run_id), follow.Follow.on_log

    def fall_apart_at(step: int) -> Run:
        def on_log(self: Any, args: Any, state: Any, control: Any, logs: dict[str, Any], **more: Any) -> None:
            real(self, args, state, control, {**logs, "loss": math.nan} if state.global_step == step and "loss" in logs else logs, **more)

        monkeypatch.setattr(follow.Follow, "on_log", on_log)
        learn_here(runs, workspace, lambda: runs.resume("me", run_id, {"max_steps": 20}).run_id)
        return runs.get("me", run_id)

    run = fall_apart_at(9)
    assert [str(one) for one in run.warnings[len(before[0].warnings) :]] and "step 9" in str(run.warnings[-1])
    after = facts(runs, run_id)
    assert (replace(after[0], warnings=before[0].warnings), *after[1:]) == before

    run = fall_apart_at(15)  # by then it had become better
    assert run.state == "failed" and "step 15" in str(run.error) and run.best_step in (10, 12, 14)
    assert run.has_adapter and runs.adapter("me", run_id).step == run.best_step
