"""A PDF's pages: text by PDFium, by pypdf where that fails or is garbled, by Tesseract where there is none; tables by pdfplumber.

Of two readings of a page the better one counts: the one with the smaller share of characters that stand for nothing readable
(`told.garbled`), and a picture's only where Tesseract is sure of it. Runs in the process that may be killed; PDFium is used by its main
thread alone.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from playground.rag.readers import forms, ocr, rules, turned
from playground.rag.readers.limits import FULL, within
from playground.rag.readers.outline import Outline
from playground.rag.readers.tables import Tables
from playground.rag.readers.told import (
    DAMAGED,
    ENOUGH,
    FORMS,
    GARBLED,
    MANY_PAGES,
    MOST_PAGES,
    NO_PAGES,
    OUTLINE,
    PASSWORD,
    WRONG_PASSWORD,
    XFA,
    Part,
    Request,
    Told,
    Unreadable,
    garbled,
    letters,
)

FEW = 8  # letters and digits; a page with fewer is looked at as a picture, if it shows anything
STAMP = 150  # letters; a page that is mostly a picture may have so many in a stamp, such as the name of the scanner's program
MOSTLY = 0.5  # share of a page that pictures cover, then
SURE = 0.6  # Tesseract's mean confidence from which its words count more than garbled ones
SECOND_SECONDS, TABLE_SECONDS = 10.0, 8.0
AHEAD = 64  # pages that may wait for a picture before them
COPIED = 20  # characters from which a note that the page says, too, is taken to be a copy of it
MOST_NAMED = 50  # attachments that are named
Page = Callable[[int], tuple[str, str]]


def pages(request: Request) -> Iterator[dict[str, Any]]:
    """What goes out, line by line.

    Raises:
        Unreadable
    """
    # where a page ended an earlier reader, a form of countless fields may have done it, of which PDFium makes a list at the first one
    pdf = _Pdfium(request.path, request.password, with_forms=not request.lost.keys() - {OUTLINE})
    second = _Pypdf(request.path, request.password)
    count = pdf.count if pdf.document else second.count
    if count == 0:
        raise Unreadable(NO_PAGES)
    if count > MOST_PAGES:
        raise Unreadable(MANY_PAGES)
    yield {"pages": count, "unit": "page"}
    if OUTLINE not in request.lost:
        yield {"at": OUTLINE}
    outline = Outline(pdf.document if OUTLINE not in request.lost else None)
    work = _Work(pdf, second, Tables(request.path, request.password), outline, _tesseract(request))
    with ThreadPoolExecutor(ocr.AT_ONCE) as pool:
        yield from work.through(range(request.start - 1, count), request.lost, pool)
    languages = work.tesseract.languages if work.tesseract and work.looked else []
    yield {"end": True, "attachments": pdf.attachments(), "encrypted": pdf.encrypted, "languages": languages, "unread": pdf.unread}


def _tesseract(request: Request) -> ocr.Tesseract | None:
    return ocr.Tesseract(request.tesseract) if request.tesseract else None


class _Pdfium:
    """The file with PDFium; `document` is None where PDFium cannot open it."""

    def __init__(self, path: Path, password: str | None, with_forms: bool) -> None:
        import pypdfium2 as pdfium
        import pypdfium2.raw as raw

        self.raw = raw
        self.document: Any = None
        try:
            self.document = pdfium.PdfDocument(path, password=password)
        except pdfium.PdfiumError as error:
            if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD:
                raise Unreadable(WRONG_PASSWORD if password else PASSWORD) from error
        if self.document and with_forms:
            forms.open_forms(self.document)

    @property
    def count(self) -> int:
        return len(self.document)

    @property
    def unread(self) -> dict[str, int]:
        if not self.document or not self.document.get_formtype():
            return {}
        return {XFA: int(forms.only_for_acrobat(self.document)), FORMS: int(not self.document.formenv)}

    @property
    def encrypted(self) -> bool:
        return bool(self.document) and self.raw.FPDF_GetSecurityHandlerRevision(self.document) >= 0

    def attachments(self) -> list[str]:
        """Names of files that travel inside; none of them is opened."""
        names: list[str] = []
        with contextlib.suppress(Exception):
            for number in range(min(MOST_NAMED, self.document.count_attachments())):
                names.append(self.document.get_attachment(number).get_name()[:200])
        return names

    def label(self, number: int) -> str:
        with contextlib.suppress(ValueError):  # an odd label does not cost the text
            return self.document.get_page_label(number) or ""
        return ""


class _Pypdf:
    """The file with pypdf, opened on first use; slower, and forgiving with broken files."""

    def __init__(self, path: Path, password: str | None) -> None:
        self.path, self.password = path, password
        self._reader: Any = None
        self._labels: list[str] = []

    @property
    def reader(self) -> Any:
        if self._reader is None:
            import pypdf

            try:
                reader = pypdf.PdfReader(io.BytesIO(self.path.read_bytes()), strict=False)
                if reader.is_encrypted and not reader.decrypt(self.password or ""):
                    raise Unreadable(WRONG_PASSWORD if self.password else PASSWORD)
            except pypdf.errors.PyPdfError as error:
                raise Unreadable(DAMAGED) from error
            with contextlib.suppress(Exception):
                self._labels = reader.page_labels
            self._reader = reader
        return self._reader

    @property
    def count(self) -> int:
        return len(self.reader.pages)

    def text(self, number: int) -> str:
        return (self.reader.pages[number].extract_text() or "")[:ENOUGH]

    def label(self, number: int) -> str:
        return self._labels[number] if number < len(self._labels) else ""


class _Work:
    """The way of every page, in order; pictures are read beside it, two at a time."""

    def __init__(self, pdf: _Pdfium, second: _Pypdf, tables: Tables, outline: Outline, tesseract: ocr.Tesseract | None) -> None:
        self.pdf, self.second, self.tables, self.outline, self.tesseract = pdf, second, tables, outline, tesseract
        self.looked = False  # at a picture

    def through(self, numbers: range, lost: Mapping[int, str], pool: ThreadPoolExecutor) -> Iterator[dict[str, Any]]:
        waiting: deque[tuple[Told, Future[ocr.Recognised] | None, Part | None]] = deque()
        for number in numbers:
            under_way = [future for _, future, _ in waiting if future and not future.done()]
            while waiting and (len(under_way) >= ocr.AT_ONCE or len(waiting) >= AHEAD):
                yield _settled(*waiting.popleft()).line()
                under_way = [future for _, future, _ in waiting if future and not future.done()]
            if number + 1 in lost:
                told, picture, beside = Told.left_out(number + 1, lost[number + 1], self.outline.on(number)), None, None
            else:
                yield {"at": number + 1}
                told, picture, beside = self.page(number)
            future = None
            if picture is not None and self.tesseract:
                self.looked = True
                yield {"ocr": number + 1}
                future = pool.submit(self.tesseract.read, *picture)
            waiting.append((told, future, beside))
            while waiting and (waiting[0][1] is None or waiting[0][1].done()):
                yield _settled(*waiting.popleft()).line()
        while waiting:
            yield _settled(*waiting.popleft()).line()

    def page(self, number: int) -> tuple[Told, tuple[bytes, int, int] | None, Part | None]:
        """A page, its picture (PNM, width, height in dots) where that is to be read too, and what was filled in or noted on it."""
        if not self.pdf.document:
            text = ""
            with contextlib.suppress(Exception), within(SECOND_SECONDS):  # one broken page does not cost the others
                text = self.second.text(number)
            return Told(number + 1, self.second.label(number), (Part(text),)), None, None
        label, missed, tables, picture, beside = "", "", 0, None, None
        parts: tuple[Part, ...] = (Part(""),)
        sections = self.outline.on(number)
        with contextlib.suppress(Exception):
            try:
                label = self.pdf.label(number)
                page = self.pdf.document[number]
                try:
                    with contextlib.closing(page.get_textpage()) as found:
                        parts, tables = self._text(page, number, found)
                        sections = self.outline.on(number, page, found)
                    beside = self._beside(page, parts)
                    if _is_picture(page, parts):
                        missed = "" if self.tesseract else ocr.ABSENT
                        picture = _picture(page) if self.tesseract else None
                finally:
                    page.close()
            except MemoryError:
                missed = missed if any(part.text.strip() for part in parts) else FULL
        return Told(number + 1, label, parts, tables=tables, missed=missed, sections=sections), picture, beside

    def _beside(self, page: Any, parts: tuple[Part, ...]) -> Part | None:
        """What was filled in and noted, without notes that say what the page says, such as those of marked text."""
        lines = [one.text for one in forms.said(self.pdf.document, page)]
        whole = "".join("".join(part.text for part in parts).split()) if lines else ""
        lines = [line for line in lines if len(line) < COPIED or "".join(line.split()) not in whole]
        return Part("\n".join(lines)[:ENOUGH], as_is=True) if lines else None

    def _text(self, page: Any, number: int, found: Any) -> tuple[tuple[Part, ...], int]:
        turn = turned.upright(page, found)
        with turned.at(page, turn) if turn != page.get_rotation() else contextlib.nullcontext(found) as upright:
            return self._upright(page, number, upright, turn)

    def _upright(self, page: Any, number: int, found: Any, turn: int) -> tuple[tuple[Part, ...], int]:
        """As `_text`, of the text page of the page at the rotation `turn`."""
        text = found.get_text_range()[:ENOUGH]
        share = garbled(text)
        if share > GARBLED:
            with contextlib.suppress(Exception), within(SECOND_SECONDS):
                other = self.second.text(number)
                if len(other.strip()) >= 0.5 * len(text.strip()) and garbled(other) < share:
                    return (Part(other),), 0
        elif text.strip() and rules.ruled(page):
            with contextlib.suppress(Exception), within(TABLE_SECONDS):
                return self._with_tables(page, number, found, text, turn)
        return (Part(text),), 0

    def _with_tables(self, page: Any, number: int, found: Any, text: str, turn: int) -> tuple[tuple[Part, ...], int]:
        tables = self.tables.on(number, turn)
        width, height = turned.size(page, turn)

        def within_frame(left: float, top: float, right: float, bottom: float) -> str:
            if right - left < 1 or bottom - top < 1:
                return ""
            one, other = turned.place(page, turn, left, top), turned.place(page, turn, right, bottom)
            (west, east), (south, north) = sorted((one[0], other[0])), sorted((one[1], other[1]))
            return str(found.get_text_bounded(west, south, east, north))

        parts = self.tables.parts(number, tables, within_frame, (width, height)) if tables else ()
        if not parts:
            return (Part(text),), 0
        outside = sum(letters(part.text) for part in parts if not part.as_is)
        held = outside + sum(letters(cell) for table in tables for row in table.cells for cell in row)
        whole = 0.95 <= held / max(1, letters(text)) <= 1.05  # else frames and letters do not lie where they seem to
        return (parts, len(tables)) if whole else ((Part(text),), 0)


def _is_picture(page: Any, parts: tuple[Part, ...]) -> bool:
    """Whether a page must be looked at to be read: it shows something, and has no text to speak of, or garbled text."""
    import pypdfium2.raw as raw

    text = "\n".join(part.text for part in parts)
    have = letters(text)
    if have >= STAMP and garbled(text) <= GARBLED:
        return False
    if raw.FPDFPage_CountObjects(page) + raw.FPDFPage_GetAnnotCount(page) == 0:
        return False
    return have < FEW or garbled(text) > GARBLED or rules.pictures(page, *page.get_size()) >= MOSTLY


def _picture(page: Any) -> tuple[bytes, int, int] | None:
    """A page in shades of grey at 300 dots to the inch, or fewer where it is very large; None where it shows nothing."""
    width, height = page.get_size()
    scale = min(ocr.DPI / 72, math.sqrt(ocr.MOST_PIXELS / max(1.0, width * height)))
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        dots = bitmap.to_numpy()
        wide, high = bitmap.width, bitmap.height
        if int(dots.max()) - int(dots.min()) < 16:  # blank
            return None
        return b"P5 %d %d 255\n" % (wide, high) + dots.reshape(high, -1)[:, :wide].tobytes(), wide, high
    finally:
        bitmap.close()


def _settled(told: Told, future: Future[ocr.Recognised] | None, beside: Part | None) -> Told:
    """A page once its picture is read: of the two texts the better one, and what was filled in and noted."""
    if future is not None:
        told = _better(told, future.result())
    if not beside:
        return told
    return replace(told, parts=(*told.parts, beside), missed="" if told.missed == ocr.NOTHING else told.missed)


def _better(told: Told, found: ocr.Recognised) -> Told:
    bad = garbled(told.text) > GARBLED
    more = letters(found.text) > letters(told.text)
    better = found.confidence >= SURE if bad else more
    if not found.words or not better:
        return replace(told, missed=found.missed)
    return replace(told, parts=(Part(found.text[:ENOUGH]),), ocr=True, boxes=found.words, tables=0, missed="")
