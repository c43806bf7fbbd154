"""From an uploaded file to a table, by what is in the file and not by what it is called.

Knows formats, encodings and limits; everything it guesses can be set by an option and is told in `Table.read_as`. Does not know datasets,
owners or tasks.
"""

from __future__ import annotations

import difflib
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from playground.data import decoding, delimited, records, sniff, workbooks
from playground.data.grid import from_grid
from playground.data.table import Table
from playground.errors import FileUnreadable, Sentence, Sentences, SettingsError
from playground.settings import Limits

OPTIONS = ("format", "encoding", "delimiter", "header", "sheet")
FORMATS = ("csv", "tsv", "json", "jsonl", "parquet", "xlsx", "xls", "ods")
TEXT_FORMATS = ("csv", "tsv", "json", "jsonl")
DELIMITER_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "none": ""}


def read_table(path: Path, name: str, options: dict[str, Any] | None = None, limits: Limits | None = None) -> Table:
    """Read a file as a table.

    `name` is what the user calls the file: it appears in sentences, and its ending is a hint where the content leaves a question open.
    `options`: format, encoding, delimiter (one character, or "" where each line is one cell), header (whether the first row names the
    columns), sheet (of a workbook, or part of a JSON document). None means: find it out.

    Raises:
        FileUnreadable: not a table, damaged, locked, empty or beyond the limits.
        SettingsError: unknown options or values, all of them at once.
    """
    limits = limits or Limits()
    chosen = check_options(options or {})
    table = _read(path, name, chosen, limits)
    if table.frame.height == 0 or table.frame.width == 0:
        raise FileUnreadable("The file {name} is empty: there is not one row with something in it. Choose another file.", name=name)
    if table.frame.height > limits.rows:
        raise workbooks.too_many_rows(name, table.frame.height, limits.rows)
    for column in table.frame.iter_columns():
        longest = column.str.len_chars().max() if column.dtype == pl.String else 0
        if isinstance(longest, int) and longest > limits.cell_characters:
            message = "A cell in the column {column} of {name} has {count:,} characters; {most:,} is the most that can be read. Shorten it."
            raise FileUnreadable(message, column=column.name, name=name, count=longest, most=limits.cell_characters)
    if table.frame.width == 1:
        message = "There is only one column, {column}. To learn answers, a table needs a second one with them."
        table.warnings.append(Sentence(message, column=table.frame.columns[0]))
    return table


def check_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were set, cleaned.

    Raises:
        SettingsError: with all problems in one sentence.
    """
    if not isinstance(options, dict):
        raise SettingsError("The options must be given by name. They are: {known}.", known=", ".join(OPTIONS))
    problems: list[Sentence] = []
    chosen: dict[str, Any] = {}
    for key, value in options.items():
        if key not in OPTIONS:
            problems.append(Sentence("“{key}” is unknown; the options are {known}", key=key, known=", ".join(OPTIONS)))
        elif value is None or value == "auto":
            continue
        elif key == "header":
            if not isinstance(value, bool):
                problems.append(Sentence("header must be true or false"))
            chosen[key] = value
        elif not isinstance(value, str):
            problems.append(Sentence("{key} must be text", key=key))
        elif key == "format" and value.lower() not in FORMATS:
            problems.append(Sentence("format “{value}” is unknown; it can be {known}", value=value, known=", ".join(FORMATS)))
        elif key == "encoding" and decoding.canonical(value) is None:
            near = difflib.get_close_matches(value.lower(), decoding.ENCODINGS, 1) or ["utf-8"]
            message = "encoding “{value}” is unknown; it can be {known} (nearest: {near})"
            problems.append(Sentence(message, value=value, known=", ".join(decoding.ENCODINGS), near=near[0]))
        elif key == "delimiter":
            mark = DELIMITER_NAMES.get(value.lower(), value)
            if len(mark) > 1 or mark.isalnum() or (mark and mark in '"\r\n\\\x00'):
                problems.append(Sentence("delimiter must be one character such as , ; | or a tab, or empty where each line is one cell"))
            chosen[key] = mark
        else:
            chosen[key] = {"format": value.lower(), "encoding": decoding.canonical(value)}.get(key, value)
    if problems:
        raise SettingsError("These options cannot be used: {problems}.", problems=Sentences(problems))
    return chosen


def _read(path: Path, name: str, options: dict[str, Any], limits: Limits) -> Table:
    try:
        size = path.stat().st_size if path.is_file() else -1
        if size > limits.upload_bytes:
            message = "The file {name} has {size} MB; {most} MB is the most that can be read here. Split it, or take a part of it."
            raise FileUnreadable(message, name=name, size=size // 1024**2, most=limits.upload_bytes // 1024**2)
        if size == 0:
            raise FileUnreadable("The file {name} is empty (0 bytes). Choose another file.", name=name)
        kind, foreign = sniff.kind_of(path)
        content = path.read_bytes() if kind == "text" else b""
    except OSError as error:
        raise FileUnreadable("The file {name} cannot be opened. Choose it once more.", name=name) from error
    wanted = options.get("format")
    if kind == "binary" and "encoding" in options:
        kind, content = "text", path.read_bytes()
    if kind == "locked":
        raise workbooks.locked(name)
    if kind in ("foreign", "binary"):
        _refuse(name, foreign or Sentence("binary data"))
    fits = {"text": TEXT_FORMATS, "parquet": ("parquet",), "excel": ("xlsx", "xls", "ods")}[kind]
    if wanted is not None and wanted not in fits:
        raise FileUnreadable("The file {name} is not {format}. Leave the format open, and it will be found.", name=name, format=wanted)
    if kind == "parquet":
        frame = workbooks.read_parquet(path, name, limits.rows, limits.upload_bytes)
        return Table(frame, _read_as("parquet"))
    if kind == "excel":
        return _excel(path, name, options, limits)
    return _text(content, name, options, limits)


def _refuse(name: str, what: Sentence) -> None:
    if any(word in what for word in ("compressed", "archive")):
        raise FileUnreadable("The file {name} is {what}. Unpack it and choose the table inside.", name=name, what=what)
    message = "The file {name} looks like {what}, not like a table. Choose a CSV, Excel, JSON, JSON Lines or Parquet file."
    raise FileUnreadable(message, name=name, what=what)


def _read_as(format: str, **more: Any) -> dict[str, Any]:
    return {"format": format, "encoding": None, "delimiter": None, "header": None, "sheet": None, **more}


def _excel(path: Path, name: str, options: dict[str, Any], limits: Limits) -> Table:
    rows, sheet, sheets = workbooks.read_sheet(path, name, options.get("sheet"), limits.upload_bytes)
    frame, header, dropped, warnings = from_grid(rows, name=name, header=options.get("header"), decimal_comma=False)
    with path.open("rb") as file:
        format = "xls" if file.read(2) != b"PK" else "ods" if _is_ods(path) else "xlsx"
    if len(sheets) > 1:
        others = ", ".join(other for other in sheets if other != sheet)
        warnings.insert(0, Sentence("Of this workbook, the sheet {sheet} was read. The others are: {others}.", sheet=sheet, others=others))
    return Table(frame, _read_as(format, header=header, sheet=sheet), dropped, warnings)


def _is_ods(path: Path) -> bool:
    return b"mimetypeapplication/vnd.oasis" in path.read_bytes()[:100]


def _text(content: bytes, name: str, options: dict[str, Any], limits: Limits) -> Table:
    text, encoding, warnings = decoding.decode(content, name, options.get("encoding"))
    suffix = Path(name).suffix.lower()
    format = options.get("format") or ("csv" if options.keys() & {"delimiter", "header"} else records.looks_like_json(text, suffix))
    if format is None and suffix in (".jsonl", ".ndjson"):
        format = "jsonl"
    if format is None and suffix == ".json":
        format = "json"
    if format in ("json", "jsonl"):
        read = records.read_json(text, name, options.get("sheet")) if format == "json" else records.read_jsonl(text, name)
        return Table(read.frame, _read_as(format, encoding=encoding, sheet=read.part), read.dropped, warnings + read.warnings)
    delimiter = options.get("delimiter", "\t" if format == "tsv" else None)
    rows, dialect, repaired = delimited.read_rows(text, delimiter, suffix)
    taken = list(islice(rows, 2 * limits.rows + 2))
    if len(taken) > 2 * limits.rows + 1:
        raise workbooks.too_many_rows(name, len(taken), limits.rows)
    decimal_comma = dialect.delimiter != ","
    frame, header, dropped, more = from_grid(taken, name=name, header=options.get("header"), decimal_comma=decimal_comma)
    if repaired:
        message = "Lines with quotation marks in unusual places: {count}. The first is line {line}; look whether its cells are right."
        warnings.append(Sentence(message, count=len(repaired), line=repaired[0]))
    read_as = _read_as("tsv" if dialect.delimiter == "\t" else "csv", encoding=encoding, delimiter=dialect.delimiter, header=header)
    return Table(frame, read_as, dropped, warnings + more)
