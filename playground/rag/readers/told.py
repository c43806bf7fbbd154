"""What the process that reads a file tells the app, and why it may refuse to. Knows no format."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

MOST_CHARACTERS = 100_000  # of one page
ENOUGH = MOST_CHARACTERS + 1  # that a reader hands on of one: with one more it shows that there are more
MOST_PAGES = 5_000
MOST_UNPACKED = 300 * 1024**2  # bytes that a packed file may become
MOST_TITLE = 200  # characters of a section's
OUTLINE = 0  # the page, as it were, that stands for a PDF's outline among those that are lost
GARBLED = 0.15  # share of characters that stand for nothing readable
VOWELS = 0.2  # of Latin letters, at least; the languages of Europe have .32 to .5, a font without a map .05 to .15
JUDGED = 80  # letters from which on that share says something
PASSWORD, DAMAGED, NO_PAGES, MANY_PAGES, NOT_PDF = "password", "damaged", "no_pages", "many_pages", "not_pdf"
WRONG_PASSWORD, UNKNOWN, BOMB, OLD_OFFICE, MEMORY = "wrong_password", "unknown", "bomb", "old_office", "memory"
THIS = ""  # stands among the names of what was cut for the file itself, whose name the reader does not know
PICTURES, DRAWINGS, COMMENTS, EMBEDDED, FORMS, XFA = "pictures", "drawings", "comments", "embedded", "forms", "xfa"
UNREAD = (PICTURES, DRAWINGS, COMMENTS, EMBEDDED, FORMS, XFA)  # what may lie beside text, and is not read
_ODD = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f]")  # nothing readable, in any language


class Unreadable(Exception):
    """The whole file cannot be read; `args[0]` is one of the problems above."""


@dataclass(frozen=True)
class Request:
    """One file to read. `suffix` is that of the name its owner gave it; `tesseract` is a program, or None where there is none.

    Of files that are read page by page, `start` is the first page to tell, and `lost` has those that are not to be opened, with the reason;
    OUTLINE among them says that the outline is not.
    """

    path: Path
    suffix: str = ".pdf"
    password: str | None = None
    tesseract: str | None = None
    start: int = 1
    lost: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A piece of a page in reading order: lines that may be joined to paragraphs, or lines that stay `as_is`."""

    text: str
    as_is: bool = False


@dataclass(frozen=True)
class Begun:
    """A section that begins on a page: `path` has the headings that it stands under, its own last; `share` (0..1) of the page's letters
    stands before it, None where that is not known."""

    path: tuple[str, ...]
    share: float | None = None


@dataclass(frozen=True)
class Told:
    """A page as its reader gives it.

    `number` counts from 1, `label` is the printed number or a heading. `boxes` are (text, left, top, right, bottom, confidence) of words
    that were read from a picture, and then `ocr` is true. `missed` says why a picture was not read (absent, slow or poor), or a whole page
    (broke, late or full). `sections` are those that begin on it.
    """

    number: int
    label: str
    parts: tuple[Part, ...]
    ocr: bool = False
    boxes: tuple[tuple[str, float, float, float, float, float], ...] = field(default=(), repr=False)
    tables: int = 0
    missed: str = ""
    sections: tuple[Begun, ...] = ()

    @classmethod
    def left_out(cls, number: int, why: str, sections: tuple[Begun, ...] = ()) -> Told:
        """A page that was not opened."""
        return cls(number, "", (Part(""),), missed=why, sections=sections)

    @property
    def text(self) -> str:
        return "\n".join(part.text for part in self.parts)

    def line(self) -> dict[str, Any]:
        """As JSON, with no more of the text than a page may have; `cut` tells whether there was more."""
        parts, left = list[dict[str, Any]](), MOST_CHARACTERS
        for part in self.parts:
            if left > 0:
                parts.append(asdict(replace(part, text=part.text[:left])))
            left -= len(part.text)
        return {
            "page": self.number,
            "label": self.label,
            "text": "",
            "garbled": garbled(self.text) > GARBLED,
            "parts": parts,
            "ocr": self.ocr,
            "boxes": self.boxes,
            "tables": self.tables,
            "missed": self.missed,
            "sections": [asdict(one) for one in self.sections],
            "cut": left < 0,
        }


@lru_cache(maxsize=4)  # the way of a page asks three times
def garbled(text: str) -> float:
    """Share of characters that no font mapping explained: replacement and private ones, controls, and letters with their bytes swapped.

    1.0 also where the characters are letters, but too few of them are vowels for any language written in Latin letters.
    """
    shown = "".join(text.split())
    if not shown:
        return 0.0
    odd = len(_ODD.findall(shown))
    if not shown.isascii():
        odd += sum(c > "\u2000" and not ord(c) % 256 and not "\ue000" <= c <= "\uf8ff" for c in shown)
    return odd / len(shown) if odd else float(_unlikely(shown))


def _unlikely(shown: str) -> bool:
    plain = shown if shown.isascii() else unicodedata.normalize("NFKD", shown)
    small = plain.lower()
    letters = sum(map(small.count, "abcdefghijklmnopqrstuvwxyz"))
    return letters >= JUDGED and letters > 0.3 * len(small) and sum(map(small.count, "aeiouy")) < VOWELS * letters


def letters(text: str) -> int:
    """How many letters and digits a text has."""
    return sum(map(str.isalnum, text))
