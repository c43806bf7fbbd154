"""Rows and weights: which pieces share a row of the table, how much each piece weighs, and the module that training turns.

Knows rarities only. A piece's vector is its row times its weight; common pieces have rows of their own, and rare ones share theirs at
random. Two given rare pieces seldom meet in one passage, and the bytes saved pay for twice the width.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

LEAST = 0.02  # weight of a piece that stands in every passage


def shared_rows(rarity: np.ndarray, rows: int, seed: int, own: float = 0.5) -> np.ndarray:
    """The row of each piece: ``own`` of the rows go to the most common pieces, each of the others to several rare ones."""
    mapping = np.zeros(len(rarity), dtype=np.int64)
    order = np.argsort(rarity, kind="stable")
    alone = min(len(rarity), int(own * rows) if len(rarity) > rows else rows)
    mapping[order[:alone]] = np.arange(alone)
    rest = order[alone:]
    if len(rest):
        rng = np.random.default_rng(seed)
        rounds = [rng.permutation(rows - alone) for _ in range(-(-len(rest) // (rows - alone)))]
        mapping[rest] = alone + np.concatenate(rounds)[: len(rest)]
    return mapping


def piece_weights(rarity: np.ndarray) -> np.ndarray:
    """The weight of each piece: its rarity; the unknown piece, which is the first, says nothing."""
    weights = np.maximum(rarity, LEAST).astype(np.float32)
    weights[0] = 0.0
    return weights


class SharedRows(nn.Module):
    """The embedding while it is trained: the sum of weighted rows, as the shipped table gives it, with rows that share their learning."""

    def __init__(self, mapping: np.ndarray, weights: np.ndarray, width: int, seed: int) -> None:
        super().__init__()
        table = np.random.default_rng(seed).standard_normal((int(mapping.max()) + 1, width))
        table /= np.linalg.norm(table, axis=1, keepdims=True)
        self.table = nn.Parameter(torch.from_numpy(table.astype(np.float32)))
        self.mapping = torch.from_numpy(mapping)
        self.weights = torch.from_numpy(weights)

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """Adds ``sentence_embedding`` of unit length to ``input_ids`` and ``offsets``."""
        ids = features["input_ids"]
        total = nn.functional.embedding_bag(
            self.mapping[ids], self.table, features["offsets"], mode="sum", per_sample_weights=self.weights[ids]
        )
        return {**features, "sentence_embedding": nn.functional.normalize(total, dim=1)}

    def tensors(self) -> dict[str, torch.Tensor]:
        """What the model's file holds; sentence-transformers unfolds it to one row for each piece when it loads."""
        return {
            "embeddings": self.table.detach().half().contiguous(),
            "mapping": self.mapping.to(torch.int16),
            "weights": self.weights.clone(),
        }
