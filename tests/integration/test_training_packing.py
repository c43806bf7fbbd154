"""Packed rows: what is said of a run beforehand is what its trainer then makes of them."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground.training.ahead.estimate import Planned, work_of
from playground.training.ahead.forecast import Forecasts
from playground.training.config import TrainingSettings
from playground.training.examples import Encoded
from playground.training.packing import AT_ONCE, pack
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.integration.colours import begin, examples, learn_here


@pytest.mark.parametrize("rows", [1, 7, 400, AT_ONCE + 200])
def test_rows_are_packed_as_trl_packs_them(rows: int) -> None:
    from playground.training.building import _dataset

    chance = random.Random(rows)
    lengths = [chance.randint(1, 64) for _ in range(rows)]
    encoded = Encoded([[place] * length for place, length in enumerate(lengths)], [[0] * length for length in lengths], lengths)
    packed = _dataset(encoded, SimpleNamespace(packing=True, max_length=64))
    ours = pack(lengths, 64)
    assert sorted(packed["length"]) == sorted(sum(lengths[place] for place in places) for places in ours)
    assert sorted(place for places in ours for place in places) == list(range(rows))


def test_steps_checks_and_estimate_are_those_of_packed_rows(runs: Runs, learner: Path, workspace: Workspace) -> None:
    asked: dict[str, Any] = {"method": "lora", "lora_r": 4, "packing": True, "max_length": 128, "num_train_epochs": 6}
    run_id = learn_here(runs, workspace, lambda: begin(runs, learner, 90, **asked))
    run, points = runs.get("me", run_id), runs.metrics("me", run_id)
    splits = SimpleNamespace(train=examples(90), validation=examples(12), test=[], task="chat")
    plan = runs.plan(splits, {"model": f"local:{learner}", **asked})
    assert run.step == run.max_steps == plan.steps and not plan.about and run.settings["eval_steps"] == plan.settings.eval_steps
    checks = [point["step"] for point in points if point["eval_loss"] is not None]
    assert 8 <= len(checks) <= 13 and checks[-1] == run.step, "spread over the whole run, as where rows stay apart"
    said = Forecasts(workspace)._planned(plan, splits)
    assert isinstance(said, Planned)
    work = work_of(said, gpu=False, half=True)
    read = points[-1]["tokens"] / run.step / plan.settings.gradient_accumulation_steps
    assert work.steps == run.step and work.batches.read == pytest.approx(read, rel=0.1)
    assert work.checks == len(checks)


def test_a_packed_run_takes_about_as_many_steps_as_one_whose_rows_stay_apart(runs: Runs, learner: Path) -> None:
    splits = SimpleNamespace(train=examples(400), validation=examples(12), test=[], task="chat")

    def plan(**given: Any) -> tuple[TrainingSettings, int, float]:
        made = runs.plan(splits, {"model": f"local:{learner}", "max_length": 128, **given})
        return made.settings, made.steps, made.settings.examples_a_step * (made.examples / (made.packed or made.examples))

    apart, packed, given = plan(), plan(packing=True), plan(packing=True, per_device_train_batch_size=32)
    assert packed[0].per_device_train_batch_size < apart[0].per_device_train_batch_size == 8
    assert 0.5 * apart[2] <= packed[2] <= 2 * apart[2], "a step learns from about as many examples"
    assert 0.5 * apart[1] <= packed[1] <= 2 * apart[1]
    assert given[1] < packed[1], "what is given is kept"
