"""ChatML, the one chat format of the starter model: special tokens, rendering and the tokenizer's chat template.

Knows nothing of where conversations come from or how they are tokenised.
"""

from __future__ import annotations

from typing import NamedTuple

END_OF_TEXT = "<|endoftext|>"
PAD = "<|pad|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
SPECIAL_TOKENS = (END_OF_TEXT, PAD, TURN_START, TURN_END)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class Turn(NamedTuple):
    """One message; role is system, user or assistant."""

    role: str
    content: str


Chat = tuple[Turn, ...]


def exchange(*contents: str, system: str = "") -> Chat:
    """Alternate user and assistant turns, an optional system turn first."""
    turns = [Turn("system", system)] if system else []
    turns += [Turn("user" if index % 2 == 0 else "assistant", content) for index, content in enumerate(contents)]
    return tuple(turns)


def render(chat: Chat) -> str:
    """The text of a conversation, exactly as the chat template writes it."""
    return "".join(f"{TURN_START}{turn.role}\n{turn.content}{TURN_END}\n" for turn in chat)
