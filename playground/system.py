"""What differs between operating systems: processes that outlive their parent, and a lock on a folder.

Tested on Linux; macOS and Windows take the branches below on paper. Knows nothing of runs or datasets.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

START_TIME_TOLERANCE = 0.05  # seconds; psutil derives the start from the boot clock, which can drift by a hair


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same number: pid and start time (seconds since 1970)."""

    pid: int
    started: float

    @classmethod
    def of_self(cls) -> ProcessId:
        return cls(os.getpid(), psutil.Process().create_time())

    def process(self) -> psutil.Process | None:
        """The running process, or None when it has ended, is a zombie, or the number now belongs to another program."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) <= START_TIME_TOLERANCE
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    @property
    def alive(self) -> bool:
        return self.process() is not None

    def kill(self) -> None:
        """End the process and its children at once; nothing happens when it is gone already."""
        process = self.process()
        if process is None:
            return
        for one in (*process.children(recursive=True), process):
            try:
                one.kill()
            except psutil.Error:
                continue


def start_detached(command: Sequence[str], log: Path, *, cwd: Path, environ: dict[str, str], niceness: int = 10) -> subprocess.Popen[bytes]:
    """Start a process that goes on when its parent ends: own process group, own log, no inherited file but the log.

    `niceness` lets the interface stay quick while the worker takes what is left of the processor.
    """
    with log.open("ab") as output:
        options: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {"creationflags": 0x00000208}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd, env=environ, **options)
    try:
        child = psutil.Process(process.pid)
        child.nice(niceness if os.name == "posix" else psutil.BELOW_NORMAL_PRIORITY_CLASS)
    except psutil.Error:
        pass  # it ended already, which its owner will notice, or a host forbids it, which only costs smoothness
    return process


def lock_file(path: Path) -> IO[bytes] | None:
    """Hold `path` for this process alone until the returned file is closed; None when another process holds it.

    The lock belongs to an open file that children do not inherit, so a worker never keeps a dead app's lock.
    """
    file = path.open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def memory_mb(process: psutil.Process | None = None) -> int:
    """Resident memory of a process (this one by default), in MB of 1024² bytes."""
    return int((process or psutil.Process()).memory_info().rss // 1024**2)


def machine() -> dict[str, int | str | None]:
    """What this machine offers: `cores`, `memory_mb`, `gpu` (name or None) and `gpu_memory_mb`.

    Read from the driver's own tool, not from torch, which takes seconds to import.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    gpu, gpu_memory = _nvidia()
    return {"cores": cores, "memory_mb": psutil.virtual_memory().total // 1024**2, "gpu": gpu, "gpu_memory_mb": gpu_memory}


def _nvidia() -> tuple[str | None, int | None]:
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(query, capture_output=True, text=True, timeout=5, check=True).stdout
        name, memory = output.splitlines()[0].rsplit(",", 1)
        return name.strip(), int(memory)
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return None, None
