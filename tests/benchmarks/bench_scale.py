"""A question to a collection of 100,000 passages: how long until its passages are found, and how much memory and disk the index takes.

python -m tests.benchmarks.bench_scale [passages]

The passages are cut from the shared books; where there are too few, they come again with a number of their own. Vectors are the starter
embedder's. The limit stands in the head of the section.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from playground.jobs import Jobs
from playground.rag.chunks import Chunk
from playground.rag.index import Index
from playground.rag.store import Collections
from playground.settings import Settings
from playground.workspace import Workspace, write_json
from tests.benchmarks.bench_retrieval import DATA
from tests.benchmarks.report import write

BOOKS = DATA / "corpus" / "gutenberg_children.tar.xz"
CHARACTERS = 800  # of a passage, about what the splitter makes of 220 tokens
PROMISED_MS = 50
BATCH = 5_000
QUESTIONS = 200


def texts(most: int) -> Iterator[str]:
    books: list[str] = []
    with tarfile.open(BOOKS, "r:xz") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.endswith(".txt") else None
            if file is not None:
                books.append(" ".join(file.read().decode("utf-8", errors="replace").split()))
    pieces = [book[at : at + CHARACTERS] for book in books for at in range(0, len(book), CHARACTERS)]
    for number in range(most):
        again, at = divmod(number, len(pieces))
        yield pieces[at] if not again else f"{pieces[at]} ({again}.{at})"


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def disk_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def main() -> int:
    if not BOOKS.exists() or not Path("/proc/self/status").exists():
        print("the shared books, or the system's account of memory, are not here", file=sys.stderr)
        return 1
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace(Path(home))
        collections = Collections(workspace, Settings(home=Path(home)), Jobs(workspace))
        embedder = collections.embedders.load("starter")
        folder = collections.make("me", "Books")
        write_json(folder / "embedder.json", {"fingerprint": embedder.fingerprint, "dimension": embedder.dimension})
        index = Index(folder / "index.sqlite")
        began = time.perf_counter()
        batch: list[str] = []
        questions: list[str] = []
        for number, text in enumerate(texts(most), 1):
            batch.append(text)
            if number % (most // QUESTIONS or 1) == 0:
                questions.append("What " + " ".join(text.split()[20:30]) + "?")
            if len(batch) == BATCH or number == most:
                document = index.register(f"{number}.pdf", f"{number}", f"{number}.pdf")
                chunks = [Chunk(place, 1, "", 0, one) for place, one in enumerate(batch)]
                vectors = embedder.passages(batch)
                collections.dense.add(folder.name, index.finish(document.id, chunks, vectors, []), vectors)
                batch = []
        built = time.perf_counter() - began
        del vectors, chunks
        collections.search("me", "warm", "Books")
        before = resident_mb()
        times = []
        for question in questions:
            began = time.perf_counter()
            collections.search("me", question, "Books", 10)
            times.append(1000 * (time.perf_counter() - began))
        p50, p95 = np.quantile(times, [0.5, 0.95])
        memory = f"{resident_mb():.0f} ({before:.0f} before the questions)"
        row = [f"{index.count():,}", f"{p50:.1f}", f"{p95:.1f}", f"{max(times):.0f}", memory, f"{disk_mb(folder):.0f}"]
        row += [f"{disk_mb(Path(home) / 'chroma'):.0f}", f"{most / built:.0f}"]
    heads = ["passages", "median, ms", "95th of 100, ms", "slowest, ms", "memory of the process, MB", "index.sqlite, MB"]
    write(
        "A large collection",
        f"Hybrid search for ten passages with the starter embedder ({embedder.dimension} numbers a vector), {len(times)} questions made of "
        f"the passages' own words, in one process. Promised: a median of {PROMISED_MS} ms or less at 100,000 passages.",
        [*heads, "Chroma on disk, MB", "stored, passages/s"],
        [row],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
