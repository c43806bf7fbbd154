"""Warmup, stable, decay (WSD): a learning-rate schedule whose length is decided late.

Hu et al. 2024, "MiniCPM" (arXiv 2404.06395): the rate stays constant until the end is called, then falls over the last part.
"""

from __future__ import annotations

from typing import NamedTuple


class Ramp(NamedTuple):
    """A linear fall to nothing: from which step, from which share of the peak rate, over how many steps."""

    start: int
    level: float
    steps: int

    @property
    def end(self) -> int:
        """The step after the last one."""
        return self.start + self.steps


def factor(step: int, warmup: int, ramp: Ramp | None = None) -> float:
    """The share of the peak rate at a step: 0 to 1 over ``warmup`` steps, then 1, and along the ramp once the decay has begun."""
    if ramp is not None and step >= ramp.start:
        return max(0.0, ramp.level * (1.0 - (step - ramp.start + 1) / max(1, ramp.steps)))
    return min(1.0, (step + 1) / max(1, warmup))


def replanned(ramp: Ramp, step: int, warmup: int, last: int, affordable: int) -> Ramp:
    """The ramp from here on, without a jump: it ends after ``affordable`` steps, but never later than before step ``last``."""
    remaining = max(1, min(last - step, affordable))
    # Small changes are not worth a bend.
    if abs(remaining - (ramp.end - step)) <= 0.05 * remaining:
        return ramp
    return Ramp(step, factor(step - 1, warmup, ramp), remaining)


def decay_length(steps_done: int, share: float) -> int:
    """Steps of decay such that they are ``share`` of the whole run that ends with them."""
    return max(1, round(steps_done * share / (1.0 - share)))
