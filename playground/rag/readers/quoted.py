"""The rows of a CSV file whose quotes may be wrong. Knows nothing of what the cells say."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from playground.rag.readers.told import MOST_CHARACTERS

STRAYS = 500  # quotes that nothing closes, after which no quote is believed any more


def rows(text: str, separator: str) -> Iterator[list[str]]:
    """The rows that are not empty, as lists of cells, each as soon as it is asked for.

    A quote that opens a cell which ends nowhere, or only lines later in the middle of another one, was no quote: its line is read as it
    stands, and what follows as if nothing had been. Within one line Python's tolerance for misplaced quotes is enough.
    """
    lines = [*text.split("\n"), ""]  # what runs on into this last one has no end
    # no line by itself is too long, so that only a quote that swallows many lines meets the limit
    csv.field_size_limit(max(MOST_CHARACTERS, max(map(len, lines)) + 1))
    at, strays = 0, 0
    while strays < STRAYS and at < len(lines):
        ahead = (f"{line}\n" for line in lines[at:])
        while True:
            reader, begun = csv.reader(ahead, delimiter=separator, strict=True), at
            try:
                for row in reader:
                    at = begun + reader.line_num
                    if row:
                        yield row
                return
            except csv.Error:
                if begun + reader.line_num > at + 1:
                    break
            yield next(csv.reader([lines[at]], delimiter=separator))
            at += 1
        yield lines[at].split(separator)
        at, strays = at + 1, strays + 1
    yield from (line.split(separator) for line in lines[at:] if line)
