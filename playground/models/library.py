"""Transformers and its company, imported on first use and by one thread at a time.

Their modules fill themselves in when first asked; two threads that ask at once get an ImportError. Whoever comes later finds everything
loaded. Knows no models.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

# Held while a model is made: empty first, by switches that hold for the whole process, so that a second one would stay empty in places.
LOADING = threading.RLock()
_LOCK = threading.Lock()
_ready = threading.Event()


def ready() -> bool:
    """Whether `import_models` has been through; until then even torch may be there by half."""
    return _ready.is_set()


def import_tokenizers() -> None:
    """All that reading text takes."""
    with _LOCK:
        from transformers import AutoTokenizer  # noqa: F401


def import_models() -> None:
    """All that loading a model, adding adapters and answering takes; some seconds the first time."""
    with _LOCK:
        if _ready.is_set():
            return
        with _kept_for_good():
            import peft  # noqa: F401
            import torch  # noqa: F401
            from transformers import (  # noqa: F401
                AutoModelForCausalLM,
                AutoTokenizer,
                BitsAndBytesConfig,
                GenerationConfig,
                LogitsProcessor,
                LogitsProcessorList,
                StoppingCriteria,
                StoppingCriteriaList,
                TemperatureLogitsWarper,
                TopKLogitsWarper,
                TopPLogitsWarper,
            )
        _ready.set()


@contextlib.contextmanager
def _kept_for_good() -> Iterator[None]:
    """Spare Python the search for garbage among what is imported here, and later among all that is there by now.

    It is hundreds of thousands of objects that stay to the end. Each search through them stops every thread for half a second: a class that
    asks at that moment waits, and importing itself takes a second longer.
    """
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()
    gc.collect()
    gc.freeze()


def import_embedders() -> None:
    """All that turning texts into vectors takes, which is built on the rest."""
    import_models()
    with _LOCK:
        from sentence_transformers import SentenceTransformer  # noqa: F401
