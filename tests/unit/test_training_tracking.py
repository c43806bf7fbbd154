"""A run's curve for other programs: TensorBoard's files are right, and nobody's failure costs the run."""

from __future__ import annotations

import struct
import sys
import types
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

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


@pytest.mark.parametrize("broken", ["init", "log", "finish", None])
def test_another_program_hears_the_curve_and_its_failure_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: str | None
) -> None:
    heard: list[object] = []

    def make(name: str) -> object:
        def call(*args: object, **more: object) -> None:
            if name == broken:
                raise RuntimeError("not signed in: secret")
            heard.append((name, args, more))

        return call

    other = types.ModuleType("trackio")
    other.__spec__ = types.SimpleNamespace(name="trackio")  # type: ignore[assignment]
    for name in ("init", "log", "finish"):
        setattr(other, name, make(name))
    monkeypatch.setitem(sys.modules, "trackio", other)
    tracker = Tracker(tmp_path, settings(report_to="trackio"), "a run", None)
    tracker.tell(1, {"loss": 2.0})
    tracker.tell(2, {"loss": 1.0})
    tracker.close()
    names = [one[0] for one in heard]  # type: ignore[index]
    assert names == {"init": [], "log": ["init"], "finish": ["init", "log", "log"], None: ["init", "log", "log", "finish"]}[broken]
    assert ("trackio was left out" in capsys.readouterr().out) == (broken is not None)
    assert len([event for event in events(tmp_path) if event.summary.value]) == 2
