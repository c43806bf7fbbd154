"""The processes that train one run together, one on each card: which of them this is, and what they have to agree on.

Accelerate's launcher starts them, and ends the others when one is gone; when the launcher goes, all go. The first of them, the main
process, owns the run's folder: it alone hears requests and writes, and the others have `Nobody` to write to. A process that trains by
itself is the main one of one, and agrees with itself at once. Knows of a folder only the last word that another process than the main one
leaves there; does not know what is learned. Imports torch only where several train.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil

from playground.errors import Sentence, pack, unpack
from playground.settings import place
from playground.system import ProcessId, end_with_parent
from playground.workspace import read_json, write_json

WORD = "failed.json"
PATIENCE = timedelta(days=1)  # for the others, who may save or answer for long: the launcher notices who dies, so no clock has to
GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")  # what gloo says when another process has ended


class Nobody:
    """Takes every word, and does nothing with it."""

    def __enter__(self) -> Nobody:
        return self

    def __exit__(self, *error: Any) -> None:
        return None

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **more: None


def world() -> int:
    """How many processes train this run."""
    return place()[2]


def main_process() -> bool:
    return place()[0] == 0


def only_main(make: Callable[..., Any], *args: Any) -> Any:
    """What `make` gives in the main process; `Nobody` in the others."""
    return make(*args) if main_process() else Nobody()


def head() -> ProcessId:
    """The process by which the run is known: where several train, it is the launcher, whose end is the end of all."""
    return ProcessId.of(os.getppid()) if world() > 1 else ProcessId.of_self()


def device() -> str | None:
    """Where the model belongs; None leaves it open."""
    if world() == 1:
        return None
    import torch

    return f"cuda:{place()[1]}" if torch.cuda.is_available() else "cpu"


def join() -> None:
    """Meet the others, before anything is learned."""
    if world() == 1:
        return
    end_with_parent()
    if not main_process():
        with Path(os.devnull).open("wb") as nowhere:  # the main one says the same
            os.dup2(nowhere.fileno(), 1)
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_device(place()[1])
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)


def share(cores: int) -> None:
    """Where several train on a processor, each takes its part of it: threads in each other's way would crawl."""
    if world() > 1:
        import torch

        torch.set_num_threads(max(1, cores // world()))


def agree(value: bool) -> bool:
    """What the main process says, in all of them. All have to ask at the same place, or they wait for each other forever."""
    if world() == 1:
        return value
    import torch

    told = torch.tensor(int(value), device=device())
    torch.distributed.broadcast(told, 0)
    return bool(told.item())


def total(number: int) -> int:
    """The sum over all processes; to be asked as `agree` is."""
    if world() == 1:
        return number
    import torch

    told = torch.tensor(number, dtype=torch.int64, device=device())
    torch.distributed.all_reduce(told)
    return int(told.item())


def leave() -> None:
    """All is done; the others need not be waited for, and what goes wrong from here on is no matter."""
    if world() > 1:
        import torch

        with contextlib.suppress(RuntimeError):
            torch.distributed.destroy_process_group()


def lost(error: BaseException) -> bool:
    """Whether an error only tells that another process has ended."""
    return world() > 1 and (type(error).__name__ == "DistBackendError" or any(words in str(error) for words in GONE))


def give_up(folder: Path, state: str, why: Sentence) -> None:
    """End all processes of the run at once; one that is not the main one leaves word of the reason, since the main one may just hang."""
    if world() == 1:
        return
    if not main_process():
        write_json(folder / WORD, {"state": state, "error": pack(why)})
    with contextlib.suppress(psutil.Error):
        psutil.Process(os.getppid()).kill()


def word(folder: Path, step: int) -> tuple[str, Sentence] | None:
    """(state, reason) that a process beside the main one left when it ended them all after `step`, as the status tells."""
    told = read_json(folder / WORD)
    reason = unpack(told.get("error")) if isinstance(told, dict) else None
    if reason is None or told.get("state") not in ("failed", "stopped"):
        return None
    return told["state"], Sentence(reason.template, **({**reason.values, "step": step} if "step" in reason.values else reason.values))
