"""Rows that cannot teach: without question or answer, or too long; and tables with too few that can."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from playground.data.chats import first_text
from playground.data.doctor.findings import Finding, found
from playground.data.doctor.teaching import Teaching, cells, questions

Lengths = Callable[[list[str]], list[int]]
FEW, TOO_FEW = 100, 20
TEMPLATE_TOKENS = 64  # what a chat puts around a question and its answer, at most


def empty_rows(frame: pl.DataFrame, column: str | None) -> list[int]:
    """Positions of rows in which a column has nothing."""
    return [row for row, text in enumerate(cells(frame, column)) if not text] if column is not None else []


def long_rows(frame: pl.DataFrame, teaching: Teaching, lengths: Lengths | None, max_length: int | None) -> list[int]:
    """Positions of rows whose instruction, question and answer have more than `max_length` tokens together."""
    if lengths is None or max_length is None or not teaching.known:
        return []
    asks, answers = questions(frame, teaching), cells(frame, str(teaching.answer))
    if teaching.task == "summarization":  # of several summaries the first is learnt
        answers = [first_text(cell) for cell in answers]
    whole = ["\n".join(part for part in (teaching.instruction, ask, answer) if part) for ask, answer in zip(asks, answers, strict=True)]
    # A token is at least one byte, so a short text need not be counted.
    suspects = [row for row, text in enumerate(whole) if 4 * len(text) + TEMPLATE_TOKENS > max_length and asks[row] and answers[row]]
    suspects = [row for row in suspects if len(whole[row].encode()) + TEMPLATE_TOKENS > max_length]
    counted = lengths([whole[row] for row in suspects]) if suspects else []
    return [row for row, length in zip(suspects, counted, strict=True) if length > max_length]


def check_roles(frame: pl.DataFrame, teaching: Teaching, lengths: Lengths | None, max_length: int | None) -> list[Finding]:
    """Findings of the kinds missing_prompts, missing_answers, long_rows and few_rows."""
    if not teaching.known:
        return []
    findings = []
    without_prompt, without_answer = empty_rows(frame, teaching.prompt), empty_rows(frame, teaching.answer)
    if without_prompt:
        findings.append(found("missing_prompts", "serious", without_prompt, teaching.prompt))
    if without_answer:
        findings.append(found("missing_answers", "serious", without_answer, teaching.answer))
    if rows := long_rows(frame, teaching, lengths, max_length):
        findings.append(found("long_rows", "serious", rows, most=max_length))
    lacking = {*without_prompt, *without_answer}
    usable = [row for row in range(frame.height) if row not in lacking]
    if len(usable) < FEW:
        findings.append(found("few_rows", "serious" if len(usable) < TOO_FEW else "advice", usable))
    return findings
