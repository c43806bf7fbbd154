"""How files are called in a collection: names that can be shown, and one for each file of an upload. Knows no index and no disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from playground.errors import InputError
from playground.rag.pdf import SUFFIXES
from playground.rag.text import clean

COLLECTION_CHARACTERS = 80
FILE_CHARACTERS = 120
ENDING_CHARACTERS = 12  # of what is taken for an ending


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
    """How a file is called in lists and sentences: its last part, printable, not too long. Never used as a path.

    Of a name that is too long the ending stays, and a few digits stand for what was cut: two that differ only there stay two.
    """
    last = PureWindowsPath(PurePosixPath(clean(name)).name).name
    whole = " ".join("".join(c if c.isprintable() else " " for c in last).split())
    if len(whole) <= FILE_CHARACTERS:
        return whole or otherwise
    return _fitted(whole, "… " + hashlib.sha256(whole.encode()).hexdigest()[:6])


def apart(given: Sequence[tuple[str, str]], here: Mapping[str, str], called: Mapping[str, str]) -> list[str]:
    """A name for each file of one upload, given as (name, SHA-256): the second of two different ones called r.txt becomes `r (2).txt`.

    A file takes the place only of a document that its owner called the same, so none is lost to a name that was made up here.

    Args:
        here: the names, by SHA-256, of what the collection has already; a file of the upload that is among it has that name.
        called: what their owners called the collection's documents, by their names; which is another name where that was made up.
    """
    taken = {here[digest]: digest for _, digest in given if digest in here}
    names = []
    for name, digest in given:
        if digest in here:
            names.append(name)
            continue
        free, number = name, 2
        while taken.get(free, digest) != digest or called.get(free, name) != name:
            free, number = _fitted(name, f" ({number})"), number + 1
        taken[free] = digest
        names.append(free)
    return names


def _fitted(name: str, more: str) -> str:
    """A name with more before its ending, and as much of it as there is room for."""
    stem, ending = Path(name).stem, Path(name).suffix
    if len(ending) > ENDING_CHARACTERS:  # a dot within a sentence
        stem, ending = name, ""
    return stem[: FILE_CHARACTERS - len(more) - len(ending)].rstrip() + more + ending
