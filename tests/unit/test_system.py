"""A process is known by pid and start time, and a number that was given anew is never signalled."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from playground.settings import PROJECT
from playground.system import ProcessId, lock_file, machine, memory_mb, start_detached


@pytest.fixture
def sleeper() -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def identity(process: subprocess.Popen) -> ProcessId:
    return ProcessId.of(process.pid)


def test_alive_until_killed(sleeper: subprocess.Popen) -> None:
    known = identity(sleeper)
    assert known.alive
    known.kill()
    sleeper.wait(10)
    assert not known.alive


def test_a_reused_number_is_not_the_process(sleeper: subprocess.Popen) -> None:
    stranger = replace(identity(sleeper), started=identity(sleeper).started - 100)
    assert not stranger.alive
    stranger.kill()
    assert sleeper.poll() is None


def test_a_zombie_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    known = identity(process)
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert not known.alive
    process.wait()


def test_detached_has_its_own_group_and_keeps_no_lock(tmp_path: Path) -> None:
    lock = lock_file(tmp_path / "lock")
    assert lock is not None
    process = start_detached(
        [sys.executable, "-c", "import os, time; print(os.getpgid(0) == os.getpid(), flush=True); time.sleep(30)"],
        tmp_path / "log",
        cwd=tmp_path,
        environ={},
    )
    try:
        while not (tmp_path / "log").read_text():
            assert process.poll() is None
        assert (tmp_path / "log").read_text().strip() == "True"
        assert psutil.Process(process.pid).nice() == 10
        assert lock_file(tmp_path / "lock") is None
        lock.close()
        again = lock_file(tmp_path / "lock")
        assert again is not None, "a child must not inherit the lock"
        again.close()
    finally:
        process.kill()
        process.wait()


def test_machine_says_what_is_here() -> None:
    found = machine()
    assert found["cores"] >= 1
    assert found["memory_mb"] > 500
    assert (found["gpu"] is None) == (found["gpu_memory_mb"] is None)
    assert memory_mb() > 5


def test_the_most_memory_of_a_process_is_its_own_and_not_that_of_whoever_started_it() -> None:
    """The kernel's own count goes on over the start of another program, which the worker is to an app that holds models."""
    held = b"\1" * 300_000_000
    code = "from playground.system import peak_memory_mb; print(peak_memory_mb())"
    found = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert len(held) and 5 < int(found.stdout) < 150
