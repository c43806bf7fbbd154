"""From a compressed file or a ZIP archive to the one table inside, unpacked with limits.

What a header says about sizes is not believed: the bytes are counted as they come out. A name inside an archive is shown and compared,
never used as a path. Does not know how a table is read.
"""

from __future__ import annotations

import bz2
import gzip
import logging
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from playground.data.table import CONTROL
from playground.errors import FileUnreadable, Sentence, storage_errors

log = logging.getLogger(__name__)
STREAMS: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open}
ENDINGS = (".gz", ".gzip", ".bz2")
TABLES = (".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xlsm", ".xls", ".ods")
PROSE = (".txt", ".md", ".markdown")
ABOUT = ("datapackage.json", "dataresource.json", "dataset_info.json", "metadata.json", "package.json", "schema.json")
PIECE = 1024**2
NAMED = 20  # members that a sentence lists
DAMAGED = (EOFError, OSError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError)


@dataclass
class Unpacked:
    """What came out: how the member is called, how many tables there were to choose from, and what to tell."""

    member: str
    tables: int = 1
    warnings: list[Sentence] = field(default_factory=list)


def plain_name(name: str) -> str:
    """A file's name without the endings that only say how it is compressed."""
    path = Path(name)
    return path.stem if path.suffix.lower() in ENDINGS else name


def unpack(path: Path, kind: str, name: str, member: str | None, most_bytes: int, target: Path) -> Unpacked:
    """Write the table inside to `target`. `kind` is gzip, bzip2 or zip; `member` chooses a table of a ZIP archive.

    Raises:
        FileUnreadable: damaged, locked, too large, or with no table in it.
    """
    try:
        if kind in STREAMS:
            with STREAMS[kind](path, "rb") as source:
                _copy(source, target, name, most_bytes)
            return Unpacked(plain_name(name))
        with zipfile.ZipFile(path) as archive:
            return _from_zip(archive, name, member, most_bytes, target)
    except DAMAGED as error:
        log.info("archive refused: %s", error)
        message = "The compressed file {name} ({kind}) is damaged or breaks off, so it cannot be unpacked. Save or download it once more."
        raise FileUnreadable(message, name=name, kind=kind) from error


def _from_zip(archive: zipfile.ZipFile, name: str, member: str | None, most_bytes: int, target: Path) -> Unpacked:
    tables = _tables(archive)
    if not tables:
        message = "The ZIP archive {name} holds no table that can be read. Put a CSV, Excel, JSON, JSON Lines or Parquet file in it."
        raise FileUnreadable(message, name=name)
    shown = [_shown(one) for one in tables]
    place = shown.index(member) if member in shown else 0
    if member is not None and member not in shown and len(tables) > 1:
        message = "The archive {name} has no table called {member}. Its tables are: {members}."
        raise FileUnreadable(message, name=name, member=member, members=_listed(shown))
    if tables[place].flag_bits & 1:
        raise FileUnreadable("The archive {name} is protected by a password. Unpack it and choose the table inside.", name=name)
    with archive.open(tables[place]) as source:
        _copy(source, target, name, most_bytes)
    warnings = []
    if len(tables) > 1:
        others = _listed([other for other in shown if other != shown[place]])
        warnings.append(Sentence("Of this archive, {member} was read. The other tables are: {others}.", member=shown[place], others=others))
    return Unpacked(shown[place], len(tables), warnings)


def _tables(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members that are tables by their ending, in their order; what only describes the others comes last."""
    found = []
    for one in archive.infolist():
        last = one.filename.replace("\\", "/").rpartition("/")[2].lower()
        if one.is_dir() or last.startswith(".") or one.filename.startswith("__MACOSX/"):
            continue
        ending = Path(last).suffix
        if ending in TABLES + PROSE or (ending in ENDINGS and Path(plain_name(last)).suffix in TABLES):
            found.append((2 * (last in ABOUT) or int(ending in PROSE), one))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def _shown(member: zipfile.ZipInfo) -> str:
    return " ".join(CONTROL.sub(" ", member.filename).encode("utf-8", "replace").decode().split())[-120:]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")


def _copy(source: IO[bytes], target: Path, name: str, most_bytes: int) -> None:
    """Unpack piece by piece, and stop as soon as there is more than the limit."""
    size = 0
    with target.open("wb") as file:
        while piece := source.read(PIECE):
            size += len(piece)
            if size > most_bytes:
                message = "Unpacked, {name} has more than {most} MB, the most that can be read here. Split it, or take a part of it."
                raise FileUnreadable(message, name=name, most=most_bytes // 1024**2)
            with storage_errors():
                file.write(piece)
