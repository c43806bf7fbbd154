"""A collection's passages in one SQLite file: documents, passages, their vectors, and BM25 over their words (FTS5).

    collections/<id>/index.sqlite

This file is the truth; the vectors in Chroma are made from it. A document's passages are written in one transaction, so a killed app
leaves a document whole or waiting. Safe under threads: every call opens its own connection. Does not know PDFs or embedders.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from playground.errors import Sentence, pack, storage_errors, unpack
from playground.rag.chunks import Chunk
from playground.rag.text import STOPWORDS, words

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE, file TEXT NOT NULL, state TEXT NOT NULL,
  pages INTEGER NOT NULL DEFAULT 0, pages_empty INTEGER NOT NULL DEFAULT 0, pages_garbled INTEGER NOT NULL DEFAULT 0,
  chunks INTEGER NOT NULL DEFAULT 0, error TEXT, added REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS pages (document INTEGER NOT NULL, number INTEGER NOT NULL, label TEXT NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (document, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chunks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL, number INTEGER NOT NULL, page INTEGER NOT NULL, label TEXT NOT NULL,
  start INTEGER NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS chunks_of ON chunks (document);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
  text, content='chunks', content_rowid='id', tokenize="porter unicode61 remove_diacritics 2"
);
CREATE TRIGGER IF NOT EXISTS chunk_added AFTER INSERT ON chunks BEGIN INSERT INTO words(rowid, text) VALUES (new.id, new.text); END;
CREATE TRIGGER IF NOT EXISTS chunk_gone AFTER DELETE ON chunks BEGIN
  INSERT INTO words(words, rowid, text) VALUES ('delete', old.id, old.text);
END;
"""
WAITING, DONE, FAILED = "waiting", "done", "failed"
MOST_TERMS = 64  # of a question; more would only slow the search


@dataclass(frozen=True)
class Document:
    """A file of a collection. `file` is its name in documents/, `error` says why it failed, `pages_empty` counts pages without text."""

    id: int
    name: str
    sha256: str
    file: str
    state: str
    pages: int
    pages_empty: int
    pages_garbled: int
    chunks: int
    error: Sentence | None
    added: float


@dataclass(frozen=True)
class Passage:
    """A passage as it is stored: `id` within the collection, `page` counts from 1, `label` is the printed number or empty."""

    id: int
    document: int
    name: str
    page: int
    label: str
    start: int
    text: str


class Index:
    """One collection's file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def _open(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        with storage_errors(), _full():
            db = sqlite3.connect(self.path, timeout=30)
            try:
                db.row_factory = sqlite3.Row
                if write:
                    with db:
                        yield db
                else:
                    yield db
            finally:
                db.close()

    def create(self) -> None:
        """Make the tables, where they are not there yet."""
        with self._open() as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(SCHEMA)

    def register(self, name: str, sha256: str, file: str) -> Document:
        """Note a file that waits to be indexed; the same bytes again give the document that is there, and a failed one another try."""
        with self._open(write=True) as db:
            db.execute(
                "INSERT INTO documents (name, sha256, file, state, added) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (sha256) DO UPDATE SET state = excluded.state, name = excluded.name, error = NULL WHERE state = ?",
                (name, sha256, file, WAITING, time.time(), FAILED),
            )
            return _document(db.execute("SELECT * FROM documents WHERE sha256 = ?", (sha256,)).fetchone())

    def documents(self) -> list[Document]:
        """All of them, in the order they came."""
        with self._open() as db:
            return [_document(row) for row in db.execute("SELECT * FROM documents ORDER BY id")]

    def finish(
        self,
        document: int,
        chunks: Sequence[Chunk],
        vectors: np.ndarray,
        pages: Sequence[tuple[int, str, str, bool]],
        *,
        replaces: Sequence[int] = (),
    ) -> list[int]:
        """Store a document's passages with their vectors (n, dimension) and its pages (number, label, text, garbled); gives the ids.

        The documents that it `replaces` go in the same moment.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float16)
        with self._open(write=True) as db:
            for former in replaces:
                _delete(db, former)
            _clear(db, document)
            ids = []
            for one, vector in zip(chunks, vectors, strict=True):
                values = (document, one.number, one.page, one.label, one.start, one.text, vector.tobytes())
                cursor = db.execute(
                    "INSERT INTO chunks (document, number, page, label, start, text, vector) VALUES (?, ?, ?, ?, ?, ?, ?)", values
                )
                ids.append(int(cursor.lastrowid or 0))
            db.executemany("INSERT INTO pages VALUES (?, ?, ?, ?)", [(document, number, label, text) for number, label, text, _ in pages])
            empty, bad = sum(not text for _, _, text, _ in pages), sum(garbled for *_, garbled in pages)
            db.execute(
                "UPDATE documents SET state = ?, pages = ?, pages_empty = ?, pages_garbled = ?, chunks = ?, error = NULL WHERE id = ?",
                (DONE, len(pages), empty, bad, len(ids), document),
            )
            return ids

    def fail(self, document: int, error: Sentence, pages: int = 0, pages_empty: int = 0) -> None:
        """Note why a document could not be indexed."""
        with self._open(write=True) as db:
            _clear(db, document)
            db.execute(
                "UPDATE documents SET state = ?, error = ?, pages = ?, pages_empty = ?, chunks = 0 WHERE id = ?",
                (FAILED, json.dumps(pack(error)), pages, pages_empty, document),
            )

    def delete(self, document: int) -> list[int]:
        """Take a document out; gives the ids of its passages."""
        with self._open(write=True) as db:
            return _delete(db, document)

    def ids(self, document: int) -> list[int]:
        """The ids of a document's passages."""
        with self._open() as db:
            return _ids(db, document)

    def count(self) -> int:
        """Passages in all."""
        with self._open() as db:
            return int(db.execute("SELECT count(*) FROM chunks").fetchone()[0])

    def newest(self) -> int:
        """The highest id of a passage, which no other one had before; 0 where there is none."""
        with self._open() as db:
            return int(db.execute("SELECT coalesce(max(id), 0) FROM chunks").fetchone()[0])

    def vectors(self, dimension: int) -> tuple[list[int], np.ndarray]:
        """Ids and vectors (n, dimension) in 32 bits of every passage."""
        with self._open() as db:
            rows = db.execute("SELECT id, vector FROM chunks ORDER BY id").fetchall()
        vectors = np.frombuffer(b"".join(row["vector"] for row in rows), dtype=np.float16).astype(np.float32)
        return [row["id"] for row in rows], vectors.reshape(len(rows), dimension)

    def rarity(self, wanted: Sequence[str]) -> dict[str, float]:
        """How much each word tells, by how few passages hold it: ln(1 + n / (1 + passages with it))."""
        with self._open() as db:
            total = int(db.execute("SELECT count(*) FROM chunks").fetchone()[0])
            told = {}
            for word in dict.fromkeys(wanted[:MOST_TERMS]):
                held = db.execute("SELECT count(*) FROM words WHERE words MATCH ?", (_quoted(word),)).fetchone()[0]
                told[word] = float(np.log1p(total / (1 + held)))
            return told

    def replace_vectors(self, ids: Sequence[int], vectors: np.ndarray) -> None:
        """New vectors (n, dimension) for all passages, from another version of the embedder."""
        rows = [(vector.tobytes(), id) for id, vector in zip(ids, np.ascontiguousarray(vectors, dtype=np.float16), strict=True)]
        with self._open(write=True) as db:
            db.executemany("UPDATE chunks SET vector = ? WHERE id = ?", rows)

    def texts(self) -> tuple[list[int], list[str]]:
        """Ids and texts of every passage."""
        with self._open() as db:
            rows = db.execute("SELECT id, text FROM chunks ORDER BY id").fetchall()
        return [row["id"] for row in rows], [row["text"] for row in rows]

    def passages(self, ids: Sequence[int]) -> dict[int, Passage]:
        """Those of the ids that are there."""
        with self._open() as db:
            marks = ",".join("?" * len(ids))
            rows = db.execute(
                f"SELECT c.id, c.document, d.name, c.page, c.label, c.start, c.text FROM chunks c JOIN documents d ON d.id = c.document"  # noqa: S608
                f" WHERE c.id IN ({marks})",
                list(ids),
            )
            return {row["id"]: Passage(**dict(row)) for row in rows}

    def page_text(self, document: int, number: int) -> str:
        """The text of a page, and of the one after it where a last sentence goes on there."""
        with self._open() as db:
            rows = db.execute(
                "SELECT text FROM pages WHERE document = ? AND number IN (?, ?) ORDER BY number", (document, number, number + 1)
            )
            return "\n".join(row["text"] for row in rows)

    def keyword(self, question: str, k: int) -> list[tuple[int, float]]:
        """(passage id, BM25 score, higher is better) of the best passages by the question's words (Robertson and Zaragoza, 2009)."""
        wanted = list(dict.fromkeys(word for word in words(question) if word not in STOPWORDS))[:MOST_TERMS]
        return self.any_of(wanted or words(question), k)

    def any_of(self, wanted: Sequence[str], k: int) -> list[tuple[int, float]]:
        """As `keyword`, for words already chosen; a passage needs one of them."""
        query = " OR ".join(map(_quoted, list(dict.fromkeys(wanted))[:MOST_TERMS]))
        if not query:
            return []
        with self._open() as db:
            rows = db.execute("SELECT rowid, bm25(words) AS score FROM words WHERE words MATCH ? ORDER BY score LIMIT ?", (query, k))
            return [(row["rowid"], -row["score"]) for row in rows]


def _quoted(word: str) -> str:
    """A word as a query of FTS5, in which nothing else has a meaning; FTS5 itself takes the accents off, of both sides alike."""
    return '"' + word.replace('"', "") + '"'


@contextlib.contextmanager
def _full() -> Iterator[None]:
    """SQLite's own word for a full disk, as the system's."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL:
            raise
        raise OSError(errno.ENOSPC, str(error)) from error


def _document(row: sqlite3.Row) -> Document:
    values = dict(row)
    return Document(**{**values, "error": unpack(json.loads(values["error"])) if values["error"] else None})


def _ids(db: sqlite3.Connection, document: int) -> list[int]:
    return [row["id"] for row in db.execute("SELECT id FROM chunks WHERE document = ?", (document,))]


def _delete(db: sqlite3.Connection, document: int) -> list[int]:
    ids = _ids(db, document)
    _clear(db, document)
    db.execute("DELETE FROM documents WHERE id = ?", (document,))
    return ids


def _clear(db: sqlite3.Connection, document: int) -> None:
    db.execute("DELETE FROM chunks WHERE document = ?", (document,))
    db.execute("DELETE FROM pages WHERE document = ?", (document,))
