"""Vectors in Chroma: one client for the whole workspace, one Chroma collection for each of ours.

    HOME/chroma/, or a Chroma server that the host has named

What is here can be made again from the collections' own files; where the two differ, it is. Where Chroma itself fails, the search goes on
without it, slower. Does not know texts or embedders.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

log = logging.getLogger(__name__)

AWAY_SECONDS = 30  # after which a server that did not answer is tried again; until then nobody waits for it
KNOCK_SECONDS, ANSWER_SECONDS = 2.0, 20.0  # a server has for a sign of life, and for any other answer
BATCH = 2_000  # vectors in one call; Chroma refuses more than some five thousand


class Dense:
    """The vectors of all collections; Chroma is opened on first use."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder, self.url = folder, url
        self._client: Any = None
        self._away_until = 0.0
        self._lock = threading.RLock()

    def _open(self) -> Any:
        with self._lock:
            if self._client is None:
                import chromadb
                from chromadb.config import Settings

                logging.getLogger("chromadb").setLevel(logging.ERROR)
                settings = Settings(anonymized_telemetry=False)
                self._client = self._connect(settings) if self.url else chromadb.PersistentClient(str(self.folder), settings=settings)
            return self._client

    def _connect(self, settings: Any) -> Any:
        """The client of the server.

        Raises:
            ConnectionError: it does not answer, or did not a moment ago.
        """
        import chromadb
        import httpx

        if time.monotonic() < self._away_until:
            raise ConnectionError(f"{self.url} did not answer a moment ago")
        parts = urlsplit(self.url)
        ssl = parts.scheme == "https"
        try:
            httpx.get(f"{self.url}/api/v2/heartbeat", timeout=KNOCK_SECONDS).raise_for_status()  # its own client would wait for ever
            client = chromadb.HttpClient(str(parts.hostname), parts.port or (443 if ssl else 80), ssl, settings=settings)
        except Exception as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise ConnectionError(f"{self.url} does not answer") from error
        session = getattr(getattr(client, "_server", None), "_session", None)
        if session is not None:
            session.timeout = ANSWER_SECONDS
        return client

    def _failed(self) -> None:
        """A server that failed may be gone: the next question knocks first."""
        if self.url and self._client is not None:
            self._client = None

    def _collection(self, name: str) -> Any:
        return self._open().get_or_create_collection(f"c-{name}", embedding_function=None, configuration={"hnsw": {"space": "cosine"}})

    def add(self, name: str, ids: Sequence[int], vectors: np.ndarray) -> None:
        """Add vectors (n, dimension) under their passages' ids. What fails here is made up for by the next search."""
        with self._lock, _told(name, self._failed):
            self._add(name, ids, vectors)

    def _add(self, name: str, ids: Sequence[int], vectors: np.ndarray) -> None:
        with self._lock:
            collection = self._collection(name)
            for start in range(0, len(ids), BATCH):
                part = slice(start, start + BATCH)
                collection.upsert(ids=[str(id) for id in ids[part]], embeddings=np.ascontiguousarray(vectors[part], dtype=np.float32))

    def remove(self, name: str, ids: Sequence[int]) -> None:
        """Take vectors away, with the same leniency."""
        with self._lock, _told(name, self._failed):
            for start in range(0, len(ids), BATCH):
                self._collection(name).delete(ids=[str(id) for id in ids[start : start + BATCH]])

    def drop(self, name: str) -> None:
        """Take a whole collection away."""
        with self._lock, contextlib.suppress(Exception):  # Chroma's own error for one that is not there changes between versions
            self._open().delete_collection(f"c-{name}")

    def search(
        self, name: str, vector: np.ndarray, k: int, expected: int, newest: int, again: Callable[[], tuple[list[int], np.ndarray]]
    ) -> list[tuple[int, float]]:
        """(passage id, cosine similarity) of the nearest passages.

        Args:
            expected, newest: how many passages there are, and the last one's id; where Chroma has others, or fails, everything is put in
                again from `again()`.
        """
        k = min(k, expected)
        with self._lock:
            with _told(name, self._failed):
                collection = self._collection(name)
                if collection.count() == expected and collection.get(ids=[str(newest)], include=[])["ids"]:
                    return _nearest(collection, vector, k)
            with _told(name, self._failed):
                return _nearest(self._rebuild(name, again), vector, k)
        ids, vectors = again()
        cosines = vectors @ vector
        return [(ids[place], float(cosines[place])) for place in np.argsort(-cosines, kind="stable")[:k]]

    def _rebuild(self, name: str, again: Callable[[], tuple[list[int], np.ndarray]]) -> Any:
        self.drop(name)
        self._add(name, *again())
        return self._collection(name)


@contextlib.contextmanager
def _told(name: str, failed: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    except ConnectionError as error:
        log.warning("the vectors of collection %s are searched without the Chroma server: %s", name, error)
    except Exception:  # Chroma raises all kinds, and what it holds is but a copy
        log.warning("Chroma failed with the vectors of collection %s", name, exc_info=True)
        failed()


def _nearest(collection: Any, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
    if k < 1:
        return []
    found = collection.query(query_embeddings=[np.asarray(vector, dtype=np.float32)], n_results=k, include=["distances"])
    return [(int(id), 1.0 - float(distance)) for id, distance in zip(found["ids"][0], found["distances"][0], strict=True)]
