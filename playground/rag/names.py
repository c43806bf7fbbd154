"""How files are called in a collection: names that can be shown, and one for each file of an upload. Knows no index and no disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from playground.errors import InputError
from playground.rag.pdf import SUFFIXES
from playground.rag.text import clean

COLLECTION_CHARACTERS = 80
FILE_CHARACTERS = 120


def of_collection(name: str) -> str:
    """A collection's name without needless spaces.

    Raises:
        InputError: too long, or not printable.
    """
    name = " ".join(name.split())
    if len(name) > COLLECTION_CHARACTERS or not name.isprintable():
        raise InputError("The name of a collection has at most {n} characters, all of them printable.", n=COLLECTION_CHARACTERS)
    return name


def suffix(name: str) -> str:
    """How a stored file ends: what its owner called it, if that is a kind that is known."""
    ending = Path(name).suffix.lower()
    return ending if ending in SUFFIXES else ".bin"


def shown(name: str, otherwise: str = "document.pdf") -> str:
    """How a file is called in lists and sentences: its last part, printable, not too long. Never used as a path."""
    last = PureWindowsPath(PurePosixPath(clean(name)).name).name
    printable = "".join(c if c.isprintable() else " " for c in last)
    return " ".join(printable.split())[:FILE_CHARACTERS].strip() or otherwise


def apart(given: Sequence[tuple[str, str]], here: Mapping[str, str]) -> list[str]:
    """A name for each file of one upload, given as (name, SHA-256): the second of two different ones called r.txt becomes `r (2).txt`.

    Args:
        here: the names, by SHA-256, of what the collection has already; a file of the upload that is among it has that name.
    """
    taken = {here[digest]: digest for _, digest in given if digest in here}
    names = []
    for name, digest in given:
        if digest in here:
            names.append(name)
            continue
        free, number = name, 2
        while taken.get(free, digest) != digest:
            ending = f" ({number}){Path(name).suffix}"
            free, number = Path(name).stem[: FILE_CHARACTERS - len(ending)] + ending, number + 1
        taken[free] = digest
        names.append(free)
    return names
