"""How many cores training may use now, so that it goes on while somebody else works on the machine.

A parallel sum waits for its slowest thread at each of thousands of meeting points per step. When another program holds one of the cores,
a worker with a thread on every core spends nearly all its time in waiting (seen: fifty times slower on two cores), while one with fewer
threads loses only the core that is gone. Knows nothing of runs or torch.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import psutil

EVERY = 2.0  # seconds between two looks
TOLERATED = 0.35  # of a core that others may take before a thread is given up


def fitting(cores: int, others: float) -> int:
    """Threads that fit beside programs which keep `others` cores busy; at least one."""
    return max(1, min(cores, int(cores - others + TOLERATED)))


class Cores:
    """Looks at the machine now and then and sets the number of threads when it has to change."""

    def __init__(self, cores: int, set_threads: Callable[[int], None]) -> None:
        self._cores, self._set, self.threads = cores, set_threads, cores
        self._before = self._now()

    def adapt(self) -> None:
        """To be called often; does nothing until the last look is `EVERY` seconds ago."""
        now = self._now()
        wall, busy, own = (after - before for after, before in zip(now, self._before, strict=True))
        if wall < EVERY:
            return
        self._before = now
        threads = fitting(self._cores, max(0.0, busy - own) / wall)
        if threads != self.threads:
            self.threads = threads
            self._set(threads)

    @staticmethod
    def _now() -> tuple[float, float, float]:
        """Seconds of the clock, of all busy cores, and of this process."""
        times = psutil.cpu_times()
        busy = sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        own = os.times()
        return time.monotonic(), busy, own.user + own.system
