"""Batches of training pairs: from one source at a time, texts of one document side by side, no passage twice.

Knows pairs and cut texts only. What stands side by side is the negative of the other, so neighbours make the hard ones.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from .pairs import Pair

# How often a batch comes from each source. Sources that are not named are not used.
SHARES: Mapping[str, float] = {
    "fairytaleqa_train": 5,
    "fairytaleqa_train_sentences": 1,
    "squad_pt_train": 3,
    "squad_pt_train_sentences": 1.5,
    "ufam_acts": 2,
    "gutenberg_children": 5,
    "cia_factbook": 2,
    "plainlanguage_gov": 1.5,
    "public_domain_recipes": 0.5,
    "self_instruct": 0.3,
    "gsm8k": 0.3,
    "generated_questions": 0.2,
    "generated_portuguese": 0.2,
}
FEWEST = 16
_NEIGHBOURS = 8
_DRAWN = 8  # most words of a question that is drawn from its passage


class _Deck:
    """The pairs of one source, dealt document by document in a new order each round."""

    def __init__(self, pairs: Iterable[Pair], rng: random.Random) -> None:
        grouped: dict[str, list[Pair]] = defaultdict(list)
        for pair in pairs:
            grouped[pair.group].append(pair)
        self.groups = list(grouped.values())
        self.rng = rng
        self.left: list[Pair] = []

    def deal(self, size: int) -> list[Pair]:
        """Up to ``size`` pairs with different questions and passages; those that clash wait for the next batch."""
        if not self.left:
            self.rng.shuffle(self.groups)
            self.left = [pair for group in self.groups for pair in self.rng.sample(group, len(group))]
        taken: list[Pair] = []
        waiting: list[Pair] = []
        seen: set[str] = set()
        while self.left and len(taken) < size and len(waiting) < 2 * size:
            pair = self.left.pop()
            if pair.passage in seen or pair.question in seen:
                waiting.append(pair)
            else:
                seen |= {pair.passage, pair.question}
                taken.append(pair)
        self.left = waiting + self.left if len(taken) >= FEWEST else []
        return taken


def batches(pairs: Iterable[Pair], size: int, seed: int) -> Iterator[list[Pair]]:
    """An endless stream of batches; the same for the same arguments."""
    rng = random.Random(f"{seed}/batches")
    by_source: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_source[pair.source].append(pair)
    decks = {source: _Deck(found, rng) for source, found in by_source.items() if source in SHARES and len(found) >= FEWEST}
    if not decks:
        raise ValueError("There are no pairs to train on")
    weights = [SHARES[source] for source in decks]
    while True:
        dealt = rng.choices(list(decks.values()), weights)[0].deal(size)
        if len(dealt) >= FEWEST:
            yield dealt


def drawn(
    passages: Sequence[np.ndarray], weights: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(questions, passages) of about ``size``: runs of neighbouring passages, each with a few of its own pieces, rare ones rather."""
    starts = rng.integers(0, len(passages), max(1, size // _NEIGHBOURS))
    chosen = [passages[at] for at in np.unique(np.concatenate([np.arange(s, min(s + _NEIGHBOURS, len(passages))) for s in starts]))]
    questions = []
    for passage in chosen:
        own = np.unique(passage)
        chances = weights[own].astype(np.float64) + 1e-6
        questions.append(rng.choice(own, min(len(own), int(rng.integers(1, _DRAWN + 1))), replace=False, p=chances / chances.sum()))
    return questions, chosen


def thinned(text: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The text without a random share of its pieces, never empty."""
    kept = text[rng.random(len(text)) > share]
    return kept if len(kept) else text
