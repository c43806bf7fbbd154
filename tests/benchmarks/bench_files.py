"""Every real table among the shared data: read right, read with a warning, or refused with a reason.

python -m tests.benchmarks.bench_files DATA
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

from playground.data.formats import read_table
from playground.errors import PlaygroundError
from tests.benchmarks.report import write

SHOWN = 110  # characters of what was said


def outcome(path: Path, name: str) -> list[str]:
    """[file, what became of it, rows x columns, milliseconds, the first thing that was said]."""
    began = time.perf_counter()
    try:
        table = read_table(path, path.name)
        said, size = (str(table.warnings[0]) if table.warnings else ""), f"{table.frame.height:,} x {table.frame.width}"
        became = "warning" if table.warnings else "right"
    except PlaygroundError as error:
        said, size, became = str(error), "", "refused"
    taken = f"{1000 * (time.perf_counter() - began):.0f}"
    return [plain(name), became, size, taken, plain(said)]


def plain(text: str) -> str:
    """Text for one cell of a table in Markdown."""
    one_line = " ".join("".join(c if c.isprintable() else " " for c in text).replace("|", "¦").split())
    return one_line if len(one_line) <= SHOWN else one_line[: SHOWN - 1] + "…"


def main() -> None:
    folder = Path(sys.argv[1]) / "tables"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rows = [outcome(path, path.relative_to(folder).as_posix()) for path in files]
    counts = Counter(row[1] for row in rows)
    text = ", ".join(f"{count} {became}" for became, count in counts.most_common())
    slowest = max(rows, key=lambda row: float(row[3]))
    write("Files", f"{len(rows)} real files: {text}. The slowest took {slowest[3]} ms.", ["file", "", "rows x columns", "ms", "said"], rows)


if __name__ == "__main__":
    main()
