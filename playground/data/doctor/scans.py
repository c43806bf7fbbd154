"""What reading a page by machine leaves in text: words cut at line ends, joined letters, stretched words, lines of stray marks."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

SCANS = r"[\ufb00-\ufb06]|\p{Ll}-\r?\n\p{Ll}|(?:^|[^\p{L}])(?:\p{L} ){4}\p{L}|\n|\r"  # cells to look at more closely
LIGATURE = re.compile("[\ufb00-\ufb06]")
CUT = re.compile(r"(?<=[^\W\d_]{2})-\r?\n(?=[^\W\d_]{2})")
STRETCHED = re.compile(r"(?<![^\s])(?:[^\W\d_] ){4,}[^\W\d_](?!['’\w])")
MARKS = re.compile(r"[~^|_=*#@§¬•■□¦\\/<>'\"`´¨°.,:;!?()\[\]{}+-]+")
TELLING = set("~^§¬■□¦\\`´¨°@")  # brackets and punctuation alone are code, rules and smileys
FEWEST_MARKS = 5
FEWEST_KINDS = 4
VOWELS = set("aeiouy")


def without_debris(text: str) -> str:
    """Cut words joined, ligatures as letters, stretched words closed up, and lines of stray marks gone."""
    text = LIGATURE.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    text = CUT.sub(_joint, text)
    text = STRETCHED.sub(_closed_up, text)
    if "\n" not in text:
        return text
    lines = text.split("\n")
    kept = [line for line in lines if not _is_debris(line)]
    return text if len(kept) == len(lines) else "\n".join(kept)


def _joint(match: re.Match[str]) -> str:
    """Nothing between two halves of a word; a hyphen stays before a capital and between parts in capitals."""
    before, after = match.string[match.start() - 1], match.string[match.end()]
    return "" if before.islower() and after.islower() else match[0]


def _closed_up(match: re.Match[str]) -> str:
    """H e l l o -> Hello. Lists of letters such as A B C D E stay, and so do runs that cannot be a word."""
    letters = match[0].split(" ")
    plain = [unicodedata.normalize("NFKD", letter)[0].lower() for letter in letters]
    vowels = sum(letter in VOWELS for letter in plain)
    rising = sum(left < right for left, right in pairwise(plain))
    is_word = 0 < vowels < len(plain) and rising < len(plain) - 1 and len(set(plain)) > 2
    return "".join(letters) if is_word else match[0]


def _is_debris(line: str) -> bool:
    marks = "".join(line.split())
    return len(marks) >= FEWEST_MARKS and bool(MARKS.fullmatch(marks)) and len(set(marks)) >= FEWEST_KINDS and bool(TELLING & set(marks))
