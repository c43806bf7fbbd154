"""Passages by their words in a bounded time: what is scored where words are common, and that nothing is left out where they are not."""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.rag import bm25
from playground.rag.chunks import Chunk
from playground.rag.index import Index


def filled(path: Path, texts: Sequence[str]) -> tuple[Index, list[int]]:
    index = Index(path / "index.sqlite")
    index.create()
    return index, store(index, texts, "1")


def store(index: Index, texts: Sequence[str], sha: str) -> list[int]:
    document = index.register(f"{sha}.pdf", sha, f"{sha}.pdf")
    pieces = [Chunk(n, 1, "", 0, text) for n, text in enumerate(texts)]
    return index.finish(document.id, pieces, np.zeros((len(texts), 4)), [(1, "", "\n".join(texts), False)])


def plain(index: Index, query: str) -> list[tuple[int, float]]:
    db = sqlite3.connect(index.path)
    try:
        rows = db.execute("SELECT rowid, -bm25(words) FROM words WHERE words MATCH ? ORDER BY bm25(words), rowid", (query,)).fetchall()
    finally:
        db.close()
    return rows


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 200_000), min_size=1, max_size=64))
def test_the_rarest_words_say_what_is_scored(with_it: dict[str, int]) -> None:
    chosen = bm25.rarer(with_it)
    left = [with_it[word] for word in with_it if word not in chosen]
    passages = sum(with_it[word] for word in chosen)
    assert chosen
    assert max(with_it[word] for word in chosen) <= min(left, default=1_000_000)
    if sum(with_it.values()) <= bm25.MOST_SCORED:
        assert not left
    if left:
        assert passages >= bm25.LEAST_SCORED
        assert passages + min(left) > bm25.MOST_SCORED


def test_a_word_in_one_passage_does_not_decide_alone() -> None:
    assert bm25.rarer({"king": 40_000, "zanzibar": 1}) == ["zanzibar", "king"]
    assert bm25.rarer({"king": 40_000, "harbour": 1_200, "zanzibar": 1}) == ["zanzibar", "harbour"]


TEXTS = [f"the king of number{n % 7} sailed" + " to the harbour" * (n % 5 == 0) + " with a zebra" * (n % 11 == 0) for n in range(60)]


def test_nothing_is_left_out_of_a_collection_of_usual_size(tmp_path: Path) -> None:
    index, _ = filled(tmp_path, TEXTS)
    assert index.keyword("king harbour zebra absent", 60) == plain(index, '"king" OR "harbour" OR "zebra"')


def test_common_words_count_but_do_not_find_where_there_are_rarer_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, made = filled(tmp_path, TEXTS)
    monkeypatch.setattr(bm25, "MOST_SCORED", 20)
    monkeypatch.setattr(bm25, "LEAST_SCORED", 5)
    found = index.keyword("king harbour zebra", 60)
    whole = plain(index, '"king" OR "harbour" OR "zebra"')
    told = {id for id, text in zip(made, TEXTS, strict=True) if "harbour" in text or "zebra" in text}
    assert {id for id, _ in whole} == set(made) > told
    assert found == [(id, score) for id, score in whole if id in told]  # the scores are those of all words
    assert found == whole[: len(found)]
    assert index.keyword("king harbour zebra", 3) == found[:3]
    assert len(index.keyword("king sailed", 60)) == 60  # nothing but common words: they find


def test_of_related_words_the_commonest_do_not_count_where_they_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, _ = filled(tmp_path, TEXTS)
    wanted = ["king", "harbour", "zebra", "absent"]
    assert index.related(wanted, 60) == index.any_of(wanted, 60) == plain(index, '"king" OR "harbour" OR "zebra"')
    monkeypatch.setattr(bm25, "MOST_SCORED", 20)
    monkeypatch.setattr(bm25, "LEAST_SCORED", 5)
    assert index.related(wanted, 60) == plain(index, '"harbour" OR "zebra"')
    assert index.related(["absent"], 60) == index.related([], 60) == []


def test_a_search_while_a_document_comes_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bm25, "MOST_SCORED", 20)
    monkeypatch.setattr(bm25, "LEAST_SCORED", 5)
    index, made = filled(tmp_path, TEXTS)
    failed: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                assert index.keyword("king harbour zebra", 5)
                assert index.related(["king", "harbour", "zebra"], 5)
                assert index.count() % len(TEXTS) == 0
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(2, 8):
        made += store(index, TEXTS, str(number))
    done.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert index.count() == len(made) == 7 * len(TEXTS)


def test_the_number_of_passages_is_that_of_the_table(tmp_path: Path) -> None:
    index, _ = filled(tmp_path, TEXTS)

    def rows() -> int:
        return len(index.texts()[0])

    assert index.count() == rows() == 60
    store(index, TEXTS[:7], "2")
    assert index.count() == rows() == 67
    document = index.register("3.pdf", "3", "3.pdf")
    index.finish(document.id, [Chunk(0, 1, "", 0, "tea")], np.zeros((1, 4)), [], replaces=[1])
    assert index.count() == rows() == 8
    index.stage(document.id, [Chunk(n, 1, "", 0, "tea") for n in range(3)], np.zeros((3, 4)))
    assert index.count() == rows() == 8
    index.swap({})
    assert index.count() == rows() == 3
    index.delete(document.id)
    assert index.count() == rows() == 0
