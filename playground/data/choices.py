"""What can be set about a mapping, and whether what was set makes sense by itself. Does not know the table it is for."""

from __future__ import annotations

from typing import Any

from playground.errors import SettingsError

TASKS = ("instruction", "classification", "summarization")
LATER = ("chat", "completion")
ROLES = ("prompt", "answer", "context")
KEYS = ("task", "columns", "instruction", "system", "label_names", "split", "seed")
SPLIT = {"validation": 0.1, "test": 0.1}
MOST_CHARACTERS = 20_000


def check_settings(settings: Any) -> dict[str, Any]:
    """The settings of a mapping, if every name and type is right.

    Raises:
        SettingsError: with all problems in one sentence.
    """
    if not isinstance(settings, dict):
        raise SettingsError("The settings must be given by name. They are: {known}.", known=", ".join(KEYS))
    problems = [f"“{key}” is unknown; the settings are {', '.join(KEYS)}" for key in settings if key not in KEYS]
    for key, check in CHECKS.items():
        if settings.get(key) is not None:
            problems += check(key, settings[key])
    if problems:
        raise SettingsError("These settings cannot be used: {problems}.", problems="; ".join(problems))
    return {
        **settings,
        **({"label_names": {str(key): name.strip() for key, name in names.items()}} if (names := settings.get("label_names")) else {}),
    }


def _check_task(key: str, value: Any) -> list[str]:
    if value in LATER:
        return [f"the task {value} is not there yet; it can be {', '.join(TASKS)}"]
    return [] if value in TASKS else [f"task must be one of {', '.join(TASKS)}"]


def _check_text(key: str, value: Any) -> list[str]:
    return (
        []
        if isinstance(value, str) and len(value) <= MOST_CHARACTERS
        else [f"{key} must be text of at most {MOST_CHARACTERS:,} characters"]
    )


def _check_roles_given(key: str, value: Any) -> list[str]:
    if not isinstance(value, dict):
        return ["columns must give a column name for each role: " + ", ".join(ROLES)]
    problems = [f"columns has no role “{role}”; the roles are {', '.join(ROLES)}" for role in value if role not in ROLES]
    return problems + [
        f"columns.{role} must be the name of a column" for role, name in value.items() if not isinstance(name, (str, type(None)))
    ]


def _check_names(key: str, value: Any) -> list[str]:
    good = isinstance(value, dict) and all(isinstance(name, str) and name.strip() for name in value.values())
    return [] if good else ["label_names must give a name, not empty, for each value of the answer column"]


def _check_split(key: str, value: Any) -> list[str]:
    if not isinstance(value, dict) or not set(value) <= set(SPLIT):
        return ["split must give a share for validation and for test"]
    shares = list({**SPLIT, **value}.values())
    if not all(isinstance(share, (int, float)) and not isinstance(share, bool) and 0 <= share < 1 for share in shares):
        return ["the shares of split must be numbers from 0 to below 1"]
    return [] if sum(shares) < 1 else ["the shares of split must leave something to learn from: together below 1"]


def _check_seed(key: str, value: Any) -> list[str]:
    return [] if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32 else ["seed must be a whole number from 0"]


CHECKS = {
    "task": _check_task,
    "columns": _check_roles_given,
    "instruction": _check_text,
    "system": _check_text,
    "label_names": _check_names,
    "split": _check_split,
    "seed": _check_seed,
}
