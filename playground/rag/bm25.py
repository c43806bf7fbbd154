"""The best passages by their words: BM25 (Robertson and Zaragoza, 2009) of SQLite's FTS5, in a time that does not grow with common words.

To find the passages that hold a word costs little; to score each of them costs most of a search. Where a question's words stand in very
many passages, only those that hold one of its rarer words are scored, for all of its words as ever: a passage that has but the common
ones would hardly come first. Up to `MOST_SCORED` passages nothing is left out. Knows the table `words` and nothing else of an index.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

MOST_TERMS = 64  # of a question; more would only slow the search
# At half of it, related words found Portuguese passages among 100,000 others worse (MRR .010 lower).
MOST_SCORED = 10_000  # passages; a word that would bring more than that is not looked for by itself
LEAST_SCORED = 1_000  # passages, where there are so many; a single rare word must not decide alone what is found
SCORED = "SELECT rowid, bm25(words) AS score FROM words WHERE words MATCH ?"
# the plus keeps SQLite from asking FTS5 anew for every single row
AMONG = " AND +rowid IN (SELECT rowid FROM words WHERE words MATCH ?)"
FIRST = " ORDER BY score LIMIT ?"


def best(db: sqlite3.Connection, wanted: Sequence[str], k: int) -> list[tuple[int, float]]:
    """(passage id, BM25 score, higher is better) of the best passages that hold one of the words."""
    with_it = {word: count for word, count in held(db, wanted).items() if count}
    if not with_it:
        return []
    telling = rarer(with_it)
    if len(telling) == len(with_it):
        rows = db.execute(SCORED + FIRST, (_any(with_it), k))
    else:
        rows = db.execute(SCORED + AMONG + FIRST, (_any(with_it), _any(telling), k))
    return [(id, -score) for id, score in rows]


def best_of_rare(db: sqlite3.Connection, wanted: Sequence[str], k: int) -> list[tuple[int, float]]:
    """As `best`, for words that are only related to a question's: where they are too many, the commonest do not count at all."""
    telling = rarer({word: count for word, count in held(db, wanted).items() if count})
    rows = db.execute(SCORED + FIRST, (_any(telling), k)) if telling else ()
    return [(id, -score) for id, score in rows]


def held(db: sqlite3.Connection, wanted: Sequence[str]) -> dict[str, int]:
    """How many passages hold each word."""
    counted = "SELECT count(*) FROM words WHERE words MATCH ?"
    return {word: int(db.execute(counted, (_any([word]),)).fetchone()[0]) for word in list(dict.fromkeys(wanted))[:MOST_TERMS]}


def rarer(with_it: Mapping[str, int]) -> list[str]:
    """Of words that stand in so many passages each, those that bring some `MOST_SCORED` together, the rarest first."""
    chosen: list[str] = []
    passages = 0
    for word in sorted(with_it, key=lambda word: with_it[word]):
        if passages >= LEAST_SCORED and passages + with_it[word] > MOST_SCORED:
            break
        chosen.append(word)
        passages += with_it[word]
    return chosen


def _any(wanted: Sequence[str] | Mapping[str, int]) -> str:
    """Words as a query of FTS5, in which nothing else has a meaning; FTS5 itself takes the accents off, of both sides alike."""
    return " OR ".join('"' + word.replace('"', "") + '"' for word in wanted)
