"""A rehearsal of real models in its own process; and parameter counts beside those of PEFT."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground.errors import WrongState
from playground.jobs import Jobs
from playground.messages import conversation
from playground.models.catalog import Catalog
from playground.models.loading import load
from playground.settings import Settings
from playground.training import methods
from playground.training.ahead.anatomy import anatomy_of, counts
from playground.training.ahead.estimate import Measured
from playground.training.ahead.forecast import Forecasts
from playground.training.ahead.rehearsal import by_steps
from playground.training.ahead.rehearse import REHEARSAL, Rehearsals
from playground.training.config import TrainingSettings
from playground.training.plan import Plan
from playground.training.runs import Runs
from playground.workspace import Workspace, write_json

STARVED = """
import resource, runpy, sys
import torch, transformers, trl, peft, datasets, tensorboardX  # what the process loads anyway
start = torch.ones(600, 600, requires_grad=True)
(start @ start).sum().backward()  # threads begun later would not find room for their stacks, and everybody would wait for them
used = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + {room} * 1024**2,) * 2)
sys.argv = ["rehearsal", *sys.argv[1:]]
runpy.run_module("playground.training.ahead.rehearsal", run_name="__main__")
"""


def splits_of(rows: int = 40, words: int = 3) -> Any:
    made = [conversation(f"Colour {index}?", "red " * (1 + index % words)) for index in range(rows)]
    return SimpleNamespace(
        train=made, validation=made[:8], test=[], instruction="", system="", task="instruction", labels=[], shots=(), slots=()
    )


def plan_of(workspace: Workspace, settings: Settings, model: Path, splits: Any, **given: Any) -> Plan:
    return Runs(workspace, Catalog(settings)).plan(splits, {"model": f"local:{model}", "method": "lora", "max_steps": 50, **given})


@pytest.mark.parametrize(
    "given",
    [
        {"method": "lora"},
        {"method": "lora", "lora_r": 3, "target_modules": ["q_proj", "mlp.down_proj"]},
        {"method": "lora", "use_dora": True},
        {"method": "lora", "init_lora_weights": "olora"},
        {"method": "lora", "init_lora_weights": "pissa"},
        {"method": "qlora"},
        {"method": "ia3"},
        {"method": "ia3", "target_modules": ["v_proj", "down_proj", "o_proj"]},
        {"method": "full"},
    ],
    ids=str,
)
def test_parameters_are_counted_as_peft_counts_them(workspace: Workspace, settings: Settings, learner: Path, given: dict[str, Any]) -> None:
    plan = plan_of(workspace, settings, learner, splits_of(), **given)
    chosen: TrainingSettings = plan.settings
    made = anatomy_of(learner)
    assert made is not None
    model = methods.attach(load(plan.model, quantised=chosen.method == "qlora"), chosen)
    assert counts(made, chosen) == methods.counts(model)


def test_a_rehearsal_measures_and_leaves_nothing_behind(workspace: Workspace, settings: Settings, learner: Path) -> None:
    splits, forecasts, jobs = splits_of(), Forecasts(workspace), Jobs(workspace)
    plan = plan_of(workspace, settings, learner, splits)
    before = forecasts.estimate(plan, splits)
    remembered: list[Measured] = []
    forecasts.remember = lambda plan, splits, seen: (remembered.append(seen), Forecasts.remember(forecasts, plan, splits, seen))  # type: ignore
    rehearsals = Rehearsals(workspace, jobs, forecasts)
    job = rehearsals.start("me", plan, splits)
    found = rehearsals.result(job)
    assert job.state == "done" and job.done == 3
    seen = remembered[0]
    assert seen.check_seconds and seen.answer_seconds and seen.check_seconds < seen.answer_seconds, "a check has no answers in it"
    assert seen.usual_seconds == pytest.approx(found.seconds_per_step, abs=0.002), "the time of a step is that of usual rows"
    assert found.measured and not before.measured and found.fits == "fits" and not found.error
    assert 300 < found.memory_mb < 3000 and found.seconds > 3 and found.tokens_per_second
    assert (found.trainable_parameters, found.total_parameters) == (before.trainable_parameters, before.total_parameters)
    assert forecasts.estimate(plan, splits).measured, "the figures stay for the next look"
    longer = plan_of(workspace, settings, learner, splits, max_steps=100)
    assert forecasts.estimate(longer, splits).seconds > found.seconds
    assert not forecasts.estimate(plan_of(workspace, settings, learner, splits, lora_r=4), splits).measured
    assert not [path for path in (workspace.home / "jobs" / job.job_id).iterdir() if path.is_dir()] and not workspace.list("runs")


def test_usual_rows_meet_in_steps_as_the_run_lets_them_meet() -> None:
    rows = [([1] * length, [1] * length, length) for length in (9, 1, 8, 2, 7, 3, 6, 4, 5)]
    grouped = by_steps(list(rows), 2, "group_by_length")
    assert [[length for *_, length in step] for step in grouped] == [[5, 6], [3, 4], [7, 8], [1, 2]]
    mixed = by_steps(list(rows), 2, "random")
    assert len(mixed) == 4 and max(abs(one[2] - other[2]) for one, other in mixed) > 1, "as chance has it"
    assert not by_steps(rows[:1], 2, "random")


def test_a_rehearsal_of_a_run_with_questions_of_ones_own_and_one_that_breaks(
    workspace: Workspace, settings: Settings, learner: Path
) -> None:
    splits, forecasts = splits_of(), Forecasts(workspace)
    plan = plan_of(workspace, settings, learner, splits, sample_prompts=["What colour?"])
    rehearsals = Rehearsals(workspace, Jobs(workspace), forecasts)
    found = rehearsals.result(rehearsals.start("me", plan, splits))
    assert found.measured and not found.error
    other = plan_of(workspace, settings, learner, splits, lora_r=4)
    broken = Rehearsals(workspace, Jobs(workspace), forecasts, command=(sys.executable, "-c", "raise SystemExit(3)"))
    failed = broken.result(broken.start("me", other, splits))
    assert failed.error and failed.fits == "fits" and not failed.advice
    assert not forecasts.estimate(other, splits).error, "what broke once may not break again"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limit is set from Linux's figures")
def test_a_rehearsal_without_memory_says_that_it_does_not_fit(workspace: Workspace, settings: Settings, learner: Path) -> None:
    splits = splits_of(400, words=200)
    plan = plan_of(workspace, settings, learner, splits, per_device_train_batch_size=128)
    forecasts = Forecasts(workspace)
    rehearsals = Rehearsals(workspace, Jobs(workspace), forecasts, command=(sys.executable, "-c", STARVED.format(room=500)), limit=120)
    found = rehearsals.result(rehearsals.start("me", plan, splits))
    assert found.fits == "does not fit" and not found.measured
    assert found.error and "ran out of memory" in found.error
    assert any("per_device_train_batch_size" in one for one in found.advice)


def test_a_rehearsal_waits_for_runs_and_gives_way_to_them(workspace: Workspace, settings: Settings, learner: Path) -> None:
    splits, jobs = splits_of(), Jobs(workspace)
    plan = plan_of(workspace, settings, learner, splits)
    slow = (sys.executable, "-c", "import time; time.sleep(60)")
    rehearsals = Rehearsals(workspace, jobs, Forecasts(workspace), command=slow)
    job = rehearsals.start("me", plan, splits)
    folder = workspace.draft("runs")
    write_json(folder / "status.json", {"state": "running"})
    workspace.publish(folder, owner="me", name="r")
    with pytest.raises(WrongState, match="A run has begun"):
        rehearsals.result(job)
    with pytest.raises(WrongState, match="is training"):
        rehearsals.start("me", plan, splits)


def test_a_rehearsal_can_be_stopped_and_has_a_limit(workspace: Workspace, settings: Settings, learner: Path) -> None:
    splits, jobs = splits_of(), Jobs(workspace)
    plan = plan_of(workspace, settings, learner, splits)
    slow = (sys.executable, "-c", "import time; time.sleep(60)")
    stopped = Rehearsals(workspace, jobs, Forecasts(workspace), command=slow)
    job = stopped.start("me", plan, splits)
    jobs.stop("me", job.job_id)
    with pytest.raises(WrongState, match="was stopped"):
        stopped.result(job)
    limited = Rehearsals(workspace, jobs, Forecasts(workspace), command=slow, limit=1.0)
    found = limited.result(limited.start("me", plan, splits))
    assert found.error and "longer than" in found.error
    assert not list(workspace.home.glob("jobs/*/rehearsal"))


def test_the_process_ends_itself(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from playground.training.ahead import rehearsal as r\nimport time\n"
    code += "r.Rehearsal = lambda folder: time.sleep(60)\nr.main(Path(sys.argv[1]), 1)"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60, check=False)
    assert done.returncode and not (tmp_path / "rehearsal.json").exists() and REHEARSAL[2] == "playground.training.ahead.rehearsal"
