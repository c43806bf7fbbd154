"""From rows of raw cells, as CSV files and worksheets have them, to a table: where the header is, and rows of unequal length.

Does not know how the rows were cut from the file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import polars as pl

from playground.data.table import ABOVE_HEADER, BLANK, COLUMNS, DATE, from_text, unique_names
from playground.errors import FileUnreadable, Sentence

LOOK = 200  # rows that decide whether the first one is a header
ABOVE = 20  # lines a title above the header may have
HEADER_CHARACTERS = 60
NUMBER = re.compile(r"\s*[-+]?[$€£R]{0,2}\s*\d[\d.,\s]*%?\s*")
DATES = re.compile(DATE)
YEAR = re.compile(r"(1[89]|20)\d\d")
USUAL_NAMES = frozenset(
    (
        *(
            "text",
            "texto",
            "label",
            "labels",
            "rótulo",
            "rotulo",
            "id",
            "name",
            "nome",
            "title",
            "título",
            "titulo",
            "question",
            "pergunta",
        ),
        *("answer", "resposta", "prompt", "completion", "response", "instruction", "instrução", "instrucao", "input", "output", "context"),
        *("contexto", "category", "categoria", "class", "classe", "sentence", "frase", "summary", "resumo", "date", "data", "message"),
        *("messages", "mensagem", "author", "autor", "tags", "score", "rating", "price", "preço", "description", "descrição", "url"),
    )
)


def from_grid(
    rows: Iterable[Sequence[str]], *, name: str, header: bool | None, decimal_comma: bool
) -> tuple[pl.DataFrame, bool, dict[str, int], list[Sentence]]:
    """Rows of cells, "" being an empty cell -> (frame, whether there was a header, dropped, warnings).

    With `header` None the first rows decide. Short rows are filled with missing cells; what a row has beyond the header goes to a column of
    its own. Lines with a single cell above the header of a wider table are dropped and counted.

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
    if header is not False and (above := _above_header(content)):
        content = content[above:]
        dropped[ABOVE_HEADER] = above
        warnings.append(Sentence("Lines above the header that were left out: {count}.", count=above))
    has_header = looks_like_header(content) if header is None else header
    names, body = (list(content[0]), content[1:]) if has_header else ([], content)
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
        labels = [*labels, unique_names([*labels, "more"])[0][-1]]
        columns.append(beyond)
    frame, read = from_text(labels, columns, decimal_comma=decimal_comma)
    return frame, has_header, dropped, warnings + read


def _filled(row: Sequence[str]) -> int:
    return sum(map(bool, map(str.strip, row)))


def _above_header(content: Sequence[Sequence[str]]) -> int:
    """How many title or comment lines stand above the header: lines with one cell, where the usual row has more."""
    if len(content) < 3 or Counter(map(_filled, content[:LOOK])).most_common(1)[0][0] < 2:
        return 0
    above = next((place for place, row in enumerate(content[: ABOVE + 1]) if _filled(row) > 1), 0)
    return above if above < len(content) - 1 else 0


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


def looks_like_header(content: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns. Each column has a vote; without evidence against it, it does."""
    first, body = content[0], content[1:LOOK]
    cells = [cell.strip() for cell in first]
    if all(NUMBER.fullmatch(cell) or not cell for cell in cells) and not _years_over_others(cells, body):
        return False
    columns = [[value for row in body if place < len(row) and (value := row[place].strip())] for place in range(len(cells))]
    if len(cells) == 1 and cells[0].casefold() not in USUAL_NAMES and not _names_lines(cells[0], columns[0]):
        return False
    again = any(
        cell in values and len(values) >= 3 for cell, values in zip(cells, columns, strict=True) if cell.casefold() not in USUAL_NAMES
    )
    return sum(map(_vote, cells, columns)) - again >= 0


def _names_lines(head: str, lines: list[str]) -> bool:
    """Whether a first line can be the name of a column of lines: few words, and no line like the others."""
    if all(NUMBER.fullmatch(line) or DATES.fullmatch(line) for line in lines):
        return not DATES.fullmatch(head)
    return (len(head.split()) <= 3 and len(head) * 2 <= max(map(len, lines), default=0)) or len(head.split()) == 1


def _years_over_others(cells: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    values = [value for row in body for value in row if value.strip()]
    return all(YEAR.fullmatch(cell) for cell in cells if cell) and bool(values) and not any(YEAR.fullmatch(value) for value in values)


def _vote(head: str, values: list[str]) -> float:
    """Above 0 where a first cell is unlike the values below it, below 0 where it is one of them."""
    if not head:
        return 0
    if head.casefold() in USUAL_NAMES:
        return 2
    if len(head) > HEADER_CHARACTERS:
        return -1
    is_number, is_date = bool(NUMBER.fullmatch(head)), bool(DATES.fullmatch(head))
    if not values:
        return 0
    numbers = sum(bool(NUMBER.fullmatch(value)) for value in values) / len(values)
    dates = sum(bool(DATES.fullmatch(value)) for value in values) / len(values)
    if max(numbers, dates) <= 0.8:
        return 0
    if is_number and YEAR.fullmatch(head) and not any(YEAR.fullmatch(value) for value in values):
        return 0
    return -1 if is_number or is_date else 1
