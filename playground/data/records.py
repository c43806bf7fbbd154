"""From JSON and JSON Lines text to columns of values. Knows nothing of encodings or datasets."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import polars as pl

from playground.data.chats import MESSAGES, is_turns
from playground.data.table import BLANK, COLUMNS, UNREADABLE, from_values, unique_names
from playground.errors import FileUnreadable, Sentence

LOOK = 50
SPREAD = 50
NAMED = 5  # lines that a warning points to
PARTS = ("data", "rows", "records", "items", "examples", "train", "conversations")
Path = tuple[Any, ...]


@dataclass
class Records:
    """What was read: a frame, the part of the document it is from, rows dropped by reason, warnings."""

    frame: pl.DataFrame
    part: str | None
    dropped: dict[str, int]
    warnings: list[Sentence]


def looks_like_json(text: str, suffix: str = "") -> str | None:
    """ "json", "jsonl" or None for a text that starts like neither; `suffix` decides about a single object."""
    start = text.lstrip()[:2_000]
    if not start.startswith(("{", "[")):
        return None
    lines = [line for line in text[:1_000_000].split("\n", LOOK) if line.strip()][:LOOK]
    whole = [line for line in lines if _parses(line)]
    if start.startswith("{"):
        if len(lines) == 1 and len(whole) == 1:
            return "jsonl" if suffix != ".json" and not _holds_table(lines[0]) else "json"
        return "jsonl" if 2 * len(whole) >= len(lines) else ("json" if re.match(r'\{\s*("|\})', start) else None)
    if len(lines) > 1 and len(whole) == len(lines):
        return "jsonl"  # lists, one to a line
    return "json" if re.match(r'\[\s*([\[{"\]\d-]|true|false|null)', start) else None


def _parses(line: str) -> bool:
    try:
        return isinstance(json.loads(line), (dict, list))
    except (ValueError, RecursionError):
        return False


def _holds_table(text: str) -> bool:
    value = json.loads(text)
    return isinstance(value, dict) and any(isinstance(inner, (list, dict)) for inner in value.values())


def read_json(text: str, name: str, part: str | None) -> Records:
    """A JSON document: a list of objects, an object of columns, or an object that holds such a list, which `part` may name.

    Raises:
        FileUnreadable: no valid JSON, or nothing in it that makes a table.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and "\n" in text[error.pos - 2 : error.pos + 1]:
            return read_jsonl(text, name)
        message = "The JSON in {name} breaks off or has a mistake in line {line}. Mend that place, or save the file again."
        raise FileUnreadable(message, name=name, line=error.lineno) from error
    except RecursionError as error:
        raise FileUnreadable("The JSON in {name} is nested too deeply to be a table.", name=name) from error
    except ValueError as error:  # a number of more digits than Python turns into an int
        raise FileUnreadable("The JSON in {name} has a number that is too long to be read.", name=name) from error
    values, found, warnings = _rows_of(value, name, part)
    places = _unlike(values)
    if places:
        message = "Entries that are not like the others and were left out: {count}, beginning with number {places}."
        warnings.append(Sentence(message, count=len(places), places=_listed([place + 1 for place in places])))
    frame, dropped, more = _table(values, name)
    return Records(frame, found, dropped, warnings + more)


def read_jsonl(text: str, name: str, first_line: int = 1) -> Records:
    """JSON Lines. Lines that cannot be read are left out and counted, from `first_line` on.

    Raises:
        FileUnreadable: not one line can be read.
    """
    values: list[Any] = []
    lines: list[int] = []  # where each value stands
    blank = 0
    broken: list[int] = []
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text.removesuffix("\n")), start=first_line):
        if not line.strip():
            blank += 1
            continue
        try:
            values.append(json.loads(line))
            lines.append(number)
        except (ValueError, RecursionError):
            broken.append(number)
    if not values:
        raise FileUnreadable("Not one line of {name} can be read as JSON. Choose another file.", name=name)
    dropped: dict[str, int] = {}
    warnings: list[Sentence] = []
    broken = sorted(broken + [lines[place] for place in _unlike(values)])
    if broken:
        message = "Lines that could not be read as JSON like the others and were left out: {count}, beginning with line {lines}."
        warnings.append(Sentence(message, count=len(broken), lines=_listed(broken)))
        dropped[UNREADABLE] = len(broken)
        values = [values[place] for place in sorted(set(range(len(values))) - set(_unlike(values)))]
    if blank:
        dropped[BLANK] = blank
    frame, unusable, more = _table(values, name)
    for reason, count in unusable.items():
        dropped[reason] = dropped.get(reason, 0) + count
    return Records(frame, None, dropped, warnings + more)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:NAMED])) + (" …" if len(numbers) > NAMED else "")


def _shape(values: list[Any]) -> type:
    """What most of the values are: objects, lists or single values."""
    return max((dict, list, object), key=lambda kind: sum(_is(value, kind) for value in values))


def _unlike(values: list[Any]) -> list[int]:
    """The places of the values that are not what most are."""
    shape = _shape(values)
    return [place for place, value in enumerate(values) if not _is(value, shape)]


def _rows_of(value: Any, name: str, part: str | None) -> tuple[list[Any], str | None, list[Sentence]]:
    """(rows, the part of the document they are in, warnings)."""
    if part is None and (is_turns(value) or (isinstance(value, dict) and any(map(is_turns, value.values())))):
        return [value], None, []  # one conversation, and not a table of its turns
    if isinstance(value, list) and part is None:
        return value, None, []
    if not isinstance(value, dict):
        raise FileUnreadable("The file {name} holds a single value and no list of rows. Choose another file.", name=name)
    tables = {key: inner for key, inner in value.items() if isinstance(inner, list) and inner and isinstance(inner[0], (dict, list))}
    if part is not None:
        if part not in value or not isinstance(value[part], (list, dict)):
            parts = ", ".join(key for key, inner in value.items() if isinstance(inner, (list, dict))) or "–"
            raise FileUnreadable("The file {name} has no part called {part}. Its parts are: {parts}.", name=name, part=part, parts=parts)
        return _rows_of(value[part], name, None)[0], part, []
    inners = list(value.values())
    if inners and all(isinstance(inner, list) for inner in inners) and not tables:
        return _from_columns({key: dict(enumerate(inner)) for key, inner in value.items()}, name)
    if inners and all(isinstance(inner, dict) for inner in inners):
        if len(inners) == 1:
            return _rows_of(inners[0], name, None)
        if all(key.isdigit() for inner in inners for key in inner):
            return _from_columns(value, name)
        return [{"key": key, **inner} for key, inner in value.items()], None, []
    if not tables:
        raise FileUnreadable("The file {name} holds one object and no list of rows. Choose a file with a list of examples.", name=name)
    key = next((usual for usual in PARTS if usual in tables), max(tables, key=lambda key: len(tables[key])))
    others = ", ".join(other for other in tables if other != key)
    message = "Of this file, the part called {part} was read. Its other parts are: {others}."
    return tables[key], key, [Sentence(message, part=key, others=others)] if others else []


def _from_columns(columns: dict[str, dict[Any, Any]], name: str) -> tuple[list[Any], str | None, list[Sentence]]:
    """An object of columns, each from row to value -> rows."""
    places: dict[Any, None] = {place: None for column in columns.values() for place in column}
    if not places:
        raise FileUnreadable("The file {name} is empty: there is not one row with something in it. Choose another file.", name=name)
    uneven = any(len(column) != len(places) for column in columns.values())
    message = "The columns of this file are of different lengths; what the short ones lack counts as missing."
    return [{key: column.get(place) for key, column in columns.items()} for place in places], None, [Sentence(message)] if uneven else []


def _table(values: list[Any], name: str) -> tuple[pl.DataFrame, dict[str, int], list[Sentence]]:
    """Rows that are objects, lists or single values -> (frame, dropped, warnings). What the most rows are is what a row must be."""
    shape = _shape(values)
    rows = [value for value in values if _is(value, shape)]
    dropped: dict[str, int] = {UNREADABLE: len(values) - len(rows)} if len(rows) < len(values) else {}
    records: list[dict[Path, Any]]
    if shape is dict:
        records = _flat(rows)
    elif shape is list and 2 * sum(map(is_turns, rows)) > len(rows):
        records = [{(MESSAGES,): row} for row in rows]
    elif shape is list:
        labels = [str(cell) for cell in rows[0]] if len(rows) > 1 and all(isinstance(cell, str) for cell in rows[0]) else []
        width = max(map(len, rows), default=0)
        labels += [f"column_{place}" for place in range(len(labels) + 1, width + 1)]
        cells = rows[1:] if rows and all(isinstance(cell, str) for cell in rows[0]) and len(rows) > 1 else rows
        records = [{(place, label): cell for (place, label), cell in zip(enumerate(labels), row, strict=False)} for row in cells]
    else:
        records = [{("text",): value} for value in rows]
    kept = [record for record in records if any(value is not None and value != "" for value in record.values())]
    if len(kept) < len(records):
        dropped[BLANK] = len(records) - len(kept)
    paths: dict[Path, None] = {path: None for record in kept for path in record}
    if not paths:
        raise FileUnreadable("The file {name} is empty: there is not one row with something in it. Choose another file.", name=name)
    if len(paths) > COLUMNS:
        message = "The file {name} has {count} columns; {most} is the most that can be read. Leave out the columns that are not needed."
        raise FileUnreadable(message, name=name, count=len(paths), most=COLUMNS)
    names, warnings = unique_names(path[1] if isinstance(path[0], int) else ".".join(map(str, path)) for path in paths)
    return from_values(names, [[record.get(path) for record in kept] for path in paths]), dropped, warnings


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) if kind is not object else not isinstance(value, (dict, list))


def _flat(rows: list[dict[str, Any]]) -> list[dict[Path, Any]]:
    """Objects inside a row become columns, one level deep, unless they are so varied that they are rather data than columns."""
    inside: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.items():
            if isinstance(value, dict):
                inside.setdefault(key, set()).update(value)
    spread = {key for key, names in inside.items() if 0 < len(names) <= SPREAD}
    return [
        {
            path: cell
            for key, value in row.items()
            for path, cell in (
                (((key, name), inner) for name, inner in value.items()) if key in spread and isinstance(value, dict) else (((key,), value),)
            )
        }
        for row in rows
    ]
