"""Reads one PDF in a process of its own: `python -m playground.rag.reader FILE`, JSON lines out.

A file from a stranger may loop, swallow memory or crash a library, so nothing of it is opened in the app's process: the parent
(`playground.rag.pdf`) kills this one when a page takes too long. PDFium gives the text; pypdf reads what PDFium cannot open, and the pages
whose text PDFium gives garbled. Lines out: {"pages": n}, then {"page", "label", "text"} for each page, then {"end": true}; or {"problem"}.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MOST_CHARACTERS = 100_000  # of one page
MOST_PAGES = 5_000
MEMORY = 2 * 1024**3  # bytes of address space
GARBLED = 0.15  # share of characters that stand for nothing readable
PASSWORD, DAMAGED, NO_PAGES, MANY_PAGES, NOT_PDF = "password", "damaged", "no_pages", "many_pages", "not_pdf"


class Unreadable(Exception):
    """The whole file cannot be read; `args[0]` is one of the problems above."""


def garbled(text: str) -> float:
    """Share of characters that no font mapping explained: replacement and private ones, controls, and letters with their bytes swapped."""
    shown = [c for c in text if not c.isspace()]
    if not shown:
        return 0.0
    odd = sum(c == "\ufffd" or "\ue000" <= c <= "\uf8ff" or ord(c) < 32 or (ord(c) > 0x2000 and ord(c) % 256 == 0) for c in shown)
    return odd / len(shown)


def with_pdfium(path: Path, password: str | None) -> tuple[int, Callable[[int], tuple[str, str]]]:
    """Number of pages, and a function from page number (from 0) to (label, text)."""
    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    try:
        document = pdfium.PdfDocument(path, password=password)
    except pdfium.PdfiumError as error:
        code = getattr(error, "err_code", None)
        raise Unreadable(PASSWORD if code == raw.FPDF_ERR_PASSWORD else DAMAGED) from error

    def page(number: int) -> tuple[str, str]:
        one = document[number]
        try:
            label = ""
            with contextlib.suppress(ValueError):  # an odd label does not cost the text
                label = document.get_page_label(number) or ""
            text = one.get_textpage()
            try:
                return label, text.get_text_range()[:MOST_CHARACTERS]
            finally:
                text.close()
        finally:
            one.close()

    return len(document), page


def with_pypdf(path: Path, password: str | None) -> tuple[int, Callable[[int], tuple[str, str]]]:
    """As `with_pdfium`; slower, and forgiving with broken files."""
    import pypdf

    reader = pypdf.PdfReader(io.BytesIO(path.read_bytes()), strict=False)
    if reader.is_encrypted and not reader.decrypt(password or ""):
        raise Unreadable(PASSWORD)
    labels: list[str] = []
    with contextlib.suppress(Exception):
        labels = reader.page_labels

    def page(number: int) -> tuple[str, str]:
        return labels[number] if number < len(labels) else "", (reader.pages[number].extract_text() or "")[:MOST_CHARACTERS]

    return len(reader.pages), page


def read(path: Path, password: str | None = None) -> Iterator[dict[str, Any]]:
    """What goes out, line by line."""
    with path.open("rb") as file:
        if b"%PDF-" not in file.read(1024 * 1024):
            raise Unreadable(NOT_PDF)
    second: tuple[int, Callable[[int], tuple[str, str]]] | None = None
    try:
        count, page = with_pdfium(path, password)
    except Unreadable as problem:
        if problem.args[0] == PASSWORD:
            raise
        count, page = with_pypdf(path, password)
    if count == 0:
        raise Unreadable(NO_PAGES)
    if count > MOST_PAGES:
        raise Unreadable(MANY_PAGES)
    yield {"pages": count}
    for number in range(count):
        label, text = "", ""
        with contextlib.suppress(Exception):  # one broken page does not cost the others
            label, text = page(number)
        share = garbled(text)
        if share > GARBLED:
            with contextlib.suppress(Exception):
                second = second or with_pypdf(path, password)
                other = second[1](number)[1]
                if other.strip() and garbled(other) < share:
                    text = other
        yield {"page": number + 1, "label": label, "text": text, "garbled": garbled(text) > GARBLED}
    yield {"end": True}


def limit_memory() -> None:
    """No more address space than a large PDF needs, where the system can hold a process to that."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def main() -> int:
    """The password, if there is one, comes as the first line of standard input, so that no process list shows it."""
    limit_memory()
    out = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints must not stand between our lines
    password = sys.stdin.readline().rstrip("\n") or None
    try:
        for line in read(Path(sys.argv[1]), password):
            out.write(json.dumps(line) + "\n")
            out.flush()
    except Unreadable as problem:
        out.write(json.dumps({"problem": problem.args[0]}) + "\n")
    except Exception as error:  # libraries raise all kinds for broken files
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        out.write(json.dumps({"problem": DAMAGED}) + "\n")
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
