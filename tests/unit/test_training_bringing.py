"""Adapters from elsewhere: two files are taken, checked against the model, and everything else is refused with nothing left behind."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from playground.errors import InputError, NotFound, PlaygroundError, SettingsError, WrongState
from playground.models.catalog import AdapterRef, Catalog, ModelRef
from playground.settings import PROJECT, Settings
from playground.training import beginning, record
from playground.training.brought import adapter_files
from playground.training.brought.bringing import bring, suggest
from playground.training.runs import Runs
from playground.workspace import Workspace, read_json, write_json

LAYERS = {f"model.layers.{n}.self_attn.{name}": (64, 32) for n in range(2) for name in ("q_proj", "v_proj")}
LAYERS |= {f"model.layers.{n}.mlp.down_proj": (64, 128) for n in range(2)}  # (out, in)
CONFIG = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "lora_dropout": 0.1, "target_modules": ["q_proj"], "bias": "none"}
MOST = 10 * 1024**2
Tensors = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As much of a model as can be seen without loading it."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    write_json(folder / "config.json", {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 512})
    write_json(folder / "tokenizer.json", {})
    tensors = {f"{name}.weight": np.zeros(shape, np.float32) for name, shape in LAYERS.items()}
    save_file({**tensors, "model.embed_tokens.weight": np.zeros((100, 64), np.float32)}, folder / "model.safetensors")
    return folder


def lora(layers: dict[str, tuple[int, int]] = LAYERS, rank: int = 4) -> Tensors:
    tensors = {}
    for name, (out, into) in layers.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = np.ones((rank, into), np.float32)
        tensors[f"base_model.model.{name}.lora_B.weight"] = np.ones((out, rank), np.float32)
    return tensors


def write(folder: Path, tensors: Tensors | None = None, **config: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "adapter_config.json", {**CONFIG, **config})
    save_file(lora() if tensors is None else tensors, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture
def take(workspace: Workspace, settings: Settings, model: Path) -> Callable[..., str]:
    """Bring an adapter; where that is refused, nothing may be left of it."""

    def taking(*sources: Path, model_id: str | None = None, most: int = MOST, name: str = "Mine") -> str:
        before = sorted((workspace.home / "runs").iterdir())
        try:
            chosen = f"local:{model}" if model_id is None else model_id
            return bring(workspace, Catalog(settings), "me", sources, name, chosen, most_bytes=most)
        except PlaygroundError:
            assert sorted((workspace.home / "runs").iterdir()) == before
            raise

    return taking


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_becomes_a_finished_run(take: Callable[..., str], workspace: Workspace, settings: Settings, tmp_path: Path) -> None:
    folder = write(tmp_path / "given")
    (folder / "README.md").write_text("mine")
    (folder / "training_args.bin").write_bytes(b"\x80\x04.")  # lies in every folder of a trainer, and is not looked at
    run_id = take(folder)
    run = record.read(workspace.find("runs", run_id, "me"))
    assert (run.state, run.name, run.brought, run.method, run.has_adapter) == ("done", "Mine", True, "lora", True)
    assert run.settings["lora_r"] == 4 and run.settings["target_modules"] == ["down_proj", "q_proj", "v_proj"]
    assert run.trainable_parameters == sum(one.size for one in lora().values())
    runs = Runs(workspace, Catalog(settings))
    ref = runs.adapter("me", run_id)
    assert sorted(path.name for path in ref.path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert (ref.path / "adapter_model.safetensors").read_bytes() == (folder / "adapter_model.safetensors").read_bytes()
    assert runs.metrics("me", run_id) == [] and runs.samples("me", run_id)["steps"] == []
    with pytest.raises(NotFound):
        runs.get("you", run_id)
    with pytest.raises(WrongState):
        runs.resume("me", run_id)
    runs.delete("me", run_id)
    assert not (workspace.home / "runs" / run_id).exists()


ASKED = """
import os, sys
from pathlib import Path
from playground.errors import PlaygroundError
from playground.models.catalog import Catalog
from playground.settings import PROJECT, Settings
from playground.training.brought.bringing import Bringing
settings = Settings(home=Path(sys.argv[1]))
catalog = Catalog(settings)
catalog._looked.wait(20)
if os.getuid() == 0:  # to whom no folder is closed
    os.setgid(65534)
    os.setuid(65534)
for path in sys.argv[2:]:
    for name in (lambda: catalog.resolve(f"local:{path}"), lambda: Bringing(None, catalog, settings).bring("me", [], path=path)):
        try:
            name()
        except PlaygroundError as error:
            print(str(error).replace(path, "PATH"))
"""


def test_a_folder_that_cannot_be_looked_into_is_told_as_one_that_is_not_there(tmp_path: Path, model: Path) -> None:
    closed = tmp_path / "closed"
    shutil.copytree(model, closed / "model")
    write(closed / "adapter")
    paths = [str(closed / "model"), str(closed / "adapter"), "~nobody-of-this-name/m", "/" + "a" * 5000]
    closed.chmod(0)
    try:
        done = subprocess.run(
            [sys.executable, "-c", ASKED, str(tmp_path), *paths], cwd=PROJECT, capture_output=True, text=True, check=False
        )
    finally:
        closed.chmod(0o700)
    assert done.returncode == 0, done.stderr
    no_adapter = "There is no folder or file PATH on this machine. Give its whole path, from the root on."
    no_model, no_path = (
        "There is no folder PATH on this machine.",
        "Give the whole path of the model's folder, from the root on, after “local:”.",
    )
    told = done.stdout.splitlines()
    assert told[0::2] == [no_model, no_model, no_path, no_model] and told[1::2] == [no_adapter] * 4


def test_a_zip_or_the_two_files_do_as_well(take: Callable[..., str], tmp_path: Path) -> None:
    folder = write(tmp_path / "given")
    named = {f"my adapter/{name}": content for name, content in files(folder).items()}
    deep = {f"my adapter/checkpoint-9/{name}": content for name, content in files(folder).items()}
    assert take(zipped(tmp_path / "a.zip", {**deep, **named, "__MACOSX/my adapter/adapter_config.json": b"?"}))
    assert take(folder / "adapter_model.safetensors", folder / "adapter_config.json")


def test_only_what_was_checked_is_handed_on(take: Callable[..., str], workspace: Workspace, tmp_path: Path, model: Path) -> None:
    hostile = {
        "base_model_name_or_path": "attacker/loads-this",
        "auto_mapping": {"base_model_class": "X", "parent_library": "attacker_module"},
        "revision": "evil",
        "target_modules": "(a+)+$",
        "eva_config": {"x": 1},
        "megatron_core": "attacker.core",
        "loftq_config": {"loftq_bits": 4},
        "layers_pattern": "(x+)+",
        "unheard_of": ["../../etc/passwd"],
    }
    written = read_json(workspace.find("runs", take(write(tmp_path / "given", **hostile)), "me") / "adapter" / "adapter_config.json")
    assert "attacker" not in json.dumps(written) and "evil" not in json.dumps(written)
    assert set(written) == {
        "peft_type", "task_type", "inference_mode", "base_model_name_or_path", "target_modules", "fan_in_fan_out", "r", "lora_alpha",
        "lora_dropout", "use_dora", "use_rslora", "bias", "init_lora_weights",
    }  # fmt: skip
    assert written["base_model_name_or_path"] == f"local:{model}"
    assert written["target_modules"] == ["down_proj", "q_proj", "v_proj"]  # as the tensors say


def test_layers_that_only_some_blocks_have_adapted_are_named_by_their_paths(
    take: Callable[..., str], workspace: Workspace, tmp_path: Path
) -> None:
    some = {name: shape for name, shape in LAYERS.items() if ".1." in name}
    written = read_json(workspace.find("runs", take(write(tmp_path / "given", lora(some))), "me") / "adapter" / "adapter_config.json")
    assert written["target_modules"] == sorted(some)


def test_ia3(take: Callable[..., str], workspace: Workspace, tmp_path: Path) -> None:
    scales = {
        f"base_model.model.{name}.ia3_l": np.ones((1, into) if "down" in name else (out, 1), np.float32)
        for name, (out, into) in LAYERS.items()
    }
    folder = workspace.find("runs", take(write(tmp_path / "given", scales, peft_type="IA3")), "me")
    assert read_json(folder / "adapter" / "adapter_config.json")["feedforward_modules"] == ["down_proj"]
    assert record.read(folder).method == "ia3"
    with pytest.raises(InputError, match="does not fit"):
        take(write(tmp_path / "wide", {name: np.ones((65, 1), np.float32) for name in scales}, peft_type="IA3"))


BROKEN: dict[str, tuple[Callable[[], Tensors], dict[str, Any], str]] = {
    "another model's widths": (lambda: lora({name: (2 * out, into) for name, (out, into) in LAYERS.items()}), {}, "for 128 numbers, where"),
    "another model's layers": (lambda: lora({"model.layers.7.self_attn.q_proj": (64, 32)}), {}, "no layer called model.layers.7"),
    "one half": (lambda: {name: one for name, one in lora().items() if "lora_A" in name}, {}, "not whole"),
    "halves of two ranks": (
        lambda: {**lora(), "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": np.ones((2, 32), np.float32)}, {}, "not whole",
    ),
    "layers of two ranks": (
        lambda: {**lora(), **lora({"model.layers.0.self_attn.q_proj": (64, 32)}, 2)}, {"rank_pattern": {}}, "different ranks",
    ),
    "whole layers": (lambda: {**lora(), "base_model.model.lm_head.weight": np.ones((9, 9), np.float32)}, {}, "neither LoRA nor IA3"),
    "whole numbers": (lambda: {name: one.astype(np.int32) for name, one in lora().items()}, {}, "floating-point"),
    "nothing": (lambda: {"x": np.ones(1, np.float32)}, {}, "neither LoRA nor IA3"),
    "another kind": (lora, {"peft_type": "PREFIX_TUNING"}, "kinds LORA and IA3"),
    "no kind": (lora, {"peft_type": ["LORA"]}, "kinds LORA and IA3"),
    "another rank": (lora, {"r": 8}, "makes no sense"),
    "a strength that is none": (lora, {"lora_alpha": "8"}, "makes no sense"),
    "an endless strength": (lora, {"lora_alpha": 1e300}, "makes no sense"),
    "a pattern of ranks": (lora, {"rank_pattern": {"(a+)+": 3}}, "rank_pattern"),
    "whole modules": (lora, {"modules_to_save": ["lm_head"]}, "modules_to_save"),
    "biases": (lora, {"bias": "all"}, "bias"),
    "a changed base": (lora, {"init_lora_weights": "pissa_niter_16"}, "part of its model's own weights"),
    "dora without its part": (lora, {"use_dora": True}, "use_dora"),
    "an odd switch": (lora, {"use_rslora": "yes"}, "use_rslora"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_does_not_fit_is_refused_with_the_reason(take: Callable[..., str], tmp_path: Path, case: str) -> None:
    tensors, config, reason = BROKEN[case]
    with pytest.raises(InputError, match=reason):
        take(write(tmp_path / "given", tensors(), **config))


def test_damaged_files(take: Callable[..., str], tmp_path: Path) -> None:
    folder = write(tmp_path / "given")
    weights, config = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    whole = weights.read_bytes()
    header = json.dumps({"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}).encode()
    lying = struct.pack("<Q", len(header)) + header + bytes(4)
    for broken in (b"", b"\x80\x04", whole[: len(whole) // 2], struct.pack("<Q", 2**62), lying, whole + b"more"):
        weights.write_bytes(broken)
        with pytest.raises(InputError, match="damaged or not in the safetensors format"):
            take(folder)
    weights.write_bytes(whole)
    for broken in (b"", b"[]", b"{", b"[" * 100_000, b"\xff\xfe"):
        config.write_bytes(broken)
        with pytest.raises(InputError, match=r"adapter_config\.json cannot be read"):
            take(folder)


def test_pickles_are_never_opened(take: Callable[..., str], tmp_path: Path) -> None:
    folder = write(tmp_path / "given")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    for sources in ([folder], list(folder.iterdir()), [zipped(tmp_path / "a.zip", files(folder))]):
        with pytest.raises(InputError, match=r"hidden programs when opened \(adapter_model\.bin\)"):
            take(*sources)
    (folder / "adapter_model.bin").unlink()
    with pytest.raises(InputError, match=r"adapter_model\.safetensors is not there"):
        take(folder)


def test_archives_that_mean_no_good(take: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = files(write(tmp_path / "given"))
    for odd in ("../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:/evil"):
        with pytest.raises(InputError, match="lead out of its folder"):
            take(zipped(tmp_path / "out.zip", {**good, odd: b"x"}))
    assert not (tmp_path / "evil").exists()
    bomb = {**good, "adapter_model.safetensors": bytes(50 * 1024**2)}
    with pytest.raises(InputError, match=r"adapter_model\.safetensors has more than 10 MB"):
        take(zipped(tmp_path / "bomb.zip", bomb))
    with pytest.raises(InputError, match=r"adapter_config\.json has more than 1 MB"):
        take(zipped(tmp_path / "bomb.zip", {**good, "adapter_config.json": b" " * 2 * 1024**2}))
    with pytest.raises(InputError, match="several adapters"):
        take(zipped(tmp_path / "two.zip", {f"{one}/{name}": content for one in "ab" for name, content in good.items()}))
    monkeypatch.setattr(adapter_files, "LISTED_BYTES", 10_000)
    with pytest.raises(InputError, match="too many files"):
        take(zipped(tmp_path / "many.zip", {**good, **{f"file{n}": b"" for n in range(400)}}))
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 nothing of the kind")
    with pytest.raises(InputError, match="damaged or breaks off"):
        take(tmp_path / "no.zip")


def test_the_model_is_the_persons_choice(take: Callable[..., str], settings: Settings, tmp_path: Path) -> None:
    catalog = Catalog(settings)
    for named in ("attacker/model", "/etc", None, ["starter"], 7):
        folder = write(tmp_path / "given", base_model_name_or_path=named)
        assert suggest(catalog, "me", [folder]) is None
        with pytest.raises(InputError, match="Choose the model"):
            take(folder, model_id="")
    folder = write(tmp_path / "given", base_model_name_or_path="starter")
    assert suggest(catalog, "me", [folder]) == suggest(catalog, "me", [zipped(tmp_path / "a.zip", files(folder))]) == "starter"
    with pytest.raises(InputError, match="does not fit starter"):  # it says so, and is not
        take(folder, model_id="")
    assert suggest(catalog, "me", [tmp_path / "nowhere.zip"]) is None


def earlier(folder: Path, **changed: Any) -> AdapterRef:
    weights = folder / "adapter_model.safetensors"
    import hashlib

    ref = {"run_id": "a" * 12, "name": "First", "path": folder, "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    return AdapterRef(**{**ref, "model": ModelRef("starter", "/nowhere", None, 512), "quantised": False, **changed})


def test_a_run_that_goes_on_takes_the_adapters_shape(tmp_path: Path) -> None:
    first = earlier(write(tmp_path / "given", target_modules=["v_proj", "q_proj"]))
    found = beginning.settings_of(first, {"learning_rate": 1e-3, "method": "qlora", "target_modules": ["q_proj", "v_proj"]})
    assert (found["method"], found["lora_r"], found["lora_alpha"], found["learning_rate"]) == ("qlora", 4, 8, 1e-3)
    for settings in (
        {"lora_r": 8},
        {"lora_alpha": 9},
        {"method": "ia3"},
        {"method": "full"},
        {"target_modules": "all-linear"},
        {"use_dora": True},
    ):
        with pytest.raises(SettingsError, match="as in “First”"):
            beginning.settings_of(first, settings)
    with pytest.raises(SettingsError, match="“First” taught starter"):
        beginning.settings_of(first, {"model": "Qwen/Qwen3-0.6B"})
    with pytest.raises(WrongState, match="taught the whole model"):
        beginning.settings_of(earlier(tmp_path / "given", whole=True), {})
    assert beginning.settings_of(earlier(tmp_path / "given", quantised=True), {})["method"] == "qlora"


def test_its_copy_is_checked(tmp_path: Path) -> None:
    first = earlier(write(tmp_path / "given"))
    (tmp_path / "run").mkdir()
    beginning.copy(first, tmp_path / "run", 0.3)
    assert read_json(tmp_path / "run" / "start" / "adapter_config.json")["lora_dropout"] == 0.3
    (tmp_path / "other").mkdir()
    with pytest.raises(PlaygroundError, match="has been changed"):
        beginning.copy(earlier(tmp_path / "given", sha256="0" * 64), tmp_path / "other", None)
