"""Real runs: a small real model, TRL, PEFT and bitsandbytes, in real worker processes."""

import hashlib
import json
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from playground.messages import Conversation, Message
from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.training import record
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.integration.colours import begin, examples, learn_here, wait_for


def start(runs: Runs, learner: Path, rows: int = 48, **settings: Any) -> str:
    return begin(runs, learner, rows, instruction="Which colour?", **{"learning_rate": 2e-2, "lora_r": 8, **settings})


def network_connections(pid: int) -> list[Any]:
    try:
        return [one for one in psutil.Process(pid).net_connections(kind="inet")]
    except psutil.Error:
        return []


def test_a_run_learns_offline_while_the_next_waits_and_its_adapter_loads(runs: Runs, learner: Path, workspace: Workspace) -> None:
    run_id = start(runs, learner, num_train_epochs=5, eval_steps=10)
    waiting = start(runs, learner, max_steps=100_000)
    connections = []
    wait_for(lambda: runs.get("me", run_id).pid is not None)
    pid = runs.get("me", run_id).pid
    assert pid is not None and psutil.Process(pid).nice() == 10 and os.getpgid(pid) == pid
    while not runs.get("me", run_id).finished:
        assert runs.get("me", waiting).place_in_line == 1
        connections += network_connections(pid)
        time.sleep(0.2)
    run = runs.get("me", run_id)
    assert run.state == "done", (run.error, run.log_tail)
    assert not connections
    assert (run.step, run.max_steps, run.epoch) == (30, 30, 5.0)
    points = runs.metrics("me", run_id)
    assert [point["step"] for point in points] == list(range(31))
    assert [point["step"] for point in points if point["eval_loss"] is not None] == [0, 10, 20, 30]
    assert points[-1]["eval_loss"] < 0.75 * points[0]["eval_loss"]
    assert points[-1]["loss"] < 0.75 * points[1]["loss"]
    assert all(point[key] is not None for point in points[1:] for key in ("epoch", "loss", "learning_rate", "grad_norm", "tokens", "time"))
    assert run.eval_loss == points[-1]["eval_loss"] and run.loss == points[-1]["loss"]
    assert run.tokens_per_second and run.memory_mb and run.trainable_parameters

    ref = runs.adapter("me", run_id)
    assert ref.sha256 == hashlib.sha256((ref.path / "adapter_model.safetensors").read_bytes()).hexdigest()
    assert ref.quantised and ref.model.source == str(learner)
    assert adapter_loss(learner, ref.path, examples(12)) == pytest.approx(points[-1]["eval_loss"], abs=0.05)

    # the one in line starts by itself; killing it is noticed, with the reason and the end of its log
    wait_for(lambda: runs.get("me", waiting).step > 3)
    victim = runs.get("me", waiting).pid
    os.kill(victim, signal.SIGKILL)  # type: ignore[arg-type]
    began = time.monotonic()
    wait_for(lambda: runs.get("me", waiting).state == "failed", 10)
    assert time.monotonic() - began < 10
    failed = runs.get("me", waiting)
    assert "memory" in str(failed.error) and "step" in failed.log_tail
    assert len(runs.metrics("me", waiting)) >= 3
    log = (workspace.find("runs", run_id, "me") / "worker.log").read_text()
    assert "Traceback" not in log and "Warning" not in log


def test_stop_keeps_what_was_learned_and_a_restarted_app_sees_the_whole_curve(
    runs: Runs, learner: Path, workspace: Workspace, settings: Settings
) -> None:
    run_id = start(runs, learner, method="lora", max_steps=100_000, eval_steps=50)
    wait_for(lambda: runs.get("me", run_id).step > 5)
    runs.close()  # the app ends; the worker does not notice
    pid = runs.get("me", run_id).pid
    again = Runs(workspace, Catalog(settings))
    again.open()
    try:
        before = again.get("me", run_id)
        assert before.state == "running" and before.pid == pid
        wait_for(lambda: again.get("me", run_id).step > before.step + 5)
        assert again.stop("me", run_id).state == "stopping"
        wait_for(lambda: again.get("me", run_id).finished, 30)
        run = again.get("me", run_id)
        assert run.state == "stopped" and run.has_adapter and run.error is None
        steps = [point["step"] for point in again.metrics("me", run_id)]
        assert steps == list(range(run.step + 1))
        ref = again.adapter("me", run_id)
        assert not ref.quantised and adapter_loss(learner, ref.path, examples(12)) < again.metrics("me", run_id)[0]["eval_loss"]
        manifest = json.loads((workspace.find("runs", run_id, "me") / "manifest.json").read_text())
        assert manifest["state"] == "stopped" and manifest["step"] in (run.step, run.best_step)
    finally:
        again.close()


def adapter_loss(model: Path, adapter: Path, rows: list[Conversation]) -> float:
    """Mean loss on the answers, by Transformers and PEFT alone."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from playground.models.catalog import ModelRef
    from playground.models.template import encode, load_tokenizer

    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model), adapter).eval()
    tokenizer = load_tokenizer(ModelRef(f"local:{model}", str(model), None, 512))
    total, count = 0.0, 0
    for row in rows:
        one = encode(tokenizer, row, 512)
        labels = [token if trained else -100 for token, trained in zip(one.ids, one.trained, strict=True)]
        learned = sum(one.trained)
        with torch.no_grad():
            total += tuned(input_ids=torch.tensor([one.ids]), labels=torch.tensor([labels])).loss.item() * learned
        count += learned
    return total / count


@pytest.mark.parametrize("task", ["chat", "completion"])
def test_long_chats_and_texts_are_learnt(runs: Runs, learner: Path, workspace: Workspace, task: str) -> None:
    said = [Message(role, f"{role} says blue") for _ in range(4) for role in ("user", "assistant")]
    chat = Conversation((said[0],), tuple(said[1:]))
    example = chat if task == "chat" else Conversation((), (Message("text", "the sky is blue and the sea is blue, " * 8),))
    splits = SimpleNamespace(
        train=[example] * 16, validation=[example] * 4, test=[], instruction="", system="", task=task, labels=[], shots=(), slots=()
    )  # fmt: skip
    chosen = {"model": f"local:{learner}", "learning_rate": 2e-2, "max_length": 48, "num_train_epochs": 4, "eval_steps": 4}
    run_id = learn_here(runs, workspace, lambda: runs.start("me", dataset_id="d", dataset_name=task, splits=splits, settings=chosen))
    run = runs.get("me", run_id)
    assert run.state == "done", (run.error, run.log_tail)
    assert run.max_steps == runs.plan(splits, chosen).steps, "long texts are counted as the trainer counts them"
    points = runs.metrics("me", run_id)
    assert points[-1]["eval_loss"] < 0.75 * points[0]["eval_loss"]
    told = "16 of 16 conversations were" if task == "chat" else "16 of 16 texts were"
    assert any(str(warning).startswith(told) for warning in run.warnings)
    samples = runs.samples("me", run_id)
    assert len(samples["prompts"]) == 3 and len(samples["steps"][-1]["answers"]) == 3
    assert samples["prompts"][0]["prompt"].startswith("user says" if task == "chat" else "the sky")
    assert runs.adapter("me", run_id).task == task


def test_of_a_run_on_a_card_the_cards_memory_is_told(
    runs: Runs, learner: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from playground.training import follow, memory, worker

    stand_in = SimpleNamespace(
        is_available=lambda: True, memory_reserved=lambda: 700 * 1024**2, max_memory_reserved=lambda: 900 * 1024**2 + 5
    )

    def card() -> dict[str, int]:
        """`memory.card` with a card, while all else of the run knows that there is none."""
        with monkeypatch.context() as patched:
            patched.setattr(torch, "cuda", stand_in)
            return memory.card()

    run_id = learn_here(runs, workspace, lambda: begin(runs, learner, 24, method="lora", max_steps=3, eval_steps=2))
    assert runs.get("me", run_id).max_memory_reserved_mb is None
    assert all(point["memory_reserved_mb"] is None for point in runs.metrics("me", run_id)), "no card, no figure"
    monkeypatch.setattr(follow, "card", card)
    monkeypatch.setattr(worker, "card", card)
    run_id = learn_here(runs, workspace, lambda: begin(runs, learner, 24, method="lora", max_steps=3, eval_steps=2))
    run = runs.get("me", run_id)
    assert (run.memory_reserved_mb, run.max_memory_reserved_mb) == (700, 900) and run.memory_mb and run.memory_mb > 100
    learned = [point for point in runs.metrics("me", run_id) if point["loss"] is not None]
    assert [(point["memory_reserved_mb"], point["max_memory_reserved_mb"]) for point in learned] == [(700, 900)] * 3
    manifest = record.manifest(workspace.find("runs", run_id, "me"))
    assert manifest is not None and manifest["max_memory_reserved_mb"] == 900
