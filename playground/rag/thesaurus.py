"""Other words for the same thing, in English and Portuguese, from a list written for this project: assets/starter/related_words.txt.

A small embedder knows few synonyms; a list of two thousand groups brings the wages to a question about pay, and a Portuguese page to an
English question. One group a line: English items, a bar, Portuguese items. Does not know questions or passages.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from playground.rag.text import STOPWORDS, stem


class Thesaurus:
    """The list, read on first use; empty where the file is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._related: dict[str, list[str]] | None = None
        self._lock = threading.Lock()

    def related(self, words: Iterable[str]) -> dict[str, list[str]]:
        """For each word (small letters) that the list knows: the words beside it in its groups, other forms of itself left out."""
        known = self._read()
        return {word: known[stem(word)] for word in words if stem(word) in known}

    def _read(self) -> dict[str, list[str]]:
        with self._lock:
            if self._related is None:
                found: dict[str, dict[str, None]] = defaultdict(dict)  # ordered, without repetitions
                for group in self._groups():
                    stems = [(item, stem(item)) for item in group]
                    for _, one in stems:
                        found[one].update({item: None for item, other in stems if other != one})
                self._related = {one: list(items) for one, items in found.items()}
            return self._related

    def _groups(self) -> Iterable[list[str]]:
        try:
            lines = self.path.read_text("utf-8").splitlines()
        except OSError:
            return
        for line in lines:
            if not line.startswith("#"):
                items = [item.strip().lower() for side in line.split("|") for item in side.split(",")]
                yield [item for item in items if item and " " not in item and item not in STOPWORDS]
