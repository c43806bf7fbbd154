"""A file of the first version is brought up to this one when it is opened, and loses nothing by it."""

import contextlib
import shutil
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from playground.rag import schema
from playground.rag.boxes import Box
from playground.rag.chunks import Chunk
from playground.rag.index import DONE, WAITING, Index


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file as the first version made it: one document that is done, one that waits."""
    path = tmp_path / "index.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA journal_mode=WAL")
        db.executescript(schema.TABLES)
        row = (1, "a.pdf", "1", "1.pdf", DONE, 2, 1, 0, 1, None, 5.0)
        db.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.execute("INSERT INTO documents (name, sha256, file, state, added) VALUES ('b.pdf', '2', '2.pdf', ?, 6)", (WAITING,))
        db.execute("INSERT INTO pages VALUES (1, 1, 'i', 'one tea')")
        db.execute("INSERT INTO chunks VALUES (3, 1, 0, 1, 'i', 0, 'one tea', ?)", (np.ones(4, np.float16).tobytes(),))
    return path


def test_an_old_file_is_opened_as_if_it_were_new(old: Path) -> None:
    index = Index(old)
    done, waiting = index.documents()
    assert (done.name, done.state, done.pages, done.pages_empty, done.pages_ocr, done.unit, done.health) == (
        "a.pdf", DONE, 2, 1, 0, "page", {},
    )  # fmt: skip
    assert index.keyword("tea", 5)[0][0] == 3
    assert index.page_text(1, 1) == "one tea"
    assert index.word_boxes(1, 1) == []
    boxes = [Box("fish", 0.1, 0.2, 0.3, 0.4, 0.9)]
    index.finish(waiting.id, [Chunk(0, 1, "", 0, "fish")], np.ones((1, 4)), [(1, "", "fish", False)], boxes={1: boxes})
    assert index.word_boxes(waiting.id, 1) == boxes
    assert [one.pages_ocr for one in index.documents()] == [0, 1]


def test_many_at_once_may_be_the_first_to_open_it(old: Path) -> None:
    failed: list[Exception] = []

    def look() -> None:
        try:
            assert len(Index(old).documents()) == 2
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []


def test_an_upgrade_that_breaks_off_leaves_the_file_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "ADDED", (*schema.ADDED[:2], ("NO SUCH THING",)))
    with pytest.raises(sqlite3.OperationalError):
        Index(old).documents()
    monkeypatch.undo()
    assert [one.unit for one in Index(old).documents()] == ["page", "page"]


def test_the_shipped_collection_opens(tmp_path: Path) -> None:
    shipped = Path(__file__).resolve().parents[2] / "assets" / "demonstration" / "collection" / "index.sqlite"
    shutil.copyfile(shipped, tmp_path / "index.sqlite")
    [document] = Index(tmp_path / "index.sqlite").documents()
    assert (document.state, document.pages, document.pages_ocr) == (DONE, 12, 0)


def test_a_file_that_is_none_is_not_made_into_one(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "x.sqlite")) as db:
        schema.upgrade(db)
        assert db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
