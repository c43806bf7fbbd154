"""What happens inside a worker, looked at from the same process: what is learned, which settings take effect, and how it fails."""

import json
import math
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground.errors import Sentence, SettingsError, WrongState
from playground.messages import conversation
from playground.models.catalog import Catalog
from playground.settings import PROJECT, Settings
from playground.training import checkpoints, ending, follow, plan, record, resuming, worker
from playground.training.metrics import read_since
from playground.training.progress import Status
from playground.training.runs import Runs
from playground.training.worker import Training, main
from playground.ui.i18n import Texts
from playground.ui.run_words import status_sentence
from playground.workspace import Workspace
from tests.helpers import make_tiny_model

TEXTS = Texts(PROJECT / "assets/locales")
ANSWERS = ["red", "deep green", "blue"]


@pytest.fixture(autouse=True)
def keep_signals() -> Iterator[None]:
    """The worker listens to SIGTERM; the test process should not go on doing so."""
    import signal

    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def folder_of(workspace: Workspace, settings: Settings, learner: Path, rows: int = 24, validation: int = 8, **chosen: Any) -> Path:
    """A queued run that no worker will take, since nothing watches the line."""
    made = [conversation(f"Colour {index}? " + "so " * (index % 5), ANSWERS[index % 3]) for index in range(rows)]
    splits = SimpleNamespace(
        train=made, validation=made[:validation], test=[], instruction="", system="", task="instruction", labels=[], shots=(), slots=()
    )
    runs = Runs(workspace, Catalog(settings))
    run_id = runs.start(
        "me",
        dataset_id="d",
        dataset_name="colours",
        splits=splits,
        settings={"model": f"local:{learner}", "method": "lora", "lora_r": 4, "max_steps": 3, "learning_rate": 1e-2, **chosen},
    )
    return workspace.find("runs", run_id, "me")


def trainer_of(folder: Path) -> Any:
    training = Training(folder, Status(folder))
    return training._trainer(*training._load())[0]


def test_only_answers_are_learned(workspace: Workspace, settings: Settings, learner: Path) -> None:
    trainer = trainer_of(folder_of(workspace, settings, learner))
    tokenizer, seen = trainer.processing_class, 0
    for batch in trainer.get_train_dataloader():
        lengths = batch["lengths"].tolist()
        for ids, labels in zip(batch["input_ids"][0].split(lengths), batch["labels"][0].split(lengths), strict=True):
            learned = labels != -100
            if not learned.any():  # what rounds the batch up
                continue
            assert (ids[learned] == labels[learned]).all()
            assert tokenizer.decode(labels[learned]) in [f"{answer}<|im_end|>" for answer in ANSWERS]
            seen += 1
    assert seen == 24


@pytest.mark.parametrize(
    ("method", "chosen"),
    [
        ("lora", {}),
        ("qlora", {}),
        ("qlora", {"gradient_checkpointing": True}),
        ("lora", {"use_dora": True}),
        ("ia3", {"lora_r": None}),
        ("full", {"lora_r": None}),
    ],
)
def test_the_quick_pass_and_its_gradients_are_those_of_trl_and_peft(
    workspace: Workspace, settings: Settings, learner: Path, monkeypatch: pytest.MonkeyPatch, method: str, chosen: dict[str, Any]
) -> None:
    import torch

    from playground.training import building, quick

    folder = folder_of(workspace, settings, learner, method=method, train_sampling_strategy="random", **chosen)
    ours = trainer_of(folder)
    for name, weight in ours.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    monkeypatch.setattr(quick, "unpack", lambda *args: 0)
    monkeypatch.setattr(building, "suits", lambda *args: False)
    theirs = trainer_of(folder)
    assert ours._quick.flat and theirs._quick is None
    same = dict(ours.model.named_parameters())
    for name, weight in theirs.model.named_parameters():
        if weight.requires_grad:
            weight.data.copy_(same[name].data)
    fused = ["Together" in getattr(module.forward, "__qualname__", "") for module in ours.model.modules()]
    assert sum(fused) == (14 if method in ("lora", "qlora") and not chosen.get("use_dora") else 0)
    assert not any("Together" in getattr(module.forward, "__qualname__", "") for module in theirs.model.modules())
    results = []
    for trainer in (ours, theirs):
        batch = next(iter(trainer.get_train_dataloader()))
        assert ("lengths" in batch) == (trainer is ours)
        items = (batch["labels"][:, 1:] != -100).sum()
        trainer.model.train()
        loss = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=items)
        loss.backward()
        results.append((loss.item(), torch.cat([w.grad.float().flatten() for w in trainer.model.parameters() if w.requires_grad])))
    (our_loss, our_gradient), (their_loss, their_gradient) = results
    assert our_loss == pytest.approx(their_loss, rel=0.01)  # 16-bit arithmetic
    assert torch.nn.functional.cosine_similarity(our_gradient, their_gradient, dim=0) > 0.99
    assert our_gradient.norm().item() == pytest.approx(their_gradient.norm().item(), rel=0.05)
    ours_checked, theirs_checked = ours.evaluate()["eval_loss"], theirs.evaluate()["eval_loss"]
    assert ours_checked == pytest.approx(theirs_checked, rel=0.01)


def test_a_check_on_the_validation_rows_leaves_4_bit_gradients_whole(workspace: Workspace, settings: Settings, learner: Path) -> None:
    """bitsandbytes reorders 4-bit weights when it runs without gradients; a product of those has no way back."""
    import torch

    trainer = trainer_of(folder_of(workspace, settings, learner, method="qlora"))
    trainer.model.get_base_model().get_input_embeddings().requires_grad_(True)  # its gradient has to come through every layer
    batch = next(iter(trainer.get_train_dataloader()))

    def gradient() -> Any:
        trainer.model.train()
        trainer.model.zero_grad()
        trainer.compute_loss(trainer.model, dict(batch)).backward()
        return torch.cat([weight.grad.flatten() for weight in trainer.model.parameters() if weight.requires_grad])

    before = gradient()
    trainer.evaluate()
    assert torch.allclose(before, gradient()) and before.norm() > 0


@pytest.mark.parametrize(
    "chosen",
    [
        {"optim": "adafactor"},
        {"optim": "sgd", "learning_rate": 0.5},
        {"optim": "rmsprop", "learning_rate": 1e-3},
        {"optim": "adamw_torch", "lr_scheduler_type": "cosine_with_restarts", "weight_decay": 0.1},
        {"lr_scheduler_type": "polynomial", "warmup_steps": 2},
        {"lr_scheduler_type": "inverse_sqrt", "lora_dropout": 0.1},
        {"lr_scheduler_type": "constant_with_warmup", "train_sampling_strategy": "sequential"},
        {"use_dora": True, "method": "qlora"},
        {"use_rslora": True, "init_lora_weights": "orthogonal", "train_sampling_strategy": "random"},
        {"gradient_checkpointing": True, "method": "qlora"},
        {"target_modules": ["q_proj", "v_proj"], "gradient_accumulation_steps": 2, "per_device_train_batch_size": 4},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "olora", "use_rslora": True},
        {"packing": True, "max_length": 128},
        {"method": "ia3", "lora_r": None, "learning_rate": 0.1},
        {"method": "ia3", "lora_r": None, "learning_rate": 0.1, "target_modules": ["k_proj", "down_proj"]},
        {"method": "full", "lora_r": None, "learning_rate": 3e-3},
        {"method": "full", "lora_r": None, "learning_rate": 3e-3, "gradient_checkpointing": True, "optim": "adafactor"},
    ],
    ids=lambda chosen: "-".join(map(str, chosen.values())),
)
def test_accepted_settings_train(workspace: Workspace, settings: Settings, learner: Path, chosen: dict[str, Any]) -> None:
    folder = folder_of(workspace, settings, learner, **{"max_steps": 8, "eval_steps": 8, **chosen})
    assert main(folder) == 0
    run = record.read(folder)
    assert run.state == "done", run.error
    points = read_since(folder / "metrics.jsonl")
    assert points[-1]["step"] == 8 and points[-1]["eval_loss"] < points[0]["eval_loss"]
    if run.method == "full":
        assert (folder / "model" / "config.json").is_file() and not (folder / "adapter").exists()
        return
    written = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    if run.method == "ia3":
        assert written["peft_type"] == "IA3" and set(written["feedforward_modules"]) == {"down_proj"}
        assert set(written["target_modules"]) == set(chosen.get("target_modules", ["k_proj", "v_proj", "down_proj"]))
        return
    from_weights = chosen.get("init_lora_weights") in ("pissa", "olora")
    assert written["r"] == (8 if from_weights else 4), "an adapter that began from the weights is saved as a plain one of twice the rank"
    assert written["init_lora_weights"] is True or not from_weights
    assert written["use_dora"] == chosen.get("use_dora", False)
    assert written["use_rslora"] == chosen.get("use_rslora", False)
    if isinstance(chosen.get("target_modules"), list):
        assert set(written["target_modules"]) == {"q_proj", "v_proj"}


def test_early_stopping_ends_the_run_and_keeps_the_best(workspace: Workspace, settings: Settings, learner: Path) -> None:
    folder = folder_of(
        workspace, settings, learner, max_steps=200, eval_steps=2, early_stopping_patience=3, learning_rate=0.2, max_grad_norm=1000
    )
    main(folder)
    run = record.read(folder)
    assert run.state == "done" and run.step < 200
    losses = {point["step"]: point["eval_loss"] for point in read_since(folder / "metrics.jsonl") if point["eval_loss"] is not None}
    assert run.best_eval_loss == min(losses.values()) and losses[run.best_step] == run.best_eval_loss  # type: ignore[index]
    assert record.manifest(folder)["step"] == run.best_step  # type: ignore[index]
    told = unescape(status_sentence(run, read_since(folder / "metrics.jsonl"), lambda key, **values: TEXTS.say(key, **values), str))
    assert f"It ended early, at step {run.step}: 3 checks in a row without improvement" in told
    assert run.best_step == run.step - 6 and told.count(f"What is kept is from step {run.best_step}") == 1, told


def test_long_rows_are_cut_and_told(workspace: Workspace, settings: Settings, learner: Path) -> None:
    folder = folder_of(workspace, settings, learner, max_length=32, max_steps=1)
    main(folder)
    run = record.read(folder)
    assert run.state == "done" and "lost the start of their prompt" in run.warnings[0] and len(run.warnings) == 1


@pytest.mark.parametrize("chosen", [{}, {"logging_steps": 2}, {"logging_steps": 3, "validation": 0}], ids=str)
def test_a_model_whose_loss_is_no_number_is_told_before_it_learns(
    workspace: Workspace, settings: Settings, tmp_path: Path, chosen: dict[str, Any]
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    broken = make_tiny_model(tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"] = torch.full_like(weights["model.norm.weight"], math.nan)
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    folder = folder_of(workspace, settings, broken, **chosen)
    assert main(folder) == 0
    run = record.read(folder)
    assert run.state == "failed" and "the model's own weights are damaged" in str(run.error) and "step 1" in str(run.error)
    assert "learning rate" not in str(run.error), "nothing had been learned yet"
    assert not run.has_adapter and not (folder / "adapter").exists()


def test_a_run_that_fell_apart_is_not_offered_to_be_resumed(
    workspace: Workspace, settings: Settings, learner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(workspace, settings, learner, validation=0, max_steps=8, save_steps=2)
    real = follow.Follow.on_log

    def fall_apart(self: Any, args: Any, state: Any, control: Any, logs: dict[str, Any], **more: Any) -> None:
        real(self, args, state, control, {**logs, "loss": math.nan} if state.global_step == 5 and "loss" in logs else logs, **more)

    monkeypatch.setattr(follow.Follow, "on_log", fall_apart)
    assert main(folder) == 0
    run = record.read(folder)
    assert run.state == "failed" and "step 5" in str(run.error) and checkpoints.newest(folder / "checkpoints")
    assert run.can_resume is None
    assert run.has_adapter and record.manifest(folder)["step"] == 4  # type: ignore[index]
    assert run.warnings == [Sentence(worker.LAST_GOOD, step=4)], "and no word of a damaged curve, though step 5 has no point"
    with pytest.raises(WrongState, match="smaller learning rate"):
        resuming.take_up(folder, {}, turn=1.0)
    assert record.read(folder).state == "failed"


def test_a_run_that_falls_apart_before_its_first_point_is_not_told_that_its_model_was_broken(
    workspace: Workspace, settings: Settings, learner: Path
) -> None:
    import torch

    folder = folder_of(workspace, settings, learner, validation=0, logging_steps=4, max_steps=8)
    training = Training(folder, Status(folder))
    trainer, _ = training._trainer(*training._load())
    real, steps = trainer.training_step, iter(range(8))

    def from_the_third_on(*args: Any, **more: Any) -> Any:
        loss = real(*args, **more)
        return loss if next(steps) < 2 else torch.full_like(loss, math.nan)

    trainer.training_step = from_the_third_on
    with pytest.raises(ending.FellApart, match=r"At step 4 .* learning rate"):
        trainer.train()


def test_the_best_is_kept_of_a_run_that_fell_apart(
    workspace: Workspace, settings: Settings, learner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.numpy import load_file

    folder = folder_of(workspace, settings, learner, max_steps=20, save_steps=2, eval_steps=2)
    real_log, real_check = follow.Follow.on_log, follow.Follow.on_evaluate

    def fall_apart(self: Any, args: Any, state: Any, control: Any, logs: dict[str, Any], **more: Any) -> None:
        real_log(self, args, state, control, {**logs, "loss": math.nan} if state.global_step == 9 and "loss" in logs else logs, **more)

    def best_at_6(self: Any, args: Any, state: Any, control: Any, metrics: dict[str, Any], **more: Any) -> None:
        real_check(self, args, state, control, {**metrics, "eval_loss": 1 + abs(state.global_step - 6)}, **more)

    monkeypatch.setattr(follow.Follow, "on_log", fall_apart)
    monkeypatch.setattr(follow.Follow, "on_evaluate", best_at_6)
    assert main(folder) == 0
    run = record.read(folder)
    assert run.state == "failed" and "step 9" in str(run.error), "it tells why it ended"
    assert run.has_adapter and run.warnings == [Sentence(worker.BEST, step=6)]
    assert record.manifest(folder)["step"] == 6  # type: ignore[index]
    kept, saved = load_file(folder / "adapter" / "adapter_model.safetensors"), checkpoints.of_step(folder / "checkpoints", 6)
    weights = load_file(saved / "weights.safetensors")  # type: ignore[operator]
    assert len(kept) == len(weights)
    for name, weight in weights.items():
        assert (weight == kept[name.replace(".default", "")]).all(), name


def test_while_it_writes_large_files_it_says_so(
    workspace: Workspace, settings: Settings, learner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from playground.training import checkpoints, methods

    folder, told = folder_of(workspace, settings, learner, max_steps=2, save_steps=2), []
    for module in (checkpoints, methods):

        def save(*args: Any, real: Any = module.save, **more: Any) -> Any:  # type: ignore[attr-defined]
            told.append(record.status(folder)["saving"])
            return real(*args, **more)

        monkeypatch.setattr(module, "save", save)
    main(folder)
    assert len(told) >= 2 and all(told) and record.read(folder).state == "done"
    assert record.status(folder)["saving"] is False


@pytest.mark.parametrize("save_steps", [2, 0])
def test_a_full_disk_ends_the_run_with_a_sentence_and_whole_metrics(
    workspace: Workspace, settings: Settings, learner: Path, monkeypatch: pytest.MonkeyPatch, save_steps: int
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    from playground.training.progress import Curve

    folder = folder_of(workspace, settings, learner, max_steps=50, save_steps=save_steps)
    real = follow.Follow.on_log

    def fill_up(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.global_step == 3:
            self._curve._file.close()
            self._curve = Curve(full)
        real(self, args, state, control, **more)

    monkeypatch.setattr(follow.Follow, "on_log", fill_up)
    assert main(folder) == 0
    run = record.read(folder)
    assert run.state == "stopped" and run.error == Sentence(ending.PAUSED if save_steps else ending.NOTHING_SAVED, step=3)
    assert run.can_resume == (2 if save_steps else None), "Resume is named where it is offered"
    assert [point["step"] for point in read_since(folder / "metrics.jsonl")] == [0, 1, 2]


@pytest.mark.parametrize(("error", "said"), [(MemoryError(), "ran out of memory"), (ZeroDivisionError("odd"), "reference")])
def test_unexpected_ends_are_told_in_plain_words(
    workspace: Workspace, settings: Settings, learner: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(self: Training) -> None:
        raise error

    monkeypatch.setattr(Training, "_load", fail)
    folder = folder_of(workspace, settings, learner)
    assert main(folder) == 0
    run = record.read(folder)
    assert run.state == "failed" and said in str(run.error) and "odd" not in str(run.error)


def test_layers_that_do_not_exist_are_named(
    workspace: Workspace, settings: Settings, learner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="wonder_proj"):
        folder_of(workspace, settings, learner, target_modules=["q_proj", "wonder_proj"])
    monkeypatch.setattr(plan, "layers_here", lambda ref: None)  # as of a model that is downloaded when the run begins
    folder = folder_of(workspace, settings, learner, target_modules=["q_proj", "wonder_proj"])
    main(folder)
    run = record.read(folder)
    assert run.state == "failed" and "wonder_proj" in str(run.error) and "v_proj" in str(run.error)


def test_a_rank_above_the_weights_that_an_adapter_begins_from_is_told_before_anything_is_trained(
    workspace: Workspace, settings: Settings, learner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {"method": "lora", "init_lora_weights": "pissa", "lora_r": 65}
    with pytest.raises(SettingsError, match="at most 64"):
        folder_of(workspace, settings, learner, **given)
    monkeypatch.setattr(plan, "layers_here", lambda ref: None)
    folder = folder_of(workspace, settings, learner, **given)
    main(folder)
    run = record.read(folder)
    assert run.state == "failed" and run.step == 0 and "lora_r can be at most 64" in str(run.error)


def test_stopped_before_anything_was_learned(workspace: Workspace, settings: Settings, learner: Path) -> None:
    folder = folder_of(workspace, settings, learner)
    (folder / "request.json").write_text('{"kind": "stop", "at": 0}')
    main(folder)
    run = record.read(folder)
    assert run.state == "stopped" and not run.has_adapter and run.error is None


def test_stopped_during_the_check_before_the_first_step(
    workspace: Workspace, settings: Settings, learner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real = folder_of(workspace, settings, learner, eval_steps=2), follow.Follow.on_prediction_step

    def ask(self: Any, *args: Any, **more: Any) -> None:
        (folder / "request.json").write_text('{"kind": "stop", "at": 0}')
        real(self, *args, **more)

    monkeypatch.setattr(follow.Follow, "on_prediction_step", ask)
    assert main(folder) == 0
    run = record.read(folder)
    assert (run.state, run.step, run.error, run.warnings, run.can_resume, run.has_adapter) == ("stopped", 0, None, [], None, False)
    assert not checkpoints.found(folder / "checkpoints")
    told = status_sentence(run, [], lambda key, **values: TEXTS.say(key, **values), str)
    assert told == TEXTS.say("told.nothing"), "and nothing of going on"
