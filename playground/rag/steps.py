"""The steps of a search, each of which can be switched off or weighted. Knows names and ranges; does not search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playground.errors import SettingsError
from playground.rag.retrieve import MODES

NAMES = ("keyword", "dense", "thesaurus", "weight", "reranker")
NO_PART = "A search needs the words or the meaning. Switch at least one of them on."


@dataclass(frozen=True)
class Steps:
    """`keyword`: BM25 over the words; `dense`: the vectors; `thesaurus`: related words, which add to the keyword part; `weight`: the
    vectors' share from 0 to 1, None for the embedder's own; `reranker`: the id of a cross-encoder, or none."""

    keyword: bool = True
    dense: bool = True
    thesaurus: bool = True
    weight: float | None = None
    reranker: str = ""

    @property
    def mode(self) -> str:
        """hybrid, dense or keyword."""
        return ("hybrid" if self.dense else "keyword") if self.keyword else "dense"

    def settings(self) -> dict[str, Any]:
        """{mode, thesaurus, weight, reranker}, of which `read` makes the same search; what does not count is off."""
        weight = self.weight if self.mode == "hybrid" else None
        return {"mode": self.mode, "thesaurus": self.keyword and self.thesaurus, "weight": weight, "reranker": self.reranker}


def read(mode: str, settings: Mapping[str, Any] | None = None) -> Steps:
    """The steps of a mode, changed by what was set.

    Raises:
        SettingsError: an unknown mode or setting, a value of another kind, or nothing to search by.
    """
    if mode not in MODES:
        raise SettingsError("The mode is one of {modes}.", modes=", ".join(MODES))
    given = {key: value for key, value in (settings or {}).items() if value is not None}
    unknown = [str(key)[:50] for key in given if key not in NAMES]
    if unknown:
        raise SettingsError("A search has no setting {names}; it has {known}.", names=", ".join(unknown), known=", ".join(NAMES))
    whole = {"keyword": mode != "dense", "dense": mode != "keyword", "thesaurus": mode == "hybrid", "weight": None, "reranker": ""} | given
    weight = whole["weight"]
    fits = all(isinstance(whole[key], bool) for key in ("keyword", "dense", "thesaurus")) and isinstance(whole["reranker"], str)
    if not fits or not (weight is None or (isinstance(weight, int | float) and not isinstance(weight, bool) and 0 <= weight <= 1)):
        raise SettingsError("keyword, dense and thesaurus are true or false, weight is a number from 0 to 1, and reranker is a name.")
    if not whole["keyword"] and not whole["dense"]:
        raise SettingsError(NO_PART)
    return Steps(**{**whole, "reranker": whole["reranker"].strip()})
