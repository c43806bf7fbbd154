"""Reads one file in a process of its own: `python -m playground.rag.reader FILE`, JSON lines out.

A file from a stranger may loop, swallow memory or crash a library, so nothing of it is opened in the app's process: the parent
(`playground.rag.pdf`) kills this one when a page takes too long. The first line in is JSON: {"suffix", "password", "tesseract", "start",
"lost"}, the last two for going on after a page that ended an earlier reader: the first page to tell, and [page, why] of those to leave out.
Lines out: {"pages": n, "unit"}, then for each page {"at": number} before it is opened, {"ocr": number} where its picture is being read, and
{"page", "label", "text", "garbled", "parts", "ocr", "boxes", "tables", "missed", "sections"}; then {"end": true, ...} with what else there
is to tell; or {"problem"}. A PDF's outline, which is opened before the first page, counts as page 0.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playground.rag.readers import heads
from playground.rag.readers.limits import check_packed, limit_memory
from playground.rag.readers.told import DAMAGED, MEMORY, NOT_PDF, OLD_OFFICE, UNKNOWN, Request, Unreadable
from playground.system import end_with_parent

PACKED = {"word/": "word", "ppt/": "slides", "xl/": "workbook"}
Read = Callable[[Request], Iterator[dict[str, Any]]]


def kind_of(request: Request) -> str:
    """What a file is, by its content first and by its name where that leaves several possibilities.

    Raises:
        Unreadable: none of the kinds known here.
    """
    with request.path.open("rb") as file:
        head = file.read(heads.PDF_WITHIN)
    if heads.is_pdf(head, request.suffix):
        return "pdf"
    if request.suffix == ".pdf":
        raise Unreadable(NOT_PDF)
    if head.startswith(heads.PICTURES):
        return "picture"
    if head.startswith(heads.PACKED):
        names = check_packed(request.path)
        if "content.xml" in names and request.suffix == ".ods":
            return "workbook"
        for start, kind in PACKED.items():
            if any(name.startswith(start) for name in names):
                return kind
    elif head.startswith(heads.OLE):
        if request.suffix == ".xls":
            return "workbook"
        raise Unreadable(OLD_OFFICE)
    elif request.suffix in TEXTS:
        return TEXTS[request.suffix]
    raise Unreadable(UNKNOWN)


TEXTS = {
    ".txt": "plain",
    ".text": "plain",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".csv": "separated",
    ".tsv": "separated",
}


def _reader(kind: str) -> Read:
    if kind == "pdf":
        from playground.rag.readers import pdfs

        return pdfs.pages
    if kind == "picture":
        from playground.rag.readers import pictures

        return pictures.pages
    if kind == "word":
        from playground.rag.readers import word

        return word.word
    if kind == "slides":
        from playground.rag.readers import slides

        return slides.slides
    if kind in ("workbook", "separated"):
        from playground.rag.readers import sheets

        return sheets.workbook if kind == "workbook" else sheets.separated
    from playground.rag.readers import prose

    return {"plain": prose.plain, "markdown": prose.markdown, "html": prose.html}[kind]


def read(request: Request) -> Iterator[dict[str, Any]]:
    """What goes out, line by line.

    Raises:
        Unreadable: the whole file cannot be read.
    """
    yield from _reader(kind_of(request))(request)


def main() -> int:
    """The password, if there is one, comes by standard input, so that no process list shows it."""
    end_with_parent()
    limit_memory()
    out = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints must not stand between our lines
    try:
        told = json.loads(sys.stdin.readline())
        request = Request(Path(sys.argv[1]), told["suffix"], told["password"], told["tesseract"], told["start"], dict(told["lost"]))
        for line in read(request):
            out.write(json.dumps(line) + "\n")
            out.flush()
    except Unreadable as problem:
        out.write(json.dumps({"problem": problem.args[0]}) + "\n")
    except MemoryError:
        out.write(json.dumps({"problem": MEMORY}) + "\n")
    except Exception as error:  # libraries raise all kinds for broken files
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        out.write(json.dumps({"problem": DAMAGED}) + "\n")
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
