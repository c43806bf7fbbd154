"""Training on a processor without wasted work: the same sums, fewer passes over memory.

Three things cost time on a processor that cost little on a GPU. The frozen weights are unpacked from 4 bits, or rounded to 16 bits, anew in
each pass: here it is done once. An adapter's share is scaled and added in passes of its own: here it is added inside the product. Attention
in 16 bits is slower than in 32 for short texts: here it runs in 32.

One thing would even be wrong: run without gradients, bitsandbytes reorders 4-bit weights in place for a product that has no backward pass,
so that training would silently lose gradients after a check on the validation rows. Computing with the unpacked weights avoids that.
Knows nothing of runs. Imports torch, so only the worker imports it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import linear

MOST_BYTES = 2 * 1024**3  # beyond this the frozen weights are not held a second time
ATTENTION = "sdpa_in_32_bits"


def unpack(model: Any, dtype: torch.dtype) -> bool:
    """Before adapters are added: let every 4-bit linear layer on the processor compute with its unpacked weights.

    False, and all stays as it was but for the reordering, which is switched off, when they would take too much memory.
    """
    import bitsandbytes as bnb

    layers = [module for module in model.modules() if isinstance(module, bnb.nn.Linear4bit) and module.weight.device.type == "cpu"]
    for layer in layers:
        layer.support_avx512bf16_for_cpu = False
    if sum(layer.in_features * layer.out_features for layer in layers) * dtype.itemsize > MOST_BYTES:
        return False
    for layer in layers:
        weight = bnb.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(dtype)
        layer.forward = _Frozen(weight, None if layer.bias is None else layer.bias.detach().to(dtype))
    return True


def fuse(model: Any, dtype: torch.dtype) -> int:
    """After adapters are added: compute each plain LoRA layer in one product; how many layers that was.

    A layer with dropout, DoRA or anything else out of the ordinary keeps PEFT's own forward pass.
    """
    from peft.tuners.lora import LoraLayer

    layers = [module for module in model.modules() if isinstance(module, LoraLayer) and _is_plain(module)]
    if sum(layer.in_features * layer.out_features for layer in layers) * dtype.itemsize > MOST_BYTES:
        return 0
    for layer in layers:
        base = layer.get_base_layer()
        if isinstance(base.forward, _Frozen):
            frozen = base.forward
        else:
            frozen = _Frozen(base.weight.detach().to(dtype), None if base.bias is None else base.bias.detach().to(dtype))
        (name,) = layer.active_adapters
        layer.forward = _Adapted(frozen, layer.lora_A[name], layer.lora_B[name], layer.scaling[name])
    return len(layers)


def attend_in_32_bits(model: Any) -> None:
    """Take Transformers' own attention, in 32 bits also where the rest of the pass is in 16."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import sdpa_mask

    if model.config._attn_implementation != "sdpa":
        return

    def attend(module: Any, query: Any, key: Any, value: Any, *args: Any, **more: Any) -> Any:
        with torch.autocast("cpu", enabled=False):
            return sdpa_attention_forward(module, query.float(), key.float(), value.float(), *args, **more)

    AttentionInterface.register(ATTENTION, attend)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
    model.set_attn_implementation(ATTENTION)


def _is_plain(layer: Any) -> bool:
    names = layer.active_adapters
    if len(names) != 1 or names[0] not in layer.lora_A or names[0] in layer.lora_variant or layer.merged:
        return False
    (name,) = names
    base = layer.get_base_layer()
    known = isinstance(base, torch.nn.Linear) and (type(base) is torch.nn.Linear or isinstance(base.forward, _Frozen))
    still = isinstance(layer.lora_dropout[name], torch.nn.Identity)
    return known and still and layer.lora_A[name].bias is None and layer.lora_B[name].bias is None and not layer.fan_in_fan_out


class _Frozen:
    """A linear layer with weights that no optimizer, no saving and no counting of parameters sees."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self.weight, self.bias = weight, bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return linear(x.to(self.weight.dtype), self.weight, self.bias).to(x.dtype)


class _Adapted:
    """A frozen linear layer with a LoRA adapter."""

    def __init__(self, frozen: _Frozen, down: Any, up: Any, scale: float) -> None:
        self._frozen, self._down, self._up, self._scale = frozen, down, up, scale

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return _Product.apply(x, self._frozen.weight, self._frozen.bias, self._down.weight, self._up.weight, self._scale)


class _Product(torch.autograd.Function):
    """x Wᵀ + b + scale · x Aᵀ Bᵀ, with gradients for x, A and B only."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any, down: Any, up: Any, scale: float) -> Any:
        rows, low, high = x.reshape(-1, x.shape[-1]).to(weight.dtype), down.to(weight.dtype), (up * scale).to(weight.dtype)
        inner = rows @ low.t()
        result = linear(rows, weight, bias).addmm_(inner, high.t())
        ctx.save_for_backward(rows, inner, weight, low, high)
        ctx.scale, ctx.shape, ctx.dtype = scale, x.shape, x.dtype
        return result.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        rows, inner, weight, low, high = ctx.saved_tensors
        above = gradient.reshape(-1, gradient.shape[-1]).to(weight.dtype)
        between = above @ high
        for_up = (above.t() @ inner).float() * ctx.scale
        for_down = (between.t() @ rows).float()
        below = (above @ weight).addmm_(between, low).view(ctx.shape).to(ctx.dtype) if ctx.needs_input_grad[0] else None
        return below, None, None, for_down, for_up, None
