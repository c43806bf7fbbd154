"""A catalogue of 2.2 million products, as raw JSON lines, becomes a clean table of titles and contents in little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.benchmarks import amazon_titles
from tests.benchmarks.bench_tables import PROJECT

MEGABYTES = 1_500


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_the_catalogue_is_cleaned_as_a_plain_reading_of_it_says(tmp_path: Path) -> None:
    source = tmp_path / "catalogue.json"
    amazon_titles.write(source)
    pairs = set()
    with source.open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            if record["title"] and record["content"]:
                pairs.add(hash((record["title"], record["content"])))
    command = [sys.executable, "-m", "tests.benchmarks.bench_tables", "--one", "the_playground", str(source), str(tmp_path)]
    told = json.loads(subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    print(told)
    assert told["rows"] == len(pairs) and told["megabytes"] < MEGABYTES
    clean = pl.scan_parquet(next(tmp_path.glob("catalogue*.parquet")))
    assert clean.collect_schema().names() == ["title", "content"]
    assert clean.select(pl.all().null_count().sum(), rows=pl.len()).collect().row(0) == (0, 0, len(pairs))
