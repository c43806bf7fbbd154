"""The collections of documents of every owner: files in, passages and evidence out.

    collections/<id>/documents/<sha256>.pdf  index.sqlite  embedder.json  manifest.json (identity: name, embedder)

Indexing is a job; searching and asking are not. Puts the room's parts together and knows no language model: `ask` is given one.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from playground.errors import InputError, NotFound, PromptError, Sentence, SettingsError, WrongState, storage_errors
from playground.jobs import Job, Jobs
from playground.rag import evidence, indexing
from playground.rag.answer import Answer, Generate, respond
from playground.rag.dense import Dense
from playground.rag.embedders import STARTER, Embedder, Embedders
from playground.rag.index import DONE, WAITING, Index, Passage
from playground.rag.retrieve import CANDIDATES, MODES, Ranked, fuse
from playground.rag.text import clean, language_of
from playground.rag.thesaurus import Thesaurus
from playground.settings import Settings
from playground.workspace import ID, Workspace, read_json, write_json

log = logging.getLogger(__name__)

DEFAULT_NAME = "My documents"
NAME_CHARACTERS = 80
FILE_NAME_CHARACTERS = 120
STOP_SECONDS = 10  # for an indexing to end whose collection is deleted
EVIDENCE_PASSAGES = 6  # how many of the best passages are looked at sentence by sentence
NO_DOCUMENTS = "There is no document to ask yet. Add a PDF first."


class Collections:
    """Every owner's collections. Safe under threads."""

    def __init__(self, workspace: Workspace, settings: Settings, jobs: Jobs) -> None:
        self.workspace, self.settings, self.jobs = workspace, settings, jobs
        self.embedders = Embedders(settings)
        self.dense = Dense(workspace.home / "chroma")
        self.thesaurus = Thesaurus(settings.assets / "starter" / "related_words.txt")
        self._under_way: dict[str, Job] = {}
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

    def make(self, owner: str, name: str | None, embedder: str | None = None) -> Path:
        """The collection of a name, made if it is not there. `embedder` counts for a new one only.

        Raises:
            InputError: the name is too long; ModelUnavailable: no such embedder here.
        """
        name = " ".join((name or DEFAULT_NAME).split())
        if len(name) > NAME_CHARACTERS or not name.isprintable():
            raise InputError("The name of a collection has at most {n} characters, all of them printable.", n=NAME_CHARACTERS)
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
            self.workspace.publish(folder, owner=owner, name=name, embedder=known.id)
            return folder

    def delete(self, owner: str, collection: str) -> dict[str, Any]:
        """Delete a collection with its files; an indexing under way is stopped first."""
        folder = self.find(owner, collection)
        told = self._about(folder)
        if (job := self._under_way.pop(folder.name, None)) and not job.finished:
            self.jobs.stop(owner, job.job_id)
            until = time.monotonic() + STOP_SECONDS
            while job.began and not job.finished and time.monotonic() < until:  # or it would write into a folder that is going
                time.sleep(0.05)
        self.workspace.delete(folder)
        self.dense.drop(folder.name)
        return {**told, "deleted": True}

    # documents

    def documents(self, owner: str, collection: str) -> list[dict[str, Any]]:
        """The documents of a collection in the order they came, as `/list_documents` gives them."""
        return [indexing.report(one) for one in Index(self.find(owner, collection) / "index.sqlite").documents()]

    def add(
        self, owner: str, files: Sequence[tuple[Path, str]], collection: str | None = None, embedder: str | None = None
    ) -> tuple[Job, Path]:
        """Copy (path, name) files into a collection and index them, and whatever was left waiting there, in a job.

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
        if not files and not any(one.state == WAITING for one in here):
            raise InputError("No file was given. Choose at least one PDF.")
        folder = self.make(owner, collection, embedder)
        index = Index(folder / "index.sqlite")
        with self._lock:
            if (job := self._under_way.get(folder.name)) and not job.finished:
                raise WrongState("This collection is being indexed already. Wait until that is done, or stop it.")
            known = {one.sha256: one for one in here}
            skipped = {}
            for path, name in files:
                digest = _digest(path)
                if (before := known.get(digest)) and before.state == DONE:
                    skipped[name] = Sentence("{name} is already there, with the same content.", name=name)
                    continue
                target = folder / "documents" / f"{digest}.pdf"
                if not target.exists():
                    _copy(path, target)
                if index.register(name, digest, target.name).name != name:  # it waits already, under another name
                    skipped[name] = Sentence("{name} is already there, with the same content.", name=name)
            work = indexing.Indexing(folder, index, self.dense, lambda: self._embedder(folder), skipped)
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

    def remove(self, owner: str, collection: str, name: str) -> dict[str, Any]:
        """Take a document out of a collection.

        Raises:
            NotFound: there is none of that name; WrongState: it is being indexed.
        """
        folder = self.find(owner, collection)
        index = Index(folder / "index.sqlite")
        found = [one for one in index.documents() if one.name == name]
        if not found:
            raise NotFound("There is no document of that name in this collection any more.")
        if self.under_way(owner, collection):
            raise WrongState("This collection is being indexed. Wait until that is done, or stop it, then delete the document.")
        for one in found:
            self.dense.remove(folder.name, index.delete(one.id))
            (folder / "documents" / one.file).unlink(missing_ok=True)
        return {"collection": _identity(folder)["name"], "name": name, "deleted": True}

    # questions

    def search(self, owner: str, question: str, collection: str, k: int = 5, mode: str = "hybrid") -> list[dict[str, Any]]:
        """The best `k` passages, as `/search` gives them.

        Raises:
            PromptError: no question, or nothing to search in; SettingsError: an unknown mode or a strange k.
        """
        folder, index, question = self._ready(owner, question, collection)
        _check(mode, k)
        return [_hit(passage, ranked) for passage, ranked in self._find(folder, index, question, k, mode)]

    def ask(
        self, owner: str, question: str, collection: str, generate: Generate | None, *, small: bool, mode: str = "hybrid"
    ) -> Iterator[dict[str, Any]]:
        """The answer as it grows, with the passages it rests on, as `/ask` gives it.

        Raises:
            PromptError, SettingsError: as `search`.
        """
        folder, index, question = self._ready(owner, question, collection)
        _check(mode)
        found = self._find(folder, index, question, EVIDENCE_PASSAGES, mode)
        passages = [passage for passage, _ in found]
        hits = [_hit(passage, ranked) for passage, ranked in found]
        embedder = self._embedder(folder)
        asked = evidence.asked(question)
        sentences = evidence.find(question, passages, index.rarity(asked), embedder.passages, self.thesaurus.related(asked))
        pages: dict[tuple[int, int], str] = {}

        def page_text(passage: Passage) -> str:
            key = (passage.document, passage.page)
            if key not in pages:
                pages[key] = index.page_text(*key)
            return pages[key]

        for state in respond(question, sentences, page_text, generate, small=small):
            yield {**_plain(state), "passages": hits}

    def warm(self, owner: str, collection: str) -> None:
        """Load in the background what the first question needs."""
        folder = self.find(owner, collection)

        def load() -> None:
            embedder = self._embedder(folder)
            index = Index(folder / "index.sqlite")
            if index.count():
                self._nearest(folder, index, embedder, "warm", 1)

        threading.Thread(target=load, name="warm-documents", daemon=True).start()

    def _ready(self, owner: str, question: str, collection: str) -> tuple[Path, Index, str]:
        asked = clean(question).strip() if isinstance(question, str) else ""
        if not asked:
            raise PromptError("There is no question yet. Write one, then send it.")
        limit = self.settings.limits.question_characters
        if len(question) > limit:
            raise PromptError("The question has {n:,} characters; at most {limit:,} can be read. Shorten it.", n=len(question), limit=limit)
        if not collection and not self.workspace.list("collections", owner):
            raise PromptError(NO_DOCUMENTS)
        folder = self.find(owner, collection)
        index = Index(folder / "index.sqlite")
        if not index.count():
            raise PromptError(NO_DOCUMENTS)
        return folder, index, asked

    def _find(self, folder: Path, index: Index, question: str, k: int, mode: str) -> list[tuple[Passage, Ranked]]:
        keyword = index.keyword(question, max(k, CANDIDATES)) if mode != "dense" else []
        related: list[tuple[int, float]] = []
        if mode == "hybrid":
            others = self.thesaurus.related(evidence.asked(question)).values()
            related = index.any_of([word for group in others for word in group], CANDIDATES)
        dense: list[tuple[int, float]] = []
        weight = 0.0
        if mode != "keyword":
            embedder = self._embedder(folder)
            dense = self._nearest(folder, index, embedder, question, max(k, CANDIDATES))
            weight = 1.0 if mode == "dense" else embedder.weight(language_of(question))
        ranked = fuse(dense, keyword, weight, k, related)
        passages = index.passages([one.id for one in ranked])
        return [(passages[one.id], one) for one in ranked if one.id in passages]

    def _nearest(self, folder: Path, index: Index, embedder: Embedder, question: str, k: int) -> list[tuple[int, float]]:
        vector = embedder.question(question)
        return self.dense.search(folder.name, vector, k, index.count(), index.newest(), lambda: index.vectors(embedder.dimension))

    def _embedder(self, folder: Path) -> Embedder:
        """The collection's embedder; where its weights are not those that made the stored vectors, these are made again first."""
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

    def _about(self, folder: Path) -> dict[str, Any]:
        identity = _identity(folder)
        try:
            documents = Index(folder / "index.sqlite").documents()
        except sqlite3.DatabaseError:  # a damaged one must not hide the others, and can be deleted
            log.warning("the index of collection %s cannot be read", folder.name, exc_info=True)
            documents = []
        return {
            "collection": identity["name"],
            "collection_id": folder.name,
            "embedder": identity["embedder"],
            "documents": len(documents),
            "waiting": sum(one.state == "waiting" for one in documents),
            "chunks": sum(one.chunks for one in documents),
        }

    def list(self, owner: str) -> list[dict[str, Any]]:
        """Newest first: collection (its name), collection_id, embedder, documents and passages."""
        return [self._about(folder) for folder in self.workspace.list("collections", owner)]


def _identity(folder: Path) -> dict[str, Any]:
    return read_json(folder / "manifest.json", {})


def _shown(name: str) -> str:
    """How a file is called in lists and sentences: its last part, printable, not too long. Never used as a path."""
    last = PureWindowsPath(PurePosixPath(clean(name)).name).name
    printable = "".join(c if c.isprintable() else " " for c in last)
    return " ".join(printable.split())[:FILE_NAME_CHARACTERS].strip() or "document.pdf"


def _check(mode: str, k: int = 1) -> None:
    if mode not in MODES or type(k) is not int or not 1 <= k <= CANDIDATES:
        raise SettingsError(
            "The mode is one of {modes}, and k is a whole number from 1 to {most}.", modes=", ".join(MODES), most=CANDIDATES
        )


def _copy(source: Path, target: Path) -> None:
    """Whole or not at all."""
    draft = target.with_suffix(".part")
    with storage_errors():
        try:
            shutil.copyfile(source, draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hit(passage: Passage, ranked: Ranked) -> dict[str, Any]:
    return {
        "text": passage.text,
        "document": passage.name,
        "page": passage.page,
        "label": passage.label,
        "score": ranked.score,
        "ranks": {"dense": ranked.dense_rank, "keyword": ranked.keyword_rank},
        "scores": {"dense": ranked.cosine, "keyword": ranked.bm25},
        "chunk": passage.id,
    }


def _plain(state: Answer) -> dict[str, Any]:
    return asdict(state)
