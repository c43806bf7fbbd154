"""Pages into passages: pieces of some 220 tokens, or another size, that end where a sentence ends and lie within a page.

The last passage of a page borrows the end of its last sentence from the next page; a passage names the page where it starts. The splitter
is `semantic-text-splitter`, sized by the embedder's own tokenizer. Does not know files, indexes or models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from playground.errors import SettingsError
from playground.rag.pdf import Page
from playground.rag.text import ends_whole, sentences

TOKENS = 220
SIZES = (64, 400)  # tokens
MOST_OVERLAP = 0.25  # of a passage
MOST_BORROWED = 400  # characters from the next page
ROW = "row"  # the unit of a table: each row is a page of its own, and is quoted as a whole


@dataclass(frozen=True)
class Size:
    """How large passages are at most, in tokens, and how many tokens at most a passage has in common with the one before it."""

    tokens: int = TOKENS
    overlap: int = 0

    @classmethod
    def read(cls, tokens: Any = None, overlap: Any = None) -> Size:
        """A size as somebody set it; None stands for the usual.

        Raises:
            SettingsError: no whole numbers, or out of range.
        """
        tokens, overlap = TOKENS if tokens is None else tokens, 0 if overlap is None else overlap
        least, most = SIZES
        whole = all(isinstance(one, int | float) and not isinstance(one, bool) and one == int(one) for one in (tokens, overlap))
        if not whole or not least <= tokens <= most or not 0 <= overlap <= tokens * MOST_OVERLAP:
            raise SettingsError(
                "A passage has {least} to {most} tokens, and at most a quarter of them overlap with the one before.", least=least, most=most
            )
        return cls(int(tokens), int(overlap))

    def within(self, reads: int | None) -> Size:
        """This size, or the largest one of which an embedder that reads so many tokens sees the end."""
        if reads is None or self.tokens <= reads:
            return self
        return Size(reads, min(self.overlap, int(reads * MOST_OVERLAP)))


USUAL = Size()


def size_in(identity: Mapping[str, Any]) -> Size:
    """The size that a collection's passages have, by its manifest; the usual one where an older one does not tell."""
    return Size(identity.get("passage_tokens", Size.tokens), identity.get("passage_overlap", Size.overlap))


def size_of(settings: Mapping[str, Any] | None) -> Size | None:
    """A size from settings named `tokens` and `overlap`; None where none is set.

    Raises:
        SettingsError: other names, or as `Size.read`.
    """
    if not settings:
        return None
    if unknown := [str(name)[:50] for name in settings if name not in ("tokens", "overlap")]:
        raise SettingsError("Passages have no setting {names}; they have tokens and overlap.", names=", ".join(unknown))
    return Size.read(settings.get("tokens"), settings.get("overlap"))


@dataclass(frozen=True)
class Chunk:
    """A passage: `start` is its first character's place in the text of its page, `number` counts within the document from 0."""

    number: int
    page: int
    label: str
    start: int
    text: str


def chunk(pages: Iterable[Page], tokenizer: Any, tokens: int = TOKENS, overlap: int = 0, reads: int | None = None) -> Iterator[Chunk]:
    """The passages of a document, page by page.

    Args:
        tokenizer: a `tokenizers.Tokenizer`, which counts.
        tokens: the size of a passage at most, but for a sentence finished from the next page.
        overlap: tokens at most that a passage repeats of the one before it on its page.
        reads: how many tokens of a passage the embedder reads, where that is limited; none has more, a finished sentence or not.
    """
    from semantic_text_splitter import TextSplitter

    size = Size(tokens, overlap).within(reads)
    splitter = TextSplitter.from_huggingface_tokenizer(tokenizer, size.tokens, overlap=size.overlap)
    number, skip = 0, 0
    for page, following in _with_next(pages):
        body, shift = page.text[skip:], skip
        borrowed = "" if ends_whole(body) or following is None else _rest_of_sentence(following.text)
        pieces = splitter.chunk_indices(body) if body.strip() else []
        if borrowed and reads and pieces and len(tokenizer.encode(f"{pieces[-1][1]} {borrowed.strip()}", add_special_tokens=False)) > reads:
            borrowed = ""
        skip = len(borrowed)
        for place, (start, piece) in enumerate(pieces):
            whole = f"{piece} {borrowed.strip()}" if borrowed and place == len(pieces) - 1 else piece
            yield Chunk(number, page.number, page.label, shift + start, whole)
            number += 1
        if not pieces:
            skip = 0


def whole(pages: Iterable[Page]) -> Iterator[Chunk]:
    """Each page as one passage, such as the rows of a table; one without text has none."""
    for number, page in enumerate(page for page in pages if page.text.strip()):
        yield Chunk(number, page.number, page.label, 0, page.text)


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
