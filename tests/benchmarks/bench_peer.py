"""From a PDF to a searchable index with one and the same embedder, here and by LlamaIndex, and which of the two finds more.

python -m tests.benchmarks.bench_peer EMBEDDER_FOLDER PEER_PYTHON [repeats]

EMBEDDER_FOLDER holds all-MiniLM-L6-v2; PEER_PYTHON is the Python of an environment with `llama-index-core`, `llama-index-readers-file`
and `llama-index-embeddings-huggingface`. The peer runs in a process of its own (`peer_llama_index.py`), in turns with ours, on the same
files, with chunks of 220 tokens, and tells its own times, without its imports and the loading of its model; neither are ours counted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from playground.jobs import Jobs
from playground.rag.chunks import Chunk
from playground.rag.embedders import Embedders
from playground.rag.evidence import asked
from playground.rag.index import Index
from playground.rag.modules import LOCAL
from playground.rag.retrieve import CANDIDATES, fuse
from playground.rag.store import Collections
from playground.rag.text import language_of
from playground.rag.thesaurus import Thesaurus
from playground.settings import Settings
from playground.starter.embedder import questions
from playground.workspace import Workspace
from tests.benchmarks.bench_documents import BOOK, seconds
from tests.benchmarks.bench_retrieval import DATA, interval
from tests.benchmarks.report import spread, write

PEER = Path(__file__).with_name("peer_llama_index.py")


def sets() -> list[questions.QuestionSet]:
    return [
        questions.pira(DATA / "questions" / "pira_validation.csv", "en"),
        questions.fairytales(DATA / "corpus" / "fairytaleqa.tar.xz", "held"),
    ]


def ours(folder: str, home: Path, repeats: int) -> tuple[list[float], Collections]:
    """Seconds from the upload of the book to searchable."""
    workspace = Workspace(home)
    collections = Collections(workspace, Settings(home=home), Jobs(workspace))
    collections.embedders.load(LOCAL + folder).passages(["warm"] * 8)

    def index(name: str) -> None:
        job, _ = collections.add("me", [(BOOK, BOOK.name)], name, LOCAL + folder)
        while not job.finished:
            time.sleep(0.01)
        if job.state != "done":
            raise RuntimeError(str(job.error))

    return [seconds(lambda number=number: index(f"book {number}")) for number in range(repeats)], collections


def ranks(one: questions.QuestionSet, collections: Collections, folder: str, home: Path) -> np.ndarray:
    """Reciprocal ranks (questions,) of the passage that answers, as hybrid search finds it; every passage of the set is one passage."""
    embedder = Embedders(collections.settings).load(LOCAL + folder)
    index = Index(home / f"{one.name}.sqlite")
    index.create()
    document = index.register(one.name, one.name, "none")
    vectors = embedder.passages(list(one.passages))
    ids = index.finish(document.id, [Chunk(number, 1, "", 0, text) for number, text in enumerate(one.passages)], vectors, [])
    thesaurus = Thesaurus(collections.settings.assets / "starter" / "related_words.txt")
    found = []
    for question in one.questions:
        cosines = vectors @ embedder.question(question.text)
        dense = [(ids[at], float(cosines[at])) for at in np.argsort(-cosines)[:CANDIDATES]]
        others = [word for group in thesaurus.related(asked(question.text)).values() for word in group]
        weight = embedder.weight(language_of(question.text))
        order = [r.id for r in fuse(dense, index.keyword(question.text, CANDIDATES), weight, 10, index.related(others, CANDIDATES))]
        right = ids[question.passage]
        found.append(1 / (order.index(right) + 1) if right in order else 0.0)
    return np.array(found)


def peer(python: str, folder: str, work: dict[str, object]) -> dict[str, list[float]]:
    told = subprocess.run([python, str(PEER), folder], input=json.dumps(work), capture_output=True, text=True, check=False)
    if told.returncode:
        raise RuntimeError(told.stderr[-2000:])
    return dict(json.loads(told.stdout.splitlines()[-1]))


def main() -> int:
    if len(sys.argv) < 3 or not Path(sys.argv[1]).is_dir() or not Path(sys.argv[2]).exists() or not BOOK.exists():
        print("the peer, its embedder or the shared documents are not here", file=sys.stderr)
        return 1
    folder, python = sys.argv[1], sys.argv[2]
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    times: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        for number in range(repeats):
            took, collections = ours(folder, Path(home) / str(number), 1)
            times += took
            theirs += peer(python, folder, {"book": str(BOOK)})["seconds"]
        rows = [
            [
                "Grimms' tales, 246 pages: seconds",
                spread(times, 1),
                spread(theirs, 1),
                f"{spread([b / a for a, b in zip(times, theirs, strict=True)])} times",
            ]
        ]
        for one in sets():
            mine = ranks(one, collections, folder, Path(home))
            work = {"passages": one.passages, "questions": [list(pair) for pair in one.questions]}
            other = np.array(peer(python, folder, work)["ranks"])
            name = f"{one.name} ({len(mine)})"
            first = (mine == 1).astype(float), (other == 1).astype(float)
            draw = np.random.default_rng(1).integers
            rows.append([f"{name}: R@1", f"{first[0].mean():.3f}", f"{first[1].mean():.3f}", interval(first[0] - first[1], draw)])
            rows.append([f"{name}: MRR@10", f"{mine.mean():.3f}", f"{other.mean():.3f}", interval(mine - other, draw)])
    write(
        "Beside LlamaIndex",
        f"all-MiniLM-L6-v2 in both, chunks of 220 tokens, {repeats} repeats in turns, each LlamaIndex in a fresh process whose imports and "
        "model are loaded before the clock starts. Ours reads with PDFium, encodes in bfloat16 where the processor has it, stores "
        "passages, BM25 and vectors; LlamaIndex is its PDF reader, SentenceSplitter and VectorStoreIndex in memory. "
        "Promised: 3 times faster, and finding more. Differences with a paired 95 % interval.",
        ["", "the playground", "LlamaIndex", "ours to theirs"],
        rows,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
