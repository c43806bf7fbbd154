"""What stands above the rows of a table: titles, the names of the columns, and names in two rows.

Knows rows of raw cells; does not know where they were cut from, or what becomes of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from playground.data.table import DATE

LOOK = 200  # rows that decide whether the first one is a header
ABOVE = 20  # lines a title above the header may have
HEADER_CHARACTERS = 60
HEADER_ROWS = 3  # the most rows that name the columns together
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


def _filled(row: Sequence[str]) -> int:
    return sum(map(bool, map(str.strip, row)))


def above_header(content: Sequence[Sequence[str]]) -> int:
    """How many title or comment lines stand above the header: lines with one cell, where the usual row has more."""
    if len(content) < 3 or Counter(map(_filled, content[:LOOK])).most_common(1)[0][0] < 2:
        return 0
    above = next((place for place, row in enumerate(content[: ABOVE + 1]) if _filled(row) > 1), 0)
    if above and _is_group(content[above - 1], content[above : above + HEADER_ROWS - 1]) and header_rows(content[above - 1 :]) > 1:
        above -= 1
    return above if above < len(content) - 1 else 0


def header_rows(content: Sequence[Sequence[str]]) -> int:
    """How many rows name the columns together: more than one where names above stand over several columns each.

    Only where there is evidence that the lower row is no data: it has words over columns of numbers or dates.
    """
    for depth in range(min(HEADER_ROWS, len(content) - 1), 1, -1):
        head, body = content[:depth], content[depth : depth + LOOK]
        if _filled(head[0]) == 1 and not _is_group(head[0], head[1:]):
            continue  # a title
        if all(_has_gaps(row, below) for row, below in pairwise(head)) and _is_last_of_header(head, body):
            return depth
    return 1


def joined_names(head: Sequence[Sequence[str]]) -> list[str]:
    """One name for each column, from top to bottom; a name that stands over several columns counts for all of them."""
    width = max(map(len, head))
    rows = [[*(cell.strip() for cell in row), *[""] * (width - len(row))] for row in head]
    for number, row in enumerate(rows[:-1]):
        below = [any(lower[place] for lower in rows[number + 1 :]) for place in range(width)]
        for place in range(1, width):
            if not row[place] and row[place - 1] and below[place] and below[place - 1]:
                row[place] = row[place - 1]
    return [" ".join(dict.fromkeys(row[place] for row in rows if row[place])) for place in range(width)]


def _has_gaps(row: Sequence[str], below: Sequence[str]) -> bool:
    """Whether a row can stand above another one of a header: it lacks, or repeats, what the lower one tells apart."""
    cells = [*map(str.strip, row), *[""] * (len(below) - len(row))]
    if not any(cells):
        return False
    empty = any(not cell and place < len(below) and below[place].strip() for place, cell in enumerate(cells))
    return empty or any(one and one == other for one, other in pairwise(cells))


def _is_group(row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a single cell stands over a part of the columns and not, as a title does, over the first."""
    place = next((place for place, cell in enumerate(row) if cell.strip()), 0)
    return any(cell.strip() for lower in below for cell in lower[:place])


def _is_last_of_header(head: Sequence[Sequence[str]], body: Sequence[Sequence[str]]) -> bool:
    last = [cell.strip() for cell in head[-1]]
    cells = [cell.strip() for row in head for cell in row if cell.strip()]
    if _filled(last) < 2 or any((NUMBER.fullmatch(cell) and not YEAR.fullmatch(cell)) or DATES.fullmatch(cell) for cell in cells):
        return False
    columns = [[value for row in body if place < len(row) and (value := row[place].strip())] for place in range(len(last))]
    return any(cell and _are_numbers(values) and not YEAR.fullmatch(cell) for cell, values in zip(last, columns, strict=True)) or (
        all(YEAR.fullmatch(cell) for cell in last if cell) and _years_over_others(last, body) and any(map(_are_numbers, columns))
    )


def _are_numbers(values: Sequence[str]) -> bool:
    return sum(bool(NUMBER.fullmatch(value) or DATES.fullmatch(value)) for value in values) > 0.8 * len(values)
