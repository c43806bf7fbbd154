"""Several runs side by side: their curves in one chart, and a table of that in which they differ. Pure functions; data is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.training.record import Run
from playground.ui.charts import series, smooth, thin
from playground.ui.curve import Line, draw
from playground.ui.formatting import Say, duration, megabytes, number, shorten

MOST = 6  # as many as there are colours and dashes to tell them apart by
POINTS = 200  # of each line
NAME_CHARACTERS = 26
Curve = Sequence[dict[str, Any]]


def names(runs: Sequence[Run]) -> list[str]:
    """Each run's name, short enough for a chart: what all begin with is left out, and the end stays, which tells them apart."""
    words = [run.name.split(" ") for run in runs]
    same = 0
    while all(len(one) > same + 1 and one[same] == words[0][same] for one in words):
        same += 1
    short = [" ".join(one[same:]) for one in words]
    short = [one if len(one) <= NAME_CHARACTERS else one[:12].rstrip() + "…" + one[-(NAME_CHARACTERS - 13) :].lstrip() for one in short]
    return [f"{one} ({short[:place].count(one) + 1})" if short.count(one) > 1 else one for place, one in enumerate(short)]


def chart(runs: Sequence[Run], curves: Mapping[str, Curve], say: Say) -> str:
    """Losses on unseen rows of each run, and faint its smoothed training loss; a run that was not checked has that one labelled."""
    lines: list[Line] = []
    for place, (run, name) in enumerate(zip(runs, names(runs), strict=True)):
        points = curves.get(run.run_id, [])
        raw, checks = series(points, "loss"), series(points, "eval_loss")
        smoothed = list(zip([step for step, _ in raw], smooth([value for _, value in raw]), strict=True))
        faint = say("overlay.line_train", name=name)
        checked = len(checks) > 0
        lines.append(Line(faint, thin(smoothed, POINTS), f"r{place} faint", end=not checked, short=name, listed=not checked))
        lines.append(Line(say("overlay.line_eval", name=name), thin(checks, POINTS), f"r{place}", short=name))
    return draw(
        lines,
        x_title=say("train.step"),
        y_title=say("overlay.chart"),
        written=lambda kind, value: say(f"number.{kind}", n=value),
        kind="overlay",
    )


def differing(runs: Sequence[Run]) -> list[str]:
    """The settings, in their own order, that are not the same in all runs."""
    known = dict.fromkeys(name for run in runs for name in run.settings)
    return [name for name in known if any(run.settings.get(name) != runs[0].settings.get(name) for run in runs)]


def value(given: Any, say: Say) -> str:
    """A setting as one reads it."""
    if given is None or given == [] or given == "":
        return "–"
    if isinstance(given, bool):
        return say("form.yes" if given else "form.no")
    if isinstance(given, float):
        return say("number.tick", n=given)
    return shorten(", ".join(map(str, given)) if isinstance(given, (list, tuple)) else given, 120)


def results(run: Run, say: Say, card: bool = False) -> list[tuple[str, str]]:
    """(what, value) of how a run came out; with `card`, what it held of one too."""
    best = "–"
    if run.best_eval_loss is not None and run.best_step is not None:
        best = say("overlay.best", loss=run.best_eval_loss, step=run.best_step)
    return [
        (say("train.col_state"), say(f"state.{run.state}")),
        (say("overlay.best_eval"), best),
        (say("overlay.last_loss"), number(run.loss, say)),
        (say("train.fig_took"), duration(run.seconds)),
        (say("overlay.trainable"), say("number.whole", n=run.trainable_parameters) if run.trainable_parameters else "–"),
        (say("train.fig_memory"), megabytes(run.memory_mb, say)),
        *([(say("train.fig_gpu_memory"), megabytes(run.max_memory_reserved_mb, say))] if card else []),
    ]


def table(runs: Sequence[Run], say: Say) -> str:
    """What differs and how it came out, a column for each run, as HTML."""
    key = '<svg class="key" viewBox="0 0 34 6" aria-hidden="true"><path class="r{place}" d="M1 3H33"/></svg>'
    heads = "".join(
        f'<th scope="col" class="r{place}">{key.format(place=place)}{escape(name)}</th>' for place, name in enumerate(names(runs))
    )
    rows = [(name, [value(run.settings.get(name), say) for run in runs]) for name in differing(runs)]
    if len({run.dataset_name for run in runs}) > 1:
        rows.insert(0, (say("strip.dataset"), [run.dataset_name for run in runs]))
    card = any(run.max_memory_reserved_mb is not None for run in runs)
    told = [results(run, say, card) for run in runs]
    outcome = [(what, [one[place][1] for one in told]) for place, (what, _) in enumerate(told[0])]
    same = f'<tr><td colspan="{len(runs) + 1}">{escape(say("overlay.same"))}</td></tr>'
    parts = (
        f'<div class="compared" tabindex="0" role="region" aria-label="{escape(say("overlay.table"))}"><table>',
        f'<thead><tr><th scope="col"></th>{heads}</tr></thead>',
        f'<tbody><tr class="part"><th scope="rowgroup" colspan="{len(runs) + 1}">{escape(say("overlay.settings"))}</th></tr>',
        "".join(map(_row, rows)) or same,
        f'</tbody><tbody><tr class="part"><th scope="rowgroup" colspan="{len(runs) + 1}">{escape(say("overlay.results"))}</th></tr>',
        "".join(map(_row, outcome)),
        "</tbody></table></div>",
    )
    return "".join(parts)


def _row(row: tuple[str, Sequence[str]]) -> str:
    name, values = row
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(one)}</td>" for one in values)}</tr>'
