"""Which models there are, and the sentence for each that cannot be had."""

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from playground.errors import ModelUnavailable, NotFound
from playground.models import hub
from playground.models.catalog import Catalog, ModelRef, memory_needed
from playground.models.folder import parameters_of, tensor_shapes, window_of
from playground.models.known import KNOWN
from playground.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]
CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 777}
SMALL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def safetensors(shapes: dict[str, tuple[int, ...]]) -> bytes:
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


def model(folder: Path, **files: bytes | None) -> Path:
    """A folder that looks like a model from outside; `files` replaces one, or leaves it out when None."""
    content = {
        "config.json": json.dumps(CONFIG).encode(),
        "tokenizer.json": b"{}",
        "model.safetensors": safetensors({"a": (64, 128), "b": (5,)}),
    }
    content |= {name.replace("__", ".").replace("0", "-"): value for name, value in files.items()}  # type: ignore[misc]
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in content.items():
        if value is not None:
            (folder / name).write_bytes(value)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of Hub files, no token, no network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub, "_ping", lambda: False)
    monkeypatch.setattr(hub, "has_token", lambda: False)
    monkeypatch.setattr(hub, "offline", lambda: False)
    return tmp_path / "hub"


def put_in_cache(cache: Path, id: str, commit: str = "a" * 40) -> Path:
    folder = cache / f"models--{id.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    return model(folder / "snapshots" / commit)


def listed(catalog: Catalog) -> dict[str, tuple[bool, str]]:
    """The list, once what is looked up in the background is known."""
    catalog._looked.wait(10)
    catalog._network.reachable(wait=5)
    return {one.id: (one.available, str(one.reason)) for one in catalog.list()}


def refusal(catalog: Catalog, id: str) -> str:
    with pytest.raises((ModelUnavailable, NotFound)) as caught:
        catalog.resolve(id)
    return str(caught.value)


def test_the_starter_is_read_without_loading_it(cache: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", assets=tmp_path / "assets")
    missing = Catalog(settings)
    assert missing.list()[0].available is False and "missing" in missing.list()[0].reason and "missing" in refusal(missing, "starter")
    model(settings.starter)
    catalog = Catalog(settings)
    starter = catalog.list()[0]
    assert (starter.id, starter.available, starter.parameters, starter.kind) == ("starter", True, 64 * 128 + 5, "starter")
    assert catalog.resolve("starter").window == 777 and catalog.resolve("starter").revision is None
    assert json.dumps(starter.to_dict())


def test_without_a_network_the_cache_still_serves(cache: Path, settings: Settings) -> None:
    put_in_cache(cache, SMALL)
    shutil.rmtree(put_in_cache(cache, "Qwen/Qwen3-0.6B") / "nowhere", ignore_errors=True)
    next(cache.glob("models--Qwen*/snapshots/*/model.safetensors")).unlink()
    catalog = Catalog(settings)
    known = listed(catalog)
    assert known[SMALL] == (True, "On this machine.")
    assert known["Qwen/Qwen3-0.6B"][0] is False and "cannot be reached" in known["Qwen/Qwen3-0.6B"][1]
    ref = catalog.resolve(SMALL)
    assert (ref.source, ref.revision, ref.window) == (SMALL, "a" * 40, 777)
    assert "cannot be reached" in refusal(catalog, "Qwen/Qwen2.5-0.5B-Instruct")


def test_switched_off_downloads_are_told_as_such(cache: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "offline", lambda: True)
    monkeypatch.setattr(hub, "_ping", lambda: pytest.fail("nobody may be asked"))
    catalog = Catalog(settings)
    assert "HF_HUB_OFFLINE" in listed(catalog)[SMALL][1] and "HF_HUB_OFFLINE" in refusal(catalog, "some/model")


def test_with_a_network_models_can_be_had_unless_gated_or_too_large(
    cache: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_ping", lambda: True)
    monkeypatch.setattr("playground.models.catalog.machine", lambda: {"cores": 2, "memory_mb": 4000, "gpu": None, "gpu_memory_mb": None})
    known = listed(Catalog(settings))
    assert known[SMALL][0] and "257 MB" in known[SMALL][1]
    assert not known["google/gemma-3-270m-it"][0] and "licence" in known["google/gemma-3-270m-it"][1]
    assert not known["Qwen/Qwen2.5-1.5B-Instruct"][0] and "memory" in known["Qwen/Qwen2.5-1.5B-Instruct"][1]
    assert not known["meta-llama/Llama-2-7b-hf"][0] and "GPU" in known["meta-llama/Llama-2-7b-hf"][1]
    monkeypatch.setattr(hub, "has_token", lambda: True)
    monkeypatch.setattr(
        "playground.models.catalog.machine", lambda: {"cores": 2, "memory_mb": 64_000, "gpu": "A GPU", "gpu_memory_mb": 16_000}
    )
    assert all(available for id, (available, _) in listed(Catalog(settings)).items() if id != "starter")


@pytest.mark.parametrize("slow", ["network", "driver"])
def test_the_list_never_waits(cache: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, slow: str) -> None:
    import huggingface_hub  # noqa: F401

    target = "playground.models.hub._ping" if slow == "network" else "playground.models.catalog.machine"
    monkeypatch.setattr(target, lambda: time.sleep(3))
    catalog = Catalog(settings)
    for _ in range(3):
        started = time.perf_counter()
        lines = catalog.list()
        assert time.perf_counter() - started < 0.1
        assert len(lines) == len(KNOWN) + 1
        assert "looked up" in next(one.reason for one in lines if one.id == SMALL)


def test_a_network_that_never_answers_counts_as_none(cache: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_ping", lambda: time.sleep(5) or True)
    monkeypatch.setattr(hub, "PROBE_SECONDS", 0.3)
    started = time.perf_counter()
    assert "cannot be reached" in refusal(Catalog(settings), SMALL)
    assert time.perf_counter() - started < 2


def test_the_network_is_asked_once_a_minute(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(hub, "_ping", lambda: asked.append(1) or True)
    network = hub.Network()
    assert [network.reachable(wait=2) for _ in range(5)] == [True] * 5 and len(asked) == 1
    monkeypatch.setattr(hub, "REMEMBER_SECONDS", 0)
    network.reachable()
    time.sleep(0.1)
    assert len(asked) == 2


@pytest.mark.parametrize(
    "id", ["", "  ", "a b", "no-slash", "a/b/c", "../etc", "a/../b", "https://x.y/z", "-x/y", "a/b.git", "local", None, 5]
)
def test_ids_without_a_meaning(cache: Path, settings: Settings, id: object) -> None:
    with pytest.raises(NotFound):
        Catalog(settings).resolve(id)  # type: ignore[arg-type]


def test_folders_on_this_machine(cache: Path, settings: Settings, tmp_path: Path) -> None:
    catalog = Catalog(settings)
    good = model(tmp_path / "good")
    ref = catalog.resolve(f"local:{good}")
    assert (ref.id, ref.source, ref.window) == (f"local:{good}", str(good), 777)
    assert "whole path" in refusal(catalog, "local:good") and "no folder" in refusal(catalog, "local:/nowhere/at/all")
    t5 = json.dumps({"architectures": ["T5ForConditionalGeneration"]}).encode()
    cut = safetensors({"a": (64, 128)})[:-10]
    cases: dict[str, dict[str, bytes | None]] = {
        "config.json": {"config__json": None},
        "config.json that can be read": {"config__json": b"not json"},
        "not a model that writes text": {"config__json": t5},
        "lacks model.safetensors": {"model__safetensors": None},
        "hidden programs": {"model__safetensors": None, "pytorch_model__bin": b"x"},
        "tokenizer.json": {"tokenizer__json": None},
        "damaged": {"model__safetensors": cut},
    }
    for number, (words, files) in enumerate(cases.items()):
        assert words in refusal(catalog, f"local:{model(tmp_path / str(number), **files)}"), words
    shared = Catalog(replace(settings, mode="shared"))
    assert "closed to visitors" in refusal(shared, f"local:{good}")


def test_strangers_choose_from_the_list_only(cache: Path, settings: Settings) -> None:
    assert "not on this playground's list" in refusal(Catalog(replace(settings, mode="shared")), "someone/private-model")


def test_weights_in_several_files(tmp_path: Path) -> None:
    parts = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    folder = model(tmp_path / "m", model__safetensors=None)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    (folder / "model-1.safetensors").write_bytes(safetensors({"a": (3, 4)}))
    assert parameters_of(folder) is None
    (folder / "model-2.safetensors").write_bytes(safetensors({"b": (5,)}))
    assert parameters_of(folder) == 17
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../../etc/passwd"}}))
    assert parameters_of(folder) is None


@pytest.mark.parametrize(
    "content", [b"", b"1234567", struct.pack("<Q", 2**60), struct.pack("<Q", 4) + b"nope", struct.pack("<Q", 2) + b"[]"]
)
def test_damaged_weights_are_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(ModelUnavailable, match="damaged"):
        list(tensor_shapes(file))


def test_windows_and_memory() -> None:
    assert window_of({"n_positions": 1024}) == 1024 and window_of({}) == 2048
    assert window_of({"text_config": {"max_position_embeddings": 32768}}) == 32768
    seen = {"text_config": {"model_type": "gemma3_text", "sliding_window": 512}}
    assert ModelRef.of("a", "a", None, seen).sliding_window == 512 and ModelRef.of("a", "a", None, {}).sliding_window is None
    assert memory_needed(None, gpu=False) is None
    assert memory_needed(1_000_000_000, gpu=False) > memory_needed(1_000_000_000, gpu=True)  # type: ignore[operator]


HUB = """
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FILES = {file.name: file.read_bytes() for file in Path(sys.argv[1]).iterdir()}
T5 = json.dumps({"architectures": ["T5ForConditionalGeneration"]}).encode()
REPOS = {
    "org/good": FILES,
    "org/gated": FILES,
    "org/pickle": {**{n: c for n, c in FILES.items() if not n.endswith(".safetensors")}, "pytorch_model.bin": b"x"},
    "org/t5": {**FILES, "config.json": T5},
}

class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass
    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **{n.replace("_", "-"): v for n, v in headers.items()}}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET": self.wfile.write(body)
    def do_HEAD(self): self.do_GET()
    def do_GET(self):
        parts = self.path.split("?")[0].strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        id = "/".join(parts[2:4] if api else parts[:2])
        if id == "org/broken": return self.answer(500)
        if len(parts) > 1 and id not in REPOS: return self.answer(401, X_Error_Code="RepoNotFound")
        if api and parts[4:5] == ["tree"]:
            tree = [{"type": "file", "path": n, "size": len(c), "oid": "0" * 40} for n, c in REPOS[id].items()]
            return self.answer(200, json.dumps(tree).encode())
        if api:
            siblings = [{"rfilename": n, "size": len(c), "blobId": "0" * 40} for n, c in REPOS[id].items()]
            about = {"id": id, "sha": "b" * 40, "siblings": siblings, "tags": [], "gated": id == "org/gated"}
            return self.answer(200, json.dumps(about).encode())
        if len(parts) < 2: return self.answer(200)
        if id == "org/gated": return self.answer(403, X_Error_Code="GatedRepo")
        body = REPOS[id][parts[-1]]
        self.answer(200, body, ETag='"' + str(hash(body)) + '"', X_Repo_Commit="b" * 40)

server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()

import os
os.environ |= {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HUB_CACHE": sys.argv[2], "HF_HUB_DISABLE_XET": "1"}
from playground.errors import PlaygroundError
from playground.models.catalog import Catalog
from playground.models.loading import folder_of
from playground.settings import Settings
catalog = Catalog(Settings(home=Path(sys.argv[2])))
told = {}
for id in ["org/good", "org/gated", "org/pickle", "org/t5", "org/none", "org/broken"]:
    try:
        ref = catalog.resolve(id)
        folder = folder_of(ref)
        told[id] = [ref.revision, ref.window, sorted(file.name for file in folder.iterdir()), catalog.resolve(id) == ref]
    except PlaygroundError as error:
        told[id] = f"{type(error).__name__}: {error}"
print(json.dumps(told))
"""


def test_every_answer_of_the_hub_is_a_sentence(tmp_path: Path) -> None:
    """Against a server that answers as the Hub does, with the real client library."""
    source = model(tmp_path / "source", README__md=b"x", extra__bin=b"x")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("HF_") and "proxy" not in key.lower()}
    environ |= {"HF_TOKEN": "hf_secretsecretsecret", "HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": str(PROJECT), "NO_PROXY": "127.0.0.1"}
    script = tmp_path / "hub.py"
    script.write_text(HUB)
    done = subprocess.run(
        [sys.executable, str(script), str(source), str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        timeout=60,
        env=environ,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["org/good"] == ["b" * 40, 777, ["config.json", "model.safetensors", "tokenizer.json"], True]
    assert "licence" in told["org/gated"] and "org/gated" in told["org/gated"]
    assert "hidden programs" in told["org/pickle"] and "writes text" in told["org/t5"]
    assert "There is no model org/none" in told["org/none"] and "cannot be reached" in told["org/broken"]
    assert "hf_secret" not in done.stdout + done.stderr
    assert all(text.startswith("ModelUnavailable: ") for id, text in told.items() if id != "org/good")
