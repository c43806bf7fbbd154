"""The models that turn texts into vectors: the starter's own, and sentence-transformers models of the Hugging Face Hub by choice.

Loads on first use, never with code that came along with a model. Does not know passages, indexes or who asks.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from playground.errors import ModelUnavailable, NotFound, Sentence
from playground.models import library
from playground.rag import modules, precision
from playground.settings import Settings

log = logging.getLogger(__name__)

STARTER = "starter"
MODULES = ("Transformer", "Pooling", "Normalize", "Dense", "StaticEmbedding", "LayerNorm", "Dropout")
NO_LIMIT = 1_000_000  # tokens; where a model's folder names none, some number far beyond stands for it
LEAST_READ = 16
BATCH = 64  # texts at once for the starter's small embedder
LARGE_BATCH = 8  # and for larger ones, which gain nothing from more, while texts of one length go together with less padding
UNKNOWN_MODEL = "{name} is not on this playground's list of embedders. Choose one from the list; only its host can add others."
UNUSABLE = "{name} is not a sentence-transformers model that this playground can open. Choose another embedder."
MISSING = "The starter's embedder is missing from {folder}. Get the whole project again, with the files in its assets folder."


@dataclass(frozen=True)
class Known:
    """An embedder by name. The prompts stand before every question and passage; `weights` is how far its vectors count beside the
    words of a question, by language (0 to 1). `reads` is how many tokens of a passage it reads, where that is fewer than a passage may
    have, as its folder on the Hub says (`Embedder.reads`).

    The weights were chosen by the benchmark "Retrieval" where `measured`. Others have cautious ones: by what their makers tell of them,
    and low enough for the words to lead.
    """

    id: str
    name: str
    about: Sentence
    query_prompt: str = ""
    passage_prompt: str = ""
    weights: tuple[float, float] = (0.3, 0.15)  # English, Portuguese
    measured: bool = False
    reads: int | None = None


KNOWN = (
    Known(
        STARTER,
        "Starter embedder",
        Sentence("Lies in the box: small, very fast, English and Portuguese."),
        weights=(0.2, 0.2),
        measured=True,
    ),
    Known(
        "sentence-transformers/all-MiniLM-L6-v2",
        "all-MiniLM-L6-v2",
        Sentence("English. From the Hub, 90 MB; good at other words for the same thing."),
        weights=(0.2, 0.15),
        measured=True,
        reads=254,
    ),
    Known(
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        "paraphrase-multilingual-MiniLM-L12-v2",
        Sentence("Fifty languages, Portuguese among them. From the Hub, 470 MB; slow without a GPU."),
        weights=(0.3, 0.3),
        reads=126,
    ),
    Known(
        "intfloat/multilingual-e5-small",
        "multilingual-e5-small",
        Sentence("A hundred languages, recommended for Portuguese. From the Hub, 470 MB; slow without a GPU."),
        "query: ",
        "passage: ",
        (0.4, 0.4),
    ),
    Known("BAAI/bge-small-en-v1.5", "bge-small-en-v1.5", Sentence("English. From the Hub, 130 MB."), weights=(0.4, 0.15)),
)


class Embedder:
    """A loaded model. Vectors are of length one, so that their product is the cosine."""

    def __init__(self, known: Known, model: Any, fingerprint: str) -> None:
        self.id, self.known, self._model = known.id, known, model
        self.fingerprint = fingerprint  # vectors of two models with different ones must not meet
        self.dimension: int = int(model.get_embedding_dimension())
        tokenizer = model.tokenizer
        # a copy: the model's own is told to cut, and a splitter must be able to count what lies beyond
        self.tokenizer = _uncut(getattr(tokenizer, "backend_tokenizer", tokenizer))
        self._lock = threading.Lock()

    @cached_property
    def reads(self) -> int | None:
        """How many tokens of a passage it reads, without the marks and the prompt around them; what comes after is cut off unseen.

        None where there is no limit.
        """
        most = self._model.max_seq_length
        if most is None or most >= NO_LIMIT:
            return None
        prompt = self.known.passage_prompt
        # one more, for the prompt may divide the first word otherwise than it is divided alone
        taken = len(self.tokenizer.encode(prompt, add_special_tokens=False)) + 1 if prompt else 0
        return max(LEAST_READ, int(most) - self.tokenizer.num_special_tokens_to_add(False) - taken)

    def passages(self, texts: list[str]) -> np.ndarray:
        """Vectors (n, dimension), 32 bits."""
        return self._encode([self.known.passage_prompt + text for text in texts])

    def question(self, text: str) -> np.ndarray:
        """One vector (dimension,)."""
        return self._encode([self.known.query_prompt + text])[0]

    def weight(self, language: str) -> float:
        """How far the vectors count beside the words, 0 to 1."""
        return self.known.weights[language == "pt"]

    def _encode(self, texts: list[str]) -> np.ndarray:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        with self._lock:
            batch = BATCH if self.id == STARTER else LARGE_BATCH
            vectors = self._model.encode(texts, batch_size=batch, convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


class Embedders:
    """Which embedders there are, and the one in memory."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._loaded: Embedder | None = None
        self._lock = threading.Lock()

    def known(self, id: str) -> Known:
        """The embedder of a name.

        Raises:
            NotFound: no name.
            ModelUnavailable: shared mode, and it is not on the list.
        """
        if not isinstance(id, str) or not id.strip():
            raise NotFound("No embedder is chosen. Choose one from the list.")
        id = id.strip()
        found = next((one for one in KNOWN if one.id == id), None)
        if found is None and self.settings.mode == "shared":
            raise ModelUnavailable(UNKNOWN_MODEL, name=id)
        return found or Known(id, id.removeprefix(modules.LOCAL), Sentence("Your own choice."))

    def reads(self, id: str) -> int | None:
        """As `Embedder.reads`, as far as it is known without loading anything.

        Raises:
            NotFound, ModelUnavailable: as `known`.
        """
        known, loaded = self.known(id), self._loaded
        return loaded.reads if loaded is not None and loaded.id == known.id else known.reads

    def load(self, id: str) -> Embedder:
        """The embedder, loaded; downloaded first where it is on the Hub only.

        Raises:
            NotFound, ModelUnavailable: it cannot be had, with the reason.
        """
        known, loaded = self.known(id), self._loaded
        if loaded is not None and loaded.id == known.id:
            return loaded
        with modules.explained(known.id, UNUSABLE):
            folder = self._folder(known)  # which may be fetched for minutes; meanwhile others are answered with the one in memory
            with self._lock:
                if self._loaded is None or self._loaded.id != known.id:
                    self._loaded = Embedder(known, _open(known, folder), _fingerprint(folder))
                return self._loaded

    def _folder(self, known: Known) -> Path:
        if known.id == STARTER:
            folder = self.settings.assets / "starter" / "embedder"
            if not (folder / "modules.json").is_file():
                raise ModelUnavailable(MISSING, folder=folder)
            return folder
        return modules.folder_of(known.id, UNUSABLE)


def _open(known: Known, folder: Path) -> Any:
    classes = modules.named(folder)
    if not classes or not modules.known(classes, MODULES):
        raise ModelUnavailable(UNUSABLE, name=known.id)
    library.import_embedders()
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()

    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    with library.LOADING:
        model = SentenceTransformer(
            str(folder),
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs=None if known.id == STARTER else {"use_safetensors": True},
        )
    model = model.float().eval()
    if known.id != STARTER:
        precision.hasten(model)
    return model


def _fingerprint(folder: Path) -> str:
    """A short hash of a model's weights and tokenizer."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".safetensors" or path.name == "tokenizer.json":
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _uncut(tokenizer: Any) -> Any:
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy
