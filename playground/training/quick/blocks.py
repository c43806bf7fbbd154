"""Norms, gates and rotary positions of a transformer block in one step each, keeping what they read and not what lies between.

Written out, a norm passes seven times over its tokens and a gate five times, and both keep several copies for the backward pass. Frozen
norms only: one that learns keeps its own pass. Imports torch, so only the worker imports it.
"""

from __future__ import annotations

import inspect
import sys
from functools import partial
from typing import Any

import torch
from torch.nn.functional import silu

NAME = "apply_rotary_pos_emb"  # of the function in each architecture of Transformers that has rotary positions
NORMS = ("LlamaRMSNorm", "MistralRMSNorm", "Qwen2RMSNorm", "Qwen3RMSNorm", "SmolLM3RMSNorm", "Olmo2RMSNorm", "Phi3RMSNorm")
GATES = ("LlamaMLP", "MistralMLP", "Qwen2MLP", "Qwen3MLP", "SmolLM3MLP", "Olmo2MLP")


def slim(model: Any, dtype: torch.dtype) -> int:
    """Give known norms and gates the short way; how many modules that was."""
    changed = 0
    for module in model.modules():
        kind = type(module).__name__
        if kind in NORMS and not module.weight.requires_grad:
            module.forward = _norm(module, dtype)
        elif kind in GATES and type(getattr(module, "act_fn", None)).__name__ in ("SiLU", "SiLUActivation"):
            module.forward = _gated(module)
        else:
            continue
        changed += 1
    return changed


class Turning:
    """The short way to rotary positions, taken by a model's architecture while `on` is true and gradients are wanted."""

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        from transformers.models.llama import modeling_llama

        self.on = False
        home = sys.modules[type(model).__module__]
        own = getattr(home, NAME, None)
        usual = own is not None and _same(own, modeling_llama.apply_rotary_pos_emb)
        if usual:
            setattr(home, NAME, partial(self._turned, own.args[0] if isinstance(own, partial) else own, dtype))

    def _turned(self, own: Any, dtype: torch.dtype, q: Any, k: Any, cos: Any, sin: Any, unsqueeze_dim: int = 1) -> tuple[Any, Any]:
        if not (self.on and torch.is_grad_enabled()):
            return own(q, k, cos, sin, unsqueeze_dim)
        cos, sin = cos.unsqueeze(unsqueeze_dim).float(), sin.unsqueeze(unsqueeze_dim).float()
        return _Turned.apply(q, cos, sin, dtype), _Turned.apply(k, cos, sin, dtype)


def _same(one: Any, other: Any) -> bool:
    one, other = (function.args[0] if isinstance(function, partial) else function for function in (one, other))
    return inspect.getsource(one) == inspect.getsource(other)


def _norm(module: Any, dtype: torch.dtype) -> Any:
    usual = type(module).forward

    def forward(x: torch.Tensor) -> torch.Tensor:
        return _Norm.apply(x, module.weight, module.variance_epsilon, dtype) if torch.is_grad_enabled() else usual(module, x)

    return forward


def _gated(module: Any) -> Any:
    def forward(x: torch.Tensor) -> torch.Tensor:
        return module.down_proj(_Gate.apply(module.gate_proj(x), module.up_proj(x)))

    return forward


class _Norm(torch.autograd.Function):
    """weight · x / √(mean(x²) + ε), computed in 32 bits and given in the arithmetic of what reads it (Zhang & Sennrich, 2019)."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, epsilon: float, dtype: Any) -> Any:
        wide = x.float()
        length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        inverse = (length.square_().div_(x.shape[-1]).add_(epsilon)).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        return (wide * inverse).mul_(weight).to(dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        x, weight, inverse = ctx.saved_tensors
        wide, above = x.float(), gradient.float() * weight
        along = torch.linalg.vecdot(above, wide).unsqueeze(-1).mul_(inverse.pow(3)).div_(-x.shape[-1])
        return torch.addcmul(above.mul_(inverse), wide, along).to(x.dtype), None, None, None


class _Turned(torch.autograd.Function):
    """x · cos + rotate_half(x) · sin (Su et al., 2021, arXiv:2104.09864), computed in 32 bits."""

    @staticmethod
    def forward(ctx: Any, x: Any, cos: Any, sin: Any, dtype: Any) -> Any:
        ctx.save_for_backward(cos, sin)
        ctx.dtype = x.dtype
        return _turn(x.float(), cos, sin, 1).to(dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        cos, sin = ctx.saved_tensors
        return _turn(gradient.float(), cos, sin, -1).to(ctx.dtype), None, None, None


def _turn(x: Any, cos: Any, sin: Any, way: int) -> Any:
    half = x.shape[-1] // 2
    result = x * cos
    first, second = (sin[..., :half], sin[..., half:]) if way > 0 else (sin[..., half:], sin[..., :half])
    result[..., :half].addcmul_(x[..., half:], first, value=-way)
    result[..., half:].addcmul_(x[..., :half], second, value=way)
    return result


class _Gate(torch.autograd.Function):
    """silu(gate) · up (Shazeer, 2020, arXiv:2002.05202)."""

    @staticmethod
    def forward(ctx: Any, gate: Any, up: Any) -> Any:
        ctx.save_for_backward(gate, up)
        return silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        gate, up = ctx.saved_tensors
        return torch.ops.aten.silu_backward(gradient * up, gate), silu(gate).mul_(gradient)
