"""Models whose licence has to be accepted, against a Hub of our own: who gets them, what they are told, and where a token never appears."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import os
import pickle
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground.errors import InputError, ModelUnavailable, NotFound
from playground.messages import conversation
from playground.models import access, hub
from playground.models.access import Tokens
from playground.models.catalog import Catalog
from playground.models.loading import folder_of
from playground.settings import PROJECT, Settings
from playground.training.dispatch import Dispatcher
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.fake_hub import FakeHub, Repo, fake_hub
from tests.unit.test_models_catalog import listed, model

ADMITTED, STRANGER, WRONG = (f"hf_{name}{'x1Y2' * 7}" for name in ("admitted", "stranger", "wrong"))
GEMMA, OPEN = "google/gemma-3-270m-it", "HuggingFaceTB/SmolLM2-135M-Instruct"
OWN = "anna/own-model"


@pytest.fixture
def gated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub with an open model and two gated ones; no token and nothing cached on this machine, and the real client library."""
    from huggingface_hub import constants

    files = {file.name: file.read_bytes() for file in model(tmp_path / "model").iterdir()}
    closed = Repo(files, model=True, gated=True, admits=(ADMITTED,))
    repos = {GEMMA: closed, OWN: closed, OPEN: Repo(files, model=True)}
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with fake_hub(**{id.replace("/", "__"): repo for id, repo in repos.items()}) as running:
        running.accounts.add(STRANGER)
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", running.url + "/{repo_id}/resolve/{revision}/{filename}")
        yield running


@pytest.fixture
def catalog(gated: FakeHub, settings: Settings) -> Catalog:
    made = Catalog(settings)
    assert listed(made)[OPEN][0]
    return made


def told(catalog: Catalog, id: str, owner: str = "me") -> str:
    """Why a model cannot be had by an owner, empty where it can."""
    try:
        with catalog.tokens.acting(owner):
            catalog.resolve(id)
    except (ModelUnavailable, NotFound) as error:
        return str(error)
    return ""


def line(catalog: Catalog, id: str, owner: str = "me") -> tuple[bool, bool, str]:
    one = next(one for one in catalog.list(owner) if one.id == id)
    return one.available, one.locked, str(one.reason)


@pytest.mark.parametrize("typed", ["", "   ", "secret", "hf_short", "hf_" + "x" * 19, "hf_" + "x" * 30 + "!", "HF_" + "x" * 30, None, 5])
def test_another_text_is_refused_and_not_repeated(typed: Any) -> None:
    tokens = Tokens()
    with pytest.raises(InputError) as caught:
        tokens.keep("me", typed)
    assert "hf_, followed by" in str(caught.value) and not tokens.has("me")
    for word in str(typed).split():
        assert word not in str(caught.value) or word in access.ANOTHER_SHAPE
    assert not caught.value.sentence.values


def test_a_token_is_in_memory_and_in_no_text() -> None:
    tokens = Tokens()
    tokens.keep("me", f"  {ADMITTED}\n")
    assert tokens.has("me") and not tokens.has("you")
    with tokens.acting("me"):
        assert access.token() == ADMITTED
        with tokens.acting("you"):
            assert access.token() is None
        assert access.token() == ADMITTED
    assert access.token() is None
    assert "admitted" not in f"{tokens} {tokens!r} {tokens._kept!r}"
    for take_along in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="in memory"):
            take_along(tokens)


def test_the_one_not_heard_of_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "OWNERS", 2)
    tokens = Tokens()
    for owner in ("anna", "bert", "anna", "cleo"):
        tokens.keep(owner, ADMITTED)
    assert [tokens.has(owner) for owner in ("anna", "bert", "cleo")] == [True, False, True]


@pytest.mark.parametrize("id", [GEMMA, OWN])
def test_without_a_token_the_way_to_the_licence_is_told(catalog: Catalog, id: str) -> None:
    for sentence in (told(catalog, id), str(catalog.locked(id, "me"))):
        assert f"https://huggingface.co/{id}," in sentence and "https://huggingface.co/settings/tokens" in sentence
        assert "accept a licence" in sentence
    assert catalog.locked(OPEN, "me") is None and catalog.locked("no such name", "me") is None
    if id == GEMMA:
        available, locked, reason = line(catalog, GEMMA)
        assert not available and locked and reason.startswith("Gemma 3 270M asks its users") and GEMMA in reason


@pytest.mark.parametrize("token", [STRANGER, WRONG], ids=["licence-not-accepted", "wrong"])
def test_a_token_that_does_not_open_it_is_told_and_hinders_nothing_else(catalog: Catalog, gated: FakeHub, token: str) -> None:
    catalog.tokens.keep("me", token)
    assert line(catalog, GEMMA)[0], "until the Hub says otherwise"
    sentence = told(catalog, GEMMA)
    assert "did not give" in sentence and f"https://huggingface.co/{GEMMA} " in sentence and token not in sentence
    assert line(catalog, GEMMA)[:2] == (False, True) and "did not give Gemma" in line(catalog, GEMMA)[2]
    assert gated.shown[-1] == token
    asked = len(gated.shown)
    assert not told(catalog, OPEN) and set(gated.shown[asked:]) == {None}, "an open model is fetched without it"
    assert catalog.tokens.key("me", OPEN) is None and catalog.tokens.key("me", GEMMA) == token
    catalog.tokens.keep("me", ADMITTED)
    assert not told(catalog, GEMMA) and line(catalog, GEMMA)[0]


def test_a_licence_accepted_later_opens_it_to_the_same_token(catalog: Catalog, gated: FakeHub) -> None:
    catalog.tokens.keep("me", STRANGER)
    assert catalog.locked(GEMMA, "me")
    gated.repos[GEMMA].admits = (STRANGER,)
    assert catalog.locked(GEMMA, "me") is None and line(catalog, GEMMA)[0]


def test_the_right_token_fetches_all_of_it(catalog: Catalog) -> None:
    catalog.tokens.keep("me", ADMITTED)
    assert line(catalog, GEMMA)[:2] == (True, False)
    with catalog.tokens.acting("me"):
        ref = catalog.resolve(GEMMA)
        folder = folder_of(ref)
    assert ref.window == 777 and {"config.json", "model.safetensors", "tokenizer.json"} <= {file.name for file in folder.iterdir()}
    assert line(catalog, GEMMA) == (True, False, "On this machine.") and not told(catalog, GEMMA)


def test_two_visitors_do_not_share(gated: FakeHub, settings: Settings) -> None:
    catalog = Catalog(replace(settings, mode="shared"))
    listed(catalog)
    catalog.tokens.keep("anna", ADMITTED)
    assert not told(catalog, GEMMA, "anna") and line(catalog, GEMMA, "anna")[0]
    with catalog.tokens.acting("anna"):
        hub.download(GEMMA, catalog.resolve(GEMMA).revision, weights=False)
    asked = len(gated.shown)
    assert "accept a licence" in told(catalog, GEMMA, "bert"), "although what anna fetched lies here in part"
    assert line(catalog, GEMMA, "bert")[:2] == (False, True) and catalog.tokens.key("bert", GEMMA) is None
    assert set(gated.shown[asked:]) == {None}
    assert not line(catalog, GEMMA)[0] and not next(one for one in catalog.list() if one.id == GEMMA).available, (
        "nor does it serve nobody in particular"
    )
    catalog.tokens.keep("bert", STRANGER)
    assert "did not give" in told(catalog, GEMMA, "bert") and not told(catalog, GEMMA, "anna")
    assert "not on this playground's list" in told(catalog, OWN, "anna")


def test_what_one_visitors_token_brought_here_is_not_everybodys(
    gated: FakeHub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(replace(settings, mode="shared"))
    listed(catalog)
    catalog.tokens.keep("anna", ADMITTED)
    with catalog.tokens.acting("anna"):
        ref = catalog.resolve(GEMMA)
        folder_of(ref)
    assert not told(catalog, GEMMA, "bert"), "a model on the host's disk is the host's"
    came = access.by_token(settings.home, GEMMA)
    came.parent.mkdir(parents=True)
    came.touch()  # as the worker's parent does
    assert "accept a licence" in told(catalog, GEMMA, "bert") and line(catalog, GEMMA, "bert")[:2] == (False, True)
    with catalog.tokens.acting("anna"):
        assert catalog.resolve(GEMMA) == ref
    assert line(catalog, GEMMA, "anna") == (True, False, "On this machine.")
    assert line(Catalog(settings), GEMMA) and not told(Catalog(settings), GEMMA), "in personal mode there is nobody else"
    monkeypatch.setenv("HF_TOKEN", ADMITTED)
    assert not told(catalog, GEMMA, "bert"), "the host may open it to all"


def test_the_hosts_own_token_serves_as_before(catalog: Catalog, gated: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", ADMITTED)
    assert line(catalog, GEMMA)[0] and not told(catalog, GEMMA)
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    assert "did not give" in told(catalog, GEMMA) and line(catalog, GEMMA)[:2] == (False, True)
    catalog.tokens.keep("me", ADMITTED)
    assert not told(catalog, GEMMA) and line(catalog, GEMMA)[0], "a person's own opens what the host's does not"


WORKER = """
import hashlib, json, os, sys
from pathlib import Path
sys.path.insert(0, {project!r})
from playground.training.launching import claim
from playground.training.progress import Status
folder = Path(sys.argv[1])
held = claim(folder)
token = os.environ.get("HF_TOKEN", "")
names = [name for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN") if name in os.environ]
told = {{"digest": token and hashlib.sha256(token.encode()).hexdigest(), "names": names, "offline": "HF_HUB_OFFLINE" in os.environ}}
(folder / "seen.json").write_text(json.dumps(told))
Status(folder).end("done")
"""


def test_a_worker_gets_it_only_for_a_model_to_fetch(
    catalog: Catalog, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", WRONG)
    caplog.set_level(logging.DEBUG)
    script = tmp_path / "worker.py"
    script.write_text(WORKER.format(project=str(PROJECT)))
    runs = Runs(workspace, catalog, worker=(sys.executable, str(script)), secret=catalog.tokens.key)
    rows = [conversation("How are you?", "Fine.")] * 9
    splits: Any = SimpleNamespace(train=rows, validation=[], test=[], instruction="", system="", task="chat", labels=[], shots=(), slots=())

    def seen(id: str, owner: str) -> dict[str, Any]:
        with catalog.tokens.acting(owner):
            run_id = runs.start(owner, dataset_id="d", dataset_name="letters", splits=splits, settings={"model": id, "method": "lora"})
        end = time.monotonic() + 20
        while not runs.get(owner, run_id).finished:
            assert time.monotonic() < end
            time.sleep(0.05)
        folder = workspace.find("runs", run_id, owner)
        return json.loads((folder / "seen.json").read_text())

    runs.open()
    try:
        monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN")
        catalog.tokens.keep("me", ADMITTED)
        digest = hashlib.sha256(ADMITTED.encode()).hexdigest()
        assert seen(GEMMA, "me") == {"digest": digest, "names": ["HF_TOKEN"], "offline": False}
        assert seen(OPEN, "me") == {"digest": "", "names": [], "offline": False}
        monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", STRANGER)
        assert access.by_token(workspace.home, GEMMA).read_bytes() == b"" and not access.by_token(workspace.home, OPEN).exists()
        assert seen(GEMMA, "me")["names"] == ["HF_TOKEN"], "the host's own stays behind"
        with catalog.tokens.acting("me"):
            folder_of(catalog.resolve(GEMMA))
        assert seen(GEMMA, "me") == {"digest": "", "names": [], "offline": True}, "once it lies here, nothing secret goes along"
    finally:
        runs.close()
        watcher = Dispatcher(workspace)
        assert all([watcher.kill(folder) for folder in workspace.list("runs")])
    assert "HF_TOKEN" not in os.environ
    nowhere(tmp_path, workspace.home, texts=[caplog.text])


def nowhere(*folders: Path, texts: list[str]) -> None:
    """No token of these tests is in any file below, or in these texts."""
    for secret in (ADMITTED, STRANGER, WRONG):
        for folder in folders:
            files = [file for file in folder.rglob("*") if file.is_file()]
            assert not [file for file in files if secret.encode() in file.read_bytes()]
        assert not [text for text in texts if secret in text]
