"""Models that read a question and a passage together and say how well they fit (cross-encoders); none is loaded unless asked for.

Nogueira and Cho, "Passage Re-ranking with BERT", 2019. Loads on first use, safetensors only, never with code that came along with a model.
Does not know indexes or who asks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.errors import ModelUnavailable, Sentence
from playground.models import library
from playground.rag import modules
from playground.settings import Settings

log = logging.getLogger(__name__)

MODULES = ("Transformer", "Pooling", "Dense", "LayerNorm", "Dropout", "LogitScore")
MOST_TOKENS = 512  # of a question with a passage
BATCH = 16
NOT_LISTED = "{name} is not on this playground's list of rerankers. Choose one from the list; only its host can add others."
NO_RERANKER = "{name} is not a cross-encoder of sentence-transformers that this playground can open. Choose another reranker, or none."


@dataclass(frozen=True)
class Known:
    """A reranker by name."""

    id: str
    name: str
    about: Sentence


KNOWN = (
    Known("cross-encoder/ms-marco-MiniLM-L6-v2", "ms-marco-MiniLM-L6-v2", Sentence("English. From the Hub, 90 MB.")),
    Known(
        "cross-encoder/mmarco-mMiniLMv2-L12-H384-v1",
        "mmarco-mMiniLMv2-L12-H384-v1",
        Sentence("Fourteen languages, Portuguese among them. From the Hub, 470 MB; slow without a GPU."),
    ),
    Known("BAAI/bge-reranker-base", "bge-reranker-base", Sentence("English and Chinese. From the Hub, 1.1 GB; slow without a GPU.")),
)


class Rerankers:
    """Which rerankers there are, and the one in memory. Safe under threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._loaded: tuple[str, Any] | None = None
        self._last: tuple[Any, list[float]] | None = None  # an answer and its X-ray or its check ask the same, one after the other
        self._lock = threading.Lock()

    def scores(self, id: str, question: str, texts: Sequence[str]) -> list[float]:
        """How well each text fits the question, 0 to 1.

        Raises:
            ModelUnavailable: it cannot be had, with the reason.
        """
        known = self.known(id)
        asked = (known.id, question, tuple(texts))
        folder = self._fetched(known)
        with self._lock:
            model = self._open(known, folder)
            if self._last is not None and self._last[0] == asked:
                return self._last[1]
            try:
                found = model.predict([(question, text) for text in texts], batch_size=BATCH, show_progress_bar=False)
                self._last = (asked, [float(score) for score in found])
                return self._last[1]
            except Exception as error:  # one with several labels, or with a tokenizer that fits another model
                log.warning("the reranker %r cannot be used", known.id, exc_info=True)
                raise ModelUnavailable(NO_RERANKER, name=known.id) from error

    def load(self, id: str) -> None:
        """Have a reranker in memory.

        Raises:
            ModelUnavailable: as `scores`.
        """
        known = self.known(id)
        folder = self._fetched(known)
        with self._lock:
            self._open(known, folder)

    def known(self, id: str) -> Known:
        """The reranker of a name.

        Raises:
            ModelUnavailable: shared mode, and it is not on the list.
        """
        id = id.strip()
        found = next((one for one in KNOWN if one.id == id), None)
        if found is None and self.settings.mode == "shared":
            raise ModelUnavailable(NOT_LISTED, name=id)
        return found or Known(id, id.removeprefix(modules.LOCAL), Sentence("Your own choice."))

    def _fetched(self, known: Known) -> Path | None:
        """Where it lies, if it is to be opened. Not to be asked under the lock: others are answered with the one in memory meanwhile."""
        loaded = self._loaded
        if loaded is not None and loaded[0] == known.id:
            return None
        with modules.explained(known.id, NO_RERANKER):
            return modules.folder_of(known.id, NO_RERANKER)

    def _open(self, known: Known, folder: Path | None) -> Any:
        """Under the lock. Without a `folder` it was in memory a moment ago, so it need not be fetched should another be there now."""
        if self._loaded is None or self._loaded[0] != known.id:
            with modules.explained(known.id, NO_RERANKER):
                self._loaded = (known.id, _load(known, folder or modules.folder_of(known.id, NO_RERANKER)))
        return self._loaded[1]


def _load(known: Known, folder: Path) -> Any:
    if not modules.known(modules.named(folder), MODULES):
        raise ModelUnavailable(NO_RERANKER, name=known.id)
    if not list(folder.glob("*.safetensors")):
        raise ModelUnavailable(NO_RERANKER, name=known.id)
    library.import_embedders()
    from sentence_transformers import CrossEncoder
    from torch import nn

    with library.LOADING:
        model = CrossEncoder(
            str(folder),
            trust_remote_code=False,
            local_files_only=True,
            max_length=MOST_TOKENS,
            activation_fn=nn.Sigmoid(),  # and not whatever a file names
            model_kwargs={"use_safetensors": True},
        )
    return model.float().eval()
