"""Causal attention of rows that lie side by side: each row sees itself alone, in plain products of bfloat16 with the softmax in 32 bits.

torch's own kernel for processors is made for long rows; on rows of 100 to 400 tokens this takes a third to half of its time, forward and
backward. Rows of similar length are computed together, their length rounded up, since a product of a new shape costs time and memory for a
kernel of its own. It keeps the square of attention weights, so batches with long rows are left to torch. Imports torch, so only the worker
imports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from playground.training.defaults import WEIGHTS_KEPT

ROUND = 64
NAME = "sdpa_row_by_row"


@dataclass(frozen=True)
class Group:
    """Rows of one rounded length: `take` places of their tokens, padding included (rows · length,); which of these are `real`, and where
    those stand in the batch (`put`)."""

    rows: int
    length: int
    take: torch.Tensor
    real: torch.Tensor
    padding: torch.Tensor
    put: torch.Tensor


def groups_of(lengths: Sequence[int]) -> list[Group]:
    """The rows of a batch by rounded length."""
    by_length: dict[int, list[tuple[int, int]]] = {}
    start = 0
    for length in lengths:
        by_length.setdefault(-(-length // ROUND) * ROUND, []).append((start, length))
        start += length
    return [_group(rounded, rows) for rounded, rows in sorted(by_length.items())]


def _group(rounded: int, rows: list[tuple[int, int]]) -> Group:
    inside = torch.arange(rounded)
    starts, lengths = (torch.tensor(values).unsqueeze(1) for values in zip(*rows, strict=True))
    real = (inside < lengths).flatten()
    take = torch.where(inside < lengths, starts + inside, starts).flatten()
    places = torch.arange(len(take))
    return Group(len(rows), rounded, take, places[real], places[~real], take[real])


class RowsApart(torch.autograd.Function):
    """softmax(scale · Q Kᵀ, causal) V, row by row, for Q, K, V of shape (heads, tokens, width) in bfloat16."""

    @staticmethod
    def forward(ctx: Any, query: Any, key: Any, value: Any, groups: list[Group], scale: float) -> Any:
        result, kept = torch.empty_like(query), []
        for group in groups:
            q, k, v = (_taken(part, group) for part in (query, key, value))
            scores = torch.bmm(q, k.transpose(1, 2)).float()
            torch.add(_future(group.length), scores, alpha=scale, out=scores)
            weights = torch.softmax(scores, -1).to(query.dtype)
            _put(result, torch.bmm(weights, v), group)
            kept += [q, k, v, weights]
        ctx.save_for_backward(*kept)
        ctx.groups, ctx.scale = groups, scale
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        kept = ctx.saved_tensors
        results = [torch.empty_like(gradient) for _ in range(3)]
        for place, group in enumerate(ctx.groups):
            q, k, v, weights = kept[4 * place : 4 * place + 4]
            above = _taken(gradient, group)
            above.view(len(gradient), -1, gradient.shape[-1]).index_fill_(1, group.padding, 0)  # nobody reads what padding writes
            for_weights = torch.bmm(above, v.transpose(1, 2))
            for_scores = torch._softmax_backward_data(for_weights, weights, -1, weights.dtype).mul_(ctx.scale)
            _put(results[0], torch.bmm(for_scores, k), group)
            _put(results[1], torch.bmm(for_scores.transpose(1, 2), q), group)
            _put(results[2], torch.bmm(weights.transpose(1, 2), above), group)
        return *results, None, None


def _taken(part: torch.Tensor, group: Group) -> torch.Tensor:
    """(heads, tokens, width) -> (heads · rows, length, width)"""
    return part.index_select(1, group.take).view(-1, group.length, part.shape[-1])


def _put(result: torch.Tensor, part: torch.Tensor, group: Group) -> None:
    rows = part.view(result.shape[0], group.rows * group.length, -1)
    result.index_copy_(1, group.put, rows if not len(group.padding) else rows.index_select(1, group.real))


@lru_cache(maxsize=16)
def _future(length: int) -> torch.Tensor:
    """0 where a token may look, minus infinity where it may not."""
    return torch.full((length, length), float("-inf")).triu_(1)


class Attention:
    """Transformers' own attention, in 32 bits also where the rest of the pass is in 16; row by row where rows lie side by side."""

    def __init__(self, narrow: bool) -> None:
        self._narrow = narrow  # the rest of the pass is in bfloat16
        self.apart: list[int] | None = None  # lengths of the rows of the training batch; kept until its backward pass is over
        self.building = False  # while masks are made for such a batch
        self._groups: list[Group] | None = None

    def begin(self, lengths: list[int] | None) -> None:
        """A new batch, of rows of these lengths side by side; None for a padded one."""
        self.apart, self._groups = lengths, None

    def give_to(self, model: Any) -> None:
        from transformers import AttentionInterface, AttentionMaskInterface
        from transformers.integrations.sdpa_attention import sdpa_attention_forward
        from transformers.masking_utils import sdpa_mask

        def attend(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, *args: Any, **more: Any) -> Any:
            with torch.autocast("cpu", enabled=False):
                if self.apart is not None and module.training:
                    return self._row_by_row(query, key, value, more.get("dropout", 0.0), more.get("scaling")), None
                if self._narrow:
                    query, key, value = query.float(), key.float(), value.float()
                return sdpa_attention_forward(module, query, key, value, attention_mask, *args, **more)

        def mask(*args: Any, **more: Any) -> Any:
            return None if self.building else sdpa_mask(*args, **more)

        AttentionInterface.register(NAME, attend)
        AttentionMaskInterface.register(NAME, mask)
        model.set_attn_implementation(NAME)

    def _row_by_row(self, query: Any, key: Any, value: Any, dropout: float, scaling: float | None) -> Any:
        groups = query.shape[1] // key.shape[1]
        if groups > 1:
            key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        if self._narrow and not dropout and max(self.apart or [0]) <= WEIGHTS_KEPT:
            if self._groups is None:
                self._groups = groups_of(self.apart or [])
            done = RowsApart.apply(query[0].bfloat16(), key[0].bfloat16(), value[0].bfloat16(), self._groups, scale)
            return done.transpose(0, 1).unsqueeze(0).contiguous()
        if self._narrow:
            query, key, value = query.float(), key.float(), value.float()
        rows = zip(*(part.split(self.apart, dim=2) for part in (query, key, value)), strict=True)
        each = [
            torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=q.shape[2] > 1, dropout_p=dropout, scale=scale)
            for q, k, v in rows
        ]
        return torch.cat(each, dim=2).transpose(1, 2).contiguous()
