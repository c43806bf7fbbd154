"""Draws one page of a PDF, or a picture, in a process of its own: `python -m playground.rag.painter FILE NUMBER`, one line of JSON out.

As with the reader, a file from a stranger is opened only where it can be killed and where memory is bounded. The picture has a bounded
size whatever the page's, and comes with every character's place on it, as PDFium sees the page: turned and cropped as it is shown.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import io
import json
import sys
from pathlib import Path
from typing import Any

from playground.rag.readers.forms import open_forms, said
from playground.rag.readers.heads import PDF_WITHIN, is_pdf
from playground.rag.readers.limits import limit_memory
from playground.rag.readers.pictures import KINDS, LARGEST
from playground.rag.readers.turned import GRID, at, upright
from playground.system import end_with_parent

LONGEST = 1_800  # pixels of the longer side
MOST_SCALE = 4.0  # pixels a point: a stamp is not blown up to a poster
MOST_BYTES = 1_500_000  # of the picture
MOST_CHARACTERS = 50_000  # whose places are told


def paint(path: Path, number: int, password: str | None = None) -> dict[str, Any]:
    """As `paint_page`, of a PDF or of a picture as it came from a camera or scanner; only a PDF's characters are known here."""
    with path.open("rb") as file:
        if is_pdf(file.read(PDF_WITHIN), path.suffix.lower()):
            return paint_page(path, number, password)
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = LARGEST
    picture = Image.open(path, formats=KINDS)
    if not 1 <= number <= (count := getattr(picture, "n_frames", 1)):
        raise IndexError(number)
    picture.seek(number - 1)
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        clear = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    image = upright.convert("RGB")
    image.thumbnail((LONGEST, LONGEST))
    return {"pages": count, **_told(image), "readings": []}


def paint_page(path: Path, number: int, password: str | None = None) -> dict[str, Any]:
    """The page (from 1): pages, width and height of the picture, the picture (WebP, base64), characters with their boxes as shares; or that
    the file is `locked`.

    A page whose letters do not stand upright as it is shown is told twice, as it is shown and as it was read: PDFium puts the characters
    of one that stands on its head in another order.
    """
    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    try:
        document = pdfium.PdfDocument(path, password=password)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD:
            return {"locked": True}
        raise
    open_forms(document)
    page = document[number - 1]
    scale = min(MOST_SCALE, LONGEST / max(*page.get_size(), 1.0))
    image = page.render(scale=scale).to_pil().convert("RGB")
    with contextlib.closing(page.get_textpage()) as text:
        readings = [places(page, text)]
        turn = upright(page, text)
    if turn != page.get_rotation():
        with at(page, turn) as text:
            readings.append(places(page, text))
    beside = beside_text(document, page)
    for reading in readings:
        for key, more in beside.items():
            reading[key] += more
    return {
        "pages": len(document),
        **_told(image),
        "readings": readings,
    }


def _told(image: Any) -> dict[str, Any]:
    return {"width": image.width, "height": image.height, "picture": base64.b64encode(_packed(image)).decode()}


def _packed(image: Any) -> bytes:
    """As WebP; what is too large even so, such as a scan of noise, comes coarser."""
    quality = 80
    while True:
        out = io.BytesIO()
        image.save(out, "WEBP", quality=quality, method=2)
        if out.tell() <= MOST_BYTES:
            return out.getvalue()
        quality = max(20, quality - 20)
        image = image.resize((max(1, image.width * 2 // 3), max(1, image.height * 2 // 3)))


def places(page: Any, text: Any) -> dict[str, list[Any]]:
    """The page's characters in the order of its text page, and for each (left, top, right, bottom) as shares of the page as it is shown,
    None if not on it."""
    import pypdfium2.raw as raw

    count = min(raw.FPDFText_CountChars(text), MOST_CHARACTERS)
    rectangle = raw.FS_RECTF()
    characters: list[str] = []
    boxes: list[list[float] | None] = []
    for place in range(count):
        characters.append(_character(raw.FPDFText_GetUnicode(text, place)))
        box = None
        if raw.FPDFText_GetLooseCharBox(text, place, rectangle):
            box = _shown(page, rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)
        boxes.append(box)
    return {"characters": characters, "boxes": boxes}


def beside_text(document: Any, page: Any) -> dict[str, list[Any]]:
    """As `places`, of what was filled in and noted, which is read after the page's text; all of a field or note has one box."""
    characters: list[str] = []
    boxes: list[list[float] | None] = []
    for text, *sides in said(document, page):
        characters += ["\n", *text[: max(0, MOST_CHARACTERS - len(characters))]]
        boxes += [None] + [_shown(page, *sides)] * (len(characters) - len(boxes) - 1)
    return {"characters": characters, "boxes": boxes}


def _shown(page: Any, left: float, bottom: float, right: float, top: float) -> list[float] | None:
    """A box in points as (left, top, right, bottom) in shares of the page as it is shown; None if not on it."""
    import pypdfium2.raw as raw

    x, y = ctypes.c_int(), ctypes.c_int()
    places = []
    for across, up in ((left, top), (right, bottom)):
        raw.FPDF_PageToDevice(page, 0, 0, GRID, GRID, 0, across, up, x, y)
        places.append((x.value / GRID, y.value / GRID))
    west, east = (min(max(side, 0.0), 1.0) for side in sorted((places[0][0], places[1][0])))
    north, south = (min(max(side, 0.0), 1.0) for side in sorted((places[0][1], places[1][1])))
    return [round(side, 5) for side in (west, north, east, south)] if east > west and south > north else None


def _character(code: int) -> str:
    """Half of a pair, which a character beyond the first 65,536 may come as, is no text."""
    return "" if code == 0 or 0xD800 <= code <= 0xDFFF or code > sys.maxunicode else chr(code)


def main() -> int:
    """The password, if there is one, comes by standard input, so that no process list shows it."""
    end_with_parent()
    limit_memory()
    out = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints must not stand in our line
    try:
        told = paint(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.stdin.readline())["password"])
    except Exception as error:  # libraries raise all kinds for broken files
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    out.write(json.dumps(told) + "\n")
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
