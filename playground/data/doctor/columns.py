"""Columns that say nothing: empty ones, and those with one value throughout. Knows values only as same or different."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from playground.data.doctor.findings import Finding, found
from playground.data.doctor.teaching import Teaching


def check_columns(frame: pl.DataFrame, teaching: Teaching) -> list[Finding]:
    """Findings of the kinds unused_columns, empty_column and constant_column."""
    rows = range(frame.height)
    findings = []
    if unused := unused_columns(frame.columns, teaching):
        findings.append(found("unused_columns", "note", rows, columns=", ".join(unused)))
    idle = idle_columns(frame)
    # One column must stay, or the rows would vanish with the last one.
    spared = next(iter(idle), None) if len(idle) == frame.width else None
    for name, kind in idle.items():
        used = name in teaching.used
        severity = "serious" if used and kind == "empty_column" else "advice" if used else "note"
        findings.append(found(kind, severity, rows, name, fixable=not used and name != spared))
    return findings


def unused_columns(columns: Sequence[str], teaching: Teaching) -> list[str]:
    """Columns that could go: those that nothing is learnt from, where it is known what is."""
    return [name for name in columns if name not in teaching.used] if teaching.known or teaching.task == "chat" else []


def idle_columns(frame: pl.DataFrame) -> dict[str, str]:
    """Column -> empty_column or constant_column, for the columns that are one of these. One row alone is no constant."""
    idle = {}
    for column in frame.iter_columns():
        known = column.drop_nulls()
        if column.dtype == pl.String:
            known = known.filter(known.str.strip_chars() != "")
        if not len(known):
            idle[column.name] = "empty_column"
        elif len(known) == frame.height > 1 and known.n_unique() == 1:
            idle[column.name] = "constant_column"
    return idle
