"""Readers of question sets: files in, passages with the questions that ask for them out.

Knows the layouts and which part of each set is held out for measuring; knows nothing of training or of scores.
"""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from playground.starter import cleaning

# A quarter of the Portuguese paragraphs, whole articles: geography, medicine and a product.
HELD_ARTICLES = ("Antibiotics", "IPod", "Montana")
Language = Literal["en", "pt"]
Part = Literal["train", "held"]


class Asked(NamedTuple):
    """A question and the number of the passage that answers it."""

    text: str
    passage: int


class QuestionSet(NamedTuple):
    """Passages and questions over them; ``documents`` says of which text each passage is a part."""

    name: str
    language: Language
    passages: list[str]
    documents: list[str]
    questions: list[Asked]


def csv_members(archive: Path, folders: tuple[str, ...]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """(path, rows) of the tables below the folders, in the order of their paths."""
    found = []
    with tarfile.open(archive, "r:xz") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.endswith(".csv") and any(f"/{f}/" in member.name for f in folders) else None
            if file is not None:
                found.append((member.name, list(csv.DictReader(io.StringIO(file.read().decode("utf-8", errors="replace"))))))
    yield from sorted(found, key=lambda pair: pair[0])


def fairytales(archive: Path, part: Part) -> QuestionSet:
    """Sections of stories and the experts' questions; ``held`` is the set's own validation split, the test split is never read.

    A question over several sections counts for the first of them.
    """
    split = "train" if part == "train" else "val"
    sections: dict[tuple[str, str], int] = {}
    made = QuestionSet(f"fairytaleqa_{part}", "en", [], [], [])
    tables = list(csv_members(archive, (f"section-stories/{split}", f"questions/{split}")))
    for path, rows in (pair for pair in tables if "/section-stories/" in pair[0]):
        story = Path(path).stem.removesuffix("-story")
        for row in rows:
            sections[story, row["section"].strip()] = len(made.passages)
            made.passages.append(cleaning.one_line(row["text"]))
            made.documents.append(story)
    for path, rows in (pair for pair in tables if "/questions/" in pair[0]):
        story = Path(path).stem.removesuffix("-questions")
        for row in rows:
            at = sections.get((story, row["cor_section"].split(",")[0].strip()))
            if at is not None and row["question"].strip():
                made.questions.append(Asked(cleaning.one_line(row["question"]), at))
    return made


def squad(file: Path, part: Part) -> QuestionSet:
    """Portuguese paragraphs with questions, split by article."""
    made = QuestionSet(f"squad_pt_{part}", "pt", [], [], [])
    for article in json.loads(file.read_text("utf-8"))["data"]:
        if (article["title"] in HELD_ARTICLES) != (part == "held"):
            continue
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                made.questions.append(Asked(cleaning.without_tags(asked["question"]), len(made.passages)))
            made.passages.append(cleaning.without_tags(paragraph["context"]))
            made.documents.append(article["title"])
    return made


def pira(file: Path, language: Language) -> QuestionSet:
    """Questions about abstracts and reports on the sea, in either language; measured only, never trained on.

    The passages are the distinct texts; questions that their text does not answer are left out.
    """
    texts = "abstract" if language == "en" else "abstract_translated_pt"
    made = QuestionSet(f"pira_{language}", language, [], [], [])
    places: dict[str, int] = {}
    with file.open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened):
            text = cleaning.one_line(row[texts])
            if text not in places:
                places[text] = len(made.passages)
                made.passages.append(text)
                made.documents.append(row["eid_article_scopus"])
            if row["at_labels"] != "0.0":
                made.questions.append(Asked(cleaning.one_line(row[f"question_{language}_origin"]), places[text]))
    return made
