"""Texts that are read without any chat format: to be learnt as a whole, or to be gone on with.

A text to learn is opened as the tokenizer opens texts and closed with the token that ends them; one to go on with stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from playground.errors import PromptError
from playground.messages import Conversation
from playground.models.formats import Format
from playground.models.reading import mark, read_all, read_parts, reader


@dataclass
class Encoded:
    """Token ids, which of them are trained, and how many tokens were cut away to fit. `ids` and `trained` have one length."""

    ids: list[int]
    trained: list[bool]
    cut: int = 0


def is_text(conversation: Conversation) -> bool:
    """Whether this is a text and no conversation.

    Raises:
        PromptError: it is both.
    """
    texts = [message.role == "text" for message in (*conversation.prompt, *conversation.completion)]
    if any(texts) and not all(texts):
        raise PromptError("A text to go on with stands alone. Take the other messages away, or give it another role.")
    return any(texts)


def encode_texts(tokenizer: Any, form: Format, conversations: Sequence[Conversation], generation: bool) -> list[Encoded]:
    """Every text at its full length."""
    parts = [
        ["".join(message.content for message in one.prompt), "" if generation else "".join(message.content for message in one.completion)]
        for one in conversations
    ]
    ordinary = [form.fast and not any(map(form.typed.search, texts)) for texts in parts]
    whole = [texts[0] or texts[1] for texts, quick in zip(parts, ordinary, strict=True) if quick and not all(texts)]
    found = iter(read_all(tokenizer, whole))
    opening = [tokenizer.bos_token_id] if form.add_bos else []
    results = []
    for one, texts, quick in zip(conversations, parts, ordinary, strict=True):
        if all(texts) or not quick:
            texts = texts if quick else mark(form.typed, texts)
            asked, told = read_parts(reader(tokenizer, not quick), texts) if texts[0] else ([], reader(tokenizer, not quick)(texts[1]))
        else:
            ids = list(next(found).ids)
            asked, told = (ids, []) if texts[0] else ([], ids)
        if one.completion and not generation and tokenizer.eos_token_id is not None:
            told = [*told, tokenizer.eos_token_id]
        ids = [*opening, *asked, *told]
        if not ids:
            raise PromptError("There is nothing to read in this conversation. Write a question first.")
        results.append(Encoded(ids, [False] * (len(ids) - len(told)) + [True] * len(told)))
    return results


def shorten(form: Format, encoded: Encoded, max_length: int) -> Encoded:
    """What is too long loses the beginning of what it goes on from, then the end of what is learnt."""
    opening = int(form.add_bos)
    asked = encoded.trained.index(True) if True in encoded.trained else len(encoded.ids)
    lost = min(len(encoded.ids) - max_length, asked - opening)
    ids = [*encoded.ids[:opening], *encoded.ids[opening + lost :]][:max_length]
    trained = [*encoded.trained[:opening], *encoded.trained[opening + lost :]][:max_length]
    return Encoded(ids, trained, len(encoded.ids) - len(ids))


def windows(form: Format, encoded: Encoded, max_length: int) -> list[Encoded]:
    """A text in parts of much the same length that fit: every token is trained exactly once.

    Each part after the first begins with the last token before it, which is read and not trained: nothing could foretell its successor
    otherwise.
    """
    if len(encoded.ids) <= max_length:
        return [encoded]
    opening = int(form.add_bos)
    head, ids, trained = encoded.ids[:opening], encoded.ids[opening:], encoded.trained[opening:]
    count = -(-(len(ids) - 1) // max(1, max_length - opening - 1))
    edges = [1 + (len(ids) - 1) * number // count for number in range(count + 1)]
    parts = []
    for number, (start, end) in enumerate(pairwise(edges)):
        shown = trained[: end if number == 0 else 0] or [False, *trained[start:end]]
        parts.append(Encoded([*head, *ids[start - 1 : end]], [False] * opening + shown))
    return parts
