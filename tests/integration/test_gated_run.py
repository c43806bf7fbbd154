"""A run on a model whose licence has to be accepted, with a real worker and a Hub of our own: refused, fetched, nothing written down."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from playground.services import Services
from playground.settings import Settings
from playground.training.dispatch import Dispatcher
from playground.training.record import Run
from tests.fake_hub import FakeHub, Repo, fake_hub

TOKEN = "hf_" + "onlyInMemory" * 3
GEMMA = "google/gemma-3-270m-it"
SECONDS = 120  # generous, since many tests may share the processor


@pytest.fixture
def gated(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub with one gated model, for this process and for its workers; no token of the host's."""
    from huggingface_hub import constants

    repo = Repo({file.name: file.read_bytes() for file in tiny.iterdir()}, model=True, gated=True, admits=(TOKEN,))
    with fake_hub(**{GEMMA.replace("/", "__"): repo}) as running:
        places = {
            "HF_ENDPOINT": running.url,
            "HF_HUB_CACHE": str(tmp_path / "cache"),
            "HF_HUB_OFFLINE": "0",
            "HF_HOME": str(tmp_path / "hf"),
        }
        for name, value in places.items():
            monkeypatch.setenv(name, value)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", running.url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
        yield running


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    made = Services.make(settings)
    made.open()
    yield made
    made.close()
    watcher = Dispatcher(made.workspace)
    assert all([watcher.kill(folder) for folder in made.workspace.list("runs")])


def test_the_token_opens_the_model_and_is_written_nowhere(
    gated: FakeHub, services: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    dataset = services.datasets.import_sample("me", services.datasets.samples()[0]["name"])["dataset_id"]
    services.catalog.tokens.keep("me", TOKEN)

    def run(*, admitted: bool) -> Run:
        """A run whose worker finds the Hub as told; up to then the token opens the model."""
        gated.repos[GEMMA] = replace(gated.repos[GEMMA], admits=(TOKEN,))
        with services.runs._line.lock:  # the worker is not started before we let go
            run_id = services.start_run("me", dataset, {"model": GEMMA, "method": "lora", "max_steps": 2})
            gated.repos[GEMMA] = replace(gated.repos[GEMMA], admits=(TOKEN,) if admitted else ())
        return ended(services, run_id)

    failed = run(admitted=False)
    assert failed.state == "failed" and "did not give google/gemma-3-270m-it" in str(failed.error), failed.log_tail
    nowhere(tmp_path, services, failed, caplog.text, "".join(capfd.readouterr()))
    done = run(admitted=True)
    assert done.state == "done" and done.has_adapter, done.error
    nowhere(tmp_path, services, done, caplog.text, "".join(capfd.readouterr()))


def test_a_run_that_waits_for_a_forgotten_token_says_so_and_lets_others_pass(gated: FakeHub, settings: Settings, tiny: Path) -> None:
    before = Services.make(settings)
    dataset = before.datasets.import_sample("me", before.datasets.samples()[0]["name"])["dataset_id"]
    before.catalog.tokens.keep("me", TOKEN)
    run_id = before.start_run("me", dataset, {"model": GEMMA, "method": "lora", "max_steps": 2})  # nobody watches the line yet
    after = Services.make(settings)
    after.open()
    try:
        other = after.start_run("me", dataset, {"model": f"local:{tiny}", "method": "lora", "max_steps": 1})
        assert ended(after, other).state == "done"
        held = after.runs.get("me", run_id)
        assert held.state == "queued" and "access token" in str(held.doing), held
        after.catalog.tokens.keep("me", TOKEN)
        with after.catalog.tokens.acting("me"):
            after.catalog.resolve(GEMMA)  # as the page does when a token is given: it learns that this model wants one
        assert ended(after, run_id).state == "done"
    finally:
        after.close()
        watcher = Dispatcher(after.workspace)
        assert all([watcher.kill(folder) for folder in after.workspace.list("runs")])


def ended(services: Services, run_id: str) -> Run:
    end = time.monotonic() + SECONDS
    while not (run := services.runs.get("me", run_id)).finished:
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
    return run


def nowhere(folder: Path, services: Services, run: Run, *texts: str) -> None:
    """The token is in no file, whatever it belongs to, in no log, and in nothing that is told of the run."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert any(file.name == "worker.log" and run.run_id in str(file) for file in files)
    assert not [file for file in files if TOKEN.encode() in file.read_bytes()]
    assert not [text for text in (*texts, str(run.to_dict()), str(services), repr(services.catalog.list("me"))) if TOKEN in text]
