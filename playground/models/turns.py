"""Turns reshaped: fitted to chat formats that are strict about roles, and shortened from the oldest on.

Counts tokens where asked to, and otherwise does not know tokens or templates.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from playground.messages import Conversation, Message


def without_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """System turns become the beginning of the next turn that a person wrote."""
    result: list[dict[str, str]] = []
    waiting = ""
    for turn in turns:
        if turn["role"] == "system":
            waiting += turn["content"] + "\n\n"
        elif turn["role"] == "user":
            result.append({**turn, "content": waiting + turn["content"]})
            waiting = ""
        else:
            result.append(turn)
    return [*result, {"role": "user", "content": waiting.strip()}] if waiting else result


def alternating(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """Neighbours of one role become one turn, and the first turn is a person's."""
    groups = [list(group) for _, group in groupby(turns, key=lambda turn: turn["role"])]
    grouped = [(group, "\n\n".join(turn["content"] for turn in group)) for group in groups]
    merged = [{**{key: value for turn in group for key, value in turn.items()}, "content": joined} for group, joined in grouped]
    return merged if not merged or merged[0]["role"] == "user" else [{"role": "user", "content": ""}, *merged]


def without_oldest(conversation: Conversation) -> list[Conversation]:
    """An example with several answers, each time without one more of the oldest questions and its answers; the last has one answer.

    System turns stay.
    """
    turns, first = (*conversation.prompt, *conversation.completion), len(conversation.prompt)
    answers = [place for place in range(first, len(turns)) if turns[place].role == "assistant"]
    found = []
    for start in range(1, len(turns)):
        left = [place for place in answers if place > start]
        if turns[start].role == "user" and left and any(turn.role != "system" for turn in turns[:start]):
            kept = tuple(turn for turn in turns[:start] if turn.role == "system")
            found.append(Conversation((*kept, *turns[start : left[0]]), turns[left[0] :]))
    least = found[-1] if found else conversation
    if len(least.completion) > 1 and answers:  # several answers to one question
        found.append(Conversation(least.prompt, (turns[answers[-1]],)))
    return found


def shorter(tokenizer: Any, prompt: list[Message], tokens: int) -> list[Message] | None:
    """The prompt without its oldest turns, or else about `tokens` shorter; None when there is nothing left to take away."""
    spoken = [place for place, message in enumerate(prompt) if message.role != "system"]
    if len(spoken) > 1:
        keep = next((place for place in spoken[1:] if prompt[place].role == "user"), spoken[-1])
        return [message for place, message in enumerate(prompt) if message.role == "system" or place >= keep]
    for place in (*spoken, *(place for place in range(len(prompt)) if place not in spoken)):
        message = prompt[place]
        if message.content:
            content = _without(tokenizer, message.content, tokens, from_end=message.role == "system")
            return [*prompt[:place], Message(message.role, content), *prompt[place + 1 :]]
    return None


def _without(tokenizer: Any, text: str, tokens: int, from_end: bool) -> str:
    """`text` without its first (or last) tokens; always shorter than before."""
    if not tokenizer.is_fast:
        characters = min(len(text), max(1, tokens * 2))
        return text[:-characters] if from_end else text[characters:]
    offsets = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).offsets
    if tokens >= len(offsets):
        return ""
    return text[: offsets[-tokens][0]] if from_end else text[max(1, offsets[tokens][0]) :]
