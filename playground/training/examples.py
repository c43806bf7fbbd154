"""A run's examples as the trainer reads them: token ids, and labels that are -100 wherever nothing is to be learned.

What a model reads is decided in `models.template` alone, the same function that shows it on the Dataset tab and that chat uses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from playground.messages import Conversation
from playground.models.template import encode_many

IGNORED = -100  # torch.nn.CrossEntropyLoss leaves these positions out


@dataclass
class Encoded:
    """Columns of a dataset; how many rows lost the start of their prompt (`cut`) or were left out for having nothing to learn (`empty`)."""

    input_ids: list[list[int]] = field(default_factory=list)
    labels: list[list[int]] = field(default_factory=list)
    length: list[int] = field(default_factory=list)
    cut: int = 0
    empty: int = 0

    def __len__(self) -> int:
        return len(self.length)

    @property
    def columns(self) -> dict[str, list[Any]]:
        return {"input_ids": self.input_ids, "labels": self.labels, "length": self.length}

    @property
    def by_length(self) -> dict[str, list[Any]]:
        """As `columns`, shortest first, so that batches in this order have little padding."""
        order = sorted(range(len(self)), key=self.length.__getitem__)
        return {name: [column[index] for index in order] for name, column in self.columns.items()}


def conversations(path: Path) -> Iterator[Conversation]:
    """The rows of a part of the run's own copy, in order."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Conversation.from_dict(json.loads(line))


def read(path: Path, tokenizer: Any, max_length: int, limit: int | None = None) -> Encoded:
    """Encode the first `limit` rows (all with None) to at most `max_length` tokens each."""
    rows = Encoded()
    for encoded in encode_many(tokenizer, list(islice(conversations(path), limit)), max_length):
        # the first token is never predicted, so a row whose only trained token comes first teaches nothing
        if not any(encoded.trained[1:]):
            rows.empty += 1
            continue
        rows.cut += encoded.cut > 0
        rows.input_ids.append(encoded.ids)
        rows.labels.append([token if trained else IGNORED for token, trained in zip(encoded.ids, encoded.trained, strict=True)])
        rows.length.append(len(encoded.ids))
    return rows
