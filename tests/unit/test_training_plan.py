"""How many steps a run will make: texts that are learnt in several parts are counted by their parts."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground.errors import SettingsError
from playground.messages import Conversation, Message, conversation
from playground.models import template
from playground.models.catalog import Catalog, ModelRef
from playground.settings import Settings
from playground.training.circumstances import Circumstances
from playground.training.config import TrainingSettings
from playground.training.defaults import check_rows, resolve
from playground.training.plan import EXACT_CHARACTERS, count_parts, make_plan
from playground.training.runs import Runs
from playground.workspace import Workspace

LONG = "The king went to the harbour and asked for the way home. " * 400


def text(content: str) -> Conversation:
    return Conversation((), (Message("text", content),))


def splits(train: list[Conversation], task: str = "completion") -> Any:
    return SimpleNamespace(train=train, validation=train[:1], test=[], task=task)


@pytest.fixture
def starter(settings: Settings) -> ModelRef:
    return Catalog(settings).resolve("starter")


def test_a_model_of_the_hub_that_is_not_on_the_list_is_sized_by_its_own_files(
    settings: Settings, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    stored = tmp_path / "hub" / "models--someone--small"
    shutil.copytree(settings.starter, stored / "snapshots" / ("a" * 40))
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text("a" * 40)
    (tmp_path / "beside" / "someone" / "small").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "beside")  # a folder of that name where the app was started is no model of the Hub
    runs, rows = Runs(workspace, Catalog(settings)), splits([conversation("Which colour?", "Red.")] * 60, "instruction")
    own, starters = (runs.plan(rows, {"model": model}) for model in ("someone/small", "starter"))
    assert own.model.id == "someone/small" and own.model.folder() == stored / "snapshots" / ("a" * 40)
    for name in ("learning_rate", "num_train_epochs", "per_device_train_batch_size", "gradient_checkpointing"):
        assert getattr(own.settings, name) == getattr(starters.settings, name), name
        assert own.reasons[name] == starters.reasons[name]


def test_long_texts_make_as_many_steps_as_the_trainer_will_count(starter: ModelRef) -> None:
    texts = [text(LONG), text("Short."), text(LONG[:9000])]
    plan = make_plan({"max_length": 128}, splits(texts), starter, 8_000_000, False)
    tokenizer = template.load_tokenizer(starter)
    rows = sum(len(parts) for parts in template.encode_parts(tokenizer, texts, 128))
    assert rows > 30 and not plan.about
    assert plan.steps == plan.settings.planned_steps(rows) > plan.settings.planned_steps(len(texts))
    assert str(plan.reasons["num_train_epochs"]).startswith(f"{rows} parts of texts")
    assert plan.settings.eval_steps and plan.settings.eval_steps > 1, "checks are spread over all the parts"


def test_where_counting_takes_long_it_is_an_estimate_that_is_near(starter: ModelRef) -> None:
    texts = [text(LONG)] * (EXACT_CHARACTERS // len(LONG) + 2)
    tokenizer = template.load_tokenizer(starter)
    right = len(texts) * len(template.encode_parts(tokenizer, texts[:1], 256)[0])
    for known in (tokenizer, None):
        rows, exact = count_parts(texts, known, 256)
        assert not exact and 0.7 * right < rows < 1.4 * right
    assert make_plan({}, splits(texts), starter, 8_000_000, False).about
    assert not make_plan({"max_steps": 5}, splits(texts), starter, 8_000_000, False).about, "a given number is no estimate"


def test_without_a_tokenizer_on_this_machine_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "load_tokenizer", lambda ref: pytest.fail("asked for"))
    plan = make_plan({}, splits([text(LONG)] * 3), ModelRef("some/model", "some/model", None, 512), None, False)
    assert plan.about and plan.steps > 3


@pytest.mark.parametrize("task", ["instruction", "classification", "summarization", "chat"])
def test_of_other_tasks_each_row_is_one(starter: ModelRef, task: str) -> None:
    plan = make_plan({}, splits([conversation(LONG, "Yes.")] * 9, task), starter, 8_000_000, False)
    assert plan.steps == plan.settings.planned_steps(9) and not plan.about
    assert str(plan.reasons["num_train_epochs"]).startswith("9 rows")


def test_layers_are_looked_up_in_the_models_own_files(starter: ModelRef, tmp_path: Path) -> None:
    rows = splits([conversation("Which colour?", "Red.")] * 9, "chat")
    assert make_plan({"target_modules": ["q_proj"]}, rows, starter, None, False).settings.target_modules == ["q_proj"]
    with pytest.raises(SettingsError, match=r"learning_rate .*not -1; target_modules names wonder_proj"):
        make_plan({"target_modules": ["wonder_proj"], "learning_rate": -1, "packing": True}, rows, starter, None, False)
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    broken = ModelRef("broken", str(tmp_path), None, 512)
    assert make_plan({"target_modules": ["wonder_proj"]}, rows, broken, None, False), "whoever loads it says what is wrong"


def test_packed_rows_are_counted_exactly_or_said_to_be_an_estimate(starter: ModelRef) -> None:
    few = [conversation("Which colour has it? " + "so " * (place % 40), "Red.") for place in range(300)]
    many = [one for one in few for _ in range(60)]
    given = {"packing": True, "max_length": 256}
    plan = make_plan(given, splits(few, "chat"), starter, 8_000_000, False)
    assert plan.packed and plan.packed < 60 and plan.examples == 300 and not plan.about
    assert plan.steps == plan.settings.planned_steps(plan.packed)
    assert str(plan.reasons["num_train_epochs"]).startswith(f"{plan.packed} packed rows")
    long = make_plan(given, splits(many, "chat"), starter, 8_000_000, False)
    assert long.about and long.packed and 0.9 * 60 * plan.packed < long.packed < 1.1 * 60 * plan.packed
    unread = make_plan(given, splits(few, "chat"), ModelRef("some/model", "some/model", None, 512, "llama"), None, False)
    assert unread.about and unread.packed and 0.5 * plan.packed < unread.packed < 2 * plan.packed
    texts = make_plan(given, splits([text(LONG[:3000]), text("Short."), text("Also short.")]), starter, 8_000_000, False)
    assert texts.packed and texts.examples > texts.packed > 1 and not texts.about


@pytest.mark.parametrize("gpu", [True, False])
@pytest.mark.parametrize("window", [512, 32_768])
def test_what_becomes_of_long_examples_is_told_by_task(window: int, gpu: bool) -> None:
    told = {
        task: str(resolve({}, Circumstances(100, 10, 8_000_000, window, gpu, task))[1]["max_length"])
        for task in ("instruction", "completion", "chat")
    }
    assert "in several parts" in told["completion"] and "lose" not in told["completion"]
    assert "lose the start of their prompt" in told["instruction"] and "lose their beginning" in told["chat"]


def test_the_parts_of_a_few_long_texts_are_checked_too() -> None:
    settings: TrainingSettings = resolve({}, Circumstances(2, 1, 8_000_000, 512, task="completion", parts=400))[0]
    assert check_rows(1, 400, settings) == 1 < check_rows(1, 400, settings, parted=True)
    assert check_rows(0, 400, settings, parted=True) == 0
