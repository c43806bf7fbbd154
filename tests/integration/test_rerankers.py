"""A tiny random cross-encoder, made here, sorts passages anew; what cannot or must not be opened is a sentence."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from playground.errors import ModelUnavailable
from playground.rag import rerankers as module
from playground.rag.rerankers import KNOWN, Rerankers
from playground.settings import Settings
from playground.workspace import read_json, write_json
from tests.helpers import make_cross_encoder


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cross_encoder(tmp_path_factory.mktemp("cross") / "encoder")


def test_it_scores_pairs_and_always_alike(cross_encoder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    rerankers = Rerankers(settings)
    texts = ["The shop opens at nine.", "Anger and joy.", "The shop opens at nine. " * 400]
    scores = rerankers.scores(f"local:{cross_encoder}", "When does the shop open?", texts)
    assert len(scores) == 3 and all(0 <= score <= 1 for score in scores) and len(set(scores)) == 3
    assert rerankers.scores(f"local:{cross_encoder}", "When does the shop open?", texts) == pytest.approx(scores, abs=1e-5)
    assert rerankers.scores(f"local:{cross_encoder}", "When?", []) == []
    assert rerankers._loaded is not None
    model, calls = rerankers._loaded[1], []
    monkeypatch.setattr(model, "predict", lambda pairs, **more: calls.append(pairs) or [0.5] * len(pairs))
    for question in ("Who?", "Who?", "Where?"):
        assert rerankers.scores(f"local:{cross_encoder}", question, texts) == [0.5] * 3
    assert len(calls) == 2, "an answer and its X-ray cost one reading"


def test_fetching_one_holds_up_no_question_to_the_one_in_memory(
    cross_encoder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rerankers, here = Rerankers(settings), f"local:{cross_encoder}"
    scores = rerankers.scores(here, "When?", ["At nine."])
    entered, go = threading.Event(), threading.Event()

    def brought(id: str) -> Path | None:
        entered.set()
        assert go.wait(20)
        return None

    monkeypatch.setattr(module.modules.hub, "brought", brought)
    found: list[object] = []

    def fetch() -> None:
        try:
            rerankers.load(KNOWN[0].id)
        except ModelUnavailable as error:
            found.append(error)

    fetching = threading.Thread(target=fetch)
    fetching.start()
    assert entered.wait(5)
    asking = threading.Thread(target=lambda: found.append(rerankers.scores(here, "When?", ["At nine."])))
    asking.start()
    asking.join(10)
    assert found == [scores]
    go.set()
    fetching.join(5)
    assert len(found) == 2 and rerankers._loaded is not None and rerankers._loaded[0] == here


@pytest.mark.parametrize("kind", ["evil.Module", "sentence_transformers.evil.Sneaky"])
def test_classes_of_strangers_are_never_imported(cross_encoder: Path, settings: Settings, tmp_path: Path, kind: str) -> None:
    shutil.copytree(cross_encoder, tmp_path / "copy")
    write_json(tmp_path / "copy" / "modules.json", [{"idx": 0, "name": "0", "path": "", "type": kind}])
    with pytest.raises(ModelUnavailable, match="not a cross-encoder"):
        Rerankers(settings).scores(f"local:{tmp_path / 'copy'}", "a", ["b"])


def test_weights_are_never_unpickled(cross_encoder: Path, settings: Settings, tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    shutil.copytree(cross_encoder, tmp_path / "copy")
    (tmp_path / "copy" / "model.safetensors").unlink()
    (tmp_path / "copy" / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(ModelUnavailable):
        Rerankers(settings).scores(f"local:{tmp_path / 'copy'}", "a", ["b"])
    assert not (tmp_path / "ran").exists()


def test_an_activation_that_a_file_names_is_not_imported(cross_encoder: Path, settings: Settings, tmp_path: Path) -> None:
    shutil.copytree(cross_encoder, tmp_path / "copy")
    config = read_json(tmp_path / "copy" / "config.json")
    write_json(tmp_path / "copy" / "config.json", {**config, "sentence_transformers": {"activation_fn": "torch.hub.load"}})
    assert Rerankers(settings).scores(f"local:{tmp_path / 'copy'}", "a", ["b"])


def test_what_is_not_there_is_a_sentence(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable):
        Rerankers(settings).scores(f"local:{tmp_path / 'nothing'}", "a", ["b"])
    shared = Rerankers(replace(settings, mode="shared"))
    with pytest.raises(ModelUnavailable, match="not on this playground's list"):
        shared.scores(f"local:{tmp_path}", "a", ["b"])
    assert shared.known(KNOWN[0].id) is KNOWN[0]
