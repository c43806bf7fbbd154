"""The collections of documents of every owner: what stands in them, and the jobs that read it.

    collections/<id>/documents/<sha256>.<kind>  index.sqlite  embedder.json  manifest.json (identity: name, embedder)

Indexing is a job. Knows no questions (`playground.rag.store`).
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from playground.errors import InputError, NotFound, Sentence, WrongState, storage_errors
from playground.jobs import Job, Jobs
from playground.rag import indexing
from playground.rag.chunks import Size, size_in
from playground.rag.dense import Dense
from playground.rag.embedders import STARTER, Embedder, Embedders
from playground.rag.index import DONE, WAITING, Document, Index
from playground.rag.passwords import Passwords
from playground.rag.pdf import SUFFIXES
from playground.rag.reindexing import Reindexing
from playground.rag.text import clean
from playground.settings import Settings
from playground.workspace import ID, Workspace, file_hash, read_json, write_json

log = logging.getLogger(__name__)

DEFAULT_NAME = "My documents"
NAME_CHARACTERS = 80
FILE_NAME_CHARACTERS = 120
STOP_SECONDS = 10  # for an indexing to end whose collection is deleted
BUSY = "This collection is being indexed already. Wait until that is done, or stop it."
NO_DOCUMENT = "There is no document of that name in this collection any more."


class Shelf:
    """Every owner's collections. Safe under threads."""

    def __init__(self, workspace: Workspace, settings: Settings, jobs: Jobs) -> None:
        self.workspace, self.settings, self.jobs = workspace, settings, jobs
        self.embedders = Embedders(settings)
        self.dense = Dense(workspace.home / "chroma", settings.chroma_url)
        self.passwords = Passwords()
        self._under_way: dict[str, Job] = {}
        self._indexing: dict[str, indexing.Indexing] = {}  # the last one of each collection
        self._lock = threading.Lock()

    # collections

    def info(self, owner: str, collection: str) -> dict[str, Any]:
        """As an item of `list`."""
        return self._about(self.find(owner, collection))

    def find(self, owner: str, collection: str) -> Path:
        """The folder of a collection by its id or its name.

        Raises:
            NotFound: this owner has none of that name.
        """
        if isinstance(collection, str) and ID.fullmatch(collection):
            return self.workspace.find("collections", collection, owner)
        if isinstance(collection, str):
            name = " ".join(collection.split())
            for folder in self.workspace.list("collections", owner):
                if _identity(folder).get("name") == name:
                    return folder
        raise NotFound("There is no such collection of documents. Choose another one from the list, or add a PDF to make one.")

    def make(self, owner: str, name: str | None, embedder: str | None = None, size: Size | None = None, *, rows: bool = False) -> Path:
        """The collection of a name, made if it is not there.

        `embedder`, the passages' `size` and whether it holds a table's `rows` count for a new one only.

        Raises:
            InputError: the name is too long; ModelUnavailable: no such embedder here.
        """
        name = _collection_name(name or DEFAULT_NAME)
        known = self.embedders.known(embedder or STARTER)
        with self._lock:
            try:
                return self.find(owner, name)
            except NotFound:
                if ID.fullmatch(name):
                    raise
            folder = self.workspace.draft("collections")
            with storage_errors():
                (folder / "documents").mkdir()
            Index(folder / "index.sqlite").create()
            size = size or Size()
            told = {"passage_tokens": size.tokens, "passage_overlap": size.overlap, "rows": rows}
            self.workspace.publish(folder, owner=owner, name=name, embedder=known.id, **told)
            return folder

    def rename(self, owner: str, collection: str, name: str) -> dict[str, Any]:
        """Another name for a collection; gives it as an item of `list`.

        Raises:
            InputError: no name, one that is too long, or one that another collection has.
        """
        folder, name = self.find(owner, collection), _collection_name(name if isinstance(name, str) else "")
        with self._lock:
            others = [_identity(one).get("name") for one in self.workspace.list("collections", owner) if one != folder]
            if not name or name in others or ID.fullmatch(name):
                raise InputError("The new name is empty, or another collection has it. Choose another name.")
            write_json(folder / "manifest.json", {**_identity(folder), "name": name})
        return self._about(folder)

    def reindex(self, owner: str, collection: str, embedder: str) -> Job:
        """Make all passages and vectors of a collection anew with another embedder, in a job; until it is whole, the old ones are asked.

        Raises:
            ModelUnavailable, NotFound: no such embedder here; WrongState: it is being indexed.
        """
        folder, known = self.find(owner, collection), self.embedders.known(embedder)
        index = Index(folder / "index.sqlite")
        if not index.count():
            raise InputError("There is no document in this collection yet. Add one first.")
        with self._lock:
            if (job := self._under_way.get(folder.name)) and not job.finished:
                raise WrongState(BUSY)
            work = Reindexing(
                folder, index, lambda: self.embedders.load(known.id), lambda: self._settle(folder), size_in(_identity(folder))
            )
            self._under_way[folder.name] = job = self.jobs.start(owner, "reindex_collection", work.run)
        return job

    def delete(self, owner: str, collection: str) -> dict[str, Any]:
        """Delete a collection with its files; an indexing under way is stopped first."""
        folder = self.find(owner, collection)
        told = self._about(folder)
        if (job := self._under_way.pop(folder.name, None)) and not job.finished:
            self.jobs.stop(owner, job.job_id)
            until = time.monotonic() + STOP_SECONDS
            while job.began and not job.finished and time.monotonic() < until:  # or it would write into a folder that is going
                time.sleep(0.05)
        self._indexing.pop(folder.name, None)
        self.passwords.forget(folder.name)
        self.workspace.delete(folder)
        self.dense.drop(folder.name)
        return {**told, "deleted": True}

    # documents

    def documents(self, owner: str, collection: str) -> list[dict[str, Any]]:
        """The documents of a collection in the order they came, as `/list_documents` gives them."""
        folder = self.find(owner, collection)
        work = self._indexing.get(folder.name)
        return [indexing.report(one, work.reading if work else None) for one in Index(folder / "index.sqlite").documents()]

    def add(
        self,
        owner: str,
        files: Sequence[tuple[Path, str]],
        collection: str | None = None,
        embedder: str | None = None,
        passwords: Mapping[str, str] | None = None,
        size: Size | None = None,
    ) -> tuple[Job, Path]:
        """Copy (path, name) files into a collection and index them, and whatever was left waiting there, in a job.

        Args:
            passwords: by the names of files, also of those that failed for want of one, which get another try. Kept in memory only; one
                that opens its document for a while longer, so that pages can be shown (`playground.rag.passwords`).
            size: of the passages, where the collection is a new one; so is `embedder`.

        Raises:
            InputError: no files, and none waiting; or a file too large.
            WrongState: this collection is being indexed already.
        """
        limits = self.settings.limits
        files = [(path, _shown(name)) for path, name in files]
        for path, name in files:
            if not path.is_file() or path.stat().st_size == 0:
                raise InputError("{name} is empty: it has no content at all. Choose another file.", name=name)
            if path.stat().st_size > limits.upload_bytes:
                raise InputError(
                    "{name} is larger than {limit} MB, which is the most that can be added here.",
                    name=name,
                    limit=limits.upload_bytes // 1024**2,
                )
        try:
            here = Index(self.find(owner, collection or DEFAULT_NAME) / "index.sqlite").documents()
        except NotFound:
            here = []
        if len(here) + len(files) > limits.documents:
            raise InputError("A collection holds at most {n} documents. Delete some, or begin another collection.", n=limits.documents)
        passwords = {_shown(name): word for name, word in (passwords or {}).items() if isinstance(word, str) and word}
        locked = [one for one in here if one.name in passwords and indexing.needs_password(one)]
        if not files and not locked and not any(one.state == WAITING for one in here):
            raise InputError("No file was given. Choose at least one.")
        folder = self.make(owner, collection, embedder, size)
        index = Index(folder / "index.sqlite")
        with self._lock:
            if (job := self._under_way.get(folder.name)) and not job.finished:
                raise WrongState(BUSY)
            known = {one.sha256: one for one in here}
            skipped, words = {}, {}
            for one in locked:
                words[index.register(one.name, one.sha256, one.file).sha256] = passwords[one.name]
            for path, name in files:
                digest = file_hash(path)
                if (before := known.get(digest)) and before.state == DONE:
                    skipped[name] = Sentence("{name} is already there, with the same content.", name=name)
                    continue
                target = folder / "documents" / f"{digest}{_suffix(name)}"
                if name in passwords:
                    words[digest] = passwords[name]
                if not target.exists():
                    _copy(path, target)
                if index.register(name, digest, target.name).name != name:  # it waits already, under another name
                    skipped[name] = Sentence("{name} is already there, with the same content.", name=name)
            work = indexing.Indexing(
                folder,
                index,
                self.dense,
                lambda: self.embedder_of(folder),
                skipped,
                words,
                size_in(_identity(folder)),
                lambda sha256, word: self.passwords.remember(folder.name, sha256, word),
            )
            self._indexing[folder.name] = work
            self._under_way[folder.name] = job = self.jobs.start(owner, "index_documents", work.run)
        return job, folder

    def under_way(self, owner: str, collection: str) -> Job | None:
        """The indexing of a collection that has not ended yet."""
        job = self._under_way.get(self.find(owner, collection).name)
        return job if job is not None and not job.finished else None

    def last_failure(self, owner: str, collection: str) -> Sentence | None:
        """Why the last indexing of a collection could not be done at all, such as an embedder that cannot be had."""
        job = self._under_way.get(self.find(owner, collection).name)
        return job.error if job is not None and job.state == "failed" else None

    def _named(self, owner: str, collection: str, name: str) -> tuple[Path, Index, Sequence[Document]]:
        """The collection's folder and index, and the documents of this name in it.

        Raises:
            NotFound: there is none.
        """
        folder = self.find(owner, collection)
        index = Index(folder / "index.sqlite")
        found = [one for one in index.documents() if one.name == name]
        if not found:
            raise NotFound(NO_DOCUMENT)
        return folder, index, found

    def rename_document(self, owner: str, collection: str, name: str, new_name: str) -> dict[str, Any]:
        """Another name for a document; its content, and what is known of it, stay.

        Raises:
            NotFound: there is none of that name; InputError: another one has the new name, or it is empty; WrongState: being indexed.
        """
        folder, index, found = self._named(owner, collection, name)
        if self.under_way(owner, collection):
            raise WrongState("This collection is being indexed. Wait until that is done, or stop it, then rename the document.")
        wanted = _shown(new_name, "") if isinstance(new_name, str) else ""
        if not wanted or any(one.name == wanted for one in index.documents()):
            raise InputError("The new name is empty, or another document here has it. Choose another name.")
        for one in found:
            index.rename(one.id, wanted)
        return {"collection": _identity(folder)["name"], "name": wanted, "former": name}

    def remove(self, owner: str, collection: str, name: str) -> dict[str, Any]:
        """Take a document out of a collection.

        Raises:
            NotFound: there is none of that name; WrongState: it is being indexed.
        """
        folder, index, found = self._named(owner, collection, name)
        if self.under_way(owner, collection):
            raise WrongState("This collection is being indexed. Wait until that is done, or stop it, then delete the document.")
        for one in found:
            self.passwords.forget(folder.name, one.sha256)
            self.dense.remove(folder.name, index.delete(one.id))
            (folder / "documents" / one.file).unlink(missing_ok=True)
        return {"collection": _identity(folder)["name"], "name": name, "deleted": True}

    def embedder_of(self, folder: Path) -> Embedder:
        """The collection's embedder; where its weights are not those that made the stored vectors, these are made again first."""
        self._settle(folder)
        embedder = self.embedders.load(_identity(folder).get("embedder", STARTER))
        now = {"fingerprint": embedder.fingerprint, "dimension": embedder.dimension}
        if read_json(folder / "embedder.json") != now:
            with self._lock:
                index = Index(folder / "index.sqlite")
                if index.count():
                    ids, texts = index.texts()
                    index.replace_vectors(ids, embedder.passages(texts))
                self.dense.drop(folder.name)
                write_json(folder / "embedder.json", now)
        return embedder

    def _settle(self, folder: Path) -> None:
        """Write down which embedder a collection has, where an app was killed between its new vectors and that."""
        about = Index(folder / "index.sqlite").about()
        identity = _identity(folder)
        if about and identity and about["swapped"] > identity.get("swapped", 0):
            with self._lock:
                self.dense.drop(folder.name)
                write_json(folder / "embedder.json", {"fingerprint": about["fingerprint"], "dimension": about["dimension"]})
                write_json(folder / "manifest.json", {**_identity(folder), "embedder": about["embedder"], "swapped": about["swapped"]})

    def _about(self, folder: Path) -> dict[str, Any]:
        try:
            self._settle(folder)
            documents = Index(folder / "index.sqlite").documents()
        except sqlite3.DatabaseError:  # a damaged one must not hide the others, and can be deleted
            log.warning("the index of collection %s cannot be read", folder.name, exc_info=True)
            documents = []
        identity = _identity(folder)
        return {
            "collection": identity["name"],
            "collection_id": folder.name,
            "embedder": identity["embedder"],
            "passage_tokens": size_in(identity).tokens,
            "passage_overlap": size_in(identity).overlap,
            "rows": bool(identity.get("rows")),
            "documents": len(documents),
            "waiting": sum(one.state == "waiting" for one in documents),
            "chunks": sum(one.chunks for one in documents),
        }

    def list(self, owner: str) -> list[dict[str, Any]]:
        """Newest first, those made of tables last: collection (its name), collection_id, embedder, documents and passages."""
        return sorted((self._about(folder) for folder in self.workspace.list("collections", owner)), key=lambda one: one["rows"])


def _identity(folder: Path) -> dict[str, Any]:
    return read_json(folder / "manifest.json", {})


def _collection_name(name: str) -> str:
    name = " ".join(name.split())
    if len(name) > NAME_CHARACTERS or not name.isprintable():
        raise InputError("The name of a collection has at most {n} characters, all of them printable.", n=NAME_CHARACTERS)
    return name


def _suffix(name: str) -> str:
    """How a stored file ends: what its owner called it, if that is a kind that is known."""
    suffix = Path(name).suffix.lower()
    return suffix if suffix in SUFFIXES else ".bin"


def _shown(name: str, otherwise: str = "document.pdf") -> str:
    """How a file is called in lists and sentences: its last part, printable, not too long. Never used as a path."""
    last = PureWindowsPath(PurePosixPath(clean(name)).name).name
    printable = "".join(c if c.isprintable() else " " for c in last)
    return " ".join(printable.split())[:FILE_NAME_CHARACTERS].strip() or otherwise


def _copy(source: Path, target: Path) -> None:
    """Whole or not at all."""
    draft = target.with_suffix(".part")
    with storage_errors():
        try:
            shutil.copyfile(source, draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
