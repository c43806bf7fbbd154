"""What one answer is worth: which passage found it, whether page and words are right, whether it was right to refuse.

    row    {question, expected: [text], document, page, answerable, answer, said, by, refused, confidence, cited, rank, ranked, exact, f1,
            said_exact, said_f1, right, page_right, error}
    cited  {document, page, label, unit, quote}, or None

Compares only; asks nobody. None stands for what cannot be told of this question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playground.rag.exam.expected import Expected
from playground.rag.exam.likeness import best, contains, exact, f1
from playground.rag.exam.pages import holds

DEPTH = 10  # passages that are looked through for the right one
CITED = ("document", "page", "label", "unit", "quote")
Row = dict[str, Any]


def marked(
    one: Expected, state: Mapping[str, Any], hits: Sequence[Mapping[str, Any]], *, stands: bool, asked_model: bool, error: Any = None
) -> Row:
    """The row of a question.

    Args:
        state: the last state of `Collections.ask`.
        hits: the best passages as `Collections.search` gives them, `DEPTH` of them where there are so many.
        stands: whether some passage of the collection holds an expected answer word for word. Where nobody said the page either, a
            question whose answer stands nowhere tells nothing about the search.
        asked_model: whether a model was to put the answer into words.
        error: the sentence for a question that could not be asked.
    """
    refused, answer, said = bool(state.get("refused")), str(state.get("answer") or ""), str(state.get("said") or "")
    cited = next(iter(state.get("citations") or ()), None)
    answered = bool(one.answerable and not error)
    given = "" if refused else answer
    words = "" if refused else said
    row: Row = {
        "question": one.question,
        "expected": list(one.answers),
        "document": one.document,
        "page": one.page,
        "answerable": one.answerable,
        "answer": given,
        "said": words,
        "by": state.get("by"),
        "refused": refused,
        "confidence": float(state.get("confidence") or 0.0),
        "cited": {key: cited.get(key) for key in CITED} if cited and not refused else None,
        "error": error,
    }
    judged = one.page is not None or stands
    rank = next((place for place, hit in enumerate(hits[:DEPTH], 1) if relevant(one, hit)), None)
    row |= {"ranked": answered and judged, "rank": rank if answered else None}
    row["exact"] = best(exact, given, one.answers, one.question) if answered else None
    row["f1"] = best(f1, given, one.answers, one.question) if answered else None
    row["said_exact"] = best(exact, words, one.answers, one.question) if answered and asked_model else None
    row["said_f1"] = best(f1, words, one.answers, one.question) if answered and asked_model else None
    row["page_right"] = on_page(one, cited) if answered and not refused and one.page is not None else None
    row["right"] = None if error else _right(one, given, refused)
    return row


def _right(one: Expected, given: str, refused: bool) -> bool:
    """Refused where nothing was to be found; else an answer that holds the expected one, word for word."""
    if not one.answerable:
        return refused
    return not refused and bool(best(contains, given, one.answers, one.question))


def relevant(one: Expected, hit: Mapping[str, Any]) -> bool:
    """Whether a passage is one that the answer was to come from: on the page, or, where nobody said the page, with the answer in it."""
    if one.page is not None:
        return on_page(one, hit)
    return _same_document(one.document, hit["document"]) and bool(best(contains, hit["text"], one.answers, one.question))


def on_page(one: Expected, place: Mapping[str, Any] | None) -> bool:
    """Whether a passage or a citation is of an expected page, printed or counted (and of the document, where that is told)."""
    if place is None or one.page is None:
        return False
    return holds(one.page, place["page"], place.get("label") or "") and _same_document(one.document, place["document"])


def _same_document(wanted: str, name: str) -> bool:
    """By name, whatever the capitals and with or without the ending."""
    return not wanted or wanted.casefold() in (name.casefold(), name.casefold().rpartition(".")[0])
