"""Jobs run one after the other, end in one clear state, belong to somebody, and outlive a page and an app."""

import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground import jobs as module
from playground.errors import InputError, NotFound, Sentence, StorageFull
from playground.jobs import FINAL, INTERRUPTED, Job, Jobs
from playground.workspace import Workspace, read_json, write_json

Work = Callable[[Job], Any]


@pytest.fixture
def jobs(workspace: Workspace) -> Jobs:
    return Jobs(workspace)


def ended(job: Job, seconds: float = 10) -> Job:
    deadline = time.monotonic() + seconds
    while not job.finished and time.monotonic() < deadline:
        time.sleep(0.005)
    assert job.finished, f"still {job.state}"
    return job


def on_disk(jobs: Jobs, job: Job, owner: str = "me") -> Job:
    """As another app finds it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and read_json(jobs.workspace.home / "jobs" / job.job_id / "status.json")["state"] not in FINAL:
        time.sleep(0.01)
    return Jobs(jobs.workspace).get(owner, job.job_id)


def test_one_after_the_other_in_the_order_they_came(jobs: Jobs) -> None:
    seen: list[str] = []

    def work(name: str) -> Work:
        def run(job: Job) -> str:
            seen.append(f"{name} begins")
            time.sleep(0.02)
            seen.append(f"{name} ends")
            return name

        return run

    started = [jobs.start(owner, "count", work(owner)) for owner in ("a", "b", "c")]
    assert [ended(job).result for job in started] == ["a", "b", "c"]
    assert seen == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]
    assert all(job.state == "done" and job.error is None for job in started)


def test_progress_is_seen_while_it_works(jobs: Jobs) -> None:
    step, seen = threading.Event(), threading.Event()

    def work(job: Job) -> dict[str, int]:
        job.done, job.total, job.doing = 3, 12, Sentence("Reading page {page}", page=3)
        job.result = {"pages": 3}
        step.set()
        assert seen.wait(5)
        return {"pages": 12}

    job = jobs.start("me", "read", work, total=10)
    assert (job.kind, job.total) == ("read", 10)
    assert step.wait(5)
    job.began = time.time() - 3
    told = jobs.get("me", job.job_id).to_dict()
    assert (told["state"], told["done"], told["total"], told["doing"], told["result"]) == ("running", 3, 12, "Reading page 3", {"pages": 3})
    assert told["eta_seconds"] == pytest.approx(9, abs=1)
    assert told["seconds"] == pytest.approx(3, abs=1)
    seen.set()
    told = ended(job).to_dict()
    assert (told["state"], told["result"], told["eta_seconds"], told["error"]) == ("done", {"pages": 12}, None, None)
    later = on_disk(jobs, job).to_dict()
    assert {**later, "doing": None} == {**told, "doing": None}


def test_progress_goes_to_disk_on_the_way(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_SECONDS", 0.02)
    go = threading.Event()

    def work(job: Job) -> None:
        job.done = 5
        go.wait(5)

    job = jobs.start("me", "read", work)
    path = jobs.workspace.home / "jobs" / job.job_id / "status.json"
    deadline = time.monotonic() + 5
    while read_json(path)["done"] != 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (read_json(path)["state"], read_json(path)["done"]) == ("running", 5)
    go.set()
    ended(job)


# stopping


def test_stopped_while_it_works(jobs: Jobs) -> None:
    begun = threading.Event()

    def work(job: Job) -> str:
        begun.set()
        while not job.stopping():
            time.sleep(0.005)
        return "half"

    job = jobs.start("me", "read", work)
    assert begun.wait(5)
    assert jobs.stop("me", job.job_id).state in ("stopping", "stopped")
    assert ended(job).state == "stopped"
    assert (on_disk(jobs, job).state, on_disk(jobs, job).result, on_disk(jobs, job).error) == ("stopped", "half", None)


def test_stopped_before_it_begins_it_has_ended_at_once(jobs: Jobs) -> None:
    go, ran = threading.Event(), []
    first = jobs.start("me", "read", lambda job: go.wait(5))
    second, third = jobs.start("me", "read", ran.append), jobs.start("me", "read", lambda job: "third")
    assert jobs.stop("me", second.job_id).state == "stopped"
    assert on_disk(jobs, second).state == "stopped" and not first.finished
    assert (second.began, second.seconds, second.doing, second.error) == (None, 0.0, None, None)
    go.set()
    assert (ended(first).state, ended(third).result, ran) == ("done", "third", [])
    assert (second.state, on_disk(jobs, second).state) == ("stopped", "stopped")


def test_one_that_waits_says_how_many_are_before_it(jobs: Jobs) -> None:
    gates = [threading.Event() for _ in range(4)]
    first, second, third, last = (jobs.start("me", "read", lambda job, gate=gate: gate.wait(5)) for gate in gates)
    assert [str(one.doing) for one in (second, third, last)] == [f"Waiting for other work: {n} in line before this" for n in (1, 2, 3)]
    jobs.stop("you", jobs.start("you", "read", lambda job: None).job_id)
    jobs.stop("me", third.job_id)
    assert last.doing is not None and last.doing.values == {"n": 2}
    gates[0].set()
    ended(first)
    deadline = time.monotonic() + 5
    while last.doing.values != {"n": 1} and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (second.doing, last.doing.values, jobs.get("me", last.job_id).to_dict()["state"]) == (None, {"n": 1}, "queued")
    for gate in gates:
        gate.set()
    assert (ended(last).state, last.doing) == ("done", None)


def test_what_has_ended_cannot_be_stopped(jobs: Jobs) -> None:
    job = ended(jobs.start("me", "read", lambda job: 1))
    assert jobs.stop("me", job.job_id).state == "done"
    assert Jobs(jobs.workspace).stop("me", job.job_id).state == "done"


def test_a_job_that_ends_at_the_moment_it_is_stopped_has_ended(jobs: Jobs) -> None:
    begun = threading.Event()

    def work(job: Job) -> None:
        begun.set()
        while not job.stopping():
            time.sleep(0.001)

    class Slow(threading.Event):
        """The work hears of it at once, and whoever stops it is held up."""

        def set(self) -> None:
            super().set()
            time.sleep(0.3)

    job = jobs.start("me", "read", work)
    job._stop = Slow()
    assert begun.wait(5)
    jobs.stop("me", job.job_id)
    assert ended(job, 3).state == "stopped"


# failures


def test_an_expected_failure_is_a_sentence(jobs: Jobs) -> None:
    def work(job: Job) -> None:
        job.result = {"pages": 2}
        raise InputError("{name} is empty.", name="a.pdf")

    job = ended(jobs.start("me", "read", work))
    assert (job.state, job.error, job.result) == ("failed", "a.pdf is empty.", {"pages": 2})
    later = on_disk(jobs, job)
    assert (later.state, later.error, later.result) == ("failed", "a.pdf is empty.", {"pages": 2})
    assert later.error is not None
    assert (later.error.template, later.error.values) == ("{name} is empty.", {"name": "a.pdf"})


class Panic(BaseException):
    """As libraries written in Rust raise it."""


@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), MemoryError(), SystemExit("secret"), RecursionError(), Panic("secret")])
def test_a_bug_is_a_reference_and_the_line_goes_on(jobs: Jobs, error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    def work(job: Job) -> None:
        raise error

    with caplog.at_level(logging.ERROR):
        job = ended(jobs.start("me", "read", work))
        assert ended(jobs.start("me", "read", lambda job: "next")).result == "next"
    assert job.state == "failed"
    assert job.error is not None
    reference = job.error.values["reference"]
    assert reference in str(job.error)
    assert not any(word in str(job.error) for word in ("secret", "Traceback", "Error"))
    assert reference in caplog.text
    assert type(error).__name__ in caplog.text
    assert on_disk(jobs, job).error == job.error


@pytest.mark.parametrize("result", [math.nan, {1, 2}, object(), Path("x"), "\ud800"], ids=["nan", "set", "object", "path", "surrogate"])
def test_a_result_that_cannot_be_written_does_not_hold_up_the_line(jobs: Jobs, result: object) -> None:
    job = ended(jobs.start("me", "read", lambda job: result))
    assert ended(jobs.start("me", "read", lambda job: "next")).result == "next"
    assert job.state == "done"


def test_a_full_disk_does_not_hold_up_the_line(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    first = jobs.start("me", "read", lambda job: go.wait(5))
    second = jobs.start("me", "read", lambda job: "next")

    def full(path: Path, value: object) -> None:
        raise StorageFull("The disk is full.")

    monkeypatch.setattr(module, "write_json", full)
    go.set()
    assert (ended(first).state, ended(second).result) == ("done", "next")


def test_the_last_word_on_disk_is_the_last_word(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk must not let an older state overwrite the final one."""
    monkeypatch.setattr(module, "WRITE_SECONDS", 0.01)
    writing = threading.Event()

    def slow(path: Path, value: dict[str, Any]) -> None:
        if value["state"] == "running":
            writing.set()
            time.sleep(0.3)
        write_json(path, value)

    monkeypatch.setattr(module, "write_json", slow)
    job = ended(jobs.start("me", "read", lambda job: writing.wait(5)))
    time.sleep(0.5)
    assert Jobs(jobs.workspace).get("me", job.job_id).state == "done"


# owners, restarts


def test_other_owners_cannot_see_or_stop_it(jobs: Jobs) -> None:
    go = threading.Event()
    job = jobs.start("me", "read", lambda job: go.wait(5))
    for call in (jobs.get, jobs.stop):
        for owner in ("you", "", "ME"):
            with pytest.raises(NotFound):
                call(owner, job.job_id)
    assert not job.stopping()
    go.set()
    ended(job)
    with pytest.raises(NotFound):
        Jobs(jobs.workspace).get("you", job.job_id)


@pytest.mark.parametrize("id", ["", "../jobs", "0" * 12, None, 5, "x" * 12])
def test_no_such_job(jobs: Jobs, id: object) -> None:
    with pytest.raises(NotFound):
        jobs.get("me", id)  # type: ignore[arg-type]


def test_what_was_under_way_when_the_app_was_killed_is_told_as_stopped(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_SECONDS", 0.02)
    go = threading.Event()

    def work(job: Job) -> None:
        job.done, job.total, job.result = 4, 9, {"pages": 4}
        go.wait(5)

    running, queued = jobs.start("me", "read", work), jobs.start("me", "read", lambda job: None)
    time.sleep(0.3)
    after = Jobs(jobs.workspace)
    told = after.get("me", running.job_id)
    assert (told.state, told.error, told.done, told.total, told.result) == ("stopped", INTERRUPTED, 4, 9, {"pages": 4})
    assert told.finished
    assert told.eta_seconds is None
    waiting = after.get("me", queued.job_id)
    assert (waiting.state, waiting.error, waiting.seconds) == ("stopped", INTERRUPTED, 0.0)
    assert after.stop("me", running.job_id).state == "stopped"
    go.set()
    ended(queued)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"state": 5}'])
def test_a_damaged_state_is_told_as_stopped(jobs: Jobs, content: str) -> None:
    job = ended(jobs.start("me", "read", lambda job: 1))
    time.sleep(0.05)
    (jobs.workspace.home / "jobs" / job.job_id / "status.json").write_text(content)
    told = Jobs(jobs.workspace).get("me", job.job_id)
    assert (told.state, told.error) == ("stopped", INTERRUPTED)
    told.to_dict()


def test_old_jobs_are_forgotten(jobs: Jobs) -> None:
    old, new = ended(jobs.start("me", "read", lambda job: 1)), ended(jobs.start("me", "read", lambda job: 1))
    on_disk(jobs, new)
    os.utime(jobs.workspace.home / "jobs" / old.job_id, (0, 0))
    after = Jobs(jobs.workspace)
    after.forget_old()
    assert after.get("me", new.job_id).state == "done"
    with pytest.raises(NotFound):
        after.get("me", old.job_id)


def test_many_at_once(jobs: Jobs) -> None:
    made: list[Job] = []

    def begin() -> None:
        for _ in range(10):
            made.append(jobs.start("me", "read", lambda job: job.job_id))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert [ended(job).result for job in made] == [job.job_id for job in made]
    assert sum(thread.name == "jobs" and thread.is_alive() for thread in threading.enumerate()) >= 1


def test_what_stands_in_line_elsewhere_holds_nobody_up(jobs: Jobs) -> None:
    gate = threading.Event()
    held = jobs.start("me", "long", lambda job: gate.wait(5))
    apart = jobs.start("me", "apart", lambda job: "at once", apart=True)
    assert ended(apart).result == "at once" and not held.finished
    gate.set()
    ended(held)


def test_an_owner_finds_the_jobs_of_a_kind_again(jobs: Jobs) -> None:
    first = ended(jobs.start("me", "list", lambda job: 1, about={"run": "one"}))
    ended(jobs.start("me", "other", lambda job: 2))
    ended(jobs.start("you", "list", lambda job: 3))
    last = ended(jobs.start("me", "list", lambda job: 4))
    kept = Jobs(jobs.workspace).kept("me", "list")
    assert [one["job_id"] for one in kept] == [last.job_id, first.job_id]
    assert kept[1]["run"] == "one" and kept[0]["created"] >= kept[1]["created"]
