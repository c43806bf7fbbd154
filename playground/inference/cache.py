"""The keys and values that a model keeps of a batch's tokens, with spare room, so that a new token does not copy all before it.

Transformers' own joins the old and the new into a fresh tensor in every layer at every token, which takes a third of the time of a batch
of thirty. Does not know rows, adapters or what is written.
"""

from __future__ import annotations

import inspect
from typing import Any

from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

SPARE = 64  # tokens for which there is room before all is copied once


class SpareLayer(DynamicLayer):
    """As its parent, whose tensors are here the used part of larger ones: (rows, heads, tokens, width)."""

    keys: Any
    values: Any
    is_initialized: bool
    _keys: Any
    _values: Any

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        before, new = self.keys.shape[-2] if self.is_initialized else 0, key_states.shape[-2]
        after = before + new
        if not before or after > self._keys.shape[-2]:
            self._keys, self._values = _larger(self.keys, key_states, after), _larger(self.values, value_states, after)
            self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
        self._keys.narrow(-2, before, new).copy_(key_states)
        self._values.narrow(-2, before, new).copy_(value_states)
        self.keys, self.values = self._keys.narrow(-2, 0, after), self._values.narrow(-2, 0, after)
        return self.keys, self.values


def spare_cache(model: Any) -> DynamicCache | None:
    """A cache for one batch of a model that keeps all its tokens in the plain way; None for any other, which makes its own."""
    if model.config.is_encoder_decoder or "past_key_values" not in inspect.signature(model.forward).parameters:
        return None
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    if any(type(layer) is not DynamicLayer for layer in cache.layers):
        return None
    cache.layers = [SpareLayer() for _ in cache.layers]
    return cache


def _larger(old: Any, like: Any, tokens: int) -> Any:
    """Room for so many tokens and some to spare, shaped as `like`, that begins with what there is."""
    made = like.new_empty((*like.shape[:-2], tokens + SPARE, like.shape[-1]))
    if old is not None:
        made.narrow(-2, 0, old.shape[-2]).copy_(old)
    return made
