"""The steps of a search as settings, and what switching one does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from playground.errors import Sentence, SettingsError
from playground.rag.chunks import Chunk
from playground.rag.embedders import Known
from playground.rag.index import Index
from playground.rag.search import Found, Search
from playground.rag.steps import Steps, read
from playground.rag.thesaurus import Thesaurus

TEXTS = ["The price of tea is three pounds.", "The cost of tea and cake.", "Cats sleep.", "Nothing about drinks, but tea."]


@pytest.mark.parametrize(
    ("mode", "settings", "steps"),
    [
        ("hybrid", None, Steps()),
        ("dense", {}, Steps(keyword=False, thesaurus=False)),
        ("keyword", None, Steps(dense=False, thesaurus=False)),
        ("hybrid", {"weight": 1, "thesaurus": False, "keyword": None}, Steps(weight=1, thesaurus=False)),
        ("keyword", {"dense": True, "reranker": " local:x "}, Steps(thesaurus=False, reranker="local:x")),
    ],
)
def test_a_mode_and_what_was_set(mode: str, settings: dict | None, steps: Steps) -> None:
    assert read(mode, settings) == steps
    told = steps.settings()
    assert read(told.pop("mode"), told).settings() == steps.settings()
    assert read("dense", {"thesaurus": True, "weight": 0.3}).settings()["thesaurus"] is False, "what does not count is off"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"weight": 1.5}, "0 to 1"),
        ({"weight": True}, "0 to 1"),
        ({"weight": float("nan")}, "0 to 1"),
        ({"keyword": "yes"}, "true or false"),
        ({"reranker": 3}, "a name"),
        ({"words": True}, "has no setting words"),
        ({"keyword": False, "dense": False}, "at least one"),
    ],
)
def test_what_cannot_be_set_is_a_sentence(settings: dict, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read("hybrid", settings)
    with pytest.raises(SettingsError, match="hybrid, dense, keyword"):
        read("psychic")


class Embedder:
    known = Known("local:x", "x", Sentence("Of one's own."))

    def weight(self, language: str) -> float:
        return 0.25


class Reranker:
    """Likes short texts."""

    def scores(self, id: str, question: str, texts: Sequence[str]) -> list[float]:
        return [1 / len(text) for text in texts]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    index = Index(tmp_path / "index.sqlite")
    index.create()
    document = index.register("a.pdf", "0", "0.pdf")
    index.finish(document.id, [Chunk(n, 1, "", 0, text) for n, text in enumerate(TEXTS)], np.zeros((4, 2)), [(1, "", "x", False)])
    return index


@pytest.fixture
def run(index: Index, tmp_path: Path):
    (tmp_path / "words.txt").write_text("price, cost\n", "utf-8")
    search = Search(lambda k: (Embedder(), [(3, 0.9), (1, 0.5)][:k]), Thesaurus(tmp_path / "words.txt"), Reranker())  # type: ignore[arg-type]

    def run(**steps: object) -> Found:
        return search.run(index, "What is the price of tea?", 4, Steps(**steps))  # type: ignore[arg-type]

    return run


def ids(found: Found) -> list[int]:
    return [passage.id for passage, _ in found.passages]


def test_each_step_can_be_switched(run) -> None:
    assert ids(run(dense=False))[0] == 1 and 3 not in ids(run(dense=False))
    assert ids(run(keyword=False)) == [3, 1]
    both = run()
    assert both.weight == 0.25 and both.related == {"price": ["cost"]} and set(ids(both)) == {1, 2, 3, 4}
    assert run(thesaurus=False).related == {} and run(keyword=False).weight == 1 and run(dense=False).weight == 0
    assert ids(run(weight=1.0))[0] == 3
    assert [run(**one).weight_from for one in ({}, {"weight": 0.25}, {"keyword": False})] == ["cautious", "set", "set"]


def test_a_reranker_has_the_last_word_and_what_came_before_is_kept(run) -> None:
    found = run(reranker="local:short")
    assert [TEXTS[id - 1] for id in ids(found)] == sorted(TEXTS, key=len)
    assert sorted(one.fused_rank for _, one in found.passages) == [1, 2, 3, 4]
    assert all(one.rerank is not None for _, one in found.passages)
    assert all(one.rerank is None for _, one in run().passages)
