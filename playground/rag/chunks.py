"""Pages into passages: pieces of some 220 tokens that end where a sentence ends and lie within a page.

The last passage of a page borrows the end of its last sentence from the next page; a passage names the page where it starts. The splitter
is `semantic-text-splitter`, sized by the embedder's own tokenizer. Does not know files, indexes or models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from playground.rag.pdf import Page
from playground.rag.text import ends_whole, sentences

TOKENS = 220
MOST_BORROWED = 400  # characters from the next page


@dataclass(frozen=True)
class Chunk:
    """A passage: `start` is its first character's place in the text of its page, `number` counts within the document from 0."""

    number: int
    page: int
    label: str
    start: int
    text: str


def chunk(pages: Iterable[Page], tokenizer: Any, tokens: int = TOKENS) -> Iterator[Chunk]:
    """The passages of a document, page by page.

    Args:
        tokenizer: a `tokenizers.Tokenizer`, which counts.
        tokens: the size of a passage at most, but for a sentence finished from the next page.
    """
    from semantic_text_splitter import TextSplitter

    splitter = TextSplitter.from_huggingface_tokenizer(tokenizer, tokens)
    number, skip = 0, 0
    for page, following in _with_next(pages):
        body, shift = page.text[skip:], skip
        borrowed = "" if ends_whole(body) or following is None else _rest_of_sentence(following.text)
        skip = len(borrowed)
        pieces = splitter.chunk_indices(body) if body.strip() else []
        for place, (start, piece) in enumerate(pieces):
            whole = f"{piece} {borrowed.strip()}" if borrowed and place == len(pieces) - 1 else piece
            yield Chunk(number, page.number, page.label, shift + start, whole)
            number += 1
        if not pieces:
            skip = 0


def _with_next(pages: Iterable[Page]) -> Iterator[tuple[Page, Page | None]]:
    before: Page | None = None
    for page in pages:
        if before is not None:
            yield before, page
        before = page
    if before is not None:
        yield before, None


def _rest_of_sentence(text: str) -> str:
    """The beginning of a page up to its first sentence's end; nothing if that is far off."""
    spans = sentences(text)
    if not spans or spans[0][1] > MOST_BORROWED or not text[:1].islower():
        return ""
    return text[: spans[0][1]]
