"""Examples that are in one column: whole conversations, and texts without question and answer; and examples shown before a question.

Knows cells and messages. Does not know tables, columns or the split.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence

from playground.data.chats import turns
from playground.errors import Sentence
from playground.messages import Conversation, Message

Found = tuple[list[Conversation], list[str], dict[str, int]]


def from_chats(cells: Sequence[str], system: str) -> Found:
    """(examples, keys by which alike ones are known, cells left out by reason). `system` is for conversations that have none themselves."""
    examples, keys = [], []
    absent = silent = 0
    for cell in cells:
        found = turns(cell) if cell else None
        if not found:
            absent += 1
            continue
        said = [Message(turn["role"], turn["content"]) for turn in found]  # type: ignore[arg-type]
        answers = [place for place, message in enumerate(said) if message.role == "assistant"]
        if not answers:
            silent += 1
            continue
        opening = (Message("system", system),) if system and said[0].role != "system" else ()
        first, last = answers[0], answers[-1]
        examples.append(Conversation((*opening, *said[:first]), tuple(said[first : last + 1])))
        asked = [message.content for message in said[:first] if message.role == "user"] or [said[first].content]
        keys.append(key_of(" ".join(asked)))
    return examples, keys, _counted((Sentence("no conversation"), absent), (Sentence("no answer"), silent))


def from_texts(cells: Sequence[str]) -> Found:
    """As `from_chats`, for texts that are learnt from the first word to the last."""
    texts = [cell for cell in cells if cell]
    examples = [Conversation((), (Message("text", text),)) for text in texts]
    return examples, [key_of(text) for text in texts], _counted((Sentence("no text"), len(cells) - len(texts)))


def key_of(text: str) -> str:
    """What is alike in texts that differ in spaces and capitals only."""
    return " ".join(text.casefold().split())


def draw_shots(keys: Sequence[str], count: int, seed: int, labels: Sequence[Hashable] | None = None) -> list[int]:
    """Places of `count` examples to show before every question, and of one more to show instead before one of themselves.

    No two have the same key; with `labels` (one for each key) they go round the labels.
    """
    order = list(range(len(keys)))
    random.Random(seed).shuffle(order)
    queues: dict[Hashable, list[int]] = {}
    seen: set[str] = set()
    for place in order:
        if keys[place] not in seen:
            seen.add(keys[place])
            queues.setdefault(labels[place] if labels is not None else None, []).append(place)
    drawn: list[int] = []
    while len(drawn) <= count and any(queues.values()):
        drawn += [queue.pop(0) for queue in queues.values() if queue]
    return drawn[: count + 1]


def _counted(*reasons: tuple[Sentence, int]) -> dict[str, int]:
    return {str(reason): count for reason, count in reasons if count}  # programs get it as JSON
