"""Words on the picture of a page, by Tesseract: a program of its own, one process a picture, two pictures at a time.

Tesseract turns a page by quarter turns where its letters lie on their side (OSD) and follows lines that are askew by itself; both need its
mode 1 and the file osd.traineddata. Knows pictures and words; does not know PDFs.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

WANTED = ("eng", "por")
DPI = 300
SECONDS = 90.0  # for one picture; one of A4 takes some four
AT_ONCE = 2
MOST_PIXELS = 40_000_000  # of one picture; a page of A4 at 300 dpi has 8.7 million
POOR = 0.4  # mean confidence below which a page's words are more likely noise than text
NOISE = 0.25  # the same of one word
ABSENT, SLOW, NOTHING = "absent", "slow", "poor"
Words = tuple[tuple[str, float, float, float, float, float], ...]


@dataclass(frozen=True)
class Recognised:
    """Text in lines, blank ones between paragraphs, and its words as (text, left, top, right, bottom, confidence), all shares of 1."""

    text: str = ""
    words: Words = ()
    missed: str = ""

    @property
    def confidence(self) -> float:
        """Mean over the words, weighted by their length."""
        length = sum(len(word[0]) for word in self.words)
        return sum(len(word[0]) * word[5] for word in self.words) / length if length else 0.0


class Tesseract:
    """One installed Tesseract. `program` is its path."""

    def __init__(self, program: str) -> None:
        self.program = program

    @cached_property
    def languages(self) -> list[str]:
        """Those of ours that are installed, and `osd` where the turn of a page can be found."""
        try:
            told = subprocess.run([self.program, "--list-langs"], capture_output=True, text=True, timeout=20, check=False, env=_ENVIRON)
        except (OSError, subprocess.TimeoutExpired):
            return []
        have = set((told.stdout + told.stderr).split())
        return [one for one in (*WANTED, "osd") if one in have]

    def read(self, picture: bytes, width: int, height: int, *, seconds: float = SECONDS) -> Recognised:
        """The words of a picture (PNM or PNG) of so many dots; at worst nothing, and why."""
        languages = [one for one in self.languages if one != "osd"]
        if not languages:
            return Recognised(missed=ABSENT)
        mode = "1" if "osd" in self.languages else "3"
        command = [self.program, "-", "-", "--dpi", str(DPI), "-l", "+".join(languages), "--psm", mode, "tsv"]
        try:
            done = subprocess.run(
                [*_dies_with_us(), *command], input=picture, capture_output=True, timeout=seconds, check=False, env=_ENVIRON
            )
        except subprocess.TimeoutExpired:
            return Recognised(missed=SLOW)
        except OSError:
            return Recognised(missed=ABSENT)
        found = recognised(done.stdout.decode("utf-8", "replace"), width, height)
        return found if found.words else Recognised(missed=NOTHING)


_ENVIRON = {"OMP_THREAD_LIMIT": "1", "LC_ALL": "C.UTF-8"}


def _dies_with_us() -> Sequence[str]:
    """A command that runs another one, which then ends when this process is killed."""
    helper = shutil.which("setpriv", path="/usr/bin:/bin") if sys.platform == "linux" else None
    return (helper, "--pdeathsig", "KILL", "--") if helper else ()


def recognised(tsv: str, width: int, height: int) -> Recognised:
    """Tesseract's TSV as text and words; what it is hardly sure of is noise, as from a photograph."""
    words: list[tuple[str, float, float, float, float, float]] = []
    lines: list[list[str]] = []
    paragraph: Any = None
    line: Any = None
    text: list[str] = []
    for row in tsv.splitlines()[1:]:
        fields = row.split("\t")
        if len(fields) != 12 or fields[0] != "5" or not fields[11].strip():
            continue
        with contextlib.suppress(ValueError):
            left, top, wide, high = (int(one) for one in fields[6:10])
            sure = min(1.0, max(0.0, float(fields[10]) / 100))
            if sure < NOISE:
                continue
            sides = (left / width, top / height, (left + wide) / width, (top + high) / height)
            words.append((fields[11].strip(), *(min(1.0, max(0.0, side)) for side in sides), sure))  # type: ignore[arg-type]
            if fields[1:4] != paragraph and lines:
                lines.append([])
            if fields[1:5] != line or not lines:
                lines.append([])
            paragraph, line = fields[1:4], fields[1:5]
            lines[-1].append(fields[11].strip())
    text = [" ".join(one) for one in lines]
    found = Recognised("\n".join(text), tuple(words))
    return found if found.confidence >= POOR else Recognised()
