"""From rows of raw cells, as CSV files and worksheets have them, to a table: where the header is, and rows of unequal length.

Does not know how the rows were cut from the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from playground.data.headers import above_header, header_rows, joined_names, looks_like_header
from playground.data.table import ABOVE_HEADER, BLANK, COLUMNS, from_text, unique_names
from playground.errors import FileUnreadable, Sentence

MORE = "more"  # the column for what rows have beyond the header


@dataclass
class Grid:
    """A table and how it lay in its rows: `labels` are the names of the columns by their place, `width` counts places."""

    frame: pl.DataFrame
    header: bool
    dropped: dict[str, int]
    warnings: list[Sentence]
    labels: dict[int, str]
    width: int


def from_grid(
    rows: Iterable[Sequence[str]], *, name: str, header: bool | None, decimal_comma: bool
) -> tuple[pl.DataFrame, bool, dict[str, int], list[Sentence]]:
    """As `read_grid`: (frame, whether there was a header, dropped, warnings)."""
    grid = read_grid(rows, name=name, header=header, decimal_comma=decimal_comma)
    return grid.frame, grid.header, grid.dropped, grid.warnings


def read_grid(rows: Iterable[Sequence[str]], *, name: str, header: bool | None, decimal_comma: bool) -> Grid:
    """Rows of cells, "" being an empty cell -> a table.

    With `header` None the first rows decide. Short rows are filled with missing cells; what a row has beyond the header goes to a column of
    its own. Lines with a single cell above the header of a wider table are dropped and counted; a header of several rows is joined.

    Raises:
        FileUnreadable: nothing in it, nothing below the header, or too many columns.
    """
    content, total = [], 0
    for row in rows:
        total += 1
        if any(map(str.strip, row)):
            content.append(row)
    if not content:
        raise FileUnreadable("The file {name} is empty: there is not one row with something in it. Choose another file.", name=name)
    dropped: dict[str, int] = {BLANK: total - len(content)} if total > len(content) else {}
    warnings: list[Sentence] = []
    if header is not False and (above := above_header(content)):
        content = content[above:]
        dropped[ABOVE_HEADER] = above
        warnings.append(Sentence("Lines above the header that were left out: {count}.", count=above))
    deep = header_rows(content) if header is not False else 1
    has_header = (deep > 1 or looks_like_header(content)) if header is None else header
    names, body = (joined_names(content[:deep]) if deep > 1 else list(content[0]), content[deep:]) if has_header else ([], content)
    if deep > 1:
        example = next(label for label in reversed(names) if label)
        warnings.append(
            Sentence("The header has {count} rows. Their names were joined, for example: {example}.", count=deep, example=example)
        )
    if not body:
        message = "The file {name} has a header and no rows below it. Add rows, or say that the first row is no header."
        raise FileUnreadable(message, name=name)
    width = _width(len(names), body)
    if width > COLUMNS:
        message = "The file {name} has {count} columns; {most} is the most that can be read. Leave out the columns that are not needed."
        raise FileUnreadable(message, name=name, count=width, most=COLUMNS)
    names += [""] * (width - len(names))
    table, beyond = _even(body, width, warnings)
    columns: list[Sequence[str | None]] = list(zip(*table, strict=True))
    keep = [place for place, label in enumerate(names) if label.strip() or any(cell and cell.strip() for cell in columns[place])]
    columns = [columns[place] for place in keep]
    if has_header:
        labels, renamed = unique_names([names[place] for place in keep])
        warnings += renamed
    else:
        labels = [f"column_{place + 1}" for place in keep]
    if beyond is not None:
        labels = [*labels, unique_names([*labels, MORE])[0][-1]]
        columns.append(beyond)
    frame, read = from_text(labels, columns, decimal_comma=decimal_comma)
    return Grid(frame, has_header, dropped, warnings + read, dict(zip(keep, labels, strict=False)), width)


def more_rows(rows: Iterable[Sequence[str]], grid: Grid, *, decimal_comma: bool) -> tuple[pl.DataFrame, dict[str, int], list[Sentence]]:
    """Later rows of the same table -> (frame, dropped, warnings). Columns left out for being empty come back where they are not."""
    content, total = [], 0
    for row in rows:
        total += 1
        if any(map(str.strip, row)):
            content.append(row)
    dropped: dict[str, int] = {BLANK: total - len(content)} if total > len(content) else {}
    if not content:
        return pl.DataFrame(), dropped, []
    warnings: list[Sentence] = []
    table, beyond = _even(content, grid.width, warnings)
    columns: dict[str, Sequence[str | None]] = {}
    for place, cells in enumerate(zip(*table, strict=True)):
        if place in grid.labels or any(cell and cell.strip() for cell in cells):
            columns[grid.labels.get(place) or unique_names([*grid.labels.values(), f"column_{place + 1}"])[0][-1]] = cells
    if beyond is not None:
        columns[unique_names([*grid.labels.values(), MORE])[0][-1]] = beyond
    frame, read = from_text(list(columns), list(columns.values()), decimal_comma=decimal_comma)
    return frame, dropped, warnings + read


def _width(header: int, body: Sequence[Sequence[str]]) -> int:
    """The header decides how many columns there are, unless half of the rows or more are longer."""
    longer = Counter(len(row) for row in body if len(row) > header)
    return max(longer, key=lambda width: (longer[width], width)) if 2 * sum(longer.values()) >= len(body) else header


def _even(body: Sequence[Sequence[str]], width: int, warnings: list[Sentence]) -> tuple[list[Sequence[str]], list[str] | None]:
    """Every row at the same width, and what the long ones had beyond it (None where none had)."""
    short = long = 0
    even: list[Sequence[str]] = []
    beyond = [""] * len(body)
    for place, row in enumerate(body):
        if len(row) < width:
            short += 1
            row = [*row, *[""] * (width - len(row))]
        elif len(row) > width:
            rest = row[width:]
            if any(map(str.strip, rest)):
                long += 1
                beyond[place] = " | ".join(cell for cell in rest if cell.strip())
            row = row[:width]
        even.append(row)
    if short:
        warnings.append(Sentence("Rows with fewer cells than the others: {count}. What they lack counts as missing.", count=short))
    if long:
        warnings.append(Sentence("Rows with more cells than the others: {count}. The rest of them is in the last column.", count=long))
    return even, beyond if long else None
