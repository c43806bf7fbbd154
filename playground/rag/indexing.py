"""The work of an indexing job: every waiting document of one collection, one after the other, whole or not at all.

What comes while it is at work is taken, too, until nothing waits. Knows pages, passages and vectors; does not know owners or questions.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from playground.errors import FileUnreadable, PlaygroundError, Sentence
from playground.jobs import Job
from playground.rag import pdf
from playground.rag.chunks import ROW, USUAL, Chunk, Size, chunk, whole
from playground.rag.dense import Dense
from playground.rag.embedders import Embedder
from playground.rag.health import Health, sentences
from playground.rag.index import DONE, WAITING, Document, Index
from playground.rag.passwords import Passwords
from playground.rag.readers import ocr, told

log = logging.getLogger(__name__)

WITHOUT_PASSWORD = (pdf.PROBLEMS[told.PASSWORD], pdf.PROBLEMS[told.WRONG_PASSWORD])  # what is said of a file whose password is not known
READING = "reading"  # a waiting document that a job is at this moment reading; no such state is stored
BATCH = 256  # passages between two looks at whether to stop
SCAN = (
    "{name} is a scan: its pages are pictures, and the program that reads pictures (Tesseract) is not installed. "
    "Install the packages tesseract-ocr and tesseract-ocr-por, then add the file again."
)
BARE = "{name} holds no text: no words were found in it, nor in its pictures. Add a sharper scan, or a copy with text."
LOOKING = "Reading the picture of a page of {name} (OCR): page {page} of {pages}"
REPLACED = "{name} has taken the place of the version that was here before."
UNEXPECTED = (
    "{name} could not be indexed, because something went wrong in the playground itself. "
    "Add it again; if that does not help, tell the host the reference {reference}."
)


class Indexing:
    """One job's work. `reading` is the number of the document that is being read at this moment.

    `skipped` are names of files that were already there, with the sentence that says so, `notes` all that is to be told beside. Of the
    `passwords` those that open no document are forgotten; the others are known for a while longer, so that pages can be shown.
    """

    def __init__(
        self,
        folder: Path,
        index: Index,
        dense: Dense,
        embedder: Callable[[], Embedder],
        passwords: Passwords,
        size: Size = USUAL,
    ) -> None:
        self.folder, self.index, self.dense, self.size = folder, index, dense, size
        self.skipped: dict[str, Sentence] = {}
        self.notes: list[Sentence] = []
        self.reading: int | None = None
        self._load, self._passwords = embedder, passwords
        self._lock, self._over = threading.Lock(), False

    @contextlib.contextmanager
    def joined(self) -> Iterator[bool]:
        """Whether what is noted as waiting inside of this is taken by this work, which cannot end meanwhile."""
        with self._lock:
            yield not self._over

    def close(self) -> None:
        """Take nothing more."""
        with self._lock:
            self._over = True

    def run(self, job: Job) -> dict[str, Any]:
        """Index what waits; gives the result of `/index_documents`. A document that fails does not hold up the others."""
        try:
            return self._run(job)
        finally:
            self.close()

    def _next(self, job: Job) -> list[Document]:
        """What waits, in the order in which it was added; with nothing, the work is over."""
        with self._lock:
            waiting: list[Document] = []
            try:
                if not job.stopping() and self.folder.exists():
                    waiting = [one for one in self.index.documents() if one.state == WAITING]
            except (PlaygroundError, OSError, sqlite3.Error):
                if self.folder.exists():  # else somebody deleted the collection just now, and nothing waits
                    raise
            self._over = not waiting
            return sorted(waiting, key=lambda one: (one.added, one.id))

    def _run(self, job: Job) -> dict[str, Any]:
        self.index.unstage()  # what a killed app may have left of an attempt to index this collection anew
        embedder: Embedder | None = None
        settled = job.done  # pages of the documents that are through
        while waiting := self._next(job):
            document, left = waiting[0], len(waiting)
            if embedder is None:
                job.doing = Sentence("Getting the embedder ready, the model that turns text into numbers")
                embedder = self._load()

            def tell(
                page: int, pages: int, looking: bool, waiting: list[Document] = waiting, settled: int = settled, left: int = left
            ) -> None:
                for one in waiting:  # whose passwords must not be forgotten before their turn
                    self._passwords.get(self.folder.name, one.sha256)
                read = page - 1 if looking else page
                # what is not opened yet counts as much as this one
                job.done, job.total = max(job.done, settled + read), settled + pages * left
                values = {"name": waiting[0].name, "page": page, "pages": pages}
                job.doing = Sentence(LOOKING, **values) if looking else Sentence("Reading {name}: page {page} of {pages}", **values)

            try:
                self.reading = document.id
                settled += self._one(document, embedder, job, tell)
            except pdf.Cancelled:
                break
            except FileUnreadable as error:
                self.index.fail(document.id, error.sentence)
                if error.sentence.template in WITHOUT_PASSWORD:
                    self._passwords.forget(self.folder.name, document.sha256)
            except PlaygroundError:
                raise
            except Exception:
                if not self.folder.exists():
                    break
                reference = secrets.token_hex(3)
                log.exception("document %s of collection %s failed, reference %s", document.sha256, self.folder.name, reference)
                self.index.fail(document.id, Sentence(UNEXPECTED, name=document.name, reference=reference))
            finally:
                self.reading = None
            job.result = self._result(job)
        job.total = job.done
        return self._result(job)

    def _one(self, document: Document, embedder: Embedder, job: Job, tell: Callable[[int, int, bool], None]) -> int:
        """Read, cut and store one document; gives its number of pages."""
        pages: list[pdf.Page] = []
        health = Health()
        health.about.looking = lambda page, total: tell(page, total, True)
        path, password = self.folder / "documents" / document.file, self._passwords.get(self.folder.name, document.sha256)
        rows = document.unit == ROW
        health.about.unit = document.unit

        def reading() -> Iterator[pdf.Page]:
            read = lines(path) if rows else pdf.read(path, document.name, job.stopping, password=password, about=health.about)
            for total, page in read:
                health.add(page)
                pages.append(page)
                tell(page.number, total, False)
                yield page

        chunks: list[Chunk] = []
        vectors: list[np.ndarray] = []
        size = (self.size.tokens, self.size.overlap, embedder.reads)
        for one in whole(reading()) if rows else chunk(reading(), embedder.tokenizer, *size):
            chunks.append(one)
            if len(chunks) % BATCH == 0:
                if job.stopping():
                    raise pdf.Cancelled
                vectors.append(embedder.passages([c.text for c in chunks[-BATCH:]]))
        rest = len(chunks) % BATCH
        if rest:
            vectors.append(embedder.passages([c.text for c in chunks[-rest:]]))
        if job.stopping():
            raise pdf.Cancelled
        if not chunks:
            absent = ocr.ABSENT in health.missed
            self.index.fail(document.id, Sentence(SCAN if absent else BARE, name=document.name), len(pages), len(pages))
            return len(pages)
        # a changed file takes the place of its former version; one that still waits is not former, but comes later
        same = [one for one in self.index.documents() if one.name == document.name and one.id != document.id]
        former = [one for one in same if one.state != WAITING]
        gone = [id for one in former for id in self.index.ids(one.id)]
        stored = np.concatenate(vectors)
        texts = [(page.number, page.label, page.text, page.garbled) for page in pages]
        boxes = {page.number: page.boxes for page in pages if page.ocr}
        about: dict[str, Any] = {"boxes": boxes, "unit": health.about.unit, "health": health.card()}
        about["begun"] = {page.number: page.sections for page in pages if page.sections}
        ids = self.index.finish(document.id, chunks, stored, texts, replaces=[one.id for one in former], **about)
        self.dense.remove(self.folder.name, gone)
        self.dense.add(self.folder.name, ids, stored)
        for before in former:
            (self.folder / "documents" / before.file).unlink(missing_ok=True)
        if any(before.state == DONE for before in former):
            self.notes.append(Sentence(REPLACED, name=document.name))
        if not health.about.encrypted:
            self._passwords.forget(self.folder.name, document.sha256)
        return len(pages)

    def _result(self, job: Job) -> dict[str, Any]:
        if not self.folder.exists():  # the collection was deleted meanwhile
            return {"job_id": job.job_id, "documents": [], "notes": []}
        reports = [report(one) for one in self.index.documents()]
        here = {one["name"] for one in reports}
        for name, sentence in self.skipped.items():
            for one in reports:
                if one["name"] == name:
                    one["skipped"] = str(sentence)
            if name not in here:
                nothing = {"pages": 0, "pages_ocr": 0, "pages_empty": 0, "chunks": 0}
                reports.append({"document_id": None, "name": name, **nothing, "skipped": str(sentence), "error": None})
        return {"job_id": job.job_id, "documents": reports, "notes": list(map(str, self.notes))}


def lines(path: Path) -> Iterable[tuple[int, pdf.Page]]:
    """(rows in all, row) of a table that was stored as text, a row a line."""
    texts = path.read_text("utf-8").split("\n")
    return ((len(texts), pdf.Page(number, "", text)) for number, text in enumerate(texts, 1) if text)


def needs_password(one: Document) -> bool:
    """Whether a document failed for want of the right password."""
    return one.error is not None and one.error.template in WITHOUT_PASSWORD


def report(one: Document, reading: int | None = None) -> dict[str, Any]:
    """A document as `/list_documents` and `/index_documents` give it; sentences in English, and translatable.

    Args:
        reading: the number of the document that is being read at this moment.
    """
    card = one.health
    return {
        "document_id": one.id,
        "name": one.name,
        "unit": one.unit,
        "pages": one.pages,
        "pages_text": card.get("pages_text", one.pages - one.pages_empty - one.pages_garbled - one.pages_ocr),
        "pages_ocr": one.pages_ocr,
        "pages_empty": one.pages_empty,
        "pages_garbled": one.pages_garbled,
        "chunks": one.chunks,
        "ocr_confidence": card.get("ocr_confidence"),
        "language": card.get("language", ""),
        "tables": card.get("tables", 0),
        "sections": card.get("sections", 0),
        "attachments": card.get("attachments", []),
        "encrypted": card.get("encrypted", False),
        "orders": card.get("orders", []),
        "left_out": sentences(card),
        "state": READING if one.state == WAITING and one.id == reading else one.state,
        "needs_password": needs_password(one),
        "skipped": None,
        "error": one.error,
    }
