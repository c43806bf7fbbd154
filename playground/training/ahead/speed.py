"""How fast this machine multiplies, measured once without torch, and whether its processor has fast 16-bit arithmetic.

Does not know models or runs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from playground.system import machine

SIDE, TIMES, ROUNDS = 64, 300, 12  # small matrices are multiplied by one core alone
REFERENCE = 0.00151 / 2  # seconds of TIMES products, shared by two cores, on the machine that the formulas were fitted on
SLOWEST, FASTEST = 20.0, 0.05
CPU_INFO = Path("/proc/cpuinfo")
WIDE = {"avx512f", "avx512bw", "avx512vl", "avx512dq"}  # what torch's products in 16 bits want


@dataclass(frozen=True)
class Machine:
    """Cores, memory in MB of 1024² bytes, and `pace`: how much longer the same work takes here than on the reference machine."""

    cores: int
    memory_mb: int
    gpu: str | None
    gpu_memory_mb: int | None
    pace: float
    half: bool


@cache
def here() -> Machine:
    """This machine; takes a fraction of a second the first time."""
    found: dict[str, Any] = machine()
    return Machine(found["cores"], found["memory_mb"], found["gpu"], found["gpu_memory_mb"], _pace(found["cores"]), has_half())


def has_half(info: Path = CPU_INFO) -> bool:
    """Whether products in 16 bits are fast; where nobody tells, they are taken to be slow."""
    try:
        flags = next(line for line in info.read_text().splitlines() if line.startswith("flags")).split()
    except (OSError, StopIteration):
        return False
    return set(flags) >= WIDE


def _pace(cores: int) -> float:
    """One core is measured, for several at once would wait for whoever else works on the machine; the best round counts."""
    import numpy

    chance = numpy.random.default_rng(0)
    left, right = (chance.standard_normal((SIDE, SIDE), dtype=numpy.float32) for _ in range(2))
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(TIMES):
            numpy.dot(left, right)
        best = min(best, time.perf_counter() - began)
    return min(SLOWEST, max(FASTEST, best / max(1, cores) / REFERENCE))
