"""What the Dataset tab tells of a mapping and of how a file was read, in the words of the task; and what its controls set off."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from playground.data import chats
from playground.training.record import Run
from playground.ui import bars
from playground.ui.formatting import RECOGNISED, WORDED, mapping_notes, understood
from playground.ui.i18n import Texts
from playground.ui.tabs.mapping import TASKS, offers
from playground.ui.tabs.rows import already_there
from playground.ui.tabs.train import run_figures

PROJECT = Path(__file__).resolve().parents[2]
TEXTS = Texts(PROJECT / "assets/locales")
LANGUAGES = ("en", "pt-BR")


def say_in(language: str) -> Any:
    return lambda key, **values: TEXTS.say(key, language, **values)


def notes(task: str, language: str = "en") -> str:
    report = {
        "task": task,
        "rows": {"train": 1200, "validation": 9, "test": 9},
        "tokens": {"median": 1500, "max": 2000, "window": 1024, "over_limit": 1, "model": "starter"},
        "words": {"prompt": 7, "answer": 8},
        "dropped": {"no answer": 1},
        "warnings": [],
    }
    return mapping_notes(report, say_in(language), str)


def test_what_becomes_of_long_texts_is_told_by_task() -> None:
    assert "nothing of them is lost" in notes("completion") and "cut" not in notes("completion")
    assert "question" not in notes("completion") and "A typical text has 8 words" in notes("completion")
    assert "Their beginning is left out" in notes("chat")
    for task in ("instruction", "classification", "summarization"):
        assert "beginning of their question is cut" in notes(task)
    assert "1,500 tokens" in notes("chat") and "1.500 tokens" in notes("chat", "pt-BR")
    assert "partes" in notes("completion", "pt-BR") and "cortado" not in notes("completion", "pt-BR")


def read(format: str, chat: str | None = None, warnings: list[str] | None = None, columns: int = 2, language: str = "en") -> str:
    described = [{"name": "a", "type": "text", "missing": 0, "unique": 3, "example": "x"}] * columns
    info = {"name": "f", "rows": 3, "columns": described, "read_as": {"format": format, "chat_format": chat}, "warnings": warnings or []}
    return understood(info, say_in(language), str)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_format_of_chats_is_worded(language: str) -> None:
    assert set(chats.CHAT_FORMATS) <= set(WORDED)
    lines = {read("json", chat, language=language) for chat in (None, *chats.CHAT_FORMATS)}
    assert len(lines) == len(chats.CHAT_FORMATS) + 1
    assert not any(raw in "".join(lines) for raw in ("prompt_completion", "openai", "sharegpt"))


def test_formats_are_named_as_people_name_them() -> None:
    assert "Markdown text, a paragraph in each row: **3 rows** in one column" in read("markdown", columns=1)
    assert "plain text" in read("text") and "TEXT" not in read("text")
    assert "JSON Lines" in read("jsonl") and "OpenDocument" in read("ods") and "CSV" in read("csv")
    assert "um parágrafo em cada linha" in read("text", language="pt-BR")


def test_the_line_that_names_the_form_is_not_said_twice() -> None:
    seen = chats.recognise(pl.DataFrame({"instruction": ["a"], "output": ["b"]}))
    assert getattr(seen.warnings[0], "template", None) == RECOGNISED
    told = read("json", seen.chat_format, [*seen.warnings, "Row 3 was short."])
    assert "Recognised" not in told and "(Alpaca)" in told and "Row 3 was short" in told


def test_what_a_task_would_ignore_is_not_offered() -> None:
    offered = {setting: {task for task in TASKS if offers(setting, task)} for setting in ("system", "instruction", "context", "few_shot")}
    asked = {"instruction", "classification", "summarization"}
    assert offered == {"system": {*asked, "chat"}, "instruction": asked, "context": {"instruction"}, "few_shot": asked}


def test_an_estimate_of_steps_says_so() -> None:
    assert ("Step", "0 of 40") in run_figures(Run("r", "n", "queued", max_steps=40), say_in("en"))
    assert ("Memory", "800 MB") in run_figures(Run("r", "n", "running", memory_mb=800), say_in("en"))
    card = run_figures(Run("r", "n", "running", memory_mb=800, max_memory_reserved_mb=5000), say_in("en"))
    assert ("GPU memory", "4.9 GB") in card and not any(label == "Memory" for label, _ in card)
    assert ("Step", "0 of about 40") in run_figures(Run("r", "n", "queued", max_steps=40, max_steps_about=True), say_in("en"))


def test_emptying_the_search_for_another_dataset_reads_no_rows() -> None:
    """The box is emptied by the program then, and the rows come anyway: only another search in the same dataset reads."""
    assert already_there(("old", "word"), "new", "") and already_there(("new", ""), "new", "") and already_there((None, ""), "new", "")
    assert not already_there(("new", ""), "new", "word") and not already_there(("new", "word"), "new", "")


def test_the_ends_of_the_lengths_are_written_as_the_language_writes_numbers() -> None:
    drawn = {language: bars.lengths([(25, 1024, 3), (1024, 1634, 1)], 1024, say_in(language)) for language in LANGUAGES}
    assert "<span>1,633</span>" in drawn["en"] and "<span>1.633</span>" in drawn["pt-BR"]
