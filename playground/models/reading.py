"""From text to ids: what is typed never becomes a control token, and text is read in pieces where a token must not cross a border.

Knows tokenizers and the marks of typed control tokens. Does not know turns or what is trained.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

MARKED = re.compile("\U000f0000(.)(.*?)\U000f0001", re.DOTALL)
Read = Callable[[str], list[int]]


def reader(tokenizer: Any, marked: bool) -> Read:
    """Text to ids; with `marked` for text in which typed control tokens are marked, which are then read as ordinary text."""
    if not marked:
        return partial(tokenizer.encode, add_special_tokens=False)
    from transformers.utils.chat_template_utils import encode_marked_chat

    def read(text: str) -> list[int]:
        try:
            return list(encode_marked_chat(tokenizer, text))
        except ValueError:  # the vocabulary itself spells a control token; parted by a space it cannot
            return list(encode_marked_chat(tokenizer, MARKED.sub(r"\1 \2", text)))

    return read


def mark(form_typed: re.Pattern[str], value: Any) -> Any:
    """Mark control tokens in texts that somebody typed, so that `reader` can tell them from those of a template."""
    from transformers.utils.chat_template_utils import mark_control_tokens

    return mark_control_tokens(value, form_typed)


def read_parts(read: Read, parts: Sequence[str]) -> list[list[int]]:
    """Ids of texts that follow one another, kept apart: a token across a border would be one that no chat ever produces."""
    newline = read("\n")
    found: list[list[int]] = []
    for part in parts:
        if not found:
            found.append(read(part))
            continue
        tail = read("\n" + part)  # some tokenizers put a space before the first word of a text
        found.append(tail[len(newline) :] if tail[: len(newline)] == newline else read(part))
    return found


def read_all(tokenizer: Any, texts: list[str]) -> list[Any]:
    """Encodings with offsets of many texts at once, by a fast tokenizer."""
    return list(tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)) if texts else []


def in_a_block(rows: Sequence[Sequence[int]], pad: int, *, right: bool) -> tuple[list[list[int]], list[list[int]]]:
    """(rows of one length, where they are not padding): on the right for models that read first, else on the left."""
    longest = max(map(len, rows))
    ids, mask = [], []
    for row in rows:
        gap = longest - len(row)
        ids.append([*row, *[pad] * gap] if right else [*[pad] * gap, *row])
        mask.append([1] * len(row) + [0] * gap if right else [0] * gap + [1] * len(row))
    return ids, mask


def token_places(offsets: Sequence[tuple[int, int]], borders: Sequence[int]) -> list[int] | None:
    """The first token at or after each border (in characters); None where a token crosses one of them."""
    starts = [start for start, _ in offsets]
    places = []
    for border in borders:
        place = bisect_left(starts, border)
        begins = place == len(starts) or starts[place] == border
        if not begins or (place and offsets[place - 1][1] > border):
            return None
        places.append(place)
    return places
