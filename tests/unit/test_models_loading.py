"""Loading small models, whole and in 4-bit."""

import json
import os
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from playground.errors import ModelUnavailable
from playground.models.catalog import Catalog, ModelRef
from playground.models.loading import answering_threads, check_memory, cores, load
from playground.settings import Settings
from tests.helpers import make_tiny_model


@pytest.fixture(scope="module")
def ref(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    folder = make_tiny_model(tmp_path_factory.mktemp("model"))
    return Catalog(Settings(home=folder)).resolve(f"local:{folder}")


def test_a_model_is_loaded_whole_on_the_processor(ref: ModelRef) -> None:
    import torch

    model = load(ref, quantised=False, device="cpu")
    assert model.dtype == torch.float32 and not model.training and model.device.type == "cpu"
    assert torch.get_num_threads() == cores() and answering_threads(model) == 1


def test_four_bit_is_nf4_with_double_quantisation(ref: ModelRef) -> None:
    import bitsandbytes
    import torch

    model = load(ref, quantised=True, device="cpu")
    layer = model.model.layers[0].self_attn.q_proj
    assert isinstance(layer, bitsandbytes.nn.Linear4bit) and not isinstance(model.lm_head, bitsandbytes.nn.Linear4bit)
    config = model.config.quantization_config
    assert (config.bnb_4bit_quant_type, config.bnb_4bit_use_double_quant, config.bnb_4bit_compute_dtype) == ("nf4", True, torch.bfloat16)
    assert layer.weight.quant_state.nested
    with torch.inference_mode():
        assert torch.isfinite(model(torch.tensor([[5, 6, 7]])).logits).all()


def test_four_bit_is_refused_where_the_processor_cannot_multiply(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "odd", intermediate=96)
    ref = Catalog(Settings(home=tmp_path)).resolve(f"local:{folder}")
    with pytest.raises(ModelUnavailable, match="96 wide, which is no multiple of 64"):
        load(ref, quantised=True, device="cpu")
    assert load(ref, quantised=False, device="cpu").num_parameters() > 0


def test_too_little_memory_is_told_before_loading(ref: ModelRef, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = namedtuple("Memory", "available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(available=50 * 1024**2))
    with pytest.raises(ModelUnavailable, match="needs about 100 MB of memory, and this machine has 50 MB"):
        check_memory(ref, Path(ref.source), quantised=False)


def test_no_code_comes_along_with_a_model(ref: ModelRef, tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "evil")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    catalog = Catalog(Settings(home=tmp_path))
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load(catalog.resolve(f"local:{folder}"), quantised=False)
    assert not (tmp_path / "ran").exists()


def test_a_folder_that_went_away(ref: ModelRef, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no folder"):
        load(ModelRef("local:x", str(tmp_path / "x"), None, 10), quantised=False)
    assert os.cpu_count()
