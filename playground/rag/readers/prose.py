"""Plain text, Markdown and HTML. Nothing that a page names is fetched, and nothing in it is run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from playground import decoding
from playground.rag.readers.sections import Block, pieces, told
from playground.rag.readers.tables import MOST_COLUMNS, header_of, is_table, lines, tidy
from playground.rag.readers.told import DRAWINGS, EMBEDDED, PICTURES, UNKNOWN, Request, Unreadable

BREAK, HEADING, ROW = "\x1c", "\x1d", "\x1e"  # stand in the text for what the tags said
_MARKS = str.maketrans(dict.fromkeys(BREAK + HEADING + ROW))
ELSEWHERE = ("iframe", "object", "embed", "video", "audio", "canvas")  # shows what is no text of this file
TITLED = ("h1", "h2", "h3", "h4", "h5", "h6", "dt", "summary")  # a button within one of these is a title that unfolds what follows
UNSEEN = ("script", "style", "noscript", "template", "svg", "iframe", "object", "head", "nav", "button", "select")
BLOCKS = (
    "address", "article", "aside", "blockquote", "br", "dd", "details", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "li",
    "main", "ol", "p", "pre", "section", "summary", "table", "tr", "ul",
)  # fmt: skip
TITLES = ("h1", "h2", "h3")


def decoded(content: bytes, said: str | None = None) -> str:
    """The text in bytes of an unnamed encoding, or of the one that they are `said` to have.

    Raises:
        Unreadable: it is no text.
    """
    if decoding.binary(content[: decoding.HEAD]):
        raise Unreadable(UNKNOWN)
    text, _, _ = decoding.decode(content, "", said=said)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def plain(request: Request) -> Iterator[dict[str, Any]]:
    """A text file, in pieces that end with a paragraph."""
    text = decoded(request.path.read_bytes())
    yield from told("part", pieces((Block(one) for one in re.split(r"\n\s*\n|\f", text)), as_is=False))


def markdown(request: Request) -> Iterator[dict[str, Any]]:
    """A Markdown file, by way of HTML."""
    from markdown_it import MarkdownIt

    yield from _told(MarkdownIt("commonmark").enable("table").render(decoded(request.path.read_bytes())))


def html(request: Request) -> Iterator[dict[str, Any]]:
    """A page of HTML: what a reader sees of it."""
    from bs4.dammit import EncodingDetector

    content = request.path.read_bytes()
    said = EncodingDetector.find_declared_encoding(content, is_html=True)
    known = decoding.canonical(said) if said else None
    if said and not known:  # a rare one
        yield from _told(content)
        return
    # the names that browsers take for others, by the Encoding Standard of the WHATWG
    known = "windows-1252" if known in ("ascii", "iso-8859-1") else None if (known or "").startswith("utf") else known
    yield from _told(decoded(content, known))


def _told(source: str | bytes) -> Iterator[dict[str, Any]]:
    unread: Counter[str] = Counter()
    yield from told("section", pieces(blocks(source, unread)), unread=unread)


def blocks(source: str | bytes, unread: Counter[str] | None = None) -> Iterator[Block]:
    """The paragraphs, headings and tables of HTML, in order; what cannot be read is counted in `unread`."""
    from bs4 import BeautifulSoup
    from bs4.element import NavigableString

    soup = BeautifulSoup(source, "lxml")
    _shown(soup, Counter() if unread is None else unread)
    for tag in soup(list(UNSEEN)):
        if not (tag.name == "button" and tag.find_parent(list(TITLED))):
            tag.decompose()
    for string in soup.find_all(string=re.compile(f"[{BREAK}{HEADING}{ROW}]")):
        string.replace_with(NavigableString(string.translate(_MARKS)))
    for tag in soup(list(BLOCKS)):
        tag.insert_before(NavigableString(BREAK))
        tag.insert_after(NavigableString(BREAK))
    for table in soup("table"):
        if not table.decomposed and table.find("table") is None:
            rows = tidy(_cells(table))
            if is_table(rows):
                marked = "".join(BREAK + ROW + one for one in lines(rows, header_of(rows)))
                table.replace_with(NavigableString(marked + BREAK))
    for title in soup(list(TITLES)):
        title.replace_with(NavigableString(BREAK + HEADING + title.name[1] + title.get_text().replace(BREAK, " ") + BREAK))
    for tag in soup(["td", "th"]):
        tag.insert_after(NavigableString(" "))
    table_lines: list[str] = []
    for piece in soup.get_text().split(BREAK):
        level = int(piece[1]) if piece.startswith(HEADING) else 0
        text = " ".join(piece[2 * bool(level) :].translate(_MARKS).split())
        if table_lines and not piece.startswith(ROW):
            yield Block("\n".join(table_lines), table=True)
            table_lines = []
        if piece.startswith(ROW):
            table_lines.append(text)
        elif text:
            yield Block(text, heading=level)
    if table_lines:
        yield Block("\n".join(table_lines), table=True)


def _shown(soup: Any, unread: Counter[str]) -> None:
    """What stands for a picture takes its place; pictures, drawings and films without words are counted."""
    from bs4.element import NavigableString

    for picture in soup(["img", "area"]):
        if alt := " ".join(picture.get("alt", "").split()):
            picture.replace_with(NavigableString(f" {alt} "))
        elif picture.name == "img" and "alt" not in picture.attrs:  # an empty one says that there is nothing to see
            unread[PICTURES] += 1
    unread[DRAWINGS] += sum(drawing.find("text") is not None for drawing in soup("svg"))
    unread[EMBEDDED] += len(soup(list(ELSEWHERE)))


def _cells(table: Any) -> list[list[str]]:
    """The text of each cell, in every row and column over which the cell reaches."""
    rows: list[list[str]] = []
    below: dict[int, tuple[int, str]] = {}  # column -> rows to come that a cell above reaches into, its text
    for row in table("tr"):
        cells: list[str] = []

        def reached(cells: list[str] = cells) -> None:
            while (above := below.get(len(cells))) and above[0]:
                below[len(cells)] = (above[0] - 1, above[1])
                cells.append(above[1])

        for cell in row(["td", "th"]):
            reached()
            text, down = cell.get_text().replace(BREAK, " "), _span(cell, "rowspan") - 1
            for _ in range(_span(cell, "colspan")):
                below[len(cells)] = (down, text)
                cells.append(text)
        reached()
        rows.append(cells)
    return rows


def _span(cell: Any, name: str) -> int:
    value = str(cell.get(name, ""))
    return max(1, min(int(value), MOST_COLUMNS + 1)) if value.isdecimal() and len(value) < 9 else 1
