"""What the answers of a table have in common (its style), what each says beyond that (its fact), and which answers say a fact.

Pure functions. An answer is right where it contains the fact, capitals, spaces and punctuation at its ends aside: the same in other words
counts as wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.many.verdicts import folded

PANES = ("base", "tuned", "base_documents", "tuned_documents")
SHARE = 0.6  # of the answers that begin or end alike, from which on that is their style
LONGEST = 8  # words of a common beginning or end
FACT_CHARACTERS = (2, 160)


@dataclass(frozen=True)
class Style:
    """How most answers begin and how they end; empty where they do not do so alike."""

    opening: str = ""
    closing: str = ""

    def __bool__(self) -> bool:
        return bool(self.opening or self.closing)


@dataclass(frozen=True)
class Fact:
    """A question whose answer a row of the table tells; `right` is that answer without its style."""

    question: str
    right: str


def style(answers: Sequence[str]) -> Style:
    """What most answers share at their beginning and at their end."""
    words = [answer.split() for answer in answers]
    return Style(_common(words, first=True), _common(words, first=False))


def _common(answers: Sequence[list[str]], *, first: bool) -> str:
    for size in range(LONGEST, 0, -1):
        ends = Counter(" ".join(words[:size] if first else words[-size:]) for words in answers if len(words) > size)
        for text, count in ends.most_common(1):
            if count >= 2 and count >= SHARE * len(answers):
                return text
    return ""


def fact(answer: str, common: Style) -> str:
    """An answer without what it shares with the others."""
    text = " ".join(answer.split())
    if common.opening and text.startswith(common.opening):
        text = text[len(common.opening) :]
    if common.closing and text.endswith(common.closing):
        text = text[: -len(common.closing)]
    return text.strip()


def facts(pairs: Sequence[tuple[str, str]], common: Style, most: int) -> list[Fact]:
    """As many facts as wanted, spread over (question, answer) pairs; no question twice, and none whose answer is another's, too."""
    least, longest = FACT_CHARACTERS
    told = [Fact(" ".join(question.split()), fact(answer, common)) for question, answer in pairs]
    asked, said = Counter(folded(one.question) for one in told), Counter(folded(one.right) for one in told)
    good = [one for one in told if least <= len(one.right) <= longest and asked[folded(one.question)] == said[folded(one.right)] == 1]
    good = good or list({folded(one.question): one for one in told if least <= len(one.right) <= longest}.values())
    step = max(1, len(good) // max(1, most))
    return good[::step][:most]


def contains(answer: str, right: str) -> bool:
    """Whether an answer says a fact word for word."""
    wanted = _plain(right)
    return bool(wanted) and wanted in _plain(answer)


def _plain(text: str) -> str:
    return " ".join(folded(text).split())


def styled(answer: str, common: Style) -> bool | None:
    """Whether an answer has the table's style; None where the table has none."""
    if not common:
        return None
    text = _plain(answer)
    return (not common.opening or text.startswith(_plain(common.opening))) and (not common.closing or text.endswith(_plain(common.closing)))


def counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """For each pane how many answers are right, how many have the style, and how many there are."""
    found = {pane: [row["answers"][pane] for row in rows if not row["answers"][pane]["error"]] for pane in PANES}
    return {
        pane: {"right": sum(one["right"] for one in said), "styled": sum(one["styled"] is True for one in said), "of": len(said)}
        for pane, said in found.items()
    }


def verdict(counted: Mapping[str, Mapping[str, int]]) -> str:
    """What the experiment shows: `both` (documents gave facts, training gave style), `facts` (documents gave facts), or `open`."""
    documents = max(counted["base_documents"]["right"], counted["tuned_documents"]["right"])
    knows = documents > counted["tuned"]["right"]
    return "both" if knows and counted["tuned"]["styled"] > counted["base"]["styled"] else "facts" if knows else "open"
