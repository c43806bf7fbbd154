"""Rankings and their quality: BM25 through SQLite FTS5, fusion of two lists, recall, reciprocal rank and bootstrap intervals.

Knows texts and scores; knows nothing of models or of where questions come from.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

LIST = 50  # entries of either list that are fused
Scores = dict[int, float]  # passage -> score, higher is better
Normalisation = Literal["minmax", "z"]


def keyword_lists(passages: Sequence[str], questions: Sequence[str], most: int = LIST) -> list[Scores]:
    """The best passages of each question by BM25, the question's words OR-ed, case and accents folded."""
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE VIRTUAL TABLE t USING fts5(text, tokenize = 'unicode61 remove_diacritics 2')")
        database.executemany("INSERT INTO t(rowid, text) VALUES (?, ?)", enumerate(passages))
        found: list[Scores] = []
        for question in questions:
            wanted = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question))
            query = "SELECT rowid, -bm25(t) FROM t WHERE t MATCH ? ORDER BY bm25(t), rowid LIMIT ?"
            found.append(dict(database.execute(query, (wanted, most)).fetchall()) if wanted else {})
    database.close()
    return found


def dense_lists(similarities: np.ndarray, most: int = LIST) -> list[Scores]:
    """The best passages of each question from a matrix questions x passages."""
    best = np.argsort(-similarities, axis=1, kind="stable")[:, :most]
    return [{int(at): float(row[at]) for at in places} for row, places in zip(similarities, best, strict=True)]


def normalised(scores: Mapping[int, float], how: Normalisation) -> tuple[Scores, float]:
    """The list on a common scale, and what a passage gets that is not in it: as much as the list's last."""
    if not scores:
        return {}, 0.0
    values = np.array(list(scores.values()))
    low, wide = (values.min(), np.ptp(values)) if how == "minmax" else (values.mean(), values.std())
    made = {at: float((value - low) / (wide or 1.0)) for at, value in scores.items()}
    return made, min(made.values())


def convex(keyword: Scores, dense: Scores, weight: float, how: Normalisation = "minmax") -> Scores:
    """``weight`` x dense + (1 - weight) x keyword over the union of both lists."""
    (words, without), (meaning, below) = normalised(keyword, how), normalised(dense, how)
    return {at: (1 - weight) * words.get(at, without) + weight * meaning.get(at, below) for at in {**keyword, **dense}}


def reciprocal(keyword: Scores, dense: Scores, constant: int = 60) -> Scores:
    """Plain reciprocal rank fusion."""
    fused: Scores = {}
    for scores in (keyword, dense):
        for place, at in enumerate(sorted(scores, key=lambda a: (-scores[a], a)), start=1):
            fused[at] = fused.get(at, 0.0) + 1 / (constant + place)
    return fused


def ranks(lists: Sequence[Scores], gold: Sequence[int]) -> np.ndarray:
    """Place of the right passage in each list, counted from 1; 0 where it is missing. Equal scores go by the passage's number."""
    return np.array(
        [
            0 if right not in scores else 1 + sum((-s, at) < (-scores[right], right) for at, s in scores.items())
            for scores, right in zip(lists, gold, strict=True)
        ]
    )


def quality(places: np.ndarray) -> dict[str, float]:
    """Recall@1, recall@5 and mean reciprocal rank at 10."""
    return {
        "recall@1": float(np.mean(places == 1)),
        "recall@5": float(np.mean((places > 0) & (places <= 5))),
        "mrr@10": float(np.mean(reciprocals(places))),
    }


def reciprocals(places: np.ndarray) -> np.ndarray:
    """The reciprocal rank of each question, 0 beyond the tenth place."""
    return np.where((places > 0) & (places <= 10), 1 / np.maximum(places, 1), 0.0)


def difference(ours: np.ndarray, theirs: np.ndarray, draws: int = 2000, seed: int = 1) -> tuple[float, float, float]:
    """Mean difference in reciprocal rank over the same questions, with its 95 % paired bootstrap interval."""
    gaps = reciprocals(ours) - reciprocals(theirs)
    chosen = np.random.default_rng(seed).integers(0, len(gaps), (draws, len(gaps)))
    low, high = np.percentile(gaps[chosen].mean(axis=1), [2.5, 97.5])
    return float(gaps.mean()), float(low), float(high)
