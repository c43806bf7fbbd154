"""Encoding in bfloat16 where the processor multiplies it in hardware: half the bytes, twice the speed, and the same vectors.

What a text model computes is averaged and brought to length one, in 32 bits; only its layers work in 16. Whether the vectors really are
the same is tried on a few texts before it is trusted, and 32 bits stay where they are not. Knows models, no passages.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

SAME = 0.999  # cosine to the vectors of 32 bits, the least of all probes
PROBES = (
    "When does the library open on Sundays?",
    "A biblioteca abre às nove horas e fecha às seis, menos aos domingos.",
    "The frog jumped out of the well, and the princess, who had lost her golden ball, promised him whatever he wished. " * 12,
    "42",
)


def fast_here() -> bool:
    """Whether this processor has instructions for bfloat16 (AVX512-BF16 or AMX); with a graphics card the question does not arise."""
    import torch

    supported = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return not torch.cuda.is_available() and any(ask() for ask in supported if ask is not None)


def hasten(model: Any, *, try_it: bool | None = None) -> bool:
    """Let a sentence-transformers model work in bfloat16, if this is faster here and its vectors stay the same; tells whether it does.

    Args:
        try_it: instead of asking the processor.
    """
    import torch

    first = model[0]
    if type(first).__name__ != "Transformer" or not (fast_here() if try_it is None else try_it):
        return False
    before = _vectors(model)
    weights = {name: value.clone() for name, value in first.state_dict().items()}
    first.to(torch.bfloat16)
    hook = first.register_forward_hook(_widened)
    worst = float((before * _vectors(model)).sum(axis=1).min())
    if worst >= SAME:
        return True
    log.info("an embedder stays in 32 bits: in 16 its vectors have a cosine of %.4f to the right ones", worst)
    hook.remove()
    first.to(torch.float32)
    first.load_state_dict(weights)  # what was rounded does not come back by itself
    return False


def _vectors(model: Any) -> np.ndarray:
    vectors = model.encode(list(PROBES), convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float64)


def _widened(module: Any, inputs: Any, features: dict[str, Any]) -> dict[str, Any]:
    """What the layers gave, for the modules after them, in 32 bits."""
    return {key: value.float() if getattr(value, "is_floating_point", bool)() else value for key, value in features.items()}
