"""What a look at a table can find, and how it is said. Does not know how anything is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playground.data.doctor.words import DOCTOR_FINDINGS, DOCTOR_FIXES
from playground.errors import Sentence

SEVERITIES = ("serious", "advice", "note")  # worst first
MOST_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or may be, with a table.

    `id` is the same for the same table and mapping: the kind, or kind:column. `rows` counts rows of the table, or cells of the column;
    `examples` are up to five of their positions in the frame, from 0. `fix` tells what repairing it does; None: it cannot be done for you.
    Neither sentence ever holds the content of a cell.
    """

    id: str
    kind: str
    column: str | None
    severity: str
    rows: int
    examples: tuple[int, ...]
    message: Sentence
    fix: Sentence | None


def found(kind: str, severity: str, rows: Sequence[int], column: str | None = None, *, fixable: bool = True, **values: Any) -> Finding:
    """A finding in the words of its kind. `rows`: positions, each once, in the order in which they are worth showing."""
    said = {"column": column, "count": len(rows), **values}
    message = Sentence(DOCTOR_FINDINGS[kind], **said)
    remedy = Sentence(DOCTOR_FIXES[kind], **said) if fixable and kind in DOCTOR_FIXES else None
    examples = tuple(int(row) for row in rows[:MOST_EXAMPLES])
    return Finding(finding_id(kind, column), kind, column, severity, len(rows), examples, message, remedy)


def finding_id(kind: str, column: str | None) -> str:
    return kind if column is None else f"{kind}:{column}"


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), -one.rows, one.id))
