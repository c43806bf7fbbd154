"""The folder layout on disk: owners, ids, and writes that are whole or absent.

    HOME/datasets/<id>/ runs/<id>/ collections/<id>/ evaluations/<id>/ jobs/<id>/

An item exists once its identity file is there, which is written last; until then its folder is a draft that nobody reads and that the next
start clears away. The identity file names the owner, and every lookup asks for it. Does not know what the rooms keep in their folders.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

from playground.errors import NotFound, Sentence, SettingsError, WrongState, storage_errors
from playground.system import lock_file

Kind = Literal["datasets", "runs", "collections", "evaluations", "jobs"]
IDENTITY: dict[Kind, str] = {
    "datasets": "manifest.json",
    "runs": "config.json",
    "collections": "manifest.json",
    "evaluations": "config.json",
    "jobs": "manifest.json",
}
COPY = "config.copy.json"  # of a run's identity, which is never changed; what it learned is worth nothing without
SINGULAR: dict[Kind, str] = {
    "datasets": "dataset",
    "runs": "run",
    "collections": "collection",
    "evaluations": "evaluation",
    "jobs": "job",
}
PERSONAL = "me"  # the one owner of personal mode
ID = re.compile(r"[0-9a-f]{12}")
DRAFT_HOURS = 6


class Workspace:
    """One home folder, safe for many threads and for workers in other processes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        try:
            with storage_errors():
                for kind in IDENTITY:
                    (home / kind).mkdir(parents=True, exist_ok=True)
                (home / "app.lock").touch()
        except OSError as error:
            raise SettingsError("The folder {home} cannot be written to. Set PLAYGROUND_HOME to another one.", home=home) from error
        self._lock: IO[bytes] | None = None

    def lock(self) -> None:
        """Claim the home for this app.

        Raises:
            WrongState: another app works on it.
        """
        self._lock = lock_file(self.home / "app.lock")
        if self._lock is None:
            raise WrongState(
                "Another playground is already running on {home}. Use its page, or set PLAYGROUND_HOME to a different folder.",
                home=self.home,
            )
        self._clear_drafts()

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def draft(self, kind: Kind) -> Path:
        """A new empty folder named by a new id. It becomes an item when `publish` writes its identity."""
        with storage_errors():
            while True:
                folder = self.home / kind / secrets.token_hex(6)
                try:
                    folder.mkdir()
                    return folder
                except FileExistsError:
                    continue

    def publish(self, folder: Path, *, owner: str, **identity: Any) -> None:
        """Write a draft's identity file: from now on it can be found by its owner."""
        told = {"id": folder.name, "owner": owner, "created": time.time(), **identity}
        if folder.parent.name == "runs":
            write_json(folder / COPY, told)
        write_json(folder / IDENTITY[folder.parent.name], told)  # type: ignore[index]

    def find(self, kind: Kind, id: str, owner: str) -> Path:
        """The folder of an owner's item.

        Raises:
            NotFound: no such item, or it is another owner's; the two are not told apart.
        """
        if isinstance(id, str) and ID.fullmatch(id):
            folder = self.home / kind / id
            if self._identity(folder).get("owner") == owner:
                return folder
        raise NotFound("There is no such {kind} any more. Choose another one from the list.", kind=Sentence(SINGULAR[kind]))

    def list(self, kind: Kind, owner: str | None = None) -> list[Path]:
        """Folders of an owner's items (of everybody's with None), newest first."""
        found = []
        for folder in (self.home / kind).iterdir():
            identity = self._identity(folder) if ID.fullmatch(folder.name) else {}
            if identity and owner in (None, identity["owner"]):
                found.append((identity["created"], folder))
        return [folder for _, folder in sorted(found, reverse=True)]

    def all(self, kind: Kind) -> Iterator[Path]:
        """Everybody's folders in no order, also drafts, without reading any of them."""
        with os.scandir(self.home / kind) as found:
            names = [entry.name for entry in found if ID.fullmatch(entry.name)]
        return (self.home / kind / name for name in names)

    def is_item(self, folder: Path) -> bool:
        """Whether a folder is no draft any more."""
        return bool(self._identity(folder))

    def delete(self, folder: Path) -> None:
        """Remove an item: first its identity, so that a half-deleted folder is never read as whole."""
        (folder / IDENTITY[folder.parent.name]).unlink(missing_ok=True)  # type: ignore[index]
        shutil.rmtree(folder, ignore_errors=True)

    def _identity(self, folder: Path) -> dict[str, Any]:
        path = folder / IDENTITY[folder.parent.name]  # type: ignore[index]
        identity = read_twice(path)
        if {"owner", "created"} <= identity.keys():
            return identity
        if folder.parent.name == "runs":  # days of work must not vanish without a word; who reads the folder says what is lost
            with contextlib.suppress(OSError):
                return {"owner": PERSONAL, "created": path.stat().st_mtime}
        return {}

    def _clear_drafts(self) -> None:
        """What an app that was killed left half-made, if it is old enough that no worker can still be at it."""
        for kind in IDENTITY:
            for folder in (self.home / kind).iterdir():
                old = time.time() - folder.stat().st_mtime > DRAFT_HOURS * 3600
                if old and folder.is_dir() and ID.fullmatch(folder.name) and not (folder / IDENTITY[kind]).exists():
                    shutil.rmtree(folder, ignore_errors=True)


def mark(path: Path) -> tuple[int, int] | None:
    """What differs between two states of a file that is replaced as a whole; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader, or the next start after a power cut, sees the old file or the new one and nothing between.

    Halves of characters (lone surrogates), which a program can send and no file can hold, become question marks.
    """
    write_bytes(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False).encode(errors="replace"))


def write_bytes(path: Path, content: bytes) -> None:
    """As `write_json`, for any content."""
    with storage_errors():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def read_twice(path: Path) -> dict[str, Any]:
    """The identity in a file, or in its copy where the file is there but damaged."""
    found = read_json(path)
    if not isinstance(found, dict) and path.exists():
        found = read_json(path.with_name(COPY))
    return found if isinstance(found, dict) else {}


def read_json(path: Path, default: Any = None) -> Any:
    """The JSON in a file, or `default` where there is no file or no JSON in it."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return default
