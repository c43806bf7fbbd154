"""The documents of every owner's collections: how they come in, what they are called, and how they are taken out again.

Reading them is a job (`playground.rag.indexing`), one at a time for each collection; what is added meanwhile goes along with it. Knows
collections (`playground.rag.shelf`). Does not know questions.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from playground.errors import InputError, NotFound, Sentence, WrongState, storage_errors
from playground.jobs import Job
from playground.rag import names
from playground.rag.chunks import ROW, Size, size_in
from playground.rag.index import DONE, FAILED, WAITING, Document, Index
from playground.rag.indexing import Indexing, needs_password, report
from playground.rag.reindexing import Reindexing
from playground.rag.shelf import DEFAULT_NAME, STOP_SECONDS, Shelf, identity_of
from playground.workspace import file_hash, write_bytes

BUSY = "This collection is being indexed already. Wait until that is done, or stop it."
NO_DOCUMENT = "There is no document of that name in this collection any more."
THERE = "{name} is already there, with the same content."
KEEPS = (
    "{name} keeps the embedder and the size of passages that it was made with. "
    "To have another embedder, index it anew; to have another size, begin a new collection."
)


class Documents(Shelf):
    """Every owner's collections, with what stands in them. Safe under threads."""

    def documents(self, owner: str, collection: str) -> list[dict[str, Any]]:
        """The documents of a collection in the order they came, as `/list_documents` gives them."""
        folder = self.find(owner, collection)
        work = self._indexing.get(folder.name)
        return [report(one, work.reading if work else None) for one in Index(folder / "index.sqlite").documents()]

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

        Where a job is at work on the collection already, it is that one, which takes them, too.

        Args:
            passwords: by the names of files, also of those that failed for want of one, which get another try. Kept in memory only; one
                that opens its document for a while longer, so that pages can be shown (`playground.rag.passwords`).
            size: of the passages, where the collection is a new one; so is `embedder`.

        Raises:
            InputError: no files, and none waiting; or a file too large.
        """
        files = [(path, names.shown(name)) for path, name in files]
        self._check(files)
        before, here = self._here(owner, collection or DEFAULT_NAME)
        limit = self.settings.limits.documents
        if len(here) + len(files) > limit:
            raise InputError("A collection holds at most {n} documents. Delete some, or begin another collection.", n=limit)
        words = {names.shown(name): word for name, word in (passwords or {}).items() if isinstance(word, str) and word}
        locked = [one for one in here if one.name in words and needs_password(one)]
        if not files and not locked and not any(one.state == WAITING for one in here):
            raise InputError("No file was given. Choose at least one.")
        given = [(path, name, file_hash(path)) for path, name in files]
        folder = self.make(owner, collection, embedder, size)
        index = Index(folder / "index.sqlite")

        def note(work: Indexing) -> None:
            if before and not _as_made(before, embedder, size):
                work.notes.append(Sentence(KEEPS, name=before["name"]))
            for one in locked:
                self.passwords.remember(folder.name, one.sha256, words[one.name])
                index.register(one.name, one.sha256, one.file, one.unit)
            known = {one.sha256: one for one in index.documents()}
            standing = {digest: one.name for digest, one in known.items() if one.state != FAILED}
            called = names.apart([(name, digest) for _, name, digest in given], standing)
            for (path, name, digest), own in zip(given, called, strict=True):
                if name in words:
                    self.passwords.remember(folder.name, digest, words[name])
                self._put(folder, index, known.get(digest), path, digest, own, work)
                if own != name:
                    work.notes.append(
                        Sentence("Two different files of one upload are called {name}. One of them is {new} here.", name=name, new=own)
                    )

        return self._at_work(owner, folder, note), folder

    def _check(self, files: Sequence[tuple[Path, str]]) -> None:
        most = self.settings.limits.upload_bytes
        for path, name in files:
            if not path.is_file() or path.stat().st_size == 0:
                raise InputError("{name} is empty: it has no content at all. Choose another file.", name=name)
            if path.stat().st_size > most:
                raise InputError(
                    "{name} is larger than {limit} MB, which is the most that can be added here.", name=name, limit=most // 1024**2
                )

    def _here(self, owner: str, collection: str) -> tuple[dict[str, Any], list[Document]]:
        """What a collection was made with and what stands in it; nothing where there is none yet."""
        try:
            folder = self.find(owner, collection)
        except NotFound:
            return {}, []
        return identity_of(folder), Index(folder / "index.sqlite").documents()

    def _put(self, folder: Path, index: Index, before: Document | None, path: Path, digest: str, name: str, work: Indexing) -> None:
        """Let a file wait in a collection, where its bytes are not there yet or could not be read."""
        if before and before.state == DONE:
            self._skip(work, name)
            return
        target = folder / "documents" / f"{digest}{names.suffix(name)}"
        if not target.exists():
            _copy(path, target)
        document = index.register(name, digest, target.name)
        if document.name != name:  # it waits already, under another name
            self._skip(work, name)
        for stale in {target.name, before.file if before else target.name} - {document.file}:  # it failed under another ending
            (folder / "documents" / stale).unlink(missing_ok=True)

    def _skip(self, work: Indexing, name: str) -> None:
        work.skipped[name] = Sentence(THERE, name=name)
        work.notes.append(work.skipped[name])

    def add_rows(self, owner: str, name: str, rows: Sequence[str]) -> Job | None:
        """Let a table wait as the one document of the collection of its name, a row a passage; gives the job that takes it.

        None where the same rows are there already.

        Args:
            rows: without breaks of lines; empty ones count, but are no passages.
        """
        folder = self.make(owner, name, rows=True)
        index, content = Index(folder / "index.sqlite"), "\n".join(rows).encode()
        digest = hashlib.sha256(content).hexdigest()
        known = next((one for one in index.documents() if one.sha256 == digest), None)
        if known and known.state == DONE and known.unit == ROW:
            return None

        def note(work: Indexing) -> None:
            if known and known.unit != ROW:  # it was cut as a text is
                self.dense.remove(folder.name, index.delete(known.id))
            write_bytes(folder / "documents" / f"{digest}.txt", content)
            index.register(name, digest, f"{digest}.txt", ROW)

        # the work that asks for this stands in a line of its own
        return self._at_work(owner, folder, note, apart=True)

    def _at_work(self, owner: str, folder: Path, note: Callable[[Indexing], None], *, apart: bool = False) -> Job:
        """The job that takes what `note` lets wait: the one under way, or a new one."""
        until = time.monotonic() + STOP_SECONDS
        while True:
            with self._lock:
                job, work = self._under_way.get(folder.name), self._indexing.get(folder.name)
                if job is None or work is None or job.finished:
                    work = self._work(folder)
                    note(work)
                    return self._start(owner, folder, work, "index_documents", work.run, apart=apart)
                with work.joined() as taken:
                    # one that is ending is waited for, but not for ever: then what waits is offered to be gone on with
                    if (taken and not job.stopping()) or time.monotonic() > until:
                        note(work)
                        return job
            time.sleep(0.02)

    def _work(self, folder: Path) -> Indexing:
        size, index = size_in(identity_of(folder)), Index(folder / "index.sqlite")
        return Indexing(folder, index, self.dense, lambda: self.embedder_of(folder), self.passwords, size)

    def _start(self, owner: str, folder: Path, work: Indexing, kind: str, run: Callable[[Job], Any], *, apart: bool = False) -> Job:
        self._indexing[folder.name] = work
        self._under_way[folder.name] = job = self.jobs.start(owner, kind, run, apart=apart)
        return job

    def reindex(self, owner: str, collection: str, embedder: str) -> Job:
        """Make all passages and vectors of a collection anew with another embedder, in a job; until it is whole, the old ones are asked.

        What is added meanwhile is read afterwards, in the same job.

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
            size, work = size_in(identity_of(folder)), self._work(folder)
            anew = Reindexing(folder, index, lambda: self.embedders.load(known.id), lambda about: self._swap(folder, about), size)

            def run(job: Job) -> dict[str, Any]:
                with contextlib.closing(work):
                    anew.run(job)
                    if not job.stopping():
                        work.run(job)
                    return anew.result()

            return self._start(owner, folder, work, "reindex_collection", run)

    def notes(self, owner: str, collection: str, job_id: str) -> list[Sentence]:
        """What a job that indexed a collection, if it is the last one, has to tell beside how each document fared."""
        name = self.find(owner, collection).name
        job, work = self._under_way.get(name), self._indexing.get(name)
        return list(work.notes) if job and work and job.job_id == job_id else []

    def _one(self, owner: str, collection: str, document: str | int) -> tuple[Path, Index, list[Document]]:
        """The collection's folder and index, and the documents of this name or number, good versions before those that failed or wait.

        Raises:
            NotFound: there is none.
        """
        folder = self.find(owner, collection)
        index = Index(folder / "index.sqlite")
        found = [one for one in index.documents() if document == (one.id if type(document) is int else one.name)]
        if not found:
            raise NotFound(NO_DOCUMENT)
        return folder, index, sorted(found, key=lambda one: one.state != DONE)

    def rename_document(self, owner: str, collection: str, document: str | int, new_name: str) -> dict[str, Any]:
        """Another name for a document (by name or number); its content, and what is known of it, stay.

        Of a name that a failed version has, too, the good one is meant.

        Raises:
            NotFound: there is none of that name; InputError: another one has the new name, or it is empty; WrongState: being indexed.
        """
        folder, index, (found, *_) = self._one(owner, collection, document)
        if self.under_way(owner, collection):
            raise WrongState("This collection is being indexed. Wait until that is done, or stop it, then rename the document.")
        wanted = names.shown(new_name, "") if isinstance(new_name, str) else ""
        if not wanted or any(one.name == wanted for one in index.documents()):
            raise InputError("The new name is empty, or another document here has it. Choose another name.")
        index.rename(found.id, wanted)
        return {"collection": identity_of(folder)["name"], "name": wanted, "former": found.name}

    def remove(self, owner: str, collection: str, document: str | int) -> dict[str, Any]:
        """Take a document (by name or number) out of a collection; of a name that two versions have, the one that failed.

        Raises:
            NotFound: there is none of that name; WrongState: it is being indexed.
        """
        folder, index, (*_, found) = self._one(owner, collection, document)
        if self.under_way(owner, collection):
            raise WrongState("This collection is being indexed. Wait until that is done, or stop it, then delete the document.")
        self.passwords.forget(folder.name, found.sha256)
        self.dense.remove(folder.name, index.delete(found.id))
        (folder / "documents" / found.file).unlink(missing_ok=True)
        return {"collection": identity_of(folder)["name"], "name": found.name, "deleted": True}


def _as_made(identity: Mapping[str, Any], embedder: str | None, size: Size | None) -> bool:
    """Whether what is wanted of a collection, where anything is, is how it was made."""
    return embedder in (None, "", identity.get("embedder")) and size in (None, size_in(identity))


def _copy(source: Path, target: Path) -> None:
    """Whole or not at all."""
    draft = target.with_suffix(".part")
    with storage_errors():
        try:
            shutil.copyfile(source, draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
