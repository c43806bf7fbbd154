"""A tiny random cross-encoder, made here, sorts passages anew; what cannot or must not be opened is a sentence."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from playground.errors import ModelUnavailable
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
    model, calls = rerankers._open(rerankers.known(f"local:{cross_encoder}")), []
    monkeypatch.setattr(model, "predict", lambda pairs, **more: calls.append(pairs) or [0.5] * len(pairs))
    for question in ("Who?", "Who?", "Where?"):
        assert rerankers.scores(f"local:{cross_encoder}", question, texts) == [0.5] * 3
    assert len(calls) == 2, "an answer and its X-ray cost one reading"


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
