"""Whether a page shows a table with ruled lines, found out cheaply from its drawn shapes. Knows PDFium; reads no text."""

from __future__ import annotations

from collections import Counter
from ctypes import byref, c_float
from typing import Any

THIN = 2.5  # points; a box as thin as this is a line
SHORT = 8.0  # points; shorter lines belong to letters and bullets
MOST_SHAPES = 5_000  # looked at on one page
MOST_LINES = 400  # of each direction
NESTED = 2  # forms within forms that are looked into
Box = tuple[float, float, float, float]


def ruled(page: Any) -> bool:
    """Whether lines cross as in a grid, or boxes stand side by side in two rows or more."""
    boxes = _boxes(page)
    wide = [one for one in boxes if one[3] - one[1] <= THIN and one[2] - one[0] >= SHORT]
    high = [one for one in boxes if one[2] - one[0] <= THIN and one[3] - one[1] >= SHORT]
    if len(wide) >= 2 and len(high) >= 2 and _grid(wide[:MOST_LINES], high[:MOST_LINES]):
        return True
    rows = Counter((round(one[1]), round(one[3])) for one in boxes if min(one[2] - one[0], one[3] - one[1]) > SHORT)
    return sum(count >= 2 for count in rows.values()) >= 2


def _grid(wide: list[Box], high: list[Box]) -> bool:
    """Whether three levels of lines are met by the same two uprights, or three uprights by two levels."""
    met: dict[int, set[int]] = {}
    for left, bottom, right, top in high:
        levels = {
            round((low + up) / 2 / THIN) for west, low, east, up in wide
            if west - THIN <= left <= east + THIN and bottom - THIN <= low <= top + THIN
        }  # fmt: skip
        met.setdefault(round((left + right) / 2 / THIN), set()).update(levels)
    full = [levels for levels in met.values() if len(levels) >= 2]
    return sum(len(levels) >= 3 for levels in full) >= 2 or len(full) >= 3


def _boxes(page: Any) -> list[Box]:
    """(left, bottom, right, top) in points of the page's shapes."""
    import pypdfium2.raw as raw

    found: list[Box] = []
    sides = [c_float() for _ in range(4)]
    pointers = [byref(one) for one in sides]
    waiting: list[tuple[Any, Any, int, int]] = [(page, raw.FPDFPage_GetObject, raw.FPDFPage_CountObjects(page), 0)]
    left = MOST_SHAPES
    while waiting and left > 0:
        holder, one_of, count, depth = waiting.pop()
        for number in range(min(count, left)):
            shape = one_of(holder, number)
            kind = raw.FPDFPageObj_GetType(shape)
            if kind == raw.FPDF_PAGEOBJ_PATH:
                if raw.FPDFPageObj_GetBounds(shape, *pointers):
                    found.append((sides[0].value, sides[1].value, sides[2].value, sides[3].value))
            elif kind == raw.FPDF_PAGEOBJ_FORM and depth < NESTED:
                waiting.append((shape, raw.FPDFFormObj_GetObject, raw.FPDFFormObj_CountObjects(shape), depth + 1))
        left -= min(count, left)
    return found


def pictures(page: Any, width: float, height: float) -> float:
    """Share of the page (0..1) that pictures cover, overlaps counted twice; what they show is not looked at."""
    import pypdfium2.raw as raw

    covered = 0.0
    for shape in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=NESTED + 1):
        left, bottom, right, top = shape.get_bounds()
        covered += max(0.0, min(right, width) - max(left, 0.0)) * max(0.0, min(top, height) - max(bottom, 0.0))
    return min(1.0, covered / (width * height)) if width and height else 0.0
