"""Letters, blanks and values that went wrong on the way into a table, and how a cell is mended. Does not know what a column is for.

Each kind has a pattern that suspects cells cheaply and a function that mends one; a cell has the fault exactly if mending changes it, so
that what is told and what is repaired are the same cells, and mending twice is mending once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from playground.data.doctor.findings import Finding, found
from playground.data.doctor.markup import MARKUP, without_markup
from playground.data.doctor.scans import SCANS, without_debris
from playground.data.doctor.teaching import text_columns
from playground.data.table import ERROR_MARKS

ROUNDS = 8
ODD = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ue000-\uf8ff"
    r"\U000e0000-\U000e007f\U000f0000-\U0010ffff]"
)
ODD_ALWAYS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\ue000-\uf8ff\U000f0000-\U0010ffff]")
BREAKS = re.compile("[\x0b\x0c\u2028\u2029]")  # page and line separators
JOINERS = re.compile("(?<![^\x00-\u024f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\u024f])")  # of use in emoji and in Arabic or Indic words
DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2065-\u2069]")
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
TAGS = re.compile("[\U000e0000-\U000e007f]")
FLAG = "\U0001f3f4"  # the flags of England, Scotland and Wales are spelt with tag characters
BLANKS = "\u00a0\u1680\u2000-\u200a\u202f\u205f"
STRAY = rf"^[\s{BLANKS}]|[\s{BLANKS}]$|[{BLANKS}]|[^\s][ \t][ \t]+[^\s]|[ \t][\r\n]"
DOUBLED = re.compile(r"(?<=\S)[ \t]{2,}(?=\S)")
CODE = re.compile(r"```|^(?: {2,}|\t)\S", re.MULTILINE)  # indented lines and tables keep their blanks


@dataclass(frozen=True)
class Repair:
    """`suspects`: a pattern for polars, true for every cell that `mend` changes and for few others."""

    suspects: str
    mend: Callable[[str], str]


def restore(text: str) -> str:
    """Text that was written in one encoding and read in another, as it was; unchanged where that is not certain.

    Only the encoding is undone. Curly quotes, unusual widths and the like are left as their writer chose them.
    """
    from ftfy import fix_encoding
    from ftfy.badness import badness, is_bad

    if not is_bad(text):
        return text
    restored = fix_encoding(text)
    return restored if badness(restored) < badness(text) else text


def without_odd(text: str) -> str:
    """Without characters that nobody sees, except where a script, an emoji or a flag needs them.

    In garbled text they are halves of letters, and are left for `restore`.
    """
    from ftfy.badness import is_bad

    if is_bad(text):
        return text
    text = JOINERS.sub("", ODD_ALWAYS.sub("", BREAKS.sub("\n", text)))
    if not RIGHT_TO_LEFT.search(text):
        text = DIRECTIONS.sub("", text)
    return text if FLAG in text else TAGS.sub("", text)


def tidy(text: str) -> str:
    """Without blanks at the ends of text and lines and with single ones between words; indented lines keep theirs."""
    text = re.sub(rf"[{BLANKS}]", " ", text)
    text = re.sub(r"[ \t]+(?=\r?\n)", "", text).strip()
    return text if CODE.search(text) else DOUBLED.sub(" ", text)


def without_error(text: str) -> str:
    """Nothing where a spreadsheet put an error in place of a value; a text that speaks of such an error stays."""
    return "" if text.strip().lower() in ERROR_MARKS else text


REPAIRS = {
    "spreadsheet_errors": Repair(r"#\p{L}", without_error),
    "mojibake": Repair(r"[^\x00-\x7f]", restore),
    "markup": Repair(MARKUP, without_markup),
    "scan_debris": Repair(SCANS, without_debris),
    "odd_characters": Repair(ODD, without_odd),
    "white_space": Repair(STRAY, tidy),
}
SEVERITY = {
    "spreadsheet_errors": "serious",  # such a cell would be learnt as an answer
    "mojibake": "serious",
    "markup": "advice",
    "scan_debris": "advice",
    "odd_characters": "advice",
    "white_space": "note",
}


def mended(column: pl.Series, kind: str) -> dict[int, str | None]:
    """Row -> the cell after the repair, for the cells that it changes; what leaves nothing leaves a missing cell."""
    repair = REPAIRS[kind]
    suspects = column.str.contains(repair.suspects).fill_null(False).arg_true()
    after: dict[int, str | None] = {}
    for row, text in zip(suspects.to_list(), column.gather(suspects).to_list(), strict=True):
        better = settled(repair.mend, text)
        if better != text:
            after[row] = better if better.strip() else None
    return after


def settled(mend: Callable[[str], str], text: str) -> str:
    """Mending until nothing changes: what is taken out can bring together what stood around it."""
    for _ in range(ROUNDS):
        better = mend(text)
        if better == text:
            break
        text = better
    return text


def check_text(frame: pl.DataFrame) -> list[Finding]:
    """Findings of the kinds in `REPAIRS`, and lost_characters, which nothing can bring back."""
    findings = []
    for column in text_columns(frame):
        for kind in REPAIRS:
            if rows := list(mended(column, kind)):
                findings.append(found(kind, SEVERITY[kind], rows, column.name))
        lost = column.str.contains("\ufffd", literal=True).fill_null(False).arg_true()
        if len(lost):
            findings.append(found("lost_characters", "advice", lost.to_list(), column.name))
    return findings
