"""Spreadsheets and CSV: every row as a line with the names of its columns. Formulas are not computed; what they last gave is read."""

from __future__ import annotations

import contextlib
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from playground.rag.readers import quoted, times
from playground.rag.readers.limits import BROKE
from playground.rag.readers.prose import decoded
from playground.rag.readers.sections import ROWS, bounded, told
from playground.rag.readers.tables import HEADER, header_of, lines, tidy
from playground.rag.readers.told import (
    COMMENTS,
    DAMAGED,
    DRAWINGS,
    EMBEDDED,
    MOST_CHARACTERS,
    OLD_OFFICE,
    PICTURES,
    THIS,
    Part,
    Request,
    Told,
    Unreadable,
)

MOST_ROWS = 100_000  # of one sheet
MOST_CELLS = 5_000_000
MOST_SHEETS = 500
BESIDE = (  # what it is, in which files of the package, and what to count in them where a file is not one of it
    (PICTURES, re.compile(r"xl/media/.|Pictures/."), None),
    (DRAWINGS, re.compile(r"xl/charts/chart[^/]*\.xml$|Object [^/]*/content\.xml$"), None),
    (DRAWINGS, re.compile(r"xl/drawings/drawing[^/]*\.xml$"), re.compile(rb"<xdr:sp[ >]")),
    (COMMENTS, re.compile(r"xl/(?:comments/)?comments?\d*\.xml$"), re.compile(rb"<(?:\w+:)?comment[ >]")),
    (COMMENTS, re.compile(r"content\.xml$"), re.compile(rb"<office:annotation[ >]")),
    (EMBEDDED, re.compile(r"xl/embeddings/."), None),
)
NAMES = HEADER + 5  # characters that each cell of a row has more in its line, at most
BROKEN = Part("")  # stands for a sheet that cannot be read
SNIFFED = 20_000  # characters from which the separator is guessed


def workbook(request: Request) -> Iterator[dict[str, Any]]:
    """An Excel or OpenDocument file, sheet by sheet; a long sheet in pieces."""
    import fastexcel

    try:
        book = fastexcel.read_excel(str(request.path))
    except fastexcel.FastExcelError as error:
        raise Unreadable(OLD_OFFICE if "password" in str(error).lower() else DAMAGED) from error
    sheets = [(name, _sheet(book, name, request.suffix == ".ods")) for name in book.sheet_names[:MOST_SHEETS]]
    if sheets and all(rows is None for _, (rows, _) in sheets):
        raise Unreadable(DAMAGED)
    left_out = [name for name, (_, more) in sheets if more] + book.sheet_names[MOST_SHEETS:]
    found = [(name, [(0, 0, BROKEN)] if rows is None else list(_pieces(rows))) for name, (rows, _) in sheets]
    whole = all(len(parts) <= 1 for _, parts in found)
    pages = (
        (name if whole or len(parts) == 1 else f"{name}, {first}–{last}", part, place == 0)
        for name, parts in found
        for place, (first, last, part) in enumerate(parts)
    )
    numbered = (
        Told(number, label, (part,), missed=BROKE) if part is BROKEN else Told(number, label, (part,), tables=int(begins))
        for number, (label, part, begins) in enumerate(pages, 1)
    )
    yield from told("sheet" if whole else "part", numbered, cut=left_out, unread=_beside(request.path))


def _beside(path: Path) -> dict[str, int]:
    """How much there is in the file that stands in no cell, by what it is (`told.UNREAD`)."""
    found: Counter[str] = Counter()
    if not zipfile.is_zipfile(path):  # an older Excel file
        return found
    with contextlib.suppress(zipfile.BadZipFile, zlib.error, OSError, NotImplementedError), zipfile.ZipFile(path) as packed:
        for name in packed.namelist():
            for what, where, mark in BESIDE:
                if where.match(name):
                    found[what] += len(mark.findall(packed.read(name))) if mark else 1
    return found


def _sheet(book: Any, name: str, clocks: bool) -> tuple[list[list[str]] | None, bool]:
    """Rows of a sheet as text, None where it is broken, and whether there are more of them than are read.

    Args:
        clocks: whether times of day have a kind of their own in it, as in OpenDocument, which is not given as text.
    """
    import fastexcel

    try:
        sheet = book.load_sheet(name, header_row=None, dtypes="string", n_rows=MOST_ROWS)
    except fastexcel.FastExcelError:
        return None, False
    most = MOST_ROWS
    if full := sheet.width * sheet.height > MOST_CELLS:
        most = MOST_CELLS // sheet.width
        sheet = book.load_sheet(name, header_row=None, dtypes="string", n_rows=most)
    columns = [times.plain(column.to_pylist()) for column in sheet.to_arrow().columns]
    if clocks:
        spans = book.load_sheet(name, header_row=None, dtypes="duration", n_rows=most).to_arrow().columns
        columns = [times.with_spans(column, span.to_pylist()) for column, span in zip(columns, spans, strict=True)]
    return tidy(list(zip(*columns, strict=True))), full or sheet.total_height > MOST_ROWS


def separated(request: Request) -> Iterator[dict[str, Any]]:
    """A CSV or TSV file."""
    import clevercsv

    text = decoded(request.path.read_bytes())
    try:
        dialect = clevercsv.Sniffer().sniff(text[:SNIFFED], delimiters=",;\t|")
        separator = (dialect.delimiter if dialect else "") or ","
    except clevercsv.exceptions.NoDetectionResult:
        separator = "\t" if request.suffix == ".tsv" else ","
    rows = list(islice(quoted.rows(text, separator), MOST_ROWS + 1))
    parts = enumerate(_pieces(tidy(rows[:MOST_ROWS])), 1)
    pages = (Told(number, f"{first}–{last}", (part,), tables=int(number == 1)) for number, (first, last, part) in parts)
    yield from told("part", pages, cut=[THIS] if len(rows) > MOST_ROWS else [])


def _pieces(rows: Sequence[Sequence[str]]) -> Iterator[tuple[int, int, Part]]:
    """(first row, last row, text) of so many rows; the first row names the columns where it can, and is not counted then."""
    if not rows:
        return
    header = header_of(rows) if len(rows) > 1 and len(rows[0]) > 1 else None
    body = rows[1:] if header else rows
    start = 0
    for end in _ends(body):
        for text in bounded("\n".join(lines(body[start:end], header))):
            yield start + 1, end, Part(text, as_is=True)
        start = end


def _ends(rows: Sequence[Sequence[str]]) -> Iterator[int]:
    """Where pieces end: after so many rows, or before they become too long for a page. A row that is too long by itself stands alone."""
    count, size = 0, 0
    for place, row in enumerate(rows):
        length = sum(len(cell) + NAMES for cell in row if cell)
        if count and (count == ROWS or size + length > MOST_CHARACTERS):
            yield place
            count, size = 0, 0
        count, size = count + 1, size + length
    yield len(rows)
