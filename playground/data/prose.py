"""From plain text and Markdown to paragraphs, one row each. Does not know files, encodings or tables.

Whether a text is prose at all is decided here too: a comma in a sentence divides it no less than a comma in a CSV file does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

TEXT_ENDINGS = (".txt", ".text")
MARKDOWN_ENDINGS = (".md", ".markdown", ".mdown", ".mdx")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
HEADING = re.compile(r" {0,3}#{1,6}(\s|$)")
UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*$")
RULE = re.compile(r" {0,3}([-*_])(\s*\1){2,}\s*$")
FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n.*?\n(\1|\.\.\.)[ \t]*(\n|\Z)", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
ENDS = (".", "!", "?", ":", ";", "”", '"', "»", ")", "…")
WRAPPED = (40, 110)  # characters that the lines of a text have that was broken at the margin
FEW_WORDS = 3


def paragraphs(text: str) -> list[str]:
    """The parts between blank lines. Where there are none, each line is a paragraph, unless lines were only broken at the margin."""
    lines = _lines(text)
    if any(line.strip() for line in lines) and not any(not line.strip() for line in _inner(lines)) and not _wrapped(lines):
        return [line.strip() for line in lines if line.strip()]
    return _joined([line if line.strip() else None for line in lines])


def markdown(text: str) -> list[str]:
    """Paragraphs, lists and tables, with the headings that stand above them; code is whole, front matter and comments are left out."""
    blocks: list[list[str]] = [[]]
    fence = ""
    for line in _lines(COMMENT.sub("", FRONT_MATTER.sub("", "\n".join(_lines(text)), count=1))):
        opened = FENCE.match(line)
        if fence:
            fence = "" if opened and opened[1].startswith(fence) and not line.strip(" `~") else fence
        elif opened:
            fence = opened[1]
        elif not line.strip() or (RULE.match(line) and not blocks[-1]):
            blocks.append([])
            continue
        elif HEADING.match(line) and blocks[-1]:
            blocks.append([])
        blocks[-1].append(line)
        if not fence and HEADING.match(line):
            blocks.append([])
    rows: list[str] = []
    waiting: list[str] = []
    for block in blocks:
        content = "\n".join(block).strip("\n").rstrip()
        if not content:
            continue
        if _is_heading(block):
            waiting.append(content)
        else:
            rows.append("\n\n".join([*waiting, content]))
            waiting = []
    return rows + (["\n\n".join(waiting)] if waiting else [])


def is_prose(rows: Sequence[Sequence[str]], delimiter: str) -> bool:
    """Whether a delimiter stands inside sentences: a space follows it, and parts have several words or lines end as sentences do."""
    if delimiter in ("\t", "|"):
        return False
    later = [cell for row in rows for cell in row[1:]]
    spaced = sum(cell.startswith(" ") or not cell for cell in later)
    wordy = [len(cell.split()) for row in rows for cell in row]
    ended = sum(row[-1].rstrip(' "”»').endswith((".", "!", "?", "…")) for row in rows if row)
    return bool(later) and spaced > 0.8 * len(later) and (sum(wordy) / len(wordy) >= FEW_WORDS or 2 * ended > len(rows))


def _is_heading(block: list[str]) -> bool:
    filled = [line for line in block if line.strip()]
    return (len(filled) == 1 and bool(HEADING.match(filled[0]))) or (len(filled) == 2 and bool(UNDERLINE.match(filled[1])))


def _lines(text: str) -> list[str]:
    return re.split(r"\r\n|\n|\r|\f", text)


def _inner(lines: list[str]) -> list[str]:
    """Without the blank lines around the text."""
    filled = [place for place, line in enumerate(lines) if line.strip()]
    return lines[filled[0] : filled[-1] + 1] if filled else []


def _wrapped(lines: list[str]) -> bool:
    """Whether lines end at a margin and not where sentences end."""
    filled = [line.rstrip() for line in lines if line.strip()]
    if len(filled) < FEW_WORDS or not WRAPPED[0] <= median(map(len, filled)) <= WRAPPED[1] or max(map(len, filled)) > WRAPPED[1]:
        return False
    going_on = sum(not one.endswith(ENDS) and after.lstrip()[:1].islower() for one, after in pairwise(filled))
    return going_on > 0.4 * (len(filled) - 1)


def _joined(lines: list[str | None]) -> list[str]:
    """Lines joined up to each gap."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if line is None:
            parts.append([])
        else:
            parts[-1].append(line.rstrip())
    return ["\n".join(part).strip() for part in parts if part]
