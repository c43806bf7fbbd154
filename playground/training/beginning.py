"""Going on from what an earlier run learned: which settings its adapter brings along, and its copy for the new run.

The worker loads that copy instead of a new adapter. Does not know owners, the line, or whether the rows are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playground.errors import ModelUnavailable, Sentence, SettingsError, WrongState, storage_errors
from playground.models.catalog import AdapterRef
from playground.training.brought.adapter_files import CONFIG, PIECE, WEIGHTS
from playground.training.config import RULES, problems_error
from playground.workspace import read_json, write_json

FOLDER = "start"  # in the new run's folder
LORA = {"lora_r": "r", "lora_alpha": "lora_alpha", "use_dora": "use_dora", "use_rslora": "use_rslora"}
METHODS = {"LORA": ("lora", "qlora"), "IA3": ("ia3",)}
FIXED = "{name} is {has}, as in “{run}”, which this run goes on from; leave it out, or begin anew"


def settings_of(earlier: AdapterRef, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given settings with those that the adapter brings.

    Raises:
        WrongState: the whole model was taught, so there is no adapter.
        SettingsError: given settings that contradict it.
    """
    if earlier.whole:
        raise WrongState("“{name}” taught the whole model, so there is no adapter to go on from. Choose another run.", name=earlier.name)
    if not isinstance(given, Mapping):
        raise SettingsError("The settings have to be given by name, for example max_steps: 200.")
    config = read_json(earlier.path / CONFIG, {})
    methods = METHODS.get(str(config.get("peft_type")), ())
    if not methods:
        raise _damaged(earlier)
    if given.get("model") not in (None, earlier.model.id):
        raise SettingsError(
            "“{name}” taught {has}, so a run of {model} cannot go on from it. Choose that model, or another run.",
            name=earlier.name, has=earlier.model.id, model=str(given["model"])[:100],
        )  # fmt: skip
    own = "qlora" if earlier.quantised and "qlora" in methods else methods[0]
    brought: dict[str, Any] = {"model": earlier.model.id, "method": own, "target_modules": _targets(config)}
    if "lora" in methods:
        brought |= {name: config.get(key) for name, key in LORA.items()}
        brought["lora_alpha"] = max(1, round(config.get("lora_alpha", 1)))  # the adapter's own file keeps a broken one
        brought |= {"lora_dropout": config.get("lora_dropout", 0.0), "init_lora_weights": True}
    problems = []
    for name, has in brought.items():
        wanted = given.get(name)
        free = name == "lora_dropout" or (name == "method" and wanted in methods)
        if wanted is not None and not free and not _same(name, wanted, has):
            problems.append(Sentence(FIXED, name=name, has=_shown(has), run=earlier.name))
    if RULES["target_modules"](brought["target_modules"]) is not None:
        raise WrongState("“{name}” learned in layers that are not trained here, so nothing can go on from it.", name=earlier.name)
    if problems:
        raise problems_error(problems)
    return {**brought, **{name: value for name, value in given.items() if value is not None}}


def reasons(earlier: AdapterRef | None, given: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Sentence]:
    """Why settings that nobody gave are as they are."""
    if earlier is None:
        return {}
    return {name: Sentence("As in “{run}”, which it goes on from.", run=earlier.name) for name in whole if given.get(name) is None}


def copy(earlier: AdapterRef, folder: Path, dropout: float | None) -> None:
    """Lay the adapter into the new run's `folder`, checked to be the one that the earlier run saved.

    Raises:
        ModelUnavailable: it is not, or is gone.
        StorageFull: no room.
    """
    digest = hashlib.sha256()
    target = folder / FOLDER
    with storage_errors():
        target.mkdir()
        try:
            source = (earlier.path / WEIGHTS).open("rb")
        except FileNotFoundError as error:
            raise _damaged(earlier) from error
        with source, (target / WEIGHTS).open("wb") as file:
            while piece := source.read(PIECE):
                digest.update(piece)
                file.write(piece)
    config = read_json(earlier.path / CONFIG, {})
    if digest.hexdigest() != earlier.sha256 or not isinstance(config, dict):
        raise _damaged(earlier)
    if dropout is not None and "lora_dropout" in config:
        config["lora_dropout"] = dropout
    write_json(target / CONFIG, config)


def _damaged(earlier: AdapterRef) -> ModelUnavailable:
    message = "What “{name}” learned is gone or has been changed, so nothing can go on from it. Choose another run."
    return ModelUnavailable(message, name=earlier.name)


def _targets(config: Mapping[str, Any]) -> str | list[str]:
    found = config.get("target_modules")
    return sorted(map(str, found)) if isinstance(found, (list, tuple)) else str(found)


def _same(name: str, wanted: Any, has: Any) -> bool:
    if name == "target_modules" and isinstance(has, list):
        return isinstance(wanted, (list, tuple)) and sorted(map(str, wanted)) == has
    return bool(wanted == has)


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
