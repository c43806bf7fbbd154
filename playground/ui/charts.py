"""A run's points into lines for the page, and into the sentence that explains them. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.ui.curve import Line, draw
from playground.ui.formatting import Say

MAX_POINTS = 400  # a line; Gradio sends the whole table at each update
SMOOTHING = 0.85  # most weight that the past has in the exponential moving average; less while there are few points, or it would lag
WINDOW = 8
FLAT = 0.02  # share of the loss under which a change over the last fifth counts as none


def smooth(values: Sequence[float]) -> list[float]:
    """Exponential moving average, corrected for its start (as Adam does; Kingma & Ba, 2015, section 3)."""
    weight = min(SMOOTHING, max(0.0, 1 - WINDOW / max(1, len(values))))
    result, average = [], 0.0
    for count, value in enumerate(values, 1):
        average = weight * average + (1 - weight) * value
        result.append(average / (1 - weight**count))
    return result


def thin(points: Sequence[tuple[float, float]], limit: int = MAX_POINTS) -> list[tuple[float, float]]:
    """At most `limit` of the points, evenly spread, the first and the last among them."""
    if len(points) <= limit:
        return list(points)
    stride = (len(points) - 1) / (limit - 1)
    return [points[round(i * stride)] for i in range(limit)]


def series(metrics: Sequence[dict[str, Any]], key: str) -> list[tuple[int, float]]:
    """(step, value) of the points that hold the key."""
    return [(m["step"], m[key]) for m in metrics if m.get(key) is not None]


def lines(metrics: Sequence[dict[str, Any]], say: Say) -> list[Line]:
    """Training loss of each step (faint), smoothed, and validation loss (strong)."""
    raw = series(metrics, "loss")
    smoothed = list(zip([s for s, _ in raw], smooth([v for _, v in raw]), strict=True))
    return [
        Line(say("train.line_raw"), thin(raw), "raw", end=False),
        Line(say("train.line_smooth"), thin(smoothed), "train"),
        Line(say("train.line_eval"), thin(series(metrics, "eval_loss")), "eval"),
    ]


def best(metrics: Sequence[dict[str, Any]]) -> tuple[int, float] | None:
    """(step, validation loss) of the best check; None before there are two."""
    checks = series(metrics, "eval_loss")
    return min(checks, key=lambda check: check[1]) if len(checks) > 1 else None


def draw_run(metrics: Sequence[dict[str, Any]], max_steps: int | None, say: Say) -> str:
    """The chart of one run as HTML; empty before the first point."""
    mark = best(metrics)
    return draw(
        lines(metrics, say),
        x_title=say("train.step"),
        y_title=say("train.chart"),
        mark=mark,
        mark_name=say("train.best", step=mark[0], loss=mark[1]) if mark else "",
        x_max=max_steps,
        written=lambda kind, value: say(f"number.{kind}", n=value),
    )


def explain(metrics: Sequence[dict[str, Any]], say: Say, *, finished: bool = False) -> str:
    """One sentence on what the curve says so far."""
    losses = [value for _, value in series(metrics, "loss")]
    checks = series(metrics, "eval_loss")
    if len(losses) < 3:
        return say("told.first")
    smoothed = smooth(losses)
    lowest = best(metrics)
    if lowest and len(checks) >= 3 and checks[-1][1] > lowest[1] * (1 + FLAT):
        return say("told.rising", step=lowest[0], best=lowest[1], last=checks[-1][1])
    if finished:
        return say("told.final", first=losses[0], last=smoothed[-1])
    earlier = smoothed[-max(10, len(smoothed) // 5) :][0]
    if len(losses) >= 20 and earlier - smoothed[-1] < FLAT * earlier:
        return say("told.flat", last=smoothed[-1])
    return say("told.falling", first=losses[0], last=smoothed[-1])
