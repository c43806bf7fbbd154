"""How the first pages of a file would be cut into passages, before anything is indexed. Does not know collections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from playground.errors import FileUnreadable
from playground.rag import pdf
from playground.rag.chunks import Chunk, Size, chunk
from playground.rag.readers import told

PAGES = 3
LOCKED = "{name} is protected by a password. Add it to a collection, and give its password there; then it can be tried here, too."


@dataclass(frozen=True)
class Cut:
    """A passage: `tokens` it has, and `shared` characters at its beginning that the one before it ends with."""

    page: int
    text: str
    tokens: int
    shared: int


@dataclass(frozen=True)
class Preview:
    """The passages of the first `pages` of `total` pages."""

    name: str
    pages: int
    total: int
    cuts: list[Cut]


def preview(path: Path, name: str, tokenizer: Any, size: Size, reads: int | None = None, password: str | None = None) -> Preview:
    """The passages of a file's first pages.

    Args:
        tokenizer: a `tokenizers.Tokenizer`, which counts.
        reads: as of `chunk`.
        password: of the file, where one is known.

    Raises:
        FileUnreadable: as `pdf.read`.
    """
    total = 0

    def first() -> Iterator[pdf.Page]:
        nonlocal total
        reading = pdf.read(path, name, password=password)
        try:
            for count, page in islice(reading, PAGES + 1):
                total = count
                yield page
        except FileUnreadable as error:  # a password is given for documents that were added, and nowhere else
            if error.sentence.template == pdf.PROBLEMS[told.PASSWORD]:
                raise FileUnreadable(LOCKED, name=name) from error
            raise
        finally:
            reading.close()  # type: ignore[attr-defined]

    # one page more than is shown, for the last sentence may be finished there
    chunks = [one for one in chunk(first(), tokenizer, size.tokens, size.overlap, reads) if one.page <= PAGES]
    counts = [len(one.ids) for one in tokenizer.encode_batch([one.text for one in chunks], add_special_tokens=False)] if chunks else []
    before: list[Chunk | None] = [None, *chunks]
    cuts = [Cut(one.page, one.text, tokens, shared(last, one)) for one, tokens, last in zip(chunks, counts, before, strict=False)]
    return Preview(name, min(PAGES, total), total, cuts)


def shared(last: Chunk | None, one: Chunk) -> int:
    """How many characters a passage repeats of the one before it on the same page."""
    if last is None or last.page != one.page:
        return 0
    return max(0, min(len(one.text), last.start + len(last.text) - one.start))
