"""Vectors on a real Chroma server: searched there, made again after it lost them, and searched without it where it is away."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from playground.errors import SettingsError
from playground.jobs import Jobs, follow
from playground.rag import dense as module
from playground.rag.dense import Dense
from playground.rag.store import Collections
from playground.settings import PROJECT, Settings, load
from playground.workspace import Workspace
from tests.browser.conftest import free_port, wait_for

HANDBOOK = PROJECT / "assets" / "samples" / "harbour_cafe_handbook.pdf"
KEY = "Who keeps the spare key to the blue door?"
CHROMA = Path(sys.executable).with_name("chroma")
Run = Callable[[Path], subprocess.Popen[bytes]]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def run_server(port: int) -> Iterator[Run]:
    """Start Chroma's own server on loopback."""
    if not CHROMA.exists():
        pytest.skip("no chroma command beside this Python")
    started: list[subprocess.Popen[bytes]] = []

    def begin(folder: Path) -> subprocess.Popen[bytes]:
        command = [str(CHROMA), "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        wait_for(lambda: _alive(port), 60, "Chroma answers")
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait(30)


def _alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/v2/heartbeat", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_class_on_one_server(settings: Settings, port: int, run_server: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.0)
    process = run_server(tmp_path / "server")
    url = f"http://127.0.0.1:{port}"
    workspace = Workspace(settings.home)
    room = Collections(workspace, replace(settings, chroma_url=url), Jobs(workspace))
    job, folder = room.add("me", [(HANDBOOK, HANDBOOK.name)], "Handbook")
    *_, last = follow(job)
    assert last.state == "done"
    there = room.dense._collection(folder.name)
    assert there.count() == room.info("me", "Handbook")["chunks"]
    assert not (settings.home / "chroma").exists(), "nothing is kept here"
    found = room.search("me", KEY, "Handbook", 5, "dense")

    process.kill()
    process.wait(30)
    alone = room.search("me", KEY, "Handbook", 5, "dense")
    assert [one["chunk"] for one in alone] == [one["chunk"] for one in found], "the same without it"
    cosines = [[one["scores"]["dense"] for one in those] for those in (alone, found)]
    assert cosines[0] == pytest.approx(cosines[1], abs=1e-4)

    run_server(tmp_path / "empty")  # it comes back without what it had
    again = room.search("me", KEY, "Handbook", 5, "dense")
    assert [one["chunk"] for one in again] == [one["chunk"] for one in found]
    assert room.dense._collection(folder.name).count() == room.info("me", "Handbook")["chunks"]
    room.delete("me", "Handbook")
    with pytest.raises(Exception, match=r"exist|found"):
        room.dense._open().get_collection(f"c-{folder.name}")


def test_a_server_that_is_away_holds_nobody_up(tmp_path: Path) -> None:
    away = Dense(tmp_path / "chroma", f"http://127.0.0.1:{free_port()}")
    vectors = np.eye(4, dtype=np.float32)
    began = time.monotonic()
    for _ in range(5):
        away.add("x", [1, 2, 3, 4], vectors)
        assert away.search("x", vectors[2], 1, 4, 4, lambda: ([1, 2, 3, 4], vectors)) == [(3, 1.0)]
    assert time.monotonic() - began < 20  # it knocks once; the libraries are loaded meanwhile


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://a", "http://a:b", "http://u:p@a", "http://a/path", "http://a?x=1"])
def test_what_is_no_address_is_said_at_start(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PLAYGROUND_CHROMA_URL"):
        load({"PLAYGROUND_HOME": str(tmp_path), "PLAYGROUND_CHROMA_URL": url})
    assert load({"PLAYGROUND_CHROMA_URL": "http://a:8000/"}).chroma_url == "http://a:8000"
