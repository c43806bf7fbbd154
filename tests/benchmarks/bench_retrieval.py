"""Finding the passage that answers a question: words alone, vectors alone, and both, by the playground's own index, embedder and fusion.

python -m tests.benchmarks.bench_retrieval [EMBEDDER [ITS NAME]]

Reads the shared question sets; nothing of Pirá was trained on. R@1 is the share of questions whose passage comes first, MRR the mean of
1 / rank within ten. The interval is a paired bootstrap of the difference in MRR.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from playground.rag.chunks import Chunk
from playground.rag.embedders import Embedder, Embedders
from playground.rag.evidence import asked
from playground.rag.index import Index
from playground.rag.retrieve import CANDIDATES, fuse
from playground.rag.text import language_of
from playground.rag.thesaurus import Thesaurus
from playground.settings import Settings
from playground.starter.embedder import questions
from tests.benchmarks.report import write

PROJECT = Path(__file__).resolve().parents[2]
DATA = PROJECT.parent / "shared" / "data"
RRF = 60  # Cormack, Clarke and Buettcher, 2009
DRAWS = 10_000
PARTS = ("words (BM25)", "meaning (vectors)")


def sets() -> list[questions.QuestionSet]:
    asked_for = DATA / "questions"
    return [
        questions.pira(asked_for / "pira_validation.csv", "en"),
        questions.pira(asked_for / "pira_validation.csv", "pt"),
        questions.squad(asked_for / "squad1_pt_sample.json", "held"),
        questions.fairytales(DATA / "corpus" / "fairytaleqa.tar.xz", "held"),
    ]


def ways(one: questions.QuestionSet, embedder: Embedder, thesaurus: Thesaurus, home: Path) -> dict[str, np.ndarray]:
    """Reciprocal ranks (questions,) of each way of searching."""
    index = Index(home / f"{one.name}.sqlite")
    index.create()
    document = index.register(one.name, one.name, "none")
    vectors = embedder.passages(list(one.passages)).astype(np.float16).astype(np.float32)
    chunks = [Chunk(number, 1, "", 0, text) for number, text in enumerate(one.passages)]
    ids = index.finish(document.id, chunks, vectors, [])
    found: dict[str, list[float]] = {}
    for question in one.questions:
        right = ids[question.passage]
        cosines = vectors @ embedder.question(question.text)
        dense = [(ids[at], float(cosines[at])) for at in np.argsort(-cosines)[:CANDIDATES]]
        words = index.keyword(question.text, CANDIDATES)
        others = [word for group in thesaurus.related(asked(question.text)).values() for word in group]
        related = index.related(others, CANDIDATES)
        weight = embedder.weight(language_of(question.text))
        orders = {
            "words (BM25)": [id for id, _ in words],
            "meaning (vectors)": [id for id, _ in dense],
            "reciprocal rank fusion": reciprocal(dense, words),
            "both, without related words": [r.id for r in fuse(dense, words, weight, 10)],
            "both": [r.id for r in fuse(dense, words, weight, 10, related)],
        }
        for way, order in orders.items():
            found.setdefault(way, []).append(1 / (order.index(right) + 1) if right in order[:10] else 0.0)
    return {way: np.array(ranks) for way, ranks in found.items()}


def reciprocal(*lists: Sequence[tuple[int, float]]) -> list[int]:
    scores: dict[int, float] = {}
    for one in lists:
        for rank, (id, _) in enumerate(one, 1):
            scores[id] = scores.get(id, 0.0) + 1 / (RRF + rank)
    return sorted(scores, key=lambda id: -scores[id])


def interval(difference: np.ndarray, draw: Callable[..., np.ndarray]) -> str:
    means = difference[draw(0, len(difference), (DRAWS, len(difference)))].mean(axis=1)
    return f"{difference.mean():+.3f} [{np.quantile(means, 0.025):+.3f}, {np.quantile(means, 0.975):+.3f}]"


def main() -> int:
    if not DATA.is_dir():
        print("the shared question sets are not here", file=sys.stderr)
        return 1
    rows = []
    id = sys.argv[1] if len(sys.argv) > 1 else "starter"
    name = sys.argv[2] if len(sys.argv) > 2 else id
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        embedder = Embedders(settings).load(id)
        thesaurus = Thesaurus(settings.assets / "starter" / "related_words.txt")
        for one in sets():
            ranks = ways(one, embedder, thesaurus, Path(folder))
            better = max((ranks[part] for part in PARTS), key=lambda values: values.mean())
            for way, values in ranks.items():
                gain = "" if way in PARTS else interval(values - better, np.random.default_rng(1).integers)
                rows.append([f"{one.name} ({len(values)})", way, f"{(values == 1).mean():.3f}", f"{values.mean():.3f}", gain])
    write(
        "Retrieval" if id == "starter" else f"Retrieval with {name}",
        "Questions of the shared sets (how many), each asked of all passages of its set; BM25 is SQLite's FTS5 with Porter stems and "
        "without stop words. The last column is the difference in MRR to the better of words and meaning, with its 95 % interval.",
        ["set", "search", "R@1", "MRR@10", "against the better part"],
        rows,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
