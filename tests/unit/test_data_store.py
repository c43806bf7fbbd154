"""Datasets on disk: what is kept, for whom, under which name, and what is left when something fails."""

import errno
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from playground import workspace as workspace_module
from playground.data import folder, versions
from playground.data import store as store_module
from playground.data.store import NAME_CHARACTERS, DatasetStore, clean_name
from playground.errors import FileUnreadable, MappingError, NotFound, Sentence, SettingsError, StorageFull
from playground.settings import Settings
from playground.workspace import Workspace

CSV = "text,label\n" + "".join(f"message number {number},{('ham', 'spam')[number % 2]}\n" for number in range(40))


@pytest.fixture
def store(workspace: Workspace, settings: Settings, tmp_path: Path) -> DatasetStore:
    samples = tmp_path / "assets" / "samples"
    samples.mkdir(parents=True)
    (samples / "moods.csv").write_text("text,label\n" + "".join(f"I am {number},{number % 2}\n" for number in range(20)))
    (samples / "tale.pdf").write_bytes(b"%PDF-1.7")
    mapping = {"task": "classification", "columns": {"prompt": "text", "answer": "label"}, "label_names": {"0": "sad", "1": "glad"}}
    listed = [
        {
            "name": "Moods",
            "kind": "table",
            "file": "moods.csv",
            "description": "Short texts.",
            "mapping": mapping,
            "example_prompts": ["I am"],
        },
        {"name": "Tale", "kind": "document", "file": "tale.pdf", "description": "A tale."},
    ]
    (samples / "samples.json").write_text(json.dumps(listed))
    return DatasetStore(workspace, replace(settings, assets=tmp_path / "assets"))


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload.csv"
    path.write_text(CSV)
    return path


def left_on_disk(store: DatasetStore) -> list[Path]:
    return list((store.workspace.home / "datasets").iterdir())


def test_an_import_reports_and_stays(store: DatasetStore, upload: Path, workspace: Workspace, settings: Settings) -> None:
    report = store.import_file("me", upload, "mail.csv")
    assert report["name"] == "mail.csv"
    assert report["rows"] == 40
    assert report["columns"] == [
        {"name": "text", "type": "text", "missing": 0, "unique": 40, "example": "message number 0"},
        {"name": "label", "type": "text", "missing": 0, "unique": 2, "example": "ham"},
    ]
    assert report["read_as"] == {"format": "csv", "encoding": "utf-8", "delimiter": ",", "header": True, "sheet": None, "chat_format": None}
    assert (report["dropped"], report["warnings"], report["mapping"]) == ({}, [], None)
    json.dumps(report)
    upload.unlink()
    again = DatasetStore(workspace, settings)  # as after a restart
    assert again.info("me", report["dataset_id"]) == report
    assert [(entry["dataset_id"], entry["rows"], entry["columns"], entry["mapped"]) for entry in again.list("me")] == [
        (report["dataset_id"], 40, 2, False)
    ]
    folder = workspace.find("datasets", report["dataset_id"], "me")
    assert (folder / "source.csv").read_text() == CSV
    assert {file.name for file in folder.iterdir()} == {"source.csv", "table.parquet", "manifest.json", "history.jsonl"}


def test_warnings_come_back_as_sentences(store: DatasetStore, upload: Path) -> None:
    upload.write_text("text\none {brace}\ntwo\n")
    report = store.import_file("me", upload)
    assert isinstance(report["warnings"][0], Sentence)
    assert report["warnings"][0].values == {"column": "text"}


def test_types_of_columns(store: DatasetStore, upload: Path) -> None:
    upload.write_text('a,b,c,d,e,f\n1,2024-01-31,yes,"[1, 2]",,x\n2,2024-02-01,no,[],,\n')
    columns = {column["name"]: column for column in store.import_file("me", upload)["columns"]}
    assert [columns[name]["type"] for name in "abcdef"] == ["number", "date", "true-false", "list", "empty", "text"]
    assert (columns["f"]["missing"], columns["f"]["unique"], columns["e"]["missing"]) == (1, 1, 2)
    assert (columns["a"]["example"], columns["e"]["example"]) == (1, None)


def test_the_same_name_twice_gives_two_datasets(store: DatasetStore, upload: Path) -> None:
    reports = [store.import_file("me", upload, "mail.csv") for _ in range(3)]
    assert [report["name"] for report in reports] == ["mail.csv", "mail.csv (2)", "mail.csv (3)"]
    assert len({report["dataset_id"] for report in reports}) == 3
    assert store.import_file("you", upload, "mail.csv")["name"] == "mail.csv"


def test_the_same_name_at_the_same_time(store: DatasetStore, upload: Path) -> None:
    threads = [threading.Thread(target=store.import_file, args=("me", upload, "mail.csv")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({entry["name"] for entry in store.list("me")}) == 6


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("../../x.csv", "x.csv"),
        ("..\\..\\x.csv", "x.csv"),
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\ana\\preços de março.csv", "preços de março.csv"),
        ("with spaces  and\nbreaks\x00.csv", "with spaces and breaks .csv"),
        ("..", "dataset"),
        ("", "upload.csv"),
        ("x" * 300 + ".csv", "x" * NAME_CHARACTERS),
        ("{name} {0}.csv", "{name} {0}.csv"),
    ],
)
def test_names_are_shown_and_never_used_as_paths(store: DatasetStore, upload: Path, given_name: str, shown: str) -> None:
    report = store.import_file("me", upload, given_name)
    assert report["name"] == shown
    assert {path.parent for path in left_on_disk(store)} == {store.workspace.home / "datasets"}
    assert {file.name for file in store.workspace.find("datasets", report["dataset_id"], "me").iterdir()} >= {"source.csv", "table.parquet"}
    upload.write_bytes(b"\x89PNG")
    with pytest.raises(FileUnreadable):  # the name goes into the sentence as it is, whatever braces are in it
        store.import_file("me", upload, given_name)


@given(st.text(max_size=300))
@example(" A:")
def test_any_name_becomes_one_that_can_be_shown(name: str) -> None:
    shown = clean_name(name)
    assert 1 <= len(shown) <= NAME_CHARACTERS
    assert shown.isprintable() or not set(shown) & set("\x00\n\r\t/\\")
    assert "/" not in shown and "\\" not in shown and not shown.startswith(".")
    assert clean_name(shown) == shown
    shown.encode()


def test_nobody_sees_or_touches_what_is_not_theirs(store: DatasetStore, upload: Path) -> None:
    id = store.import_file("me", upload)["dataset_id"]
    for call in (store.info, store.preview, store.map, store.splits, store.delete):
        for owner, which in [("you", id), ("me", "0" * 12), ("me", "../" + id), ("me", id + "/..")]:
            with pytest.raises(NotFound):
                call(owner, which)
    assert store.list("you") == []
    assert store.info("me", id)["rows"] == 40


def test_delete(store: DatasetStore, upload: Path) -> None:
    id = store.import_file("me", upload)["dataset_id"]
    store.delete("me", id)
    assert store.list("me") == []
    assert left_on_disk(store) == []
    with pytest.raises(NotFound):
        store.preview("me", id)


def test_preview_pages_and_cuts(store: DatasetStore, upload: Path) -> None:
    upload.write_text("text,n\n" + "".join(f"{'x' * 600 if number == 3 else 'short'},{number}\n" for number in range(30)))
    id = store.import_file("me", upload)["dataset_id"]
    page = store.preview("me", id, 2, 3)
    assert page["columns"] == ["text", "n"]
    assert page["total"] == 30
    assert [row[1] for row in page["rows"]] == [2, 3, 4]
    assert len(page["rows"][1][0]) == 500 and page["rows"][1][0].endswith("…")
    assert store.preview("me", id, 29, 10)["rows"] == [["short", 29]]
    assert store.preview("me", id, 99, 10)["rows"] == []
    json.dumps(page)
    for offset, limit in [(-1, 5), (0, -5), ("0", 5), (0.5, 5), (None, 5), (True, 5)]:
        with pytest.raises(SettingsError):
            store.preview("me", id, offset, limit)


def test_a_file_that_cannot_be_read_leaves_nothing(store: DatasetStore, upload: Path) -> None:
    upload.write_bytes(b"\x7fELF" + bytes(100))
    with pytest.raises(FileUnreadable):
        store.import_file("me", upload)
    with pytest.raises(SettingsError):
        store.import_file("me", upload, None, {"unknown": 1})
    assert left_on_disk(store) == []


@pytest.mark.parametrize("where", ["copy", "table", "history", "manifest"])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    store: DatasetStore, upload: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def write_bytes(path: Path, content: bytes) -> None:
        if where in (path.stem, path.name):
            with workspace_module.storage_errors():
                path.write_bytes(content[: len(content) // 2])
                full()
        original(path, content)

    original = workspace_module.write_bytes
    if where == "copy":
        monkeypatch.setattr(store_module.shutil, "copyfile", full)
    monkeypatch.setattr(workspace_module, "write_bytes", write_bytes)
    monkeypatch.setattr(folder, "write_bytes", write_bytes)
    monkeypatch.setattr(versions, "write_bytes", write_bytes)
    with pytest.raises(StorageFull, match="disk is full"):
        store.import_file("me", upload)
    assert left_on_disk(store) == []
    monkeypatch.undo()
    assert store.import_file("me", upload)["name"] == "upload.csv"


def test_samples(store: DatasetStore) -> None:
    assert store.samples() == [
        {"name": "Moods", "kind": "table", "rows": 20, "description": "Short texts.", "example_prompts": ["I am"]},
        {"name": "Tale", "kind": "document", "rows": None, "description": "A tale.", "example_prompts": None},
    ]
    with pytest.raises(NotFound, match="Moods"):
        store.import_sample("me", "Absent")


def test_a_sample_brings_its_own_mapping(store: DatasetStore) -> None:
    report = store.import_sample("me", "Moods")
    assert report["name"] == "Moods"
    assert report["mapping"]["label_names"] == {"0": "sad", "1": "glad"}
    assert store.list("me")[0]["mapped"] is True
    assert store.splits("me", report["dataset_id"]).labels == ["sad", "glad"]
    assert store.map("me", report["dataset_id"], {}).conversations.labels == ["sad", "glad"]
    assert store.map("me", report["dataset_id"], {"label_names": {"0": "low"}}).conversations.labels == ["low", "1"]
    other = store.map("me", report["dataset_id"], {"task": "instruction"})
    assert other.task == "instruction" and other.label_names == {}


def test_no_samples_folder_is_no_failure(workspace: Workspace, settings: Settings, tmp_path: Path) -> None:
    assert DatasetStore(workspace, replace(settings, assets=tmp_path / "nowhere")).samples() == []


def test_a_mapping_is_saved_and_used(store: DatasetStore, upload: Path) -> None:
    id = store.import_file("me", upload)["dataset_id"]
    guessed = store.splits("me", id)
    assert store.info("me", id)["mapping"] is None
    assert guessed.task == "classification"
    mapped = store.map("me", id, {"task": "instruction", "seed": 7, "split": {"test": 0}})
    assert mapped.rows == {"train": 36, "validation": 4, "test": 0}
    assert store.splits("me", id) == mapped.conversations
    assert store.info("me", id)["mapping"] == mapped.settings()
    assert store.list("me")[0]["mapped"] is True
    folder = store.workspace.find("datasets", id, "me")
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [entry["what"] for entry in history] == ["imported", "mapped"]
    with pytest.raises(MappingError):
        store.map("me", id, {"columns": {"prompt": "absent"}})
    assert store.splits("me", id) == mapped.conversations


def test_a_dataset_deleted_meanwhile_is_not_there(store: DatasetStore, upload: Path) -> None:
    id = store.import_file("me", upload)["dataset_id"]
    (store.workspace.find("datasets", id, "me") / "table.parquet").unlink()
    for call in (store.preview, store.map, store.splits):
        with pytest.raises(NotFound):
            call("me", id)


def test_the_samples_that_come_with_the_playground(workspace: Workspace, settings: Settings) -> None:
    store = DatasetStore(workspace, settings)
    samples = [sample for sample in store.samples() if sample["rows"]]
    assert len(samples) >= 2
    for sample in samples:
        report = store.import_sample("me", sample["name"])
        assert report["rows"] == sample["rows"] > 100
        assert report["warnings"] == []
        assert report["mapping"]["task"] == sample["kind"]
        splits = store.splits("me", report["dataset_id"])
        assert len(splits.train) > 5 * len(splits.validation) > 0 < len(splits.test)
