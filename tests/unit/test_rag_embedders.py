"""A model's folder is a stranger's: no class that it names is imported, and what cannot be had is a sentence."""

import json
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from playground.errors import ModelUnavailable, NotFound, PlaygroundError
from playground.rag import embedders as module
from playground.rag.embedders import KNOWN, STARTER, Embedder, Embedders, _fingerprint
from playground.rag.modules import LOCAL
from playground.rag.store import Collections
from playground.settings import PROJECT, Settings
from playground.workspace import Workspace

GOOD = "sentence_transformers.models.Normalize"


@pytest.fixture
def embedders(settings: Settings) -> Embedders:
    return Embedders(settings)


def model(folder: Path, *kinds: object) -> str:
    folder.mkdir(exist_ok=True)
    modules = [{"idx": n, "name": str(n), "path": "", "type": kind} for n, kind in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(modules))
    return f"{LOCAL}{folder}"


def test_whose_weight_is_called_measured_has_figures() -> None:
    results = (PROJECT / "tests" / "benchmarks" / "RESULTS.md").read_text("utf-8").splitlines()
    for one in KNOWN:
        section = "## Retrieval" if one.id == STARTER else f"## Retrieval with {one.name}"
        assert one.measured is (section in results), one.name


@pytest.mark.parametrize(
    "kind",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.exec",
        "evil.Dense",
        "evil.Normalize",
        "sentence_transformers_evil.Normalize",
        "sentence_transformers.util.import_from_string",
        "sentence_transformers.os.system",
        "sentence_transformers.CrossEncoder",
        "sentence_transformers.models.Router",
        "modeling_evil.StaticEmbedding",
        "Normalize",
        "",
        None,
        5,
        ["sentence_transformers.models.Normalize"],
    ],
    ids=str,
)
@pytest.mark.parametrize("beside", [False, True])
def test_a_hostile_module_is_refused_before_anything_is_imported(
    embedders: Embedders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: object, beside: bool
) -> None:
    folder = tmp_path / "model"
    id = model(folder, *([GOOD] if beside else []), kind)
    for name in ("evil", "modeling_evil", "sentence_transformers_evil"):
        (folder / f"{name}.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    with pytest.raises(ModelUnavailable, match="is not a sentence-transformers model"):
        embedders.load(id)
    assert not (tmp_path / "ran").exists()
    assert not {name for name in set(sys.modules) - before if name.startswith(("sentence_transformers", "torch", "evil"))}


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", "[1, 2]", '["os.system"]', '{"type": "os.system"}', "\x00", "[" * 100_000])
def test_odd_module_lists_are_refused(embedders: Embedders, tmp_path: Path, content: str) -> None:
    (tmp_path / "modules.json").write_text(content)
    with pytest.raises(ModelUnavailable):
        embedders.load(f"{LOCAL}{tmp_path}")


@pytest.mark.parametrize("id", [f"{LOCAL}/nowhere/at/all", LOCAL, f"{LOCAL}\0", f"{LOCAL}~nobody-of-that-name/x", f"{LOCAL}{'x' * 5000}"])
def test_a_folder_that_is_not_there(embedders: Embedders, id: str) -> None:
    with pytest.raises(PlaygroundError):
        embedders.load(id)


def test_a_shared_playground_offers_its_list_only(settings: Settings, tmp_path: Path) -> None:
    shared = Embedders(replace(settings, mode="shared"))
    for id in (f"{LOCAL}{tmp_path}", f" {LOCAL}{tmp_path}", "someone/else", "Starter", "../starter", "starter/../x"):
        for call in (shared.known, shared.load):
            with pytest.raises(ModelUnavailable, match="not on this playground's list"):
                call(id)
    for one in KNOWN:
        assert shared.known(f" {one.id} ") is one


def test_a_shared_playground_makes_no_collection_with_another_embedder(settings: Settings, tmp_path: Path) -> None:
    workspace = Workspace(settings.home)
    room = Collections(workspace, replace(settings, mode="shared"), None)  # type: ignore[arg-type]
    with pytest.raises(ModelUnavailable):
        room.make("me", "Papers", f"{LOCAL}{tmp_path}")
    assert room.list("me") == []


@pytest.mark.parametrize("id", ["", "  ", None, 5, ["starter"]])
def test_no_name_no_embedder(embedders: Embedders, id: object) -> None:
    with pytest.raises(NotFound, match="No embedder is chosen"):
        embedders.known(id)  # type: ignore[arg-type]


def test_a_missing_starter_is_told(settings: Settings, tmp_path: Path) -> None:
    bare = Embedders(replace(settings, assets=tmp_path / "assets"))
    with pytest.raises(ModelUnavailable, match=r"The starter's embedder is missing from .*Get the whole project again"):
        bare.load(STARTER)


def test_a_hub_name_that_is_none_is_a_sentence(embedders: Embedders, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for id in ("../../etc/passwd", "a/b/c", "a b", "x" * 500, "http://localhost/x", "-", "ümlaut/ß", "a/\0", "\ud800"):
        with pytest.raises(PlaygroundError):
            embedders.load(id)


def test_fetching_one_holds_up_no_question_to_the_one_in_memory(embedders: Embedders, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go = threading.Event(), threading.Event()

    def brought(id: str) -> Path:
        entered.set()
        assert go.wait(20)
        return Path(id)

    monkeypatch.setattr(module.modules.hub, "brought", brought)
    monkeypatch.setattr(module, "Embedder", lambda known, model, fingerprint: SimpleNamespace(id=known.id))
    monkeypatch.setattr(module, "_open", lambda known, folder: folder)
    monkeypatch.setattr(module, "_fingerprint", str)
    starter, found = embedders.load(STARTER), []
    fetching = threading.Thread(target=lambda: found.append(embedders.load(KNOWN[1].id)))
    fetching.start()
    assert entered.wait(5)
    asking = threading.Thread(target=lambda: found.append(embedders.load(STARTER)))
    asking.start()
    asking.join(5)
    assert found == [starter]
    go.set()
    fetching.join(5)
    assert found[1].id == KNOWN[1].id and embedders.load(KNOWN[1].id) is found[1]
    monkeypatch.setattr(module, "_open", lambda known, folder: 1 / 0)
    with pytest.raises(ModelUnavailable):
        embedders.load(KNOWN[2].id)
    assert embedders.load(KNOWN[1].id) is found[1], "what cannot be opened takes the place of nothing"


def test_the_list_says_what_it_offers() -> None:
    assert KNOWN[0].id == STARTER
    assert len({one.id for one in KNOWN}) == len(KNOWN)
    for one in KNOWN:
        assert all(0 <= weight <= 1 for weight in one.weights)
        assert str(one.about).endswith(".")


@pytest.mark.parametrize(
    ("most", "prompt", "reads"),
    [(None, "", None), (float("inf"), "", None), (10**30, "", None), (128, "", 126), (128, "passage: ", 123), (8, "", 16)],
)
def test_how_much_of_a_passage_is_read(most: float | None, prompt: str, reads: int | None) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("[UNK] $A [UNK]", None, [("[UNK]", 0)])

    class Model:
        max_seq_length = most

        def __init__(self) -> None:
            self.tokenizer = tokenizer

        def get_embedding_dimension(self) -> int:
            return 3

    assert Embedder(replace(KNOWN[0], passage_prompt=prompt), Model(), "").reads == reads


def test_a_fingerprint_tells_models_apart(tmp_path: Path) -> None:
    for name, parts in {"a": (b"1", b"2"), "same": (b"1", b"2"), "weights": (b"3", b"2"), "words": (b"1", b"4")}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(parts[0])
        (tmp_path / name / "tokenizer.json").write_bytes(parts[1])
        (tmp_path / name / "README.md").write_text(name)
    prints = {name: _fingerprint(tmp_path / name) for name in ("a", "same", "weights", "words")}
    assert prints["a"] == prints["same"]
    assert len(set(prints.values())) == 3


def test_a_damaged_index_hides_no_other_collection(settings: Settings) -> None:
    room = Collections(Workspace(settings.home), settings, None)  # type: ignore[arg-type]
    good, bad, gone = (room.make("me", name) for name in ("Good", "Bad", "Gone"))
    (bad / "index.sqlite").write_bytes(b"no database at all" * 500)
    (gone / "index.sqlite").unlink()
    assert {one["collection"] for one in room.list("me")} == {"Good", "Bad", "Gone"}
    for name in ("Bad", "Gone"):
        room.delete("me", name)
    assert [one["collection"] for one in room.list("me")] == ["Good"]
    assert good.is_dir()


def test_chroma_is_made_up_for_where_it_cannot_even_be_opened(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Collections(Workspace(settings.home), settings, None)  # type: ignore[arg-type]

    def broken() -> None:
        raise RuntimeError("no Chroma here")

    monkeypatch.setattr(room.dense, "_open", broken)
    vectors = np.eye(4, dtype=np.float32)
    room.dense.add("x", [1, 2, 3, 4], vectors)
    room.dense.remove("x", [1])
    room.dense.drop("x")
    found = room.dense.search("x", np.array([0, 1, 0.5, 0], np.float32), 2, 4, 4, lambda: ([1, 2, 3, 4], vectors))
    assert found == [(2, 1.0), (3, 0.5)]
    assert room.dense.search("x", vectors[0], 5, 0, 0, lambda: ([], np.zeros((0, 4), np.float32))) == []
