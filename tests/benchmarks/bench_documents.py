"""From a PDF to searchable, and from a question to its passages, beside what reading alone costs.

python -m tests.benchmarks.bench_documents [repeats]

The peers read the same file in the same run: pypdf alone and PDFium alone, both without cutting, embedding or storing anything.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pypdf
import pypdfium2

from playground.jobs import Jobs
from playground.rag import pdf
from playground.rag.store import Collections
from playground.settings import Settings
from playground.workspace import Workspace
from tests.benchmarks.report import spread, write

PROJECT = Path(__file__).resolve().parents[2]
BOOK = PROJECT.parent / "shared" / "data" / "documents" / "gov_public_domain" / "grimms_fairy_tales.pdf"
OCRMYPDF = PROJECT.parent / "shared" / "data" / "documents" / "ocrmypdf"
SCAN, PICTURE, TRUTH = OCRMYPDF / "cardinal.pdf", OCRMYPDF / "linn.png", OCRMYPDF / "linn.txt"
QUESTIONS = ("What did the frog ask of the princess?", "Who spins straw into gold?", "Where does the wolf hide?")
PROMISED_PAGES, PROMISED_MS = 100.0, 50.0


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
    if SCAN.exists() and pdf.tesseract():
        scans(repeats)
    return 0


def scans(repeats: int) -> None:
    """Four pages of a scan, turned each another way, beside the program alone on the picture of one of them."""
    ours, alone, found = [], [], []
    for _ in range(repeats):
        pages: list[pdf.Page] = []
        ours.append(4 / seconds(lambda pages=pages: pages.extend(page for _, page in pdf.read(SCAN, SCAN.name))))
        command = [str(pdf.tesseract()), str(PICTURE), "-", "-l", "eng+por", "--psm", "1", "tsv"]
        environ = {"OMP_THREAD_LIMIT": "1"}
        alone.append(
            1 / seconds(lambda command=command, environ=environ: subprocess.run(command, env=environ, capture_output=True, check=True))
        )
        found += [recall(page.text, TRUTH.read_text("utf-8")) for page in pages]
    write(
        "Scans",
        f"Four pages, each turned another way, read from their pictures at 300 dpi, two at a time; {repeats} repeats in turns with "
        "Tesseract alone on one such picture. Recall is the share of the printed words that are read. Promised: 0.5 pages/s or more.",
        ["a scan, pages/s", "Tesseract alone, pages/s", "ours to Tesseract alone", "recall of words"],
        [[spread(ours), spread(alone), spread([a / b for a, b in zip(ours, alone, strict=True)]), spread(found, 3)]],
    )


def recall(text: str, truth: str) -> float:
    """Share of the truth's words that are in a text, each as often as it occurs."""
    have, wanted = (Counter(re.findall(r"\w+", one.lower())) for one in (text, truth))
    return sum((have & wanted).values()) / sum(wanted.values())


if __name__ == "__main__":
    sys.exit(main())
