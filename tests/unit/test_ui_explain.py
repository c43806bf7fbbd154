"""What is said of a curve: right on noisy ones too, of every kind and with many seeds."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from playground.ui.explain import explain, jumps, overfitting, slope, swing
from playground.ui.i18n import Texts

TEXTS = Texts(Path(__file__).resolve().parents[2] / "assets/locales")
SEEDS = range(25)
RATE = 0.001


def say(key: str, **values: object) -> str:
    TEXTS.say(key, "pt-BR", **values)  # every value that one language asks for, the other gets too
    return f"[{key}] {TEXTS.say(key, 'en', **values)}"


def curve(losses: list[float], checks: dict[int, float] | None = None, pulls: list[float] | None = None) -> list[dict]:
    points = [
        {
            "step": step,
            "loss": loss,
            "eval_loss": (checks or {}).get(step),
            "learning_rate": RATE,
            "grad_norm": pulls[step - 1] if pulls else 1.0,
        }
        for step, loss in enumerate(losses, 1)
    ]
    start = (checks or {}).get(0)
    return [{"step": 0, "eval_loss": start}, *points] if start is not None else points


def noisy(losses: list[float], seed: int, spread: float = 0.12) -> list[float]:
    """As a run's losses swing: by a share of what they are, since each step sees other rows."""
    chance = random.Random(seed)
    return [max(0.01, loss * (1 + chance.gauss(0, spread))) for loss in losses]


def decay(count: int, start: float = 3.0, end: float = 0.8, half: float = 0.5) -> list[float]:
    """Falls all the way, ever more slowly; `half`: the share of the run after which half of the way is done."""
    return [end + (start - end) * 0.5 ** (step / (half * count)) for step in range(count)]


def told(metrics: list[dict], **more: Any) -> str:
    return explain(metrics, say, **more)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [30, 80, 300])
def test_a_noisy_curve_that_falls(seed: int, count: int) -> None:
    said = told(curve(noisy(decay(count), seed)))
    assert "told.falling" in said or ("told.unclear" in said and count < 300)
    assert not any(wrong in said for wrong in ("flat", "too_high", "diverging", "jumps", "rising"))


@pytest.mark.parametrize(("count", "sure"), [(60, 0.2), (300, 0.8), (1000, 1.0)])
def test_a_noisy_curve_that_has_come_to_rest(count: int, sure: float) -> None:
    rest = decay(count // 4, half=0.1) + [0.8] * (count - count // 4)
    said = [told(curve(noisy(rest, seed, 0.08))) for seed in SEEDS]
    assert all("told.flat" in one or "told.unclear" in one for one in said)
    assert sum("told.flat" in one for one in said) >= sure * len(said)


@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("count", [20, 60, 300])
def test_swinging_is_not_rising(seed: int, count: int) -> None:
    level = told(curve(noisy([1.0] * count, seed, 0.3)))
    assert not any(wrong in level for wrong in ("too_high", "diverging", "jumps"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [60, 300])
def test_a_noisy_curve_that_diverges(seed: int, count: int) -> None:
    half = count // 2
    rising = decay(half, end=1.0, half=0.2) + [1.0 + 1.6 * step / half for step in range(count - half)]
    said = told(curve(noisy(rising, seed)))
    assert "told.diverging" in said
    assert "0.0003 instead of 0.001" in said
    since = int("".join(c for c in said.split("about step ")[1].split()[0] if c.isdigit()))
    assert 0.3 * count < since < 0.85 * count


@pytest.mark.parametrize("seed", SEEDS)
def test_a_loss_above_its_start_means_too_large_steps(seed: int) -> None:
    gone = noisy([3.0 + 4 * (1 - 0.5 ** (step / 10)) for step in range(50)], seed)
    said = told(curve(gone))
    assert "told.too_high" in said and "learning rate" in said
    assert "told.too_high" in told(curve(gone), finished=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_jumps_with_large_gradients_mean_too_large_steps(seed: int) -> None:
    chance = random.Random(seed)
    losses, pulls = noisy(decay(120, half=0.2), seed, 0.06), [chance.uniform(0.7, 1.3) for _ in range(120)]
    quiet = told(curve(losses, pulls=pulls))
    assert "jumps" not in quiet
    for place in chance.sample(range(40, 119), 6):
        losses[place] *= 2.5
        pulls[place] = 9.0
    assert jumps(curve(losses, pulls=pulls))
    assert "told.jumps" in told(curve(losses, pulls=pulls))
    assert not jumps(curve(losses, pulls=[1.0] * 120)), "odd rows alone do not show that steps are too large"


@pytest.mark.parametrize("seed", SEEDS)
def test_overfitting_is_told_with_the_step_that_is_kept(seed: int) -> None:
    chance = random.Random(seed)
    losses = noisy(decay(100, end=0.2, half=0.2), seed)
    checks = {0: 3.2} | {step: abs(step - 40) * 0.012 + 1.2 + chance.gauss(0, 0.004) for step in range(10, 101, 10)}
    metrics = curve(losses, checks)
    assert overfitting(metrics)[0] in (40, 30, 50)  # type: ignore[index]
    said = told(metrics)
    assert "overfitting" in said and "step 40, where it was best" in said and "since step 50" in said
    assert "load_best_model_at_end" in told(metrics, keeps_best=False)
    assert "told.final]" in told(metrics, finished=True) and "overfitting" in told(metrics, finished=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_checks_that_wobble_are_no_overfitting(seed: int) -> None:
    chance = random.Random(seed)
    wobble = {step: 1.2 * (1 + chance.gauss(0, 0.005)) for step in range(10, 101, 10)}
    assert overfitting(curve(noisy(decay(100), seed), wobble)) is None


def test_a_check_before_the_first_step_is_no_best() -> None:
    """A model that gets worse from the start: what is kept is its best check after the start, and nobody calls the start best."""
    metrics = curve([2.0] * 40, {0: 1.0, 10: 1.5, 20: 1.4, 30: 1.3, 40: 1.2})
    assert overfitting(metrics) is None


RISING = {30: 2.6, 40: 2.61, 50: 2.63, 60: 2.65}


def test_learning_that_only_makes_it_worse_is_told_with_what_to_do() -> None:
    losses = [2.0 - 0.01 * step for step in range(60)]
    worse = curve(losses, {0: 2.0, 10: 2.6, 20: 2.62, **RISING})
    for finished in (False, True):
        said = told(worse, finished=finished)
        assert "told.worse]" in said and "2.00 then, 2.60 at its best" in said and "0.0003 instead of 0.001" in said
        assert "overfitting" not in said and "lose nothing" not in said
    assert "Stop, and" in told(worse) and "Stop, and" not in told(worse, finished=True)
    level = told(curve(losses, {0: 2.0} | dict.fromkeys(range(10, 61, 10), 2.6)), finished=True)
    assert "told.worse]" in level and "final_unseen" not in level
    assert "told.worse]" in told(curve(losses[:20], {0: 2.0, 20: 2.3}), finished=True), "a short run has a single check"


@pytest.mark.parametrize(
    "checks", [{0: 2.0, 20: 2.3}, {0: 2.0, 20: 2.3, 40: 2.25, 60: 2.2}, {0: 2.0, 20: 2.03, 40: 2.02, 60: 2.03}, RISING]
)
def test_a_run_that_may_still_recover_is_not_called_worse(checks: dict[int, float]) -> None:
    assert "told.worse" not in told(curve([2.0 - 0.01 * step for step in range(60)], checks))


# as a starter model learned the sample's rows, at learning rates of 0.05 (stopped by its checks) and 1
TOO_LARGE = [5.29, 5.28, 4.95, 3.85, 3.08, 3.12, 4.51, 7.03, 8.19, 12.37, 9.21, 9.11]
TOO_LARGE_CHECKS = {0: 5.45, 2: 4.61, 4: 2.94, 6: 4.38, 8: 8.24, 10: 9.23, 12: 8.52}


def test_what_gets_worse_in_the_first_pass_is_not_called_learnt_by_heart() -> None:
    """Nor where the loss on the examples themselves has risen as much."""
    metrics = curve(TOO_LARGE, TOO_LARGE_CHECKS)
    for point in metrics:
        point["epoch"] = point["step"] / 31
    early = told(metrics[:7])
    assert "told.rising_steps]" in early and "overfitting" not in early and "0.0003 instead of 0.001" in early
    assert "overfitting" not in told(metrics, finished=True)
    rising = [3.0 - 0.1 * step for step in range(20)] + [1.1 + 0.05 * step for step in range(12)]
    late = curve(rising, {0: 3.2, 10: 2.4, 20: 1.4, 30: 1.9})
    for point in late:
        point["epoch"] = point["step"] / 5
    assert "overfitting" not in told(late) and "learning rate" in told(late)


def test_a_loss_far_above_its_start_is_told_with_the_figures_on_the_chart() -> None:
    """All of a model was taught at a learning rate of 1, and an adapter with a very large lora_alpha."""
    full = [
        5.3,
        5.3,
        84.5,
        243.5,
        366.6,
        556.0,
        662.8,
        385.8,
        675.8,
        598.9,
        216.7,
        363.4,
        400.5,
        440.6,
        563.6,
        264.8,
        260.8,
        343.7,
        273.4,
        316.5,
        182.0,
        210.0,
        115.7,
        130.3,
        64.8,
        65.1,
        68.4,
        72.1,
        58.1,
        46.7,
    ]
    adapter = [
        5.3,
        5.3,
        11.1,
        10.3,
        9.1,
        8.9,
        8.6,
        8.7,
        10.0,
        10.8,
        10.7,
        10.5,
        10.2,
        9.9,
        9.8,
        9.5,
        9.2,
        9.0,
        9.1,
        8.9,
        8.9,
        8.6,
        8.6,
        8.6,
        8.5,
        8.4,
        8.5,
        8.5,
        8.3,
        8.4,
    ]
    for far in (full, adapter):
        for finished in (False, True):
            said = told(curve(far), finished=finished, rate=1.0)
            assert "told.too_high]" in said and f"first {far[0]:.2f}" in said and "0.3 instead of 1" in said, said


def test_no_loss_is_called_above_its_start_that_is_below_it() -> None:
    """A starter model's run at a learning rate of 0.03: it learns for five steps, falls apart, and comes back to where it began."""
    told_by_it = (
        "5.3 5.3 4.7 4.5 3.5 6.3 8.3 9.7 10.1 7.4 7.1 11.6 15.2 7.9 7.3 6.6 6.3 6.2 6.1 6 5.9 5.7 5.8 5.6 5.3 5.3 5.4 5.4 5.3 5.3 "
        "5.2 5.5 5.5 5.6 5.1 5.2 5.4 5.1 5.4 5.3 5.1 5.3 5.6 5.3 5.1 5.3 5.3 5.2 5.5 5.1 5.2 5.1 5.2 5.1 5.4 5.1 5.1 5.2 5.1 5.1 "
        "5.1 5.2 5.2 5.3 5.1 5.3 5.2 5 5.2 5.1 5.3 5.2 5.2 5.3 5.1 5.2 5.1 5.1 5.3 4.9 "
    )
    losses = [float(loss) for loss in told_by_it.split()]
    for count in range(12, len(losses) + 1):
        said = told(curve(losses[:count]), rate=0.03)
        assert "0.01 instead of 0.03" in said or "told.unclear" in said
        if "told.too_high]" in said:
            now = float(said.split("now ")[1].split(")")[0])
            assert now >= losses[0], said


@pytest.mark.parametrize("seed", SEEDS)
def test_a_loss_that_never_left_its_start_is_not_called_learnt(seed: int) -> None:
    still = curve(noisy([5.3] * 60, seed, 0.03))
    for finished in (False, True):
        said = told(still, finished=finished)
        assert "told.unmoved]" in said or "told.unclear]" in said or "told.final_look]" in said, said
        assert not any(word in said for word in ("little more to learn", "hardly fell any more", "Let it go on")), said
    assert "0.01 instead of 0.001" in told(curve([5.3] * 60))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [20, 60, 200])
def test_a_loss_that_only_comes_back_to_its_start_is_no_progress(seed: int, count: int) -> None:
    rest = count - 12
    back = [5.3, 5.6, 6.6, 7.6, 8.0, 7.9, 7.6, 7.4, 7.2, 7.0, 6.9, 6.8] + [5.35 + 1.4 * 0.5 ** (step / 20) for step in range(rest)]
    for finished in (False, True):
        said = told(curve(noisy(back, seed, 0.03)), finished=finished)
        assert not any(word in said for word in ("Let it go on", "training further", "hardly fell any more", "little more to learn")), said
        assert any(word in said for word in ("learning rate", "told.unclear", "told.final_look")), said


def test_a_run_that_has_ended_is_not_told_to_stop() -> None:
    chance = random.Random(1)
    high = noisy([3.0 + 4 * (1 - 0.5 ** (step / 10)) for step in range(50)], 1)
    rising = {step: abs(step - 40) * 0.012 + 1.2 for step in range(10, 101, 10)}
    losses, pulls = noisy(decay(120, half=0.2), 1, 0.06), [1.0] * 120
    for place in chance.sample(range(40, 119), 6):
        losses[place], pulls[place] = losses[place] * 2.5, 9.0
    for metrics in (curve(high), curve(noisy(decay(100, end=0.2, half=0.2), 1), rising), curve(losses, pulls=pulls)):
        for keeps_best in (True, False):
            said = told(metrics, finished=True, keeps_best=keeps_best)
            assert not any(word in said for word in ("Stop", "may still end well", "What is kept is")), said


def test_the_checks_decide_where_the_steps_swing_too_much() -> None:
    losses = noisy([2.0 - 0.01 * step for step in range(60)], 1, 0.6)
    plain = told(curve(losses))
    checked = told(curve(losses, {0: 3.0, 15: 2.0, 30: 1.8, 45: 1.6, 60: 1.4}))
    assert "told.unclear" in plain and "told.falling" in checked
    assert "dashed line" not in plain, "there is none where no rows are looked at"


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 11])
def test_short_curves_promise_nothing(count: int) -> None:
    said = told(curve(noisy([2.0] * count, 3, 0.02)))
    assert "told.first" in said
    assert explain([], say).startswith("[told.first]")


def test_the_end_is_told_with_what_to_do_next() -> None:
    assert "final_falling" in told(curve(noisy(decay(100, half=0.5), 1)), finished=True)
    assert "final_level" in told(curve(noisy(decay(40, half=0.1) + [0.8] * 200, 1, 0.05)), finished=True)
    short = told(curve([3.0, 2.6, 2.5, 2.1, 1.9, 1.6, 1.5]), finished=True)
    assert "3.00 to 1.55" in short and "final_falling" in short
    learnt_by_heart = {step: 1.5 - step / 10_000 for step in range(10, 101, 10)}
    assert "final_unseen" in told(curve(noisy(decay(100, end=0.1), 1), learnt_by_heart), finished=True)
    assert "final_look" in told(curve([2.0, 2.1, 2.0, 2.1]), finished=True), "too few points to say more"
    assert "final_look" in told(curve(noisy([2.0] * 60, 2, 0.6)), finished=True)


def test_a_loss_that_is_no_number_is_passed_over() -> None:
    assert "told." in told(curve([2.0, 1.5, math.nan, 1.0, math.inf, 0.9]))


def test_slopes_and_swings() -> None:
    straight = slope([3 - 0.1 * step for step in range(11)])
    assert straight.fall == pytest.approx(1.0) and straight.error == pytest.approx(0.0, abs=1e-9) and straight.falling
    assert slope([1.0] * 20).flat
    chance = random.Random(0)
    assert swing([chance.gauss(0, 0.5) for _ in range(2000)]) == pytest.approx(0.5, rel=0.15)
    assert swing([1.0]) == 0.0
