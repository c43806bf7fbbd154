"""What takes two rooms: presets that suit the data, names that follow the groups."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.services import Services
from playground.settings import Settings


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
