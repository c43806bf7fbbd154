"""From a PDF to searchable, and from a question to its passages, beside what reading alone costs.

python -m tests.benchmarks.bench_documents [repeats]

The peers read the same file in the same run: pypdf alone and PDFium alone, both without cutting, embedding or storing anything.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pypdf
import pypdfium2

from playground.jobs import Jobs
from playground.rag.store import Collections
from playground.settings import Settings
from playground.workspace import Workspace
from tests.benchmarks.report import spread, write

PROJECT = Path(__file__).resolve().parents[2]
BOOK = PROJECT.parent / "shared" / "data" / "documents" / "gov_public_domain" / "grimms_fairy_tales.pdf"
QUESTIONS = ("What did the frog ask of the princess?", "Who spins straw into gold?", "Where does the wolf hide?")
PROMISED_PAGES, PROMISED_MS = 50.0, 100.0


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def with_pdfium() -> None:
    document = pypdfium2.PdfDocument(BOOK)
    for number in range(len(document)):
        document[number].get_textpage().get_text_range()


def with_pypdf() -> None:
    for page in pypdf.PdfReader(BOOK).pages:
        page.extract_text()


def main() -> int:
    if not BOOK.exists():
        print("the shared documents are not here", file=sys.stderr)
        return 1
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home))
        workspace = Workspace(settings.home)
        collections = Collections(workspace, settings, Jobs(workspace))

        def index(name: str) -> None:
            job, _ = collections.add("me", [(BOOK, BOOK.name)], name)
            while not job.finished:
                time.sleep(0.005)
            if job.state != "done":
                raise RuntimeError(str(job.error))

        index("warm")
        pages = len(pypdfium2.PdfDocument(BOOK))
        ours, pdfium, pure, query = [], [], [], []
        for number in range(repeats):
            ours.append(pages / seconds(lambda number=number: index(f"book {number}")))
            pdfium.append(pages / seconds(with_pdfium))
            pure.append(pages / seconds(with_pypdf))
            for question in QUESTIONS:
                query.append(1000 * seconds(lambda question=question: collections.search("me", question, "warm")))
    write(
        "Documents",
        f"Grimms' tales, {pages} pages, {repeats} repeats in turns. Indexing is the whole way from upload to searchable, once warm; "
        f"the peers only read. Promised: {PROMISED_PAGES:.0f} pages/s or more, a question in {PROMISED_MS:.0f} ms or less.",
        ["upload to searchable, pages/s", "PDFium alone, pages/s", "pypdf alone, pages/s", "ours to pypdf's reading", "a question, ms"],
        [[spread(ours, 0), spread(pdfium, 0), spread(pure, 0), spread([a / b for a, b in zip(ours, pure, strict=True)]), spread(query, 1)]],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
