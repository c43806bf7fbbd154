"""A run's points into charts for the page. Pure functions; `explain` puts the same points into words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.ui.curve import Line, draw
from playground.ui.formatting import Say

MAX_POINTS = 400  # a line; Gradio sends the whole table at each update
SMOOTHING = 0.85  # most weight that the past has in the exponential moving average; less while there are few points, or it would lag
WINDOW = 8
SCIENTIFIC = 1e-4  # Python writes smaller numbers with an exponent, which is no plain language
CARD = "memory_reserved_mb"  # drawn in place of the process's memory where a card holds what matters
VIEWS = {"loss": "loss", "speed": "tokens_per_second", "gradient": "grad_norm", "memory": "memory_mb"}  # view -> what it draws


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
    """(step, validation loss) of the best check after step 0, which is what a run keeps; None before there are two."""
    checks = [check for check in series(metrics, "eval_loss") if check[0]]
    return min(checks, key=lambda check: check[1]) if len(checks) > 1 else None


def draw_run(metrics: Sequence[dict[str, Any]], max_steps: int | None, say: Say, view: str = "loss") -> str:
    """The chart of one run as HTML, its losses or another of `VIEWS`; empty before the first point."""
    if view == "memory" and series(metrics, CARD):
        return _draw_one(metrics, max_steps, say, "gpu_memory", CARD)
    if view != "loss" and view in VIEWS:
        return _draw_one(metrics, max_steps, say, view, VIEWS[view])
    mark = best(metrics)
    return draw(
        lines(metrics, say),
        x_title=say("train.step"),
        y_title=say("train.chart"),
        mark=mark,
        mark_name=_best_named(metrics, mark, say) if mark else "",
        x_max=max_steps,
        written=lambda kind, value: say(f"number.{kind}", n=value),
    )


def _best_named(metrics: Sequence[dict[str, Any]], mark: tuple[int, float], say: Say) -> str:
    """The marked check in words, which call it best only as far as it is."""
    start = next((value for step, value in series(metrics, "eval_loss") if not step), None)
    if start is not None and start < mark[1]:
        return say("train.best_yet_worse", step=mark[0], loss=mark[1], start=start)
    return say("train.best", step=mark[0], loss=mark[1])


def draw_rate(metrics: Sequence[dict[str, Any]], max_steps: int | None, say: Say) -> str:
    """The small chart of the learning rate as HTML; empty before the first point."""
    return _draw_one(metrics, max_steps, say, "rate", "learning_rate", small=True)


def _draw_one(metrics: Sequence[dict[str, Any]], max_steps: int | None, say: Say, view: str, key: str, small: bool = False) -> str:
    kind = {"speed": "whole", "memory": "whole", "gpu_memory": "whole", "gradient": "short"}.get(view, "small")
    whole = kind == "whole"
    line = view.removeprefix("gpu_")  # as the page's style calls it

    def written(wanted: str, value: float) -> str:
        end = "tiny" if kind == "small" and value < SCIENTIFIC else kind
        return say(f"number.{wanted if wanted in ('whole', 'tick') else end}", n=value)

    return draw(
        [Line(say(f"train.line_{view}"), thin([(step, round(value) if whole else value) for step, value in series(metrics, key)]), line)],
        x_title=say("train.step"),
        y_title=say(f"train.chart_{view}"),
        x_max=max_steps,
        written=written,
        kind="small" if small else "",
        from_zero=True,
    )
