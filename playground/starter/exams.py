"""Question sets that the starter model is measured by and never trained on: prompts with the answers that count as right.

Knows the layouts of the public sets and the held-out parts of the generators; knows nothing of models or scores.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import NamedTuple

from . import cleaning
from .chatml import Turn
from .embedder.questions import csv_members
from .generators.mixture import GENERATORS, LATE_GENERATORS
from .generators.records import UNTOLD

FEELINGS = ("sadness", "joy", "love", "anger", "fear", "surprise")  # in the order of the set's numbers


class Asked(NamedTuple):
    """A conversation up to an answer, and every answer that is right."""

    turns: tuple[Turn, ...]
    answers: tuple[str, ...]


Exam = list[Asked]


def _passage(text: str, question: str, *answers: str) -> Asked:
    return Asked((Turn("user", f"{text}\n\n{question}"),), tuple(answer for answer in answers if answer))


def fairytales(archive: Path) -> Exam:
    """The validation split: a section of a story, an expert's question, up to six answers; questions over several sections left out."""
    tables = list(csv_members(archive, ("section-stories/val", "questions/val")))
    sections = {
        (Path(path).stem.removesuffix("-story"), row["section"].strip()): cleaning.one_line(row["text"])
        for path, rows in tables
        if "/section-stories/" in path
        for row in rows
    }
    exam = []
    for path, rows in tables:
        if "/questions/" not in path:
            continue
        story = Path(path).stem.removesuffix("-questions")
        for row in rows:
            text = sections.get((story, row["cor_section"].strip()))
            answers = [cleaning.one_line(row.get(f"answer{n}") or "") for n in range(1, 7)]
            if text and any(answers):
                exam.append(_passage(text, cleaning.one_line(row["question"]), *answers))
    return exam


def pira(file: Path, language: str) -> tuple[Exam, Exam]:
    """(questions that the text answers, questions that it does not) about the sea, in ``en`` or ``pt``."""
    texts = "abstract" if language == "en" else "abstract_translated_pt"
    told: Exam = []
    untold: Exam = []
    with file.open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened):
            text, question = (cleaning.one_line(row[key]) for key in (texts, f"question_{language}_origin"))
            answers = [cleaning.one_line(row[f"answer_{language}_{kind}"]) for kind in ("origin", "validate")]
            if row["at_labels"] == "0.0":
                untold.append(_passage(text, question, UNTOLD[language]))
            elif any(answers):
                told.append(_passage(text, question, *answers))
    return told, untold


def skills(count: int, seed: int = 7) -> dict[str, Exam]:
    """``count`` conversations of each generator's held-out part; the last answer is asked for, with the turns before it given."""
    exams: dict[str, Exam] = {}
    for name, (make, _) in {**GENERATORS, **LATE_GENERATORS}.items():
        rng = random.Random(f"{seed}/{name}")
        chats = [make(rng, "held") for _ in range(count)]
        exams[name] = [Asked(tuple(chat[:-1]), (chat[-1].content,)) for chat in chats]
    return exams


def feelings(file: Path, count: int) -> Exam:
    """The first ``count`` rows of the emotion set, with the labels named in the question."""
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))[:count]
    asked = f"Classify the text as one of: {', '.join(FEELINGS)}."
    return [Asked((Turn("user", f"{asked}\n\n{row['text']}"),), (FEELINGS[int(row["label"])],)) for row in rows]
