"""What a count of votes can say: how sure a share is, and whether a lead is more than chance. Pure functions; knows no votes, no words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

LEVEL = 0.05  # below it a lead counts as more than chance


@dataclass(frozen=True)
class Verdict:
    """`leader` is the place of the answer with the most votes, None where two share that place; `p` the chance of so clear a lead."""

    leader: int | None
    p: float
    clear: bool


def upper_tail(votes: int, of: int, answers: int) -> float:
    """The chance that one of equally good answers gets so many votes or more, counted exactly, in whole numbers (binomial)."""
    ways, term = 0, comb(of, votes) * (answers - 1) ** (of - votes)
    for n in range(votes, of + 1):
        ways += term
        term = term * (of - n) // ((n + 1) * (answers - 1))
    return ways / answers**of


def lead(counts: Sequence[int]) -> Verdict:
    """Whether the answer with the most votes leads by more than chance, if everybody chose blindly.

    The exact binomial test of the leader against an equal share, times the number of answers, since the leader was picked after the count
    (O. J. Dunn, "Multiple comparisons among means", Journal of the American Statistical Association 56 (1961), 52-64). For two answers
    that is precisely the two-sided exact binomial test, also called the sign test (W. J. Dixon and A. M. Mood, "The statistical sign test",
    Journal of the American Statistical Association 41 (1946), 557-566).
    """
    most, answers = max(counts), len(counts)
    leaders = [place for place, count in enumerate(counts) if count == most]
    p = min(1.0, answers * upper_tail(most, sum(counts), answers))
    alone = len(leaders) == 1
    return Verdict(leaders[0] if alone else None, p, alone and p < LEVEL)
