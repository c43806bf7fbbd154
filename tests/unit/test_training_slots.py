"""As many runs at once as the cards seat, else one: each on its own card or cards, freed when it ends, known to the next app."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from playground import system
from playground.errors import SettingsError
from playground.settings import PLACE, place
from playground.system import ProcessId
from playground.training import launching, ranks, record
from playground.training.runs import Runs
from playground.training.slots import Slots, environment
from playground.workspace import Workspace, write_json
from tests.unit.test_training_runs import STEADY, Make, make_runs, start, wait_for  # noqa: F401

TOLD = 'import os\n(folder / "card").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))\n' + STEADY


def running(runs: Runs) -> list[str]:
    return [run.run_id for run in runs.list("me") if run.state == "running"][::-1]


@pytest.mark.parametrize("cards", [[], ["2"], ["0", "1", "GPU-7f"]])
def test_as_many_at_once_as_there_are_cards(make_runs: Make, workspace: Workspace, cards: list[str]) -> None:  # noqa: F811
    places = max(1, len(cards))
    runs = make_runs(TOLD, cards=lambda: cards)
    ids = [start(runs) for _ in range(places + 2)]
    wait_for(lambda: running(runs) == ids[:places])
    assert [runs.get("me", one).place_in_line for one in ids[places:]] == [1, 2]
    told = [(workspace.home / "runs" / one / "card").read_text() for one in ids[:places]]
    assert told == (cards or [os.environ.get("CUDA_VISIBLE_DEVICES", "none")])
    assert [record.status(workspace.home / "runs" / one)["gpu"] for one in ids[:places]] == (cards or [None])

    middle = ids[places // 2]
    runs.close()
    runs = make_runs(TOLD, cards=lambda: cards)  # the next app finds the cards taken
    runs.stop("me", middle)
    wait_for(lambda: runs.get("me", ids[places]).state == "running")
    assert len(running(runs)) == places and runs.get("me", ids[-1]).place_in_line == 1
    freed = cards[places // 2] if cards else os.environ.get("CUDA_VISIBLE_DEVICES", "none")
    assert (workspace.home / "runs" / ids[places] / "card").read_text() == freed


def test_a_worker_that_does_not_say_where_it_sits_takes_a_place(make_runs: Make, workspace: Workspace) -> None:  # noqa: F811
    runs = make_runs(TOLD, opened=False, cards=lambda: ["0", "1"])
    folders = [workspace.find("runs", start(runs), "me") for _ in range(2)]
    me = ProcessId.of_self()
    old = {"state": "running", "pid": me.pid, "pid_started": me.started, "boot": me.boot}
    write_json(folders[0] / "status.json", old)
    assert len(Slots(lambda: ["0", "1"]).free(folders[:1])) == 1
    write_json(folders[0] / "status.json", {**old, "gpu": "7"})
    assert Slots(lambda: ["0", "1"]).free(folders[:1]) == ["0"], "a card that this app does not know"
    write_json(folders[0] / "status.json", {**old, "gpu": "0"})
    assert Slots(lambda: ["0", "1"]).free(folders[:1]) == ["1"]
    assert Slots(lambda: ["0"]).free(folders[:1]) == []
    write_json(folders[0] / "status.json", {"state": "failed"})


def test_a_run_on_several_cards_is_not_overtaken(
    make_runs: Make,  # noqa: F811
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def without_launcher(worker: Any, folder: Path, processes: int) -> tuple[str, ...]:
        asked.append(processes)
        return (*worker, str(folder))

    monkeypatch.setattr("playground.training.dispatch.command", without_launcher)
    runs = make_runs(TOLD, cards=lambda: ["4", "5"], warm=True)
    first = start(runs)
    wait_for(lambda: running(runs) == [first])
    pair, last = start(runs, num_processes=2), start(runs)
    time.sleep(1.5)
    assert running(runs) == [first], "one card is free, and kept for the one that came before"
    assert [runs.get("me", one).place_in_line for one in (pair, last)] == [1, 2]
    runs.stop("me", first)
    wait_for(lambda: running(runs) == [pair])
    assert (workspace.home / "runs" / pair / "card").read_text() == "4,5" == record.status(workspace.home / "runs" / pair)["gpu"]
    runs.close()
    runs = make_runs(TOLD, cards=lambda: ["4", "5"])  # the next app finds both taken
    time.sleep(1.5)
    assert running(runs) == [pair]
    runs.stop("me", pair)
    wait_for(lambda: running(runs) == [last])
    assert asked == [1, 2, 1]


def test_who_sits_where(make_runs: Make, workspace: Workspace) -> None:  # noqa: F811
    runs = make_runs(TOLD, opened=False, cards=lambda: ["0", "1", "2", "3"])
    one, two, other, four = (workspace.find("runs", start(runs, num_processes=count), "me") for count in (1, 2, 2, 4))
    slots = Slots(lambda: ["0", "1", "2", "3"])
    assert slots.seat([], [one, two, other]) == [(one, "0"), (two, "1,2")]
    assert slots.seat([], [two, other, one]) == [(two, "0,1"), (other, "2,3")]
    write_json(two / "status.json", {"state": "running", "gpu": "0,2"})
    assert slots.free([two]) == ["1", "3"]
    assert slots.seat([two], [four, one]) == []
    assert Slots(lambda: ["7", "8", "9"]).free([two]) == ["7"], "cards that this app does not know"
    assert Slots(lambda: []).seat([], [one, other]) == [(one, None)]
    assert Slots(lambda: ["0"]).seat([], [four, one]) == [(four, "0")], "to be refused"
    write_json(two / "status.json", {"state": "failed"})


@pytest.mark.parametrize(("cards", "said"), [([], "at most one here"), (["0"], "at most one here"), (["0", "1", "2"], "at most 3 here")])
def test_more_processes_than_cards_are_refused(make_runs: Make, cards: list[str], said: str) -> None:  # noqa: F811
    runs = make_runs(TOLD, opened=False, cards=lambda: cards)
    with pytest.raises(SettingsError, match=said):
        start(runs, num_processes=4)
    with pytest.raises(SettingsError, match="from 1 to 16"):
        start(runs, num_processes=17)
    start(runs, num_processes=max(1, len(cards)))


def test_a_run_that_waits_for_cards_that_are_gone_says_so(make_runs: Make) -> None:  # noqa: F811
    run_id = start(make_runs(TOLD, opened=False, cards=lambda: ["0", "1"]), num_processes=2)
    runs = make_runs(TOLD, cards=lambda: ["0"])
    wait_for(lambda: runs.get("me", run_id).finished)
    run = runs.get("me", run_id)
    assert run.state == "failed" and "in 2 processes" in str(run.error) and "smaller num_processes" in str(run.error)


def test_the_launcher_gets_everything_by_name() -> None:
    folder = Path("/runs/a")
    assert launching.command(launching.WORKER, folder) == (*launching.WORKER, "/runs/a")
    told = launching.command(launching.WORKER, folder, 3)
    assert told[:3] == (sys.executable, "-m", "accelerate.commands.launch")
    assert told[-5:] == ("--num_processes", "3", "-m", "playground.training.worker", "/runs/a")


def test_which_process_this_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert place({}) == place({"RANK": "1", "WORLD_SIZE": "2"}) == place({"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}) == (0, 0, 1)
    assert place({"RANK": "1", "LOCAL_RANK": "x", "WORLD_SIZE": "2"}) == (0, 0, 1)
    for name, value in zip(PLACE, ("3", "1", "4"), strict=True):
        monkeypatch.setenv(name, value)
    assert place() == (3, 1, 4) and not ranks.main_process() and ranks.world() == 4
    assert not set(PLACE) & set(launching.environment(offline=True)), "a host's own launcher is not the worker's"
    nobody = ranks.only_main(open, tmp_path / "curve", "w")
    assert nobody.write("a line") is None and not list(tmp_path.iterdir())
    assert ranks.lost(RuntimeError("gloo: Connection closed by peer")) and not ranks.lost(RuntimeError("odd"))
    for name in PLACE:
        monkeypatch.delenv(name)
    assert ranks.main_process() and ranks.agree(True) and ranks.total(7) == 7 and ranks.device() is None
    assert not ranks.lost(RuntimeError("Connection closed by peer")) and ranks.head() == ProcessId.of_self()


@pytest.mark.parametrize(
    ("visible", "there", "found"),
    [
        (None, 0, []),
        (None, 3, ["0", "1", "2"]),
        ("", 3, []),
        ("-1", 3, []),
        ("2,0", 3, ["2", "0"]),
        ("1, 5, 0", 3, ["1"]),
        ("GPU-1f,GPU-2e", 3, ["GPU-1f", "GPU-2e"]),
        ("0", 0, []),
        ("1,1", 3, ["1"]),
    ],
)
def test_cards_that_the_host_hides_are_not_used(monkeypatch: pytest.MonkeyPatch, visible: str | None, there: int, found: list[str]) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    lines = "".join(f"Card, the {number}th, {1000 + number}\n" for number in range(there))

    def tool(*args: Any, **more: Any) -> Any:
        return subprocess.CompletedProcess(args, 0, stdout=lines)

    monkeypatch.setattr(system.subprocess, "run", tool)
    assert system.gpus() == found
    here = system.machine()
    assert here["gpus"] == len(found)
    first = int(found[0]) if found and found[0].isdigit() else 0
    assert here["gpu"] == (f"Card, the {first}th" if found else None)
    assert here["gpu_memory_mb"] == (1000 + first if found else None)
    order = environment("1").get("CUDA_DEVICE_ORDER")
    assert order == ("PCI_BUS_ID" if visible is None else None), "what the host has named is in its own order"
    assert environment(None) == {}


def test_no_driver_means_no_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert system.gpus() == []
    (tmp_path / "nvidia-smi").write_text(f"#!{sys.executable}\nprint('NVIDIA-SMI has failed')\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert system.gpus() == [] and system.machine()["gpu"] is None
