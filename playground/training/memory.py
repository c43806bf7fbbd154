"""Memory and arithmetic of the process that trains: what is fast here, what "out of memory" looks like, and how to give memory back."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
from typing import Any

LACK = ("can't allocate memory", "Cannot allocate memory", "std::bad_alloc", "could not create a memory object")


def dtype() -> Any:
    """The arithmetic that is fast here: a processor without 16-bit units would only imitate them, slowly."""
    import torch

    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32


def is_memory(error: BaseException) -> bool:
    """Whether memory ran out; for a processor's lack of it torch and the libraries below have only words."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    return any(words in str(error) for words in LACK)


def card() -> dict[str, int]:
    """What this process holds of its card, now and at most, by torch's names, in MB of 1024² bytes; empty where it trains without one."""
    import torch

    if not torch.cuda.is_available():
        return {}
    return {
        "memory_reserved_mb": int(torch.cuda.memory_reserved() // 1024**2),
        "max_memory_reserved_mb": int(torch.cuda.max_memory_reserved() // 1024**2),
    }


def free() -> None:
    """Give back what nothing holds any more."""
    import torch

    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc keeps what was freed, for a process that will need as much again
        ctypes.CDLL(None).malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
