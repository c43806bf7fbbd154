"""A collection's passages and vectors made anew with another embedder, from the texts that were read already.

The new ones are laid aside in the same file and take the place of the old ones in one transaction, so whoever asks meanwhile, or after the
app was killed in the middle, is answered from the old ones. Knows pages, passages and vectors; does not know owners, files or questions.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from playground.errors import Sentence
from playground.jobs import Job
from playground.rag.chunks import ROW, USUAL, Size, chunk, whole
from playground.rag.embedders import Embedder
from playground.rag.index import DONE, Document, Index
from playground.rag.pdf import Page

BATCH = 256  # passages between two looks at whether to stop


class Reindexing:
    """One job's work. `swap` lets the new passages take the place of the old ones (`Index.swap`), and writes down whose they are."""

    def __init__(
        self, folder: Path, index: Index, embedder: Callable[[], Embedder], swap: Callable[[dict[str, Any]], None], size: Size = USUAL
    ) -> None:
        self.folder, self.index, self._load, self._swap, self.size = folder, index, embedder, swap, size
        self.embedder: Embedder | None = None

    def run(self, job: Job) -> dict[str, Any]:
        """Gives `result`; the old passages stay where it is stopped."""
        job.doing = Sentence("Getting the embedder ready, the model that turns text into numbers")
        self.embedder = embedder = self._load()
        self.index.unstage()
        documents = [one for one in self.index.documents() if one.state == DONE]
        job.total = sum(one.pages for one in documents)
        for document in documents:
            job.doing = Sentence("Indexing {name} anew: {n:,} pages", name=document.name, n=document.pages)
            if not self._one(document, embedder, job):
                self.index.unstage()
                return self.result()
            job.done += document.pages
        swapped = self.index.about().get("swapped", 0) + 1
        about = {"embedder": embedder.id, "fingerprint": embedder.fingerprint, "dimension": embedder.dimension, "swapped": swapped}
        self._swap(about)
        return self.result()

    def _one(self, document: Document, embedder: Embedder, job: Job) -> bool:
        """Whether it was done to its end."""
        pages = (Page(number, label, text) for number, label, text in self.index.pages(document.id))
        size = (self.size.tokens, self.size.overlap, embedder.reads)
        chunks = whole(pages) if document.unit == ROW else chunk(pages, embedder.tokenizer, *size)
        while some := list(islice(chunks, BATCH)):
            if job.stopping() or not self.folder.exists():
                return False
            self.index.stage(document.id, some, embedder.passages([one.text for one in some]))
        return not job.stopping()

    def result(self) -> dict[str, Any]:
        """As the collection is now: collection_id, embedder, documents and chunks."""
        told = self.index.documents() if self.folder.exists() else []
        return {
            "collection_id": self.folder.name,
            "embedder": self.embedder.id if self.embedder else None,
            "documents": len(told),
            "chunks": sum(one.chunks for one in told),
        }
