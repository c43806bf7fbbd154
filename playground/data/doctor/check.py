"""A look over a whole table for what would spoil learning from it. Finds only; repairs nothing."""

from __future__ import annotations

from typing import Any

import polars as pl

from playground.data.doctor.columns import check_columns
from playground.data.doctor.duplicates import check_duplicates
from playground.data.doctor.findings import Finding, worst_first
from playground.data.doctor.labels import check_labels
from playground.data.doctor.personal import check_personal
from playground.data.doctor.roles import Lengths, check_roles
from playground.data.doctor.teaching import teaching_of
from playground.data.doctor.text import check_text
from playground.data.doctor.values import check_values


def check(
    frame: pl.DataFrame, mapping: dict[str, Any] | None = None, *, lengths: Lengths | None = None, max_length: int | None = None
) -> list[Finding]:
    """Everything that was found, the worst first.

    `mapping`: what the table is to teach, as it is stored with a data set; None: guessed. `lengths` counts the tokens of texts; rows with
    more than `max_length` are too long. Without both of them lengths are not looked at.
    """
    if not frame.height or not frame.width:
        return []
    teaching = teaching_of(frame, mapping)
    return worst_first(
        [
            *check_columns(frame, teaching),
            *check_values(frame),
            *check_text(frame),
            *check_personal(frame),
            *check_labels(frame, teaching),
            *check_roles(frame, teaching, lengths, max_length),
            *check_duplicates(frame, teaching),
        ]
    )
