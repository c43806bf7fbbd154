"""From rows to conversations: what the model is asked and what it shall answer, by a task and the columns that play its roles.

Knows tasks, roles, labels and the split. Does not know files, tokens or models.

The user's message is the instruction, a blank line and the row's text; where the instruction has the slot `{prompt}`, the text stands there
instead. A chat that asks a tuned model must do the same (`ask`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from playground.data.chats import as_prose, first_text
from playground.data.choices import KEYS, PAIR_ROLES, SPLIT, WHOLE_ROLES, check_settings
from playground.data.examples import draw_shots, from_chats, from_texts, key_of
from playground.data.guess import guess_roles, guess_task, guess_whole
from playground.data.split import Part, split_rows
from playground.data.table import column_type, written
from playground.errors import MappingError, Sentence
from playground.messages import Conversation, Message, conversation

SEED = 42
MOST_NAMED = 50  # labels that an instruction names
SUMMARY_INSTRUCTION = "Summarise this text in a few sentences."
EMPTY = "The column {column} is empty in every row. Choose another column."
SLOT = re.compile(r"\{([^{}]+)\}")


@dataclass
class Splits:
    """Examples to learn from, to judge by while learning, and to judge by afterwards.

    `instruction` is what stands around a bare prompt (see `ask`), `labels` are the answers of a classification, and `shots` are the turns
    that stand between the system prompt and every question, as examples of what is wanted (see `messages.conversation`). `slots` are the
    columns that stand in the instruction, in their order there.
    """

    train: list[Conversation]
    validation: list[Conversation]
    test: list[Conversation]
    instruction: str = ""
    system: str = ""
    task: str = "instruction"
    labels: list[str] = field(default_factory=list)
    shots: tuple[Message, ...] = ()
    slots: tuple[str, ...] = ()


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
    few_shot: int = 0

    def settings(self) -> dict[str, Any]:
        """The settings that give this mapping again, with nothing left to guess."""
        return {key: getattr(self, key) for key in KEYS}


def ask(instruction: str, text: str, slots: Mapping[str, str] | None = None) -> str:
    """A prompt as a model that learnt with `instruction` expects it.

    One pass over the instruction, so that braces in the text and in what fills the slots stay what they are.
    """
    if not instruction:
        return text
    values = {**(slots or {}), "prompt": text}
    filled = SLOT.sub(lambda slot: values.get(slot[1], slot[0]), instruction)
    return filled if "{prompt}" in instruction else f"{filled}\n\n{text}"


def taken_apart(instruction: str, slots: Sequence[str], asked: str) -> tuple[str, dict[str, str]]:
    """The inverse of `ask`: what was asked as its text and what filled the slots; all of it as text where it is not of that form."""
    form = instruction if "{prompt}" in instruction or not instruction else f"{instruction}\n\n{{prompt}}"
    known, place, pattern = {"prompt", *slots}, 0, ""
    names: list[str] = []
    for slot in SLOT.finditer(form):
        pattern += re.escape(form[place : slot.start()])
        place = slot.end()
        if slot[1] not in known:
            pattern += re.escape(slot[0])
        elif slot[1] in names:
            pattern += f"(?P=s{names.index(slot[1])})"
        else:
            pattern += f"(?P<s{len(names)}>.*?)"
            names.append(slot[1])
    found = re.fullmatch(pattern + re.escape(form[place:]), asked, re.DOTALL) if names else None
    if found is None:
        return asked, {}
    values = {name: found[f"s{number}"] for number, name in enumerate(names)}
    return values.pop("prompt"), values


def map_table(frame: pl.DataFrame, settings: dict[str, Any] | None = None) -> Mapped:
    """Turn a table into examples.

    `settings`: task (instruction, classification, summarization, chat or completion), columns (role -> column; the role of chat is
    messages, of completion text, of the others prompt, answer and, for instruction, context), instruction (may have slots such as
    {column}), system, label_names (value in the cell -> name the model says), split (shares of validation and test), seed, few_shot (how
    many examples of the training part stand before every question). What is left out is guessed.

    Raises:
        SettingsError: unknown keys or impossible values, all of them at once.
        MappingError: the columns are not there, cannot be guessed, or give fewer than two examples.
    """
    settings = {key: value for key, value in check_settings({} if settings is None else settings).items() if value is not None}
    given = {role: column for role, column in settings.get("columns", {}).items() if column is not None}
    whole = settings.get("task") or next((task for task, role in WHOLE_ROLES.items() if role in given), None) or guess_whole(frame, given)
    if whole in WHOLE_ROLES:
        return _map_whole(frame, whole, given.get(WHOLE_ROLES[whole]), settings)
    given = {role: column for role, column in given.items() if role in PAIR_ROLES}
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
    if task == "summarization":  # several summaries of one text: the first is learnt
        cells["answer"] = [first_text(cell) for cell in cells["answer"]]
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
    questions, keys = [], []
    for row in usable:
        text = f"{asks[row]}\n\n{contexts[row]}" if contexts and contexts[row] else asks[row]
        questions.append(_question(instruction, slots, row, text))
        keys.append(key_of(text))
    split = {**SPLIT, **settings.get("split", {})}
    seed = settings.get("seed", SEED)
    said = [names.get(answers[row], answers[row]) for row in usable]
    parts = split_rows(keys, split["validation"], split["test"], seed, said if task == "classification" else None)
    few_shot, earlier = settings.get("few_shot", 0), _Shots()
    if few_shot:
        taught = [place for place, part in enumerate(parts) if part == "train"]
        labels_of = [said[place] for place in taught] if task == "classification" else None
        drawn = [taught[place] for place in draw_shots([keys[place] for place in taught], few_shot, seed, labels_of)]
        earlier = _Shots([(keys[place], questions[place], said[place]) for place in drawn], few_shot)
        if len(earlier.before(None)) < 2 * few_shot:
            warnings.append(Sentence("There are not enough examples to show {count} of them before every question.", count=few_shot))
    examples = [
        conversation(question, answer, system, earlier.before(key)) for key, question, answer in zip(keys, questions, said, strict=True)
    ]
    chosen = _parted(examples, parts, split, warnings)
    splits = Splits(
        **chosen, instruction=instruction, system=system, task=task, labels=labels, shots=earlier.before(None), slots=tuple(slots)
    )
    rows = {part: len(its) for part, its in chosen.items()}
    return Mapped(task, dict(roles), instruction, system, names, split, seed, rows, dropped, guessed, splits, warnings, few_shot)


@dataclass
class _Shots:
    """Examples that are shown before every question, with a spare one for those that are shown themselves: nobody sees their own answer."""

    drawn: list[tuple[str, str, str]] = field(default_factory=list)  # key, question, answer
    count: int = 0

    def before(self, key: str | None) -> tuple[Message, ...]:
        shown = [(question, answer) for its, question, answer in self.drawn if its != key][: self.count]
        return tuple(message for question, answer in shown for message in (Message("user", question), Message("assistant", answer)))


def _parted(examples: list[Conversation], parts: list[Part], split: dict[str, float], warnings: list[Sentence]) -> dict[str, Any]:
    chosen = {
        part: [example for example, its in zip(examples, parts, strict=True) if its == part] for part in ("train", "validation", "test")
    }
    if split["validation"] > 0 and not chosen["validation"]:
        warnings.append(Sentence("All questions are alike, or too few, so no rows are kept for validation."))
    return chosen


def _map_whole(frame: pl.DataFrame, task: str, column: str | None, settings: dict[str, Any]) -> Mapped:
    """Tasks whose examples are in one column: whole conversations, or texts."""
    role = WHOLE_ROLES[task]
    guessed = [key for key, given in (("task", "task" in settings), (f"columns.{role}", column is not None)) if not given]
    if column is None:
        column = guess_roles(frame, {}, task).get(role)
    if column is None:
        columns = ", ".join(frame.columns)
        raise MappingError("No column holds whole conversations. Choose another task, or one of: {columns}.", columns=columns)
    _check_columns(frame, {role: column})
    system = settings.get("system", "") if task == "chat" else ""
    cells = _cells(frame, column, as_it_is=True)
    examples, keys, dropped = from_chats(cells, system) if task == "chat" else from_texts(cells)
    if not examples:
        message = "The column {column} holds no conversations with an answer of the assistant in them. Choose another column or task."
        raise MappingError(message if task == "chat" else EMPTY, column=column)
    if len(examples) < 2:
        message = "Only one row of the column {column} can be learnt from. At least two are needed."
        raise MappingError(message, column=column)
    warnings: list[Sentence] = []
    if settings.get("few_shot"):
        warnings.append(Sentence("Examples before every question go with questions and answers only; here they are left out."))
    split = {**SPLIT, **settings.get("split", {})}
    seed = settings.get("seed", SEED)
    chosen = _parted(examples, split_rows(keys, split["validation"], split["test"], seed), split, warnings)
    rows = {part: len(its) for part, its in chosen.items()}
    splits = Splits(**chosen, system=system, task=task)
    return Mapped(task, {role: column}, "", system, {}, split, seed, rows, dropped, guessed, splits, warnings)


def _question(instruction: str, slots: dict[str, list[str]], row: int, text: str) -> str:
    """The user's message of a row."""
    return ask(instruction, text, {name: cells[row] for name, cells in slots.items()})


def _slots(frame: pl.DataFrame, instruction: str) -> dict[str, list[str]]:
    names = dict.fromkeys(SLOT.findall(instruction))
    return {name: _cells(frame, name) for name in names if name in frame.columns and name != "prompt"}


def _cells(frame: pl.DataFrame, column: str, as_it_is: bool = False) -> list[str]:
    """A column as text without white space around it, "" where it is missing. Dialogues become lines unless wanted as they are."""
    cells: list[str] = written(frame[column]).fill_null("").str.strip_chars().to_list()
    return cells if as_it_is or column_type(frame[column]) != "list" else [as_prose(cell) for cell in cells]


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
        raise MappingError(EMPTY, column=empty[0])
    if empty:
        raise MappingError("The columns {columns} are empty in every row. Choose other columns.", columns=", ".join(empty))
    prompt, answer = roles["prompt"], roles["answer"]
    if not usable:
        message = "No row has something in both columns, {prompt} and {answer}. Choose other columns, or fill in what is missing."
        raise MappingError(message, prompt=prompt, answer=answer)
    message = "Only one row has something in both columns, {prompt} and {answer}. At least two are needed to learn from."
    raise MappingError(message, prompt=prompt, answer=answer)
