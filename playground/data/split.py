"""Which rows are learnt from and which are kept to judge by. Knows only keys, labels and numbers."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence
from typing import Literal

Part = Literal["train", "validation", "test"]


def split_rows(keys: Sequence[str], validation: float, test: float, seed: int, labels: Sequence[Hashable] | None = None) -> list[Part]:
    """For each row the part it goes to, the same on every machine for the same rows and seed.

    Rows with the same key stay together. The shares are of rows, as near as whole groups allow; with `labels` (one per row), of each
    label's rows. Validation gets a row as soon as there are three groups, and training always keeps one.
    """
    groups: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    strata: dict[Hashable, list[list[int]]] = {}
    for rows in groups.values():
        strata.setdefault(labels[rows[0]] if labels is not None else None, []).append(rows)
    parts: list[Part] = ["train"] * len(keys)
    want = {"validation": round(validation * len(keys)), "test": round(test * len(keys))}
    if validation > 0 and len(groups) >= 3:
        want["validation"] = max(1, want["validation"])
    random_numbers = random.Random(seed)
    order = _interleaved(list(strata.values()), random_numbers)
    left = len(order)
    for part in ("validation", "test"):
        room = want[part]
        for rows in order:
            if room <= 0 or left <= 1:
                break
            if parts[rows[0]] == "train" and len(rows) <= room:
                _give(parts, rows, part)
                room -= len(rows)
                left -= 1
        if part == "validation" and room == want[part] > 0 and left >= 3:  # every group is larger than the share: take the smallest
            _give(parts, min(order, key=len), part)
            left -= 1
    return parts


def _give(parts: list[Part], rows: list[int], part: Literal["validation", "test"]) -> None:
    for row in rows:
        parts[row] = part


def _interleaved(strata: list[list[list[int]]], random_numbers: random.Random) -> list[list[int]]:
    """All groups in random order, such that every stretch of it holds the labels in about the shares of the whole."""
    placed: list[tuple[float, int, int, list[int]]] = []
    for number, groups in enumerate(strata):
        random_numbers.shuffle(groups)
        shift = random_numbers.random()
        placed += [((place + shift) / len(groups), number, place, rows) for place, rows in enumerate(groups)]
    return [rows for *_, rows in sorted(placed)]
