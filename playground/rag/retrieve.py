"""Finding passages: by words (BM25), by meaning (vectors), or both with weights.

Plain reciprocal rank fusion lets a weak part pull down a strong one, so scores are joined instead: each part's scores are scaled to 0..1
over the candidates of this question, and the vectors count by the embedder's weight in the question's language, measured for some of them
(a convex combination: Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", 2023). Words related to the
question's, from the thesaurus, add a little to what its own words score. That the weight followed how sure each part is of a question
brought nothing (benchmark "Fusion by how sure each part is"). Does not know how scores are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MODES = ("hybrid", "dense", "keyword")
CANDIDATES = 50  # of each part
RELATED = 0.1  # what a related word's BM25 counts beside the question's own words; measured on held-out questions of both languages

Scored = Sequence[tuple[int, float]]  # (passage id, score), best first


@dataclass(frozen=True)
class Ranked:
    """A passage's place: its score in the chosen mode, and its rank (from 1) and score in each part that found it.

    `fused_rank` is its place before a reranker, whose own score (0..1) is `rerank`, None where none has read it.
    """

    id: int
    score: float
    dense_rank: int | None
    keyword_rank: int | None
    cosine: float | None
    bm25: float | None
    fused_rank: int = 0
    rerank: float | None = None


def fuse(dense: Scored, keyword: Scored, weight: float, k: int, related: Scored = ()) -> list[Ranked]:
    """The best `k` of the lists. `weight` (0..1) is the vectors' share; 0 gives the keyword order, 1 the dense one.

    Args:
        related: passages by words that are related to the question's.
    """
    by_meaning, by_words = dict(dense), dict(keyword)
    widened = dict(by_words)
    for id, bm25 in related:
        widened[id] = widened.get(id, 0.0) + RELATED * bm25
    dense_rank = {id: place for place, (id, _) in enumerate(dense, 1)}
    keyword_rank = {id: place for place, (id, _) in enumerate(keyword, 1)}
    meaning, said = _scaled(by_meaning), _scaled(widened)
    score = {id: weight * meaning.get(id, 0.0) + (1 - weight) * said.get(id, 0.0) for id in [*widened, *by_meaning]}
    found = {id: weight * (id in by_meaning) + (1 - weight) * (id in widened) for id in score}  # at equal scores, being found counts
    best = sorted(score, key=lambda id: (-score[id], -found[id], keyword_rank.get(id, CANDIDATES), dense_rank.get(id, CANDIDATES), id))[:k]
    return [
        Ranked(id, round(score[id], 4), dense_rank.get(id), keyword_rank.get(id), by_meaning.get(id), by_words.get(id), place)
        for place, id in enumerate(best, 1)
    ]


def _scaled(scores: dict[int, float]) -> dict[int, float]:
    """Scores from 0 for a list's last to 1 for its first; what a part did not find counts as its last."""
    if not scores:
        return {}
    best, worst = max(scores.values()), min(scores.values())
    span = best - worst
    return {id: (score - worst) / span if span > 0 else 1.0 for id, score in scores.items()}
