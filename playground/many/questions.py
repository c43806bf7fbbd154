"""Lists of questions, with right answers where somebody knows them: from pasted lines, from a program, from the table in a file.

Does not know models, runs or what becomes of the questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from playground import decoding
from playground.data.formats import read_table
from playground.data.guess import guess_roles
from playground.data.table import written
from playground.errors import InputError
from playground.messages import Conversation
from playground.settings import Limits

FILE_BYTES = 32 * 1024**2  # far more than a list of questions has
NOT_A_LIST = "A list of questions has texts in it, or a question and an answer for each."


@dataclass(frozen=True)
class Listed:
    """A question and its right answer, "" where nobody knows it. `asked` is the whole of what is read, where that is known already."""

    question: str
    right: str = ""
    asked: Conversation | None = None


@dataclass(frozen=True)
class Taken:
    """The questions of a list, how many of its lines had none, and how many questions were left out as too many."""

    listed: list[Listed]
    skipped: int = 0
    left_out: int = 0

    def first(self, most: int) -> Taken:
        """The same with so many questions at most."""
        return Taken(self.listed[:most], self.skipped, self.left_out + max(0, len(self.listed) - most))


@dataclass(frozen=True)
class Columns:
    """The columns of a file, which of them probably asks, and which answers (None where none does); and how many rows there are."""

    names: list[str]
    question: str
    right: str | None
    rows: int


def pasted(text: str) -> Taken:
    """One question a line; what follows a tab, as in two columns copied from a spreadsheet, is its right answer."""
    return taken(line.partition("\t")[::2] for line in text.splitlines())


def given(values: Sequence[Any]) -> Taken:
    """The list of a program: texts, pairs, or {question, answer}.

    Raises:
        InputError: something else is in it.
    """
    pairs = []
    for value in values:
        if isinstance(value, dict) and value.keys() <= {"question", "answer"}:
            value = [value.get("question"), value.get("answer")]
        pair = [value, None] if isinstance(value, str) else value
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(one, str | None) for one in pair):
            raise InputError(NOT_A_LIST)
        pairs.append((pair[0] or "", pair[1] or ""))
    return taken(pairs)


def taken(pairs: Iterable[tuple[str, ...]]) -> Taken:
    """Without the blank ones; what is there twice stays twice."""
    known = [Listed(question.strip(), right.strip()) for question, right in pairs]
    return Taken([one for one in known if one.question], sum(not one.question for one in known))


def columns(path: Path, name: str, limits: Limits) -> Columns:
    """What a file has, with a guess at what its columns are for.

    Raises:
        FileUnreadable: it is no table, or a very large one.
    """
    frame = frame_of(path, name, limits)
    roles = guess_roles(frame, {}, "instruction")
    question = roles.get("prompt", frame.columns[0])
    right = roles.get("answer")
    return Columns(frame.columns, question, right if right != question else None, frame.height)


def in_file(path: Path, name: str, question: str, right: str | None, limits: Limits) -> Taken:
    """The questions in a column of a file, with the right answers of another one.

    Raises:
        FileUnreadable: as `columns`.
        InputError: it has no such column.
    """
    frame = frame_of(path, name, limits)
    for column in (question, *([right] if right else [])):
        if column not in frame.columns:
            raise InputError("The file {name} has no column {column}. Choose another one.", name=name, column=str(column)[:100])
    asked = written(frame[question]).to_list()
    answers = written(frame[right]).to_list() if right else [None] * len(asked)
    return taken((str(one or ""), str(other or "")) for one, other in zip(asked, answers, strict=True))


def frame_of(path: Path, name: str, limits: Limits) -> pl.DataFrame:
    """The table; of a text without cells, its lines."""
    limits = replace(limits, upload_bytes=min(limits.upload_bytes, FILE_BYTES))
    table = read_table(path, name, {"chat_format": "none"}, limits)
    if table.read_as["format"] == "text":  # read as paragraphs, and a paragraph here may be many questions
        text, _, _ = decoding.decode(path.read_bytes(), name, None)
        return pl.DataFrame({"text": [line for line in text.splitlines() if line.strip()]}, schema={"text": pl.String})
    return table.frame
