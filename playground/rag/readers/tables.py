"""Tables as lines that can be found and quoted: "Header: value; Header: value", one line a row.

Takes cells from pdfplumber or from any other reader. A table that fails one of the checks below is left as the text it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.rag.readers.told import Part, letters

FILLED = 0.3  # share of cells with something in them, at least
MOST_CELL = 600  # characters; a longer cell is a frame around a text
MOST_COLUMNS = 60
HEADER = 60  # characters of a header that each row repeats
KEPT = 0.9  # share of the letters in a table's frame that its cells must hold
NEAR = 3.0  # points within which two columns begin at the same place
_NUMBER = re.compile(r"[\d\s.,:/%€$R()+-]+")
Cells = Sequence[Sequence[str | None]]


@dataclass(frozen=True)
class Found:
    """A table on a page: its frame in points from the page's top left corner, and its cells."""

    left: float
    top: float
    right: float
    bottom: float
    cells: list[list[str]]
    columns: tuple[float, ...] = ()


def tidy(cells: Cells) -> list[list[str]]:
    """White space as single blanks, rows and columns without anything left out, all rows equally long."""
    rows = [[" ".join((cell or "").split()) for cell in row] for row in cells]
    rows = [row for row in rows if any(row)]
    width = max(map(len, rows), default=0)
    rows = [row + [""] * (width - len(row)) for row in rows]
    used = [place for place in range(width) if any(row[place] for row in rows)]
    return [[row[place] for place in used] for row in rows]


def is_table(rows: Sequence[Sequence[str]]) -> bool:
    """Whether tidy cells look like a table: two rows and columns or more, enough of them filled, none a whole text."""
    if len(rows) < 2 or not 2 <= len(rows[0]) <= MOST_COLUMNS:
        return False
    cells = [cell for row in rows for cell in row]
    return sum(map(bool, cells)) >= FILLED * len(cells) and max(map(len, cells)) <= MOST_CELL


def header_of(rows: Sequence[Sequence[str]]) -> list[str] | None:
    """The first row, where it can name the columns: most of it filled, and nothing but words."""
    first = rows[0]
    filled = [cell for cell in first if cell]
    if len(filled) < max(2, 0.6 * len(first)) or any(_NUMBER.fullmatch(cell) for cell in filled):
        return None
    return list(first)


def row_line(header: Sequence[str], row: Sequence[str]) -> str:
    """One row with the names of its columns; empty cells are left out."""
    names = [_short(name) for name in header]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=True) if cell)


def lines(rows: Sequence[Sequence[str]], header: Sequence[str] | None) -> list[str]:
    """Every row as a line; the header stands alone above them where it had to be cut, so that none of its words is lost."""
    if header is None:
        return ["; ".join(cell for cell in row if cell) for row in rows]
    top = ["; ".join(cell for cell in header if cell)] if any(_short(name) != name for name in header) else []
    return top + [row_line(header, row) for row in (rows[1:] if list(rows[0]) == list(header) else rows)]


def _short(name: str) -> str:
    name = name.rstrip(":").rstrip()
    return name if len(name) <= HEADER else name[: HEADER + 1].rsplit(" ", 1)[0][:HEADER] + "…"


class Tables:
    """The tables of one PDF, with pdfplumber; opened on first use, and remembering the header of a table that goes on overleaf."""

    def __init__(self, path: Path, password: str | None) -> None:
        self.path, self.password = path, password
        self._file: Any = None
        self._last: tuple[int, tuple[float, ...], list[str]] | None = None

    def on(self, number: int, turn: int = 0) -> list[Found]:
        """Those on a page (from 0) that look like tables, from top to bottom, none within another.

        Args:
            turn: the rotation (0, 90, 180 or 270 degrees) of the page as it is looked at, and to which its letters stand upright.
        """
        import pdfplumber

        if self._file is None:
            self._file = pdfplumber.open(self.path, password=self.password or "")
        page = self._file.pages[number]
        if page.rotation != turn:
            turned = copy(page.page_obj)
            turned.rotate, turned.attrs = turn, {**turned.attrs, "Rotate": turn}
            page = pdfplumber.page.Page(self._file, turned, number + 1)
        try:
            found = []
            for table in page.find_tables():
                rows = tidy(table.extract())
                if is_table(rows):
                    columns = tuple(sorted({cell[0] for cell in table.cells}))
                    left, top, right, bottom = table.bbox
                    found.append(Found(left, top, right, bottom, rows, columns))
        finally:
            page.close()
        found.sort(key=lambda one: one.top)
        return [one for place, one in enumerate(found) if all(one.top >= before.bottom - NEAR for before in found[:place])]

    def parts(self, number: int, tables: Sequence[Found], text: Any, size: tuple[float, float]) -> tuple[Part, ...]:
        """The page in parts: what stands above, beside and below the tables, and their rows. Empty where letters would be lost or doubled.

        Args:
            text: gives what stands in (left, top, right, bottom).
            size: width and height of the page in points.
        """
        width, height = size
        parts: list[Part] = []
        at = 0.0
        for table in tables:
            inside = text(table.left, table.top, table.right, table.bottom)
            held = sum(letters(cell) for row in table.cells for cell in row)
            if not KEPT <= held / max(1, letters(inside)) <= 1 / KEPT:
                return ()
            parts.append(Part(text(0.0, at, width, table.top)))
            parts.append(Part(text(0.0, table.top, table.left, table.bottom)))
            parts.append(Part("\n".join(lines(table.cells, self._header(number, table))), as_is=True))
            parts.append(Part(text(table.right, table.top, width, table.bottom)))
            at = table.bottom
        parts.append(Part(text(0.0, at, width, height)))
        return tuple(part for part in parts if part.text.strip())

    def _header(self, number: int, table: Found) -> list[str] | None:
        """A table's own header, or that of the table on the page before, of which it is the rest."""
        header, last = header_of(table.cells), self._last
        if header is None and last and last[0] == number - 1 and len(last[2]) == len(table.cells[0]) and _same(last[1], table.columns):
            header = last[2]
        if header:
            self._last = (number, table.columns, header)
        return header


def _same(before: Sequence[float], now: Sequence[float]) -> bool:
    """Whether two tables' columns begin at the same places."""
    return len(before) == len(now) and all(abs(a - b) <= NEAR for a, b in zip(before, now, strict=True))
