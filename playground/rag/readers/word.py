"""Word documents, as one reads them with all changes accepted: paragraphs, tables, notes, text boxes, headers and footers.

What was deleted under tracked changes stays out. Pictures, charts, comments and embedded objects are left alone, and counted; nothing
outside the file is looked up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from playground.rag.readers import ooxml
from playground.rag.readers.ooxml import kind
from playground.rag.readers.sections import Block, pieces, table, told
from playground.rag.readers.tables import MOST_COLUMNS
from playground.rag.readers.told import COMMENTS, DRAWINGS, EMBEDDED, PICTURES, Request

TITLE = re.compile(r"(?:Heading ([1-3])|Title)$")
# what was taken away, how things look, the code of a field (what it gave stands beside it), how a word is pronounced
OUT = frozenset(
    ("del", "moveFrom", "instrText", "delText", "pPr", "rPr", "tblPr", "tblGrid", "trPr", "tcPr", "sectPr", "sdtPr", "sdtEndPr", "rt")
)
SIGNS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
DRAWN = ("drawing", "pict")
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def word(request: Request) -> Iterator[dict[str, Any]]:
    """A .docx file, from heading to heading."""
    import docx

    reading = _Reading(docx.Document(str(request.path)))
    yield from told("section", pieces(reading.all()), unread=reading.unread)


class _Reading:
    """One document, as it is read; `unread` counts what is left alone."""

    def __init__(self, document: Any) -> None:
        from docx.oxml.parser import parse_xml

        self.document, self._parse = document, parse_xml
        self.unread: Counter[str] = Counter()
        self._part = document.part  # whose relations count for what is being read
        found = ((style.style_id, TITLE.match(style.name or "")) for style in document.styles)
        self._titles = {id: 1 + int(title[1] or 0) for id, title in found if title}  # a title stands above all headings
        self._notes = {(what, one.get(f"{W}id")): (part, one) for what in ("foot", "end") for part, one in self._noted(what)}

    def all(self) -> Iterator[Block]:
        """What stands at the head and foot of the pages, each once, then the body."""
        part = self.document.part
        self.unread[COMMENTS] = ooxml.comments(part, self._parse)
        edges = [one for ending in ("/header", "/footer") for held in ooxml.related(part, ending) for one in self._elsewhere(held)]
        yield from {block.text: Block(block.text, table=block.table) for block in edges}.values()
        ooxml.choose(self.document.element.body)
        yield from self._blocks(self.document.element.body)

    def _noted(self, what: str) -> Iterator[tuple[Any, Any]]:
        for part in ooxml.related(self.document.part, f"/{what}notes"):
            yield from ((part, one) for one in self._parse(part.blob) if one.get(f"{W}type", "normal") == "normal")

    def _elsewhere(self, part: Any, element: Any = None) -> list[Block]:
        """The blocks of another part, or of an element in it."""
        root = self._parse(part.blob) if element is None else element
        ooxml.choose(root)
        before, self._part = self._part, part
        try:
            return list(self._blocks(root))
        finally:
            self._part = before

    def _blocks(self, holder: Any) -> Iterator[Block]:
        for one in holder:
            what = kind(one)
            if what == "p":
                yield from self._paragraph(one)
            elif what == "tbl":
                yield from self._table(one)
            elif what == "altChunk":
                self.unread[EMBEDDED] += 1
            elif what and what not in OUT and not _asks(one):
                yield from self._blocks(one)

    def _paragraph(self, paragraph: Any) -> Iterator[Block]:
        words: list[str] = []
        aside: list[Block] = []  # what hangs on it: notes, text boxes
        self._words(paragraph, words, aside)
        if text := "".join(words).replace("\n", " ").strip():
            style = paragraph.find(f"{W}pPr/{W}pStyle")
            yield Block(text, heading=0 if style is None else self._titles.get(style.get(f"{W}val"), 0))
        yield from aside

    def _words(self, holder: Any, words: list[str], aside: list[Block]) -> None:
        for one in holder:
            what = kind(one)
            if what == "t":
                words.append(one.text or "")
            elif what in SIGNS:
                words.append(SIGNS[what])
            elif what in DRAWN:
                self._drawing(one, aside)
            elif what == "object":  # of another program, with a picture that stands for it
                self.unread[EMBEDDED] += 1
            elif what in ("footnoteReference", "endnoteReference"):
                part, note = self._notes.pop((what.removesuffix("noteReference"), one.get(f"{W}id")), (None, None))
                if note is not None:
                    aside += self._elsewhere(part, note)
            elif what and what not in OUT and not _asks(one):
                self._words(one, words, aside)

    def _drawing(self, drawn: Any, aside: list[Block]) -> None:
        for one in drawn:
            what = kind(one)
            if what == "txbxContent":
                aside += self._blocks(one)
            elif what in ("blip", "imagedata"):
                self.unread[PICTURES] += 1
            elif what == "docPr" and (said := ooxml.description(one)):
                aside.append(Block(said))
            elif what == "chart":
                self.unread[DRAWINGS] += 1
            elif what == "relIds":
                found = ooxml.diagram(one, self._part, self._parse)
                aside += map(Block, found)
                self.unread[DRAWINGS] += not found
            else:
                self._drawing(one, aside)

    def _table(self, holder: Any) -> Iterator[Block]:
        rows: list[list[str]] = []
        alone: list[Block] = []
        for row in _held(holder, "tr"):
            if row.find(f"{W}trPr/{W}del") is not None:
                continue
            cells = [""] * _number(row.find(f"{W}trPr/{W}gridBefore"), 0)
            for cell in _held(row, "tc"):
                goes_on = cell.find(f"{W}tcPr/{W}vMerge")
                if goes_on is not None and goes_on.get(f"{W}val") != "restart":
                    text = rows[-1][len(cells)] if rows and len(cells) < len(rows[-1]) else ""
                else:
                    blocks = list(self._blocks(cell))
                    alone += blocks
                    text = " ".join(block.text for block in blocks)
                cells += [text] * _number(cell.find(f"{W}tcPr/{W}gridSpan"), 1)
            rows.append(cells)
        yield from table(rows, alone)


def _held(holder: Any, wanted: str) -> Iterator[Any]:
    """Rows or cells, also those within content controls and insertions."""
    for one in holder:
        what = kind(one)
        if what == wanted:
            yield one
        elif what and what not in OUT and what not in ("tr", "tc"):
            yield from _held(one, wanted)


def _asks(control: Any) -> bool:
    """Whether a content control still shows what it asks for."""
    return kind(control) == "sdt" and control.find(f"{W}sdtPr/{W}showingPlcHdr") is not None


def _number(element: Any, otherwise: int) -> int:
    value = element.get(f"{W}val", "") if element is not None else ""
    return min(int(value), MOST_COLUMNS + 1) if value.isdecimal() and len(value) < 9 else otherwise
