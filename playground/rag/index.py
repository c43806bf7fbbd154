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
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from playground.errors import Damaged, Sentence, pack, storage_errors, unpack
from playground.rag import bm25, schema, sections
from playground.rag.boxes import Box
from playground.rag.chunks import Chunk
from playground.rag.sections import Section
from playground.rag.text import STOPWORDS, words

WAITING, DONE, FAILED = "waiting", "done", "failed"
BROKEN_INDEX = "The index of this collection is damaged, so nothing can be read from it. Delete the collection, then add its files again."
NO_TABLE = "no such table"  # in SQLite's words for a file that was emptied


@dataclass(frozen=True)
class Document:
    """A file of a collection. `file` is its name in documents/, `error` says why it failed, `pages_empty` counts pages without text.

    `unit` says what its pages are (page, slide, sheet, section or part), `health` is what else is told about it. `twin_of` is what its
    owner called it, where its name here was made up because another one had that (`playground.rag.names.apart`).
    """

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
    pages_ocr: int = 0
    unit: str = "page"
    health: dict[str, Any] = field(default_factory=dict)
    twin_of: str = ""


@dataclass(frozen=True)
class Passage:
    """A passage as it is stored: `id` within the collection, `page` counts from 1, `label` is the printed number or empty.

    `sections` are those that hold in its text, the first one from its beginning on if there is one.
    """

    id: int
    document: int
    name: str
    page: int
    label: str
    start: int
    text: str
    unit: str = "page"
    sections: tuple[Section, ...] = ()

    @property
    def section(self) -> tuple[str, ...]:
        """The headings that its middle stands under; a page's running title may stand before the heading at its beginning."""
        return self.section_at(len(self.text) // 2)

    def section_at(self, place: int) -> tuple[str, ...]:
        """The headings that a place in its text stands under."""
        return sections.held(self.sections, place)


class Index:
    """One collection's file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def _open(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        with storage_errors(), _told():
            db = sqlite3.connect(self.path, timeout=30)
            try:
                schema.upgrade(db)
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
            schema.create(db)

    def register(self, name: str, sha256: str, file: str, unit: str = "page", twin_of: str = "") -> Document:
        """Note a file that waits to be indexed; the same bytes again give the document that is there, and a failed one another try.

        `unit` tells a file that is not read as others are (`playground.rag.chunks.ROW`).
        """
        with self._open(write=True) as db:
            db.execute(
                "INSERT INTO documents (name, sha256, file, state, added, unit, twin_of) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (sha256) DO UPDATE SET state = excluded.state, name = excluded.name, file = excluded.file,"
                " added = excluded.added, unit = excluded.unit, twin_of = excluded.twin_of, error = NULL WHERE state = ?",
                (name, sha256, file, WAITING, time.time(), unit, twin_of, FAILED),
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
        boxes: Mapping[int, Sequence[Box]] | None = None,
        unit: str = "page",
        health: Mapping[str, Any] | None = None,
        begun: Mapping[int, Sequence[Section]] | None = None,
    ) -> list[int]:
        """Store a document's passages with their vectors (n, dimension) and its pages (number, label, text, garbled); gives the ids.

        The documents that it `replaces` go in the same moment. `boxes` has, by page number, the words of pages that were read from a
        picture, and `begun` the sections that begin on each page.
        """
        boxes = boxes or {}
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
            db.executemany(
                "INSERT INTO word_boxes VALUES (?, ?, ?)", [(document, number, _packed(words)) for number, words in boxes.items()]
            )
            sections.store(db, document, begun or {})
            empty, bad = sum(not text for _, _, text, _ in pages), sum(garbled for *_, garbled in pages)
            db.execute(
                "UPDATE documents SET state = ?, pages = ?, pages_empty = ?, pages_garbled = ?, pages_ocr = ?, chunks = ?, unit = ?,"
                " health = ?, error = NULL WHERE id = ?",
                (DONE, len(pages), empty, bad, len(boxes), len(ids), unit, json.dumps(dict(health or {})), document),
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
            return _count(db)

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
            total, held = _count(db), bm25.held(db, wanted)
        return {word: float(np.log1p(total / (1 + count))) for word, count in held.items()}

    def replace_vectors(self, ids: Sequence[int], vectors: np.ndarray) -> None:
        """New vectors (n, dimension) for all passages, from another version of the embedder."""
        rows = [(vector.tobytes(), id) for id, vector in zip(ids, np.ascontiguousarray(vectors, dtype=np.float16), strict=True)]
        with self._open(write=True) as db:
            db.executemany("UPDATE chunks SET vector = ? WHERE id = ?", rows)

    def pages(self, document: int) -> list[tuple[int, str, str]]:
        """(number, label, text) of every page of a document, in order."""
        with self._open() as db:
            rows = db.execute("SELECT number, label, text FROM pages WHERE document = ? ORDER BY number", (document,))
            return [(row["number"], row["label"], row["text"]) for row in rows]

    def stage(self, document: int, chunks: Sequence[Chunk], vectors: np.ndarray) -> None:
        """Lay passages with vectors (n, dimension) of another embedder aside, where no question sees them."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float16)
        pairs = zip(chunks, vectors, strict=True)
        rows = [(document, c.number, c.page, c.label, c.start, c.text, vector.tobytes()) for c, vector in pairs]
        with self._open(write=True) as db:
            db.executemany("INSERT INTO staged (document, number, page, label, start, text, vector) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def unstage(self) -> None:
        """Forget what was laid aside."""
        with self._open(write=True) as db:
            db.execute("DELETE FROM staged")

    def swap(self, about: Mapping[str, Any]) -> None:
        """Let what was laid aside take the place of all passages, in one moment; `about` is kept with them (see `about`).

        What was laid aside of a document that went meanwhile goes, too, and one that came meanwhile waits to be read.
        """
        columns = "document, number, page, label, start, text, vector"
        missing = "state = ? AND id NOT IN (SELECT document FROM staged)"
        with self._open(write=True) as db:
            db.execute("DELETE FROM chunks")
            db.execute(f"UPDATE documents SET state = ? WHERE {missing}", (WAITING, DONE))  # noqa: S608
            living = "document IN (SELECT id FROM documents)"
            db.execute(f"INSERT INTO chunks ({columns}) SELECT {columns} FROM staged WHERE {living} ORDER BY id")  # noqa: S608
            db.execute("DELETE FROM staged")
            db.execute("UPDATE documents SET chunks = (SELECT count(*) FROM chunks WHERE document = documents.id)")
            db.execute("INSERT OR REPLACE INTO about VALUES ('embedder', ?)", (json.dumps(dict(about)),))

    def about(self) -> dict[str, Any]:
        """What the last `swap` was told; empty where there was none."""
        with self._open() as db:
            row = db.execute("SELECT value FROM about WHERE key = 'embedder'").fetchone()
            return dict(json.loads(row["value"])) if row else {}

    def rename(self, document: int, name: str) -> None:
        """Another name for a document."""
        with self._open(write=True) as db:
            db.execute("UPDATE documents SET name = ?, twin_of = '' WHERE id = ?", (name, document))

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
                "SELECT c.id, c.document, d.name, c.page, c.label, c.start, c.text, d.unit FROM chunks c"  # noqa: S608
                f" JOIN documents d ON d.id = c.document WHERE c.id IN ({marks})",
                list(ids),
            )
            found = [Passage(**dict(row)) for row in rows]
            return {one.id: replace(one, sections=_sections(db, one)) for one in found}

    def page_text(self, document: int, number: int) -> str:
        """The text of a page, and of the one after it where a last sentence goes on there."""
        with self._open() as db:
            rows = db.execute(
                "SELECT text FROM pages WHERE document = ? AND number IN (?, ?) ORDER BY number", (document, number, number + 1)
            )
            return "\n".join(row["text"] for row in rows)

    def word_boxes(self, document: int, number: int) -> list[Box]:
        """The words of a page that was read from a picture, in reading order; empty for every other page."""
        with self._open() as db:
            row = db.execute("SELECT boxes FROM word_boxes WHERE document = ? AND number = ?", (document, number)).fetchone()
            return _unpacked(row["boxes"]) if row else []

    def page(self, document: int, number: int) -> tuple[str, str] | None:
        """(printed label, text) of one page; None where there is no such page."""
        with self._open() as db:
            row = db.execute("SELECT label, text FROM pages WHERE document = ? AND number = ?", (document, number)).fetchone()
        return (row["label"], row["text"]) if row else None

    def section(self, document: int, page: int, place: int) -> tuple[str, ...]:
        """The headings that a place in a page's text stands under."""
        with self._open() as db:
            return sections.held(sections.within(db, document, page, place, place + 1), 0)

    def on_page(self, document: int, number: int) -> list[Passage]:
        """The passages that begin on a page, in their order."""
        with self._open() as db:
            rows = db.execute("SELECT id FROM chunks WHERE document = ? AND page = ? ORDER BY number", (document, number)).fetchall()
        ids = [row["id"] for row in rows]
        found = self.passages(ids) if ids else {}
        return [found[id] for id in ids]

    def keyword(self, question: str, k: int) -> list[tuple[int, float]]:
        """(passage id, BM25 score, higher is better) of the best passages by the question's words (Robertson and Zaragoza, 2009)."""
        wanted = list(dict.fromkeys(word for word in words(question) if word not in STOPWORDS))[: bm25.MOST_TERMS]
        return self.any_of(wanted or words(question), k)

    def any_of(self, wanted: Sequence[str], k: int) -> list[tuple[int, float]]:
        """As `keyword`, for words already chosen; a passage needs one of them."""
        with self._open() as db:
            return bm25.best(db, wanted, k) if wanted else []

    def related(self, wanted: Sequence[str], k: int) -> list[tuple[int, float]]:
        """As `any_of`, for words that mean nearly what a question's own do; in a large collection only the rarer ones count."""
        with self._open() as db:
            return bm25.best_of_rare(db, wanted, k) if wanted else []


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """SQLite's own words for a full disk as the system's, and those for a damaged file as ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what is told more exactly
        if code == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, str(error)) from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or NO_TABLE in str(error):
            raise Damaged(BROKEN_INDEX) from error
        raise


def _document(row: sqlite3.Row) -> Document:
    values = dict(row)
    error = unpack(json.loads(values["error"])) if values["error"] else None
    return Document(**{**values, "error": error, "health": json.loads(values["health"])})


def _packed(boxes: Sequence[Box]) -> bytes:
    """Shares are kept to a ten-thousandth, a third of a dot on a large screen."""
    rows = [(b.text, *(round(side, 4) for side in (b.left, b.top, b.right, b.bottom)), b.confidence) for b in boxes]
    return zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode())


def _unpacked(packed: bytes) -> list[Box]:
    return [Box(*row) for row in json.loads(zlib.decompress(packed))]


def _count(db: sqlite3.Connection) -> int:
    """From what the documents say, which each transaction keeps true; to count the passages would take longer than to find them."""
    return int(db.execute("SELECT coalesce(sum(chunks), 0) FROM documents").fetchone()[0])


def _sections(db: sqlite3.Connection, one: Passage) -> tuple[Section, ...]:
    return sections.within(db, one.document, one.page, one.start, one.start + len(one.text))


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
    db.execute("DELETE FROM word_boxes WHERE document = ?", (document,))
    db.execute("DELETE FROM sections WHERE document = ?", (document,))
