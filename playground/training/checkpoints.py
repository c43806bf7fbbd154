"""Checkpoints of a run: all that is needed to go on as if nothing had happened, each whole or not there at all.

    checkpoints/checkpoint-00000120/
        weights.safetensors     what is trained, by name
        optimizer.safetensors   what the optimizer remembers of it
        trainer_state.json      Transformers' own count of steps
        facts.json              where the data, the random numbers, the schedule and the curve stand
        manifest.json           name, size and SHA-256 of every file; written last, and the folder is named after that

Tensors are kept as safetensors and everything else as JSON, never as pickle. Does not know trainers or runs. Imports torch only to read
and write tensors.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from playground.errors import storage_errors
from playground.workspace import file_hash, read_json, write_json

MOST = 3  # the best, the newest, and the one before it, or the last one of the finished run that this one makes longer
NAME = re.compile(r"checkpoint-(\d{8})")
WEIGHTS, OPTIMIZER, FACTS = "weights", "optimizer", "facts.json"


def save(
    home: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Any]],
    facts: Mapping[str, Any],
    more: Callable[[Path], None] = lambda folder: None,
    keep: Collection[int] = (),
) -> Path:
    """Write a checkpoint of `step` into `home`, then take away the oldest, but for those of the steps in `keep`.

    Args:
        tensors: groups of tensors by name; each group becomes one file.
        facts: plain JSON values.
        more: writes further files into the folder that it is given.

    Raises:
        StorageFull: the disk is full; the checkpoints of before are still whole.
    """
    from safetensors.torch import save_file

    draft, final = home / f".draft-{step:08d}", home / f"checkpoint-{step:08d}"
    for left in home.glob(".draft-*"):  # by one who was killed in mid-write
        shutil.rmtree(left, ignore_errors=True)
    try:
        with storage_errors():
            draft.mkdir(parents=True)
            for group, members in tensors.items():
                save_file({name: tensor.detach().cpu().contiguous() for name, tensor in members.items()}, draft / f"{group}.safetensors")
            (draft / FACTS).write_text(json.dumps(facts), "utf-8")
            more(draft)
            files = {}
            for file in sorted(draft.iterdir()):
                _to_disk(file)
                files[file.name] = [file.stat().st_size, file_hash(file)]
        write_json(draft / "manifest.json", {"step": step, "files": files})
        with storage_errors():
            shutil.rmtree(final, ignore_errors=True)
            draft.rename(final)
            _to_disk(home)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _prune(home, {step, *keep})
    return final


def found(home: Path) -> list[tuple[int, Path]]:
    """(step, folder) of every checkpoint whose files are all there in their sizes, newest first; they are not read."""
    if not home.is_dir():
        return []
    named = ((NAME.fullmatch(folder.name), folder) for folder in home.iterdir())
    return sorted(((int(match[1]), folder) for match, folder in named if match and _sized(folder)), reverse=True)


def whole(folder: Path) -> bool:
    """Whether every file of a checkpoint is there as it was written, to the last byte."""
    files = _listed(folder)
    try:
        return bool(files) and all(
            (folder / name).stat().st_size == size and file_hash(folder / name) == digest for name, (size, digest) in files.items()
        )
    except OSError:
        return False


def newest(home: Path) -> tuple[int, Path] | None:
    """The newest checkpoint that is whole; damaged ones are passed over."""
    return next(((step, folder) for step, folder in found(home) if whole(folder)), None)


def of_step(home: Path, step: int) -> Path | None:
    """The checkpoint of one step, where it is whole."""
    folder = home / f"checkpoint-{step:08d}"
    return folder if whole(folder) else None


def candidates(home: Path, best: bool) -> Iterator[tuple[int, Path]]:
    """Whole checkpoints in which every trained number is one: the best by their own account first, if that is asked for, then newest first.

    One that was saved while a run fell apart may hold what is no number.
    """
    saved = [step for step, folder in found(home) if whole(folder)]
    told = facts(home / f"checkpoint-{saved[0]:08d}").get("best") if saved and best else None
    first = [told[1]] if told and told[1] in saved else []
    for step in (*first, *(step for step in saved if step not in first)):
        folder = home / f"checkpoint-{step:08d}"
        if all(bool(tensor.isfinite().all()) for tensor in tensors(folder, WEIGHTS).values()):
            yield step, folder


def tensors(folder: Path, group: str) -> dict[str, Any]:
    """One group of tensors of a checkpoint."""
    from safetensors.torch import load_file

    return load_file(folder / f"{group}.safetensors")


def forget_after(home: Path, step: int) -> None:
    """Take away the checkpoints of later steps."""
    for later, folder in found(home):
        if later > step:
            _remove(folder)


def facts(folder: Path) -> dict[str, Any]:
    return read_json(folder / FACTS, {})


def _listed(folder: Path) -> dict[str, tuple[int, str]]:
    manifest = read_json(folder / "manifest.json", {})
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not all(
        Path(name).name == name and isinstance(told, list) and len(told) == 2 for name, told in files.items()
    ):
        return {}
    return {name: (told[0], told[1]) for name, told in files.items()}


def _sized(folder: Path) -> bool:
    files = _listed(folder)
    try:
        return bool(files) and all((folder / name).stat().st_size == size for name, (size, _) in files.items())
    except OSError:
        return False


def _prune(home: Path, keep: set[int]) -> None:
    others = [folder for step, folder in found(home) if step not in keep]
    for folder in others[max(0, MOST - len(keep)) :]:
        _remove(folder)


def _remove(folder: Path) -> None:
    (folder / "manifest.json").unlink(missing_ok=True)  # first, so that a half-deleted folder is never read as whole
    shutil.rmtree(folder, ignore_errors=True)


def _to_disk(path: Path) -> None:
    """Past the operating system's cache, so that a power cut after the manifest finds the files it names."""
    with contextlib.suppress(PermissionError):  # Windows does not open folders
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
