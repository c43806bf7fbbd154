"""Models that read a question and a passage together and say how well they fit (cross-encoders); none is loaded unless asked for.

Nogueira and Cho, "Passage Re-ranking with BERT", 2019. Loads on first use, safetensors only, never with code that came along with a model.
Does not know indexes or who asks.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.errors import ModelUnavailable, PlaygroundError, Sentence
from playground.models import hub, library
from playground.rag import modules
from playground.settings import Settings

log = logging.getLogger(__name__)

LOCAL = "local:"
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
        folder = self._folder(known)
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
        folder = self._folder(known)
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
        return found or Known(id, id.removeprefix(LOCAL), Sentence("Your own choice."))

    def _open(self, known: Known, folder: Path) -> Any:
        if self._loaded is None or self._loaded[0] != known.id:
            with _explained(known):
                self._loaded = (known.id, _load(known, folder))
        return self._loaded[1]

    def _folder(self, known: Known) -> Path:
        """Where it lies. Not to be asked under the lock: it may be fetched for minutes, and others are answered with the one in memory."""
        with _explained(known):
            own = known.id.startswith(LOCAL)
            brought = Path(known.id.removeprefix(LOCAL)).expanduser() if own else hub.brought(known.id)
        if brought is None:
            raise ModelUnavailable(NO_RERANKER, name=known.id)
        return brought


@contextlib.contextmanager
def _explained(known: Known) -> Iterator[None]:
    try:
        yield
    except (PlaygroundError, MemoryError):
        raise
    except Exception as error:  # each library raises its own kinds for a damaged folder or an impossible name
        log.warning("the reranker %r cannot be opened", known.id, exc_info=True)
        raise ModelUnavailable(NO_RERANKER, name=known.id) from error


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
