"""The starter model's shape: a small Llama (Touvron et al. 2023, arXiv 2302.13971) in transformers' own class.

Knows dimensions only.
"""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from .chatml import PAD, SPECIAL_TOKENS, TURN_END

CONTEXT = 1024


def config(vocabulary: int) -> LlamaConfig:
    """About 8 million parameters; every linear dimension is a multiple of 64, as blockwise 4-bit weights like it."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=64,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        rope_theta=10_000.0,
        rms_norm_eps=1e-5,
        bos_token_id=None,
        eos_token_id=SPECIAL_TOKENS.index(TURN_END),
        pad_token_id=SPECIAL_TOKENS.index(PAD),
        initializer_range=0.02,
    )


def build(vocabulary: int, seed: int) -> LlamaForCausalLM:
    """A fresh model in float32; the outputs of each block start small, for depth's sake (Radford et al. 2019)."""
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config(vocabulary))
    layers = model.config.num_hidden_layers
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter.mul_((2 * layers) ** -0.5)
    return model
