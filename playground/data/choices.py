"""What can be set about a mapping, and whether what was set makes sense by itself. Does not know the table it is for."""

from __future__ import annotations

from typing import Any

from playground.errors import Sentence, Sentences, SettingsError

TASKS = ("instruction", "classification", "summarization", "chat", "completion")
PAIR_ROLES = ("prompt", "answer", "context")
WHOLE_ROLES = {"chat": "messages", "completion": "text"}  # tasks whose examples are in one column
ROLES = (*PAIR_ROLES, *WHOLE_ROLES.values())
KEYS = ("task", "columns", "instruction", "system", "label_names", "split", "seed", "few_shot")
MOST_SHOTS = 20
SPLIT = {"validation": 0.1, "test": 0.1}
MOST_CHARACTERS = 20_000


def check_settings(settings: Any) -> dict[str, Any]:
    """The settings of a mapping, if every name and type is right.

    Raises:
        SettingsError: with all problems in one sentence.
    """
    known = ", ".join(KEYS)
    if not isinstance(settings, dict):
        raise SettingsError("The settings must be given by name. They are: {known}.", known=known)
    problems = [Sentence("“{key}” is unknown; the settings are {known}", key=key, known=known) for key in settings if key not in KEYS]
    for key, check in CHECKS.items():
        if settings.get(key) is not None:
            problems += check(key, settings[key])
    if problems:
        raise SettingsError("These settings cannot be used: {problems}.", problems=Sentences(problems))
    return {
        **settings,
        **({"label_names": {str(key): name.strip() for key, name in names.items()}} if (names := settings.get("label_names")) else {}),
    }


def _check_task(key: str, value: Any) -> list[Sentence]:
    return [] if value in TASKS else [Sentence("task must be one of {known}", known=", ".join(TASKS))]


def _check_text(key: str, value: Any) -> list[Sentence]:
    if isinstance(value, str) and len(value) <= MOST_CHARACTERS:
        return []
    return [Sentence("{key} must be text of at most {most:,} characters", key=key, most=MOST_CHARACTERS)]


def _check_roles_given(key: str, value: Any) -> list[Sentence]:
    known = ", ".join(ROLES)
    if not isinstance(value, dict):
        return [Sentence("columns must give a column name for each role: {known}", known=known)]
    message = "columns has no role “{role}”; the roles are {known}"
    problems = [Sentence(message, role=role, known=known) for role in value if role not in ROLES]
    return problems + [
        Sentence("columns.{role} must be the name of a column", role=role)
        for role, name in value.items()
        if not isinstance(name, (str, type(None)))
    ]


def _check_names(key: str, value: Any) -> list[Sentence]:
    good = isinstance(value, dict) and all(isinstance(name, str) and name.strip() for name in value.values())
    return [] if good else [Sentence("label_names must give a name, not empty, for each value of the answer column")]


def _check_split(key: str, value: Any) -> list[Sentence]:
    if not isinstance(value, dict) or not set(value) <= set(SPLIT):
        return [Sentence("split must give a share for validation and for test")]
    shares = list({**SPLIT, **value}.values())
    if not all(isinstance(share, (int, float)) and not isinstance(share, bool) and 0 <= share < 1 for share in shares):
        return [Sentence("the shares of split must be numbers from 0 to below 1")]
    return [] if sum(shares) < 1 else [Sentence("the shares of split must leave something to learn from: together below 1")]


def _check_seed(key: str, value: Any) -> list[Sentence]:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32
    return [] if good else [Sentence("seed must be a whole number from 0")]


def _check_few_shot(key: str, value: Any) -> list[Sentence]:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_SHOTS
    return [] if good else [Sentence("few_shot must be a whole number from 0 to {most}", most=MOST_SHOTS)]


CHECKS = {
    "task": _check_task,
    "columns": _check_roles_given,
    "instruction": _check_text,
    "system": _check_text,
    "label_names": _check_names,
    "split": _check_split,
    "seed": _check_seed,
    "few_shot": _check_few_shot,
}
