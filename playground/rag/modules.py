"""Folders of sentence-transformers' models: where one lies, and which classes it names. Loads none of them.

The library imports whatever class the file `modules.json` names, so what is not known is not opened.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from playground.errors import ModelUnavailable, PlaygroundError
from playground.models import hub
from playground.workspace import read_json

OWN = "sentence_transformers."
LOCAL = "local:"
log = logging.getLogger(__name__)


def folder_of(id: str, unusable: str) -> Path:
    """Where a model lies, on this machine after `LOCAL`, else from the Hub, which may take minutes.

    Raises:
        ModelUnavailable: it cannot be had; where there is no other reason, with the sentence `unusable` about its {name}.
    """
    if id.startswith(LOCAL):
        return Path(id.removeprefix(LOCAL)).expanduser()
    brought = hub.brought(id)
    if brought is None:
        raise ModelUnavailable(unusable, name=id)
    return brought


@contextlib.contextmanager
def explained(id: str, unusable: str) -> Iterator[None]:
    """Let whatever keeps a model from being opened, memory aside, be told in a sentence; `unusable` as in `folder_of`."""
    try:
        yield
    except (PlaygroundError, MemoryError):
        raise
    except Exception as error:  # each library raises its own kinds for a damaged folder or an impossible name
        log.warning("the model %r cannot be opened", id, exc_info=True)
        raise ModelUnavailable(unusable, name=id) from error


def named(folder: Path) -> list[str]:
    """The classes by their full names, in order; "" for what is no class; none where there is no such file."""
    found = read_json(folder / "modules.json", [])
    return [str(one.get("type", "")) if isinstance(one, dict) else "" for one in found] if isinstance(found, list) else [""]


def known(classes: list[str], names: Collection[str]) -> bool:
    """Whether all are the library's own, and by their last name among `names`."""
    return all(one.startswith(OWN) and one.rsplit(".", 1)[-1] in names for one in classes)
