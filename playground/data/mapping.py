"""From rows to conversations: what the model is asked and what it shall answer, by a task and the columns that play its roles.

Knows tasks, roles, labels and the split. Does not know files, tokens or models.

The user's message is the instruction, a blank line and the row's text; where the instruction has the slot `{prompt}`, the text stands there
instead. A chat that asks a tuned model must do the same (`ask`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from playground.data.choices import KEYS, SPLIT, check_settings
from playground.data.guess import guess_roles, guess_task
from playground.data.split import split_rows
from playground.data.table import column_type, written
from playground.errors import MappingError, Sentence
from playground.messages import Conversation, conversation

SEED = 42
MOST_NAMED = 50  # labels that an instruction names
SUMMARY_INSTRUCTION = "Summarise this text in a few sentences."
SLOT = re.compile(r"\{([^{}]+)\}")


@dataclass
class Splits:
    """Examples to learn from, to judge by while learning, and to judge by afterwards.

    `instruction` is what stands around a bare prompt (see `ask`), `labels` are the answers of a classification.
    """

    train: list[Conversation]
    validation: list[Conversation]
    test: list[Conversation]
    instruction: str = ""
    system: str = ""
    task: str = "instruction"
    labels: list[str] = field(default_factory=list)


@dataclass
class Mapped:
    """How a table was turned into examples. `guessed` names the settings that were not given; rows of the table = rows + dropped."""

    task: str
    columns: dict[str, str | None]  # role -> column; None where a role was declined
    instruction: str
    system: str
    label_names: dict[str, str]
    split: dict[str, float]
    seed: int
    rows: dict[str, int]
    dropped: dict[str, int]
    guessed: list[str]
    conversations: Splits
    warnings: list[Sentence] = field(default_factory=list)

    def settings(self) -> dict[str, Any]:
        """The settings that give this mapping again, with nothing left to guess."""
        return {key: getattr(self, key) for key in KEYS}


def ask(instruction: str, text: str) -> str:
    """A prompt as a model that learnt with `instruction` expects it."""
    if not instruction:
        return text
    return instruction.replace("{prompt}", text) if "{prompt}" in instruction else f"{instruction}\n\n{text}"


def map_table(frame: pl.DataFrame, settings: dict[str, Any] | None = None) -> Mapped:
    """Turn a table into examples.

    `settings`: task (instruction, classification or summarization), columns (role -> column; roles prompt, answer and, for instruction,
    context), instruction (may have slots such as {column}), system, label_names (value in the cell -> name the model says), split (shares
    of validation and test), seed. What is left out is guessed.

    Raises:
        SettingsError: unknown keys or impossible values, all of them at once.
        MappingError: the columns are not there, cannot be guessed, or give fewer than two examples.
    """
    settings = {key: value for key, value in check_settings({} if settings is None else settings).items() if value is not None}
    given = {role: column for role, column in settings.get("columns", {}).items() if column is not None}
    _check_columns(frame, given)
    roles = guess_roles(frame, given, settings.get("task"))
    guessed = [f"columns.{role}" for role in roles if role not in given]
    task = settings.get("task") or guess_task(frame, roles)
    guessed = guessed if "task" in settings else ["task", *guessed]
    declined = settings.get("columns", {}).get("context", "") is None  # "none" is an answer, and stays one when the mapping is read again
    if declined:
        roles.pop("context", None)
        guessed = [key for key in guessed if key != "columns.context"]
    _check_roles(frame, roles)
    if task != "instruction":
        roles.pop("context", None)
        guessed = [key for key in guessed if key != "columns.context"]
    cells = {role: _cells(frame, column) for role, column in roles.items()}
    mapped = _build(frame, task, roles, cells, settings, guessed)
    return replace(mapped, columns={**roles, "context": None}) if declined else mapped


def _build(
    frame: pl.DataFrame, task: str, roles: dict[str, str], cells: dict[str, list[str]], settings: dict[str, Any], guessed: list[str]
) -> Mapped:
    asks, answers = cells["prompt"], cells["answer"]
    usable = [row for row in range(frame.height) if asks[row] and answers[row]]
    dropped = {
        str(reason): count  # programs get it as JSON
        for reason, count in (
            (Sentence("no question"), sum(not text for text in asks)),
            (Sentence("no answer"), sum(bool(text) and not answer for text, answer in zip(asks, answers, strict=True))),
        )
        if count
    }
    _check_enough(usable, roles, asks, answers)
    warnings: list[Sentence] = []
    names, labels = (
        _labels([answers[row] for row in usable], settings.get("label_names", {}), warnings) if task == "classification" else ({}, [])
    )
    if "instruction" not in settings:
        guessed.append("instruction")
    instruction = settings["instruction"] if "instruction" in settings else _default_instruction(task, labels)
    instruction = instruction.replace("{" + roles["prompt"] + "}", "{prompt}")
    system = settings.get("system", "")
    contexts = cells.get("context")
    slots = _slots(frame, instruction)
    examples, keys = [], []
    for row in usable:
        text = f"{asks[row]}\n\n{contexts[row]}" if contexts and contexts[row] else asks[row]
        question = _question(instruction, slots, row, text)
        examples.append(conversation(question, names.get(answers[row], answers[row]), system))
        keys.append(" ".join(text.casefold().split()))
    split = {**SPLIT, **settings.get("split", {})}
    seed = settings.get("seed", SEED)
    strata = [answers[row] for row in usable] if task == "classification" else None
    parts = split_rows(keys, split["validation"], split["test"], seed, strata)
    chosen = {
        part: [example for example, its in zip(examples, parts, strict=True) if its == part] for part in ("train", "validation", "test")
    }
    if split["validation"] > 0 and not chosen["validation"]:
        warnings.append(Sentence("All questions are alike, or too few, so no rows are kept for validation."))
    splits = Splits(**chosen, instruction=instruction, system=system, task=task, labels=labels)
    rows = {part: len(its) for part, its in chosen.items()}
    return Mapped(task, dict(roles), instruction, system, names, split, seed, rows, dropped, guessed, splits, warnings)


def _question(instruction: str, slots: dict[str, list[str]], row: int, text: str) -> str:
    """The user's message of a row. One pass over the instruction, so that braces in the data stay what they are."""
    if not slots:
        return ask(instruction, text)

    def cell(slot: re.Match[str]) -> str:
        return text if slot[1] == "prompt" else slots[slot[1]][row] if slot[1] in slots else slot[0]

    filled = SLOT.sub(cell, instruction)
    return filled if "{prompt}" in instruction else f"{filled}\n\n{text}"


def _slots(frame: pl.DataFrame, instruction: str) -> dict[str, list[str]]:
    return {name: _cells(frame, name) for name in set(SLOT.findall(instruction)) if name in frame.columns and name != "prompt"}


def _cells(frame: pl.DataFrame, column: str) -> list[str]:
    """A column as text without white space around it, "" where it is missing."""
    return written(frame[column]).fill_null("").str.strip_chars().to_list()


def _default_instruction(task: str, labels: list[str]) -> str:
    if task == "summarization":
        return SUMMARY_INSTRUCTION
    if task != "classification":
        return ""
    if len(labels) > MOST_NAMED:
        return "Which group does this text belong to? Answer with the name of the group only."
    return f"Which of these fits the text best: {', '.join(labels)}? Answer with one of them only."


def _labels(answers: list[str], given: dict[str, str], warnings: list[Sentence]) -> tuple[dict[str, str], list[str]]:
    """(value -> name for every value, the names in the order of their values)."""
    values = sorted(
        set(answers), key=lambda value: (not value.lstrip("-").isdecimal(), int(value) if value.lstrip("-").isdecimal() else 0, value)
    )
    if len(values) < 2:
        raise MappingError("All answers are the same: {answer}. To learn groups, at least two of them are needed.", answer=values[0][:100])
    if absent := [value for value in given if value not in values]:
        warnings.append(Sentence("No row has the value {values}, which has a name.", values=", ".join(absent)))
    if len(values) > MOST_NAMED:
        warnings.append(Sentence("There are {count} different answers. Groups are learnt better when they are few.", count=len(values)))
    names = {value: given.get(value, value) for value in values}
    return names, list(dict.fromkeys(names.values()))


def _check_columns(frame: pl.DataFrame, given: dict[str, str]) -> None:
    if unknown := [name for name in given.values() if name not in frame.columns]:
        columns = ", ".join(frame.columns)
        raise MappingError(
            "The table has no column called {unknown}. Its columns are: {columns}.", unknown=", ".join(unknown), columns=columns
        )
    if len(set(given.values())) < len(given):
        raise MappingError("The same column cannot be question and answer at once. Choose two different columns.")


def _check_roles(frame: pl.DataFrame, roles: dict[str, str]) -> None:
    if {"prompt", "answer"} <= roles.keys():
        return
    if "messages" in frame.columns or (frame.width == 1 and column_type(frame.to_series()) == "list"):
        column = "messages" if "messages" in frame.columns else frame.columns[0]
        message = "The column {column} holds whole conversations. To learn, choose a table with a column of questions and one of answers."
        raise MappingError(message, column=column)
    if frame.width == 1:
        message = "The table has only one column, {column}. To learn answers, it needs one column that is asked and one that is answered."
        raise MappingError(message, column=frame.columns[0])
    missing = Sentence("question") if "prompt" not in roles else Sentence("answer")
    columns = ", ".join(frame.columns)
    raise MappingError("It is not clear which column is the {missing}. Choose one of: {columns}.", missing=missing, columns=columns)


def _check_enough(usable: list[int], roles: dict[str, str], asks: list[str], answers: list[str]) -> None:
    if len(usable) >= 2:
        return
    empty = [roles[role] for role, cells in (("prompt", asks), ("answer", answers)) if not any(cells)]
    if len(empty) == 1:
        raise MappingError("The column {column} is empty in every row. Choose another column.", column=empty[0])
    if empty:
        raise MappingError("The columns {columns} are empty in every row. Choose other columns.", columns=", ".join(empty))
    prompt, answer = roles["prompt"], roles["answer"]
    if not usable:
        message = "No row has something in both columns, {prompt} and {answer}. Choose other columns, or fill in what is missing."
        raise MappingError(message, prompt=prompt, answer=answer)
    message = "Only one row has something in both columns, {prompt} and {answer}. At least two are needed to learn from."
    raise MappingError(message, prompt=prompt, answer=answer)
