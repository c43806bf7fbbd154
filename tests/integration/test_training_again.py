"""A run that is taken away as a file and started from the command line gives the same curve."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from playground.errors import PlaygroundError, WrongState
from playground.models.catalog import Catalog
from playground.settings import PROJECT, Settings
from playground.training import again, record
from playground.training.metrics import read_since
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.integration.colours import begin, finish, learn_here, start


def test_the_same_curve_from_the_command_line(runs: Runs, learner: Path, workspace: Workspace, tmp_path: Path) -> None:
    asked = {"max_steps": 24, "eval_steps": 8, "sample_prompts": ["Which colour has number 3?"]}
    run_id = learn_here(runs, workspace, lambda: start(runs, learner, **asked))
    finish(runs, run_id)
    packed = runs.packed("me", run_id, tmp_path / "run.zip")
    with zipfile.ZipFile(packed) as archive:
        told = json.loads(archive.read("settings.json"))
        assert told["settings"]["max_steps"] == 24 and told["versions"]["trl"] and "owner" not in told
        assert str(workspace.home) not in archive.read("settings.json").decode(), "no path of this machine but the chosen model's"
    other = tmp_path / "elsewhere"
    done = subprocess.run(
        [sys.executable, "-m", "playground.training.again", str(packed), "--home", str(other)],
        cwd=PROJECT, capture_output=True, text=True, timeout=240, env={**os.environ, "PLAYGROUND_HOME": str(other)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (folder,) = Workspace(other).list("runs", "me")
    run = record.read(folder)
    assert run.state == "done" and run.has_adapter and run.name == runs.get("me", run_id).name
    assert_same_curve(runs.metrics("me", run_id), folder)


def once_more(packed: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the command line does, in this process; gives the folder of the run that it made."""
    monkeypatch.setenv("PLAYGROUND_HOME", str(home))
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert again.main([str(packed), "--home", str(home)]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    (folder,) = Workspace(home).list("runs", "me")
    return folder


def assert_same_curve(before: list[dict[str, Any]], folder: Path) -> None:
    after = read_since(folder / "metrics.jsonl")
    assert [point["step"] for point in before] == [point["step"] for point in after]
    for one, two in zip(before, after, strict=True):
        for key in ("loss", "eval_loss", "learning_rate"):
            assert (one[key] is None) == (two[key] is None), (one, two)
            assert one[key] is None or one[key] == pytest.approx(two[key], rel=0.01, abs=1e-6)


def test_a_run_that_goes_on_from_another_one_does_so_elsewhere_too(
    runs: Runs, learner: Path, workspace: Workspace, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = learn_here(runs, workspace, lambda: start(runs, learner, max_steps=12, eval_steps=6))
    second = learn_here(runs, workspace, lambda: begin(runs, learner, 60, start_from=first, max_steps=6, eval_steps=3, lora_dropout=0.2))
    packed = runs.packed("me", second, tmp_path / "run.zip")
    assert_same_curve(runs.metrics("me", second), once_more(packed, tmp_path / "elsewhere", monkeypatch))
    for harm in ("another adapter", "strange words", "half of it"):
        path = tmp_path / f"{harm}.zip"
        with zipfile.ZipFile(packed) as source, zipfile.ZipFile(path, "w") as target:
            for name in source.namelist():
                content = source.read(name)
                if name == "start/adapter_model.safetensors" and harm == "another adapter":
                    content = (workspace.find("runs", second, "me") / "adapter" / "adapter_model.safetensors").read_bytes()
                if name == "start/adapter_config.json" and harm == "strange words":
                    content = json.dumps({**json.loads(content), "modules_to_save": ["lm_head"]}).encode()
                if name != "start/adapter_config.json" or harm != "half of it":
                    target.writestr(name, content)
        home = Workspace(tmp_path / "refused")
        with pytest.raises(PlaygroundError):
            again.unpack(path, home, Catalog(settings))
        assert not home.list("runs")


def test_a_run_that_was_made_longer_on_the_way_gives_its_curve_too(
    runs: Runs, learner: Path, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = learn_here(runs, workspace, lambda: start(runs, learner, max_steps=6, eval_steps=4, save_steps=2))

    def longer(**given: Any) -> None:
        def resume() -> str:
            runs.resume("me", run_id, given)
            return run_id

        learn_here(runs, workspace, resume)

    longer(max_steps=11)
    shutil.rmtree(workspace.find("runs", run_id, "me") / "checkpoints" / "checkpoint-00000011")
    longer(max_steps=14)  # from step 10, and step 11 is learned anew
    assert [one["step"] for one in record.config(workspace.find("runs", run_id, "me"))["extended"]] == [6, 10]
    packed = runs.packed("me", run_id, tmp_path / "run.zip")
    folder = once_more(packed, tmp_path / "elsewhere", monkeypatch)
    assert_same_curve(runs.metrics("me", run_id), folder)
    run = record.read(folder)
    assert run.state == "done" and run.step == run.max_steps == 14 and run.settings["max_steps"] == 14
    assert (
        again.pack(folder, tmp_path / "twice.zip")
        and record.config(folder)["extended"] == record.config(workspace.find("runs", run_id, "me"))["extended"]
    )
    changes = workspace.find("runs", run_id, "me") / "changes.json"
    told = json.loads(changes.read_text())
    changes.write_text(json.dumps({name: value for name, value in told.items() if name != "extended"}))
    with pytest.raises(WrongState, match="made longer"):
        runs.packed("me", run_id, tmp_path / "unknown.zip")
    changes.write_text("{")
    with pytest.raises(WrongState, match="changed when it was resumed"):
        runs.packed("me", run_id, tmp_path / "unknown.zip")
    for copy in changes.parent.glob("config*.json"):
        copy.write_text("{")
    with pytest.raises(WrongState, match="what this run was to learn"):
        runs.packed("me", run_id, tmp_path / "unknown.zip")
    assert not (tmp_path / "unknown.zip").exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, learner: Path) -> Path:
    """A run as a file, which was never started."""
    home = tmp_path_factory.mktemp("whole")
    runs = Runs(Workspace(home), Catalog(Settings(home=home)))
    return runs.packed("me", start(runs, learner, max_steps=1), home / "whole.zip")


@pytest.mark.parametrize(
    "harm", ["not a zip", "no settings", "no rows", "odd settings", "other settings", "a strange model", "damaged", "protected"]
)
def test_other_files_are_refused_with_a_sentence(harm: str, tmp_path: Path, settings: Settings, whole: Path) -> None:
    path = tmp_path / "harmed.zip"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "settings.json":
                told = json.loads(content)
                if harm == "odd settings":
                    told["settings"]["lora_r"] = "__import__('os')"
                if harm == "other settings":
                    told["settings"]["evil"] = 1
                if harm == "a strange model":
                    told["model"] = "../../etc"
                content = json.dumps(told).encode()
            if (harm, name) not in (("no settings", "settings.json"), ("no rows", "data/train.jsonl")):
                target.writestr(name, content)
    if harm == "not a zip":
        path.write_bytes(b"PK\3\4 no, it is not")
    if harm in ("damaged", "protected"):
        content = bytearray(whole.read_bytes())
        with zipfile.ZipFile(whole) as source:
            rows, asked = source.getinfo("data/train.jsonl"), source.getinfo("settings.json")
        if harm == "damaged":
            begin = rows.header_offset + 30 + len(rows.filename)
            content[begin : begin + 8] = bytes(255 - one for one in content[begin : begin + 8])
        else:  # the marks that its first file is encrypted: beside it, and in the list at the end
            content[asked.header_offset + 6] |= 1
            content[content.find(b"PK\1\2") + 8] |= 1
        path.write_bytes(content)
    home = Workspace(tmp_path / "elsewhere")
    with pytest.raises(PlaygroundError):
        again.unpack(path, home, Catalog(settings))
    assert not home.list("runs")
