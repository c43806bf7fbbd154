"""How a process that trains is called, what surroundings it is given, how it holds its run folder, and how it is ended.

Knows no run and no line of runs.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from playground.settings import PLACE
from playground.system import ProcessId, lock_file

WORKER = (sys.executable, "-m", "playground.training.worker")
# Everything is said here, for what is not may come from a file of the host's own; where there is no card, the processes see it themselves.
LAUNCHER = (
    sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--gpu_ids", "all", "--num_machines", "1",
    "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
)  # fmt: skip
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN")


def command(worker: Sequence[str], folder: Path, processes: int = 1) -> tuple[str, ...]:
    """What starts the training of a run; several processes are started by Accelerate, and by port 0 it takes one that is free."""
    if processes == 1:
        return (*worker, str(folder))
    return (*LAUNCHER, "--num_processes", str(processes), *worker[1:], str(folder))  # it brings its own interpreter


def claim(folder: Path) -> Any:
    """For the worker: hold its run folder, so that no second worker can work on it. None when another one holds it."""
    return lock_file(folder / "worker.lock")


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End a worker that this process started, and its children, at once, also those that have a group of their own."""
    with contextlib.suppress(psutil.Error):
        ProcessId.of(child.pid).kill()
    try:
        if os.name == "posix":
            os.killpg(child.pid, 9)  # the worker leads its own group, and has not been reaped, so the number is still its own
        else:
            child.kill()
    except ProcessLookupError:
        pass


def environment(*, offline: bool, token: str | None = None) -> dict[str, str]:
    """The worker's environment: nothing that reaches the network or a log where the model lies on this machine.

    A person's own token takes the place of the host's. It travels here and nowhere else: arguments are for everybody to see.
    """
    environ = {**os.environ, "PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1"}
    environ |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONFAULTHANDLER": "1"}
    # glibc: keep what each step needs, and give back what only a large one did; a heap of its own for each thread would keep it many times
    environ |= {"MALLOC_MMAP_THRESHOLD_": str(4 * 1024**2), "MALLOC_TRIM_THRESHOLD_": str(16 * 1024**2), "MALLOC_ARENA_MAX": "1"}
    # Nothing is compiled here, but bitsandbytes asks for it as it is imported, and torch's compiler takes 40 MB and a second to come.
    environ |= {"TORCHDYNAMO_DISABLE": "1"}
    # Kernels are compiled for each new number of tokens, which few batches share, and the usual 1024 of them would take a gigabyte.
    environ |= {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64", "LRU_CACHE_CAPACITY": "64"}
    # Threads that wait turn over a thousand times before they sleep: waking them costs more than the small sums between two meetings.
    environ.pop("OMP_WAIT_POLICY", None)
    environ.setdefault("GOMP_SPINCOUNT", "1000")
    environ.pop("PLAYGROUND_SERVER_KEY", None)  # a worker asks no server
    for name in PLACE:  # the host's own are not meant for the worker, who would wait for others
        environ.pop(name, None)
    if offline:
        environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    if offline or token:
        for secret in SECRETS:
            environ.pop(secret, None)
    if token:
        environ |= {"HF_TOKEN": token, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "0"}
    return environ
