"""A PDF's outline (its bookmarks): which sections begin on a page, and how much of the page's text stands before each.

PDFium reads it and not pypdf, which takes 5 to 7 seconds for an outline of 50,000 entries where PDFium's first 5,000 with their pages
take less than half a second, and which gives up a whole outline for one entry that is too deep. Does not know where a section begins in
a text that was cleaned since (`playground.rag.sections`).
"""

from __future__ import annotations

import contextlib
from itertools import islice
from typing import Any

from playground.rag.readers.limits import within
from playground.rag.readers.told import MOST_TITLE, Begun, letters

MOST_ENTRIES = 5_000  # of an outline that are read
DEEPEST = 6  # levels; what lies deeper belongs to the section above it
MOST_ON_A_PAGE = 50
SECONDS = 5.0


class Outline:
    """The outline of one file, opened with PDFium; what of it is broken or too much is left out, and costs no text."""

    def __init__(self, document: Any) -> None:
        self._pages: dict[int, list[tuple[tuple[str, ...], float | None]]] = {}
        with contextlib.suppress(Exception), within(SECONDS):
            self._read(document)

    def _read(self, document: Any) -> None:
        path: list[str] = []
        for entry in islice(document.get_toc(max_depth=DEEPEST), MOST_ENTRIES):
            title, number, height = "", None, None
            with contextlib.suppress(ValueError):  # one odd title
                title = " ".join(entry.get_title().split())[:MOST_TITLE]
            path = [*path[: entry.level], *[""] * (entry.level - len(path)), title]
            if title and (target := entry.get_dest()) is not None:
                number, height = target.get_index(), _height(target)
            if number is not None and len(here := self._pages.setdefault(number, [])) < MOST_ON_A_PAGE:
                here.append((tuple(one for one in path if one), height))

    def on(self, number: int, page: Any = None, text: Any = None) -> tuple[Begun, ...]:
        """The sections that begin on a page, counted from 0, in the outline's order.

        Args:
            page, text: the page and its text page, from which the share of text before a section is told.
        """
        here = self._pages.get(number, [])
        if not here:
            return ()
        with contextlib.suppress(Exception), within(SECONDS):
            if text is not None and page.get_rotation() == 0 and (whole := letters(text.get_text_bounded())):
                return tuple(
                    Begun(path, None if height is None else letters(text.get_text_bounded(bottom=height)) / whole) for path, height in here
                )
        return tuple(Begun(path) for path, _ in here)


def _height(target: Any) -> float | None:
    """How far up its page (points) a destination lies; None where it does not say."""
    import ctypes

    import pypdfium2.raw as raw

    view, sides = target.get_view()
    if view in (raw.PDFDEST_VIEW_FITH, raw.PDFDEST_VIEW_FITBH) and sides:
        return float(sides[0])
    has_x, has_y, has_zoom = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    x, y, zoom = ctypes.c_float(), ctypes.c_float(), ctypes.c_float()
    found = raw.FPDFDest_GetLocationInPage(target, has_x, has_y, has_zoom, x, y, zoom)
    return float(y.value) if found and has_y.value else None
