"""Muon for the matrices of the layers, AdamW for embeddings and norms, as one optimizer.

Muon: K. Jordan et al. 2024, github.com/KellerJordan/Muon (momentum, then an approximate orthogonalisation by a quintic Newton-Schulz
iteration); it reaches the same loss in clearly fewer tokens, and tokens are what a processor without a graphics card is short of.
Knows parameters and gradients only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: Tensor, iterations: int = 5) -> Tensor:
    """Bring the singular values of each matrix near 1; shape (count, rows, columns), same shape out, bfloat16 inside."""
    x = matrices.bfloat16()
    tall = x.size(-2) > x.size(-1)
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Muon over matrices grouped by shape, so that each shape is one batched product."""

    def __init__(self, params: list[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.1) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in shapes.items():
                directions = []
                for parameter in parameters:
                    buffer = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                    buffer.lerp_(parameter.grad, 1 - group["momentum"])
                    directions.append(parameter.grad.lerp(buffer, group["momentum"]))  # Nesterov
                updates = orthogonalise(torch.stack(directions))
                # The update's size per element is then that of AdamW (Liu et al. 2025, arXiv 2502.16982).
                scale = 0.2 * max(shape) ** 0.5
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update, alpha=-group["lr"] * scale)


class Optimizers:
    """The two optimizers behind one step; their state as one flat dictionary of tensors."""

    def __init__(self, model: nn.Module, peak: float, weight_decay: float = 0.1) -> None:
        self.names = {parameter: name for name, parameter in model.named_parameters()}
        matrices = [p for p, name in self.names.items() if p.ndim == 2 and "embed" not in name and "lm_head" not in name]
        chosen = set(matrices)
        tables = [p for p in self.names if p.ndim == 2 and p not in chosen]
        vectors = [p for p in self.names if p.ndim < 2]
        self.peak = peak
        adam = torch.optim.AdamW(
            [{"params": tables, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}],
            lr=peak,
            betas=(0.9, 0.95),
            eps=1e-8,
        )
        self.parts = (Muon(matrices, lr=peak, weight_decay=weight_decay), adam)

    def step(self, factor: float) -> None:
        """One update at a share of the peak rate, then forget the gradients."""
        for optimizer in self.parts:
            for group in optimizer.param_groups:
                group["lr"] = self.peak * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """``parameter name/quantity`` to tensor, for safetensors."""
        return {
            f"{self.names[parameter]}/{key}": value.detach().clone().contiguous()
            for optimizer in self.parts
            for parameter, values in optimizer.state.items()
            for key, value in values.items()
        }

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Put back what ``state`` gave."""
        by_name = {
            name: (parameter, optimizer)
            for optimizer in self.parts
            for group in optimizer.param_groups
            for parameter in group["params"]
            for name in (self.names[parameter],)
        }
        for key, value in tensors.items():
            name, quantity = key.rsplit("/", 1)
            parameter, optimizer = by_name[name]
            optimizer.state[parameter][quantity] = value.to(parameter.device) if value.ndim else value
