"""Pictures as documents: PNG, JPEG and TIFF (of several pages), read by Tesseract. Knows Pillow; writes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from playground.rag.readers import ocr
from playground.rag.readers.limits import FULL
from playground.rag.readers.told import DAMAGED, MANY_PAGES, MOST_PAGES, Part, Request, Told, Unreadable

KINDS = ("PNG", "JPEG", "TIFF")
LARGEST = 200_000_000  # dots of a picture that is opened at all
DEEP = ("I", "F")  # how Pillow's names of modes begin whose greys have more than 8 bits
WHITES = (1, 255, 4_095, 65_535)  # what stands for white in them: in shares, or in 8, 12 or 16 bits
WHITE_IS = 262  # the tag of a TIFF that is 0 where 0 is white (PhotometricInterpretation)
SMALL = 1_400  # dots across; smaller pictures are enlarged, or their letters are too small for Tesseract


def pages(request: Request) -> Iterator[dict[str, Any]]:
    """What goes out, line by line: a page for every picture in the file.

    Raises:
        Unreadable
    """
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = LARGEST
    try:
        picture = Image.open(request.path, formats=KINDS)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        raise Unreadable(DAMAGED) from error
    count = getattr(picture, "n_frames", 1)
    if count > MOST_PAGES:
        raise Unreadable(MANY_PAGES)
    yield {"pages": count, "unit": "page"}
    tesseract = ocr.Tesseract(request.tesseract) if request.tesseract else None
    for number in range(request.start - 1, count):
        if number + 1 in request.lost:
            yield Told.left_out(number + 1, request.lost[number + 1]).line()
            continue
        yield {"at": number + 1}
        yield {"ocr": number + 1}
        found = ocr.Recognised(missed=ocr.ABSENT)
        if tesseract:
            try:
                picture.seek(number)
                found = tesseract.read(*_grey(picture))
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # this one is broken; the others may not be
                found = ocr.Recognised(missed=ocr.NOTHING)
            except MemoryError:
                if count == 1:
                    raise
                yield Told.left_out(number + 1, FULL).line()
                continue
        yield Told(number + 1, "", (Part(found.text),), ocr=bool(found.words), boxes=found.words, missed=found.missed).line()
    yield {"end": True, "languages": tesseract.languages if tesseract else []}


def shown(picture: Any) -> Any:
    """A picture upright, on white, with no more than 8 bits a colour."""
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(picture)
    if upright.mode[0] in DEEP:
        return _flat(upright, black=getattr(picture, "tag_v2", {}).get(WHITE_IS) != 0)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        clear = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return upright


def _flat(picture: Any, *, black: bool) -> Any:
    """Greys of more bits as 8; without this, Pillow takes all above 255 for white. `black` tells whether that is what 0 stands for."""
    highest = picture.getextrema()[1]
    white = next((most for most in WHITES if highest <= most), highest)
    scale = 255 / white if black else -255 / white
    grey = picture.convert("F").point(lambda dot: dot * scale + (0 if black else 255)).convert("L")
    grey.info.pop("transparency", None)  # a grey of the many that there were
    return grey


def _grey(picture: Any) -> tuple[bytes, int, int]:
    """As PNM, as it is `shown`, of a size that Tesseract likes."""
    from PIL import Image

    grey = shown(picture).convert("L")
    wide, high = grey.size
    scale = min(math.sqrt(ocr.MOST_PIXELS / (wide * high)), 2.0 if wide < SMALL else 1.0)
    if scale != 1.0:
        grey = grey.resize((max(1, round(wide * scale)), max(1, round(high * scale))), Image.Resampling.LANCZOS)
    return b"P5 %d %d 255\n" % grey.size + grey.tobytes(), *grey.size
