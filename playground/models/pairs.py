"""What an encoder-decoder model such as T5 reads: the question whole, with its end, and beside it the answer that it learns to write.

Both sides are given as one row of ids, of which the answer's are trained, so that previews and counts need not know the difference;
`sides` takes them apart again. A question that is too long loses its end, since an instruction stands at its beginning. Does not know
models, only their tokenizers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.errors import PromptError
from playground.messages import Conversation
from playground.models.formats import format_of
from playground.models.reading import mark, reader
from playground.models.texts import Encoded

NAMES = {"user": "User: ", "assistant": "Assistant: ", "system": "", "text": ""}


def encode_pairs(tokenizer: Any, conversations: Sequence[Conversation], max_length: int | None, generation: bool) -> list[Encoded]:
    """Every conversation as question and last answer, each of at most `max_length` tokens; without the answer for `generation`.

    Raises:
        PromptError: there is nothing to read.
    """
    return [_encode(tokenizer, one, max_length, generation) for one in conversations]


def sides(encoded: Encoded) -> tuple[list[int], list[int]]:
    """(what is read, what is to be written)."""
    answer = [id for id, trained in zip(encoded.ids, encoded.trained, strict=True) if trained]
    return encoded.ids[: len(encoded.ids) - len(answer)], answer


def _encode(tokenizer: Any, one: Conversation, max_length: int | None, generation: bool) -> Encoded:
    turns = [*one.prompt, *(() if generation else one.completion[:-1])]
    if not turns and (generation or not one.completion):
        raise PromptError("There is nothing to read in this conversation. Write a question first.")
    several = len([turn for turn in turns if turn.role != "system"]) > 1
    asked = "\n\n".join((NAMES[turn.role] if several else "") + turn.content for turn in turns)
    question, cut = _closed(tokenizer, asked, max_length)
    answer: list[int] = []
    if one.completion and not generation:
        answer, more = _closed(tokenizer, one.completion[-1].content, max_length)
        cut += more
    return Encoded(question + answer, [False] * len(question) + [True] * len(answer), cut)


def _closed(tokenizer: Any, text: str, max_length: int | None) -> tuple[list[int], int]:
    """(ids with the token that ends a text, how many had to go)."""
    form = format_of(tokenizer)
    typed = not form.fast or bool(form.typed.search(text))
    ids = list(reader(tokenizer, typed)(mark(form.typed, text) if typed else text))
    end = [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    room = len(ids) if max_length is None else max(0, max_length - len(end))
    return ids[:room] + end, max(0, len(ids) - room)
