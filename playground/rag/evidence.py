"""From passages to evidence: the sentences that speak to a question, how sure that is, and whether a quote stands where it is said to.

Works by overlap of word stems, weighted by rarity, and by vectors; no language model takes part. Does not know indexes or files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from playground.rag.index import Passage
from playground.rag.text import STOPWORDS, sentences, squeezed, stem, terms, words

WORDS_SHARE = 0.6  # of a sentence's score; the rest is its vector's
NEIGHBOUR = 0.35  # what a question's word counts that stands in the passage but not in the sentence
RELATED = 0.6  # what a related word counts
KIND_BONUS = 0.08  # a sentence with a number for "how many", with a name for "who"
NEW = (0.3, 0.75, 0.9, 1.0)  # factor by how many meaning words a sentence adds to the question's own: an echo answers nothing
LATER = 0.05  # less for each place that a sentence's passage stands behind the first
SHORTEST, LONGEST = 12, 600  # characters of a sentence that can be quoted
# Below, the documents do not tell. Set on the sample document's questions; 1,373 others, in both languages, would set it at .50, which
# did no better on those held out (benchmark "Refusals").
ENOUGH = 0.45
NUMBER = re.compile(  # the number of a paragraph, as in “§ 2º”, is none that anybody asks for
    r"\d+(?![\dºª°])|\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|fifty|hundred|half|noon|midnight|um|uma|dois|duas|três|"
    r"quatro|cinco|seis|sete|oito|nove|dez|onze|doze|vinte|trinta|cem|meia|meio-dia)\b",
    re.IGNORECASE,
)
ASKS_NUMBER = re.compile(
    r"\b(how (many|much|old|long|far|often|big|tall)|when|what (time|year|date|day|price)|"
    r"quant[oa]s?|quando|que (horas|dia)|qual o (preço|valor))\b",
    re.IGNORECASE,
)
ASKS_NAME = re.compile(r"\b(who|whose|whom|quem)\b", re.IGNORECASE)
NAME = re.compile(r"(?<=[a-zà-ÿ,;:] )[A-ZÀ-Þ][a-zà-ÿ]+")


@dataclass(frozen=True)
class Evidence:
    """A sentence of a passage. `quote` stands in the passage's text from `start` on; `score` is 0..1, of which `coverage` is the words'."""

    passage: Passage
    quote: str
    start: int
    score: float
    coverage: float


def asked(question: str) -> list[str]:
    """The words of a question that carry meaning."""
    return [word for word in words(question) if word not in STOPWORDS]


def find(
    question: str,
    passages: Sequence[Passage],
    rarity: Mapping[str, float],
    encode: Callable[[list[str]], np.ndarray],
    related: Mapping[str, Sequence[str]] | None = None,
    most: int = 3,
) -> list[Evidence]:
    """The sentences that speak most to a question, best first.

    Args:
        passages: best first.
        rarity: how much each word of the question tells (`Index.rarity`).
        encode: texts -> vectors (n, dimension) of length one.
        related: for words of the question, others that mean nearly the same (`Thesaurus.related`).
    """
    weights: dict[str, float] = {}
    others: dict[str, set[str]] = {}
    for word in asked(question):
        weights[stem(word)] = max(weights.get(stem(word), 0.0), rarity.get(word, 1.0))
        others.setdefault(stem(word), set()).update(stem(other) for other in (related or {}).get(word, ()))
    total = sum(weights.values()) or 1.0

    candidates = [(passage, start, passage.text[start:end]) for passage in passages for start, end in _quotable(passage)]
    if not candidates:
        return []
    vectors = encode([question, *(quote for _, _, quote in candidates)])
    cosines = vectors[1:] @ vectors[0]
    around = {passage.id: set(terms(passage.text)) for passage in passages}
    place = {passage.id: number for number, passage in enumerate(passages)}
    found = []
    for (passage, start, quote), cosine in zip(candidates, cosines, strict=True):
        here = set(terms(quote))
        said = sum(w * _said(t, others[t], here, around[passage.id]) for t, w in weights.items()) / total
        score = WORDS_SHARE * said + (1 - WORDS_SHARE) * max(0.0, float(cosine))
        asks_number, asks_name = ASKS_NUMBER.search(question), ASKS_NAME.search(question)
        if (asks_number and NUMBER.search(quote)) or (asks_name and NAME.search(quote)):
            score += KIND_BONUS
        score *= NEW[min(len(here - weights.keys()), len(NEW) - 1)] * (1 - LATER * place[passage.id])
        found.append(Evidence(passage, quote, start, round(min(1.0, score), 4), round(said, 4)))
    found.sort(key=lambda one: -one.score)
    return _distinct(found)[:most]


def _quotable(passage: Passage) -> list[tuple[int, int]]:
    """(start, end) of what can answer: sentences that ask nothing; one that comes to a colon goes on with its list.

    A row of a table is quoted as a whole.
    """
    text = passage.text
    if passage.unit == "row":
        return [(0, len(text))]
    return [(start, end) for start, end in _with_lists(text) if SHORTEST <= end - start <= LONGEST and text[end - 1] != "?"]


def _with_lists(text: str) -> list[tuple[int, int]]:
    """(start, end) of sentences; one that comes to a colon takes in the list that follows, as far as a quote may go.

    An item that comes to a colon itself begins a list of its own.
    """
    spans: list[tuple[int, int]] = []
    listing = False  # the last one has come to a colon
    for start, end in sentences(text):
        heads = text[end - 1] == ":"
        if listing and not heads and text[spans[-1][1] - 1] in ":;" and end - spans[-1][0] <= LONGEST:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
            listing = heads
    return spans


def completed(one: Evidence, page: str) -> Evidence:
    """A quote whose passage ended at a colon, with the list that follows on the page (its text); any other as it is."""
    at = page.find(one.quote)
    if not one.quote.endswith(":") or at < 0:
        return one
    end = next(end for start, end in _with_lists(page[at:]) if end >= len(one.quote))
    return replace(one, quote=page[at : at + end])


def _said(term: str, others: set[str], here: set[str], around: set[str]) -> float:
    """How far a sentence says a word of the question: itself, by a related word, or only in its passage."""
    if term in here:
        return 1.0
    return max(RELATED if others & here else 0.0, NEIGHBOUR if term in around else RELATED * NEIGHBOUR if others & around else 0.0)


def _distinct(found: Sequence[Evidence]) -> list[Evidence]:
    """The same sentence once, though overlapping documents may hold it twice."""
    kept: dict[str, Evidence] = {}
    for one in found:
        kept.setdefault(squeezed(one.quote), one)
    return list(kept.values())


def stands(quote: str, page: str) -> bool:
    """Whether a quote is really on a page, white space and typography aside."""
    return bool(quote.strip()) and squeezed(quote) in squeezed(page)
