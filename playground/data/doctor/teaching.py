"""What a table is to teach, as far as a check needs it: the columns that ask and answer, and how rows are split.

Follows the mapping where there is one and guesses otherwise. Does not build examples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from playground.data.chats import as_prose
from playground.data.choices import PAIR_ROLES, SPLIT, WHOLE_ROLES
from playground.data.guess import guess_roles, guess_task, guess_whole, is_label
from playground.data.mapping import SEED, SLOT
from playground.data.split import Part, split_rows
from playground.data.table import column_type, written


@dataclass(frozen=True)
class Teaching:
    """Columns by role (None where there is none) and the settings of the split. `used`: columns that must not vanish."""

    task: str
    prompt: str | None
    answer: str | None
    context: str | None
    instruction: str = ""
    split: dict[str, float] = field(default_factory=lambda: dict(SPLIT))
    seed: int = SEED
    label_names: dict[str, str] = field(default_factory=dict)
    used: frozenset[str] = frozenset()

    @property
    def known(self) -> bool:
        return self.prompt is not None and self.answer is not None

    def has_labels(self, frame: pl.DataFrame) -> bool:
        return self.answer is not None and (self.task == "classification" or is_label(frame[self.answer]))


def teaching_of(frame: pl.DataFrame, mapping: dict[str, Any] | None) -> Teaching:
    """What the mapping says; without one, what the names and values of the columns suggest."""
    mapping = mapping or {}
    given = {role: name for role, name in (mapping.get("columns") or {}).items() if isinstance(name, str) and name in frame.columns}
    task = mapping.get("task")
    task = task or next((task for task, role in WHOLE_ROLES.items() if role in given), None)
    task = task or (guess_whole(frame, given) if frame.height else None)
    roles = given if given or not frame.height else guess_roles(frame, {}, task)
    task = task or guess_task(frame, roles)
    prompt, answer, context = (roles.get(role) for role in PAIR_ROLES)
    if task == "completion":
        prompt, answer = roles.get("text"), None
    instruction = mapping.get("instruction") or ""
    return Teaching(
        task,
        prompt,
        answer,
        context if task == "instruction" else None,
        instruction,
        {**SPLIT, **(mapping.get("split") or {})},
        SEED if mapping.get("seed") is None else mapping["seed"],
        mapping.get("label_names") or {},
        frozenset(roles.values()) | {name for name in SLOT.findall(instruction) if name in frame.columns},
    )


def text_columns(frame: pl.DataFrame) -> Iterable[pl.Series]:
    """Columns whose cells are prose or words; lists written as text are left alone, since a repair could make them unreadable."""
    for column in frame.iter_columns():
        if column.dtype == pl.String and column.null_count() < len(column) and column_type(column) != "list":
            yield column


def cells(frame: pl.DataFrame, column: str) -> list[str]:
    """A column as a mapping sees it: text without white space around it, "" where it is missing; dialogues are lines."""
    found: list[str] = written(frame[column]).fill_null("").str.strip_chars().to_list()
    return found if column_type(frame[column]) != "list" else [as_prose(cell) for cell in found]


def questions(frame: pl.DataFrame, teaching: Teaching) -> list[str]:
    """What each row asks, with its context; "" where there is no question."""
    if teaching.prompt is None:
        return [""] * frame.height
    asks = cells(frame, teaching.prompt)
    if teaching.context is None:
        return asks
    return [
        f"{question}\n\n{context}" if question and context else question
        for question, context in zip(asks, cells(frame, teaching.context), strict=True)
    ]


def same_question(text: str) -> str:
    """The key by which a mapping keeps equal questions in one part."""
    return " ".join(text.casefold().split())


def parts_of(keys: list[str], answers: list[str], teaching: Teaching) -> list[Part | None]:
    """The part that each row goes to, as a mapping splits them; None for rows without question or answer."""
    usable = [row for row, key in enumerate(keys) if key and answers[row]]
    strata = [teaching.label_names.get(answers[row], answers[row]) for row in usable] if teaching.task == "classification" else None
    split = split_rows([keys[row] for row in usable], teaching.split["validation"], teaching.split["test"], teaching.seed, strata)
    parts: list[Part | None] = [None] * len(keys)
    for row, part in zip(usable, split, strict=True):
        parts[row] = part
    return parts
