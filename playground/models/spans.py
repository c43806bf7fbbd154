"""Where in a written conversation its answers stand, each with what ends it.

A format may write a turn differently when others follow, so nothing is concluded from a shorter conversation alone: the places of the
contents are found in the whole text, and of what surrounds them an answer gets as much as agrees with the text before an open answer and
after a finished one. Does not know ids.
"""

from __future__ import annotations

from typing import Any

from playground.models.formats import SLOT, Format, Turns, accepted, written

LEARNT = "learnt"  # key of a turn that is trained
SENTINELS = (SLOT, "\1", "\2", "\3")
Span = tuple[int, int]


def answer_spans(tokenizer: Any, form: Format, turns: Turns) -> tuple[str, list[Span]]:
    """(the conversation as text, (start, end) of each turn that has the key `LEARNT`, with what ends it).

    Raises:
        LookupError: the format does not show where the contents are.
        PromptError: it cannot hold the conversation.
    """
    turns = accepted(tokenizer, form, turns)
    text = written(tokenizer, form, turns, False)
    roles = tuple(turn["role"] for turn in turns)
    places = _walked(text, turns, _frame(tokenizer, form, roles)) or _compared(tokenizer, form, text, turns)
    borders = [0, *(end for _, end in places)]
    around = [text[end:start] for end, start in zip(borders, [*(start for start, _ in places), len(text)], strict=True)]
    known: dict[tuple[Any, ...], Span] = {}  # turns in the same place between the same neighbours look alike
    spans = []
    for place, turn in enumerate(turns):
        if LEARNT in turn:
            key = (roles[max(0, place - 1) : place + 1], around[place], around[place + 1])
            if key not in known:
                known[key] = _edges(tokenizer, form, roles, place, around)
            opened, closed = known[key]
            spans.append((borders[place] + opened, places[place][1] + closed))
    return text, spans


def _edges(tokenizer: Any, form: Format, roles: tuple[str, ...], place: int, around: list[str]) -> Span:
    """How much of the text before a content is there already when a model begins to answer, and how much after it the model writes."""
    opened = len(around[place])
    if place:
        opened = _shared(around[place], _after_last(tokenizer, form, roles[:place], True))
    return opened, _shared(around[place + 1], _after_last(tokenizer, form, roles[: place + 1], False))


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _after_last(tokenizer: Any, form: Format, roles: tuple[str, ...], opening: bool) -> str:
    from jinja2.exceptions import TemplateError

    try:
        return written(tokenizer, form, [{"role": role, "content": SLOT} for role in roles], opening).rpartition(SLOT)[2]
    except TemplateError as error:
        raise LookupError("the chat format takes the whole conversation, but not its beginning") from error


def _frame(tokenizer: Any, form: Format, roles: tuple[str, ...]) -> list[str] | None:
    """The texts around the contents of turns with these roles; None where a format writes them once too often, or not at all."""
    from jinja2.exceptions import TemplateError

    if roles not in form.frames:
        try:
            frame = written(tokenizer, form, [{"role": role, "content": SLOT} for role in roles], False).split(SLOT)
        except TemplateError:
            frame = []
        form.frames[roles] = frame if len(frame) == len(roles) + 1 else None
    return form.frames[roles]


def _walked(text: str, turns: Turns, frame: list[str] | None) -> list[Span] | None:
    """The contents' places where the format writes them as they are, or without the white space around them: the usual case."""
    if frame is None or not text.startswith(frame[0]):
        return None
    places: list[Span] = []
    at = len(frame[0])
    for turn, after in zip(turns, frame[1:], strict=True):
        content = turn["content"]
        shapes = (content, content.strip(), content.lstrip(), content.rstrip())
        shape = next((one for one in shapes if text.startswith(one + after, at)), None)
        if shape is None:
            return None
        places.append((at, at + len(shape)))
        at += len(shape) + len(after)
    return places if at == len(text) else None


def _compared(tokenizer: Any, form: Format, text: str, turns: Turns) -> list[Span]:
    """The contents' places where the format changes them: each is replaced in turn, and what is left as it was stands around it."""
    from jinja2.exceptions import TemplateError

    sentinel = next((one for one in SENTINELS if one not in text), None)
    places: list[Span] = []
    for place, turn in enumerate(turns):
        try:
            other = written(tokenizer, form, [*turns[:place], {**turn, "content": sentinel or ""}, *turns[place + 1 :]], False)
        except TemplateError:
            other = ""
        before, found, after = other.partition(sentinel) if sentinel else ("", "", "")
        start, end = len(before), len(text) - len(after)
        earlier = places[-1][1] if places else 0
        if not found or not text.startswith(before) or not text.endswith(after) or not earlier <= start <= end:
            raise LookupError("the chat format does not show where an answer is")
        places.append((start, end))
    return places
