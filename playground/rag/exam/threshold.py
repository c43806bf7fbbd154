"""How sure the evidence must be before it is given as an answer: told from questions that the documents answer and some they do not.

Refusing is what is to be got right: of a threshold, precision is the share of refused questions that have no answer, recall the share of
those without an answer that are refused, F1 their harmonic mean. Pure functions over confidences; knows no collections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from playground.intervals import CONFIDENCE

Row = Mapping[str, Any]
LEAST = 5  # questions of each kind, below which a threshold would be chance
DRAWS = 500
DIGITS = 5  # of a threshold: confidences have four, and it stands in the middle between two of them
GRID = np.linspace(0, 1, 101)
SMOOTHEST, ROUGHEST = 0.15, 0.02  # widths that a curve's kernel stays between


@dataclass(frozen=True)
class Proposal:
    """The threshold with the best F1 of refusal. `f1` is of the questions it was chosen on; `held_f1` with its interval of questions
    that were left out while choosing, again and again; `low` and `high` are the threshold's own interval."""

    threshold: float
    low: float
    high: float
    f1: float
    precision: float
    recall: float
    held_f1: float
    held_low: float
    held_high: float
    answerable: int
    unanswerable: int


def told_apart(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Confidences (0 to 1) of the answerable questions, and of the others."""
    asked = [row for row in rows if not row["error"]]
    return tuple(np.array([r["confidence"] for r in asked if r["answerable"] is kind], dtype=np.float64) for kind in (True, False))  # type: ignore[return-value]


def score(answerable: np.ndarray, unanswerable: np.ndarray, threshold: float) -> tuple[float, float, float]:
    """(precision, recall, F1) of refusing what lies below a threshold; 0 where nothing can be divided."""
    rightly, wrongly = int((unanswerable < threshold).sum()), int((answerable < threshold).sum())
    refused, without = rightly + wrongly, len(unanswerable)
    precision, recall = (rightly / refused if refused else 0.0), (rightly / without if without else 0.0)
    return precision, recall, 2 * rightly / (refused + without) if refused + without else 0.0


def best(answerable: np.ndarray, unanswerable: np.ndarray) -> float:
    """The threshold with the most F1. Between two confidences it makes no difference, so it stands in the middle; of equals, the lowest,
    since a wrong refusal helps nobody."""
    known = np.unique(np.concatenate([answerable, unanswerable]))
    if not len(known):
        return 0.0
    tried = np.concatenate([[known[0] / 2], (known[1:] + known[:-1]) / 2, [(known[-1] + 1) / 2]])
    rightly = np.searchsorted(np.sort(unanswerable), tried)
    wrongly = np.searchsorted(np.sort(answerable), tried)
    below = rightly + wrongly + len(unanswerable)
    f1 = np.divide(2 * rightly, below, out=np.zeros(len(tried)), where=below > 0)
    return float(tried[int(np.argmax(f1))])


def propose(rows: Sequence[Row], seed: int = 1) -> Proposal | None:
    """The best threshold for these questions; None where there are too few of a kind to tell."""
    answerable, unanswerable = told_apart(rows)
    if min(len(answerable), len(unanswerable)) < LEAST:
        return None
    threshold = round(best(answerable, unanswerable), DIGITS)
    precision, recall, f1 = score(answerable, unanswerable, threshold)
    random = np.random.default_rng(seed)
    found, held = [], []
    for _ in range(DRAWS):
        drawn = [random.integers(0, len(kind), len(kind)) for kind in (answerable, unanswerable)]
        chosen = best(answerable[drawn[0]], unanswerable[drawn[1]])
        out = [np.delete(kind, np.unique(picked)) for kind, picked in zip((answerable, unanswerable), drawn, strict=True)]
        found.append(chosen)
        if len(out[0]) and len(out[1]):
            held.append(score(out[0], out[1], chosen)[2])
    ends = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    low, high = np.quantile(found, ends)
    held_low, held_high = np.quantile(held, ends) if held else (f1, f1)
    return Proposal(
        threshold=threshold,
        low=round(float(low), DIGITS),
        high=round(float(high), DIGITS),
        f1=round(f1, 4),
        precision=round(precision, 4),
        recall=round(recall, 4),
        held_f1=round(float(np.mean(held)) if held else f1, 4),
        held_low=round(float(held_low), 4),
        held_high=round(float(held_high), 4),
        answerable=len(answerable),
        unanswerable=len(unanswerable),
    )


def curves(rows: Sequence[Row]) -> dict[str, list[tuple[float, float]]]:
    """Both kinds' confidences as curves: {answerable, unanswerable: [(confidence, share of this kind's questions for each 0.05 of it)]}.

    Gaussian kernels of Silverman's width ("Density Estimation for Statistics and Data Analysis", 1986, eq. 3.31). A kind without a
    question has no curve.
    """
    told = {}
    for name, values in zip(("answerable", "unanswerable"), told_apart(rows), strict=True):
        if len(values):
            spread = min(values.std(), np.subtract(*np.quantile(values, [0.75, 0.25])) / 1.34) or values.std()
            width = float(np.clip(0.9 * spread * len(values) ** -0.2, ROUGHEST, SMOOTHEST))
            density = np.exp(-(((GRID[:, None] - values) / width) ** 2) / 2).sum(axis=1) / (len(values) * width * np.sqrt(2 * np.pi))
            told[name] = [(round(float(x), 2), round(float(y) * 0.05, 5)) for x, y in zip(GRID, density, strict=True)]
    return told
