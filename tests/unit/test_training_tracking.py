"""A run's curve for other programs: TensorBoard's files are right, and nobody's failure costs the run."""

from __future__ import annotations

import json
import struct
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from playground.errors import Sentence
from playground.training.circumstances import Circumstances
from playground.training.config import TrainingSettings
from playground.training.defaults import resolve
from playground.training.tracking import Tracker

AROUND = Circumstances(rows=10, validation_rows=2, parameters=1_000_000, window=64)


def settings(**given: object) -> TrainingSettings:
    return resolve(given, AROUND)[0]


def events(folder: Path) -> list[Event]:
    """All events of a folder, by TensorFlow's record format: length, its check, the event, its check."""
    found = []
    for file in sorted((folder / "tensorboard").iterdir()):
        content, place = file.read_bytes(), 0
        while place < len(content):
            (length,) = struct.unpack_from("<Q", content, place)
            found.append(Event.FromString(content[place + 12 : place + 12 + length]))
            place += 12 + length + 4
    return found


def test_tensorboard_reads_every_point_and_what_was_taken_back(tmp_path: Path) -> None:
    first = Tracker(tmp_path, settings(), "a run", None)
    for step in range(1, 5):
        first.tell(step, {"loss": 1.0 / step, "learning_rate": 0.1, "tokens": 7, "eval_loss": 0.5 if step == 4 else None})
    first.tell(5, {"loss": float("nan")})
    first.close()
    again = Tracker(tmp_path, settings(), "a run", 3)
    again.tell(4, {"loss": 0.25})
    again.close()
    told = events(tmp_path)
    values = [(event.step, value.tag, round(value.simple_value, 4)) for event in told for value in event.summary.value]
    assert [one for one in values if one[1] == "train/loss"] == [
        (1, "train/loss", 1.0), (2, "train/loss", 0.5), (3, "train/loss", 0.3333), (4, "train/loss", 0.25), (4, "train/loss", 0.25),
    ]  # fmt: skip
    assert (4, "eval/loss", 0.5) in values and (1, "train/learning_rate", 0.1) in values
    purged = [event.step for event in told if event.HasField("session_log")]
    assert purged == [4], "readers forget what was told from step 4 on before"


def test_a_run_that_begins_anew_takes_back_what_it_told_before_in_tensorboard_too(tmp_path: Path) -> None:
    for _ in range(3):  # out of memory before anything was saved, twice
        tracker = Tracker(tmp_path, settings(), "a run", None)
        for step in range(3):
            tracker.tell(step, {"loss": 1.0})
        tracker.close()
    told = events(tmp_path)
    assert [event.step for event in told if event.HasField("session_log")] == [0, 0]
    places = [place for place, event in enumerate(told) if event.HasField("session_log")]
    assert len([event for event in told[places[-1] :] if event.summary.value]) == 3, "and the last of its files is read last"


class Program(types.ModuleType):
    """Stands in for Trackio or Weights & Biases."""

    def __init__(self, name: str, broken: str | None = None) -> None:
        super().__init__(name)
        self.__spec__ = types.SimpleNamespace(name=name)  # type: ignore[assignment]
        self.heard: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        for one in ("init", "log", "finish"):
            setattr(self, one, self._make(one, broken))

    def _make(self, name: str, broken: str | None) -> Any:
        def call(*args: object, **more: object) -> None:
            if name == broken:
                raise RuntimeError("not signed in: secret")
            self.heard.append((name, args, more))

        return call

    def said(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        return [(args, more) for one, args, more in self.heard if one == name]


@pytest.mark.parametrize("broken", ["init", "log", "finish", None])
@pytest.mark.parametrize(("name", "shown"), [("trackio", "Trackio"), ("wandb", "Weights & Biases")])
def test_another_program_hears_the_curve_and_its_failure_costs_nothing_but_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, shown: str, broken: str | None
) -> None:
    other = Program(name, broken)
    monkeypatch.setitem(sys.modules, name, other)
    warned: list[Sentence] = []
    tracker = Tracker(tmp_path, settings(report_to=name), "a run", None, warned.append)
    tracker.tell(1, {"loss": 2.0})
    tracker.tell(2, {"loss": 1.0})
    tracker.close()
    names = [one[0] for one in other.heard]
    assert names == {"init": [], "log": ["init"], "finish": ["init", "log", "log"], None: ["init", "log", "log", "finish"]}[broken]
    assert [str(one).partition(" (")[0] for one in warned] == {
        "init": [f"{shown} could not be started"], "log": [f"{shown} broke off"], "finish": [f"{shown} broke off"], None: [],
    }[broken]  # fmt: skip
    assert "secret" not in capsys.readouterr().out + "".join(warned)
    assert len([event for event in events(tmp_path) if event.summary.value]) == 2


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_a_run_that_goes_on_is_the_same_run_there_and_no_point_is_told_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    other = Program(name)
    monkeypatch.setitem(sys.modules, name, other)
    asked, curve = settings(report_to=name), tmp_path / "one" / "metrics.jsonl"
    curve.parent.mkdir()
    for since, steps in ((None, range(6)), (3, range(4, 9))):  # killed at step 5, its last checkpoint being of step 3
        tracker = Tracker(tmp_path / "one", asked, "colours #1", since)
        for step in steps:
            with curve.open("a") as file:
                file.write(json.dumps({"step": step, "loss": 1.0}) + "\n")
            tracker.tell(step, {"loss": 1.0})
        tracker.close()
    (tmp_path / "two").mkdir()  # a run of the same name
    Tracker(tmp_path / "two", asked, "colours #1", None).close()
    begun = [more for _, more in other.said("init")]
    key = "id" if name == "wandb" else "name"
    assert begun[0][key] == begun[1][key] != begun[2][key] and all(one["resume"] == "allow" for one in begun)
    assert all("colours #1" in one["name"] for one in begun)
    assert [more["step"] for _, more in other.said("log")] == list(range(9))
