"""Word documents and PowerPoint slides. Pictures, macros and links within them are left alone; nothing outside the file is looked up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from playground.rag.readers.sections import Block, pieces, told
from playground.rag.readers.tables import header_of, is_table, lines, tidy
from playground.rag.readers.told import MOST_CHARACTERS, Part, Request, Told

TITLE = re.compile(r"(?:Heading ([1-3])|Title)$")
NESTED = 5  # groups of shapes within groups


def word(request: Request) -> Iterator[dict[str, Any]]:
    """A .docx file, from heading to heading."""
    import docx

    yield from told("section", pieces(_paragraphs(docx.Document(str(request.path)))))


def _paragraphs(document: Any) -> Iterator[Block]:
    from docx.table import Table

    for item in document.iter_inner_content():
        if isinstance(item, Table):
            yield from _table([[cell.text for cell in row.cells] for row in item.rows])
        elif text := item.text.strip():
            style = item.style.name if item.style is not None else ""
            title = TITLE.match(style or "")
            yield Block(text.replace("\n", " "), heading=1 + int(title[1] or 0) if title else 0)  # a title stands above all headings


def _table(cells: list[list[str]]) -> Iterator[Block]:
    rows = tidy(cells)
    if is_table(rows):
        yield Block("\n".join(lines(rows, header_of(rows))), table=True)
    else:
        yield from (Block(cell) for row in rows for cell in dict.fromkeys(row) if cell)


def slides(request: Request) -> Iterator[dict[str, Any]]:
    """A .pptx file: each slide with its tables and its notes."""
    import pptx

    yield from told("slide", (_slide(number, one) for number, one in enumerate(pptx.Presentation(str(request.path)).slides, 1)))


def _slide(number: int, slide: Any) -> Told:
    title = slide.shapes.title.text_frame.text if slide.shapes.title is not None else ""
    parts, tables = [], 0
    for block in _shapes(slide.shapes):
        parts.append(Part(block.text[:MOST_CHARACTERS], as_is=True))
        tables += block.table
    if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None and notes.text.strip():
        parts.append(Part(notes.text[:MOST_CHARACTERS], as_is=True))
    return Told(number, " ".join(title.split()), tuple(parts), tables=tables)


def _shapes(shapes: Any, depth: int = 0) -> Iterator[Block]:
    for shape in shapes:
        if getattr(shape, "shapes", None) is not None and depth < NESTED:
            yield from _shapes(shape.shapes, depth + 1)
        elif getattr(shape, "has_table", False):
            yield from _table([[cell.text for cell in row.cells] for row in shape.table.rows])
        elif getattr(shape, "has_text_frame", False) and shape.text_frame.text.strip():
            yield Block(shape.text_frame.text.replace("\v", "\n"))
