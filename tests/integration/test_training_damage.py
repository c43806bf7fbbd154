"""Files of a run that were cut off or overwritten: whatever is read is right, and what is lost is said in a sentence.

The folders are those of real runs, one that has finished and one whose worker was killed. Every file in them is damaged in turn.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground.errors import ModelUnavailable, PlaygroundError, WrongState
from playground.inference.adapters import Adapters
from playground.messages import conversation
from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.training import checkpoints, damage, record
from playground.training.runs import Runs
from playground.training.worker import main
from playground.workspace import Workspace, read_json, write_json
from tests.integration.colours import COLOURS, learn_here, wait_for

CUTS = 4  # random places for each file, besides its very start and its last byte
MORE = {"max_steps": 5000}


@dataclass
class Truth:
    """A run as it was before anything was damaged."""

    folder: Path
    home: Path
    run: record.Run
    curve: dict[int, dict[str, Any]]
    samples: dict[str, Any]


def start(runs: Runs, learner: Path, start_from: str | None = None, **settings: Any) -> str:
    rows = [conversation(f"Number {index}. Which colour? " + "so " * (index % 7), COLOURS[index % 3]) for index in range(40)]
    splits = SimpleNamespace(
        train=rows, validation=rows[:8], test=rows[8:12], instruction="", system="", task="instruction", labels=[], shots=(), slots=()
    )
    chosen = {"model": f"local:{learner}", "method": "lora", "lora_r": 4, "sample_prompts": ["Number 7?"], **settings}
    return runs.start("me", dataset_id="d", dataset_name="colours", splits=splits, settings=chosen, start_from=start_from)


@pytest.fixture(scope="module")
def truths(tmp_path_factory: pytest.TempPathFactory, learner: Path) -> dict[str, Truth]:
    home = tmp_path_factory.mktemp("truth")
    workspace = Workspace(home)
    runs = Runs(workspace, Catalog(Settings(home=home)))
    runs.open()
    made = {"finished": learn_here(runs, workspace, lambda: start(runs, learner, max_steps=12, eval_steps=4, save_steps=4))}
    # gone further, so that there are changes.json and several attempts in the curve
    learn_here(runs, workspace, lambda: runs.resume("me", made["finished"], {"max_steps": 16}).run_id)
    assert runs.get("me", made["finished"]).state == "done"
    short = {"max_steps": 4, "eval_steps": 2, "save_steps": 2}
    made["begun"] = learn_here(runs, workspace, lambda: start(runs, learner, made["finished"], **short))
    made["from weights"] = learn_here(runs, workspace, lambda: start(runs, learner, init_lora_weights="pissa", **short))
    made["killed"] = start(runs, learner, max_steps=4000, eval_steps=10, save_steps=5)
    wait_for(lambda: runs.get("me", made["killed"]).step >= 17)
    os.kill(runs.get("me", made["killed"]).pid, signal.SIGKILL)  # type: ignore[arg-type]
    wait_for(lambda: runs.get("me", made["killed"]).state == "failed", 10)
    runs.close()
    return {kind: truth(runs, home, run_id) for kind, run_id in made.items()}


def truth(runs: Runs, home: Path, run_id: str) -> Truth:
    curve = {point["step"]: point for point in runs.metrics("me", run_id)}
    return Truth(home / "runs" / run_id, home, runs.get("me", run_id), curve, runs.samples("me", run_id))


@pytest.fixture(scope="module")
def base(learner: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return lambda: Adapters(AutoModelForCausalLM.from_pretrained(learner))


def damages(path: Path) -> Iterator[tuple[str, bytes]]:
    """(what was done to it, what is left of a file)."""
    content, chance = path.read_bytes(), random.Random(path.name)
    places = {0, max(0, len(content) - 1), *(chance.randrange(max(1, len(content))) for _ in range(CUTS))}
    for place in sorted(places):
        if place < len(content):
            yield f"cut to {place} of {len(content)} bytes", content[:place]
    yield "garbage at its end", content + chance.randbytes(40)
    yield "a line of garbage at its end", content + b"\x00\xff{]\n"


def copied(truth: Truth, home: Path) -> tuple[Runs, Path]:
    """A workspace with only this run, that nobody watches and whose worker would do nothing."""
    shutil.rmtree(home, ignore_errors=True)
    workspace = Workspace(home)
    folder = home / "runs" / truth.folder.name
    shutil.copytree(truth.folder, folder)
    return Runs(workspace, Catalog(Settings(home=home)), worker=("/bin/false",)), folder


def told(call: Callable[[], Any]) -> Any:
    """What a call gives, or the project's sentence; any other exception fails the test."""
    try:
        return call()
    except PlaygroundError as error:
        assert "{" not in str(error)
        return error


ALL = {"config.json", "status.json", "metrics.jsonl", "samples.json", "samples.jsonl", "data/train.jsonl", "data/prompts.jsonl"}
ADAPTER = {"adapter_config.json", "adapter_model.safetensors"}


@pytest.mark.parametrize("kind", ["finished", "killed", "begun", "from weights"])
def test_every_file_of_a_run_is_damaged_in_turn(truths: dict[str, Truth], base: Any, tmp_path: Path, kind: str) -> None:
    was = truths[kind]
    assert was.run.can_resume and was.curve and was.samples["steps"] and was.samples["prompts"] and not was.run.warnings
    names = sorted(str(path.relative_to(was.folder)) for path in was.folder.rglob("*") if path.is_file())
    own = {"begun": "start", "from weights": "initial"}.get(kind)
    if own:  # everything else is as in the other runs
        names = [name for name in names if name.startswith(f"{own}/")]
    assert ({f"{own}/{name}" for name in ADAPTER} if own else ALL) <= set(names)
    wrong: list[str] = []
    for name in names:
        for what, left in damages(was.folder / name):
            runs, folder = copied(was, tmp_path / "home")
            (folder / name).write_bytes(left)
            try:
                look(runs, folder, was, name)
                if name.startswith("adapter") or name == "manifest.json":
                    load(runs, was, base)
                take_up(runs, folder, was, name)
                runs.delete("me", was.run.run_id)
                assert not folder.exists() and runs.list("me") == []
            except Exception as error:
                wrong.append(f"{name}, {what}: {type(error).__name__}: {str(error).splitlines()[:2]}")
    assert not wrong, f"{len(wrong)} damages: " + "\n".join(wrong)


def look(runs: Runs, folder: Path, was: Truth, name: str) -> None:
    """The run is listed as it was, or says what is wrong with it; curve and answers are what they were as far as they go."""
    run_id = was.run.run_id
    assert [run.run_id for run in runs.list("me")] == [run_id], "it vanished without a word"
    run = runs.get("me", run_id)
    said = [str(run.error), *map(str, run.warnings)]
    assert run.finished, f"it is {run.state} now"
    if run.state != was.run.state:
        assert run.state == "failed" and "damaged" in str(run.error), said
    if name in ("status.json", "manifest.json", "changes.json") and run != was.run:
        assert any("damaged" in one for one in said), said
    for key in ("step", "loss", "eval_loss", "best_step", "best_eval_loss"):
        assert getattr(run, key) in (getattr(was.run, key), None, 0), key
    assert run.can_resume in (None, *(step for step, _ in checkpoints.found(was.folder / "checkpoints")))
    curve = {point["step"]: point for point in runs.metrics("me", run_id)}
    assert all(was.curve[step] == point for step, point in curve.items())
    safe = max(was.curve) if was.run.has_adapter else run.can_resume or 0
    if name == "metrics.jsonl":
        assert any(name in one for one in said) == any(step <= safe for step in was.curve.keys() - curve.keys()), said
    answers = runs.samples("me", run_id)
    assert answers["prompts"] in (was.samples["prompts"], [])
    assert any("(samples.json)" in one for one in said) == (answers["prompts"] == []), said
    assert all(one in was.samples["steps"] for one in answers["steps"])
    lost = [one["step"] for one in was.samples["steps"] if one not in answers["steps"] and one["step"] <= safe]
    assert any("samples.jsonl" in one for one in said) == bool(lost), said
    runs._line.look()
    after = runs.get("me", run_id).state
    assert runs._line.waiting() == [] and after == run.state, f"it was put in line, or started: {run.state}, then {after}"
    assert runs.stop("me", run_id).state == run.state
    ref = told(lambda: runs.adapter("me", run_id))
    if not isinstance(ref, WrongState):
        assert was.run.has_adapter and run.has_adapter
        assert Path(ref.path).is_dir() and ref.sha256 == record.manifest(was.folder)["adapter"]["sha256"]  # type: ignore[index]


def load(runs: Runs, was: Truth, base: Any) -> None:
    """What was learned is loaded whole or refused."""
    import torch

    ref = told(lambda: runs.adapter("me", was.run.run_id))
    if isinstance(ref, PlaygroundError):
        return
    adapters = base()
    try:
        adapters.put_on(ref)
    except ModelUnavailable:
        return
    from safetensors.torch import load_file

    true = load_file(record.learned_at(was.folder, "adapter") / "adapter_model.safetensors")  # type: ignore[operator]
    on = {key.replace(f".{adapters.loaded[0].key}.", "."): one for key, one in adapters._peft.named_parameters() if "lora_" in key}
    assert len(on) == len(true) and all(torch.equal(on[key], weight) for key, weight in true.items())


def take_up(runs: Runs, folder: Path, was: Truth, name: str) -> None:
    """It goes on from a checkpoint that is whole, or says why not and stays as it was."""
    before = runs.get("me", was.run.run_id)
    again = told(lambda: runs.resume("me", was.run.run_id, MORE))
    if isinstance(again, PlaygroundError):
        assert runs.get("me", was.run.run_id) == before, "a refusal changes nothing"
        assert name.startswith(("data/", "start/")), f"there are whole checkpoints, yet: {again}"
        return
    assert not name.startswith("data/") or name == "data/test.jsonl", "it would learn from half of its rows"
    assert not name.startswith("start/") or damage.whole_adapter(folder / "start"), "it would learn on from half of an adapter"
    assert again.state == "queued" and again.settings["max_steps"] == MORE["max_steps"]
    point = checkpoints.newest(folder / "checkpoints")
    assert point and again.step == point[0] and again.run_id == was.run.run_id


@pytest.mark.parametrize("state", ["done", "stopped"])
@pytest.mark.parametrize(
    ("name", "lost", "steps"),
    [
        ("metrics.jsonl", (5, 8), "5–7"),
        ("metrics.jsonl", (0, 1), "0"),
        ("metrics.jsonl", (9, 99), "9–16"),
        ("samples.jsonl", (4, 8), "4"),
        ("samples.jsonl", (9, 99), "12–16"),
    ],
)
def test_a_gap_in_what_was_drawn_or_answered_is_told(
    truths: dict[str, Truth], tmp_path: Path, name: str, lost: tuple[int, int], steps: str, state: str
) -> None:
    runs, folder = copied(truths["finished"], tmp_path / "home")
    status = read_json(folder / "status.json")
    write_json(folder / "status.json", {**status, "state": state})
    lines = (folder / name).read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not lost[0] <= json.loads(line).get("step", -1) < lost[1]]
    assert len(kept) < len(lines)
    (folder / name).write_bytes(b"".join(kept))
    [told] = [str(one) for one in runs.get("me", folder.name).warnings]
    assert name in told and told.endswith(f": {steps}.")


def gone_on(was: Truth, home: Path, broken: str = "") -> tuple[record.Run, Path]:
    """The run two steps further, one of its files cut after the app has looked at it."""
    runs, folder = copied(was, home)

    def again() -> str:
        runs.resume("me", folder.name, {"max_steps": 6})
        if broken:
            (folder / broken).write_bytes((folder / broken).read_bytes()[:500])
        return folder.name

    learn_here(runs, Workspace(home), again)
    return runs.get("me", folder.name), folder


def test_a_worker_says_that_what_it_begins_with_is_damaged(truths: dict[str, Truth], tmp_path: Path) -> None:
    run, _ = gone_on(truths["begun"], tmp_path / "home", "start/adapter_model.safetensors")
    assert run.state == "failed" and "(start) is damaged" in str(run.error), run.error


def test_how_an_adapter_began_is_noted_anew_where_that_is_damaged(truths: dict[str, Truth], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    learned = []
    for broken in ("", "initial/adapter_model.safetensors"):
        run, folder = gone_on(truths["from weights"], tmp_path / "home", broken)
        assert run.state == "done" and run.step == 6, run.error
        adapter = record.learned_at(folder, "adapter")
        assert adapter is not None
        learned.append(load_file(adapter / "adapter_model.safetensors"))
    assert learned[0].keys() == learned[1].keys() and all((learned[0][key] - learned[1][key]).abs().max() < 1e-5 for key in learned[0])


@pytest.mark.parametrize(("steps", "often", "drawn"), [(25, 10, [10, 20, 25]), (6, 10, [6]), (4, 2, [2, 4])])
def test_a_curve_with_few_points_is_not_called_damaged(
    workspace: Workspace, settings: Settings, learner: Path, steps: int, often: int, drawn: list[int]
) -> None:
    runs = Runs(workspace, Catalog(settings))
    run_id = learn_here(runs, workspace, lambda: start(runs, learner, max_steps=steps, logging_steps=often, eval_steps=0))
    run = runs.get("me", run_id)
    assert (run.state, run.step, [str(one) for one in run.warnings]) == ("done", steps, [])
    points = runs.metrics("me", run_id)
    assert [point["step"] for point in points] == drawn and all(point["loss"] for point in points)


def test_what_a_killed_worker_was_writing_is_taken_away_at_the_next_checkpoint(tmp_path: Path) -> None:
    import torch

    left = tmp_path / "checkpoints" / ".draft-00000007"
    left.mkdir(parents=True)
    (left / "weights.safetensors").write_bytes(b"half")
    written = checkpoints.save(tmp_path / "checkpoints", 8, {"weights": {"a": torch.ones(2)}}, {})
    assert [one.name for one in (tmp_path / "checkpoints").iterdir()] == [written.name] and checkpoints.whole(written)


def test_a_checkpoint_with_what_is_no_number_is_not_kept_as_the_result(tmp_path: Path) -> None:
    import torch

    for step, value in ((2, 1.0), (4, 2.0), (6, float("nan"))):
        tensors = {"weights": {"a": torch.tensor([1.0, value])}}
        checkpoints.save(tmp_path, step, tensors, {"best": [0.5, 2]})
    assert [step for step, _ in checkpoints.candidates(tmp_path, best=True)] == [2, 4]
    assert [step for step, _ in checkpoints.candidates(tmp_path, best=False)] == [4, 2]
    (tmp_path / "checkpoint-00000002" / "weights.safetensors").write_bytes(b"half")
    assert [step for step, _ in checkpoints.candidates(tmp_path, best=True)] == [4]
    assert list(checkpoints.candidates(tmp_path / "none", best=True)) == []


def test_both_copies_of_what_was_asked_are_damaged(truths: dict[str, Truth], tmp_path: Path) -> None:
    was = truths["finished"]
    runs, folder = copied(was, tmp_path / "home")
    for path in folder.glob("config*.json"):
        path.write_bytes(path.read_bytes()[:50])
    os.utime(folder, (1, 1))
    Workspace(tmp_path / "home")._clear_drafts()
    [run] = runs.list("me")
    assert run.state == "failed" and "config.json" in str(run.error) and "adapter" in str(run.error)
    assert runs.list("somebody else") == []
    for call in (runs.adapter, runs.resume):
        with pytest.raises(WrongState, match=r"config\.json"):
            call("me", run.run_id)
    runs._line.look()
    runs.delete("me", run.run_id)
    assert not folder.exists()


@pytest.mark.parametrize("part", ["train", "validation", "prompts"])
@pytest.mark.parametrize("how", ["within a line", "between lines", "garbage"])
def test_a_worker_says_that_its_rows_are_damaged(workspace: Workspace, settings: Settings, learner: Path, part: str, how: str) -> None:
    before = signal.getsignal(signal.SIGTERM)
    folder = workspace.find("runs", start(Runs(workspace, Catalog(settings)), learner, max_steps=2), "me")
    path = folder / "data" / f"{part}.jsonl"
    content = path.read_bytes()
    last = content[:-1].rfind(b"\n") + 1
    path.write_bytes({"within a line": content[:-20], "between lines": content[:last], "garbage": content + b"\x00\xff\xfe"}[how])
    try:
        assert main(folder) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    run = record.read(folder)
    assert run.state == "failed" and f"{part}.jsonl" in str(run.error) and "damaged" in str(run.error), run.error
    assert run.step == 0 and not run.has_adapter


def test_a_damaged_status_is_not_taken_for_the_end_of_a_run_that_still_trains(
    workspace: Workspace, settings: Settings, learner: Path
) -> None:
    runs = Runs(workspace, Catalog(settings))
    run_id = start(runs, learner, max_steps=100_000)
    folder = workspace.find("runs", run_id, "me")
    runs.open()
    try:
        wait_for(lambda: runs.get("me", run_id).step >= 3)
        pid = runs.get("me", run_id).pid
        os.kill(pid, signal.SIGSTOP)  # type: ignore[arg-type]  # so that it cannot mend its status meanwhile
        (folder / "status.json").write_bytes((folder / "status.json").read_bytes()[:40])
        runs.close()
        runs = Runs(workspace, Catalog(settings))  # the app is started anew and finds it so
        runs.open()
        time.sleep(1.2)
        assert runs.get("me", run_id).state == "running"
        with pytest.raises(WrongState):
            runs.delete("me", run_id)
        os.kill(pid, signal.SIGCONT)  # type: ignore[arg-type]
        wait_for(lambda: runs.get("me", run_id).pid == pid)
        step = runs.get("me", run_id).step
        wait_for(lambda: runs.get("me", run_id).step > step)
        assert runs.cancel("me", run_id).state == "stopped"
    finally:
        os.kill(pid, signal.SIGKILL) if runs._line.alive(folder) else None  # type: ignore[arg-type]
        runs.close()
