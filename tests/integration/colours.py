"""Runs that learn which number has which colour: small enough for every test of training, and long enough to be broken off."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from playground.messages import Conversation, conversation
from playground.system import ProcessId
from playground.training import record
from playground.training.runs import Runs
from playground.workspace import Workspace

COLOURS = ["red", "green", "blue"]
SECONDS = 90  # generous, since many tests may share the processor


def examples(rows: int) -> list[Conversation]:
    return [conversation(f"Number {index} is painted. Which colour? " + "so " * (index % 7), COLOURS[index % 3]) for index in range(rows)]


def begin(
    runs: Runs, model: Path, rows: int, validation: int = 12, instruction: str = "", start_from: str | None = None, **settings: Any
) -> str:
    """Put a run in line; gives its id."""
    said = {"instruction": instruction, "system": "", "task": "chat", "labels": [], "shots": (), "slots": ()}
    splits = SimpleNamespace(train=examples(rows), validation=examples(12), test=[], **said)
    chosen = {"model": f"local:{model}", **settings}
    return runs.start("me", dataset_id="d", dataset_name="colours", splits=splits, settings=chosen, start_from=start_from)


def start(runs: Runs, model: Path, **settings: Any) -> str:
    """A run with chance in it (dropout), so that two of them are alike only where all random numbers are."""
    return begin(runs, model, 90, **{"method": "lora", "learning_rate": 5e-3, "lora_r": 8, "lora_dropout": 0.1, **settings})


def learn_here(runs: Runs, workspace: Workspace, put_in_line: Callable[[], str]) -> str:
    """Train what is put in line by a worker's own `main`, in this process: it has the libraries already, whose loading takes longest.

    For runs of which it only matters how they end. Its record names a process that has ended, as a worker's would, and not this one, which
    whoever resumes or clears up would kill. Gives the run's id.
    """
    from playground.training.worker import main

    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    gone = ProcessId.of(other.pid)
    other.communicate()
    before = signal.getsignal(signal.SIGTERM)
    with runs._line.lock, patch.object(ProcessId, "of_self", lambda: gone):  # so that no worker is started for it
        run_id = put_in_line()
        try:
            assert main(workspace.find("runs", run_id, "me")) == 0
        finally:
            signal.signal(signal.SIGTERM, before)
    assert record.process_id(workspace.find("runs", run_id, "me")) in (gone, None)
    return run_id


def wait_for(check: Callable[[], Any], seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def finish(runs: Runs, run_id: str) -> Any:
    """Wait for a run's good end; gives the run."""
    wait_for(lambda: runs.get("me", run_id).finished, 2 * SECONDS)
    run = runs.get("me", run_id)
    assert run.state == "done", (run.error, run.log_tail)
    return run
