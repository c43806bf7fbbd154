"""Which classes of sentence-transformers a model's folder names. Loads none of them.

The library imports whatever class the file `modules.json` names, so what is not known is not opened.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from playground.workspace import read_json

OWN = "sentence_transformers."


def named(folder: Path) -> list[str]:
    """The classes by their full names, in order; "" for what is no class; none where there is no such file."""
    found = read_json(folder / "modules.json", [])
    return [str(one.get("type", "")) if isinstance(one, dict) else "" for one in found] if isinstance(found, list) else [""]


def known(classes: list[str], names: Collection[str]) -> bool:
    """Whether all are the library's own, and by their last name among `names`."""
    return all(one.startswith(OWN) and one.rsplit(".", 1)[-1] in names for one in classes)
