"""Whether the weight of the meaning should follow how sure each part of the search is of a question.

python -m tests.benchmarks.bench_fusion [EMBEDDER [ITS NAME]]

A factor turns the fixed weight w of an embedder and language into sigmoid(logit(w) + strength * z), z being the factor in standard
deviations of its language, at most 3. Its strength is chosen on question sets that are apart, around the weight that is best there (the
starter was trained on them, and its vectors deserve more there), and judged on the held ones around the playground's own weight.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from playground.rag.chunks import Chunk
from playground.rag.embedders import Embedder, Embedders
from playground.rag.evidence import asked
from playground.rag.index import Index
from playground.rag.retrieve import CANDIDATES, Scored, fuse
from playground.rag.text import language_of
from playground.rag.thesaurus import Thesaurus
from playground.settings import Settings
from playground.starter.embedder import questions
from tests.benchmarks.bench_retrieval import DATA, interval, sets
from tests.benchmarks.report import write

EVERY = 6  # of the fairy tales' questions that are apart, of which there are some 8,500
WEIGHTS = [round(0.05 * step, 2) for step in range(1, 20)]
STRENGTHS = (-1.0, -0.5, -0.25, 0.25, 0.5, 1.0)
MOST = 3.0  # standard deviations


Usual = dict[str, tuple[float, float]]


class Row(NamedTuple):
    """A question as both parts found it. `right` is the id of its passage, `terms` how many words of it carry meaning."""

    language: str
    right: int
    dense: Scored
    keyword: Scored
    related: Scored
    terms: int


def first(scores: Scored) -> float:
    return scores[0][1] if scores else 0.0


def lead(scores: Scored) -> float:
    """How far the first is ahead of the second, as a share of the whole list's span."""
    span = scores[0][1] - scores[-1][1] if scores else 0.0
    return (scores[0][1] - scores[1][1]) / span if span > 0 else 0.0


def outstanding(scores: Scored) -> float:
    """How many standard deviations of the list its first stands above the mean."""
    values = np.array([score for _, score in scores])
    return float((values[0] - values.mean()) / values.std()) if len(values) > 2 and values.std() > 0 else 0.0


FACTORS: dict[str, Callable[[Row], float]] = {
    "cosine of the best by meaning": lambda row: first(row.dense),
    "lead of the best by meaning": lambda row: lead(row.dense),
    "best by meaning above the mean": lambda row: outstanding(row.dense),
    "BM25 of the best by words, for each word asked": lambda row: first(row.keyword) / max(1, row.terms),
    "lead of the best by words": lambda row: lead(row.keyword),
    "best by words above the mean": lambda row: outstanding(row.keyword),
    "number of words asked": lambda row: float(row.terms),
}


def apart() -> list[questions.QuestionSet]:
    tales = questions.fairytales(DATA / "corpus" / "fairytaleqa.tar.xz", "train")
    squad = questions.squad(DATA / "questions" / "squad1_pt_sample.json", "train")
    return [tales._replace(questions=tales.questions[::EVERY]), squad]


def searched(one: questions.QuestionSet, embedder: Embedder, thesaurus: Thesaurus, home: Path) -> list[Row]:
    index = Index(home / f"{one.name}.sqlite")
    index.create()
    vectors = embedder.passages(list(one.passages)).astype(np.float16).astype(np.float32)
    chunks = [Chunk(number, 1, "", 0, text) for number, text in enumerate(one.passages)]
    ids = index.finish(index.register(one.name, one.name, "none").id, chunks, vectors, [])
    rows = []
    for question in one.questions:
        cosines = vectors @ embedder.question(question.text)
        dense = [(ids[at], float(cosines[at])) for at in np.argsort(-cosines)[:CANDIDATES]]
        words = asked(question.text)
        related = index.related([other for group in thesaurus.related(words).values() for other in group], CANDIDATES)
        keyword = index.keyword(question.text, CANDIDATES)
        rows.append(Row(language_of(question.text), ids[question.passage], dense, keyword, related, len(words)))
    return rows


def reciprocal_ranks(rows: Sequence[Row], weights: Sequence[float]) -> np.ndarray:
    """(questions,) with the passages joined by each question's own weight; within ten."""
    found = [[one.id for one in fuse(row.dense, row.keyword, w, 10, row.related)] for row, w in zip(rows, weights, strict=True)]
    return np.array([1 / (ids.index(row.right) + 1) if row.right in ids else 0.0 for row, ids in zip(rows, found, strict=True)])


def bent(rows: Sequence[Row], weights: Sequence[float], factor: Callable[[Row], float], strength: float, usual: Usual) -> list[float]:
    """The weights by a factor; `usual` has its mean and standard deviation by language."""
    z = [min(MOST, max(-MOST, (factor(row) - usual[row.language][0]) / usual[row.language][1])) for row in rows]
    return [1 / (1 + math.exp(-(math.log(w / (1 - w)) + strength * one))) for w, one in zip(weights, z, strict=True)]


def measured(embedder: Embedder, thesaurus: Thesaurus, home: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the held sets, and the table's rows."""
    learning = [searched(one, embedder, thesaurus, home) for one in apart()]
    held = {one.name: searched(one, embedder, thesaurus, home) for one in sets()}
    best = [WEIGHTS[int(np.argmax([reciprocal_ranks(rows, [w] * len(rows)).mean() for w in WEIGHTS]))] for rows in learning]
    before = [reciprocal_ranks(rows, [w] * len(rows)) for rows, w in zip(learning, best, strict=True)]
    own = {name: [embedder.weight(row.language) for row in rows] for name, rows in held.items()}
    plain = {name: reciprocal_ranks(rows, own[name]) for name, rows in held.items()}
    table = []
    for name, factor in FACTORS.items():
        values: dict[str, list[float]] = {"en": [], "pt": []}
        for row in (row for rows in learning for row in rows):
            values[row.language].append(factor(row))
        usual = {language: (float(np.mean(those)), float(np.std(those)) or 1.0) for language, those in values.items()}

        def gain(strength: float, factor: Callable[[Row], float] = factor, usual: Usual = usual) -> float:
            ranks = [
                reciprocal_ranks(rows, bent(rows, [w] * len(rows), factor, strength, usual)) for rows, w in zip(learning, best, strict=True)
            ]
            return float(np.mean([new.mean() - old.mean() for new, old in zip(ranks, before, strict=True)]))

        gains = {strength: gain(strength) for strength in STRENGTHS}
        chosen = max(gains, key=lambda strength: gains[strength])
        cells = [
            interval(reciprocal_ranks(rows, bent(rows, own[one], factor, chosen, usual)) - plain[one], np.random.default_rng(1).integers)
            for one, rows in held.items()
        ]
        table.append([name, f"{chosen:+.2f}", f"{gains[chosen]:+.4f}", *cells])
    return [f"{name} ({len(rows)})" for name, rows in held.items()], table


def main() -> int:
    if not DATA.is_dir():
        print("the shared question sets are not here", file=sys.stderr)
        return 1
    id = sys.argv[1] if len(sys.argv) > 1 else "starter"
    name = sys.argv[2] if len(sys.argv) > 2 else id
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        thesaurus = Thesaurus(settings.assets / "starter" / "related_words.txt")
        names, table = measured(Embedders(settings).load(id), thesaurus, Path(folder))
    write(
        "Fusion by how sure each part is" + ("" if id == "starter" else f", with {name}"),
        "Tried and not kept: a weight that follows how sure the words or the meaning are of a question, instead of a fixed one for the "
        "embedder and language. Each factor's strength is the best for the sets that are apart (FairytaleQA's and the Portuguese SQuAD's "
        "training parts, from which the starter learnt), above 0 where more of the factor lets the meaning count more; then the difference "
        "in MRR to the fixed weight: on those sets, and on the held ones with its 95 % interval.",
        ["factor", "strength", "apart", *names],
        table,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
