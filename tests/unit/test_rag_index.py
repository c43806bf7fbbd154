"""A collection's file: words are found whatever a question looks like, and a document is there whole or not at all."""

import re
import signal
import sqlite3
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from playground.errors import Sentence, StorageFull
from playground.rag import index as module
from playground.rag.boxes import Box
from playground.rag.chunks import Chunk
from playground.rag.index import DONE, FAILED, WAITING, Index
from playground.rag.text import words
from playground.settings import PROJECT

quick = hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = ["tea", "fish", "harbour", "red", "xylophone", "nine", "zebra", "quince"]  # no stop words, no two with one stem


@pytest.fixture
def index(tmp_path: Path) -> Index:
    made = Index(tmp_path / "index.sqlite")
    made.create()
    return made


def chunks(texts: list[str]) -> list[Chunk]:
    return [Chunk(n, n // 2 + 1, f"p{n}", n * 10, text) for n, text in enumerate(texts)]


def fill(index: Index, texts: list[str], name: str = "a.pdf", sha: str = "1") -> list[int]:
    document = index.register(name, sha, f"{sha}.pdf")
    pages = [(1, "i", "\n".join(texts), False), (2, "ii", "", True)]
    return index.finish(document.id, chunks(texts), np.eye(len(texts), 4, dtype=np.float32), pages)


def ids(found: list[tuple[int, float]]) -> list[int]:
    return [id for id, _ in found]


# keyword search


@quick
@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), min_size=1, max_size=8),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
)
def test_what_holds_a_word_is_found_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, texts: list[list[str]], asked: list[str]
) -> None:
    index = Index(tmp_path_factory.mktemp("oracle") / "index.sqlite")
    index.create()
    made = fill(index, [" ".join(text) for text in texts])
    found = index.keyword(" ".join(asked), 50)
    assert set(ids(found)) == {id for id, text in zip(made, texts, strict=True) if set(text) & set(asked)}
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert all(score >= 0 for score in scores)
    assert index.keyword(" ".join(asked), 1) == found[:1]
    held = sum(asked[0] in text for text in texts)
    assert index.rarity(asked)[asked[0]] == pytest.approx(np.log1p(len(texts) / (1 + held)))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("CAFÉ", "the cafe by the sea"),
        ("cafe", "Café by the sea"),
        (unicodedata.normalize("NFD", "café"), "Café by the sea"),
        ("opened", "it opens late"),
        ("o’clock", "at nine o'clock"),
        ("m²", "a room of 40 m² with a view"),
        ("pão", "pao de queijo"),
        ("日本語", "日本語"),
        ("русский", "Русский чай"),
        ("½", "½ litre"),
        ("straße", "die Straße"),
        ("2019/39", "resolution 39 of 2019"),
        ("what is it", "what is it"),
    ],
)
def test_forms_of_a_word_are_found(index: Index, question: str, text: str) -> None:
    made = fill(index, ["nothing of the kind", text])
    assert ids(index.keyword(question, 5)) == [made[1]]


HOSTILE = [
    '"',
    '""" tea',
    "tea NEAR fish",
    "NEAR(tea fish, 2)",
    "tea AND NOT fish",
    "tea*",
    "^tea",
    "text:tea",
    "words : tea",
    "{text} : tea",
    "-text:tea",
    "tea + fish",
    "(tea",
    "tea)) OR ((",
    "'; DROP TABLE chunks; --",
    "tea\x00fish",
    "☕🙂 tea 🐟",
    "🙂",
    "tea " * 2_500,
    " ".join(f"word{n}" for n in range(2_000)) + " tea",
    "x" * 10_000,
    "ª º ⁿ ① ㎏ ﷺ",
    "\u200b\u202etea\ufeff",
    "\ud800 tea",
    "%_",
    "\\",
    "tea\ntea\ttea",
    "𐍈𐍈",
]


@pytest.mark.parametrize("question", HOSTILE, ids=lambda question: ascii(question[:20]))
def test_a_hostile_question_is_just_words(index: Index, question: str) -> None:
    made = fill(index, ["the price of tea", "fish and chips", "a NEAR miss of text", "drop the table, or not"])
    found = index.keyword(question, 10)
    if re.search(r"\btea\b", question[:400]):
        assert made[0] in ids(found)
    assert set(ids(found)) <= set(made)
    index.rarity(words(question))
    assert set(ids(index.any_of(words(question), 10))) <= set(made)
    assert index.count() == 4


@quick
@given(st.text(max_size=60))
def test_no_question_fails(tmp_path_factory: pytest.TempPathFactory, question: str) -> None:
    index = Index(tmp_path_factory.getbasetemp() / "any.sqlite")
    index.create()
    if not index.count():
        fill(index, ["the price of tea", "fish and chips"])
    index.keyword(question, 5)
    index.rarity(words(question))


def test_an_empty_index_finds_nothing(index: Index) -> None:
    assert (index.keyword("tea", 5), index.rarity(["tea"]), index.count(), index.texts()) == ([], {"tea": 0.0}, 0, ([], []))
    assert index.vectors(4)[1].shape == (0, 4)


# documents


def test_a_document_is_kept_as_it_was(index: Index) -> None:
    made = fill(index, ["one tea", "two teas", "three"])
    [document] = index.documents()
    assert (document.state, document.pages, document.pages_empty, document.pages_garbled, document.chunks) == (DONE, 2, 1, 1, 3)
    passages = index.passages(made)
    assert [(passages[id].text, passages[id].page, passages[id].label, passages[id].start) for id in made] == [
        ("one tea", 1, "p0", 0),
        ("two teas", 1, "p1", 10),
        ("three", 2, "p2", 20),
    ]
    assert index.page_text(document.id, 1) == "one tea\ntwo teas\nthree\n"
    held, vectors = index.vectors(4)
    assert held == made
    np.testing.assert_array_equal(vectors, np.eye(3, 4, dtype=np.float32))
    assert index.passages([*made, 999]).keys() == set(made)
    assert index.passages([]) == {}


def test_the_same_bytes_again_are_the_same_document(index: Index) -> None:
    first = index.register("a.pdf", "1", "1.pdf")
    assert index.register("b.pdf", "1", "1.pdf") == first
    fill(index, ["tea"])
    again = index.register("b.pdf", "1", "1.pdf")
    assert (again.id, again.state, again.name) == (first.id, DONE, "a.pdf")
    assert index.register("a.pdf", "2", "2.pdf").id != first.id
    assert [one.state for one in index.documents()] == [DONE, WAITING]


def test_a_failed_document_gets_another_try(index: Index) -> None:
    first = index.register("a.pdf", "1", "1.pdf")
    index.fail(first.id, Sentence("{name} has no pages.", name="a.pdf"), 3, 3)
    [failed] = index.documents()
    assert (failed.state, failed.error, failed.pages_empty) == (FAILED, "a.pdf has no pages.", 3)
    assert failed.error is not None
    assert failed.error.template == "{name} has no pages."
    again = index.register("b.pdf", "1", "1.pdf")
    assert (again.id, again.state, again.error, again.name) == (first.id, WAITING, None, "b.pdf")


def test_finishing_again_replaces_and_failing_clears(index: Index) -> None:
    before = fill(index, ["tea", "fish"])
    after = fill(index, ["zebra"])
    assert not set(before) & set(after)  # an id is never used twice, or an old vector would speak for a new passage
    assert index.count() == 1
    assert index.keyword("tea", 5) == []
    index.fail(index.documents()[0].id, Sentence("It broke."))
    assert (index.count(), index.keyword("zebra", 5)) == (0, [])


def test_a_deleted_document_leaves_no_word(index: Index) -> None:
    gone, kept = fill(index, ["tea", "fish"], "a.pdf", "1"), fill(index, ["tea time"], "b.pdf", "2")
    assert index.delete(index.documents()[0].id) == gone
    assert ids(index.keyword("tea fish", 5)) == kept
    assert [one.name for one in index.documents()] == ["b.pdf"]
    assert index.delete(12345) == []
    with sqlite3.connect(index.path) as db:
        assert db.execute("SELECT count(*) FROM pages").fetchone() == (2,)
        db.execute("INSERT INTO words(words, rank) VALUES ('integrity-check', 1)")


def test_new_vectors_take_the_place_of_the_old(index: Index) -> None:
    made = fill(index, ["tea", "fish"])
    index.replace_vectors(made, np.full((2, 6), 0.5))
    assert index.vectors(6)[1].tolist() == [[0.5] * 6] * 2


def test_passages_and_vectors_must_be_as_many(index: Index) -> None:
    document = index.register("a.pdf", "1", "1.pdf")
    with pytest.raises(ValueError, match="zip"):
        index.finish(document.id, chunks(["tea", "fish"]), np.eye(3), [])
    assert (index.count(), index.documents()[0].state) == (0, WAITING)


def test_a_new_version_comes_with_the_end_of_the_former_one(index: Index) -> None:
    former = fill(index, ["old tea"], sha="1")
    document = index.register("a.pdf", "2", "2.pdf")
    new = index.finish(document.id, chunks(["new tea"]), np.eye(1, 4), [(1, "", "new tea", False)], replaces=[1])
    assert [one.sha256 for one in index.documents()] == ["2"]
    assert ids(index.keyword("tea", 5)) == new
    assert index.passages(former) == {}


# trouble

KILLED = """
import sys, numpy as np
from pathlib import Path
from playground.rag.chunks import Chunk
from playground.rag.index import Index
index = Index(Path(sys.argv[1]))
document = index.register("big.pdf", "2", "2.pdf")
def chunks():
    for n in range(100_000):
        if n == 20_000:
            print("at it", flush=True)
        yield Chunk(n, 1, "", 0, f"tea and passage {n} " * 10)
index.finish(document.id, list(chunks()), np.zeros((100_000, 64)), [(1, "", "tea", False)])
print("finished", flush=True)
"""


@pytest.mark.parametrize("wait", [0.3, 0.8])
def test_a_killed_app_leaves_a_document_whole_or_waiting(index: Index, wait: float) -> None:
    made = fill(index, ["tea", "fish"])
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(index.path)], stdout=subprocess.PIPE, cwd=PROJECT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"at it\n"
    journal = index.path.with_name("index.sqlite-wal")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (journal.exists() and journal.stat().st_size > 1_000_000):
        time.sleep(0.01)  # it is in the middle of its transaction now
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    finished = b"finished" in process.communicate()[0]
    big = index.documents()[1]
    assert (big.state, big.chunks) == ((DONE, 100_000) if finished else (WAITING, 0))
    assert index.count() == 2 + big.chunks
    assert set(made) & set(ids(index.keyword("fish", 5)))
    if not finished:
        assert ids(index.keyword("tea", 5)) == made[:1]
        assert index.page_text(big.id, 1) == ""


def test_a_full_disk_is_told_and_leaves_the_index_as_it_was(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fill(index, ["tea", "fish"])
    real = sqlite3.connect

    def small(*args: object, **options: object) -> sqlite3.Connection:
        db = real(*args, **options)  # type: ignore[call-overload]
        db.execute("PRAGMA max_page_count = 40")
        return db

    monkeypatch.setattr(module.sqlite3, "connect", small)
    with pytest.raises(StorageFull, match="disk is full"):
        fill(index, [f"{n} " * 2000 for n in range(100)], "b.pdf", "2")
    monkeypatch.undo()
    assert [one.state for one in index.documents()] == [DONE, WAITING]
    assert ids(index.keyword("tea", 5)) == made[:1]


# words on pages that were read from pictures


@quick
@given(
    st.lists(
        st.builds(Box, st.text(min_size=1, max_size=9), *[st.floats(0, 1)] * 4, st.none() | st.integers(0, 100).map(lambda n: n / 100)),
        max_size=20,
    )
)
def test_words_keep_their_places(tmp_path_factory: pytest.TempPathFactory, boxes: list[Box]) -> None:
    index = Index(tmp_path_factory.getbasetemp() / "boxes.sqlite")
    index.create()
    document = index.register("scan.pdf", "1", "1.pdf").id
    index.finish(document, [], np.zeros((0, 4)), [(1, "", "x", False), (2, "", "y", False)], boxes={2: boxes})
    kept = index.word_boxes(document, 2)
    assert [(one.text, one.confidence) for one in kept] == [(one.text, one.confidence) for one in boxes]
    for one, before in zip(kept, boxes, strict=True):
        sides = [(one.left, before.left), (one.top, before.top), (one.right, before.right), (one.bottom, before.bottom)]
        assert all(abs(a - b) <= 0.00005 for a, b in sides)
    assert index.word_boxes(document, 1) == []
    index.delete(document)
    assert index.word_boxes(document, 2) == []
