"""Every real file, whole and broken off at random places: a table or a sentence, quickly, in little memory, and nothing else.

The reading is done in a process of its own, which may have a gigabyte and no more.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SECONDS = 10
MEMORY = 1024**3
CUTS = 10
SEED = 20_240_501
AT_ONCE = 30  # files for one process
LINES = ("csv", "tsv", "jsonl")


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_whole_and_broken_files(shared_data: Path) -> None:
    files = [str(path) for path in sorted((shared_data / "tables").rglob("*")) if path.is_file()]
    assert len(files) > 300
    reports: list[dict[str, Any]] = []
    for start in range(0, len(files), AT_ONCE):
        some = files[start : start + AT_ONCE]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), "POLARS_MAX_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run([sys.executable, __file__, *some], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (some, done.stderr[-2_000:])
        reports += json.loads(done.stdout)
    outcomes = Counter((report["part"], report["outcome"]) for report in reports)
    print(dict(outcomes), "most MB", max(report["megabytes"] for report in reports), "most s", max(report["seconds"] for report in reports))
    assert [report for report in reports if report["outcome"] in ("failed", "other rows")] == []
    assert [report for report in reports if report["seconds"] > SECONDS] == []


def child(files: list[str]) -> list[dict[str, Any]]:
    from playground.data.formats import read_table
    from playground.errors import PlaygroundError

    read_table(PROJECT / "assets" / "samples" / "harbour_cafe.csv", "warm.csv")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            content = Path(file).read_bytes()
            numbers = random.Random(f"{SEED} {Path(file).name} {len(content)}")
            whole = None
            for cut in [len(content), *sorted(numbers.sample(range(len(content)), min(CUTS, len(content))))]:
                path = Path(folder) / "upload"
                path.write_bytes(content[:cut])
                start = time.perf_counter()
                sentence, table = "", None
                try:
                    table = read_table(path, Path(file).name)
                    outcome = "warned" if table.warnings else "right"
                except PlaygroundError as error:
                    sentence = str(error)
                    named = Path(file).name in sentence and sentence[-1] in ".!"
                    outcome = "refused" if named else "failed"
                except BaseException as error:  # whatever it is, it must not reach a person
                    outcome, sentence = "failed", repr(error)[:500]
                seconds = time.perf_counter() - start
                if cut == len(content):
                    whole = table
                elif whole and whole.read_as["format"] in LINES and outcome != "failed":
                    differing = _differing(path, Path(file).name, whole)
                    outcome, sentence = ("other rows", differing) if differing else (outcome, sentence)
                reports.append(
                    {
                        "file": file,
                        "part": "whole" if cut == len(content) else "broken",
                        "cut": cut,
                        "outcome": outcome,
                        "sentence": sentence,
                        "seconds": round(seconds, 3),
                        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                    }
                )
    return reports


def _differing(path: Path, name: str, whole: Any) -> str:
    """The first row, but for the last, that is not the row of the whole file when both are read in the same way; "" where there is none."""
    from playground.data.formats import read_table
    from playground.errors import PlaygroundError

    same = {key: whole.read_as[key] for key in ("format", "encoding", "delimiter", "header") if whole.read_as[key] is not None}
    try:
        part = read_table(path, name, {**same, "chat_format": "none"})
    except PlaygroundError:
        return ""  # a sentence is an answer too
    if part.dropped.get("above the header") != whole.dropped.get("above the header"):
        return ""  # what is a title shows only in the rows below it
    if part.frame.columns[:1] != whole.frame.columns[:1]:
        return ""  # it ends inside the header
    for number, (one, other) in enumerate(zip(_rows(part)[:-1], _rows(whole), strict=False)):
        if one != other:
            return f"row {number}: {one} is not {other}"[:500]
    return ""


def _rows(table: Any) -> list[list[str]]:
    """Rows as what is in their cells, whatever type a column has and whichever columns are blank."""
    from playground.data.table import NOT_AVAILABLE, written

    rows = zip(*(written(column).to_list() for column in table.frame.iter_columns()), strict=True)
    cells = [[str(cell).strip() for cell in row if cell is not None] for row in rows]
    return [[cell.replace(",", ".") for cell in row if cell and cell.lower() not in NOT_AVAILABLE] for row in cells]


if __name__ == "__main__":
    print(json.dumps(child(sys.argv[1:])))
