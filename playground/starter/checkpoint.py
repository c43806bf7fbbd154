"""Checkpoints: weights and optimizer state as safetensors, the rest as JSON, in a folder that is whole or absent.

Knows tensors and plain values; pickles nothing.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor


def save(folder: Path, weights: dict[str, Tensor], optimizer: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write beside the folder, then put it in the old one's place; the old one goes only when the new one is complete."""
    temporary, previous = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    save_file(weights, temporary / "model.safetensors")
    save_file(optimizer, temporary / "optimizer.safetensors")
    (temporary / "state.json").write_text(json.dumps(state))
    shutil.rmtree(previous, ignore_errors=True)
    if folder.exists():
        folder.replace(previous)
    temporary.replace(folder)
    shutil.rmtree(previous, ignore_errors=True)


def find(folder: Path) -> Path | None:
    """The complete checkpoint: the folder, or the older one when a save was interrupted between its two renames."""
    for candidate in (folder, folder.with_name(folder.name + ".old")):
        if (candidate / "state.json").is_file():
            return candidate
    return None


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Any]]:
    """(weights, optimizer, state) of a complete checkpoint."""
    state = json.loads((folder / "state.json").read_text())
    return load_file(folder / "model.safetensors"), load_file(folder / "optimizer.safetensors"), state
