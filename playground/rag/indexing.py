"""The work of an indexing job: every waiting document of one collection, one after the other, whole or not at all.

Knows pages, passages and vectors; does not know owners or questions.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from playground.errors import FileUnreadable, PlaygroundError, Sentence
from playground.jobs import Job
from playground.rag import pdf
from playground.rag.chunks import Chunk, chunk
from playground.rag.dense import Dense
from playground.rag.embedders import Embedder
from playground.rag.index import WAITING, Document, Index

log = logging.getLogger(__name__)

BATCH = 256  # passages between two looks at whether to stop
SCAN = (
    "{name} holds no text: its {pages} pages are pictures, as from a scanner. Reading pictures (OCR) is not part of this version; "
    "add a copy with text."
)
SCAN_ONE = (
    "{name} holds no text: its only page is a picture, as from a scanner. Reading pictures (OCR) is not part of this version; "
    "add a copy with text."
)
UNEXPECTED = (
    "{name} could not be indexed, because something went wrong in the playground itself. "
    "Add it again; if that does not help, tell the host the reference {reference}."
)


class Indexing:
    """One job's work. `skipped` are names of files that were already there, with the sentence that says so."""

    def __init__(self, folder: Path, index: Index, dense: Dense, embedder: Callable[[], Embedder], skipped: dict[str, Sentence]) -> None:
        self.folder, self.index, self.dense, self.skipped = folder, index, dense, skipped
        self._load = embedder

    def run(self, job: Job) -> dict[str, Any]:
        """Index what waits; gives the `documents` of `/index_documents`. A document that fails does not hold up the others."""
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

            def tell(page: int, pages: int, document: Document = document, settled: int = settled, left: int = left) -> None:
                job.done, job.total = settled + page, settled + pages * left  # what is not opened yet counts as much as this one
                job.doing = Sentence("Reading {name}: page {page} of {pages}", name=document.name, page=page, pages=pages)

            try:
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
            job.result = self._result(job)
        job.total = job.done
        return self._result(job)

    def _one(self, document: Document, embedder: Embedder, job: Job, tell: Callable[[int, int], None]) -> int:
        """Read, cut and store one document; gives its number of pages."""
        pages: list[pdf.Page] = []

        def reading() -> Iterator[pdf.Page]:
            for total, page in pdf.read(self.folder / "documents" / document.file, document.name, job.stopping):
                pages.append(page)
                tell(page.number, total)
                yield page

        chunks: list[Chunk] = []
        vectors: list[np.ndarray] = []
        for one in chunk(reading(), embedder.tokenizer):
            chunks.append(one)
            if len(chunks) % BATCH == 0:
                vectors.append(embedder.passages([c.text for c in chunks[-BATCH:]]))
        rest = len(chunks) % BATCH
        if rest:
            vectors.append(embedder.passages([c.text for c in chunks[-rest:]]))
        if job.stopping():
            raise pdf.Cancelled
        if not chunks:
            sentence = Sentence(SCAN_ONE if len(pages) == 1 else SCAN, name=document.name, pages=len(pages))
            self.index.fail(document.id, sentence, len(pages), len(pages))
            return len(pages)
        # a changed file takes the place of its former version; one that still waits is not former, but comes later
        same = [one for one in self.index.documents() if one.name == document.name and one.id != document.id]
        former = [one for one in same if one.state != WAITING]
        gone = [id for one in former for id in self.index.ids(one.id)]
        stored = np.concatenate(vectors)
        told = [(page.number, page.label, page.text, page.garbled) for page in pages]
        ids = self.index.finish(document.id, chunks, stored, told, replaces=[one.id for one in former])
        self.dense.remove(self.folder.name, gone)
        self.dense.add(self.folder.name, ids, stored)
        for before in former:
            (self.folder / "documents" / before.file).unlink(missing_ok=True)
        return len(pages)

    def _result(self, job: Job) -> dict[str, Any]:
        if not self.folder.exists():  # the collection was deleted meanwhile
            return {"job_id": job.job_id, "documents": []}
        told = [report(one) for one in self.index.documents()]
        here = {one["name"] for one in told}
        for name, sentence in self.skipped.items():
            for one in told:
                if one["name"] == name:
                    one["skipped"] = str(sentence)
            if name not in here:
                told.append(
                    {"name": name, "pages": 0, "pages_ocr": 0, "pages_empty": 0, "chunks": 0, "skipped": str(sentence), "error": None}
                )
        return {"job_id": job.job_id, "documents": told}


def report(one: Document) -> dict[str, Any]:
    """A document as `/list_documents` and `/index_documents` give it; sentences in English."""
    return {
        "name": one.name,
        "pages": one.pages,
        "pages_ocr": 0,
        "pages_empty": one.pages_empty,
        "pages_garbled": one.pages_garbled,
        "chunks": one.chunks,
        "state": one.state,
        "skipped": None,
        "error": str(one.error) if one.error else None,
    }
