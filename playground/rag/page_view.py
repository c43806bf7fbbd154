"""One page of a document as somebody looks at it: its picture with the quoted words marked, or its text where there is no picture.

Puts the index, the picture and the marking together. Does not know questions, models or screens.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playground.errors import FileUnreadable, InputError, NotFound, Sentence
from playground.rag.boxes import Box
from playground.rag.index import Document, Index, Passage
from playground.rag.marking import marks
from playground.rag.pdf import PROBLEMS
from playground.rag.pictures import LOCKED, Picture, paint
from playground.rag.readers.told import WRONG_PASSWORD
from playground.rag.store import Collections

KEPT = 6  # pictures, for whoever turns pages back or switches marks on and off
PAGE_GONE = "This page is not there any more, because its document was taken out or indexed anew. Ask the question again."
QUOTE_LOST = "The quoted words could not be found again on the picture of the page. They stand in the text below it."


@dataclass(frozen=True)
class Bordered:
    """A passage on a page: `number` counts on this page from 1, `boxes` are its lines, empty where they could not be found."""

    chunk: int
    number: int
    boxes: list[Box]
    text: str


@dataclass(frozen=True)
class PageView:
    """What is shown of a page. `marks` are boxes around the quotes' words, one a line; without a `picture`, `text` is what there is.

    `section` has the headings that the middle of the first quote stands under, or the middle of a page without one.
    """

    document: str
    document_id: int
    number: int
    label: str
    pages: int
    unit: str
    text: str
    quotes: tuple[str, ...]
    picture: Picture | None
    marks: list[Box]
    passages: list[Bordered]
    note: Sentence | None
    section: tuple[str, ...] = ()

    @property
    def locked(self) -> bool:
        """Whether there is no picture because the document's password is not known."""
        return self.note is not None and self.note.template == LOCKED


class PageViews:
    """The pages of every owner's documents. Safe under threads."""

    def __init__(self, collections: Collections) -> None:
        self.collections = collections
        self._pictures: OrderedDict[tuple[Path, int], Picture] = OrderedDict()
        self._lock = threading.Lock()

    def passage(self, owner: str, collection: str, chunk: int) -> Passage:
        """A passage by its number.

        Raises:
            NotFound: no such collection of this owner's, or no such passage in it.
        """
        found = Index(self.collections.find(owner, collection) / "index.sqlite").passages([int(chunk)])
        if not found:
            raise NotFound(PAGE_GONE)
        return next(iter(found.values()))

    def text(self, owner: str, collection: str, passage: Passage) -> str:
        """The text of a passage's page."""
        found = Index(self.collections.find(owner, collection) / "index.sqlite").page(passage.document, passage.page)
        return found[1] if found else ""

    def page(
        self, owner: str, collection: str, document: int, number: int, quotes: Sequence[tuple[str, float]] = (), *, borders: bool = False
    ) -> PageView:
        """A page with the quotes marked on it.

        Args:
            document: its number in the index, as a passage has it.
            number: of the page, from 1.
            quotes: each with where on the page it is expected (0..1), in case it stands there several times.
            borders: whether the passages that begin there are to be found, too.

        Raises:
            NotFound: no such collection of this owner's, document or page.
        """
        folder, index, known = self._document(owner, collection, document)
        stored = index.page(document, number)
        if stored is None:
            raise NotFound(PAGE_GONE)
        picture, note = self._picture(folder, known, number)
        read = [(box.text, box) for box in index.word_boxes(document, number)]  # of a page that was read from its picture
        readings = [read] if read else picture.readings if picture else []
        marked = [box for quote, near in quotes for box in marks(readings, quote, near)] if picture else []
        if picture and quotes and not marked and note is None:
            note = Sentence(QUOTE_LOST)
        passages = index.on_page(document, number) if borders else []
        size = max(1, len(stored[1]))
        drawn = [
            Bordered(one.id, place, marks(readings, one.text, one.start / size) if picture else [], one.text)
            for place, one in enumerate(passages, 1)
        ]
        texts = tuple(quote for quote, _ in quotes)
        section = index.section(document, number, round(quotes[0][1] * size) + len(quotes[0][0]) // 2 if quotes else size // 2)
        view = (known.name, document, number, stored[0], known.pages, known.unit, stored[1], texts, picture, marked, drawn, note, section)
        return PageView(*view)

    def unlock(self, owner: str, collection: str, document: int, number: int, password: str) -> None:
        """Know a document's password again for a while (`playground.rag.passwords`); that it draws the page `number` is its proof.

        Raises:
            InputError: none, or a wrong one; NotFound: no such collection of this owner's, or document; FileUnreadable: this page cannot
                be drawn with any.
        """
        folder, _, known = self._document(owner, collection, document)
        if not isinstance(password, str) or not password:
            raise InputError("There is no password yet. Write it, then open the document.")
        path = folder / "documents" / known.file
        try:
            made = paint(path, known.name, number, password=password)
        except FileUnreadable as error:
            if error.sentence.template == LOCKED:
                raise InputError(PROBLEMS[WRONG_PASSWORD], name=known.name) from error
            raise
        self.collections.passwords.remember(folder.name, known.sha256, password)
        self._keep((path, number), made)

    def _document(self, owner: str, collection: str, document: int) -> tuple[Path, Index, Document]:
        folder = self.collections.find(owner, collection)
        index = Index(folder / "index.sqlite")
        known = next((one for one in index.documents() if one.id == document), None)
        if known is None:
            raise NotFound(PAGE_GONE)
        return folder, index, known

    def _picture(self, folder: Path, document: Document, number: int) -> tuple[Picture | None, Sentence | None]:
        path = folder / "documents" / document.file
        if document.unit != "page":
            return None, None  # what has no pages of its own is shown as the text that it is
        key = (path, number)
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
                return self._pictures[key], None
        try:
            made = paint(path, document.name, number, password=self.collections.passwords.get(folder.name, document.sha256))
        except FileUnreadable as error:
            return None, error.sentence
        self._keep(key, made)
        return made, None

    def _keep(self, key: tuple[Path, int], made: Picture) -> None:
        with self._lock:
            self._pictures[key] = made
            while len(self._pictures) > KEPT:
                self._pictures.popitem(last=False)


def expected(passage: Passage, quote: str, page_text: str) -> float:
    """Where on its page (0..1) a passage's quote stands."""
    return (passage.start + max(0, passage.text.find(quote))) / max(1, len(page_text))
