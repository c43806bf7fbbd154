"""Text without pages, cut into what stands for pages: from one heading to the next, and where a piece becomes long. Knows no format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from playground.rag.readers.tables import Cells, header_of, is_table, lines, tidy
from playground.rag.readers.told import MANY_PAGES, MOST_CHARACTERS, MOST_PAGES, MOST_TITLE, NO_PAGES, Begun, Part, Told, Unreadable

LONG = 4_000  # characters of a piece that is then ended at the next paragraph
ROWS = 40  # of a table that make a piece


@dataclass(frozen=True)
class Block:
    """A paragraph, or rows of a table (`table`); with a level (1 is the highest) the `heading` of what follows."""

    text: str
    heading: int = 0
    table: bool = False


def pieces(blocks: Iterable[Block], *, as_is: bool = True) -> Iterator[Told]:
    """Blocks as pages, each labelled with the heading that it stands under, which begins a section within those of higher headings.

    Args:
        as_is: whether a paragraph is one line already.
    """
    number, label, parts, size, tables = 0, "", list[Part](), 0, 0
    above: list[tuple[int, str]] = []
    begun: tuple[Begun, ...] = ()
    for block in _bounded(blocks):
        if parts and (block.heading or size + len(block.text) > LONG):
            number += 1
            yield Told(number, label, tuple(parts), tables=tables, sections=begun)
            parts, size, tables, begun = [], 0, 0, ()
        if block.heading:
            label = block.text[:MOST_TITLE]  # it is told again with every piece
            above = [*(one for one in above if one[0] < block.heading), (block.heading, label)]
            begun = (Begun(tuple(title for _, title in above), 0.0),)
        tables += block.table
        size += len(block.text)
        parts.append(Part(block.text, as_is=as_is or block.table))
    if parts:
        yield Told(number + 1, label, tuple(parts), tables=tables, sections=begun)


def table(cells: Cells, alone: Iterable[Block] | None = None) -> Iterator[Block]:
    """A table's rows; where it only lays out a page, what stands in its cells (`alone`, where that is known as more than text)."""
    rows = tidy(cells)
    if is_table(rows):
        yield Block("\n".join(lines(rows, header_of(rows))), table=True)
    elif alone is not None:
        yield from alone
    else:
        yield from (Block(cell) for row in rows for cell in dict.fromkeys(row) if cell)


def _bounded(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        for number, text in enumerate(bounded(block.text)):
            if text.strip():
                yield Block(text, block.heading, block.table and number == 0)


def bounded(text: str) -> Iterator[str]:
    """All of a text in pieces that a page can hold, between lines where that can be."""
    while len(text) > MOST_CHARACTERS:
        end = text.rfind("\n", 1, MOST_CHARACTERS) + 1 or MOST_CHARACTERS
        yield text[:end]
        text = text[end:]
    yield text


def told(unit: str, pages: Iterable[Told], **about: Any) -> Iterator[dict[str, Any]]:
    """What goes out, line by line.

    Raises:
        Unreadable: no pages, or too many.
    """
    found: list[Told] = []
    for page in pages:
        found.append(page)
        if len(found) > MOST_PAGES:
            raise Unreadable(MANY_PAGES)
    if not found:
        raise Unreadable(NO_PAGES)
    yield {"pages": len(found), "unit": unit}
    for page in found:
        yield page.line()
    yield {"end": True, **about}
