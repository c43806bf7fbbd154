"""The line of runs, with a stand-in for the worker: real processes, real files, no training."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from playground.errors import InputError, NotFound, SettingsError, WrongState
from playground.messages import Message, conversation
from playground.models.catalog import ModelRef
from playground.settings import PROJECT, Limits
from playground.system import moment
from playground.training import oom, record
from playground.training.dispatch import Dispatcher
from playground.training.record import log_tail
from playground.training.runs import Runs
from playground.workspace import Workspace, write_json

PRELUDE = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, {project!r})
from playground.training.launching import claim
from playground.training.progress import Curve, Status
from playground.workspace import write_json
folder = Path(sys.argv[1])
held = claim(folder)
if held is None:
    sys.exit(3)
status, curve = Status(folder), Curve(folder / "metrics.jsonl")
print("the worker is at it", flush=True)
def step(number):
    curve.add(number, loss=1 / number)
    status.write(state="running", step=number, max_steps=9, loss=1 / number)
def end(state):
    (folder / "adapter").mkdir()
    write_json(folder / "manifest.json", {{"state": state, "adapter": {{"sha256": "ab"}}}})
    status.end(state)
"""
QUICK = "step(1); step(2); end('done')"
STEADY = """
number = 0
while not (folder / "request.json").exists():
    number += 1; step(number); time.sleep(0.02)
end("stopped")
"""
DEAF = "step(1); time.sleep(60)"
CRASH = "step(1); print('Traceback (most recent call last):\\n  File \"x.py\", line 1\\nValueError: odd'); sys.exit(7)"


class OneModel:
    """A catalog with one model."""

    def resolve(self, id: str) -> ModelRef:
        if id != "starter":
            raise NotFound("no such model")
        return ModelRef("starter", "/nowhere", None, 512)

    def list(self) -> list[Any]:
        return [SimpleNamespace(id="starter", parameters=8_000_000)]


Make = Callable[..., Runs]


@pytest.fixture
def make_runs(workspace: Workspace, tmp_path: Path) -> Iterator[Make]:
    """Runs whose worker is the given script; every process is ended afterwards."""
    made: list[Runs] = []

    def make(script: str = STEADY, *, opened: bool = True, **options: Any) -> Runs:
        path = tmp_path / f"worker{len(made)}.py"
        path.write_text(PRELUDE.format(project=str(PROJECT)) + script)
        runs = Runs(workspace, OneModel(), worker=(sys.executable, str(path)), **options)  # type: ignore[arg-type]
        made.append(runs)
        if opened:
            runs.open()
        return runs

    yield make
    for runs in made:
        runs.close()
    watcher = Dispatcher(workspace)
    assert all([watcher.kill(folder) for folder in workspace.list("runs")])


def start(runs: Runs, owner: str = "me", **settings: Any) -> str:
    rows = [conversation("How are you?", "Fine.", "Be kind.")] * 9
    shots = (Message("user", "Hi"), Message("assistant", "Hello"))
    said = {"instruction": "Ask", "system": "Be kind.", "task": "chat", "labels": ["a"], "shots": shots, "slots": ("city",)}
    splits = SimpleNamespace(train=rows, validation=rows[:2], test=[], **said)
    return runs.start(owner, dataset_id="d1", dataset_name="letters", splits=splits, settings=settings)


def wait_for(check: Callable[[], bool], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_run_takes_its_data_along_and_reaches_its_end(make_runs: Make, workspace: Workspace) -> None:
    runs = make_runs(QUICK)
    run_id = start(runs, lora_r=4)
    wait_for(lambda: runs.get("me", run_id).finished)
    run = runs.get("me", run_id)
    assert (run.state, run.step, run.name, run.dataset_name, run.settings["lora_r"]) == ("done", 2, "letters #1", "letters", 4)
    assert run.error is None and run.place_in_line is None and run.eta_seconds is None
    folder = workspace.find("runs", run_id, "me")
    lines = (folder / "data" / "train.jsonl").read_text().splitlines()
    assert len(lines) == 9 and json.loads(lines[0])["prompt"][0] == {"role": "system", "content": "Be kind."}
    assert [point["loss"] for point in runs.metrics("me", run_id)] == [1.0, 0.5]
    assert [point["step"] for point in runs.metrics("me", run_id, 1)] == [2]
    assert json.loads(json.dumps(run.to_dict()))["reasons"]["learning_rate"].endswith(".")
    ref = runs.adapter("me", run_id)
    assert (ref.sha256, ref.quantised, ref.system, ref.instruction) == ("ab", True, "Be kind.", "Ask")
    assert (ref.task, ref.shots, ref.slots) == ("chat", (Message("user", "Hi"), Message("assistant", "Hello")), ("city",))
    asked = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", {key: value for key, value in asked.items() if key not in ("task", "shots", "slots")})
    old = runs.adapter("me", run_id)
    assert (old.task, old.shots, old.slots) == ("instruction", (), ()), "a run from before there were other tasks and examples"


def test_one_at_a_time_in_the_order_of_asking(make_runs: Make) -> None:
    runs = make_runs()
    ids = [start(runs) for _ in range(3)]
    wait_for(lambda: runs.get("me", ids[0]).state == "running")
    assert [runs.get("me", one).place_in_line for one in ids] == [None, 1, 2]
    assert [run.run_id for run in runs.list("me")] == ids[::-1]
    assert [run.place_in_line for run in runs.list("me")] == [2, 1, None]
    assert runs.stop("me", ids[1]).state == "stopped"  # a waiting run stops at once
    assert runs.get("me", ids[2]).place_in_line == 1
    runs.stop("me", ids[0])
    wait_for(lambda: runs.get("me", ids[2]).state == "running")
    assert runs.get("me", ids[0]).state == "stopped" and runs.get("me", ids[1]).step == 0


def test_stop_keeps_and_cancel_throws_away(make_runs: Make) -> None:
    runs = make_runs()
    kept, thrown = start(runs), start(runs)
    wait_for(lambda: runs.get("me", kept).state == "running")
    assert runs.stop("me", kept).state == "stopping"
    wait_for(lambda: runs.get("me", kept).state == "stopped")
    assert runs.adapter("me", kept).path.is_dir() and runs.get("me", kept).has_adapter
    assert runs.stop("me", kept).state == "stopped"  # pressing twice harms nothing
    with pytest.raises(WrongState, match="finished"):
        runs.cancel("me", kept)
    wait_for(lambda: runs.get("me", thrown).state == "running")
    pid = runs.get("me", thrown).pid
    run = runs.cancel("me", thrown)
    assert run.state == "stopped" and not run.has_adapter and run.error is None
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # type: ignore[arg-type]
    assert runs.cancel("me", thrown).state == "stopped"
    assert runs.metrics("me", thrown)
    with pytest.raises(WrongState, match="nothing to load"):
        runs.adapter("me", thrown)


def test_resuming_a_run_that_still_trains_is_refused_and_harms_nothing(make_runs: Make) -> None:
    runs = make_runs()
    run_id = start(runs)
    wait_for(lambda: runs.get("me", run_id).step > 5)
    before = runs.get("me", run_id)
    with pytest.raises(WrongState, match="still at work"):  # a page that was left open may still show the button
        runs.resume("me", run_id)
    wait_for(lambda: runs.get("me", run_id).step > before.step + 5)
    after = runs.get("me", run_id)
    assert after.state == "running" and after.pid == before.pid and after.error is None


def test_a_worker_killed_from_outside_is_noticed_with_reason_and_log(make_runs: Make) -> None:
    runs = make_runs()
    run_id, after = start(runs), start(runs)
    wait_for(lambda: runs.get("me", run_id).step > 2)
    os.kill(runs.get("me", run_id).pid, signal.SIGKILL)  # type: ignore[arg-type]
    wait_for(lambda: runs.get("me", run_id).state == "failed", 3.0)
    run = runs.get("me", run_id)
    assert "memory" in str(run.error) and "the worker is at it" in run.log_tail
    assert len(runs.metrics("me", run_id)) >= 2
    wait_for(lambda: runs.get("me", after).state == "running")


def test_a_worker_that_the_kernel_ends_for_want_of_memory_goes_on_with_fewer_examples_at_a_time(make_runs: Make) -> None:
    count = [0]
    runs = make_runs(ended_by_kernel=lambda: {"boot": "b", "of": "here", "count": count[0]})
    run_id = start(runs, per_device_train_batch_size=8, gradient_accumulation_steps=2)

    def killed(by_kernel: bool) -> None:
        wait_for(lambda: runs.get("me", run_id).state == "running" and runs.get("me", run_id).step > 2)
        pid = runs.get("me", run_id).pid
        count[0] += by_kernel
        os.kill(pid, signal.SIGKILL)  # type: ignore[arg-type]
        wait_for(lambda: runs.get("me", run_id).pid != pid or runs.get("me", run_id).finished)

    for size in (4, 2):
        killed(by_kernel=True)
        run = runs.get("me", run_id)
        assert (run.settings["per_device_train_batch_size"], run.settings["gradient_accumulation_steps"]) == (size, 16 // size)
        assert run.error is None and "with 8 examples" in run.reasons["per_device_train_batch_size"]
        [told] = run.warnings
        assert "ran out of memory" in told and f"so {size} examples" in told and "instead of 8" in told
    killed(by_kernel=True)
    run = runs.get("me", run_id)
    assert run.state == "failed" and "ran out of memory at step" in str(run.error), "it was tried twice"

    run_id = start(runs, per_device_train_batch_size=8)
    killed(by_kernel=False)
    run = runs.get("me", run_id)
    assert run.state == "failed" and "from outside" in str(run.error) and run.settings["per_device_train_batch_size"] == 8
    run_id = start(runs, per_device_train_batch_size=1)
    killed(by_kernel=True)
    assert runs.get("me", run_id).state == "failed" and "smaller batch size" in str(runs.get("me", run_id).error)


def test_what_the_kernel_counts_is_read_where_it_stands(tmp_path: Path) -> None:
    assert oom.mark(tmp_path) is None and not oom.since(None, None)
    groups = tmp_path / "sys/fs/cgroup"
    for folder in (tmp_path / "proc/self", groups / "mine", groups / "memory/mine"):
        folder.mkdir(parents=True)
    (tmp_path / "proc/vmstat").write_text("nr_free_pages 3\noom_kill 7\n")
    machine = oom.mark(tmp_path)
    assert machine and machine["count"] == 7
    (tmp_path / "proc/self/cgroup").write_text("2:cpu,cpuacct:/mine\n0::/mine\n")
    (groups / "mine/memory.events").write_text("low 0\nhigh 0\nmax 90\noom 1\noom_kill 1\noom_group_kill 0\n")
    before = oom.mark(tmp_path)
    assert before and before["count"] == 1 and not oom.since(before, before)
    assert not oom.since(before, machine), "another counter tells nothing"
    (groups / "mine/memory.events").write_text("oom_kill 2\n")
    assert oom.since(before, oom.mark(tmp_path)) and not oom.since({**before, "boot": "another"}, oom.mark(tmp_path))
    (tmp_path / "proc/self/cgroup").write_text("4:memory:/mine\n0::/\n")
    (groups / "memory/mine/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n")
    assert oom.mark(tmp_path)["count"] == 5  # type: ignore[index]
    if sys.platform == "linux" and "oom_kill " in Path("/proc/vmstat").read_text():
        assert oom.mark()


def test_a_worker_that_ends_by_itself_without_a_word(make_runs: Make) -> None:
    runs = make_runs(CRASH)
    run_id = start(runs)
    wait_for(lambda: runs.get("me", run_id).state == "failed")
    run = runs.get("me", run_id)
    assert "7" in str(run.error)
    assert "ValueError: odd" in run.log_tail and "Traceback" not in run.log_tail and "x.py" not in run.log_tail


def test_a_deaf_worker_is_ended_when_patience_is_over(make_runs: Make) -> None:
    runs = make_runs(DEAF, patience=0.5)
    run_id = start(runs)
    wait_for(lambda: runs.get("me", run_id).state == "running")
    runs.stop("me", run_id)
    wait_for(lambda: runs.get("me", run_id).state == "stopped")
    assert "did not answer" in str(runs.get("me", run_id).error)


def test_a_worker_that_is_busy_saving_is_waited_for(make_runs: Make) -> None:
    runs = make_runs(STEADY.replace("end(", "status.write(saving=True); time.sleep(2.5); end("), patience=0.5)
    run_id = start(runs)
    wait_for(lambda: runs.get("me", run_id).step > 2)
    runs.stop("me", run_id)
    wait_for(lambda: runs.get("me", run_id).finished)
    run = runs.get("me", run_id)
    assert run.state == "stopped" and run.has_adapter and run.error is None


def test_a_worker_that_hangs_as_it_saves_is_ended_all_the_same(make_runs: Make) -> None:
    runs = make_runs("step(1); status.write(saving=True); time.sleep(60)", patience=0.2)
    run_id = start(runs)
    wait_for(lambda: runs.get("me", run_id).state == "running")
    runs.stop("me", run_id)
    wait_for(lambda: runs.get("me", run_id).state == "stopped")
    assert "did not answer" in str(runs.get("me", run_id).error)


def test_a_run_that_is_begun_beside_the_app_takes_its_place_and_is_watched(make_runs: Make, workspace: Workspace) -> None:
    runs = make_runs()
    time.sleep(1)  # the app has looked at what there is
    beside = start(make_runs(opened=False))  # as the command line does: its folder, and then its worker
    folder = workspace.find("runs", beside, "me")
    write_json(folder / "status.json", {"state": "starting", "queued_at": time.time(), "launched": time.time(), "at": moment()})
    worker = subprocess.Popen([sys.executable, str(Path(runs._line._worker[1])), str(folder)])
    try:
        wait_for(lambda: runs.get("me", beside).step > 2)
        after = start(runs)
        time.sleep(1.2)
        assert runs.get("me", after).state == "queued" and runs.get("me", after).place_in_line == 1
    finally:
        worker.kill()
        worker.wait()
    wait_for(lambda: runs.get("me", beside).state == "failed", 3.0)
    runs.delete("me", beside)
    wait_for(lambda: runs.get("me", after).state == "running")


def test_looking_for_runs_that_were_begun_beside_the_app_costs_little(make_runs: Make, workspace: Workspace) -> None:
    runs = make_runs(opened=False)
    run_id = start(runs)
    folder = workspace.find("runs", run_id, "me")
    runs.stop("me", run_id)
    for number in range(300):
        shutil.copytree(folder, folder.with_name(f"{number:012x}"))
    runs._line.look()
    began = time.perf_counter()
    for _ in range(10):
        runs._line.look()
    assert (time.perf_counter() - began) / 10 < 0.03  # twice a second
    write_json(folder / "status.json", {"state": "queued", "queued_at": 1.0})  # one that had ended
    assert runs._line.waiting() == [folder]


def test_a_page_can_ask_cheaply_whether_anything_became_of_its_owners_runs(make_runs: Make, workspace: Workspace) -> None:
    runs = make_runs(opened=False)
    run_id = start(runs)
    folder = workspace.find("runs", run_id, "me")
    write_json(folder / "status.json", {"state": "done"})
    for number in range(300):
        shutil.copytree(folder, folder.with_name(f"{number:012x}"))
    before, others = runs.stirred("me"), runs.stirred("ann")
    began = time.perf_counter()
    assert all(runs.stirred("me") == before for _ in range(10))
    assert (time.perf_counter() - began) / 10 < 0.03  # of each page, every ten seconds
    write_json(folder / "status.json", {"state": "running"})
    begun = runs.stirred("me")
    write_json(folder / "status.json", {"state": "done"})
    runs.delete("me", run_id)
    assert len({before, begun, runs.stirred("me")}) == 3 and runs.stirred("ann") == others
    start(runs, owner="ann")
    assert runs.stirred("ann") != others


def test_a_new_app_goes_on_watching_what_a_former_one_started(make_runs: Make) -> None:
    former = make_runs()
    run_id, waiting = start(former), start(former)
    wait_for(lambda: former.get("me", run_id).step > 1)
    former.close()
    pid = former.get("me", run_id).pid
    new = make_runs()
    time.sleep(1.2)
    assert new.get("me", run_id).state == "running" and new.get("me", run_id).pid == pid
    assert new.get("me", waiting).place_in_line == 1
    new.stop("me", run_id)
    wait_for(lambda: new.get("me", waiting).state == "running")
    steps = [point["step"] for point in new.metrics("me", run_id)]
    assert steps == list(range(1, len(steps) + 1))


def test_a_pid_that_belongs_to_another_process_now_is_never_touched(make_runs: Make, workspace: Workspace) -> None:
    runs = make_runs(opened=False)
    run_id = start(runs)
    folder = workspace.find("runs", run_id, "me")
    write_json(folder / "status.json", {"state": "running", "pid": os.getpid(), "pid_started": 1.0, "step": 3, "began": time.time()})
    runs.open()
    wait_for(lambda: runs.get("me", run_id).state == "failed")  # and this process still runs
    write_json(folder / "status.json", {"state": "running", "pid": os.getpid(), "pid_started": 1.0})
    assert runs.cancel("me", run_id).state == "stopped"


def test_a_second_worker_leaves_a_held_run_alone(make_runs: Make, workspace: Workspace) -> None:
    runs = make_runs()
    run_id = start(runs)
    wait_for(lambda: runs.get("me", run_id).state == "running")
    other = psutil.Popen([sys.executable, str(Path(runs._line._worker[1])), str(workspace.find("runs", run_id, "me"))])
    assert other.wait(timeout=20) == 3
    assert runs.get("me", run_id).state == "running"


def test_delete_refuses_a_training_run_and_removes_others(make_runs: Make, workspace: Workspace) -> None:
    runs = make_runs()
    running, queued = start(runs), start(runs)
    wait_for(lambda: runs.get("me", running).state == "running")
    with pytest.raises(WrongState, match="still training"):
        runs.delete("me", running)
    runs.delete("me", queued)
    with pytest.raises(NotFound):
        runs.get("me", queued)
    runs.cancel("me", running)
    runs.delete("me", running)
    assert runs.list("me") == [] and not any((workspace.home / "runs").iterdir())


def test_a_run_that_is_deleted_as_it_ends_or_vanishes_leaves_the_line_to_the_others(make_runs: Make, workspace: Workspace) -> None:
    runs = make_runs("step(1); end('done'); time.sleep(1.5)")  # as a process with torch takes a moment to end
    ended = start(runs)
    wait_for(lambda: runs.get("me", ended).finished)
    assert runs._line._unfinished, "the line has not yet seen that it ended"
    runs.delete("me", ended)
    assert not runs._line._unfinished and runs._line.waiting() == []
    with runs._line.lock:  # so that both wait
        gone, after = start(runs), start(runs)
        shutil.rmtree(workspace.find("runs", gone, "me"))  # by hand
        assert runs.get("me", after).place_in_line == 1
    wait_for(lambda: runs.get("me", after).state == "done", 5)


@pytest.mark.parametrize("what", ["waits", "has begun"])
def test_a_run_whose_folder_is_broken_does_not_hold_up_the_others(
    make_runs: Make, workspace: Workspace, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    runs = make_runs(QUICK, opened=False)
    broken, after = start(runs), start(runs)
    folder = workspace.find("runs", broken, "me")
    if what == "waits":
        asked = json.loads((folder / "config.json").read_text())
        write_json(folder / "config.json", {key: value for key, value in asked.items() if key != "model"})
    else:
        write_json(folder / "status.json", {"state": "running", "pid": "nonsense", "pid_started": "nonsense"})
    for _ in range(3):
        runs._line.look()
    told = [one for one in caplog.records if folder.name in one.getMessage()]
    assert len(told) == 1, "it is told, and not at every look"
    wait_for(lambda: runs.get("me", after).state == "done", 5)
    shutil.rmtree(folder)


@pytest.mark.parametrize("place", ["2", None, 1.5, [1]])
def test_a_place_in_line_that_is_none_is_refused(make_runs: Make, place: Any) -> None:
    runs = make_runs(opened=False)
    first, second = start(runs), start(runs)
    with pytest.raises(InputError, match="whole number"):
        runs.move("me", second, place)
    assert runs.move("me", second, 1).place_in_line == 1 and runs.get("me", first).place_in_line == 2


def test_half_a_character_in_a_question_becomes_a_question_mark(make_runs: Make, workspace: Workspace) -> None:
    runs = make_runs(opened=False)
    run_id = start(runs, sample_prompts=["\ud83d open?", "When? \U0001f642"])
    lines = (workspace.find("runs", run_id, "me") / "data" / "prompts.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["prompt"][-1]["content"] for line in lines] == ["? open?", "When? \U0001f642"]
    assert runs.get("me", run_id).settings["sample_prompts"] == ["? open?", "When? \U0001f642"]


def test_no_two_runs_get_the_same_name(make_runs: Make) -> None:
    runs = make_runs(opened=False)
    ids = [start(runs) for _ in range(3)]
    runs.delete("me", ids[0])
    start(runs)
    assert [run.name for run in runs.list("me")] == ["letters #4", "letters #3", "letters #2"]
    assert runs.get("ann", start(runs, owner="ann")).name == "letters #1"


def test_owners_do_not_see_each_other(make_runs: Make) -> None:
    runs = make_runs(opened=False)
    run_id = start(runs, owner="ann")
    for call in (runs.get, runs.metrics, runs.stop, runs.cancel, runs.delete, runs.adapter):
        with pytest.raises(NotFound):
            call("bob", run_id)
    assert runs.list("bob") == [] and len(runs.list("ann")) == 1
    start(runs, owner="bob")
    assert runs.list("bob")[0].place_in_line == 2  # the line is one for all, its contents are not told


def test_what_cannot_be_started_leaves_nothing_behind(make_runs: Make, workspace: Workspace) -> None:
    runs = make_runs(opened=False, limits=Limits(queued_runs=1))
    with pytest.raises(SettingsError):
        start(runs, lora_r=0, colour="red")
    with pytest.raises(NotFound):
        start(runs, model="nobody/nothing")
    with pytest.raises(InputError, match="no rows"):
        runs.start("me", dataset_id="d", dataset_name="d", splits=SimpleNamespace(train=[]), settings={})  # type: ignore[arg-type]
    assert not any((workspace.home / "runs").iterdir())
    start(runs)
    with pytest.raises(WrongState, match="in line"):
        start(runs)
    assert len(list((workspace.home / "runs").iterdir())) == 1


def test_a_worker_that_cannot_be_started_fails_the_run(workspace: Workspace) -> None:
    runs = Runs(workspace, OneModel(), worker=("/no/such/program",))  # type: ignore[arg-type]
    run_id = start(runs)
    runs.open()
    try:
        wait_for(lambda: runs.get("me", run_id).state == "failed")
        assert "could not be started" in str(runs.get("me", run_id).error)
    finally:
        runs.close()


def test_an_end_between_manifest_and_status_counts_as_finished(make_runs: Make, workspace: Workspace) -> None:
    runs = make_runs(opened=False)
    run_id = start(runs)
    folder = workspace.find("runs", run_id, "me")
    write_json(folder / "manifest.json", {"state": "done", "adapter": {"sha256": "cd"}})
    write_json(folder / "status.json", {"state": "running", "pid": 2**22 - 3, "pid_started": 1.0})
    runs.open()
    wait_for(lambda: runs.get("me", run_id).state == "done")


def test_a_run_whose_status_is_half_written_is_not_started_unasked(make_runs: Make, workspace: Workspace) -> None:
    runs = make_runs(opened=False)
    folder = workspace.find("runs", start(runs), "me")
    (folder / "status.json").write_text('{"state": "runn')
    runs.open()
    time.sleep(0.7)
    run = record.read(folder)
    assert run.state == "failed" and "damaged" in str(run.error) and not (folder / "worker.log").exists()


def test_log_tail_is_short_and_tells_no_traceback(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    assert log_tail(log) == ""
    body = "\n".join(f"line {number}" for number in range(5000))
    log.write_text(body + '\nTraceback (most recent call last):\n  File "a.py", line 3, in f\n    g()\nKeyError: 1\nlast\n')
    tail = log_tail(log).splitlines()
    assert tail[-2:] == ["KeyError: 1", "last"] and len(tail) <= 25 and not any("a.py" in line for line in tail)


def test_the_app_side_loads_none_of_the_heavy_libraries() -> None:
    heavy = {"torch", "transformers", "trl", "peft", "datasets", "bitsandbytes", "gradio"}
    code = f"import sys, playground.training.runs; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
