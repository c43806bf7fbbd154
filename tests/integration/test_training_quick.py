"""The quick passes of a processor compute what the libraries compute, for every kind of model that they are used with."""

from __future__ import annotations

import os
from typing import Any

import pytest

from playground.models.folder import sliding_window_of
from playground.training.circumstances import SIDE_BY_SIDE

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
LENGTHS = (3, 70, 1, 130, 64, 20)


def model_of(kind: str) -> Any:
    """A random model of two layers with adapters on all linear layers, whose second half is not zero."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(1)
    options: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": 1, "tie_word_embeddings": False}
    config = AutoConfig.for_model(
        kind, vocab_size=160, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        head_dim=16, max_position_embeddings=512, initializer_range=0.2, **options,
    )  # fmt: skip
    model = get_peft_model(AutoModelForCausalLM.from_config(config), LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    return model.train()


def rows() -> list[dict[str, Any]]:
    import torch

    chance = torch.Generator().manual_seed(3)
    made = []
    for length in LENGTHS:
        ids = torch.randint(2, 160, (length,), generator=chance).tolist()
        made.append({"input_ids": ids, "labels": [-100] * (length // 3) + ids[length // 3 :]})
    return made


def gradient(model: Any) -> Any:
    import torch

    found = torch.cat([weight.grad.float().flatten() for weight in model.parameters() if weight.requires_grad])
    model.zero_grad()
    return found


@pytest.mark.parametrize("sixteen", [True, False], ids=["16-bit", "32-bit"])
@pytest.mark.parametrize("kind", SIDE_BY_SIDE)
def test_rows_side_by_side_are_as_if_each_stood_alone(kind: str, sixteen: bool) -> None:
    import torch

    from playground.training.batches import SideBySide
    from playground.training.quick import Quick, fuse, side_by_side, slim, suits

    model, dtype = model_of(kind), torch.bfloat16 if sixteen else torch.float32
    assert suits(model.get_base_model()) and side_by_side(model.get_base_model(), 130)
    total, learned = 0.0, 0
    for row in rows():
        if len(row["input_ids"]) == 1:
            continue
        count = sum(label != -100 for label in row["labels"][1:])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=sixteen):
            loss = model(input_ids=torch.tensor([row["input_ids"]]), labels=torch.tensor([row["labels"]])).loss * count
        loss.backward()
        total, learned = total + loss.item(), learned + count
    theirs = gradient(model)

    fuse(model, dtype)
    slim(model.get_base_model(), dtype)
    quick = Quick(model.get_base_model(), dtype, flat=True)
    assert quick.flat
    batch = SideBySide(0)(rows())
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=sixteen):
        loss, count = quick.loss(batch)
    loss.backward()
    assert count == learned and int(batch["real"]) == sum(LENGTHS) and batch["input_ids"].shape[1] % 128 == 0
    ours = gradient(model)
    assert loss.item() == pytest.approx(total, rel=0.01 if sixteen else 1e-4)
    assert torch.nn.functional.cosine_similarity(ours, theirs, dim=0) > (0.995 if sixteen else 0.99999)
    assert ours.norm().item() == pytest.approx(theirs.norm().item(), rel=0.03 if sixteen else 1e-3)


GEMMA = {
    "model_type": "gemma3_text", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "head_dim": 16,
    "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 32_768,
}  # fmt: skip


@pytest.mark.parametrize("kind", SIDE_BY_SIDE)
def test_how_far_a_model_looks_back_is_read_from_its_file_as_transformers_reads_it(kind: str) -> None:
    from transformers import AutoConfig

    for given in ({}, {"sliding_window": None}, {"sliding_window": 77}, {"sliding_window": 77, "use_sliding_window": True}):
        read = getattr(AutoConfig.for_model(kind, **given), "sliding_window", None)
        assert sliding_window_of({"model_type": kind, **given}) == read, given


def test_a_model_that_looks_back_in_other_ways_is_not_laid_side_by_side() -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    from playground.training.quick import side_by_side, suits

    mamba = AutoModelForCausalLM.from_config(
        AutoConfig.for_model("mamba", vocab_size=64, hidden_size=32, num_hidden_layers=1, state_size=4)
    )
    assert not side_by_side(mamba, 10)
    window = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(
            "mistral", vocab_size=64, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, sliding_window=16,
        )
    )  # fmt: skip
    assert side_by_side(window, 16) and not side_by_side(window, 17)
    assert not side_by_side(AutoModelForCausalLM.from_config(AutoConfig.for_model(**GEMMA, sliding_window=512)), 1024)
    scaled = AutoConfig.for_model(
        "gemma2", vocab_size=64, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
        head_dim=16,
    )  # fmt: skip
    assert not suits(AutoModelForCausalLM.from_config(scaled)), "its scores are bent before they are compared"
