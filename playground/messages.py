"""What is said to a model and what it should answer: the one form in which examples and chats travel.

No third-party imports. Does not know tokens, templates or models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One turn."""

    role: Role
    content: str


@dataclass(frozen=True)
class Conversation:
    """What goes into a model, and, where it is an example to learn from, what should come out.

    `prompt` is what the model reads; `completion` is the part that is trained, empty in a chat.
    """

    prompt: tuple[Message, ...]
    completion: tuple[Message, ...] = ()

    def to_dict(self) -> dict[str, list[dict[str, str]]]:
        """TRL's conversational prompt-completion form."""
        return {key: [vars(message) for message in getattr(self, key)] for key in ("prompt", "completion")}

    @classmethod
    def from_dict(cls, record: dict[str, list[dict[str, str]]]) -> Conversation:
        """The inverse of `to_dict`."""
        return cls(*(tuple(Message(**turn) for turn in record.get(key, [])) for key in ("prompt", "completion")))  # type: ignore[arg-type]


def conversation(prompt: str, completion: str = "", system: str = "") -> Conversation:
    """A single question, with its answer and a system prompt where there is one."""
    opening = (Message("system", system),) if system else ()
    return Conversation((*opening, Message("user", prompt)), (Message("assistant", completion),) if completion else ())
