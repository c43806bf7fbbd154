"""The settings of published studies: exact where they can be had, changed only with a sentence where not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.errors import Sentence
from playground.messages import Conversation, Message, conversation
from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.training.config import GPU_OPTIMIZERS, check
from playground.training.defaults import Circumstances, resolve
from playground.training.plan import make_plan
from playground.training.recipes import BY_ID, RECIPES, Around, Recipe, adapt
from playground.training.surroundings import told
from tests.helpers import make_tiny_model, make_tiny_t5

LLAMA = frozenset(("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "gate_proj", "down_proj"))
T5 = frozenset(("q", "k", "v", "o", "wi", "wo"))
FLAN = frozenset(("q", "k", "v", "o", "wi_0", "wi_1", "wo"))
PHI = frozenset(("qkv_proj", "o_proj", "gate_up_proj", "down_proj"))
ODD = frozenset(("mixer", "out"))
OFFLINE = Sentence("{name} is not on this machine.", name="It")
# which of the sentences tells of a setting
TOLD_BY = {
    "model": "The starter takes the place",
    "target_modules": "target_modules",
    "optim": "adamw_torch_fused",
    "max_length": "max_length",
    "per_device_train_batch_size": "per_device_train_batch_size",
    "gradient_accumulation_steps": "gradient_accumulation_steps",
    "eval_steps": "eval_steps",
    "save_steps": "save_steps",
    "early_stopping_patience": "early_stopping_patience",
    "load_best_model_at_end": "load_best_model_at_end",
}


def own(recipe: Recipe, **changed: Any) -> Around:
    """A large GPU with the study's own model and plenty of rows."""
    t5 = "t5" in recipe.settings["model"]
    plain = {"model": recipe.settings["model"], "window": 512 if t5 else 8192, "layers": T5 if t5 else LLAMA, "gpu": True}
    return Around(**{**plain, "rows": 12_000, "validation_rows": 900, **changed})


def starter(**changed: Any) -> Around:
    """A machine without a GPU or a network."""
    plain: dict[str, Any] = {"model": "starter", "window": 1024, "layers": LLAMA, "rows": 400, "validation_rows": 40, "gpu": False}
    return Around(**{**plain, "missing": OFFLINE, **changed})


def resolves(found: Mapping[str, Any], around: Around) -> None:
    kind = "t5" if around.layers in (T5, FLAN) else "llama"
    resolve(found, Circumstances(around.rows, around.validation_rows, 8_000_000, around.window, around.gpu, kind=kind))


def every_change_is_told(recipe: Recipe, found: Mapping[str, Any], sentences: list[Sentence]) -> None:
    changed = {name for name in {*recipe.settings, *found} if recipe.settings.get(name) != found.get(name)}
    for name in changed:
        nothing = name == "load_best_model_at_end" and not recipe.settings[name]  # what was off anyway
        assert nothing or any(TOLD_BY[name] in one for one in sentences), name


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.id)
def test_each_can_be_had_offline_with_the_starter(recipe: Recipe) -> None:
    found, sentences = adapt(recipe, starter())
    assert found["model"] == "starter" and found.get("optim") not in GPU_OPTIMIZERS
    assert set(found.get("target_modules", ())) <= LLAMA
    resolves(found, starter())
    every_change_is_told(recipe, found, sentences)
    assert str(sentences[0]).startswith("It is not on this machine. The starter takes the place of ")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.id)
def test_each_is_the_studys_own_on_a_large_gpu_with_its_model(recipe: Recipe) -> None:
    found, sentences = adapt(recipe, own(recipe))
    resolves(found, own(recipe))
    rhythm = {"eval_steps", "save_steps"} if recipe.check_share else set()
    heads = {"target_modules"} if "lm_head" in recipe.settings.get("target_modules", ()) else set()
    assert {name for name in found if found[name] != recipe.settings.get(name)} == rhythm | heads
    assert len(sentences) == len(rhythm) + len(heads)


def test_the_first_study_to_the_letter() -> None:
    found, _ = adapt(BY_ID["llama2-small-hardware"], own(BY_ID["llama2-small-hardware"], rows=1600, validation_rows=200))
    assert (found["lora_r"], found["lora_alpha"], found["lora_dropout"], found["optim"]) == (16, 64, 0.1, "paged_adamw_32bit")
    assert (found["save_steps"], found["eval_steps"]) == (100, 40)  # two passes of 100 steps, looked at five times


def test_layers_are_called_by_the_names_that_the_model_has() -> None:
    lora = BY_ID["summaries-lora"]
    for layers, names in ((LLAMA, LLAMA), (T5, T5), (FLAN, FLAN), (PHI, PHI)):
        found, _ = adapt(lora, own(lora, layers=layers))
        assert set(found["target_modules"]) == names
    assert adapt(BY_ID["summaries-qlora"], starter())[0]["target_modules"] == ["q_proj", "v_proj"]
    assert adapt(lora, own(lora, layers=ODD))[0]["target_modules"] == "all-linear"


def test_a_run_shorter_than_the_pause_between_checks_is_checked_all_the_same() -> None:
    recipe = BY_ID["text-to-sql"]
    found, sentences = adapt(recipe, own(recipe, rows=80))  # 50 steps
    assert (found["eval_steps"], found["save_steps"]) == (10, 10)
    assert any("50 steps" in one and "instead of 200" in one for one in sentences)


def test_a_batch_that_does_not_fit_is_gathered_from_smaller_ones() -> None:
    recipe = BY_ID["amazon-descriptions"]
    found, sentences = adapt(recipe, own(recipe, fits=lambda wanted: wanted["per_device_train_batch_size"] <= 3))
    assert (found["per_device_train_batch_size"], found["gradient_accumulation_steps"]) == (2, 16)
    assert any("8 examples at a time do not fit" in one for one in sentences)


def test_without_rows_to_check_on_nothing_asks_for_them() -> None:
    for recipe in RECIPES:
        found, sentences = adapt(recipe, own(recipe, validation_rows=0))
        assert not {"eval_steps", "early_stopping_patience", "load_best_model_at_end"} & found.keys()
        every_change_is_told(recipe, found, sentences)


@settings(max_examples=300, deadline=None)
@given(
    recipe=st.sampled_from(RECIPES),
    missing=st.booleans(),
    layers=st.sampled_from((LLAMA, T5, FLAN, PHI, ODD, None)),
    rows=st.integers(1, 50_000),
    validation_rows=st.integers(0, 5_000),
    gpu=st.booleans(),
    window=st.integers(64, 100_000),
    room=st.integers(0, 64),
)
def test_on_every_machine_it_resolves_and_every_change_is_told(recipe: Recipe, missing: bool, room: int, **around: Any) -> None:
    model = "starter" if missing else recipe.settings["model"]
    reason = OFFLINE if missing else None
    here = Around(model=model, missing=reason, fits=lambda wanted: wanted["per_device_train_batch_size"] <= room, **around)
    found, sentences = adapt(recipe, here)
    check(found)
    resolves(found, here)
    every_change_is_told(recipe, found, sentences)
    before = recipe.settings.get("per_device_train_batch_size", 1) * recipe.settings.get("gradient_accumulation_steps", 1)
    assert found.get("per_device_train_batch_size", 1) * found.get("gradient_accumulation_steps", 1) == before
    assert len(set(sentences)) == len(sentences)


def test_here_and_now(settings: Settings) -> None:
    """The real starter, the real catalog, no network."""
    rows = [conversation("Which colour?", "Blue.")] * 60
    splits = SimpleNamespace(train=rows, validation=rows[:6], task="instruction")
    machine = {"cores": 2, "memory_mb": 8_000, "gpu": None, "gpu_memory_mb": None}
    for recipe in RECIPES:
        one = told(recipe, splits, Catalog(settings), "me", machine)
        assert set(one) == {"id", "name", "description", "settings", "adapted"}
        if one["settings"]["model"] == "starter":
            resolve(one["settings"], Circumstances(60, 6, 8_000_000, 1024, kind="llama"))


def test_for_another_model_than_the_studys_the_settings_are_fitted_to_that_one(settings: Settings, tmp_path: Path) -> None:
    model = make_tiny_t5(tmp_path / "t5")
    rows = [conversation("Which colour?", "Blue.")] * 60
    splits = SimpleNamespace(train=rows, validation=rows[:6], task="instruction")
    machine = {"cores": 2, "memory_mb": 8_000, "gpu": None, "gpu_memory_mb": None}
    recipe = BY_ID["llama2-small-hardware"]
    found = told(recipe, splits, Catalog(settings), "me", machine, f"local:{model}")
    assert found["settings"]["model"] == f"local:{model}" and {"q", "v", "wi"} <= set(found["settings"]["target_modules"])
    assert any("was chosen in place of meta-llama/Llama-2-7b-hf" in str(one) for one in found["adapted"])
    assert not any("The starter takes" in str(one) for one in found["adapted"])
    plain = told(recipe, splits, Catalog(settings), "me", machine, "starter")
    assert plain["settings"]["model"] == "starter" and plain["settings"]["target_modules"] == recipe.settings["target_modules"]


@pytest.mark.parametrize(("gpu", "read"), [(None, 1024), ("one", 2048)])
def test_a_pass_over_long_texts_has_as_many_steps_as_the_run_will_make(
    settings: Settings, tmp_path: Path, gpu: str | None, read: int
) -> None:
    model = make_tiny_model(tmp_path / "long", window=8192)
    rows = [Conversation((), (Message("text", "The king went to the harbour and asked for the way home. " * 200),))] * 12
    splits = SimpleNamespace(train=rows, validation=rows[:2], test=[], task="completion")
    machine = {"cores": 2, "memory_mb": 8_000, "gpu": gpu, "gpu_memory_mb": 8_000 if gpu else None}
    catalog = Catalog(settings)
    found = told(BY_ID["llama2-small-hardware"], splits, catalog, "me", machine, f"local:{model}")["settings"]
    plan = make_plan(found, splits, catalog.resolve(f"local:{model}"), 10_000, gpu is not None)
    assert plan.settings.max_length == read and plan.steps > 2
    assert found["save_steps"] * found["num_train_epochs"] == plan.steps, "one pass"


def test_a_small_card_takes_fewer_examples_at_a_time_and_a_large_one_all() -> None:
    from playground.training.surroundings import MB, _needed

    recipe = BY_ID["llama2-small-hardware"].settings
    assert _needed(6_738_000_000, 100, recipe, gpu=True) < 15_000 * MB  # the study's own card
    assert _needed(8_030_000_000, 2048, {**recipe, "per_device_train_batch_size": 8}, gpu=True) > 40_000 * MB
