"""Chat gives its memory back when a run needs it: models that nobody is asking go before a worker starts, and no others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground import services as services_module
from playground.inference.generate import GenerationSettings
from playground.inference.host import Pane
from playground.messages import conversation
from playground.models.catalog import ModelRef
from playground.services import Services, give_way
from playground.settings import Settings
from playground.training.room import USUAL_MB, needed_mb
from tests.helpers import make_tiny_model
from tests.integration.colours import wait_for

QUESTION = conversation("What is the capital of France?")


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    services = Services.make(settings)
    services.runs._line._worker = ("/bin/true",)
    yield services
    services.runs.close()
    services.host.release()


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return make_tiny_model(tmp_path / "tiny")


def ref(tiny: Path) -> ModelRef:
    return ModelRef(f"local:{tiny}", str(tiny), None, 512)


def start(services: Services, tiny: Path) -> Path:
    rows = [conversation(f"How is {number}?", "Fine.") for number in range(20)]
    splits = SimpleNamespace(
        train=rows, validation=rows[:3], test=[], instruction="", system="", task="instruction", labels=[], shots=(), slots=()
    )
    chosen = {"model": f"local:{tiny}", "max_steps": 2}
    run_id = services.runs.start("me", dataset_id="d", dataset_name="d", splits=splits, settings=chosen)  # type: ignore[arg-type]
    return services.workspace.find("runs", run_id, "me")


def answer(services: Services, tiny: Path, tokens: int = 2) -> Any:
    return services.host.stream([Pane("a", ref(tiny), False, None, QUESTION)], GenerationSettings(max_new_tokens=tokens))


@pytest.mark.parametrize(("gpu", "free", "gone"), [(None, 10**6, False), (None, 1, True), ("Card", 10**6, True)])
def test_idle_models_go_when_there_is_no_room_beside_them(
    services: Services, tiny: Path, monkeypatch: pytest.MonkeyPatch, gpu: str | None, free: int, gone: bool
) -> None:
    monkeypatch.setattr(services_module, "free_memory_mb", lambda: free)
    monkeypatch.setattr(services_module, "_machine", lambda: {"gpu": gpu})
    assert not services.host.idle()
    list(answer(services, tiny))
    wait_for(services.host.idle, 5)
    folder = start(services, tiny)
    assert services.host.idle(), "a run that waits needs nothing yet"
    services.runs.open()
    wait_for(lambda: services.runs.get("me", folder.name).finished)
    assert services.host.idle() != gone
    assert list(answer(services, tiny))[-1]["a"].tokens, "the next question loads it again"


def test_a_model_that_is_answering_stays(services: Services, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services_module, "free_memory_mb", lambda: 1)
    other = make_tiny_model(tiny.parent / "other", seed=3)
    list(answer(services, other))
    stream = answer(services, tiny, 300)
    while not next(stream)["a"].tokens:
        time.sleep(0.001)
    give_way(services.host, services.forecasts, start(services, tiny))
    told = services.host.status()["models"]
    assert [one["model"] for one in told] == [f"local:{tiny}"] and told[0]["busy"]
    assert list(stream)[-1]["a"].error is None
    wait_for(services.host.idle, 5)
    assert len(services.host.status()["models"]) == 1


def test_what_a_waiting_run_needs_is_estimated_from_its_folder(services: Services, tiny: Path) -> None:
    folder = start(services, tiny)
    small = needed_mb(services.forecasts, folder)
    assert 50 < small < USUAL_MB
    large = start(services, make_tiny_model(tiny.parent / "large", hidden=1024, layers=4, intermediate=4096))
    assert needed_mb(services.forecasts, large) > small + 100
    (folder / "data" / "train.jsonl").write_text("{")
    assert needed_mb(services.forecasts, folder) == USUAL_MB
