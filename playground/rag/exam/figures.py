"""Figures of a whole list with how sure each is, and two lists' figures side by side.

Every figure is a sum over questions divided by another one, which is what `playground.intervals` draws from: shares get Wilson's
interval, the others a bootstrap over questions (Wilson's where all questions have the same value, from which drawing learns nothing), and
differences a bootstrap that draws the same questions for both.
Does not know how a row came about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from playground.intervals import bootstrap, paired, ratio, wilson

Row = Mapping[str, Any]
Parts = tuple[float, float]  # what a question adds above and below the line
NOTHING: Parts = (0.0, 0.0)
# Questions that a setting must have changed before its difference can be more than chance: were chance alone at work, five would all
# change to the same side once in sixteen times, six once in thirty-two (the sign test).
LEAST_CHANGED = 6


@dataclass(frozen=True)
class Measure:
    """A figure: what each question adds to it, whether it is a share (yes or no for each question that counts)."""

    name: str
    parts: Callable[[Row], Parts]
    share: bool = True


def _mean(key: str) -> Callable[[Row], Parts]:
    return lambda row: NOTHING if row.get(key) is None else (float(row[key]), 1.0)


def _within(most: int) -> Callable[[Row], Parts]:
    """The passage is among the first `most`."""
    return lambda row: (float(row["rank"] is not None and row["rank"] <= most), 1.0) if row["ranked"] else NOTHING


def _reciprocal(row: Row) -> Parts:
    return (1 / row["rank"] if row["rank"] else 0.0, 1.0) if row["ranked"] else NOTHING


def _refused_rightly(row: Row) -> float:
    return float(row["refused"] and not row["answerable"])


MEASURES = (
    Measure("right", _mean("right")),
    Measure("recall_1", _within(1)),
    Measure("recall_5", _within(5)),
    Measure("recall_10", _within(10)),
    Measure("mrr_10", _reciprocal, share=False),
    Measure("exact_match", _mean("exact")),
    Measure("token_f1", _mean("f1"), share=False),
    Measure("model_exact_match", _mean("said_exact")),
    Measure("model_token_f1", _mean("said_f1"), share=False),
    Measure("citation_page", _mean("page_right")),
    Measure("refusal_precision", lambda row: (_refused_rightly(row), 1.0) if row["refused"] else NOTHING),
    Measure("refusal_recall", lambda row: NOTHING if row["answerable"] else (_refused_rightly(row), 1.0)),
    # 2 tp / (refused + to be refused) is the harmonic mean of the two above
    Measure("refusal_f1", lambda row: (2 * _refused_rightly(row), float(row["refused"]) + (not row["answerable"])), share=False),
)


def figures(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """{name: {value, n, low, high}} of `MEASURES`, 0 to 1, with 95 % intervals. A figure without a question is left out.

    `n` is how many questions count; of refusal_f1, those that were refused or should have been.
    """
    told = {}
    for measure in MEASURES:
        parts = _parts(measure, rows)
        value = ratio(parts)
        if value is None:
            continue
        n = int((parts[:, 1] > 0).sum())
        low, high = wilson(round(float(parts[:, 0].sum())), n) if measure.share else _drawn(parts, value, n)
        told[measure.name] = {"value": round(value, 4), "n": n, "low": round(low, 4), "high": round(high, 4)}
    return told


def compared(before: Sequence[Row], after: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """{name: {before, after, difference, low, high, n, changed}} of two results for the same questions, in the same order.

    Questions that only one of the two has are left out, so that nothing but the setting differs. `changed` is how many of the n have
    another value now; where they are fewer than `LEAST_CHANGED`, the interval is too narrow.
    """
    one, other = matched(before, after)
    told = {}
    for measure in MEASURES:
        old, new = _parts(measure, one), _parts(measure, other)
        values = ratio(old), ratio(new)
        if values[0] is None or values[1] is None:
            continue
        ends = paired(old, new)
        low, high = ends or (0.0, 0.0)
        told[measure.name] = {
            "before": round(values[0], 4),
            "after": round(values[1], 4),
            "difference": round(values[1] - values[0], 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "n": int(((old[:, 1] > 0) | (new[:, 1] > 0)).sum()),
            "changed": int((old != new).any(axis=1).sum()),
        }
    return told


def matched(before: Sequence[Row], after: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows of both that ask the same and expect the same, in the order of the first; what comes twice is paired in its order."""
    waiting: dict[tuple[Any, ...], list[Row]] = {}
    for row in after:
        waiting.setdefault(_asked(row), []).append(row)
    pairs = [(row, waiting[key].pop(0)) for row in before if waiting.get(key := _asked(row))]
    pairs = [(one, other) for one, other in pairs if not one["error"] and not other["error"]]
    return [one for one, _ in pairs], [other for _, other in pairs]


def _drawn(parts: np.ndarray, value: float, n: int) -> tuple[float, float]:
    """The interval of a figure that is no share; `value` is the figure, `n` the questions that count."""
    low, high = bootstrap(parts) or (value, value)
    return (low, high) if high - low > 1e-9 else wilson(round(value * n, 9), n)


def _asked(row: Row) -> tuple[Any, ...]:
    return row["question"], tuple(row["expected"]), row["document"], row["page"]


def _parts(measure: Measure, rows: Sequence[Row]) -> np.ndarray:
    return np.array([measure.parts(row) for row in rows if not row["error"]], dtype=np.float64).reshape(-1, 2)
