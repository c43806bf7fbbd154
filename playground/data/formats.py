"""From an uploaded file to a table, by what is in the file and not by what it is called.

Knows formats, encodings and limits; everything it guesses can be set by an option and is told in `Table.read_as`. Does not know datasets,
owners or tasks.
"""

from __future__ import annotations

import difflib
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from playground import decoding
from playground.data import archives, chats, delimited, prose, records, sniff, workbooks
from playground.data.grid import from_grid
from playground.data.table import Table
from playground.errors import FileUnreadable, Sentence, Sentences, SettingsError
from playground.settings import Limits

OPTIONS = ("format", "encoding", "delimiter", "header", "sheet", "chat_format")
FORMATS = ("csv", "tsv", "json", "jsonl", "parquet", "xlsx", "xls", "ods", "text", "markdown")
TEXT_FORMATS = ("csv", "tsv", "json", "jsonl", "text", "markdown")
LINE_ENDINGS = (".csv", ".tsv", ".tab")  # names of tables: without a delimiter, each line is a row of one cell
DELIMITER_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "none": ""}


def read_table(path: Path, name: str, options: dict[str, Any] | None = None, limits: Limits | None = None) -> Table:
    """Read a file as a table.

    `name` is what the user calls the file: it appears in sentences, and its ending is a hint where the content leaves a question open.
    `options`: format, encoding, delimiter (one character, or "" where each line is one cell), header (whether the first row names the
    columns), sheet (of a workbook, part of a JSON document, or table of a ZIP archive), chat_format (how conversations are written,
    or "none" to leave them as they are). None means: find it out. A compressed file is read as the table inside it.

    Raises:
        FileUnreadable: not a table, damaged, locked, empty or beyond the limits.
        SettingsError: unknown options or values, all of them at once.
    """
    limits = limits or Limits()
    chosen = check_options(options or {})
    table = _read(path, name, chosen, limits)
    seen = chats.recognise(table.frame, chosen.get("chat_format"))
    wanted = chosen.get("chat_format", "none")
    if wanted not in ("none", seen.chat_format):
        message = "The file {name} does not look like {what}. Leave chat_format open, and it will be found."
        raise FileUnreadable(message, name=name, what=chats.TITLES[wanted])
    table.frame = seen.frame
    table.read_as["chat_format"] = seen.chat_format
    table.warnings += seen.warnings
    if table.frame.height == 0 or table.frame.width == 0:
        raise FileUnreadable("The file {name} is empty: there is not one row with something in it. Choose another file.", name=name)
    if table.frame.height > limits.rows:
        raise workbooks.too_many_rows(name, table.frame.height, limits.rows)
    check_cells(table.frame, name, limits)
    if table.frame.width == 1 and seen.chat_format is None and table.read_as["format"] not in ("text", "markdown"):
        message = "There is only one column, {column}. To learn answers, a table needs a second one with them."
        table.warnings.append(Sentence(message, column=table.frame.columns[0]))
    return table


def check_cells(frame: pl.DataFrame, name: str, limits: Limits, before: int = 0) -> None:
    """Refuse cells that are too long; `before` rows of the same table came earlier.

    Raises:
        FileUnreadable: with the place of the longest cell in the first such column.
    """
    for column in frame.iter_columns():
        lengths = column.str.len_chars() if column.dtype == pl.String else None
        longest = lengths.max() if lengths is not None else 0
        if lengths is not None and isinstance(longest, int) and longest > limits.cell_characters:
            message = (
                "The cell of row {row} in the column {column} of {name} has {count:,} characters; {most:,} is the most that can be read."
            )
            row = before + (lengths.arg_max() or 0) + 1
            raise FileUnreadable(message, row=row, column=column.name, name=name, count=longest, most=limits.cell_characters)


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
        elif key == "chat_format" and value.lower() not in (*chats.CHAT_FORMATS, "none"):
            known = ", ".join((*chats.CHAT_FORMATS, "none"))
            problems.append(Sentence("chat_format “{value}” is unknown; it can be {known}", value=value, known=known))
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
            chosen[key] = {"format": value.lower(), "chat_format": value.lower(), "encoding": decoding.canonical(value)}.get(key, value)
    if problems:
        raise SettingsError("These options cannot be used: {problems}.", problems=Sentences(problems))
    return chosen


def _read(path: Path, name: str, options: dict[str, Any], limits: Limits, packed: bool = False) -> Table:
    try:
        size = path.stat().st_size if path.is_file() else -1
        if size > limits.upload_bytes:
            message = "The file {name} has {size} MB; {most} MB is the most that can be read here. Split it, or take a part of it."
            raise FileUnreadable(message, name=name, size=size // 1024**2, most=limits.upload_bytes // 1024**2)
        if size > limits.whole_bytes:
            message = (
                "The file {name} has {size} MB; of this kind, {most} MB is the most that can be read. "
                "Save it as CSV, JSON Lines or Parquet: those can be larger."
            )
            raise FileUnreadable(message, name=name, size=size // 1024**2, most=limits.whole_bytes // 1024**2)
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
    if kind in ("gzip", "bzip2", "zip") and not packed:
        return _packed(path, kind, name, options, limits)
    if kind in ("foreign", "binary", "gzip", "bzip2", "zip"):
        _refuse(name, foreign or Sentence("binary data"))
    fits = {"text": TEXT_FORMATS, "parquet": ("parquet",), "excel": ("xlsx", "xls", "ods")}[kind]
    if wanted is not None and wanted not in fits:
        raise FileUnreadable("The file {name} is not {format}. Leave the format open, and it will be found.", name=name, format=wanted)
    if kind == "parquet":
        frame = workbooks.read_parquet(path, name, limits.rows, 4 * limits.whole_bytes)
        return Table(frame, _read_as("parquet"))
    if kind == "excel":
        return _excel(path, name, options, limits)
    return _text(content, name, options, limits)


def _packed(path: Path, kind: str, name: str, options: dict[str, Any], limits: Limits) -> Table:
    """The table inside a compressed file. In sentences it goes by the name of the whole, with its own where there are several."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "table"
        inside = archives.unpack(path, kind, name, options.get("sheet"), min(limits.whole_bytes, limits.upload_bytes), target)
        several = inside.tables > 1
        sheet = None if several or options.get("sheet") == inside.member else options.get("sheet")
        own_name = name if kind != "zip" else f"{name}: {inside.member}"
        table = _read(target, own_name, {**options, "sheet": sheet} if sheet else _without_sheet(options), limits, packed=True)
    if several:
        table.read_as["sheet"] = inside.member
    table.warnings = inside.warnings + table.warnings
    return table


def _without_sheet(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != "sheet"}


def _refuse(name: str, what: Sentence) -> None:
    if "damaged" in what:
        raise FileUnreadable("The file {name} is {what}, or it breaks off. Save or download it once more.", name=name, what=what)
    if any(word in what for word in ("compressed", "archive")):
        raise FileUnreadable("The file {name} is {what}. Unpack it and choose the table inside.", name=name, what=what)
    message = "The file {name} looks like {what}, not like a table. Choose a CSV, Excel, JSON, JSON Lines or Parquet file."
    raise FileUnreadable(message, name=name, what=what)


def _read_as(format: str, **more: Any) -> dict[str, Any]:
    return {"format": format, "encoding": None, "delimiter": None, "header": None, "sheet": None, "chat_format": None, **more}


def _excel(path: Path, name: str, options: dict[str, Any], limits: Limits) -> Table:
    rows, sheet, sheets = workbooks.read_sheet(path, name, options.get("sheet"), min(limits.whole_bytes, limits.upload_bytes))
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
    suffix = Path(archives.plain_name(name)).suffix.lower()
    format = options.get("format") or ("csv" if options.keys() & {"delimiter", "header"} else None)
    if format is None and suffix in prose.MARKDOWN_ENDINGS:
        format = "markdown"
    format = format or records.looks_like_json(text, suffix)
    if format is None and suffix in (".jsonl", ".ndjson"):
        format = "jsonl"
    if format is None and suffix == ".json":
        format = "json"
    if format in ("json", "jsonl"):
        read = records.read_json(text, name, options.get("sheet")) if format == "json" else records.read_jsonl(text, name)
        return Table(read.frame, _read_as(format, encoding=encoding, sheet=read.part), read.dropped, warnings + read.warnings)
    if format is None and suffix not in LINE_ENDINGS and delimited.is_undivided(text, suffix):
        format = "text"
    if format in ("text", "markdown"):
        parts = prose.paragraphs(text) if format == "text" else prose.markdown(text)
        if len(parts) > limits.rows:
            raise workbooks.too_many_rows(name, len(parts), limits.rows)
        return Table(pl.DataFrame({"text": parts}, schema={"text": pl.String}), _read_as(format, encoding=encoding), {}, warnings)
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
