"""How long and how much a piece of reading may take, inside the process that reads. Knows no format."""

from __future__ import annotations

import contextlib
import signal
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playground.rag.readers.told import BOMB, DAMAGED, MOST_UNPACKED, Unreadable

MEMORY = 2 * 1024**3  # bytes of address space
BROKE, LATE, FULL = "broke", "late", "full"  # why a page was given up: the reader died of it, it took too long, or too much memory
MOST_FILES = 20_000  # in a packed file


class TooLong(Exception):
    """A piece of reading was given up because of its time."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give up work in Python after so many seconds, where the system has an alarm clock; libraries in C are not interrupted.

    Raises:
        TooLong
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def limit_memory() -> None:
    """No more address space than a large file needs, where the system can hold a process to that."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def check_packed(path: Path) -> list[str]:
    """The names in a ZIP, unless it would become too large; what the directory says is checked again by whoever unpacks (zipfile, miniz).

    Raises:
        Unreadable: no ZIP, or one that unpacks to more than any document of words has.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            entries = packed.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise Unreadable(DAMAGED) from error
    if len(entries) > MOST_FILES or sum(one.file_size for one in entries) > MOST_UNPACKED:
        raise Unreadable(BOMB)
    return [one.filename for one in entries]
