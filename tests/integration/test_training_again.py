"""A run that is taken away as a file and started from the command line gives the same curve."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from playground.errors import PlaygroundError
from playground.models.catalog import Catalog
from playground.settings import PROJECT, Settings
from playground.training import again, record
from playground.training.metrics import read_since
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.integration.colours import finish, learn_here, start


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
    before, after = runs.metrics("me", run_id), read_since(folder / "metrics.jsonl")
    assert [point["step"] for point in before] == [point["step"] for point in after]
    for one, two in zip(before, after, strict=True):
        for key in ("loss", "eval_loss", "learning_rate"):
            assert (one[key] is None) == (two[key] is None)
            assert one[key] is None or one[key] == pytest.approx(two[key], rel=0.01, abs=1e-3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, learner: Path) -> Path:
    """A run as a file, which was never started."""
    home = tmp_path_factory.mktemp("whole")
    runs = Runs(Workspace(home), Catalog(Settings(home=home)))
    return runs.packed("me", start(runs, learner, max_steps=1), home / "whole.zip")


@pytest.mark.parametrize("harm", ["not a zip", "no settings", "no rows", "odd settings", "other settings", "a strange model"])
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
    home = Workspace(tmp_path / "elsewhere")
    with pytest.raises(PlaygroundError):
        again.unpack(path, home, Catalog(settings))
    assert not home.list("runs")
