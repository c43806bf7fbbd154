"""What is said to a model and what it should answer: the one form in which examples and chats travel.

No third-party imports. Does not know tokens, templates or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant", "text"]


@dataclass(frozen=True)
class Message:
    """One turn. The role "text" is no turn but a text to go on with, read without any chat format."""

    role: Role
    content: str


@dataclass(frozen=True)
class Conversation:
    """What goes into a model, and, where it is an example to learn from, what should come out.

    `prompt` is what the model reads; `completion` is the part that is trained, empty in a chat. Where an example has several answers,
    the completion goes from the first to the last one, and of its turns the assistant's are trained. A text to be learnt as a whole is a
    completion of one message with the role "text", and an empty prompt.
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


def conversation(prompt: str, completion: str = "", system: str = "", earlier: Sequence[Message] = ()) -> Conversation:
    """A single question, with its answer, a system prompt and earlier turns (such as examples of what is wanted) where there are some."""
    opening = (Message("system", system),) if system else ()
    return Conversation((*opening, *earlier, Message("user", prompt)), (Message("assistant", completion),) if completion else ())
