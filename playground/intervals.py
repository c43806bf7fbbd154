"""How sure a figure is: intervals of shares and means, and of what two results of the same questions differ by. Pure functions.

Knows numbers only; which questions they come from, and what they are called, others know.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95
DRAWS = 2_000  # of the bootstrap; the ends of an interval move by less than its hundredth from one seed to another


def wilson(votes: float, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The score interval of a share: all shares that the votes do not speak against. Stays within 0 and 1, and is right for few votes too.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American Statistical
    Association 22 (1927), 209-212. Without a vote, every share is possible. For a mean of values from 0 to 1 (`votes` is their sum) it is
    rather too wide: no such values scatter more than yes and no.
    """
    if of == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = votes / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    reach = z / (1 + z * z / of) * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    # at the ends the interval touches 0 or 1 exactly, which rounding would miss
    return (0.0 if votes == 0 else max(0.0, middle - reach)), (1.0 if votes == of else min(1.0, middle + reach))


def ratio(parts: np.ndarray) -> float | None:
    """Sum over sum of `parts` (questions, 2); None where there is nothing to divide by. A mean is the ratio with ones below."""
    above, below = parts.sum(axis=0)
    return float(above / below) if below else None


def bootstrap(parts: np.ndarray, confidence: float = CONFIDENCE, seed: int = 1) -> tuple[float, float] | None:
    """The percentile interval of `ratio`, by drawing whole questions with replacement (Efron, "Bootstrap methods", 1979)."""
    return _interval(_ratios(parts, drawn(len(parts), seed)), confidence)


def paired(before: np.ndarray, after: np.ndarray, confidence: float = CONFIDENCE, seed: int = 1) -> tuple[float, float] | None:
    """The interval of ratio(after) - ratio(before), both (questions, 2) of the same questions in the same order.

    Each draw takes the same questions of both, so that what makes a question hard for both does not blur the difference.
    """
    draws = drawn(len(before), seed)
    return _interval(_ratios(after, draws) - _ratios(before, draws), confidence)


def drawn(questions: int, seed: int = 1, draws: int = DRAWS) -> np.ndarray:
    """How often each question is drawn: (draws, questions), each row summing to the number of questions."""
    if not questions:
        return np.zeros((draws, 0))
    return np.random.default_rng(seed).multinomial(questions, np.full(questions, 1 / questions), size=draws).astype(np.float64)


def _ratios(parts: np.ndarray, draws: np.ndarray) -> np.ndarray:
    above, below = (draws @ parts).T if len(parts) else np.zeros((2, len(draws)))
    return np.divide(above, below, out=np.full(len(draws), np.nan), where=below != 0)


def _interval(values: np.ndarray, confidence: float) -> tuple[float, float] | None:
    values = values[np.isfinite(values)]  # a draw without any question that counts tells nothing
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
