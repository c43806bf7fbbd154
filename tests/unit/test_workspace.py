"""Items are whole or absent, and belong to somebody."""

import json
import multiprocessing
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import NotFound, SettingsError, StorageFull, WrongState
from playground.workspace import Workspace, read_json, write_bytes, write_json


def publish(workspace: Workspace, owner: str = "me", **identity: object) -> Path:
    folder = workspace.draft("datasets")
    workspace.publish(folder, owner=owner, **identity)
    return folder


def test_a_draft_is_not_found_until_it_is_published(workspace: Workspace) -> None:
    folder = workspace.draft("datasets")
    with pytest.raises(NotFound):
        workspace.find("datasets", folder.name, "me")
    workspace.publish(folder, owner="me", name="x")
    assert workspace.find("datasets", folder.name, "me") == folder
    assert read_json(folder / "manifest.json")["name"] == "x"


def test_owners_see_their_own_only(workspace: Workspace) -> None:
    mine, yours = publish(workspace, "me"), publish(workspace, "you")
    assert workspace.list("datasets", "me") == [mine]
    assert set(workspace.list("datasets")) == {mine, yours}
    with pytest.raises(NotFound):
        workspace.find("datasets", yours.name, "me")


def test_newest_first(workspace: Workspace) -> None:
    made = [publish(workspace) for _ in range(4)]
    assert workspace.list("datasets", "me") == made[::-1]


@given(st.one_of(st.text(), st.sampled_from(["..", "../datasets", "/etc/passwd", "a" * 12 + "/..", "", "0" * 12])))
def test_no_name_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    workspace = Workspace(tmp_path_factory.getbasetemp() / "names")
    with pytest.raises(NotFound):
        workspace.find("datasets", name, "me")


@pytest.mark.parametrize("id", [None, 5, ["a" * 12], b"a" * 12])
def test_an_id_of_a_wrong_type_is_just_not_found(workspace: Workspace, id: object) -> None:
    with pytest.raises(NotFound):
        workspace.find("datasets", id, "me")  # type: ignore[arg-type]


def test_a_home_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="PLAYGROUND_HOME"):
        Workspace(tmp_path / "file" / "home")


def test_a_half_deleted_or_damaged_item_is_absent(workspace: Workspace) -> None:
    folder = publish(workspace)
    (folder / "manifest.json").write_text('{"id": "')
    assert workspace.list("datasets", "me") == []
    with pytest.raises(NotFound):
        workspace.find("datasets", folder.name, "me")


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=9)
)
def test_json_round_trip(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path, stop, seen = tmp_path / "x.json", threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            if path.exists():
                seen.add(len(json.loads(path.read_text())["items"]))

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(150):
        write_json(path, {"items": ["x" * 50] * (n % 2 * 2000)})
    stop.set()
    reader.join()
    assert seen <= {0, 2000}


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"old": 1})

    def no_room(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(StorageFull, match="disk is full"):
        write_bytes(path, b"new")
    assert read_json(path) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def _hold(home: Path, ready: "multiprocessing.synchronize.Event", go: "multiprocessing.synchronize.Event") -> None:
    workspace = Workspace(home)
    workspace.lock()
    ready.set()
    go.wait(20)


def test_a_second_app_is_told_and_a_killed_one_frees_its_place(workspace: Workspace) -> None:
    context = multiprocessing.get_context("spawn")
    ready, go = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(workspace.home, ready, go))
    other.start()
    assert ready.wait(20)
    with pytest.raises(WrongState, match="already running"):
        workspace.lock()
    other.kill()
    other.join()
    workspace.lock()
    workspace.unlock()


def test_old_drafts_are_cleared_and_fresh_ones_kept(workspace: Workspace) -> None:
    old, fresh, whole = workspace.draft("datasets"), workspace.draft("datasets"), publish(workspace)
    for folder in (old, whole):
        os.utime(folder, (0, 0))
    workspace.lock()
    workspace.unlock()
    assert (old.exists(), fresh.exists(), whole.exists()) == (False, True, True)
