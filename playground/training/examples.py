"""A run's examples as the trainer reads them: token ids, and labels that are -100 wherever nothing is to be learned; and as questions.

What a model reads is decided in `models.template` alone, the same function that shows it on the Dataset tab and that chat uses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from playground.errors import InputError, Sentence
from playground.messages import Conversation, Message
from playground.models.pairs import sides
from playground.models.template import encode_parts, reads_first
from playground.training.damage import LOST_ROWS

IGNORED = -100  # torch.nn.CrossEntropyLoss leaves these positions out
MOST_WORDS = 40  # of a text that are asked with, and that are shown as the right answer
MOST_CHARACTERS = 200  # the same for a text that is not parted into words


Row = tuple[list[int], list[int], int]  # token ids, labels, how many they are


@dataclass
class Encoded:
    """Columns of a dataset, and what became of the `read` examples.

    `cut` lost their beginning to fit, `parted` are texts that became several rows, `empty` were left out for having nothing to learn.
    """

    input_ids: list[list[int]] = field(default_factory=list)
    labels: list[list[int]] = field(default_factory=list)
    length: list[int] = field(default_factory=list)
    read: int = 0
    cut: int = 0
    parted: int = 0
    empty: int = 0

    def __len__(self) -> int:
        return len(self.length)

    def warnings(self, task: str, length: int, reads_first: bool) -> list[Sentence]:
        """What the person should know of how the rows came through, `length` being what the model reads at once."""
        found = []
        if self.cut:
            message = (
                "{cut} of {rows} examples were longer than {length} tokens and lost the end of their prompt or answer."
                if reads_first
                else "{cut} of {rows} conversations were longer than {length} tokens and lost their beginning."
                if task == "chat"
                else "{cut} of {rows} examples were longer than {length} tokens and lost the start of their prompt."
            )
            found.append(Sentence(message, cut=self.cut, rows=self.read, length=length))
        if self.parted:
            message = "{count} of {rows} texts were longer than {length} tokens and are learnt in several parts, each by itself."
            found.append(Sentence(message, count=self.parted, rows=self.read, length=length))
        if self.empty:
            found.append(Sentence("{rows} examples without an answer to learn were left out.", rows=self.empty))
        return found

    def row(self, place: int) -> Row:
        return self.input_ids[place], self.labels[place], self.length[place]

    @property
    def columns(self) -> dict[str, list[Any]]:
        return {"input_ids": self.input_ids, "labels": self.labels, "length": self.length}

    @property
    def by_length(self) -> dict[str, list[Any]]:
        """As `columns`, shortest first, so that batches in this order have little padding."""
        order = sorted(range(len(self)), key=self.length.__getitem__)
        return {name: [column[index] for index in order] for name, column in self.columns.items()}


def conversations(path: Path) -> Iterator[Conversation]:
    """The rows of a part of the run's own copy, in order.

    Raises:
        InputError: a line of it is damaged.
    """
    with path.open(encoding="utf-8") as file:
        try:
            for line in file:
                yield Conversation.from_dict(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(LOST_ROWS, file=path.name) from error


def read(path: Path, tokenizer: Any, max_length: int, limit: int | None = None) -> Encoded:
    """Encode the first `limit` examples (all with None) to rows of at most `max_length` tokens each, and no more than `limit` rows."""
    rows = Encoded()
    for parts in encode_parts(tokenizer, list(islice(conversations(path), limit)), max_length):
        if limit is not None and len(rows) >= limit:
            break
        rows.read += 1
        # the first token is never predicted, so a row whose only trained token comes first teaches nothing
        useful = [part for part in parts if any(part.trained[1:])]
        rows.empty += not useful
        rows.parted += len(useful) > 1
        for encoded in useful[: None if limit is None else limit - len(rows)]:
            rows.cut += encoded.cut > 0
            if reads_first(tokenizer):
                asked, answer = sides(encoded)
                rows.input_ids.append(asked)
                rows.labels.append(answer)
            else:
                rows.input_ids.append(encoded.ids)
                rows.labels.append([token if trained else IGNORED for token, trained in zip(encoded.ids, encoded.trained, strict=True)])
            rows.length.append(len(encoded.ids))
    return rows


@dataclass(frozen=True)
class Question:
    """What to ask to see whether an example was learnt: the whole of what the model reads, the part of it to show, the right answer."""

    asked: Conversation
    shown: str
    answer: str


def question(example: Conversation) -> Question | None:
    """An example as a question, the last one where it has several; a text asks how its first words go on. None where nobody asks."""
    turns = (*example.prompt, *example.completion)
    if turns and not example.completion:  # a question whose answer nobody has written down; earlier answers may be among its turns
        return Question(example, turns[-1].content, "")
    if turns and turns[0].role == "text":
        begun, rest = _halves("".join(turn.content for turn in turns))
        return Question(Conversation((Message("text", begun),)), begun, rest) if begun else None
    last = max((place for place, turn in enumerate(turns) if turn.role == "assistant"), default=0)
    shown = next((turn.content for turn in reversed(turns[:last]) if turn.role == "user"), "")
    return Question(Conversation(turns[:last]), shown, turns[last].content) if shown.strip() else None


def questions(path: Path, limit: int) -> list[Question]:
    """The first `limit` examples of a part that can be asked."""
    return list(islice((found for one in conversations(path) if (found := question(one))), limit))


def _halves(text: str) -> tuple[str, str]:
    """The first half of a text's words, or the first of them where there are many, and as many of those that follow."""
    words = [word.span() for word in islice(re.finditer(r"\S+", text), 2 * MOST_WORDS)]
    if len(words) < 2:  # one word, or a language that does not part them
        text = text.strip()[: 2 * MOST_CHARACTERS]
        return text[: -(-len(text) // 2)], text[-(-len(text) // 2) :]
    middle = len(words) // 2
    return text[words[0][0] : words[middle - 1][1]], text[words[middle][0] : words[-1][1]]
