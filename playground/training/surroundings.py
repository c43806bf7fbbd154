"""What a recipe meets here: whether its model can be had, how that model names its layers, how many examples its memory holds.

Asks the catalog and reads headers of files; loads no model. Does not know what the recipes want changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playground.errors import ModelUnavailable, NotFound, Sentence
from playground.messages import Conversation
from playground.models.catalog import STARTER, Catalog, ModelRef
from playground.models.folder import parameters_of
from playground.training.ahead.anatomy import anatomy_of
from playground.training.defaults import longest_example
from playground.training.plan import PARTED, Parts, make_plan
from playground.training.recipes import Around, Recipe, adapt

BYTES_A_TOKEN = 4
KEPT = 66  # bytes that the backward pass needs for each token, block and number of the model's width, adapters being trained
KEPT_CHECKPOINTED = 6
DEEP = 128  # usual models are this many times as wide as they are deep
MB = 1024**2
SPARE = 1500 * MB  # libraries, a GPU's context, and what is lost between blocks


def told(recipe: Recipe, splits: Parts, catalog: Catalog, owner: str, here: Mapping[str, Any], model: str | None = None) -> dict[str, Any]:
    """A recipe as it can be had here, for `model` in place of the study's if given: `id, name, description, settings, adapted`."""
    settings, adapted = adapt(recipe, around(recipe, splits, catalog, owner, here, model))
    return {"id": recipe.id, "name": recipe.name, "description": recipe.description, "settings": settings, "adapted": adapted}


def around(recipe: Recipe, splits: Parts, catalog: Catalog, owner: str, here: Mapping[str, Any], model: str | None = None) -> Around:
    """Look up what `recipe` will meet; `here` is what `playground.system.machine` tells.

    Raises:
        ModelUnavailable: not even the starter is there.
    """
    ref, missing = _model(model or str(recipe.settings["model"]), catalog, owner)
    folder, gpu = ref.folder(), here["gpu"] is not None
    body = anatomy_of(folder) if folder is not None else None
    known = next((one.parameters for one in catalog.list(owner) if one.id == ref.id), None)
    size = known or (parameters_of(folder) if folder is not None else None)
    length = min(recipe.settings.get("max_length") or longest_example(ref.window, gpu), ref.window)
    usual = _usual_length(splits.train, length)
    return Around(
        model=ref.id,
        window=ref.window,
        layers=frozenset(layer.name for layer in body.linear) if body else None,
        rows=_rows(splits, ref, length),
        validation_rows=len(splits.validation),
        gpu=gpu,
        missing=missing,
        fits=lambda settings: size is None or _needed(size, usual, settings, gpu=gpu) <= _memory(here),
    )


def _model(wanted: str, catalog: Catalog, owner: str) -> tuple[ModelRef, Sentence | None]:
    """The study's own model, or the starter with the reason; what the list knows to be closed is not asked for at the Hub again."""
    listed = next((one for one in catalog.list(owner) if one.id == wanted), None)
    if listed is not None and not listed.available:
        reason = listed.reason if isinstance(listed.reason, Sentence) else Sentence("{name} cannot be had here.", name=listed.name)
        return catalog.resolve(STARTER), reason
    try:
        return catalog.resolve(wanted), None
    except (ModelUnavailable, NotFound) as error:
        return catalog.resolve(STARTER), error.sentence


def _rows(splits: Parts, ref: ModelRef, length: int) -> int:
    """Rows as the trainer will count them: long texts come in several parts."""
    if splits.task != PARTED or not splits.train:
        return len(splits.train)
    one_by_one = {"max_length": length, "num_train_epochs": 1, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 1}
    return make_plan(one_by_one, splits, ref, None, False).steps


def _usual_length(examples: Sequence[Conversation], most: int) -> int:
    """Tokens that nineteen of twenty examples do not exceed, guessed from their bytes."""
    some = examples[:: max(1, len(examples) // 200)][:200]
    sizes = sorted(sum(len(turn.content.encode()) for turn in (*one.prompt, *one.completion)) // BYTES_A_TOKEN + 16 for one in some)
    return min(most, sizes[int(0.95 * (len(sizes) - 1))]) if sizes else most


def _needed(parameters: int, tokens: int, settings: Mapping[str, Any], *, gpu: bool) -> float:
    """Bytes that training needs, roughly: only what is clearly too much counts, since the worker helps itself where memory runs out."""
    method = settings.get("method", "qlora")
    a_weight = {"full": 16.0, "qlora": 0.75 if gpu else 3.0}.get(method, 2.0 if gpu else 6.0)
    width = (parameters * DEEP / 12) ** (1 / 3)  # a block has some twelve times the square of its width
    a_token = width * width / DEEP * (KEPT_CHECKPOINTED if settings.get("gradient_checkpointing") else KEPT)
    return SPARE + parameters * a_weight + settings["per_device_train_batch_size"] * tokens * a_token


def _memory(here: Mapping[str, Any]) -> float:
    mb = here["gpu_memory_mb"] if here["gpu"] is not None else here["memory_mb"]
    return float(mb) * MB if mb else float("inf")
