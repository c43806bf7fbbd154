"""A table as a document of a collection: each row is a passage, and a page of its own.

Knows rows as texts; does not know tables, or what they are asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from playground.errors import InputError, storage_errors
from playground.rag.chunks import Chunk
from playground.rag.index import DONE, Index
from playground.rag.store import Collections

ROW = "row"  # what such a document's pages are; a row is quoted as a whole
BATCH = 256


def store_rows(collections: Collections, owner: str, name: str, rows: Sequence[str], stopping: Callable[[], bool] = lambda: False) -> str:
    """Make or bring up to date the collection of that name, with one document of the same name; gives the name.

    Raises:
        InputError: no row has text.
    """
    texts = [(number, " ".join(row.split())) for number, row in enumerate(rows, 1)]
    texts = [(number, text) for number, text in texts if text]
    if not texts:
        raise InputError("The table has no row with text in it. Choose another table.")
    content = "\n".join(text for _, text in texts).encode()
    digest = hashlib.sha256(content).hexdigest()
    folder = collections.make(owner, name, rows=True)
    index = Index(folder / "index.sqlite")
    document = index.register(name, digest, f"{digest}.txt")
    if document.state == DONE:
        return name
    with storage_errors():
        (folder / "documents" / document.file).write_bytes(content)
    embedder = collections.embedder_of(folder)
    vectors: list[np.ndarray] = []
    for first in range(0, len(texts), BATCH):
        if stopping():
            return name
        vectors.append(embedder.passages([text for _, text in texts[first : first + BATCH]]))
    stored = np.concatenate(vectors)
    chunks = [Chunk(place, number, "", 0, text) for place, (number, text) in enumerate(texts)]
    former = [one for one in index.documents() if one.name == name and one.id != document.id]
    gone = [id for one in former for id in index.ids(one.id)]
    pages = [(number, "", text, False) for number, text in texts]
    ids = index.finish(document.id, chunks, stored, pages, replaces=[one.id for one in former], unit=ROW)
    collections.dense.remove(folder.name, gone)
    collections.dense.add(folder.name, ids, stored)
    for before in former:
        (folder / "documents" / before.file).unlink(missing_ok=True)
    return name
