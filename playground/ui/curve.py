"""Lines over steps, drawn as SVG and HTML by ourselves: `gr.LinePlot` fixes its set of lines at the first update and cannot label them.

Numbers and our own texts only; every text is escaped. Shapes stretch with the page, letters do not. Knows neither runs nor languages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]
Written = Callable[[str, float], str]  # ("whole" | "short" | "loss" | "tick", value) -> text
TICKS = 5
LEVEL = 0.001  # share of their size by which values differ that have no scale of their own
LABEL_GAP = 0.17  # share of the height that one label at a line's end takes
TIGHT_GAP = 0.4  # the same where the chart is small


@dataclass(frozen=True)
class Line:
    """One line: its name, its points by rising step, and its classes in style.css, which give colour, weight and dashes.

    `end` labels its end, with `short` where that is given, since there is little room; `listed` names it in the legend.
    """

    name: str
    points: Sequence[Point]
    kind: str
    end: bool = True
    short: str = ""
    listed: bool = True


def nice_ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """Round values that cover a range: multiples of 1, 2 or 5 times a power of ten (Heckbert, "Nice Numbers", Graphics Gems, 1990)."""
    span = max(high - low, max(abs(low), abs(high)) * 1e-6)
    span = span if span > 1e-12 else 1.0
    raw = span / max(1, count - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first = math.floor(low / step)
    last = max(first + 1, math.ceil(high / step))
    return [n * step for n in range(first, last + 1)]


def in_english(kind: str, value: float) -> str:
    return format(value, {"whole": ",", "short": ".2f", "loss": ".3f", "tick": ".6g"}[kind])


def draw(
    lines: Sequence[Line],
    *,
    x_title: str,
    y_title: str,
    mark: Point | None = None,
    mark_name: str = "",
    x_max: float | None = None,
    written: Written = in_english,
    kind: str = "",
    from_zero: bool = False,
) -> str:
    """The chart as HTML. `mark` is a point to be shown as best; `x_max` keeps the whole run's width from the first step on.

    `written` puts numbers as the reader's language has them; `kind` is a further class in style.css; `from_zero` begins the scale there,
    for what is an amount.
    """
    shown = [line for line in lines if any(math.isfinite(y) for _, y in line.points)]
    if not shown:
        return ""
    values = [y for line in shown for _, y in line.points if math.isfinite(y)]
    low, high = min(values), max(values)
    level = high - low < LEVEL * abs(high)  # one point, or several that hardly differ, say nothing on a scale of their own
    ys = nice_ticks(min(0.0, low) if from_zero or level or low < 0.4 * high else low, max(0.0, high) if level else high)
    right = max([x_max or 0, 1, *(x for line in shown for x, _ in line.points)])
    xs = [x for x in nice_ticks(0, right, 8) if x <= right and x == int(x)]

    def place(point: Point) -> Point:
        return point[0] / right * 100, (ys[-1] - point[1]) / (ys[-1] - ys[0]) * 100

    grid = "".join(f'<line x1="0" x2="100" y1="{y:.2f}" y2="{y:.2f}"/>' for _, y in (place((0, v)) for v in ys))
    paths = "".join(_path(line, [place(p) for p in line.points if math.isfinite(p[1])]) for line in shown)
    y_labels = "".join(f'<span style="top:{place((0, v))[1]:.2f}%">{written("tick", v)}</span>' for v in ys)
    x_labels = "".join(f'<span style="left:{place((v, 0))[0]:.2f}%">{written("whole", int(v))}</span>' for v in xs)
    dot = marked = ""
    if mark is not None:
        x, y = place(mark)
        dot = f'<i class="mark" style="left:{x:.2f}%;top:{y:.2f}%" title="{escape(mark_name)}"></i>'
        marked = f'<div class="marked"><i class="mark"></i>{escape(mark_name)}</div>'
    described = "; ".join(f"{line.name}: {written('loss', line.points[0][1])} → {written('loss', line.points[-1][1])}" for line in shown)
    key = _key if kind == "overlay" else lambda line: "<i></i>"
    legend = "".join(f'<span class="{escape(line.kind)}">{key(line)}{escape(line.name)}</span>' for line in shown if line.listed)
    classes = f"curve {kind}".strip()
    parts = (
        f'<figure class="{escape(classes)}" role="img" aria-label="{escape(y_title)}. {escape(described)}">',
        f"<figcaption>{escape(y_title)}</figcaption>",
        f'<div class="plot"><div class="ys" aria-hidden="true">{y_labels}</div><div class="area">',
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><g class="grid">{grid}</g>{paths}</svg>{dot}</div>',
        f'<div class="ends" aria-hidden="true">{_ends(shown, place, written, TIGHT_GAP if kind == "small" else LABEL_GAP)}</div></div>',
        f'<div class="xs" aria-hidden="true">{x_labels}</div><div class="xt">{escape(x_title)}</div>',
        f'<div class="legend" aria-hidden="true">{legend}</div>{marked}</figure>',
    )
    return "".join(parts)


def _path(line: Line, points: list[Point]) -> str:
    if len(points) == 1:  # one point has no length; a short dash shows it
        (x, y) = points[0]
        points = [(max(0.0, x - 0.4), y), (min(100.0, x + 0.4), y)]
    data = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return f'<polyline class="{escape(line.kind)}" points="{data}"/>'


def _key(line: Line) -> str:
    """A piece of the line beside its name in the legend: of many lines, colour alone does not tell one from the other."""
    return f'<svg class="key" viewBox="0 0 34 6"><path class="{escape(line.kind)}" d="M1 3H33"/></svg>'


def _ends(lines: Sequence[Line], place: Callable[[Point], Point], written: Written, gap: float = LABEL_GAP) -> str:
    """Labels beside the lines' last points, pushed apart where they would overlap, and back up where they would leave the chart."""
    ended = [line for line in lines if line.end]
    wanted = sorted(((place(line.points[-1])[1] / 100, line) for line in ended), key=lambda pair: pair[0])
    tops, floor = [], -1.0
    for y, _ in wanted:
        floor = max(y, floor + gap)
        tops.append(floor)
    lowest = 1 - gap / 2
    for number in reversed(range(len(tops))):
        tops[number] = min(tops[number], lowest)
        lowest = tops[number] - gap
    labels = []
    for top, (_, line) in zip(tops, wanted, strict=True):
        value = escape(written("short", line.points[-1][1]))
        labels.append(
            f'<span class="{escape(line.kind)}" style="top:{top * 100:.2f}%"><b>{value}</b> {escape(line.short or line.name)}</span>'
        )
    return "".join(labels)
