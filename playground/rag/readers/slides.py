"""PowerPoint slides: titles, text, tables, SmartArt and notes. Pictures, charts, films and links are left alone, and counted."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from playground.rag.readers import ooxml
from playground.rag.readers.limits import BROKE
from playground.rag.readers.sections import Block, table
from playground.rag.readers.told import (
    COMMENTS,
    DAMAGED,
    DRAWINGS,
    EMBEDDED,
    MANY_PAGES,
    MOST_PAGES,
    NO_PAGES,
    PICTURES,
    Part,
    Request,
    Told,
    Unreadable,
)

NESTED = 5  # groups of shapes within groups
FILMS = ("videoFile", "audioFile", "wavAudioFile", "quickTimeFile")


def slides(request: Request) -> Iterator[dict[str, Any]]:
    """A .pptx file: each slide with its tables and its notes. A broken one does not cost the others.

    Raises:
        Unreadable: no slides, too many, or none that can be read.
    """
    import pptx

    shown = pptx.Presentation(str(request.path)).slides
    count, unread = len(shown), Counter[str]()
    if not 0 < count <= MOST_PAGES:
        raise Unreadable(MANY_PAGES if count else NO_PAGES)
    yield {"pages": count, "unit": "slide"}
    broken = 0
    for number in range(request.start, count + 1):
        slide = Told.left_out(number, request.lost.get(number, BROKE))
        if number not in request.lost:
            yield {"at": number}
            with contextlib.suppress(Exception):  # python-pptx raises all kinds
                slide = _slide(number, shown[number - 1], unread)
        broken += bool(slide.missed)
        if broken == count:
            raise Unreadable(DAMAGED)
        yield slide.line()
    yield {"end": True, "unread": unread}


def _slide(number: int, slide: Any, unread: Counter[str]) -> Told:
    from pptx.oxml import parse_xml

    ooxml.choose(slide._element)
    title = slide.shapes.title.text_frame.text if slide.shapes.title is not None else ""
    parts, tables = [], 0
    for block in _shapes(slide.shapes, slide.part, unread):
        parts.append(Part(block.text, as_is=True))
        tables += block.table
    if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None and notes.text.strip():
        parts.append(Part(notes.text, as_is=True))
    unread[COMMENTS] += ooxml.comments(slide.part, parse_xml)
    return Told(number, " ".join(title.split()), tuple(parts), tables=tables)


def _shapes(shapes: Any, part: Any, unread: Counter[str], depth: int = 0) -> Iterator[Block]:
    for shape in shapes:
        if getattr(shape, "shapes", None) is not None:
            if depth < NESTED:
                yield from _shapes(shape.shapes, part, unread, depth + 1)
            else:
                unread[DRAWINGS] += 1
        elif getattr(shape, "has_table", False):
            yield from table([[cell.text for cell in row.cells] for row in shape.table.rows])
        elif getattr(shape, "has_text_frame", False):
            if shape.text_frame.text.strip():
                yield Block(shape.text_frame.text.replace("\v", "\n"))
        else:
            yield from _drawn(shape._element, part, unread)


def _drawn(element: Any, part: Any, unread: Counter[str]) -> Iterator[Block]:
    """What a picture or a frame tells in words; the rest of it is counted."""
    from pptx.oxml import parse_xml

    seen = Counter(map(ooxml.kind, element.iter()))
    if ooxml.kind(element) == "pic":
        unread[EMBEDDED if any(seen[one] for one in FILMS) else PICTURES] += 1
        yield from (Block(said) for one in element.iter("{*}cNvPr") if (said := ooxml.description(one)))
    elif seen["relIds"]:
        words = [one for frame in element.iter("{*}relIds") for one in ooxml.diagram(frame, part, parse_xml)]
        yield from map(Block, words)
        unread[DRAWINGS] += not words
    elif seen["oleObj"]:
        unread[EMBEDDED] += 1
    elif ooxml.kind(element) == "graphicFrame":
        unread[DRAWINGS] += 1
