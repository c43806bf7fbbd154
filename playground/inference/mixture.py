"""One pass over a batch in which each row has an adapter of its own, or none: plain LoRA, for all rows in two products a layer.

The adapters of a batch lie side by side as one wide adapter; of what its first half gives, each row keeps the part that is its own. So the
cost does not grow with the rows, and hardly with the adapters, where PEFT (`adapter_names`) goes through the adapters one by one in every
layer. Notes at every step of the model which adapters were really applied. Does not know tokens or runs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.nn.functional import linear

Note = Callable[[slice, Sequence[str]], None]
_HERE = threading.local()  # `rows`: which part of the batch this thread goes through; not set where it is all of them


class Mixture:
    """The LoRA layers of a PEFT model, ready for mixed batches. The model is used by one batch at a time."""

    def __init__(self, peft: Any) -> None:
        from peft.tuners.lora import LoraLayer

        self.model = peft.get_base_model()
        self._layers = [_Layer(module) for module in self.model.modules() if isinstance(module, LoraLayer)]

    @staticmethod
    def suits(peft: Any) -> bool:
        """Whether all that the adapters change are linear layers, by plain LoRA."""
        from peft.tuners.lora import LoraLayer
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils.other import AuxiliaryTrainingWrapper

        for module in peft.get_base_model().modules():
            if isinstance(module, AuxiliaryTrainingWrapper):
                return False
            if isinstance(module, BaseTunerLayer) and not (isinstance(module, LoraLayer) and _is_plain(module)):
                return False
        return True

    @contextlib.contextmanager
    def active(self, keys: Sequence[str], note: Note) -> Iterator[Any]:
        """The model, for a batch whose rows have these adapters; a key that is none stands for the base.

        Args:
            note: told at every step of the model what was applied to which rows.
        """
        keys = tuple(keys)
        self._rows = len(keys)
        try:
            for layer in self._layers:
                layer.begin(keys)
            self._layers[0].note = note
            yield self.model
        finally:
            for layer in self._layers:
                layer.end()

    @contextlib.contextmanager
    def part(self, rows: slice) -> Iterator[None]:
        """What this thread gives the model are these rows of the batch, not all of them."""
        _HERE.rows = slice(rows.start, min(rows.stop, self._rows))
        try:
            yield
        finally:
            del _HERE.rows


class _Layer:
    """A linear layer with adapters."""

    def __init__(self, module: Any) -> None:
        self._module, self._base = module, module.get_base_layer()
        self._names: tuple[str, ...] | None = None  # whose weights lie ready
        self._down: Any = None  # (all ranks, in)
        self._up: Any = None  # (out, all ranks)
        self._owners: list[str] = []  # of each rank
        self._mask: Any = None
        self._keys: tuple[str, ...] = ()
        self._worn: list[bool] = []  # of each row, whether it has an adapter here
        self.note: Note | None = None

    def begin(self, keys: tuple[str, ...]) -> None:
        self._keys = keys
        own = tuple(key for key in dict.fromkeys(keys) if key in self._module.lora_A)
        if own != self._names:
            self._join(own)
        self._worn = [key in own for key in keys]
        if own:
            ranks = [[float(key == owner) for owner in self._owners] for key in keys]
            self._mask = torch.tensor(ranks, dtype=self._down.dtype, device=self._down.device).unsqueeze(1)
        self._module.forward = self._forward if own else self._plainly

    def _join(self, own: tuple[str, ...]) -> None:
        layer = self._module
        self._names, self._owners = own, [name for name in own for _ in range(layer.r[name])]
        if own:
            self._down = torch.cat([layer.lora_A[name].weight.detach() for name in own])
            self._up = torch.cat([layer.lora_B[name].weight.detach() * layer.scaling[name] for name in own], 1)

    def _told(self) -> slice:
        rows = getattr(_HERE, "rows", None) or slice(0, len(self._keys))
        if self.note is not None:
            self.note(rows, self._keys[rows])
        return rows

    def _plainly(self, x: Any) -> Any:
        self._told()
        return self._base(x)

    def _forward(self, x: Any) -> Any:
        rows = self._told()
        result = self._base(x)
        if not any(self._worn[rows]):
            return result
        mask = self._mask[rows]
        low = linear(x.to(self._down.dtype), self._down).mul_(mask)
        return result.add_(linear(low, self._up).to(result.dtype))

    def end(self) -> None:
        self.note = None
        self._module.__dict__.pop("forward", None)


def _is_plain(layer: Any) -> bool:
    kinds = (*layer.lora_A.values(), *layer.lora_B.values())
    base = layer.get_base_layer()
    known = isinstance(base, torch.nn.Linear) and not layer.merged and not getattr(layer, "fan_in_fan_out", False)
    return known and not layer.lora_variant and all(type(one) is torch.nn.Linear and one.bias is None for one in kinds)
