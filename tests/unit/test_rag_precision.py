"""Vectors in 16 bits are those of 32 or are not used: tried with a small model of random weights, and with one that 16 bits spoil."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.rag import precision
from playground.settings import PROJECT

TEXTS = ["When does it open?", "It opens at nine.", "Tea costs three pounds, and coffee four. " * 20]


@pytest.fixture
def model(tmp_path: Path) -> Any:
    """A small BERT with a tokenizer of ours, mean pooling and length one."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, set_seed

    set_seed(1)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(PROJECT / "assets/starter/embedder/tokenizer.json"), pad_token="[PAD]")
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128, "initializer_range": 0.2}
    BertModel(BertConfig(vocab_size=len(tokenizer), **shape)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return SentenceTransformer(modules=[Transformer(str(tmp_path)), Pooling(64), Normalize()]).float().eval()


def vectors(model: Any) -> np.ndarray:
    return np.asarray(model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False))


def test_the_same_vectors_in_half_the_bits(model: Any) -> None:
    import torch

    before = vectors(model)
    assert precision.hasten(model, try_it=True)
    assert next(model[0].parameters()).dtype == torch.bfloat16
    after = vectors(model)
    assert after.dtype == np.float32 and (before * after).sum(axis=1).min() > 0.999
    assert np.linalg.norm(after, axis=1) == pytest.approx(1, abs=1e-5)


def test_what_16_bits_spoil_stays_in_32(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    before = vectors(model)
    monkeypatch.setattr(precision, "SAME", 1.1)
    assert not precision.hasten(model, try_it=True)
    assert next(model[0].parameters()).dtype == torch.float32
    assert np.array_equal(vectors(model), before), "not a bit of it is lost"


def test_a_processor_without_it_is_left_alone(model: Any) -> None:
    assert not precision.hasten(model, try_it=False)
