"""Versions of a dataset: changes add up, can be taken back, and never leave half a version."""

import json
import threading
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.data import versions
from playground.data.editing import edit
from playground.data.export import export, spreadsheet_safe
from playground.data.store import DatasetStore
from playground.errors import FileUnreadable, NotFound, SettingsError, StorageFull
from playground.settings import Settings
from playground.workspace import Workspace

CSV = "text,label,count\n" + "".join(f"message {number},{('ham', 'spam')[number % 2]},{number}\n" for number in range(30))


@pytest.fixture
def store(workspace: Workspace, settings: Settings) -> DatasetStore:
    return DatasetStore(workspace, settings)


@pytest.fixture
def dataset(store: DatasetStore, tmp_path: Path) -> str:
    path = tmp_path / "mail.csv"
    path.write_text(CSV)
    return store.import_file("me", path)["dataset_id"]


def adds_up(info: dict) -> bool:
    return info["read"] + info["added"] == info["rows"] + sum(info["dropped"].values())


def test_an_edit_is_a_version_and_can_be_taken_back(store: DatasetStore, dataset: str) -> None:
    done = store.edit(
        "me", dataset, cells=[{"row": 1, "column": "label", "value": "ham"}], add=[{"text": "new", "count": "7"}], delete=[0, 5]
    )
    assert done == {
        "dataset_id": dataset,
        "version": 2,
        "rows": 29,
        "changed": 1,
        "added": 1,
        "dropped": {"taken out by hand": 2},
        "dropped_columns": [],
    }
    info = store.info("me", dataset)
    assert adds_up(info) and (info["read"], info["added"], info["rows"]) == (30, 1, 29)
    page = store.preview("me", dataset, 0, 100)
    assert page["rows"][0] == ["message 1", "ham", 1] and page["rows"][-1] == ["new", None, 7]
    store.restore("me", dataset, 1)
    info = store.info("me", dataset)
    assert (info["version"], info["rows"], info["dropped"]) == (1, 30, {})
    assert store.preview("me", dataset, 0, 1)["rows"] == [["message 0", "ham", 0]]
    assert store.edit("me", dataset, delete=[3])["version"] == 3, "a new version after going back does not overwrite the one left"
    assert [(one["version"], one["parent"]) for one in store.info("me", dataset)["versions"]] == [(1, None), (2, 1), (3, 1)]


def test_an_edit_that_changes_nothing_is_no_version(store: DatasetStore, dataset: str) -> None:
    assert store.edit("me", dataset, cells=[{"row": 0, "column": "label", "value": "ham"}])["version"] == 1
    assert len(store.info("me", dataset)["versions"]) == 1


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"cells": [{"row": 99, "column": "text", "value": ""}]}, "0 to 29"),
        ({"cells": [{"row": 0, "column": "txet", "value": ""}]}, "no column txet"),
        ({"cells": [{"row": 0, "column": "count", "value": "many"}]}, "count holds numbers"),
        ({"cells": [{"row": 0, "column": "count", "value": "1_0"}]}, "count holds numbers"),
        ({"cells": [{"row": True, "column": "count", "value": "1"}]}, "0 to 29"),
        ({"cells": ["all"]}, "need row, column and value"),
        ({"delete": list(range(30))}, "one row has to stay"),
        ({"delete": [-1]}, "0 to 29"),
        ({"add": [{}] * 2000}, "at most 1,000"),
    ],
)
def test_an_impossible_edit_says_so_and_changes_nothing(store: DatasetStore, dataset: str, wish: dict, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        store.edit("me", dataset, **wish)
    assert store.info("me", dataset)["version"] == 1


def test_one_dataset_is_changed_while_another_is_being_mended(store: DatasetStore, dataset: str, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text(CSV)
    with store._changing("me", dataset):
        done = threading.Thread(target=lambda: store.edit("me", store.import_file("me", path)["dataset_id"], delete=[0]), daemon=True)
        done.start()
        done.join(20)
        assert not done.is_alive()
    assert [one["rows"] for one in store.list("me")] == [29, 30]


def test_a_stranger_neither_edits_nor_restores(store: DatasetStore, dataset: str) -> None:
    for attempt in (
        lambda: store.edit("you", dataset, delete=[0]),
        lambda: store.restore("you", dataset, 1),
        lambda: store.download("you", dataset, "csv", Path()),
        lambda: store.cell("you", dataset, 0, "text"),
        lambda: store.read_again("you", dataset, {}),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_a_full_disk_leaves_the_version_that_was(store: DatasetStore, dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageFull("The disk is full.")

    monkeypatch.setattr(versions, "write_bytes", full)
    with pytest.raises(StorageFull):
        store.edit("me", dataset, delete=[0])
    assert (store.info("me", dataset)["version"], store.preview("me", dataset)["total"]) == (1, 30)


def test_the_oldest_versions_go_but_never_the_first(store: DatasetStore, dataset: str) -> None:
    for number in range(versions.KEPT + 5):
        store.edit("me", dataset, cells=[{"row": 0, "column": "text", "value": f"say {number}"}])
    info = store.info("me", dataset)
    kept = [one["version"] for one in info["versions"] if one["kept"]]
    assert kept[0] == 1 and len(kept) <= versions.KEPT + 2 and info["version"] == versions.KEPT + 6
    with pytest.raises(NotFound, match="Version 3"):
        store.restore("me", dataset, 3)
    assert adds_up(info)


def test_a_file_is_read_again_with_other_options(store: DatasetStore, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes("nome;preço\ncafé;1,5\npão;2\n".encode("latin-1"))
    dataset = store.import_file("me", path, options={"encoding": "cp850"})["dataset_id"]
    assert store.preview("me", dataset)["rows"][0][0] != "café"
    store.map("me", dataset, {"columns": {"prompt": "nome", "answer": store.info("me", dataset)["columns"][1]["name"]}})
    info = store.read_again("me", dataset, {"encoding": "latin-1"})
    assert store.preview("me", dataset)["rows"][0] == ["café", 1.5]
    assert (info["read_as"]["encoding"], info["mapping"], info["version"]) == ("iso-8859-1", None, 2) and adds_up(info)
    with pytest.raises(SettingsError):
        store.read_again("me", dataset, {"encoding": "klingon"})
    store.restore("me", dataset, 1)
    assert store.info("me", dataset)["read_as"]["encoding"] == "cp850", "how it was read goes back with the version"


def test_another_header_choice_keeps_what_is_wrong_from_being_saved(store: DatasetStore, dataset: str) -> None:
    with pytest.raises((FileUnreadable, SettingsError)):
        store.read_again("me", dataset, {"format": "json"})
    assert store.info("me", dataset)["version"] == 1


def test_rows_are_found_by_any_cell(store: DatasetStore, dataset: str) -> None:
    found = store.preview("me", dataset, search="MESSAGE 2")
    assert found["numbers"] == [2, *range(20, 30)] and found["total"] == 11
    assert store.preview("me", dataset, 10, 5, search="message 2")["rows"] == [["message 29", "spam", 29]]
    assert store.preview("me", dataset, search="29")["total"] == 1
    assert store.preview("me", dataset, search="(.*")["total"] == 0
    columns = [one["name"] for one in store.info("me", dataset)["columns"]]
    found = [store.preview("me", dataset, search="29", column=name)["total"] for name in columns]
    assert max(found) == 1 and min(found) == 0, "in some columns, and not in the others"
    with pytest.raises(SettingsError, match="no column"):
        store.preview("me", dataset, search="29", column="absent")
    assert store.preview("me", dataset, only=[4, 2], limit=1)["numbers"] == [2]


def test_columns_can_be_taken_out(store: DatasetStore, dataset: str) -> None:
    names = [column["name"] for column in store.info("me", dataset)["columns"]]
    store.map("me", dataset)
    done = store.edit("me", dataset, drop_columns=[names[0]])
    assert done["dropped_columns"] == [names[0]] and store.preview("me", dataset)["columns"] == names[1:]
    assert store.info("me", dataset)["versions"][-1]["dropped_columns"] == [names[0]]
    assert store.info("me", dataset)["mapping"] is None, "it taught a column that is gone"
    with pytest.raises(SettingsError, match="at least one column has to stay"):
        store.edit("me", dataset, drop_columns=names[1:])
    with pytest.raises(SettingsError, match="no column"):
        store.edit("me", dataset, drop_columns=["absent"])
    store.restore("me", dataset, 1)
    assert store.preview("me", dataset)["columns"] == names


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_what_is_taken_away_can_be_brought_back(store: DatasetStore, dataset: str, format: str, tmp_path: Path) -> None:
    path = store.download("me", dataset, format, tmp_path)
    assert path == tmp_path / f"mail.{format}"
    again = store.import_file("me", path)["dataset_id"]
    assert store.preview("me", again, 0, 100)["rows"] == store.preview("me", dataset, 0, 100)["rows"]
    with pytest.raises(SettingsError):
        store.download("me", dataset, "../x", tmp_path)


def test_formulas_leave_as_text(tmp_path: Path) -> None:
    frame = pl.DataFrame({"=a": ["=HYPERLINK(1)", "+1", "-5", "-cmd|x", "@sum", "plain", None], "n": [1, -2, 3, 4, 5, 6, 7]})
    safe = spreadsheet_safe(frame.lazy()).collect()
    assert safe["'=a"].to_list() == ["'=HYPERLINK(1)", "'+1", "-5", "'-cmd|x", "'@sum", "plain", None]
    assert safe["n"].to_list() == frame["n"].to_list()
    frame.write_parquet(tmp_path / "table.parquet")
    assert export(tmp_path / "table.parquet", tmp_path / "x.csv", "csv").read_bytes().startswith(b"\xef\xbb\xbf'=a,n\n'=HYPERLINK")


CELLS = st.one_of(st.none(), st.text(max_size=6))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    table=st.lists(st.tuples(CELLS, CELLS), min_size=2, max_size=12),
    changes=st.lists(st.tuples(st.integers(0, 11), st.sampled_from("ab"), CELLS), max_size=6),
    more=st.lists(st.fixed_dictionaries({"a": CELLS}), max_size=3),
    gone=st.sets(st.integers(0, 11), max_size=4),
)
def test_editing_does_what_a_list_of_rows_would(table: list, changes: list, more: list, gone: set) -> None:
    def kept(value: str | None) -> str | None:
        # Python takes four separators for blanks (U+001C to U+001F) that Unicode, and so the tables, do not
        return value if value and any(one in "\x1c\x1d\x1e\x1f" or not one.isspace() for one in value) else None

    changes = [change for change in changes if change[0] < len(table)]
    gone = {row for row in gone if row < len(table)}
    if len(gone) >= len(table) + len(more):
        return
    frame = pl.DataFrame({"a": [row[0] for row in table], "b": [row[1] for row in table]}, schema={"a": pl.String, "b": pl.String})
    cells = [{"row": row, "column": column, "value": value} for row, column, value in changes]
    rows = [{"a": a, "b": b} for a, b in table]
    for row, column, value in changes:
        rows[row][column] = kept(value)
    rows += [{"a": kept(row["a"]), "b": None} for row in more]
    done = edit(frame, cells, more, sorted(gone))
    assert done.frame.rows(named=True) == [row for number, row in enumerate(rows) if number not in gone]
    assert frame.height + done.added == done.frame.height + done.deleted


def test_a_manifest_from_before_there_were_versions_still_opens(store: DatasetStore, dataset: str) -> None:
    path = store.workspace.home / "datasets" / dataset / "manifest.json"
    about = json.loads(path.read_text())
    del about["version"], about["versions"]
    path.write_text(json.dumps(about))
    assert store.info("me", dataset)["version"] == 1
    assert store.edit("me", dataset, delete=[0])["version"] == 2
    assert adds_up(store.info("me", dataset))


def test_the_table_counts_what_it_lost_on_every_way(store: DatasetStore, dataset: str) -> None:
    store.edit("me", dataset, delete=[0])
    store.edit("me", dataset, delete=[0, 1], add=[{}])
    store.restore("me", dataset, 2)
    store.edit("me", dataset, delete=[4])
    info = store.info("me", dataset)
    assert (info["rows"], info["dropped"], info["added"]) == (28, {"taken out by hand": 2}, 0) and adds_up(info)
