"""Cross-entropy of a frozen output layer's scores against the tokens that were to come, with the gradient made in the same pass.

Scores of all positions against the whole vocabulary are the largest thing that a small model holds; here they are made, and forgotten, a
few hundred positions at a time (Hsu et al., "Liger Kernel", 2024, arXiv:2410.10989, does so on GPUs). Imports torch, so only the worker
imports it.
"""

from __future__ import annotations

from typing import Any

import torch

from playground.training.defaults import SCORED_AT_ONCE

PART = SCORED_AT_ONCE


def summed_loss(hidden: torch.Tensor, layer: Any, targets: torch.Tensor, count: int, dtype: torch.dtype) -> torch.Tensor:
    """-Σ log softmax(layer(hidden))[target] over the first `count` of (positions, width); the others do not count.

    Args:
        layer: a `torch.nn.Linear`; where it learns itself, the scores are made all at once.
    """
    if type(layer) is torch.nn.Linear and not layer.weight.requires_grad and layer.bias is None:
        return _InParts.apply(hidden, layer.weight, targets, count, dtype)
    scores = layer(hidden[:count])
    return torch.nn.functional.cross_entropy(scores.float(), targets[:count], reduction="sum")


class _InParts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Any, weight: Any, targets: Any, count: int, dtype: Any) -> Any:
        rows, table = hidden.to(dtype), weight.to(dtype)
        below = torch.empty_like(rows)
        loss = hidden.new_zeros((), dtype=torch.float32)
        for start in range(0, len(rows), PART):
            part, wanted = rows[start : start + PART], targets[start : start + PART].unsqueeze(1)
            logs = torch.log_softmax(part @ table.t(), -1, dtype=torch.float32)
            real = max(0, min(len(part), count - start))
            loss -= logs.gather(1, wanted)[:real].sum()
            if hidden.requires_grad:
                gradient = logs.exp_()
                gradient.scatter_add_(1, wanted, gradient.new_full((len(wanted), 1), -1.0))
                gradient[real:] = 0
                torch.mm(gradient.to(dtype), table, out=below[start : start + PART])
        ctx.save_for_backward(below)
        ctx.dtype = hidden.dtype
        return loss

    @staticmethod
    def backward(ctx: Any, above: Any) -> Any:
        (below,) = ctx.saved_tensors
        return below.to(ctx.dtype) * above, None, None, None, None
