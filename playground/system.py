"""What differs between operating systems: processes that outlive their parent, and a lock on a folder.

Tested on Linux; macOS and Windows take the branches below on paper. Knows nothing of runs or datasets.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import psutil

from playground.settings import visible_cards

START_TIME_TOLERANCE = 0.05  # seconds; where it is derived from the boot clock, it can drift by a hair
FORK_LOOKS, FORK_SECONDS = 3, 0.01  # of a lock that seems to be held
PR_SET_PDEATHSIG = 1  # prctl(2)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
OWN_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same number.

    `started` is in seconds on a clock that nobody can set: since the machine's start on Linux, where `boot` tells which start that was;
    elsewhere since 1970.
    """

    pid: int
    started: float
    boot: str = ""

    @classmethod
    def of_self(cls) -> ProcessId:
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """The process that has this number now.

        Raises:
            psutil.Error: there is none.
        """
        return cls(pid, _started(psutil.Process(pid)), _boot())

    def process(self) -> psutil.Process | None:
        """The running process, or None when it has ended, is a zombie, or the number now belongs to another program."""
        try:
            process = psutil.Process(self.pid)
            same = abs(_started(process) - self.started) <= START_TIME_TOLERANCE and self.boot in ("", _boot())
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    @property
    def alive(self) -> bool:
        return self.process() is not None

    def work(self) -> float | None:
        """Seconds of processor time that the process and its children have used; None when it is gone."""
        process = self.process()
        try:
            every = (process, *process.children(recursive=True)) if process is not None else ()
            used = [one.cpu_times() for one in every]
        except psutil.Error:
            return None
        return sum(one.user + one.system for one in used) if used else None

    def kill(self) -> None:
        """End the process and its children at once; nothing happens when it is gone already."""
        process = self.process()
        if process is None:
            return
        with contextlib.suppress(psutil.Error):
            process.suspend()  # so that it starts no more of them while they are counted
        for one in (*process.children(recursive=True), process):
            try:
                one.kill()
            except psutil.Error:
                continue


def _started(process: psutil.Process) -> float:
    """psutil's own figure moves when somebody sets the machine's clock, and then no process would be itself any more."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")  # proc_pid_stat(5): field 22, counted from 1
    except (OSError, IndexError, ValueError, AttributeError):
        return process.create_time()


@cache
def _boot() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def start_detached(
    command: Sequence[str], log: Path, *, cwd: Path, environ: dict[str, str], niceness: int = 10, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a process that goes on when its parent ends: own process group, own log, no inherited file but the log.

    `niceness` lets the interface stay quick while the worker takes what is left of the processor.
    """
    with log.open("ab") as output:
        options: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {"creationflags": 0x00000208}
        process = subprocess.Popen(command, stdin=stdin, stdout=output, stderr=output, cwd=cwd, env=environ, **options)
    try:
        child = psutil.Process(process.pid)
        child.nice(niceness if os.name == "posix" else psutil.BELOW_NORMAL_PRIORITY_CLASS)
    except psutil.Error:
        pass  # it ended already, which its owner will notice, or a host forbids it, which only costs smoothness
    return process


def end_with_parent() -> None:
    """From now on this process ends at once when the one that started it has ended, however that came about."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended just before
            os._exit(1)
        return

    def watch() -> None:
        while psutil.pid_exists(parent) and os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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


def held(path: Path) -> bool:
    """Whether some process holds this lock now."""
    for _ in range(FORK_LOOKS):
        if not path.exists():
            return False
        try:
            mine = lock_file(path)
        except OSError:
            return False
        if mine is not None:
            mine.close()
            return False
        time.sleep(FORK_SECONDS)  # a child of ours that is just being forked shares, for an instant, a lock that we have let go
    return True


def moment() -> dict[str, Any]:
    """Now, as other processes of this machine can read it, on a clock that nobody can set; for `elapsed`."""
    return {"boot": _boot(), "at": round(time.monotonic(), 3)}


def elapsed(since: Any) -> float | None:
    """Seconds since a `moment`, also of another process; None where it was not on this start of the machine."""
    if not isinstance(since, dict) or since.get("boot") != _boot() or not isinstance(since.get("at"), (int, float)):
        return None
    passed = time.monotonic() - since["at"]
    return passed if passed >= 0 else None


def memory_mb(process: psutil.Process | None = None) -> int:
    """Resident memory of a process (this one by default), in MB of 1024² bytes."""
    return int((process or psutil.Process()).memory_info().rss // 1024**2)


def peak_memory_mb() -> int | None:
    """The most resident memory that this process ever had, in MB of 1024² bytes; None where the system does not tell."""
    try:
        # On Linux `ru_maxrss` begins with what the program had that started this one.
        return int(OWN_STATUS.read_text().split("VmHWM:")[1].split()[0]) // 1024
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most // 1024**2 if sys.platform == "darwin" else most // 1024)


def machine() -> dict[str, int | str | None]:
    """What this machine offers: `cores`, `memory_mb`, `gpu` (the first one's name, or None), its `gpu_memory_mb`, and how many `gpus`.

    Read from the driver's own tool, not from torch, which takes seconds to import.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cards = _nvidia()
    chosen = gpus(len(cards))
    first = cards[int(chosen[0]) if chosen[0].isdigit() else 0] if chosen else (None, None)
    memory = psutil.virtual_memory().total // 1024**2
    return {"cores": cores, "memory_mb": memory, "gpu": first[0], "gpu_memory_mb": first[1], "gpus": len(chosen)}


def gpus(count: int | None = None) -> list[str]:
    """The cards that may be used, by the names that CUDA_VISIBLE_DEVICES gives them; all of them where it is not set.

    Args:
        count: how many there are, where that is known.
    """
    count = len(_nvidia()) if count is None else count
    wanted = visible_cards()
    if wanted is None or not count:
        return [str(number) for number in range(count)]
    found: list[str] = []
    for name in (one.strip() for one in wanted.split(",")):
        if not (name.isdigit() and int(name) < count) and not name.startswith(("GPU-", "MIG-")):
            break  # as CUDA reads it: what follows a name that it does not know does not count
        if name not in found:
            found.append(name)
    return found


def _nvidia() -> list[tuple[str, int]]:
    """(name, memory in MB) of every card, in the order of the driver's own tool."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(query, capture_output=True, text=True, timeout=5, check=True).stdout
        parted = [line.rsplit(",", 1) for line in output.splitlines() if line.strip()]
        return [(name.strip(), int(memory)) for name, memory in parted]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
