"""Two lists become one, whatever their scores are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.rag.retrieve import Scored, fuse

quick = settings(max_examples=200, deadline=None)
numbers = st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def lists(draw: st.DrawFn, scores: st.SearchStrategy[float] = numbers, least: int = 0) -> Scored:
    ids = draw(st.lists(st.integers(1, 30), unique=True, min_size=least, max_size=12))
    return list(zip(ids, sorted(draw(st.lists(scores, min_size=len(ids), max_size=len(ids))), reverse=True), strict=True))


positive = st.floats(1e-3, 50)


def order(found: object) -> list[int]:
    return [one.id for one in found]  # type: ignore[attr-defined]


@quick
@given(lists(), lists(positive))
def test_without_weight_the_words_alone_decide(dense: Scored, keyword: Scored) -> None:
    assert order(fuse(dense, keyword, 0.0, 50))[: len(keyword)] == [id for id, _ in keyword]


@quick
@given(lists(st.floats(0.001, 1)), lists(positive))
def test_with_full_weight_the_vectors_alone_decide(dense: Scored, keyword: Scored) -> None:
    scores = dict(dense)
    found = [scores[id] for id in order(fuse(dense, keyword, 1.0, 50)) if id in scores]
    assert found == [score for _, score in dense]


@quick
@given(lists(), st.floats(0, 1), st.booleans())
def test_beside_an_empty_part_the_other_one_keeps_its_order(part: Scored, weight: float, words: bool) -> None:
    found = fuse([] if words else part, part if words else [], weight, 50)
    assert order(found) == [id for id, _ in part]
    for place, one in enumerate(found, 1):
        assert (one.keyword_rank if words else one.dense_rank) == place
        assert (one.dense_rank if words else one.keyword_rank) is None


@quick
@given(lists(), lists(), lists(positive), st.floats(0, 1), st.integers(1, 50))
def test_nothing_is_lost_or_invented(dense: Scored, keyword: Scored, related: Scored, weight: float, k: int) -> None:
    found = fuse(dense, keyword, weight, k, related)
    there = {*dict(dense), *dict(keyword), *dict(related)}
    assert len(order(found)) == len({*order(found)}) == min(k, len(there))
    assert {*order(found)} <= there
    assert order(found) == order(fuse(dense, keyword, weight, 50, related))[:k]
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    for one in found:
        assert (one.cosine, one.bm25) == (dict(dense).get(one.id), dict(keyword).get(one.id))


@pytest.mark.parametrize("score", [0.0, 1.0, -1.0, -0.0, 1e-300, 1e300])
def test_constant_scores_keep_the_order(score: float) -> None:
    part = [(id, score) for id in (9, 3, 7)]
    assert order(fuse(part, [], 0.5, 5)) == order(fuse([], part, 0.5, 5)) == [9, 3, 7]


def test_nothing_at_all() -> None:
    assert fuse([], [], 0.3, 5) == []


def test_what_both_found_comes_first() -> None:
    assert order(fuse([(1, 0.9), (2, 0.8)], [(2, 8.0), (3, 7.0)], 0.5, 5))[0] == 2
