"""Large datasets: the same changes give the same rows as for small ones, with nothing whole in memory."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from playground.data import large, streams, versions
from playground.data.store import DatasetStore
from playground.errors import NotFound, SettingsError
from playground.settings import Settings
from playground.workspace import Workspace

ROWS = [
    ("question", "answer", "price", "note", "empty"),
    *[(f"What is item {n}?", f"It is  number {n}." if n != 10 else "#N/A", f"${n}.00", "x", "") for n in range(400)],
    *[("What is item 5?", "It is  number 5.", "$5.00", "x", "")] * 3,
    ("Who?", "", "$1.00", "x", ""),
    ("", "nobody", "$1.00", "x", ""),
    ("<b>Bold</b> &amp; more?", "Mail me@example.org", "$2.00", "x", ""),
]


def make_store(home: Path, settings: Settings) -> DatasetStore:
    return DatasetStore(Workspace(home), settings)


@pytest.fixture
def pair(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> tuple[DatasetStore, str, str]:
    """(store, a small dataset, the same one as a large one)."""
    path = tmp_path / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(ROWS)
    store = make_store(tmp_path / "home", settings)
    small = store.import_file("me", path)["dataset_id"]
    for module, name, value in ((streams, "LARGE", 1), (streams, "PIECE", 4096), (streams, "HEAD", 4096), (large, "ROWS", 50)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(large, "SAMPLE", 300)
    return store, small, store.import_file("me", path)["dataset_id"]


def rows_of(store: DatasetStore, dataset: str) -> list[list[object]]:
    return store.preview("me", dataset, 0, 1000)["rows"]


def is_large(store: DatasetStore, dataset: str) -> bool:
    return large.is_large(versions.table(*store._open("me", dataset)))


def test_a_large_dataset_reads_as_the_small_one(pair: tuple[DatasetStore, str, str]) -> None:
    store, small, big = pair
    assert is_large(store, big) and not is_large(store, small)
    assert rows_of(store, big) == rows_of(store, small)
    one, other = store.info("me", small), store.info("me", big)
    assert [{**column, "example": None} for column in other["columns"]] == [{**column, "example": None} for column in one["columns"]]
    assert store.preview("me", big, search="item 399")["numbers"] == [399]
    assert store.cell("me", big, 399, "question") == "What is item 399?"


IDS = [
    "duplicate_rows",
    "missing_answers:answer",
    "missing_prompts:question",
    "white_space:answer",
    "spreadsheet_errors:answer",
    "markup:question",
    "empty_column:empty",
]


@pytest.mark.parametrize("unused", [[], ["unused_columns"]])
def test_repairs_give_the_same_rows(pair: tuple[DatasetStore, str, str], unused: list[str]) -> None:
    store, small, big = pair
    mapping = {"columns": {"prompt": "question", "answer": "answer"}, "task": "instruction"}
    for dataset in (small, big):
        store.map("me", dataset, mapping)
    ids = [*IDS, "personal_email:answer", "constant_column:note", *unused]
    shown = store.fix("me", big, ids, keep=False)
    assert store.info("me", big)["version"] == 1 and not list(store._open("me", big)[0].glob(".*"))
    one, other = (store.fix("me", dataset, ids) for dataset in (small, big))
    for key in ("rows", "changed", "dropped", "dropped_columns"):
        assert other[key] == one[key] == shown[key], key
    assert sorted(other["dropped_columns"]) == ["empty", "note", *(["price"] if unused else [])]
    assert rows_of(store, big) == rows_of(store, small)
    assert is_large(store, big)
    ledger = store.info("me", big)
    assert ledger["read"] + ledger["added"] == ledger["rows"] + sum(ledger["dropped"].values())
    store.restore("me", big, 1)
    assert len(rows_of(store, big)) == len(ROWS) - 1


def test_what_compares_rows_is_not_offered(pair: tuple[DatasetStore, str, str]) -> None:
    store, _, big = pair
    findings = {one.id: one for one in store.check("me", big)}
    assert "406 rows" in findings["sampled"].message and findings["sampled"].fix is None
    assert findings["duplicate_rows"].rows == 3 and findings["duplicate_rows"].examples == (400, 401, 402)
    assert findings["missing_answers:answer"].rows == 1 and findings["empty_column:empty"].rows == 406
    assert all(one.fix is None for one in findings.values() if one.kind in ("near_duplicates", "conflicting_answers", "leakage"))
    with pytest.raises(NotFound):
        store.fix("me", big, ["near_duplicates:question"])


def test_edits_give_the_same_rows(pair: tuple[DatasetStore, str, str]) -> None:
    store, small, big = pair
    change = {
        "cells": [{"row": 3, "column": "answer", "value": "new"}, {"row": 300, "column": "answer", "value": None}],
        "add": [{"question": "More?"}],
        "delete": [0, 200, 405],
        "drop_columns": ["note"],
    }
    one, other = (store.edit("me", dataset, **change) for dataset in (small, big))
    assert {**other, "dataset_id": small} == one and one["rows"] == 404
    assert rows_of(store, big) == rows_of(store, small)
    for wrong in ({"delete": [404]}, {"cells": [{"row": 1, "column": "absent", "value": "x"}]}, {"drop_columns": "question"}):
        with pytest.raises(SettingsError):
            store.edit("me", big, **wrong)
    assert store.info("me", big)["version"] == 2


def test_mapping_learns_from_rows_drawn_by_chance_and_says_so(pair: tuple[DatasetStore, str, str]) -> None:
    store, _, big = pair
    mapped = store.map("me", big)
    assert any("300 of them, drawn by chance" in warning for warning in mapped.warnings)
    assert 250 <= sum(mapped.rows.values()) <= 300
    assert store.splits("me", big).train == mapped.conversations.train


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_a_large_dataset_can_be_taken_away(pair: tuple[DatasetStore, str, str], format: str, tmp_path: Path) -> None:
    store, small, big = pair
    one, other = (store.download("me", dataset, format, tmp_path / dataset) for dataset in (small, big) if not (tmp_path / dataset).mkdir())
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}[format]
    assert read(one).equals(read(other))


def test_a_table_with_nothing_left_stays_as_it_was(pair: tuple[DatasetStore, str, str], tmp_path: Path) -> None:
    store, _, _ = pair
    path = tmp_path / "same.csv"
    path.write_text("question,answer\n" + ",only answers here\nonly questions here?,\n" * 250, "utf-8")
    dataset = store.import_file("me", path)["dataset_id"]
    with pytest.raises(SettingsError, match="Nothing would be left"):
        store.fix("me", dataset, ["missing_prompts:question", "missing_answers:answer"])
    assert store.info("me", dataset)["rows"] == 500 and store.info("me", dataset)["version"] == 1


def test_the_file_can_be_read_again_differently(pair: tuple[DatasetStore, str, str]) -> None:
    store, _, big = pair
    info = store.read_again("me", big, {"header": False})
    assert info["rows"] == len(ROWS) and info["columns"][0]["name"] == "column_1" and is_large(store, big)
