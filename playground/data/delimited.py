"""From text to rows of cells: CSV and its relatives, with the delimiter found by itself and stray quotation marks survived.

Python's own reader does the work in its strict mode. Where it stumbles, that one line is read again by hand, so that a quotation mark that
was never closed costs a line its shape and not the rest of the file its rows. Knows nothing of encodings, headers or types.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass

from playground.data.prose import is_prose
from playground.data.table import DATE

csv.field_size_limit(2**31 - 1)  # cells are limited with a sentence, later
DELIMITERS = (",", ";", "\t", "|")
NONE = "\x1f"  # "each line is one cell": a character that no text has
SAMPLE_CHARACTERS = 65_536
SAMPLE_ROWS = 300
FEW = 3  # lines that prove nothing
ENOUGH = 0.25  # below this score a text is taken for lines that nothing divides
TYPED = re.compile(rf"\s*([-+]?[$€£]?\s*\d[\d.,\s]*%?|{DATE[1:-1]})?\s*")
UNCLEAN = re.compile(r"[;\t|]")
EXCEL_HINT = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)


@dataclass
class Dialect:
    """How a text is divided. `delimiter` is "" where each line is one cell."""

    delimiter: str
    skip_space: bool = False
    escape: str | None = None
    old_mac: bool = False

    def reader(self, lines: Iterator[str], strict: bool) -> Iterator[list[str]]:
        return csv.reader(
            lines,
            delimiter=self.delimiter or NONE,
            skipinitialspace=self.skip_space,
            escapechar=self.escape,
            strict=strict,
        )


def read_rows(text: str, delimiter: str | None, suffix: str = "") -> tuple[Iterator[list[str]], Dialect, list[int]]:
    """(rows as they are read, how, line numbers that had to be read by hand; complete when the rows are used up).

    `delimiter` None lets it be found; `suffix` is the end of the file's name, a hint where the content leaves it open.
    """
    hint = EXCEL_HINT.match(text)
    if hint:
        text, delimiter = text[hint.end() :], delimiter or hint[1]
    dialect = find_dialect(text, delimiter, suffix)
    repaired: list[int] = []
    return _rows(text, dialect, repaired, first_line=2 if hint else 1), dialect, repaired


def rows_of(text: str, dialect: Dialect, repaired: list[int], first_line: int) -> Iterator[list[str]]:
    """The rows of a part of a text whose dialect is known; `repaired` as in `read_rows`."""
    return _rows(text, dialect, repaired, first_line)


def is_undivided(text: str, suffix: str = "") -> bool:
    """Whether a text is lines or paragraphs that nothing divides into cells."""
    if EXCEL_HINT.match(text):
        return False
    dialect = find_dialect(text, None, suffix)
    return not dialect.delimiter or is_prose(_sample_rows(text[:SAMPLE_CHARACTERS], Dialect(dialect.delimiter)), dialect.delimiter)


def _rows(text: str, dialect: Dialect, repaired: list[int], first_line: int) -> Iterator[list[str]]:
    source = io.StringIO(text, newline="" if dialect.old_mac else "\n")
    waiting: deque[str] = deque()  # lines that go through the reader once more
    taken: list[str] = []  # lines of the row in hand

    def lines() -> Iterator[str]:
        while line := waiting.popleft() if waiting else source.readline():
            taken.append(line)
            yield line

    line_number = first_line
    width = 0
    reader = dialect.reader(lines(), strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            if len(taken) > 1 and not waiting and source.tell() == len(text) and _broken_off(taken, dialect, width):
                repaired.append(line_number)
                whole = (
                    line.rstrip("\r\n").replace("\r", " ") + "\n" for line in taken
                )  # the reader refuses a lone return, even leniently
                yield next(dialect.reader(whole, strict=False))
                return
            waiting.extendleft(reversed(taken[1:]))
            del taken[1:]
            repaired.append(line_number)
            row = by_hand(taken[0], dialect, width)
            reader = dialect.reader(lines(), strict=True)
        width = width or len(row)
        line_number += len(taken)
        taken.clear()
        yield row


def _broken_off(lines: list[str], dialect: Dialect, width: int) -> bool:
    """Whether the file ends inside a cell of several lines, and not after a quotation mark that has no partner.

    What follows such a mark are rows, so most of the lines have their number of cells; the lines of a cell have not.
    """
    first = len(by_hand(lines[0], dialect, width))
    later = [line for line in lines[1:SAMPLE_ROWS] if line.strip()]
    rows = sum(len(by_hand(line, dialect, width)) == width for line in later)
    if first > width and len(later) < FEW:
        return width > 1
    return width > 1 and rows <= (0.5 if first == width else 0.9) * len(later)


def by_hand(line: str, dialect: Dialect, width: int) -> list[str]:
    """A line whose quotation marks make no sense to a strict reader, in the way that gives the expected number of cells.

    First way: a quotation mark ends a cell only where the delimiter or the end of the line follows, so `"said "hi" to",3` is two cells.
    Second: as a lenient reader has it. Third: quotation marks are letters.
    """
    line = line.rstrip("\r\n").replace("\r", " ")
    delimiter = dialect.delimiter or NONE
    mark = re.escape(delimiter)
    quoted = rf'\s*"(?P<inside>(?:[^"]|"(?!\s*(?:{mark}|$)))*)"\s*(?={mark}|$)'
    cells, place = [], 0
    for found in re.finditer(rf"(?:{quoted}|(?P<bare>[^{mark}]*))(?:{mark}|$)", line):
        if found.start() < place or (found.start() == len(line) and line and not line.endswith(delimiter)):
            continue
        place = found.end()
        cells.append(found["bare"] if found["inside"] is None else found["inside"].replace('""', '"'))
    literal = line.split(delimiter)
    if not dialect.delimiter:
        return literal
    lenient = next(dialect.reader(iter([line]), strict=False), [])
    return next((way for way in (cells, lenient, literal) if len(way) == width), literal)


def find_dialect(text: str, delimiter: str | None, suffix: str) -> Dialect:
    """The delimiter by which rows come out alike, and the habits of the program that wrote the file."""
    sample = text[:SAMPLE_CHARACTERS]
    returns = sample.count("\r") - sample.count("\r\n")
    old_mac = returns > sample.count("\n") - sample.count("\r\n")
    cut = len(text) > len(sample)
    candidates = [delimiter] if delimiter is not None else list(DELIMITERS)
    dialects = [Dialect(one, skip_space=bool(one) and _spaced(sample, one), old_mac=old_mac) for one in candidates]
    for dialect in dialects:
        if '\\"' in sample and _errors(sample, dialect) > _errors(sample, Dialect(dialect.delimiter, dialect.skip_space, "\\", old_mac)):
            dialect.escape = "\\"
    if delimiter is not None:
        return dialects[0]
    scores = []
    for dialect in dialects:
        rows = _sample_rows(sample, dialect)
        if not rows:
            return dialect  # nothing but this delimiter
        scores.append(score(rows[:-1] if cut and len(rows) > 1 else rows, dialect.delimiter, suffix))
    best = scores.index(max(scores))
    return dialects[best] if scores[best] >= ENOUGH else Dialect("", old_mac=old_mac)


def _spaced(sample: str, delimiter: str) -> bool:
    """Whether a space stands between delimiters and quotation marks."""
    if delimiter == "\t" or f'{delimiter} "' not in sample or f'{delimiter}"' in sample:
        return False
    return any(cell.startswith(' "') for row in _sample_rows(sample, Dialect(delimiter)) for cell in row[1:])


def _sample_rows(sample: str, dialect: Dialect) -> list[list[str]]:
    reader = dialect.reader(iter(io.StringIO(sample, newline="" if dialect.old_mac else "\n")), strict=False)
    rows: list[list[str]] = []
    while len(rows) < SAMPLE_ROWS:
        try:
            row = next(reader)
        except csv.Error:
            continue
        except StopIteration:
            break
        if any(map(str.strip, row)):
            rows.append(row)
    return rows


def _errors(sample: str, dialect: Dialect) -> int:
    errors = 0
    reader = dialect.reader(iter(io.StringIO(sample, newline="" if dialect.old_mac else "\n")), strict=True)
    while True:
        try:
            next(reader)
        except csv.Error:
            errors += 1
        except StopIteration:
            return errors


def score(rows: list[list[str]], delimiter: str, suffix: str) -> float:
    """From 0 to about 1: how much the rows look like rows of one table when divided so.

    Rows of the same width count fully, one cell more or less counts half. A first row of another width, prose (cells that begin with a
    space) and cells that other delimiters would divide count against it; a first row of short names counts for it.
    """
    if not rows:
        return 0.0
    first = rows[0]
    widths = Counter(map(len, rows))
    usual = max(widths, key=lambda width: (widths[width], width == len(first), width))
    if usual < 2:
        return 0.0
    beside = sum(count for width, count in widths.items() if abs(width - usual) == 1 and width > 1)
    near = (widths[usual] + beside / 2) / len(rows)
    result = near * (1.2 - 1 / usual)
    if len(first) != usual:
        result *= 0.3 if len(first) == 1 and not (len(rows) > 2 and len(rows[1]) == usual) else 0.7
    if len(first) > 1 and all(len(cell) <= 40 and cell == cell.strip() for cell in first):
        result *= 1.3
    later = [cell for row in rows for cell in row[1:]]
    if near < 0.95 and sum(cell.startswith(" ") for cell in later) > 0.8 * len(later):
        result *= 0.3
    cells = [cell for row in rows[:100] for cell in row]
    clean = sum(1 for cell in cells if TYPED.fullmatch(cell) or not UNCLEAN.search(cell)) / len(cells)
    expected = {".tsv": "\t", ".tab": "\t", ".csv": ","}.get(suffix)
    return result * (0.5 + 0.5 * clean) * (1.1 if delimiter == expected else 1.0)
