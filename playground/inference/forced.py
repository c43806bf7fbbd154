"""An answer that is there already, as tokens after its prompt: the very ids that a model would have had to write.

Knows tokenizers and lengths. Does not know models, adapters or probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from typing import Any

from playground.messages import Conversation, Message
from playground.models.formats import format_of
from playground.models.reading import mark, read_parts, reader
from playground.models.template import encode, end_ids, reads_first
from playground.models.texts import is_text

PROBE = "a"  # a text before which nothing is left out


@dataclass(frozen=True)
class Forced:
    """Ids of a prompt and of the answer after it; `cut` of the prompt's and `left_out` of the answer's tokens did not fit."""

    prompt: list[int]
    answer: list[int]
    cut: int
    left_out: int


def force(tokenizer: Any, conversation: Conversation, text: str, ended: bool, window: int, room: int) -> Forced:
    """Prompt and answer as ids that fit together into `window`.

    Args:
        ended: whether the answer came to an end by itself; then the token that ends it belongs to it.
        room: how many tokens of the window the prompt leaves free, at most three quarters of which an answer may have.
    """
    ids = answer_ids(tokenizer, conversation, text, ended)
    kept = ids[: max(1, window - window // 4)]
    encoded = encode(tokenizer, conversation, window - max(room, len(kept)), generation=True)
    return Forced(encoded.ids, kept, encoded.cut, len(ids) - len(kept))


def answer_ids(tokenizer: Any, conversation: Conversation, text: str, ended: bool) -> list[int]:
    """The ids of an answer as they follow its prompt, as in training; control tokens that somebody typed are text."""
    goes_on = is_text(conversation)
    if goes_on:
        text = _joined(conversation, text)
    message = Message("text" if goes_on else "assistant", text)
    whole = encode(tokenizer, replace(conversation, completion=(message,)))
    ids = [id for id, trained in zip(whole.ids, whole.trained, strict=True) if trained]
    opened = [] if reads_first(tokenizer) else encode(tokenizer, conversation, generation=True).ids
    if opened and whole.ids[: len(whole.ids) - len(ids)] != opened:
        # the chat format writes a finished answer differently from an open one, which is what the model was given
        ids = _after(tokenizer, text, ids)
    return ids if ended else ids[: len(ids) - bool(ids and ids[-1] in end_ids(tokenizer))]


def _after(tokenizer: Any, text: str, written: Sequence[int]) -> list[int]:
    """The text by itself, closed by what closes it in the chat format."""
    form = format_of(tokenizer)
    typed = not form.fast or bool(form.typed.search(text))
    ids = read_parts(reader(tokenizer, typed), ["", mark(form.typed, text) if typed else text])[1]
    return [*ids, *(written[-1:] if written and written[-1] in form.control_ids else end_ids(tokenizer)[:1])]


def _joined(conversation: Conversation, text: str) -> str:
    """An answer is shown without the blank at its beginning; where a text goes on with another word, that blank stood there."""
    before = "".join(message.content for message in conversation.prompt)
    parted = not before or before[-1].isspace() or not text or not text[0].isalnum()
    return text if parted else " " + text


def shown(tokenizer: Any, ids: Sequence[int]) -> list[tuple[str, bool]]:
    """Ids as the text that they stand for, control tokens visible, in runs of (text, is a control token)."""
    control = format_of(tokenizer).control_ids
    runs: list[tuple[str, bool]] = []
    last: list[int] = []
    for special, group in groupby(ids, key=control.__contains__):
        run = list(group)
        if special:
            runs += [(str(tokenizer.decode([id], skip_special_tokens=False)), True) for id in run]
        else:  # a SentencePiece model brings the first blank only when something stands before it
            before = tokenizer.decode(last, skip_special_tokens=False) if last else ""
            runs.append((str(tokenizer.decode([*last, *run], skip_special_tokens=False))[len(before) :], False))
        last = run[-1:]
    return runs


def namer(tokenizer: Any) -> Any:
    """`name(id)`: what one token adds to a text, with its blank; half a character is told by U+FFFD."""
    anchor = tokenizer.encode(PROBE, add_special_tokens=False)[-1:]
    before = len(tokenizer.decode(anchor, skip_special_tokens=False))

    @cache
    def name(id: int) -> str:
        return str(tokenizer.decode([*anchor, id], skip_special_tokens=False))[before:]

    return name
