"""Dates and times of a spreadsheet, written as one speaks of them. Knows cells as text; does not know how they were formatted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

FIRST = datetime(1899, 12, 31)  # the day that a time of day without a date is given as
LONGEST = timedelta(days=1_000)  # of a span that is written in hours; what is longer is a date
NEAR = 5_000  # microseconds by which a time may differ from a whole second, which it was before it became a share of a day
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?")
Column = Sequence[str | None]


def plain(column: Column) -> list[str | None]:
    """A column whose moments lose what none of them needs: midnight after a date, the day of a time of day, and seconds.

    Where one cell is a time without a date, the whole column is; so 36 hours are not the second day of the year 1900.
    """
    moments = {place: moment for place, cell in enumerate(column) if cell and (moment := _moment(cell))}
    clock = any(FIRST <= one < FIRST + timedelta(days=1) for one in moments.values())
    seconds = any(one.second or one.microsecond for one in moments.values())
    midnight = not any(one.hour or one.minute for one in moments.values()) and not seconds
    told = list(column)
    for place, one in moments.items():
        if clock and FIRST <= one < FIRST + LONGEST:
            told[place] = _span(one - FIRST, seconds)
        elif midnight:
            told[place] = one.date().isoformat()
        else:
            told[place] = f"{one.date()} " + _span(one - one.replace(hour=0, minute=0, second=0, microsecond=0), seconds)
    return told


def with_spans(column: Column, spans: Sequence[timedelta | None]) -> list[str | None]:
    """A column with the times of day, or spans of time, that its file has for cells without text."""
    found = [_whole(span) for span in spans if span is not None]
    seconds = any(span.seconds % 60 or span.microseconds for span in found)
    return [cell if cell or span is None else _span(_whole(span), seconds) for cell, span in zip(column, spans, strict=True)]


def _moment(cell: str) -> datetime | None:
    if cell[4:5] != "-" or not _MOMENT.fullmatch(cell):
        return None
    try:
        return datetime.min + _whole(datetime.fromisoformat(cell) - datetime.min)
    except (ValueError, OverflowError):  # the 31st of February, the end of the year 9999
        return None


def _whole(span: timedelta) -> timedelta:
    """A span without the error of a second's fraction that a share of a day has."""
    rest = (span.microseconds + NEAR) % 1_000_000 - NEAR
    return span - timedelta(microseconds=rest) if abs(rest) <= NEAR else span


def _span(span: timedelta, seconds: bool) -> str:
    """Hours, of which there may be more than a day has, minutes, and seconds where they are wanted."""
    minutes, rest = divmod(abs(span), timedelta(minutes=1))
    fraction = f".{rest.microseconds:06}".rstrip("0") if rest.microseconds else ""
    sign = "-" if span < timedelta() else ""
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}" + (f":{rest.seconds:02}{fraction}" if seconds else "")
