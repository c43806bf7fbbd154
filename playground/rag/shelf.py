"""The collections of documents of every owner: their names, their embedders, and whether a job is at work on one.

    collections/<id>/documents/<sha256>.<kind>  index.sqlite  embedder.json  manifest.json (identity: name, embedder)

Does not know how documents come into them (`playground.rag.documents`) or what is asked of them (`playground.rag.store`).
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from playground.errors import Damaged, InputError, NotFound, Sentence, storage_errors
from playground.jobs import Job, Jobs
from playground.rag import names
from playground.rag.chunks import Size, size_in
from playground.rag.dense import Dense
from playground.rag.embedders import STARTER, Embedder, Embedders
from playground.rag.index import WAITING, Index
from playground.rag.indexing import Indexing
from playground.rag.passwords import Passwords
from playground.settings import Settings
from playground.workspace import ID, Workspace, read_json, write_json

log = logging.getLogger(__name__)

DEFAULT_NAME = "My documents"
STOP_SECONDS = 10  # for an indexing to end that was asked to


class Shelf:
    """Every owner's collections. Safe under threads."""

    def __init__(self, workspace: Workspace, settings: Settings, jobs: Jobs) -> None:
        self.workspace, self.settings, self.jobs = workspace, settings, jobs
        self.embedders = Embedders(settings)
        self.dense = Dense(workspace.home / "chroma", settings.chroma_url)
        self.passwords = Passwords()
        self._under_way: dict[str, Job] = {}
        self._indexing: dict[str, Indexing] = {}  # the last one of each collection
        self._vectors: dict[str, threading.RLock] = {}
        self._lock = threading.Lock()

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
                if identity_of(folder).get("name") == name:
                    return folder
        raise NotFound("There is no such collection of documents. Choose another one from the list, or add a PDF to make one.")

    def make(self, owner: str, name: str | None, embedder: str | None = None, size: Size | None = None, *, rows: bool = False) -> Path:
        """The collection of a name, made if it is not there.

        `embedder`, the passages' `size` and whether it holds a table's `rows` count for a new one only.

        Raises:
            InputError: the name is too long; ModelUnavailable: no such embedder here.
        """
        name = names.of_collection(name or DEFAULT_NAME)
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
        folder, name = self.find(owner, collection), names.of_collection(name if isinstance(name, str) else "")
        with self._lock:
            others = [identity_of(one).get("name") for one in self.workspace.list("collections", owner) if one != folder]
            if not name or name in others or ID.fullmatch(name):
                raise InputError("The new name is empty, or another collection has it. Choose another name.")
            write_json(folder / "manifest.json", {**identity_of(folder), "name": name})
        return self._about(folder)

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
        self._vectors.pop(folder.name, None)
        self.passwords.forget(folder.name)
        self.workspace.delete(folder)
        self.dense.drop(folder.name)
        return {**told, "deleted": True}

    def under_way(self, owner: str, collection: str) -> Job | None:
        """The indexing of a collection that has not ended yet."""
        job = self._under_way.get(self.find(owner, collection).name)
        return job if job is not None and not job.finished else None

    def last_failure(self, owner: str, collection: str) -> Sentence | None:
        """Why the last indexing of a collection could not be done at all, such as an embedder that cannot be had."""
        job = self._under_way.get(self.find(owner, collection).name)
        return job.error if job is not None and job.state == "failed" else None

    def embedder_of(self, folder: Path) -> Embedder:
        """The collection's embedder; where its weights are not those that made the stored vectors, these are made again first."""
        while True:
            self._settle(folder)
            id = identity_of(folder).get("embedder", STARTER)
            embedder = self.embedders.load(id)
            now = {"fingerprint": embedder.fingerprint, "dimension": embedder.dimension}
            if read_json(folder / "embedder.json") == now:
                return embedder
            with self._vectors_of(folder):  # and another look: who waited for this, or loaded for long, may find it done, or all else
                self._settle(folder)
                if identity_of(folder).get("embedder", STARTER) != id:
                    continue
                if read_json(folder / "embedder.json") != now:
                    index = Index(folder / "index.sqlite")
                    if index.count():
                        ids, texts = index.texts()
                        index.replace_vectors(ids, embedder.passages(texts))
                    self.dense.drop(folder.name)
                    write_json(folder / "embedder.json", now)
                return embedder

    def _vectors_of(self, folder: Path) -> threading.RLock:
        """Held while all vectors of a collection are exchanged, however long that takes; never asked for under the shelf's own lock."""
        with self._lock:
            return self._vectors.setdefault(folder.name, threading.RLock())

    def _swap(self, folder: Path, about: dict[str, Any]) -> None:
        """Let what was indexed anew take the place of a collection's passages (`Index.swap`)."""
        with self._vectors_of(folder):
            Index(folder / "index.sqlite").swap(about)
            self._settle(folder)

    def _settle(self, folder: Path) -> None:
        """Write down which embedder a collection has, where an app was killed between its new vectors and that."""
        about = Index(folder / "index.sqlite").about()
        if not _unsettled(folder, about):
            return
        with self._vectors_of(folder), self._lock:
            if _unsettled(folder, about):
                self.dense.drop(folder.name)
                write_json(folder / "embedder.json", {"fingerprint": about["fingerprint"], "dimension": about["dimension"]})
                write_json(folder / "manifest.json", {**identity_of(folder), "embedder": about["embedder"], "swapped": about["swapped"]})

    def _about(self, folder: Path) -> dict[str, Any]:
        documents, damaged = [], False
        try:
            self._settle(folder)
            documents = Index(folder / "index.sqlite").documents()
        except (Damaged, sqlite3.DatabaseError):  # it must not hide the others, and can be deleted
            log.warning("the index of collection %s cannot be read", folder.name, exc_info=True)
            damaged = True
        identity = identity_of(folder)
        return {
            "collection": identity["name"],
            "collection_id": folder.name,
            "embedder": identity["embedder"],
            "passage_tokens": size_in(identity).tokens,
            "passage_overlap": size_in(identity).overlap,
            "rows": bool(identity.get("rows")),
            "damaged": damaged,
            "documents": len(documents),
            "waiting": sum(one.state == WAITING for one in documents),
            "chunks": sum(one.chunks for one in documents),
        }

    def list(self, owner: str) -> list[dict[str, Any]]:
        """Newest first, those made of tables last: collection (its name), collection_id, embedder, documents and passages."""
        return sorted((self._about(folder) for folder in self.workspace.list("collections", owner)), key=lambda one: one["rows"])


def identity_of(folder: Path) -> dict[str, Any]:
    """What a collection was made with, as its manifest tells."""
    return read_json(folder / "manifest.json", {})


def _unsettled(folder: Path, about: dict[str, Any]) -> bool:
    """Whether a collection's vectors were exchanged (`about`, of its index) and its manifest does not know of that yet."""
    identity = identity_of(folder)
    return bool(about and identity) and about["swapped"] > identity.get("swapped", 0)
