"""Large tables: 2.2 million JSON lines to clean Parquet beside pandas, a page of a million rows, a CSV of 20 MB to its first page.

python -m tests.benchmarks.bench_tables [records] [repeats]

Each side runs in a process of its own, in turns; memory is the largest resident set of that process.
"""

from __future__ import annotations

import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import amazon_titles
from tests.benchmarks.report import spread, write

PROJECT = Path(__file__).resolve().parents[2]
CLEAN = ["unused_columns", "missing_prompts:title", "missing_answers:content", "duplicate_rows"]
PROMISED = "Promised: 5 times as fast as pandas or more, under 1,500 MB; a page in 100 ms; 20 MB of CSV in 2 s."


def the_playground(source: Path, out: Path) -> int:
    """Title and content of every record that has both, each pair once, as Parquet; gives the rows."""
    store = make_store(out)
    dataset = store.import_file("me", source)["dataset_id"]
    store.map("me", dataset, {"task": "instruction", "columns": {"prompt": "title", "answer": "content"}})
    rows = store.fix("me", dataset, CLEAN)["rows"]
    store.download("me", dataset, "parquet", out)
    return rows


def pandas(source: Path, out: Path) -> int:
    """The same as most tutorials write it."""
    import pandas

    frame = pandas.read_json(source, lines=True)[["title", "content"]]
    frame = frame.replace("", None).dropna().drop_duplicates()
    frame.to_parquet(out / "clean.parquet")
    return len(frame)


def make_store(home: Path) -> Any:
    from playground.data.store import DatasetStore
    from playground.settings import Settings
    from playground.workspace import Workspace

    return DatasetStore(Workspace(home / "home"), Settings(home=home / "home"))


def pages(folder: Path, rows: int = 1_000_000) -> list[float]:
    """Milliseconds of pages of a million rows, at its beginning, its end and by chance between."""
    source = folder / "million.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["question", "answer", "number"])
        table.writerows((f"What is the number {n}?", f"It is {n}, and {n} is a number like any other.", n) for n in range(rows))
    store = make_store(folder)
    dataset = store.import_file("me", source)["dataset_id"]
    rng = random.Random(1)
    taken = []
    for offset in [0, rows - 20, *(rng.randrange(rows - 20) for _ in range(30))]:
        began = time.perf_counter()
        page = store.preview("me", dataset, offset, 20)
        taken.append(1000 * (time.perf_counter() - began))
        assert page["numbers"][0] == offset and len(page["rows"]) == 20
    return taken[1:]  # the first one opens the file


def upload(folder: Path, number: int) -> float:
    """Seconds from a CSV of 20 MB, with everything of a spreadsheet in it, to its first page."""
    source = folder / f"sheet{number}.csv"
    rng = random.Random(number)
    with source.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter=";")
        table.writerow(["Pergunta", "Resposta", "Preço", "Data", "Categoria"])
        while file.tell() < 20 * 1024**2:
            table.writerows(
                (f"Qual é a opção {rng.random()}?", f'Não; "nunca" {rng.random()}\nou depois', f"{rng.random():.2f}".replace(".", ","),
                 "2024-03-01", rng.choice("ABC"))
                for _ in range(1_000)
            )  # fmt: skip
    store = make_store(folder)
    began = time.perf_counter()
    dataset = store.import_file("me", source)["dataset_id"]
    store.preview("me", dataset, 0, 20)
    return time.perf_counter() - began


def measured(name: str, source: Path) -> dict[str, float]:
    """Seconds, megabytes and rows of one side, in a process of its own."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "tests.benchmarks.bench_tables", "--one", name, str(source), out]
        return json.loads(subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def one(name: str, source: str, out: str) -> None:
    began = time.perf_counter()
    rows = {"the_playground": the_playground, "pandas": pandas}[name](Path(source), Path(out))
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "rows": rows}))


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        return one(*sys.argv[2:5])
    records = int(sys.argv[1]) if len(sys.argv) > 1 else amazon_titles.RECORDS
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "catalogue.json"
        size = amazon_titles.write(source, records)
        told = [(measured("the_playground", source), measured("pandas", source)) for _ in range(repeats)]
        ours, theirs = zip(*told, strict=True)
        assert {side["rows"] for side in (*ours, *theirs)} == {ours[0]["rows"]}, (ours, theirs)
        source.unlink()
        page = pages(Path(folder))
        sheets = [upload(Path(folder), number) for number in range(repeats)]
    ratio = [b["seconds"] / a["seconds"] for a, b in told]
    rows = [
        [
            f"{records:,} JSON lines, {size / 1e6:,.0f} MB, to clean Parquet: seconds",
            spread([side["seconds"] for side in ours]),
            spread([side["seconds"] for side in theirs]),
            spread(ratio),
        ],
        ["the same: peak memory, MB", spread([side["megabytes"] for side in ours]), spread([side["megabytes"] for side in theirs]), ""],
        ["a page of 1,000,000 rows: milliseconds", spread(page), "", ""],
        ["a CSV of 20 MB to its first page: seconds", spread(sheets), "", ""],
    ]
    write("Large tables", f"{repeats} repeats in turns. {PROMISED}", ["", "the playground", "pandas", "ratio"], rows)


if __name__ == "__main__":
    main()
