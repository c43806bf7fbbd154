"""A PDF's pages, read by a process that can be killed (`playground.rag.reader`).

Knows limits and the sentence for every way a file can fail. Does not know what becomes of the text.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.errors import FileUnreadable
from playground.rag import reader, text
from playground.settings import PROJECT

PAGE_SECONDS = 30.0
LABEL_CHARACTERS = 40
PROBLEMS = {
    reader.PASSWORD: "{name} is protected by a password. Save a copy without the password, then add that.",
    reader.DAMAGED: "{name} is damaged, and its pages cannot be read. Open it in a PDF viewer, print it to a new PDF, then add that.",
    reader.NO_PAGES: "{name} has no pages.",
    reader.MANY_PAGES: "{name} has more than 5,000 pages. Split it into parts, then add those.",
    reader.NOT_PDF: "{name} is not a PDF file. Save or export it as PDF, then add that.",
}
STUCK = "Page {page} of {name} took longer than {seconds} seconds to read, so the file was left out. Print it to a new PDF, then add that."
CRASHED = "{name} made the PDF reader give up at page {page}, so the file was left out. Print it to a new PDF, then add that."


@dataclass(frozen=True)
class Page:
    """One page: `number` counts from 1, `label` is the printed number where the file tells it, `text` is in paragraphs, perhaps empty."""

    number: int
    label: str
    text: str
    garbled: bool = False


class Cancelled(Exception):
    """The reading was given up on request."""


def read(
    path: Path, name: str, cancelled: Callable[[], bool] = lambda: False, *, seconds: float = PAGE_SECONDS
) -> Iterator[tuple[int, Page]]:
    """(pages in all, page) for every page in order.

    Args:
        name: what the user calls the file.
        cancelled: asked about twice a second.
        seconds: how long one page may take.

    Raises:
        FileUnreadable: a password, damage, no pages, too many, or a page that never ends.
        Cancelled: `cancelled` said so.
    """
    # The reader gets no variables of ours: a flaw in a PDF library must not find a token there.
    environ = {"PYTHONUTF8": "1"} if os.name == "posix" else None
    process = subprocess.Popen(
        [sys.executable, "-m", "playground.rag.reader", str(path.absolute())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
        env=environ,
    )
    lines: queue.Queue[bytes | None] = queue.Queue(maxsize=64)
    pump = threading.Thread(target=_pump, args=(process, lines), daemon=True)
    pump.start()
    total, at, whole = 0, 1, False
    try:
        while True:
            line = _next(lines, cancelled, seconds)
            if line is _TIMEOUT:
                raise FileUnreadable(STUCK, page=at, name=name, seconds=round(seconds))
            told = _heard(line) if line is not None else None
            if told is None:
                break
            if problem := told.get("problem"):
                raise FileUnreadable(PROBLEMS[problem], name=name)
            if "pages" in told:
                total = told["pages"]
            elif "page" in told:
                at = told["page"] + 1
                label = " ".join(text.clean(told["label"]).split())[:LABEL_CHARACTERS]
                yield total, Page(told["page"], label, text.unwrap(text.clean(told["text"])), told["garbled"])
            elif "end" in told:
                whole = True
        if not whole:
            raise FileUnreadable(CRASHED, page=at, name=name)
    finally:
        process.kill()
        while pump.is_alive():  # it must not wait for us forever
            with contextlib.suppress(queue.Empty):
                lines.get(timeout=0.05)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


_TIMEOUT = b"timeout"
_PAGE = {"page", "label", "text", "garbled"}


def _pump(process: subprocess.Popen[bytes], lines: queue.Queue[bytes | None]) -> None:
    with contextlib.suppress(OSError, ValueError):
        if process.stdin is not None:
            process.stdin.write(b"\n")  # no password
            process.stdin.flush()
        for line in process.stdout or ():
            lines.put(line)
    lines.put(None)


def _heard(line: bytes) -> dict[str, Any] | None:
    """What the reader says; None where that is no line of its own, such as the half one of a reader that was killed."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    known = told["problem"] in PROBLEMS if "problem" in told else told.keys() & {"pages", "end"} or told.keys() >= _PAGE
    return told if known else None


def _next(lines: queue.Queue[bytes | None], cancelled: Callable[[], bool], seconds: float) -> bytes | None:
    waited = 0.0
    while waited < seconds:
        if cancelled():
            raise Cancelled
        try:
            return lines.get(timeout=0.5)
        except queue.Empty:
            waited += 0.5
    return _TIMEOUT
