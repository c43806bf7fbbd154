"""One search through a collection, step by step: words, meaning, related words, both joined, and a reranker where one is wanted.

Keeps what each step said, so that it can be shown. Does not know owners, settings' names or answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from playground.rag import evidence
from playground.rag.embedders import Embedder
from playground.rag.index import Index, Passage
from playground.rag.rerankers import Rerankers
from playground.rag.retrieve import CANDIDATES, Ranked, Scored, fuse
from playground.rag.steps import Steps
from playground.rag.text import language_of
from playground.rag.thesaurus import Thesaurus

RERANKED = 20  # of the best, which a reranker reads: each costs it a pass through the model

WeightFrom = Literal["set", "measured", "cautious"]
Near = Callable[[int], tuple[Embedder, Scored]]  # how many -> the embedder, and the passages that it finds


@dataclass(frozen=True)
class Found:
    """The best passages, best first; `weight` is the vectors' share that counted, `related` the words that were added to the question's.

    `weight_from` says where the share comes from: set by who asks, measured for the embedder, or chosen cautiously since nobody measured.
    """

    passages: list[tuple[Passage, Ranked]]
    weight: float
    related: dict[str, list[str]]
    weight_from: WeightFrom


@dataclass(frozen=True)
class Search:
    """The parts that a search takes."""

    near: Near
    thesaurus: Thesaurus
    rerankers: Rerankers

    def run(self, index: Index, question: str, k: int, steps: Steps) -> Found:
        """The best `k` passages.

        Raises:
            ModelUnavailable: the embedder or the reranker cannot be had.
        """
        wide = max(k, CANDIDATES)
        keyword = index.keyword(question, wide) if steps.keyword else []
        others = self.thesaurus.related(evidence.asked(question)) if steps.keyword and steps.thesaurus else {}
        related = index.related([word for group in others.values() for word in group], CANDIDATES)
        dense: Scored = []
        weight = 0.0
        weight_from: WeightFrom = "set"
        if steps.dense:
            embedder, dense = self.near(wide)
            own = embedder.weight(language_of(question)) if steps.weight is None else float(steps.weight)
            weight = own if steps.keyword else 1.0
            if steps.keyword and steps.weight is None:
                weight_from = "measured" if embedder.known.measured else "cautious"
        ranked = fuse(dense, keyword, weight, max(k, RERANKED) if steps.reranker else k, related)
        passages = index.passages([one.id for one in ranked])
        found = [(passages[one.id], one) for one in ranked if one.id in passages]
        if steps.reranker:
            found = self._reranked(found, question, steps.reranker)
        return Found(found[:k], weight, others, weight_from)

    def _reranked(self, found: Sequence[tuple[Passage, Ranked]], question: str, reranker: str) -> list[tuple[Passage, Ranked]]:
        first, rest = list(found[:RERANKED]), list(found[RERANKED:])
        scores = self.rerankers.scores(reranker, question, [passage.text for passage, _ in first]) if first else []
        told = [(passage, replace(one, rerank=round(score, 4))) for (passage, one), score in zip(first, scores, strict=True)]
        return [*sorted(told, key=lambda pair: -(pair[1].rerank or 0.0)), *rest]
