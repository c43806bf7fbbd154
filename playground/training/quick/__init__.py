"""Training on a processor without wasted work: the same sums, fewer passes over memory.

Five things cost time on a processor that cost little on a GPU. The frozen weights are unpacked from 4 bits, or rounded to 16 bits, anew in
each pass: here it is done once. An adapter's share is scaled and added in passes of its own: here it is added inside the product.
Attention in 16 bits is slower than in 32 for short texts: here it runs in 32. Rows of a batch are padded to one length: here they lie side
by side, and only attention keeps them apart. Every position is scored against the whole vocabulary: here only those that are learned.

Norms and gates keep what they read,
not what lies between.

Knows nothing of runs. Imports torch, so only the worker imports it.
"""

from __future__ import annotations

from typing import Any

import torch

from playground.training import circumstances
from playground.training.batches import ROUND
from playground.training.quick.adapters import fuse, unpack
from playground.training.quick.attention import Attention
from playground.training.quick.blocks import Turning, slim
from playground.training.quick.scores import summed_loss

__all__ = ["Quick", "fuse", "side_by_side", "slim", "suits", "unpack"]

SCALED = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")


class Quick:
    """The training pass of one model on a processor. `flat`: rows come side by side (`batches.SideBySide`) instead of padded."""

    def __init__(self, causal: Any, dtype: torch.dtype, flat: bool) -> None:
        self._causal, self._dtype, self._attention = causal, dtype, None
        if causal.config._attn_implementation == "sdpa":
            self._attention = Attention(dtype is torch.bfloat16)
            self._attention.give_to(causal)
        self.flat = flat and self._attention is not None
        self._turning = Turning(causal, dtype)

    def loss(self, inputs: dict[str, Any]) -> tuple[torch.Tensor, int]:
        """(summed loss over what is learned, how many tokens that is). Padding, where there is any, stands on the right."""
        targets = inputs["labels"][:, 1:]
        learned = targets != -100
        lengths = inputs.get("lengths")
        if self._attention is not None:
            self._attention.begin(None if lengths is None else lengths.tolist())
            self._attention.building = lengths is not None
        # what is computed a second time on the way back would find it off, and something else than was kept
        self._turning.on = not getattr(self._causal, "is_activation_checkpointing", False)
        try:
            hidden = (
                self._causal.base_model(input_ids=inputs["input_ids"], position_ids=inputs.get("position_ids"), use_cache=False)
                .last_hidden_state[:, :-1]
                .flatten(0, 1)
            )
        finally:
            self._turning.on = False
            if self._attention is not None:
                self._attention.building = False
        places = learned.flatten().nonzero().squeeze(1)
        count = len(places)
        places = torch.cat([places, places[:1].expand(-count % ROUND)])
        layer = self._causal.get_output_embeddings()
        return summed_loss(hidden.index_select(0, places), layer, targets.flatten()[places], count, self._dtype), count


def suits(causal: Any) -> bool:
    """Whether a model's loss is that of its last layer's plain scores, so that `Quick` computes the same."""
    text = causal.config.get_text_config()
    return all(getattr(text, name, None) in (None, 1.0) for name in SCALED) and not getattr(text, "output_router_logits", False)


def side_by_side(causal: Any, longest: int) -> bool:
    """Whether rows of at most `longest` tokens of this model can be laid side by side."""
    text = causal.config.get_text_config()
    return circumstances.side_by_side(text.model_type, getattr(text, "sliding_window", None), longest)
