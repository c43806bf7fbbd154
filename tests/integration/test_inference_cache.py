"""Keys and values with room to spare: the same answers as with Transformers' own cache, without copying all of it at every token."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, T5Config, T5ForConditionalGeneration

from playground.inference import cache as cache_module
from playground.inference.cache import SpareLayer, spare_cache
from playground.inference.generate import GenerationSettings
from playground.inference.host import Host
from playground.models.catalog import ModelRef
from playground.models.loading import load
from tests.integration.test_inference_host import SHORT, pane, whole

IDS = torch.tensor([[1, 1, 5, 9, 33, 120], [7, 7, 260, 40, 2, 8], [1, 5, 9, 33, 120, 11]])
MASK = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1]])


def written(model: Any, **options: Any) -> Any:
    with torch.inference_mode():
        return model.generate(
            IDS, attention_mask=MASK, max_new_tokens=40, min_new_tokens=40, do_sample=False, output_logits=True,
            return_dict_in_generate=True, pad_token_id=1, **options,
        )  # fmt: skip


@pytest.mark.parametrize("spare", [1, 7, 64])
def test_answers_are_those_of_transformers_own_cache(tiny_ref: ModelRef, monkeypatch: pytest.MonkeyPatch, spare: int) -> None:
    monkeypatch.setattr(cache_module, "SPARE", spare)  # so that it must grow: at every second token, some times, never
    model = load(tiny_ref, False, "cpu")
    cache = spare_cache(model)
    ours, theirs = written(model, past_key_values=cache), written(model)
    assert ours.sequences.tolist() == theirs.sequences.tolist()
    torch.testing.assert_close(torch.stack(ours.logits), torch.stack(theirs.logits))
    for own, other in zip(cache.layers, theirs.past_key_values.layers, strict=True):  # type: ignore[union-attr]
        torch.testing.assert_close(own.keys, other.keys)
        torch.testing.assert_close(own.values, other.values)


def test_heads_that_share_their_keys_answer_the_same() -> None:
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=300, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2
    )
    model = LlamaForCausalLM(config).eval()
    assert written(model, past_key_values=spare_cache(model)).sequences.tolist() == written(model).sequences.tolist()


def test_a_new_token_copies_nothing_that_was_there() -> None:
    layer, states = SpareLayer(), torch.randn(3, 2, 70, 8)
    places = set()
    for start, end in [(0, 6), *((place, place + 1) for place in range(6, 70))]:
        keys, values = layer.update(states[:, :, start:end], -states[:, :, start:end])
        places.add((keys.data_ptr(), values.data_ptr()))
        assert keys.equal(states[:, :, :end]) and values.equal(-states[:, :, :end])
    assert len(places) == 1, "the tensors stay where they are"
    assert layer.get_seq_length() == 70
    layer.reset()
    assert layer.update(states[:, :, :2], states[:, :, :2])[0].equal(states[:, :, :2])


def test_models_that_keep_less_or_more_have_their_own() -> None:
    small = {"vocab_size": 30, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    assert spare_cache(MistralForCausalLM(MistralConfig(**small, sliding_window=8, num_key_value_heads=2))) is None
    assert spare_cache(T5ForConditionalGeneration(T5Config(vocab_size=30, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2))) is None


def test_whoever_asks_is_answered_with_it(host: Host, tiny_ref: ModelRef, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    own = spare_cache
    monkeypatch.setattr(cache_module, "spare_cache", lambda model: made.append(own(model)) or made[-1])
    long = GenerationSettings(max_new_tokens=90)  # more than is spare
    with_it = whole(host.stream([pane("x", tiny_ref)], long))["x"]
    assert len(made) == 1 and made[0].get_seq_length() >= with_it.prompt_tokens + with_it.tokens - 1 > SHORT.max_new_tokens
    monkeypatch.setattr(cache_module, "spare_cache", lambda model: None)
    assert whole(host.stream([pane("x", tiny_ref)], long))["x"].text == with_it.text
