"""How a run ends that does not end by itself, in a sentence: by an error in its process, or with the process.

Does not write it down, and knows no folder.
"""

from __future__ import annotations

import secrets
from typing import Any

from playground.errors import PlaygroundError, Sentence, StorageFull, is_full
from playground.training import ranks
from playground.training.memory import is_memory

UNEXPECTED = (
    "Training stopped unexpectedly (reference {reference}). The end of its log is below; the whole log is worker.log in the run's folder."
)
PAUSED = "The disk is full, so the run is paused after step {step}. Free some space, then press Resume."
NOTHING_SAVED = (
    "The disk is full, so the run ended after step {step}. Nothing was saved that it could go on from: free some space, then train again."
)
NO_MEMORY = (
    "The machine ran out of memory at step {step}. Choose a smaller batch size or max_length, switch gradient_checkpointing on, "
    "or choose a smaller model, then train again."
)
LOST = (
    "One of the processes that train together was ended from outside after step {step}, most often because the machine ran out of memory. "
    "Choose a smaller batch size or a smaller model, then train again."
)


class FellApart(PlaygroundError):
    """The loss is no number any more; what was saved before is still good."""

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(sentence.template, **sentence.values)


def by_error(error: BaseException, step: int, saved: bool) -> tuple[str, Sentence]:
    """(state, reason), for the process that the error ends; `saved` says whether there is a checkpoint from which it can go on."""
    if isinstance(error, StorageFull) or (not isinstance(error, PlaygroundError) and is_full(error)):  # the latter somewhere in a library
        return "stopped", Sentence(PAUSED if saved else NOTHING_SAVED, step=step)
    if isinstance(error, PlaygroundError):
        return "failed", error.sentence
    if is_memory(error):
        return "failed", Sentence(NO_MEMORY, step=step)
    if ranks.lost(error):
        return "failed", Sentence(LOST, step=step)
    return "failed", Sentence(UNEXPECTED, reference=secrets.token_hex(3))


def fewer(size: int, accumulation: int) -> dict[str, Any]:
    """The settings with which each step learns from as many examples, fewer of them at a time; for a `size` above 1."""
    part = next(number for number in range(2, size + 1) if size % number == 0)
    return {"per_device_train_batch_size": size // part, "gradient_accumulation_steps": accumulation * part}


def smaller(step: int, size: int, before: int) -> Sentence:
    """What is told of a run that reads fewer examples at a time since the memory ran out."""
    return Sentence(
        "The machine ran out of memory at step {step}, so {size} examples are read at a time instead of {before}; each step still "
        "learns from as many as before.", step=step, size=size, before=before,
    )  # fmt: skip


def by_exit(code: int | None, step: int) -> Sentence:
    """For the one who finds a process gone that has said nothing."""
    if code is None or code == -9:
        return Sentence(
            "Training was ended from outside after step {step}, most often because the machine ran out of memory. "
            "Choose a smaller batch size or a smaller model, then train again.", step=step,
        )  # fmt: skip
    return Sentence(
        "Training stopped unexpectedly after step {step} (exit code {code}). The end of its log is below.", step=step, code=code
    )
