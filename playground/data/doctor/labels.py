"""The answers of a table that sorts things into groups: their spellings, and how many rows each has."""

from __future__ import annotations

from collections import Counter

import polars as pl

from playground.data.doctor.findings import Finding, found
from playground.data.doctor.teaching import Teaching, cells

ENOUGH = 5  # examples of a label
LARGEST_SHARE = 0.8
LARGEST_TIMES = 5
ENDS = " \t\r\n.,;:!"


def check_labels(frame: pl.DataFrame, teaching: Teaching) -> list[Finding]:
    """Findings of the kinds label_spellings, imbalance and rare_labels, for an answer column with labels."""
    if teaching.answer is None or not teaching.has_labels(frame):
        return []
    findings = []
    if rows := list(respelt(frame[teaching.answer])):
        findings.append(found("label_spellings", "serious", rows, teaching.answer))
    answers = cells(frame, teaching.answer)
    counts = Counter(answer for answer in answers if answer)
    if len(counts) < 2:
        return findings
    (top, largest), smallest = counts.most_common(1)[0], min(counts.values())
    if largest > LARGEST_TIMES * smallest or largest > LARGEST_SHARE * counts.total():
        rows = [row for row, answer in enumerate(answers) if answer == top]
        findings.append(found("imbalance", "advice", rows, teaching.answer, largest=largest, smallest=smallest))
    if rows := [row for row, answer in enumerate(answers) if answer and counts[answer] < ENOUGH]:
        findings.append(found("rare_labels", "advice", rows, teaching.answer, enough=ENOUGH))
    return findings


def respelt(column: pl.Series) -> dict[int, str | None]:
    """Row -> the most frequent spelling of its label (the first, where several are), for the cells that are spelt otherwise.

    Spellings are alike that differ by capitals, white space or a point, comma, colon or exclamation mark at the end.
    """
    if column.dtype != pl.String:
        return {}
    values = column.to_list()
    counts = Counter(value for value in values if value and value.strip())
    best: dict[str, str] = {}
    for value, count in counts.items():
        key = " ".join(value.casefold().split()).rstrip(ENDS)
        if key and count > counts[best.setdefault(key, value)]:
            best[key] = value
    spelling = {value: best.get(" ".join(value.casefold().split()).rstrip(ENDS), value) for value in counts}
    return {row: spelling[value] for row, value in enumerate(values) if value in spelling and spelling[value] != value}
