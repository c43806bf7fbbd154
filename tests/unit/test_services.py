"""What takes two rooms: presets that suit the data, names that follow the groups."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.demonstration import Demonstration
from playground.errors import PromptError, SettingsError
from playground.inference.panes import PaneState
from playground.messages import Message, conversation
from playground.services import Services
from playground.settings import Settings
from playground.training.config import PRESETS
from playground.training.examples import questions
from playground.workspace import write_json


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    made = Services.make(settings)
    yield made
    made.close()


def table(services: Services, tmp_path: Path, rows: int, split: dict[str, float] | None = None) -> str:
    path = tmp_path / "pairs.csv"
    path.write_text("question,answer\n" + "".join(f"What is {n}?,It is {n}.\n" for n in range(rows)))
    dataset = services.datasets.import_file("me", path, path.name)["dataset_id"]
    services.datasets.map("me", dataset, {"split": split} if split else {})
    return dataset


def test_thorough_starts_without_rows_to_check_on(services: Services, tmp_path: Path) -> None:
    run = services.start_run("me", table(services, tmp_path, 20, {"validation": 0, "test": 0}), preset="thorough")
    assert services.runs.get("me", run).settings["early_stopping_patience"] is None


def test_quick_is_never_longer_than_balanced(services: Services, tmp_path: Path) -> None:
    for rows in (20, 2000):
        dataset = table(services, tmp_path, rows)
        steps = {
            name: services.runs.get("me", services.start_run("me", dataset, preset=name)).max_steps or 0 for name in ("quick", "balanced")
        }
        assert steps["quick"] <= steps["balanced"]
        assert steps["quick"] <= 60


def test_a_preset_gives_way_to_what_was_typed(services: Services, tmp_path: Path) -> None:
    dataset = table(services, tmp_path, 200)
    run = services.runs.get("me", services.start_run("me", dataset, {"num_train_epochs": 9}, preset="quick"))
    assert (run.settings["num_train_epochs"], run.settings["max_steps"]) == (9, None)


def test_without_checks_every_preset_is_told_of_and_starts(services: Services, tmp_path: Path) -> None:
    dataset = table(services, tmp_path, 60)
    for none in (0, 0.0):
        assert set(services.estimate_presets("me", dataset, {"eval_steps": none})) == set(PRESETS)
    run = services.runs.get("me", services.start_run("me", dataset, {"eval_steps": 0}, preset="thorough"))
    assert (run.settings["eval_steps"], run.settings["early_stopping_patience"], run.settings["num_train_epochs"]) == (None, None, 10)
    with pytest.raises(SettingsError, match="early_stopping_patience needs"):
        services.start_run("me", dataset, {"eval_steps": 0, "early_stopping_patience": 2}, preset="thorough")


def test_what_is_given_as_nothing_leaves_a_preset_as_it_is(services: Services, tmp_path: Path) -> None:
    given = dict.fromkeys(("num_train_epochs", "max_steps", "eval_steps", "early_stopping_patience"))
    dataset = table(services, tmp_path, 600)
    thorough = services.runs.get("me", services.start_run("me", dataset, given, preset="thorough")).settings
    assert (thorough["num_train_epochs"], thorough["early_stopping_patience"]) == (10, 3)
    assert services.runs.get("me", services.start_run("me", dataset, given, preset="quick")).settings["max_steps"] == 60


def test_renamed_groups_are_named_anew_in_the_instruction(services: Services) -> None:
    dataset = services.datasets.import_sample("me", services.datasets.samples()[1]["name"])["dataset_id"]
    before = services.datasets.map("me", dataset, {})
    names = {value: name.upper() for value, name in before.label_names.items()}
    renamed = services.datasets.map("me", dataset, {**before.settings(), "label_names": names, "instruction": None})
    assert all(name in renamed.instruction for name in names.values())
    assert "delivery" not in renamed.instruction


def test_looking_again_writes_nothing(services: Services, tmp_path: Path) -> None:
    dataset = table(services, tmp_path, 20)
    history = services.workspace.find("datasets", dataset, "me") / "history.jsonl"
    before = history.read_bytes()
    services.datasets.map("me", dataset, services.datasets.info("me", dataset)["mapping"])
    assert history.read_bytes() == before


def learnt(services: Services, dataset: str) -> str:
    """A run that has ended, with a folder where its adapter would be."""
    run = services.start_run("me", dataset)
    folder = services.workspace.find("runs", run, "me")
    (folder / "adapter").mkdir()
    write_json(folder / "manifest.json", {"adapter": {"sha256": "ab"}})
    write_json(folder / "status.json", {"state": "done"})
    return run


def asked(services: Services, monkeypatch: pytest.MonkeyPatch, prompt: Any, run: str, settings: dict[str, Any] | None = None) -> Any:
    """What the panes read; both alike."""
    seen: list[Any] = []
    monkeypatch.setattr(
        services.host, "stream", lambda panes, generation: iter(seen.append(panes) or [{pane.key: PaneState() for pane in panes}])
    )
    list(services.asking.compare("me", prompt, run, settings))
    base, tuned = seen[0]
    services.host.check(base.conversation)
    assert base.conversation == tuned.conversation and base.adapter is None and tuned.adapter
    return base.conversation


def imported(services: Services, path: Path, rows: list[dict[str, Any]], settings: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = services.datasets.import_file("me", path, path.name)["dataset_id"]
    report = services.map_dataset("me", dataset, settings)
    assert report["few_shot"] == settings.get("few_shot", 0) and report["tokens"]["max"] > 0
    return dataset


def test_earlier_turns_of_a_run_stand_before_every_question(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(40)]
    dataset = imported(services, tmp_path / "pairs.jsonl", rows, {"few_shot": 2, "system": "Be kind.", "instruction": "Answer."})
    shots = services.datasets.splits("me", dataset).shots
    run = learnt(services, dataset)
    assert len(shots) == 4
    assert asked(services, monkeypatch, "Hm?", run) == conversation("Answer.\n\nHm?", system="Be kind.", earlier=shots)
    assert asked(services, monkeypatch, "Hm?", run, {"system": ""}) == conversation("Answer.\n\nHm?", earlier=shots)
    assert asked(services, monkeypatch, "Hm?", run, {"use_template": False}) == conversation("Hm?")
    found = services.examples("me", run)
    assert len(found) == 4 and all({"question": shown, "answer": answer} in rows for shown, answer in found)
    text = "".join(piece for piece, _ in services.read_example("me", dataset, 0).pieces)
    assert sum(turn.content in text for turn in shots) >= 2, "those of the example itself are left out"


def test_a_run_that_learnt_texts_goes_on_with_one(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"text": f"Once upon a time, in the year {n}, there lived a king."} for n in range(40)]
    dataset = imported(services, tmp_path / "tales.jsonl", rows, {"task": "completion"})
    reading = services.read_example("me", dataset, 0)
    assert [trained for _, trained in reading.pieces] == [True] and reading.pieces[0][0].startswith("Once upon")
    run = learnt(services, dataset)
    read = asked(services, monkeypatch, "Once upon", run, {"system": "Be kind."})
    assert read.prompt == (Message("text", "Once upon"),) and not read.completion
    assert asked(services, monkeypatch, "Hi", run, {"use_template": False}) == conversation("Hi")
    assert asked(services, monkeypatch, [{"role": "text", "content": "It"}], run).prompt == (Message("text", "It"),)
    with pytest.raises(PromptError):
        asked(services, monkeypatch, [{"role": "text", "content": "It"}, {"role": "user", "content": "x"}], run)
    with pytest.raises(PromptError):
        asked(services, monkeypatch, [{"role": "text", "content": " "}], run)
    for shown, rest in services.examples("me", run):
        assert {"text": f"{shown} {rest}"} in rows


def test_a_run_that_learnt_chats_is_asked_their_last_question(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def talk(n: int) -> list[dict[str, str]]:
        said = (("user", f"Hi {n}"), ("assistant", "Hello"), ("user", f"And {n}?"), ("assistant", f"Fine {n}"))
        return [{"role": role, "content": content} for role, content in said]

    dataset = imported(services, tmp_path / "talks.jsonl", [{"messages": talk(n)} for n in range(40)], {"system": "Be kind."})
    pieces = services.read_example("me", dataset, 0).pieces
    assert next(text for text, trained in pieces if trained) == "Hello<|im_end|>" and len(pieces) == 4
    run = learnt(services, dataset)
    found = services.examples("me", run)
    assert found and all(shown == answer.replace("Fine", "And") + "?" for shown, answer in found)
    assert asked(services, monkeypatch, "Hi", run) == conversation("Hi", system="Be kind.")


@pytest.mark.parametrize("mapping", [{"few_shot": 1, "system": "Be kind.", "instruction": "Answer: {prompt} Now."}, {}])
def test_own_questions_are_put_as_chat_puts_them(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapping: dict[str, Any]
) -> None:
    rows = [{"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(40)]
    dataset = imported(services, tmp_path / "pairs.jsonl", rows, mapping)
    run = services.start_run("me", dataset, {"sample_prompts": ["Hm?", "And {this}?"]})
    found = questions(services.workspace.find("runs", run, "me") / "data" / "prompts.jsonl", 9)
    taught = learnt(services, dataset)
    assert [one.asked for one in found] == [asked(services, monkeypatch, text, taught) for text in ("Hm?", "And {this}?")]
    assert all(one.answer == "" for one in found)
    without = services.workspace.find("runs", taught, "me") / "data"
    assert not (without / "prompts.jsonl").exists(), "nobody asked anything there"


def test_an_own_beginning_of_a_text_is_gone_on_with_as_a_whole(services: Services, tmp_path: Path) -> None:
    rows = [{"text": f"Once upon a time, in the year {n}, there lived a king."} for n in range(40)]
    dataset = imported(services, tmp_path / "tales.jsonl", rows, {"task": "completion"})
    run = services.start_run("me", dataset, {"sample_prompts": ["Far away lived a"]})
    (found,) = questions(services.workspace.find("runs", run, "me") / "data" / "prompts.jsonl", 9)
    assert found.asked.prompt == (Message("text", "Far away lived a"),) and (found.shown, found.answer) == ("Far away lived a", "")


def test_an_estimate_knows_the_run_that_is_gone_on_from(services: Services) -> None:
    made = Demonstration(services).install("me")
    dataset, run = made["dataset_id"], made["run_id"]
    plain = services.estimate_run("me", dataset, {"lora_r": 4})
    onward = services.estimate_run("me", dataset, {}, start_from=run)
    assert onward.trainable_parameters == services.runs.get("me", run).trainable_parameters != plain.trainable_parameters
    assert services.estimate_presets("me", dataset, {}, start_from=run)["quick"].trainable_parameters == onward.trainable_parameters
    with pytest.raises(SettingsError, match="goes on from"):
        services.estimate_run("me", dataset, {"lora_r": 4}, start_from=run)
