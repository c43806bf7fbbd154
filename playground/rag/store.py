"""The collections of documents of every owner, and what is asked of them: passages and evidence out.

What stands in them is `playground.rag.documents`'. Puts the room's parts together and knows no language model: `ask` is given one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError, PromptError, SettingsError
from playground.jobs import Jobs
from playground.rag import evidence
from playground.rag.answer import Answer, Generate, respond
from playground.rag.documents import Documents
from playground.rag.embedders import Embedder
from playground.rag.exam.kept import checked, threshold_of
from playground.rag.index import Index, Passage
from playground.rag.rerankers import Rerankers
from playground.rag.retrieve import CANDIDATES, Ranked
from playground.rag.search import Found, Search
from playground.rag.shelf import DEFAULT_NAME
from playground.rag.steps import Steps
from playground.rag.steps import read as read_steps
from playground.rag.text import clean
from playground.rag.thesaurus import Thesaurus
from playground.settings import Settings
from playground.workspace import Workspace

__all__ = ["DEFAULT_NAME", "Collections"]

EVIDENCE_PASSAGES = 6  # how many of the best passages are looked at sentence by sentence
NO_DOCUMENTS = "There is no document to ask yet. Add a PDF first."


class Collections(Documents):
    """Every owner's collections, and what is asked of them."""

    def __init__(self, workspace: Workspace, settings: Settings, jobs: Jobs) -> None:
        super().__init__(workspace, settings, jobs)
        self.rerankers = Rerankers(settings)
        self.thesaurus = Thesaurus(settings.assets / "starter" / "related_words.txt")

    def search(
        self, owner: str, question: str, collection: str, k: int = 5, mode: str = "hybrid", settings: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The best `k` passages, as `/search` gives them; `settings` switch single steps (`steps.NAMES`).

        Raises:
            PromptError: no question, or nothing to search in; SettingsError: an unknown mode or setting, or a strange k.
        """
        return self.searched(owner, question, collection, k, read_steps(mode, settings))[0]

    def searched(self, owner: str, question: str, collection: str, k: int, steps: Steps) -> tuple[list[dict[str, Any]], Found]:
        """As `search`, with what the single steps said."""
        folder, index, question = self._ready(owner, question, collection)
        _check(k)
        found = self._search(folder, index, question, k, steps)
        return [_hit(passage, ranked) for passage, ranked in found.passages], found

    def ask(
        self,
        owner: str,
        question: str,
        collection: str,
        generate: Generate | None,
        *,
        small: bool,
        mode: str = "hybrid",
        settings: Mapping[str, Any] | None = None,
        threshold: float | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The answer as it grows, with the passages it rests on and the `sentences` that were weighed, as `/ask` gives it.

        `orders` names the documents among them that hold text which tries to give orders to a model.

        Args:
            threshold: how sure the evidence must be (0 to 1); left out, the one that is kept for the collection.

        Raises:
            PromptError, SettingsError: as `search`.
        """
        folder, index, question = self._ready(owner, question, collection)
        enough = threshold_of(folder).value if threshold is None else checked(threshold)
        found = self._search(folder, index, question, EVIDENCE_PASSAGES, read_steps(mode, settings)).passages
        passages = [passage for passage, _ in found]
        hits = [_hit(passage, ranked) for passage, ranked in found]
        embedder = self.embedder_of(folder)
        asked = evidence.asked(question)
        sentences = evidence.find(question, passages, index.rarity(asked), embedder.passages, self.thesaurus.related(asked))
        pages: dict[tuple[int, int], str] = {}

        def page_text(passage: Passage) -> str:
            key = (passage.document, passage.page)
            if key not in pages:
                pages[key] = index.page_text(*key)
            return pages[key]

        weighed = [_weighed(one) for one in sentences]
        orders = [one.name for one in index.documents() if one.health.get("orders") and one.id in {p.document for p in passages}]
        for state in respond(question, sentences, page_text, generate, small=small, enough=enough):
            yield {**_plain(state), "passages": hits, "sentences": weighed, "orders": orders, "enough": enough}

    def check(self, owner: str, question: str, collection: str) -> None:
        """Raise what asking this question would, before anything is begun.

        Raises:
            PromptError: no question, one that is too long, or no document; NotFound: no such collection.
        """
        self._ready(owner, question, collection)

    def warm(self, owner: str, collection: str) -> None:
        """Load in the background what the first question needs."""
        folder = self.find(owner, collection)

        def load() -> None:
            with contextlib.suppress(PlaygroundError):  # which whoever asks is told
                embedder = self.embedder_of(folder)
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

    def _search(self, folder: Path, index: Index, question: str, k: int, steps: Steps) -> Found:
        search = Search(lambda most: self._near(folder, index, question, most), self.thesaurus, self.rerankers)
        return search.run(index, question, k, steps)

    def _near(self, folder: Path, index: Index, question: str, k: int) -> tuple[Embedder, list[tuple[int, float]]]:
        """The collection's embedder, and what it finds; another try where vectors of a new one came between the two."""
        for again in (True, False):
            embedder = self.embedder_of(folder)
            try:
                return embedder, self._nearest(folder, index, embedder, question, k)
            except ValueError:
                if not again:
                    raise
        raise RuntimeError("unreachable")

    def _nearest(self, folder: Path, index: Index, embedder: Embedder, question: str, k: int) -> list[tuple[int, float]]:
        vector = embedder.question(question)
        return self.dense.search(folder.name, vector, k, index.count(), index.newest(), lambda: index.vectors(embedder.dimension))


def _check(k: int) -> None:
    if type(k) is not int or not 1 <= k <= CANDIDATES:
        raise SettingsError("k is a whole number from 1 to {most}.", most=CANDIDATES)


def _hit(passage: Passage, ranked: Ranked) -> dict[str, Any]:
    return {
        "text": passage.text,
        "document": passage.name,
        "page": passage.page,
        "label": passage.label,
        "unit": passage.unit,
        "section": list(passage.section),
        "score": ranked.score,
        "ranks": {"dense": ranked.dense_rank, "keyword": ranked.keyword_rank},
        "scores": {"dense": ranked.cosine, "keyword": ranked.bm25},
        "chunk": passage.id,
        "fused_rank": ranked.fused_rank,
        "rerank": ranked.rerank,
    }


def _weighed(one: evidence.Evidence) -> dict[str, Any]:
    return {"quote": one.quote, "chunk": one.passage.id, "page": one.passage.page, "score": one.score, "coverage": one.coverage}


def _plain(state: Answer) -> dict[str, Any]:
    return asdict(state)
