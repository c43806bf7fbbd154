"""Whether a page's letters stand upright as the page is shown. Knows PDFium; judges no text.

PDFium puts the letters of a line in order from left to right as the page is shown, and lines from top to bottom. Text that stands on its
head comes backwards so, and text that lies on its side with its lines from the last to the first.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

GRID = 1_000_000  # PDFium tells places on a shown page in whole numbers; so many a side are fine enough
LOOKED_AT = 60  # letters of one page
ASKEW = 20  # degrees from a quarter turn that count as that; what is turned otherwise, such as a watermark, does not count


def upright(page: Any, text: Any) -> int:
    """The rotation of the page (0, 90, 180 or 270 degrees) in which most of its letters stand upright; its own where there are none.

    Args:
        text: its text page.
    """
    import pypdfium2.raw as raw

    count = raw.FPDFText_CountChars(text)
    seen: Counter[int] = Counter()
    for place in range(0, count, max(1, count // LOOKED_AT)):
        code = raw.FPDFText_GetUnicode(text, place)
        if code and code <= 0x10FFFF and chr(code).isalnum():  # blanks that PDFium puts in have no turn
            degrees = math.degrees(raw.FPDFText_GetCharAngle(text, place))  # clockwise; negative where it is not known
            quarter = round(degrees / 90)
            if degrees >= 0 and abs(degrees - 90 * quarter) <= ASKEW:
                seen[-90 * quarter % 360] += 1
    turn, letters = seen.most_common(1)[0] if seen else (0, 0)
    return turn if 2 * letters > sum(seen.values()) else int(page.get_rotation())


def size(page: Any, turn: int) -> tuple[float, float]:
    """Width and height in points of the page at another rotation."""
    width, height = page.get_size()
    return (height, width) if (turn - page.get_rotation()) % 180 else (width, height)


def place(page: Any, turn: int, across: float, down: float) -> tuple[float, float]:
    """Where on the page itself, in points from its bottom left corner, a place is that is told from the top left one of the turned page."""
    import pypdfium2.raw as raw

    width, height = size(page, turn)
    x, y = ctypes.c_double(), ctypes.c_double()
    more = (turn - page.get_rotation()) // 90 % 4
    raw.FPDF_DeviceToPage(page, 0, 0, GRID, GRID, more, round(across / width * GRID), round(down / height * GRID), x, y)
    return x.value, y.value


@contextlib.contextmanager
def at(page: Any, turn: int) -> Iterator[Any]:
    """The text page as it is where the page is shown at another rotation, to which it does not stay set."""
    before = page.get_rotation()
    page.set_rotation(turn)
    try:
        text = page.get_textpage()
    finally:
        page.set_rotation(before)
    try:
        yield text
    finally:
        text.close()
