"""What Word documents and slides have in common: their XML, and what may lie in it beside paragraphs. Reads no paragraphs itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

COMPATIBLE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"


def kind(element: Any) -> str:
    """An element's name without its namespace; empty for comments and entities, which are never looked up."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def choose(root: Any) -> None:
    """Of what is there twice, for newer and for older programs, leave the first: text boxes would be read twice, or not at all."""
    for both in list(root.iter(f"{COMPATIBLE}AlternateContent")):
        chosen = next((one for one in both if kind(one) == "Choice" and len(one)), None)
        if chosen is None:
            chosen = next(iter(both), ())
        for child in list(chosen):
            both.addprevious(child)
        if (parent := both.getparent()) is not None:
            parent.remove(both)


def description(element: Any) -> str:
    """What the author says that a picture shows; a bare name, such as that of the picture's file, says nothing."""
    told = " ".join((element.get("descr") or "").split())
    return told if " " in told else ""


def related(part: Any, ending: str) -> Iterator[Any]:
    """The parts in the package that a part names with a relation of a type ending so."""
    for relation in part.rels.values():
        if not relation.is_external and str(relation.reltype).endswith(ending):
            yield relation.target_part


def diagram(frame: Any, part: Any, parse: Any) -> list[str]:
    """The words of a SmartArt drawing, from the part that `frame` names, in the order in which they are written there."""
    name = frame.get(f"{RELATION}dm")
    if name not in part.rels or part.rels[name].is_external:
        return []
    found = []
    for point in parse(part.rels[name].target_part.blob).iter("{*}pt"):
        words = ["".join(text.text or "" for text in one.iter("{*}t")) for one in point.iter("{*}p")]
        found.append(" ".join(" ".join(words).split()))
    return [one for one in found if one]


def comments(part: Any, parse: Any) -> int:
    """How many notes in the margin a part has."""
    return sum(kind(one) in ("comment", "cm") for held in related(part, "/comments") for one in parse(held.blob))
