"""Pages of PDFs as pictures, drawn by a process that can be killed (`playground.rag.painter`).

Knows limits. Does not know what is to be marked on a page, nor who looks.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.errors import FileUnreadable
from playground.rag.boxes import Box
from playground.settings import PROJECT

SECONDS = 20.0  # that drawing one page may take
MOST_BYTES = 16 * 1024**2  # of what the painter may say
NOT_DRAWN = "Page {page} of {name} cannot be drawn as a picture. Its text, as it was read, stands here in its place."
LOCKED = (
    "{name} is protected by a password, which is never written down and is not known any more, so its pages cannot be shown as pictures. "
    "The text of the page, as it was read, stands here instead. To see the pictures, give the password again."
)
_turns = threading.BoundedSemaphore(2)  # painters at a time: each may take much memory


@dataclass(frozen=True)
class Picture:
    """A page as it is shown: `image` is WebP, sizes in pixels.

    `readings` are its characters in their order, those that are not on the page without a box; of a turned page there are two.
    """

    pages: int
    width: int
    height: int
    image: bytes
    readings: list[list[tuple[str, Box | None]]]


def paint(path: Path, name: str, number: int, *, seconds: float = SECONDS, password: str | None = None) -> Picture:
    """Draw a page, counted from 1.

    Args:
        name: what the user calls the file.

    Raises:
        FileUnreadable: damage, a password, no such page, or a page that never ends.
    """
    if not _turns.acquire(timeout=seconds):
        raise FileUnreadable(NOT_DRAWN, page=number, name=name)
    try:
        line = _said(path, number, seconds, password)
    finally:
        _turns.release()
    try:
        told = json.loads(line)
        if told.get("locked"):
            raise FileUnreadable(LOCKED, name=name)
        return _picture(told)
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # nothing, half a line, or not what a painter says
        raise FileUnreadable(NOT_DRAWN, page=number, name=name) from error


def _said(path: Path, number: int, seconds: float, password: str | None) -> bytes:
    """What the painter wrote until it ended or was killed. It gets the password, if there is one, by its standard input."""
    environ = {"PYTHONUTF8": "1"} if os.name == "posix" else None  # as for the reader: no token of ours must be found there
    process = subprocess.Popen(
        [sys.executable, "-m", "playground.rag.painter", str(path.absolute()), str(int(number))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
        env=environ,
    )
    late = threading.Timer(seconds, process.kill)
    late.start()
    try:
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.write(json.dumps({"password": password}).encode() + b"\n")
                process.stdin.flush()
        told = process.stdout.read(MOST_BYTES + 1) if process.stdout else b""
        return told if len(told) <= MOST_BYTES else b""
    finally:
        late.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _picture(told: dict[str, Any]) -> Picture:
    readings = [_reading(one["characters"], one["boxes"]) for one in told["readings"]]
    image = base64.b64decode(told["picture"], validate=True)
    return Picture(int(told["pages"]), int(told["width"]), int(told["height"]), image, readings)


def _reading(characters: list[Any], boxes: list[Any]) -> list[tuple[str, Box | None]]:
    pairs = zip(characters, boxes, strict=True)
    return [(str(character), Box(str(character), *map(float, sides)) if sides else None) for character, sides in pairs]
