"""What a curve says, in sentences that also tell what to do: pure functions of a run's points.

Losses of single steps swing a lot, because each step sees other rows; so a change counts only where it is large beside that swing, and
where it is not, that is what is said. Knows neither runs nor languages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from playground.ui.charts import best, series
from playground.ui.formatting import Say

FEWEST = 12  # losses from which on a trend can be told from chance
RECENT, RECENT_SHORT, ENOUGH = 0.4, 0.6, 40  # share of the curve whose slope is asked for; more of a short one, until it has so many
FLAT = 0.02  # share of the loss under which a change counts as none
LITTLE = 0.1  # share of the loss that it may at most still fall by, where it is called level
RISEN = 0.02  # the same for checks on unseen rows, where chance plays less: they are always the same rows
CLEARLY = 0.05  # a single check that is so much worse needs no second one
SURE = 2.5  # standard errors that a slope has to be away from level
RISE, RISE_ERRORS = 0.25, 8.0  # a loss that rises: share of its lowest, and standard errors
ABOVE_ERRORS, FAR = 4.0, 1.5  # the same for one above its start; and how many times its first ones it is at once far above them
JUMP, JUMP_SPREADS, PULL = 0.5, 6.0, 4.0  # a jump: share of the usual loss, spreads above it, and times the usual gradient
JUMPS, JUMPS_SHARE = 3, 0.03  # how many make a pattern
SMALLER, LARGER = 3, 10  # a learning rate that is too high is divided by the first, one too low multiplied by the second


@dataclass(frozen=True)
class Slope:
    """How much a line falls over the part looked at, and how sure that is."""

    fall: float
    error: float
    level: float

    @property
    def falling(self) -> bool:
        return self.fall > FLAT * self.level and self.fall > SURE * self.error

    @property
    def flat(self) -> bool:
        """Level as far as one can see, and not merely too uneven to see anything."""
        return self.fall + SURE * self.error < LITTLE * self.level


def explain(
    metrics: Sequence[dict[str, Any]], say: Say, *, finished: bool = False, keeps_best: bool = True, rate: float | None = None
) -> str:
    """What the curve says so far, and what to do about it.

    Args:
        keeps_best: whether the run keeps what did best on unseen rows (`load_best_model_at_end`).
        rate: the run's `learning_rate`; else the highest that it has come to.
    """
    losses = [value for _, value in series(metrics, "loss") if math.isfinite(value)]
    if len(losses) < 3:
        return say("told.first")
    now = fmean(losses[-_width(losses) :])
    trouble = _trouble(metrics, losses, say, finished, keeps_best, rate or _rate(metrics))
    slope = None if trouble else _trend(metrics, losses)
    if trouble is None and slope and (slope.falling or slope.flat):
        trouble = _nothing_learnt(losses, say, finished, rate or _rate(metrics))
    if finished:
        final = say("told.final", first=losses[0], last=now)
        if trouble:
            return f"{final} {trouble}"
        seen = "falling" if slope and slope.falling else "level" if slope and slope.flat else "look"
        checked = _checked(metrics)
        if seen == "falling" and checked and not checked.falling:  # it still learns, but nothing that helps with other rows
            seen = "unseen"
        return final + " " + say(f"told.final_{seen}")
    if trouble:
        return trouble
    if slope is None:
        return say("told.first")
    if slope.falling:
        return say("told.falling", first=losses[0], last=now)
    if slope.flat:
        return say("told.flat", last=now)
    return say("told.unclear", last=now) + " " + say("told.wait_checks" if _checked(metrics) else "told.wait")


def _trouble(
    metrics: Sequence[dict[str, Any]], losses: Sequence[float], say: Say, finished: bool, keeps_best: bool, rate: float
) -> str | None:
    """What goes wrong, the worst of it, and what to do now, or next time."""
    rates = {"better": gentler(rate), "rate": rate}
    again = say("told.again" if finished else "told.stop_and_again", **rates)
    if found := _too_high(losses, say) or _diverging(metrics, losses, say):
        return f"{found} {again}"
    if gone := worse_than_untrained(metrics, finished=finished):
        start, lowest = gone
        return f"{say('told.worse', start=start, best=lowest)} {again} {say('told.worse_then')}"
    if learnt_by_heart := overfitting(metrics):
        kept, since, lowest, last = learnt_by_heart
        if not by_heart(metrics, kept):
            return f"{say('told.rising_steps', step=since, last=last, best=lowest)} {again}"
        now, then = ("told.rising_kept", "told.rising_next") if keeps_best else ("told.rising_lost", "told.rising_lost_end")
        return say("told.rising", step=since, last=last, best=lowest) + " " + say(then if finished else now, step=kept)
    if jumps(metrics):
        return f"{say('told.jumps')} {say('told.calmer_next' if finished else 'told.calmer', **rates)}"
    return None


def worse_than_untrained(metrics: Sequence[dict[str, Any]], *, finished: bool = False) -> tuple[float, float] | None:
    """(loss on unseen rows before the first step, the lowest since) where learning has only made it worse; while it learns, only after some
    checks, the last of which is no better than those before."""
    checks = [(step, value) for step, value in series(metrics, "eval_loss") if math.isfinite(value)]
    if len(checks) < 2 or checks[0][0]:
        return None
    start, later = checks[0][1], [value for _, value in checks[1:]]
    recovering = len(later) < 3 or later[-1] <= min(later)
    return None if min(later) <= start * (1 + RISEN) or (recovering and not finished) else (start, min(later))


def overfitting(metrics: Sequence[dict[str, Any]]) -> tuple[int, int, float, float] | None:
    """(step of the best check, step since which it is worse, best loss, last loss) where unseen rows are answered worse than before."""
    checks = [(step, value) for step, value in series(metrics, "eval_loss") if step and math.isfinite(value)]
    lowest = best(metrics)
    if lowest is None or len(checks) < 3:
        return None
    after = [(step, value) for step, value in checks if step > lowest[0]]
    worse = [value > lowest[1] * (1 + RISEN) for _, value in after]
    if not after or not worse[-1]:
        return None
    clear = after[-1][1] > lowest[1] * (1 + CLEARLY) or (len(worse) > 1 and worse[-2])
    return (lowest[0], after[0][0], lowest[1], after[-1][1]) if clear else None


def by_heart(metrics: Sequence[dict[str, Any]], kept: int) -> bool:
    """Whether what is worse since a check can have been learnt by heart: no example comes twice in the first pass, and where the loss on
    the examples themselves has risen as well, the steps are what is wrong."""
    passes = max((value for _, value in series(metrics, "epoch")), default=None)
    points = [(step, value) for step, value in series(metrics, "loss") if math.isfinite(value)]
    then, losses = [value for step, value in points if step <= kept], [value for _, value in points]
    width = min(_width(losses), len(then))
    chance = SURE * swing(losses) * math.sqrt(2 / width) if width else 0.0
    risen = bool(width) and fmean(losses[-width:]) > fmean(then[-width:]) * (1 + CLEARLY) + chance
    return not risen and (passes is None or passes > 1)


def above_start(losses: Sequence[float]) -> bool:
    """Whether it stands above where it began, though the gentle first steps are over."""
    if len(losses) < FEWEST:
        return False
    first, width = 5, max(5, len(losses) // 5)
    start, now = fmean(losses[:first]), fmean(losses[-width:])
    if min(losses[-width:]) > FAR * max(losses[:2]):  # so far above that no chance has to be thought of, wherever it was in between
        return True
    shown = fmean(losses[-_width(losses) :])  # beside the very first loss, as the sentence puts it
    margin = start * CLEARLY + ABOVE_ERRORS * swing(losses) * math.sqrt(1 / first + 1 / width)
    return shown > losses[0] * (1 + CLEARLY) and now > start + margin


def risen_since(points: Sequence[tuple[int, float]]) -> int | None:
    """The step since which the loss rises, where it clearly does; None where it does not."""
    losses = [value for _, value in points]
    width = _width(losses)
    if len(losses) < max(FEWEST, 2 * width):
        return None
    usual = [median(losses[end - width : end]) for end in range(width, len(losses) + 1)]  # of medians, since single jumps are no rise
    at = min(range(len(usual)), key=usual.__getitem__)
    low, now = usual[at], usual[-1]
    margin = max(RISE * low, 0.1 * (fmean(losses[:3]) - low), RISE_ERRORS * swing(losses) / math.sqrt(width))
    return points[at + width - 1][0] if now - low > margin else None


def jumps(metrics: Sequence[dict[str, Any]]) -> bool:
    """Whether single steps throw it back again and again, with gradients far above the usual."""
    points = [(m["loss"], m["grad_norm"]) for m in metrics if m.get("loss") is not None and m.get("grad_norm") is not None]
    points = [(loss, pull) for loss, pull in points if math.isfinite(loss) and math.isfinite(pull)]
    if len(points) < 2 * FEWEST:
        return False
    spread, usual_pull = swing([loss for loss, _ in points]), median(pull for _, pull in points)
    thrown = [
        place
        for place, (loss, pull) in enumerate(points)
        if place >= 5
        and loss > (usual := median(one for one, _ in points[max(0, place - 9) : place + 10])) + max(JUMP_SPREADS * spread, JUMP * usual)
        and pull > PULL * usual_pull
    ]
    return len(thrown) >= max(JUMPS, JUMPS_SHARE * len(points)) and thrown[-1] >= len(points) // 2


def swing(values: Sequence[float]) -> float:
    """By how much values go up and down by chance: from step to step, so that a slope does not count (a normal's median |difference|)."""
    if len(values) < 2:
        return 0.0
    later = values[len(values) // 2 :] if len(values) >= 2 * FEWEST else values
    return median(abs(b - a) for a, b in pairwise(later)) / 0.954


def gentler(rate: float) -> float:
    """A learning rate to try instead: a third of it, in one digit."""
    return float(f"{rate / SMALLER:.1g}")


def _rate(metrics: Sequence[dict[str, Any]]) -> float:
    return float(max((value for _, value in series(metrics, "learning_rate")), default=0.0))


def _nothing_learnt(losses: Sequence[float], say: Say, finished: bool, rate: float) -> str | None:
    """Where it has come to rest about where it began, or only comes back down to there: for too small or too large steps."""
    if len(losses) < FEWEST:
        return None
    width, start = _width(losses), min(losses[0], fmean(losses[:3]))
    now = fmean(losses[-width:])
    error = swing(losses) * math.sqrt(1 / 3 + 1 / width)
    if now < start * (1 - CLEARLY) - SURE * error:
        return None
    highest = max(median(losses[end - width : end]) for end in range(width, len(losses) + 1))
    figures = {"first": losses[0], "last": now}
    if highest > start * (1 + CLEARLY) + ABOVE_ERRORS * error:
        again = say("told.again" if finished else "told.stop_and_again", better=gentler(rate), rate=rate)
        return f"{say('told.came_back', **figures)} {again}"
    return f"{say('told.unmoved', **figures)} {say('told.larger', better=float(f'{rate * LARGER:.1g}'), rate=rate)}"


def _too_high(losses: Sequence[float], say: Say) -> str | None:
    if not above_start(losses):
        return None
    return say("told.too_high", first=losses[0], last=fmean(losses[-_width(losses) :]))


def _diverging(metrics: Sequence[dict[str, Any]], losses: Sequence[float], say: Say) -> str | None:
    points = [(step, value) for step, value in series(metrics, "loss") if math.isfinite(value)]
    since = risen_since(points)
    if since is None:
        return None
    return say("told.diverging", step=since, last=fmean(losses[-_width(losses) :]))


def _width(losses: Sequence[float]) -> int:
    """How many of the last losses stand for "now"."""
    return max(1, min(5, len(losses) // 3), len(losses) // 10)


def _trend(metrics: Sequence[dict[str, Any]], losses: Sequence[float]) -> Slope | None:
    """The slope of the last part by least squares; where it is too uneven to tell, that of the checks decides."""
    if len(losses) < FEWEST:  # then only a clear fall is told
        short = slope(losses) if len(losses) > FEWEST // 3 else None
        return short if short and short.falling else None
    shares = round(len(losses) * RECENT), min(ENOUGH, round(len(losses) * RECENT_SHORT))
    found = slope(losses[-max(FEWEST, *shares) :])
    if found.falling or found.flat:
        return found
    checked = _checked(metrics)
    return checked if checked and (checked.falling or checked.flat) else found


def _checked(metrics: Sequence[dict[str, Any]]) -> Slope | None:
    """How the last checks on unseen rows went; chance plays no part there, since those are always the same rows."""
    checks = [value for step, value in series(metrics, "eval_loss") if step and math.isfinite(value)][-4:]
    return Slope(checks[0] - checks[-1], 0.0, max(checks)) if len(checks) >= 3 else None


def slope(values: Sequence[float]) -> Slope:
    """Least squares through values at even distances, with the standard error of what it falls by."""
    count, middle, level = len(values), (len(values) - 1) / 2, fmean(values)
    across = sum((place - middle) ** 2 for place in range(count))
    tilt = sum((place - middle) * value for place, value in enumerate(values)) / across
    rest = sum((value - level - tilt * (place - middle)) ** 2 for place, value in enumerate(values))
    error = math.sqrt(rest / max(1, count - 2) / across)
    return Slope(-tilt * (count - 1), error * (count - 1), abs(level))
