"""The work of an indexing job: every waiting document of one collection, one after the other, whole or not at all.

Knows pages, passages and vectors; does not know owners or questions.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from playground.errors import FileUnreadable, PlaygroundError, Sentence
from playground.jobs import Job
from playground.rag import pdf
from playground.rag.chunks import USUAL, Chunk, Size, chunk
from playground.rag.dense import Dense
from playground.rag.embedders import Embedder
from playground.rag.health import Health, sentences
from playground.rag.index import WAITING, Document, Index
from playground.rag.readers import ocr, told

log = logging.getLogger(__name__)

READING = "reading"  # a waiting document that a job is at this moment reading; no such state is stored
BATCH = 256  # passages between two looks at whether to stop
SCAN = (
    "{name} is a scan: its pages are pictures, and the program that reads pictures (Tesseract) is not installed. "
    "Install the packages tesseract-ocr and tesseract-ocr-por, then add the file again."
)
BARE = "{name} holds no text: no words were found in it, nor in its pictures. Add a sharper scan, or a copy with text."
LOOKING = "Reading the picture of a page of {name} (OCR): page {page} of {pages}"
UNEXPECTED = (
    "{name} could not be indexed, because something went wrong in the playground itself. "
    "Add it again; if that does not help, tell the host the reference {reference}."
)


class Indexing:
    """One job's work. `skipped` are names of files that were already there, with the sentence that says so.

    `passwords` are by the documents' SHA-256; they go with the job, and `opened` is told of each that opened a document. `reading` is the
    number of the document that is being read at this moment.
    """

    def __init__(
        self,
        folder: Path,
        index: Index,
        dense: Dense,
        embedder: Callable[[], Embedder],
        skipped: dict[str, Sentence],
        passwords: Mapping[str, str] | None = None,
        size: Size = USUAL,
        opened: Callable[[str, str], None] = lambda sha256, password: None,
    ) -> None:
        self.folder, self.index, self.dense, self.skipped, self.size = folder, index, dense, skipped, size
        self._load, self._passwords = embedder, dict(passwords or {})
        self.reading: int | None = None
        self._opened = opened

    def run(self, job: Job) -> dict[str, Any]:
        """Index what waits; gives the `documents` of `/index_documents`. A document that fails does not hold up the others."""
        self.index.unstage()  # what a killed app may have left of an attempt to index this collection anew
        waiting = [one for one in self.index.documents() if one.state == WAITING]
        embedder: Embedder | None = None
        settled = 0  # pages of the documents that are through
        for place, document in enumerate(waiting):
            if job.stopping() or not self.folder.exists():
                break
            if embedder is None:
                job.doing = Sentence("Getting the embedder ready, the model that turns text into numbers")
                embedder = self._load()
            left = len(waiting) - place

            def tell(page: int, pages: int, looking: bool, document: Document = document, settled: int = settled, left: int = left) -> None:
                read = page - 1 if looking else page
                # what is not opened yet counts as much as this one
                job.done, job.total = max(job.done, settled + read), settled + pages * left
                values = {"name": document.name, "page": page, "pages": pages}
                job.doing = Sentence(LOOKING, **values) if looking else Sentence("Reading {name}: page {page} of {pages}", **values)

            try:
                self.reading = document.id
                settled += self._one(document, embedder, job, tell)
            except pdf.Cancelled:
                break
            except FileUnreadable as error:
                self.index.fail(document.id, error.sentence)
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
        self._passwords.clear()
        job.total = job.done
        return self._result(job)

    def _one(self, document: Document, embedder: Embedder, job: Job, tell: Callable[[int, int, bool], None]) -> int:
        """Read, cut and store one document; gives its number of pages."""
        pages: list[pdf.Page] = []
        health = Health()
        health.about.looking = lambda page, total: tell(page, total, True)
        path, password = self.folder / "documents" / document.file, self._passwords.get(document.sha256)

        def reading() -> Iterator[pdf.Page]:
            for total, page in pdf.read(path, document.name, job.stopping, password=password, about=health.about):
                health.add(page)
                pages.append(page)
                tell(page.number, total, False)
                yield page

        chunks: list[Chunk] = []
        vectors: list[np.ndarray] = []
        for one in chunk(reading(), embedder.tokenizer, self.size.tokens, self.size.overlap, embedder.reads):
            chunks.append(one)
            if len(chunks) % BATCH == 0:
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
        if password and health.about.encrypted:
            self._opened(document.sha256, password)
        return len(pages)

    def _result(self, job: Job) -> dict[str, Any]:
        if not self.folder.exists():  # the collection was deleted meanwhile
            return {"job_id": job.job_id, "documents": []}
        reports = [report(one) for one in self.index.documents()]
        here = {one["name"] for one in reports}
        for name, sentence in self.skipped.items():
            for one in reports:
                if one["name"] == name:
                    one["skipped"] = str(sentence)
            if name not in here:
                nothing = {"pages": 0, "pages_ocr": 0, "pages_empty": 0, "chunks": 0}
                reports.append({"name": name, **nothing, "skipped": str(sentence), "error": None})
        return {"job_id": job.job_id, "documents": reports}


def needs_password(one: Document) -> bool:
    """Whether a document failed for want of the right password."""
    return one.error is not None and one.error.template in (pdf.PROBLEMS[told.PASSWORD], pdf.PROBLEMS[told.WRONG_PASSWORD])


def report(one: Document, reading: int | None = None) -> dict[str, Any]:
    """A document as `/list_documents` and `/index_documents` give it; sentences in English, and translatable.

    Args:
        reading: the number of the document that is being read at this moment.
    """
    card = one.health
    return {
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
