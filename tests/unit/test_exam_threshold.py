"""A threshold of refusal: the best by trying all, an honest figure for other questions, curves that are densities, and how one is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from playground.errors import SettingsError
from playground.rag.evidence import ENOUGH
from playground.rag.exam.kept import FILE, keep, threshold_of
from playground.rag.exam.threshold import LEAST, best, curves, propose, score, told_apart
from playground.workspace import write_json

confidences = st.lists(st.floats(0, 1, width=16), max_size=15).map(np.array)


def rows(answerable: Any, unanswerable: Any) -> list[dict[str, Any]]:
    return [
        {"answerable": kind, "confidence": float(c), "error": None} for kind, v in ((True, answerable), (False, unanswerable)) for c in v
    ]


@settings(max_examples=100, deadline=None)
@given(confidences, confidences)
def test_no_other_threshold_refuses_better(answerable: np.ndarray, unanswerable: np.ndarray) -> None:
    chosen = best(answerable, unanswerable)
    assert 0 <= chosen <= 1
    top = score(answerable, unanswerable, chosen)[2]
    for tried in np.linspace(0, 1, 150):
        assert score(answerable, unanswerable, tried)[2] <= top + 1e-12
    assert all(0 <= part <= 1 for part in score(answerable, unanswerable, chosen))


def test_what_lies_apart_is_told_apart() -> None:
    found = propose(rows(np.linspace(0.6, 0.9, 20), np.linspace(0.1, 0.4, 20)))
    assert found is not None
    assert found.threshold == 0.5 and (found.precision, found.recall, found.f1, found.held_f1) == (1, 1, 1, pytest.approx(1, abs=0.03))
    assert found.low <= found.threshold <= found.high and (found.answerable, found.unanswerable) == (20, 20)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(4490, 4510), min_size=LEAST, max_size=9), st.lists(st.integers(4490, 4510), min_size=LEAST, max_size=9))
@example([4504] * 6, [4501] * 6)
@example([4502] * 6, [4501] * 6)
def test_what_is_proposed_is_what_was_measured(answerable: list[int], unanswerable: list[int]) -> None:
    asked = rows(*(np.array(kind) / 10_000 for kind in (answerable, unanswerable)))
    found = propose(asked)
    assert found is not None
    figures = score(*told_apart(asked), found.threshold)
    assert (found.precision, found.recall, found.f1) == tuple(round(one, 4) for one in figures)
    assert found.threshold == round(found.threshold, 5) and figures[2] == score(*told_apart(asked), best(*told_apart(asked)))[2]


def test_what_cannot_be_told_apart_promises_less_for_other_questions() -> None:
    random = np.random.default_rng(2)
    found = propose(rows(random.random(30), random.random(30)))
    assert found is not None and found.held_f1 < found.f1 and found.held_low < found.held_f1 < found.held_high


def test_too_few_of_a_kind_propose_nothing() -> None:
    assert propose(rows([0.5] * 50, [0.1] * (LEAST - 1))) is None
    assert propose([]) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.2, 0.8), min_size=1, max_size=40))
def test_curves_are_densities_of_each_kind(values: list[float]) -> None:
    told = curves(rows(values, []))
    assert set(told) == {"answerable"}
    points = told["answerable"]
    assert [x for x, _ in points] == [round(n / 100, 2) for n in range(101)]
    assert sum(y for _, y in points) * 0.01 / 0.05 == pytest.approx(1, abs=0.1), "all of it, but for what leaks beyond 0 and 1"


def test_questions_that_could_not_be_asked_do_not_count() -> None:
    one = {"answerable": True, "confidence": 0.0, "error": {"template": "x"}}
    assert [len(kind) for kind in told_apart([one, *rows([0.5], [0.1])])] == [1, 1]


def test_a_threshold_is_kept_and_let_go(tmp_path: Path) -> None:
    write_json(tmp_path / "embedder.json", {"fingerprint": "a"})
    assert (threshold_of(tmp_path).value, threshold_of(tmp_path).own) == (ENOUGH, False)
    kept = keep(tmp_path, 0.3, {"f1": 0.7})
    assert (kept.value, kept.own, kept.about["f1"]) == (0.3, True, 0.7)
    write_json(tmp_path / "embedder.json", {"fingerprint": "b"})
    assert not threshold_of(tmp_path).own, "another embedder has other confidences"
    write_json(tmp_path / "embedder.json", {"fingerprint": "a"})
    assert threshold_of(tmp_path).own
    assert keep(tmp_path, None, {}).value == ENOUGH


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), True, "0.5", [0.5]])
def test_what_is_no_threshold_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(SettingsError):
        keep(tmp_path, value, {})
    for damaged in ("", "[]", "{}", '{"threshold": "x", "embedder": null}', '{"threshold": 7, "embedder": null}'):
        (tmp_path / FILE).write_text(damaged)
        assert threshold_of(tmp_path).value == ENOUGH
