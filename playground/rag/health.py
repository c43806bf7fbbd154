"""How well a document could be read, as a card: what its pages are, and what was left out and why.

Collects while pages come by. Knows pages; does not know files, indexes or how a card is shown.
"""

from __future__ import annotations

from typing import Any

from playground.errors import Sentence, pack, unpack
from playground.rag.orders import gives_orders
from playground.rag.pdf import About, Page
from playground.rag.readers import limits, ocr, told
from playground.rag.text import share_of_small_words

SAMPLE = 40_000  # characters by which the language is told
MOST_PAGES = 20  # that are named
MOST_NAMES = 10
KNOWN = 0.08  # share of a language's commonest small words from which it is taken to be that one
NOT_INSTALLED = (
    "Pages that are pictures were not read, since the program for it (Tesseract) is not installed: {n:,}. "
    "Install the packages tesseract-ocr and tesseract-ocr-por, then add the file again."
)
TOOK_LONG = "Pages whose pictures took longer than {seconds} seconds to read, and were left out: {n:,}."
NO_WORDS = "Pages that are pictures on which no words could be made out: {n:,}."
BROKE_DOWN = "Reading broke down at these pages, so they were left out: {pages}. Print the file to a new PDF, then add that."
TOO_SLOW = "These pages took too long to read, so they were left out: {pages}. Print the file to a new PDF, then add that."
TOO_LARGE = "These pages need more memory than a page may take, so they were left out: {pages}. Print the file to a new PDF, then add that."
ATTACHED = "Files that travel inside this one were not read: {names}. Add them by themselves."
CUT_SHORT = "Only the first rows of very large tables were read: {names}."
LONG_PAGES = "Only the first {most:,} characters of these very long pages or parts were read: {pages}."
NOT_READ = {
    told.PICTURES: "Pictures within the text were not read: {n:,}. Where they hold words, add those pictures by themselves.",
    told.DRAWINGS: "Charts and drawings were not read: {n:,}. Where they hold what matters, print the file to a PDF, then add that.",
    told.COMMENTS: "Comments in the margin were not read: {n:,}.",
    told.FORMS: "What was filled into its forms was not read, since reading broke down at a page. Print it to a new PDF, then add that.",
    told.XFA: "This form (XFA) opens in Adobe's programs alone, so it was not read. Print it to a new PDF there, then add that.",
    told.EMBEDDED: "Films, sounds and what other programs put into this file were not read: {n:,}. Add their own files by themselves.",
}
ENGLISH_ONLY = "Pictures were read as English only. Install the package tesseract-ocr-por for Portuguese, then add the file again."


class Health:
    """The card of one document."""

    def __init__(self) -> None:
        self.about = About()
        self._pages = {"text": 0, "ocr": 0, "garbled": 0, "empty": 0}
        self._missed: dict[str, list[int]] = {}
        self._cut: list[int] = []
        self._sure = [0.0, 0]  # confidence times letters, letters
        self._tables = 0
        self._sections = 0
        self._orders: list[int] = []
        self._sample: list[str] = []
        self._sampled = 0

    def add(self, page: Page) -> None:
        """Look at one page."""
        self._pages["garbled" if page.garbled else "ocr" if page.ocr else "text" if page.text else "empty"] += 1
        self._tables += page.tables
        self._sections += len(page.sections)
        if page.missed:
            self._missed.setdefault(page.missed, []).append(page.number)
        if page.cut:
            self._cut.append(page.number)
        for box in page.boxes:
            self._sure[0] += (box.confidence or 0.0) * len(box.text)
            self._sure[1] += len(box.text)
        if gives_orders(page.text):
            self._orders.append(page.number)
        if self._sampled < SAMPLE and not page.garbled:
            self._sample.append(page.text)
            self._sampled += len(page.text)

    @property
    def missed(self) -> dict[str, int]:
        """How many pages, or their pictures, were not read, by the reason (`Page.missed`)."""
        return {why: len(pages) for why, pages in self._missed.items()}

    def card(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "pages_text": self._pages["text"],
            "ocr_confidence": round(self._sure[0] / self._sure[1], 3) if self._sure[1] else None,
            "language": _language(" ".join(self._sample)),
            "tables": self._tables,
            "sections": self._sections,
            "attachments": self.about.attachments,
            "encrypted": self.about.encrypted,
            "orders": self._orders[:MOST_PAGES],
            "left_out": [pack(one) for one in self._left_out()],
        }

    def _left_out(self) -> list[Sentence]:
        said, missed = list[Sentence](), self.missed
        if lost := self._missed.get(limits.BROKE):
            said.append(Sentence(BROKE_DOWN, pages=_numbers(lost)))
        if lost := self._missed.get(limits.LATE):
            said.append(Sentence(TOO_SLOW, pages=_numbers(lost)))
        if lost := self._missed.get(limits.FULL):
            said.append(Sentence(TOO_LARGE, pages=_numbers(lost)))
        if n := missed.get(ocr.ABSENT):
            said.append(Sentence(NOT_INSTALLED, n=n))
        if n := missed.get(ocr.SLOW):
            said.append(Sentence(TOOK_LONG, n=n, seconds=round(ocr.SECONDS)))
        if n := missed.get(ocr.NOTHING):
            said.append(Sentence(NO_WORDS, n=n))
        if self.about.attachments:
            said.append(Sentence(ATTACHED, names=_names(self.about.attachments)))
        if self.about.cut:
            said.append(Sentence(CUT_SHORT, names=_names(self.about.cut)))
        if self._cut:
            said.append(Sentence(LONG_PAGES, most=told.MOST_CHARACTERS, pages=_numbers(self._cut)))
        said += [Sentence(NOT_READ[what], n=n) for what, n in self.about.unread.items()]
        if self._pages["ocr"] and self.about.languages and "por" not in self.about.languages:
            said.append(Sentence(ENGLISH_ONLY))
        return said


def sentences(card: dict[str, Any]) -> list[Sentence]:
    """What a stored card says was left out."""
    return [said for one in card.get("left_out", []) if (said := unpack(one))]


def _numbers(pages: list[int]) -> str:
    return ", ".join(map(str, pages[:MOST_PAGES])) + (" …" if len(pages) > MOST_PAGES else "")


def _names(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (" …" if len(names) > MOST_NAMES else "")


def _language(text: str) -> str:
    """`en` or `pt`; empty where neither can be told."""
    shares = share_of_small_words(text)
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= KNOWN else ""
