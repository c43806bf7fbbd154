"""The shipped starter model: its shape, its size and its tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from playground.starter import chatml, tokenizer

FOLDER = Path(__file__).parents[2] / "assets" / "starter" / "language-model"
needs_asset = pytest.mark.skipif(not (FOLDER / "tokenizer.json").is_file(), reason="the starter model is not there")


@pytest.fixture(scope="module")
def shipped() -> Tokenizer:
    return Tokenizer.from_file(str(FOLDER / "tokenizer.json"))


@needs_asset
def test_dimensions_are_multiples_of_64_and_the_folder_is_small():
    config = json.loads((FOLDER / "config.json").read_text())
    for name in ("hidden_size", "intermediate_size", "vocab_size", "head_dim"):
        assert config[name] % 64 == 0
    assert config["tie_word_embeddings"] and config["max_position_embeddings"] == 1024
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 25_000_000


@needs_asset
def test_weights_are_bfloat16():
    from safetensors import safe_open

    with safe_open(FOLDER / "model.safetensors", "pt") as file:
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"BF16"}  # noqa: SIM118


@needs_asset
@given(text=st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_tokenizer_round_trips_any_text(shipped, text):
    for token in chatml.SPECIAL_TOKENS:
        text = text.replace(token, "")
    assert shipped.decode(shipped.encode(text).ids) == text


@needs_asset
def test_special_tokens_are_single_and_first(shipped):
    assert [shipped.token_to_id(token) for token in chatml.SPECIAL_TOKENS] == [0, 1, 2, 3]
    assert shipped.get_vocab_size() == tokenizer.VOCABULARY
    assert shipped.encode("<|im_start|>user").ids[0] == 2
    assert len(shipped.encode("2024").ids) == 4


@needs_asset
def test_chat_template_writes_what_training_saw():
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(FOLDER)
    chat = chatml.exchange("Hello", "Hi!", system="Be kind.")
    messages = [turn._asdict() for turn in chat]
    assert loaded.apply_chat_template(messages, tokenize=False) == chatml.render(chat)
    opened = loaded.apply_chat_template(messages[:2], tokenize=False, add_generation_prompt=True)
    assert opened == chatml.render(chat[:2]) + "<|im_start|>assistant\n"
    assert loaded.eos_token == chatml.TURN_END and loaded.pad_token == chatml.PAD
    assert loaded.bos_token is None


def test_a_fresh_tokenizer_has_the_special_tokens_first():
    fresh = tokenizer.train(["once upon a time there was a small cat " * 20], vocabulary=300)
    assert [fresh.token_to_id(token) for token in chatml.SPECIAL_TOKENS] == [0, 1, 2, 3]
    assert fresh.decode(fresh.encode("a cat, ação 12").ids) == "a cat, ação 12"
