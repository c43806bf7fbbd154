"""The two files of an adapter, fetched out of a folder, a ZIP archive or a list of files, with limits and nothing besides.

Sizes are counted as the bytes come, whatever a header says. A name in an archive is compared, never used as a path. Does not know what the
files have to say.
"""

from __future__ import annotations

import lzma
import os
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from playground.errors import InputError, storage_errors

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
CONFIG_BYTES = 1024**2
MEMBERS = 2_000  # a training folder with its checkpoints has some hundred files
PIECE = 1024**2
TAIL, LISTED_BYTES = 65_557, 1024**2  # where the end of an archive's list of members stands, and how long the list may be
# What a ZIP archive that is damaged, protected or packed in an unknown way is met with, by Python's own module.
UNREADABLE = (EOFError, OSError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError)
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
MISSING = "An adapter has two files, {config} and {weights}; {name} is not there. Give the folder that PEFT saved, or a ZIP archive of it."
PICKLED = (
    "This adapter has its weights only in a format that can run hidden programs when opened ({name}). Save it as safetensors, as PEFT does "
    "by itself today, then bring it again."
)
ZIP_DAMAGED = "The ZIP archive is damaged or breaks off, so it cannot be unpacked. Save or download it once more."
LEADING_OUT = "The ZIP archive holds names that lead out of its folder, so it is not opened. Pack the adapter's folder anew."
TOO_MANY = "The ZIP archive holds too many files; an adapter has two. Pack only its folder."
TOO_LARGE = "{name} has more than {most} MB, the most that can be brought here."


def fetch(sources: Sequence[Path], target: Path, most_bytes: int, names: Sequence[str] = (CONFIG, WEIGHTS)) -> None:
    """Write the adapter's two files into `target`: `sources` is one folder, one ZIP archive, or the files themselves.

    Args:
        names: which of the two, where one is enough.

    Raises:
        InputError: something is missing, too large, damaged, or of a kind that is not opened.
        StorageFull: no room.
    """
    if len(sources) == 1 and sources[0].is_dir():
        there = [path for name in (CONFIG, WEIGHTS) if os.access(path := sources[0] / name, os.R_OK) and path.is_file()]
        _from_files(there, sources[0], target, most_bytes, names)
    elif len(sources) == 1 and sources[0].suffix.lower() == ".zip":
        _from_zip(sources[0], target, most_bytes, names)
    else:
        _from_files(list(sources), None, target, most_bytes, names)


def _from_files(given: list[Path], folder: Path | None, target: Path, most_bytes: int, names: Sequence[str]) -> None:
    found = {path.name: path for path in given}
    beside = [path.name for path in (folder.iterdir() if folder else given)]
    _must_be_whole(found, beside)
    for name in names:
        with found[name].open("rb") as source:
            _copy(source, target / name, _most(name, most_bytes))


def _from_zip(path: Path, target: Path, most_bytes: int, names: Sequence[str]) -> None:
    try:
        _must_be_small(path)
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS:
                raise InputError(TOO_MANY)
            _refuse_paths(members)
            chosen = _pair(members)
            for name in names:
                if chosen[name].flag_bits & 1:
                    raise InputError("The ZIP archive is protected by a password. Unpack it, and bring the two files in it.")
                with archive.open(chosen[name]) as source:
                    _copy(source, target / name, _most(name, most_bytes))
    except UNREADABLE as error:
        raise InputError(ZIP_DAMAGED) from error


def _must_be_small(path: Path) -> None:
    """A list of members that fills the memory is refused before it is read; one of the long kind (ZIP64) is no list of two files."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end >= 0 and (b"PK\x06\x07" in tail[max(0, end - 20) : end] or int.from_bytes(tail[end + 12 : end + 16], "little") > LISTED_BYTES):
        raise InputError(TOO_MANY)


def _refuse_paths(members: Iterable[zipfile.ZipInfo]) -> None:
    """Nothing would be written there, yet whoever packs such names means no good."""
    for one in members:
        name = one.filename.replace("\\", "/")
        if name.startswith("/") or ".." in PurePosixPath(name).parts or ":" in name.partition("/")[0]:
            raise InputError(LEADING_OUT)


def _pair(members: Sequence[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The two files that lie in one folder, the outermost such folder; checkpoints of a training lie further in."""
    folders: dict[str, dict[str, zipfile.ZipInfo]] = {}
    for one in members:
        parent, _, name = one.filename.replace("\\", "/").rpartition("/")
        if name in (CONFIG, WEIGHTS) and not parent.startswith("__MACOSX"):
            if name in folders.setdefault(parent, {}):
                raise InputError("The ZIP archive holds {name} twice. Pack the adapter's folder anew.", name=name)
            folders[parent][name] = one
    whole = sorted((parent.count("/") + bool(parent), parent) for parent, found in folders.items() if len(found) == 2)
    if not whole:
        _must_be_whole({name for found in folders.values() for name in found}, [one.filename for one in members])
        raise InputError("The two files of the adapter have to lie in the same folder of the ZIP archive.")
    if len(whole) > 1 and whole[0][0] == whole[1][0]:
        raise InputError("The ZIP archive holds several adapters. Pack only the one that you want to bring.")
    return folders[whole[0][1]]


def _must_be_whole(found: Iterable[str], beside: Iterable[str]) -> None:
    names = set(found)
    if WEIGHTS not in names:
        pickle = next((name for name in beside if name.lower().endswith(PICKLES)), None)
        if pickle is not None:
            raise InputError(PICKLED, name=pickle.rpartition("/")[2][-80:])
    for name in (CONFIG, WEIGHTS):
        if name not in names:
            raise InputError(MISSING, config=CONFIG, weights=WEIGHTS, name=name)


def _most(name: str, most_bytes: int) -> int:
    return CONFIG_BYTES if name == CONFIG else most_bytes


def _copy(source: IO[bytes], target: Path, most_bytes: int) -> None:
    """Piece by piece, and no further than the limit."""
    size = 0
    with storage_errors(), target.open("wb") as file:
        while piece := source.read(PIECE):
            size += len(piece)
            if size > most_bytes:
                raise InputError(TOO_LARGE, name=target.name, most=max(1, most_bytes // 1024**2))
            file.write(piece)
