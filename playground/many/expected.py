"""Lists of questions with what is expected of each: from the table in a file, from pasted text, from a program.

Files are read as every list of questions is (`playground.many.questions`). Does not know collections or what becomes of the questions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.data.guess import words
from playground.data.table import written
from playground.errors import InputError
from playground.many.questions import columns as question_columns
from playground.many.questions import frame_of
from playground.rag.exam.expected import Expected, expected
from playground.settings import Limits

PAGES = {"page", "pagina", "pag", "pg"}
DOCUMENTS = {"document", "documento", "file", "arquivo", "pdf", "source", "fonte"}
HEADS = {"question", "pergunta"}
KEYS = ("question", "answer", "document", "page")
NOTHING_EXPECTED = (
    "No expected answer is there to compare with. Say which column has them; in pasted lines, put a tab and the answer after each question."
)


@dataclass(frozen=True)
class ExpectedColumns:
    """What a file has, and which column is probably which; None where none is."""

    names: list[str]
    question: str
    answer: str | None
    document: str | None
    page: str | None
    rows: int = 0


@dataclass(frozen=True)
class ExpectedList:
    """The questions, how many lines had none, and how many named a page in words that are none."""

    listed: list[Expected]
    skipped: int = 0
    pages_unread: int = 0


def columns(path: Path, name: str, limits: Limits) -> ExpectedColumns:
    """What a file has, with a guess at what its columns are for.

    Raises:
        FileUnreadable: it is no table, or a very large one.
    """
    names = frame_of(path, name, limits).columns
    page, document = (next((one for one in names if set(words(one)) & known), None) for known in (PAGES, DOCUMENTS))
    found = question_columns(path, name, limits)
    asks = next((one for one in names if set(words(one)) & HEADS), found.question)
    right = found.right if found.right not in (asks, page, document) else None
    document = document if document != asks else None
    return ExpectedColumns(names, asks, right, document, page, found.rows)


def in_file(path: Path, name: str, chosen: ExpectedColumns, limits: Limits) -> ExpectedList:
    """The questions of a file by the columns that were chosen.

    Raises:
        FileUnreadable: as `columns`; InputError: it has no such column, or there are no expected answers.
    """
    frame = frame_of(path, name, limits)
    if not chosen.answer:
        raise InputError(NOTHING_EXPECTED)
    picked: tuple[str | None, ...] = (chosen.question, chosen.answer, chosen.document, chosen.page)
    for column in picked:
        if column and column not in frame.columns:
            raise InputError("The file {name} has no column {column}. Choose another one.", name=name, column=str(column)[:100])
    cells = [written(frame[column]).to_list() if column else [None] * frame.height for column in picked]
    return taken(zip(*cells, strict=True))


def pasted(text: str, limits: Limits) -> ExpectedList:
    """One question a line with its answer after a tab, then document and page where they are known; or a whole CSV with its header.

    Raises:
        InputError: there are no expected answers; FileUnreadable: it begins like a CSV and is none.
    """
    if _has_header(text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pasted.csv"
            path.write_text(text, "utf-8")
            return in_file(path, path.name, columns(path, path.name, limits), limits)
    lines = [line.split("\t") for line in text.splitlines()]
    if any(any(map(str.strip, line)) for line in lines) and all(len(line) < 2 for line in lines):
        raise InputError(NOTHING_EXPECTED)
    return taken((*line[:4], *[""] * (4 - len(line))) for line in lines)


def _has_header(text: str) -> bool:
    """Whether one cell of the first line is a word that stands over questions; a question with that word in it is none."""
    head = text.lstrip().partition("\n")[0]
    cells = [head.split(mark) for mark in ",;\t" if mark in head]
    return any(len(said := words(cell)) == 1 and said[0] in HEADS for line in cells for cell in line)


def given(values: Sequence[Any]) -> ExpectedList:
    """The list of a program: {question, answer or answers, document, page}; an empty answer means that the documents do not tell.

    Raises:
        InputError: something else is in it.
    """
    return taken(_cells(value) for value in (values if isinstance(values, list | tuple) else [values]))


def _cells(value: Any) -> tuple[str, ...]:
    problem = InputError("A list of questions to check has {keys} for each.", keys=", ".join(KEYS))
    if not isinstance(value, dict) or not value.keys() <= {*KEYS, "answers"}:
        raise problem
    answers = value.get("answers") or [value.get("answer")]
    texts = [*answers, value.get("question"), value.get("document")] if isinstance(answers, list) else [0]
    page = value.get("page")
    if not all(isinstance(one, str | None) for one in texts) or isinstance(page, bool) or not isinstance(page, int | str | None):
        raise problem
    return value.get("question") or "", " | ".join(one for one in answers if one), value.get("document") or "", str(page or "")


def taken(lines: Iterable[Sequence[Any]]) -> ExpectedList:
    """Of (question, answer, document, page); without those that ask nothing."""
    written = [tuple(str(cell or "") for cell in line) for line in lines]
    known = [(expected(*line), line[3]) for line in written]
    unread = sum(one.answerable and one.page is None and any(map(str.isalnum, page)) for one, page in known if one.question)
    return ExpectedList([one for one, _ in known if one.question], sum(not one.question for one, _ in known), unread)
