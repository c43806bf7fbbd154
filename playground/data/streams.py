"""Large files read piece by piece: CSV, JSON Lines and Parquet that would not fit into memory as a whole.

The first piece is read as a small file is, and decides how the rest is read. A piece in which nothing is unusual goes through polars' fast
readers; any other one goes through the same readers as small files, so that broken lines are kept aside and named here too. Knows formats
and pieces; leaves types and writing to `large`.
"""

from __future__ import annotations

import codecs
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from playground import decoding
from playground.data import archives, chats, delimited, quick, records, sniff, workbooks
from playground.data.formats import check_cells, check_options, read_table
from playground.data.grid import Grid, more_rows, read_grid
from playground.data.large import ROWS, TableWriter
from playground.data.table import BLANK, UNREADABLE
from playground.errors import FileUnreadable, Sentence
from playground.settings import Limits

LARGE = 8 * 1024**2  # bytes; files up to this are read whole
PIECE = 16 * 1024**2
HEAD = 1024**2  # bytes that are looked at to find out how to read a file, and the first piece
DELIMITED = ("csv", "tsv")
Told = Callable[[float], None]  # how much of the file was read, 0 to 1; may raise to give up


@dataclass
class Streamed:
    """A file as it was read, as `table.Table`; its rows are in a frame, or with a writer that wrote them to a file."""

    content: pl.DataFrame | TableWriter
    read_as: dict[str, Any]
    dropped: dict[str, int]
    warnings: list[Sentence]

    @property
    def rows(self) -> int:
        return self.content.rows if isinstance(self.content, TableWriter) else self.content.height


def read_any(path: Path, name: str, options: dict[str, Any] | None, limits: Limits, target: Path, told: Told | None = None) -> Streamed:
    """A file of any size: piece by piece into `target` as `read_streamed`, or where that does not apply whole as `formats.read_table`."""
    streamed = read_streamed(path, name, options, limits, target, told)
    if streamed is not None:
        return streamed
    table = read_table(path, name, options, limits)
    return Streamed(table.frame, table.read_as, table.dropped, table.warnings)


@dataclass
class _Tally:
    """Reasons and warnings of all pieces together: of one kind, the counts are added and the first place stays."""

    dropped: Counter[str] = field(default_factory=Counter)
    warnings: dict[str, Sentence] = field(default_factory=dict)

    def add(self, dropped: dict[str, int], warnings: list[Sentence]) -> None:
        self.dropped.update(dropped)
        for one in warnings:
            before = self.warnings.get(one.template)
            if before is not None and "count" in one.values:
                one = Sentence(one.template, **{**before.values, "count": before.values["count"] + one.values["count"]})
            self.warnings[one.template] = one if before is None or "count" in one.values else before


def read_streamed(
    path: Path, name: str, options: dict[str, Any] | None, limits: Limits, target: Path, told: Told | None = None
) -> Streamed | None:
    """Read a large file into the table `target`; None where the file is small, or of a kind that is read whole.

    `options` as in `formats.read_table`; `told` hears how far it is.

    Raises:
        FileUnreadable: beyond the limits, damaged, or not as the options say.
        SettingsError: as `formats.read_table`.
    """
    chosen = check_options(options or {})
    try:
        size = path.stat().st_size
        if not LARGE // 20 < size <= limits.upload_bytes:  # a compressed file can be that much larger inside
            return None
        kind, _ = sniff.kind_of(path)
    except OSError:
        return None  # told by the other reader
    if kind in ("gzip", "bzip2", "zip"):
        with tempfile.TemporaryDirectory() as folder:
            inside = Path(folder) / "table"
            unpacked = archives.unpack(path, kind, name, chosen.get("sheet"), limits.upload_bytes, inside)
            inner = {key: value for key, value in chosen.items() if key != "sheet"}
            own_name = name if kind != "zip" else f"{name}: {unpacked.member}"
            found = read_streamed(inside, own_name, inner, limits, target, told)
        if found is not None and unpacked.tables > 1:
            found.read_as["sheet"] = unpacked.member
            found.warnings = unpacked.warnings + found.warnings
        return found
    if kind == "parquet" and _is_large_parquet(path) and chosen.get("format") in (None, "parquet"):
        frames = workbooks.parquet_pieces(path, name, limits.rows, told)
        return _written(target, frames, _read_as("parquet"), _Tally(), limits, name, chosen.get("chat_format"))
    if kind != "text" or size <= LARGE:
        return None
    return _text(path, name, chosen, limits, target, told)


def _is_large_parquet(path: Path) -> bool:
    import pyarrow
    import pyarrow.parquet

    try:
        about = pyarrow.parquet.read_metadata(path)
    except (pyarrow.ArrowException, OSError):
        return False
    return about.num_rows > ROWS or sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups)) > LARGE


def _text(path: Path, name: str, chosen: dict[str, Any], limits: Limits, target: Path, told: Told | None) -> Streamed | None:
    """A file of rows in text; None where its beginning looks like anything else."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        beginning = Path(folder) / "head"
        beginning.write_bytes(head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head)
        try:
            # what is beyond the limits is told later, with its place in the whole
            table = read_table(beginning, name, {**chosen, "chat_format": "none"}, replace(limits, rows=HEAD, cell_characters=HEAD))
        except FileUnreadable:
            return None
    read_as = table.read_as
    if read_as["format"] not in (*DELIMITED, "jsonl"):
        return None
    tally = _Tally()
    pieces = _ahead(_pieces(path, read_as["encoding"], quoted=read_as["format"] in DELIMITED, told=told, tally=tally))
    if read_as["format"] == "jsonl":
        frames = _json_frames(pieces, name, tally)
    else:
        dialect = delimited.find_dialect(head.decode(read_as["encoding"], "ignore"), read_as["delimiter"], "")
        frames = _delimited_frames(pieces, name, dialect, read_as["header"], tally)
    return _written(target, frames, read_as, tally, limits, name, chosen.get("chat_format"))


def _written(
    target: Path, frames: Iterator[pl.DataFrame], read_as: dict[str, Any], tally: _Tally, limits: Limits, name: str, chat_format: str | None
) -> Streamed:
    """All pieces as one table. Conversations are recognised in the first piece, or not at all."""
    wanted = chat_format
    with TableWriter(target, compression="none") as writer:  # what is read once more at once need not be small
        for frame in frames:
            if not frame.height:
                continue
            seen = chats.recognise(frame, wanted)
            if wanted is None:
                wanted = seen.chat_format or "none"
                tally.add({}, seen.warnings)
            check_cells(seen.frame, name, limits, before=writer.rows)
            if writer.rows + seen.frame.height > limits.rows:
                raise workbooks.too_many_rows(name, writer.rows + seen.frame.height, limits.rows)
            writer.write(seen.frame)
        if not writer.rows:
            raise FileUnreadable("The file {name} is empty: there is not one row with something in it. Choose another file.", name=name)
    read_as["chat_format"] = None if wanted == "none" else wanted
    return Streamed(writer, read_as, dict(tally.dropped), list(tally.warnings.values()))


def _ahead(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, each fetched while the one before is being worked on."""
    with ThreadPoolExecutor(1, "table-reader") as thread:
        coming = thread.submit(next, pieces, b"")
        while piece := coming.result():
            coming = thread.submit(next, pieces, b"")
            yield piece


def _pieces(path: Path, encoding: str, *, quoted: bool, told: Told | None, tally: _Tally) -> Iterator[bytes]:
    """The file as UTF-8, cut at ends of lines; with `quoted`, not inside quotation marks."""
    decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding not in ("utf-8", "ascii") else None
    size, done, rest = path.stat().st_size, 0, b""
    with path.open("rb") as file:
        while raw := file.read(PIECE if done else min(HEAD, PIECE)):
            done += len(raw)
            if decoder is not None:
                raw = decoder.decode(raw, done >= size).encode()
            if not rest and raw.startswith(codecs.BOM_UTF8):
                raw = raw[len(codecs.BOM_UTF8) :]
            if b"\0" in raw:
                zeros = raw.count(0)
                tally.add({}, [Sentence("Zero bytes that were taken out of the text: {count}.", count=zeros)])
                raw = raw.replace(b"\0", b"")
            rest += raw
            cut = len(rest) if done >= size else _cut(rest, quoted)
            if cut:
                yield rest[:cut]
                rest = rest[cut:]
            if told:
                told(done / size)
    if rest:
        yield rest


def _cut(text: bytes, quoted: bool) -> int:
    """Where the last row that is whole ends."""
    end = text.rfind(b"\n") + 1 or text.rfind(b"\r", 0, -1) + 1
    if not quoted or not end or text.count(b'"', 0, end) % 2 == 0:
        return end
    # Inside quotation marks: go back line by line to a place outside of them; where there is none, they are unbalanced anyway.
    place = end
    inside = True
    while place > 0:
        before = text.rfind(b"\n", 0, place - 1) + 1
        inside ^= text.count(b'"', before, place) % 2 == 1
        place = before
        if not inside:
            return place
    return end


def _lines(piece: bytes) -> int:
    return piece.count(b"\n") or piece.count(b"\r")


def _json_frames(pieces: Iterator[bytes], name: str, tally: _Tally) -> Iterator[pl.DataFrame]:
    line = 1
    known: dict[str, Any] = {}  # the columns of the piece before
    texts: dict[str, Any] = {}  # columns that hold lists, or texts for certain
    for piece in pieces:
        lines = _lines(piece)
        frame = quick.json_like_before(piece, known)
        if frame is None:
            frame = quick.json(piece, texts)
            known = dict(frame.schema) if frame is not None else {}
        if frame is None:
            try:
                read = records.read_jsonl(_decoded(piece, tally), name, line)
                tally.add(read.dropped, read.warnings)
                frame = read.frame
            except FileUnreadable:
                tally.add({UNREADABLE: sum(bool(one.strip()) for one in piece.splitlines())}, [])
                frame = pl.DataFrame()
        elif blank := lines + (not piece.endswith(b"\n")) - frame.height:
            tally.add({BLANK: blank}, [])
        line += lines
        yield frame


def _delimited_frames(
    pieces: Iterator[bytes], name: str, dialect: delimited.Dialect, header: bool, tally: _Tally
) -> Iterator[pl.DataFrame]:
    grid: Grid | None = None
    line = 1
    decimal_comma = dialect.delimiter != ","
    for piece in pieces:
        fast = quick.delimited(piece, dialect, grid, decimal_comma) if grid is not None else None
        if fast is not None:
            frame, dropped, warnings = fast
            tally.add(dropped, warnings)
            yield frame
            line += _lines(piece)
            continue
        text = _decoded(piece, tally)
        repaired: list[int] = []
        if grid is None:
            if hint := delimited.EXCEL_HINT.match(text):
                text = text[hint.end() :]
            grid = read_grid(delimited.rows_of(text, dialect, repaired, line), name=name, header=header, decimal_comma=decimal_comma)
            frame, dropped, warnings = grid.frame, grid.dropped, grid.warnings
        else:
            frame, dropped, warnings = more_rows(delimited.rows_of(text, dialect, repaired, line), grid, decimal_comma=decimal_comma)
        tally.add(dropped, warnings)
        if repaired:
            message = "Lines with quotation marks in unusual places: {count}. The first is line {line}; look whether its cells are right."
            tally.add({}, [Sentence(message, count=len(repaired), line=repaired[0])])
        yield frame
        line += _lines(piece)


def _decoded(piece: bytes, tally: _Tally) -> str:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        text = piece.decode("utf-8", "replace")
        tally.add({}, [decoding.replaced(text.count("\ufffd"))])
        return text


def _read_as(format: str) -> dict[str, Any]:
    return {"format": format, "encoding": None, "delimiter": None, "header": None, "sheet": None, "chat_format": None}
