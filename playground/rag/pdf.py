"""A file's pages, read by a process that can be killed (`playground.rag.reader`).

Knows limits and the sentence for every way a file can fail. Does not know what becomes of the text.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playground.errors import FileUnreadable
from playground.rag import text
from playground.rag.boxes import Box
from playground.rag.readers import limits, ocr, told
from playground.rag.sections import Section, placed
from playground.settings import PROJECT

SUFFIXES = (
    *(".pdf", ".docx", ".pptx", ".xlsx", ".xlsm", ".xls", ".ods", ".csv", ".tsv", ".txt", ".text", ".md", ".markdown", ".html", ".htm"),
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff"),
)
PAGE_SECONDS = 30.0
PICTURE_SECONDS = ocr.SECONDS + 20  # and what a page costs beside
MOST_LOST = 5  # pages of one file that may be left out because a reader died of them, or took too long
LABEL_CHARACTERS = 80
PROBLEMS = {
    told.PASSWORD: "{name} is protected by a password. Give the password, or add a copy without one.",
    told.WRONG_PASSWORD: "That password does not open {name}. Look at capital letters and accents, then give it again.",
    told.DAMAGED: "{name} is damaged, and its pages cannot be read. Open it in a PDF viewer, print it to a new PDF, then add that.",
    told.NO_PAGES: "{name} has no pages.",
    told.MANY_PAGES: "{name} has more than 5,000 pages. Split it into parts, then add those.",
    told.NOT_PDF: "{name} is not a PDF file. Save or export it as PDF, then add that.",
    told.UNKNOWN: "{name} is of a kind that cannot be read here. Save it as PDF, then add that.",
    told.BOMB: "{name} unpacks to more than 300 MB, so it was not opened. Save it as PDF, then add that.",
    told.MEMORY: "{name} needs more memory than a file may take here. Make it smaller, or split it into parts, then add that.",
    told.OLD_OFFICE: "{name} has a password, or is from an older Office. Save it as .docx, .pptx or .xlsx without one, then add that.",
}
UNLIKE_PDF = {  # the same, of files that are no PDF
    told.DAMAGED: "{name} is damaged and cannot be read. Open it with the program that made it, save it again, then add that.",
    told.NO_PAGES: "{name} has no text in it.",
}
STUCK = "Page {page} of {name} took longer than {seconds} seconds to read, so the file was left out. Print it to a new PDF, then add that."
CRASHED = "{name} made the PDF reader give up at page {page}, so the file was left out. Print it to a new PDF, then add that."


@dataclass(frozen=True)
class Page:
    """One page, or what stands for one: `number` counts from 1, `label` is the printed number or a title, `text` is in paragraphs.

    `ocr` pages were read from a picture, `boxes` are their words. `missed` says why a picture was not read (absent, slow or poor), or a
    whole page (broke, late or full); `cut` that the page has more text than is read of one. `sections` are those that begin on it, in the
    order of its text.
    """

    number: int
    label: str
    text: str
    garbled: bool = False
    ocr: bool = False
    boxes: tuple[Box, ...] = field(default=(), repr=False)
    tables: int = 0
    missed: str = ""
    sections: tuple[Section, ...] = ()
    cut: bool = False


@dataclass
class About:
    """What a reading tells beside the pages.

    `unit` is what a page is (page, slide, sheet, section or part), `attachments` and `cut` are names of files and sheets that were not
    read, or not wholly, `unread` counts what else was not (`told.UNREAD`), and `languages` are those in which pictures are read. `looking`
    is called with (page, pages) when one begins to be.
    """

    unit: str = "page"
    attachments: list[str] = field(default_factory=list)
    encrypted: bool = False
    cut: list[str] = field(default_factory=list)
    unread: dict[str, int] = field(default_factory=dict)
    languages: list[str] = field(default_factory=list)
    looking: Callable[[int, int], None] = lambda page, pages: None


class Cancelled(Exception):
    """The reading was given up on request."""


def tesseract() -> str | None:
    """Where the program that reads pictures is installed; None where it is not."""
    return shutil.which("tesseract")


def read(
    path: Path,
    name: str,
    cancelled: Callable[[], bool] = lambda: False,
    *,
    seconds: float = PAGE_SECONDS,
    password: str | None = None,
    about: About | None = None,
) -> Iterator[tuple[int, Page]]:
    """(pages in all, page) for every page in order.

    Args:
        path: its ending counts where the content does not tell what kind of file it is.
        name: what the user calls the file.
        cancelled: asked about twice a second.
        seconds: how long one page may take, where no picture is read.
        about: is filled with what there is to tell beside the pages.

    A page of which the reader dies, or that takes too long, is left out with the reason (`Page.missed`), and reading goes on after it; an
    outline of which it does costs the sections alone.

    Raises:
        FileUnreadable: a password, damage, no pages, too many, or more than a few pages that had to be left out.
        Cancelled: `cancelled` said so.
    """
    about = about or About()
    lost: dict[int, str] = {}
    last = 0  # page that was told
    while True:
        attempt = _attempt(path, name, cancelled, seconds, password, about, last + 1, lost)
        try:
            with contextlib.closing(attempt):
                for total, page in attempt:
                    last = page.number
                    yield total, page
            return
        except _GivenUp as end:
            if end.page == told.OUTLINE and told.OUTLINE not in lost:
                lost[told.OUTLINE] = end.why
                continue
            if end.page is None or end.page <= last or len(lost) == MOST_LOST or len(lost) + 1 >= end.pages:
                raise FileUnreadable(
                    STUCK if end.why == limits.LATE else CRASHED, page=end.page or last + 1, name=name, seconds=end.seconds
                ) from None
            lost[end.page] = end.why


class _GivenUp(Exception):
    """A reader ended before its time, or was ended: `page` (of `pages`) is the one that it had opened last, OUTLINE the outline."""

    def __init__(self, why: str, page: int | None, pages: int, seconds: float) -> None:
        super().__init__(why)
        self.why, self.page, self.pages, self.seconds = why, page, pages, round(seconds)


def _attempt(
    path: Path,
    name: str,
    cancelled: Callable[[], bool],
    seconds: float,
    password: str | None,
    about: About,
    start: int,
    lost: Mapping[int, str],
) -> Generator[tuple[int, Page]]:
    """As `read`, by one reader, from the page `start` on.

    Raises:
        _GivenUp
    """
    suffix = path.suffix.lower()
    request = json.dumps({"suffix": suffix, "password": password, "tesseract": tesseract(), "start": start, "lost": list(lost.items())})
    process = _start(path)
    lines: queue.Queue[bytes | None] = queue.Queue(maxsize=64)
    pump = threading.Thread(target=_pump, args=(process, lines, request), daemon=True)
    pump.start()
    total, limit = 0, seconds
    at: int | None = None
    try:
        while True:
            line = _next(lines, cancelled, limit)
            if line is _TIMEOUT:
                raise _GivenUp(limits.LATE, at, total, limit)
            heard = _heard(line) if line is not None else None
            if heard is None:
                raise _GivenUp(limits.BROKE, at, total, limit)
            if problem := heard.get("problem"):
                raise FileUnreadable(UNLIKE_PDF[problem] if suffix != ".pdf" and problem in UNLIKE_PDF else PROBLEMS[problem], name=name)
            if "pages" in heard:
                total, about.unit = heard["pages"], heard.get("unit", "page")
            elif "at" in heard:
                at = heard["at"]
            elif "ocr" in heard and "page" not in heard:
                limit = max(seconds, PICTURE_SECONDS)
                about.looking(heard["ocr"], total)
            elif "page" in heard:
                yield total, _page(heard)
            elif "end" in heard:
                about.attachments = [_line(one, 200) for one in heard.get("attachments", [])]
                about.encrypted = bool(heard.get("encrypted"))
                about.cut = [name if one == told.THIS else _line(one, 200) for one in heard.get("cut", [])]
                about.unread = {what: int(n) for what in told.UNREAD if (n := heard.get("unread", {}).get(what, 0)) > 0}
                about.languages = heard.get("languages", [])
                return
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


def _start(path: Path) -> subprocess.Popen[bytes]:
    # The reader gets no variables of ours: a flaw in a PDF library must not find a token there.
    environ = {"PYTHONUTF8": "1"} if os.name == "posix" else None
    return subprocess.Popen(
        [sys.executable, "-m", "playground.rag.reader", str(path.absolute())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
        env=environ,
    )


def _page(heard: dict[str, Any]) -> Page:
    parts = heard.get("parts") or [{"text": heard["text"], "as_is": False}]
    cleaned = ((text.clean(part["text"]), part["as_is"]) for part in parts)
    pieces = (_kept(one) if as_is else text.unwrap(one) for one, as_is in cleaned)
    boxes = tuple(Box(text.clean(word).strip(), *sides) for word, *sides in heard.get("boxes", ()))
    whole = "\n".join(piece for piece in pieces if piece)
    return Page(
        heard["page"],
        _line(heard["label"], LABEL_CHARACTERS),
        whole,
        heard["garbled"],
        heard.get("ocr", False),
        boxes,
        heard.get("tables", 0),
        heard.get("missed", ""),
        placed([told.Begun(tuple(one["path"]), one["share"]) for one in heard.get("sections", ())], whole),
        heard.get("cut", False),
    )


def _kept(lines: str) -> str:
    """Lines that are not joined, such as the rows of a table."""
    return "\n".join(line for one in lines.split("\n") if (line := " ".join(one.split())))


def _line(name: str, most: int) -> str:
    return " ".join(text.clean(name).split())[:most]


_TIMEOUT = b"timeout"
_PAGE = {"page", "label", "text", "garbled"}


def _pump(process: subprocess.Popen[bytes], lines: queue.Queue[bytes | None], request: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        if process.stdin is not None:
            process.stdin.write(request.encode() + b"\n")
            process.stdin.flush()
        for line in process.stdout or ():
            lines.put(line)
    lines.put(None)


def _heard(line: bytes) -> dict[str, Any] | None:
    """What the reader says; None where that is no line of its own, such as the half one of a reader that was killed."""
    try:
        heard = json.loads(line)
    except ValueError:
        return None
    if not isinstance(heard, dict):
        return None
    known = heard["problem"] in PROBLEMS if "problem" in heard else heard.keys() & {"pages", "end"} or heard.keys() >= _PAGE
    return heard if known or heard.keys() == {"ocr"} or (heard.keys() == {"at"} and type(heard["at"]) is int) else None


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
