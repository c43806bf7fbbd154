"""Linear layers with adapters on a processor: the frozen weights unpacked or rounded once, the adapter's share added inside the product.

Layers that read the same thing, such as queries, keys and values, are computed together: what they read is rounded once and kept once.
One thing would even be wrong without this: run without gradients, bitsandbytes reorders 4-bit weights in place for a product that has no
backward pass, so that training would silently lose gradients after a check on the validation rows. Imports torch, so only the worker
imports it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import linear

MOST_BYTES = 2 * 1024**3  # beyond this the frozen weights are not held a second time
TOGETHER = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))  # children of one module that read the same


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
    """After adapters are added: compute plain LoRA layers in one product each; how many layers that was.

    A layer with dropout, DoRA or anything else out of the ordinary keeps PEFT's own forward pass.
    """
    from peft.tuners.lora import LoraLayer

    layers = [module for module in model.modules() if isinstance(module, LoraLayer) and _is_plain(module)]
    if sum(layer.in_features * layer.out_features for layer in layers) * dtype.itemsize > MOST_BYTES:
        return 0
    plain = {id(layer) for layer in layers}
    done: set[int] = set()
    for parent in model.modules():
        for names in TOGETHER:
            members = [getattr(parent, name, None) for name in names]
            if all(id(one) in plain and id(one) not in done for one in members):
                _together(members, dtype)
                done |= {id(one) for one in members}
    for layer in layers:
        if id(layer) not in done:
            _together([layer], dtype)
    return len(layers)


def _together(layers: list[Any], dtype: torch.dtype) -> None:
    shared = Together([_Adapted(layer, dtype) for layer in layers])
    for place, layer in enumerate(layers):
        layer.forward = shared.member(place)


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

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        base = layer.get_base_layer()
        if isinstance(base.forward, _Frozen):
            self.frozen = base.forward
        else:
            base.weight.data = base.weight.data.to(dtype)  # one copy is enough: nobody trains it, and it is not saved
            self.frozen = _Frozen(base.weight.detach(), None if base.bias is None else base.bias.detach().to(dtype))
        (name,) = layer.active_adapters
        self.down, self.up, self.scale = layer.lora_A[name], layer.lora_B[name], layer.scaling[name]


class Together:
    """Adapted layers that read the same: the first that is asked computes for all, and the others only hand out what is there."""

    def __init__(self, layers: list[_Adapted]) -> None:
        self._layers = layers
        self._read: Any = None
        self._ready: list[Any] = []

    def member(self, place: int) -> Any:
        """The forward pass of one of the layers."""

        def forward(x: torch.Tensor) -> torch.Tensor:
            if self._read is not x or not self._ready or self._ready[place] is None:
                self._read, self._ready = x, list(self._all(x))
            result, self._ready[place] = self._ready[place], None
            if all(one is None for one in self._ready):
                self._read, self._ready = None, []
            return result

        return forward

    def _all(self, x: torch.Tensor) -> Any:
        frozen = [(one.frozen.weight, one.frozen.bias, one.scale) for one in self._layers]
        return _Products.apply(x, frozen, *(weight for one in self._layers for weight in (one.down.weight, one.up.weight)))


class _Products(torch.autograd.Function):
    """x Wᵀ + b + scale · x Aᵀ Bᵀ for each layer, with gradients for x and all A and B."""

    @staticmethod
    def forward(ctx: Any, x: Any, frozen: list[tuple[Any, Any, float]], *adapters: Any) -> Any:
        dtype = frozen[0][0].dtype
        rows = x.reshape(-1, x.shape[-1]).to(dtype)
        downs, ups = adapters[::2], adapters[1::2]
        low = torch.cat(downs).to(dtype) if len(downs) > 1 else downs[0].to(dtype)
        inner = rows @ low.t()
        ranks, highs, results = [len(down) for down in downs], [], []
        for part, up, (weight, bias, scale) in zip(inner.split(ranks, 1), ups, frozen, strict=True):
            highs.append((up * scale).to(dtype))
            results.append(linear(rows, weight, bias).addmm_(part, highs[-1].t()).view(*x.shape[:-1], -1))
        ctx.save_for_backward(rows, inner, low, *highs, *(weight for weight, _, _ in frozen))
        ctx.scales, ctx.ranks, ctx.shape, ctx.dtype = [scale for _, _, scale in frozen], ranks, x.shape, x.dtype
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        rows, inner, low, *others = ctx.saved_tensors
        highs, weights = others[: len(ctx.ranks)], others[len(ctx.ranks) :]
        below, between, for_ups = None, [], []
        parts = zip(gradients, inner.split(ctx.ranks, 1), highs, weights, ctx.scales, strict=True)
        for gradient, part, high, weight, scale in parts:
            above = gradient.reshape(-1, gradient.shape[-1]).to(rows.dtype)
            between.append(above @ high)
            for_ups.append((above.t() @ part).float() * scale)
            if ctx.needs_input_grad[0]:
                below = above @ weight if below is None else below.addmm_(above, weight)
        joined = torch.cat(between, 1) if len(between) > 1 else between[0]
        for_downs = (joined.t() @ rows).float().split(ctx.ranks)
        if below is not None:
            below = below.addmm_(joined, low).view(ctx.shape).to(ctx.dtype)
        return below, None, *(gradient for pair in zip(for_downs, for_ups, strict=True) for gradient in pair)
