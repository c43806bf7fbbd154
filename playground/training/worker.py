"""The process that trains one run: `python -m playground.training.worker RUN_DIR`.

It owns its run folder while it holds `worker.lock`: status, curve, adapter, and the manifest last. It goes on when the app ends, and hears
no request but the one in its folder. The only importer of trl. Knows neither owners nor the line of runs.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError, Sentence, pack, storage_errors
from playground.training import record
from playground.training.config import TrainingSettings
from playground.training.cores import Cores
from playground.training.defaults import check_rows
from playground.training.dispatch import claim
from playground.training.progress import Curve, Status
from playground.training.samples import Samples
from playground.workspace import write_json

UNEXPECTED = (
    "Training stopped unexpectedly (reference {reference}). The end of its log is below; the whole log is worker.log in the run's folder."
)
NO_MEMORY = (
    "The machine ran out of memory at step {step}. Choose a smaller batch size or max_length, switch gradient_checkpointing on, "
    "or choose a smaller model, then train again."
)


def main(folder: Path) -> int:
    """Train the run in `folder`. The exit code is 0 when its status tells how it ended, also when that is failed."""
    held = claim(folder)
    if held is None:
        print("another worker is at this run", flush=True)
        return 3
    with held:
        status = Status(folder)
        try:
            Training(folder, status).run()
        except PlaygroundError as error:
            _say(f"failed: {error}")
            status.end("failed", error.sentence)
        except BaseException as error:
            traceback.print_exc()
            if _is_memory(error):
                status.end("failed", Sentence(NO_MEMORY, step=status.now.get("step", 0)))
            else:
                status.end("failed", Sentence(UNEXPECTED, reference=secrets.token_hex(3)))
    return 0


class Training:
    """One training, phase by phase: load, learn, save."""

    def __init__(self, folder: Path, status: Status) -> None:
        self.folder, self.status = folder, status
        status.doing(Sentence("Loading the training programs."), state="starting")
        self.asked = record.config(folder)
        self.settings = TrainingSettings(**self.asked["settings"])
        self.warnings: list[Sentence] = []
        self.signalled = False
        self.learned_in = 0.0  # seconds of the training loop, with its checks
        warnings.simplefilter("ignore", FutureWarning)  # names that the pinned libraries still know
        signal.signal(signal.SIGTERM, self._on_signal)

    def run(self) -> None:
        self.status.doing(Sentence("Loading the model."))
        model, tokenizer = self._load()
        if not self._wanted():
            return
        self.status.doing(Sentence("Reading the examples."))
        trainer, follow = self._trainer(model, tokenizer)
        if not self._wanted():
            return
        self._learn(trainer, follow)
        self._save(trainer, follow)

    def _load(self) -> tuple[Any, Any]:
        from playground.models.catalog import ModelRef
        from playground.models.loading import load
        from playground.models.template import load_tokenizer

        ref = ModelRef(**self.asked["model"])
        quantised = self.settings.method == "qlora"
        model = load(ref, quantised=quantised)
        if quantised:
            from peft import prepare_model_for_kbit_training

            from playground.training.quick import unpack

            model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
            unpack(model, _dtype())
        return model, load_tokenizer(ref)

    def _trainer(self, model: Any, tokenizer: Any) -> tuple[Any, Any]:
        import torch
        from datasets import Dataset
        from peft import LoraConfig

        from playground.models.loading import cores
        from playground.training import examples
        from playground.training.answers import answer_trainer
        from playground.training.follow import Follow

        settings, rows = self.settings, self.asked["rows"]
        train = examples.read(self.folder / "data" / "train.jsonl", tokenizer, settings.max_length)
        if not len(train):
            raise PlaygroundError(
                "None of the {rows} examples has an answer that fits into {length} tokens. Raise max_length, or shorten the answers.",
                rows=rows["train"], length=settings.max_length,
            )  # fmt: skip
        limit = check_rows(rows["validation"], len(train), settings, parted=self.asked.get("task") == "completion")
        validation = examples.read(self.folder / "data" / "validation.jsonl", tokenizer, settings.max_length, limit) if limit else None
        self._warn(train, validation)
        lora = LoraConfig(
            r=settings.lora_r,
            lora_alpha=settings.lora_alpha,
            lora_dropout=settings.lora_dropout,
            target_modules=settings.target_modules,
            use_dora=settings.use_dora,
            use_rslora=settings.use_rslora,
            init_lora_weights=settings.init_lora_weights,
            task_type="CAUSAL_LM",
        )
        _check_targets(model, settings.target_modules)
        curve = Curve(self.folder / "metrics.jsonl")
        samples = Samples(self.folder, tokenizer, settings.max_length, _dtype())
        follow = Follow(
            self.folder,
            self.status,
            curve,
            patience=settings.early_stopping_patience,
            signalled=lambda: self.signalled,
            cores=None if torch.cuda.is_available() else Cores(cores(), torch.set_num_threads),
            answer=samples.answer,
        )
        from transformers import PrinterCallback
        from trl import SFTConfig, SFTTrainer

        from playground.training.quick import attend_in_32_bits, fuse

        trainer = answer_trainer(SFTTrainer)(
            model,
            args=SFTConfig(**self._arguments(bool(validation))),
            train_dataset=Dataset.from_dict(train.columns),
            eval_dataset=Dataset.from_dict(validation.by_length) if validation else None,
            processing_class=tokenizer,
            peft_config=lora,
            callbacks=[follow],
            count=follow.count,
        )
        trainable, total = _parameters(trainer.model)
        if not torch.cuda.is_available():
            fuse(trainer.model, _dtype())
            if _dtype() is torch.bfloat16:
                attend_in_32_bits(trainer.model.get_base_model())
        trainer.remove_callback(PrinterCallback)  # the log tells less, and `follow` tells it
        self.status.write(trainable_parameters=trainable, total_parameters=total)
        return trainer, follow

    def _arguments(self, checks: bool) -> dict[str, Any]:
        """Transformers' and TRL's own arguments; ours have the same names."""
        import torch

        settings, gpu = self.settings, torch.cuda.is_available()
        same = (
            "learning_rate", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps", "max_length", "warmup_steps",
            "max_grad_norm", "weight_decay", "lr_scheduler_type", "optim", "seed", "logging_steps", "gradient_checkpointing", "packing",
            "train_sampling_strategy",
        )  # fmt: skip
        return {
            **{name: getattr(settings, name) for name in same},
            "output_dir": str(self.folder / "checkpoints"),
            "max_steps": settings.max_steps or -1,
            "per_device_eval_batch_size": max(8, settings.per_device_train_batch_size),
            "eval_strategy": "steps" if checks else "no",
            "eval_steps": settings.eval_steps if checks else None,
            "eval_on_start": checks,
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "logging_nan_inf_filter": False,  # a loss that is no number ends the run; it is not hidden
            "bf16": _dtype() is torch.bfloat16,
            "use_cpu": not gpu,
            "dataloader_pin_memory": gpu,
            "completion_only_loss": False,  # labels say already what is learned
            "dataset_kwargs": {"skip_prepare_dataset": not settings.packing},
            "eval_packing": False,
        }

    def _learn(self, trainer: Any, follow: Any) -> None:
        from playground.training.follow import Asked

        began = time.perf_counter()
        try:
            trainer.train()
        except Asked:
            follow.stopped = True
            follow.on_train_end(trainer.args, trainer.state, trainer.control)
        self.learned_in = time.perf_counter() - began

    def _save(self, trainer: Any, follow: Any) -> None:
        """The adapter into a draft folder, renamed when whole; the manifest after it; the last status after that."""
        step = trainer.state.global_step
        state = "stopped" if follow.stopped else "done"
        if step == 0:
            self.status.end(state)
            return
        self.status.doing(Sentence("Saving what it has learned."))
        if follow.best is not None and follow.best[2] is not None and follow.best[1] != step:
            step = follow.best[1]
            _restore(trainer.model, follow.best[2])
            self.warnings.append(Sentence("What is kept is from step {step}, where the loss on the validation rows was lowest.", step=step))
        draft, final = self.folder / ".adapter", self.folder / "adapter"
        shutil.rmtree(draft, ignore_errors=True)
        with storage_errors():
            trainer.model.save_pretrained(str(draft), save_embedding_layers=False)
        shutil.rmtree(final, ignore_errors=True)
        draft.rename(final)
        write_json(self.folder / "manifest.json", self._manifest(final, step, state))
        self.status.end(state, step=trainer.state.global_step, warnings=[pack(one) for one in self.warnings])
        _say(f"{state} at step {trainer.state.global_step}")

    def _manifest(self, adapter: Path, step: int, state: str) -> dict[str, Any]:
        import peft
        import torch
        import transformers
        import trl

        weights = adapter / "adapter_model.safetensors"
        now = self.status.now
        return {
            "state": state,
            "step": step,
            "loss": now.get("loss"),
            "eval_loss": now.get("eval_loss"),
            "best_eval_loss": now.get("best_eval_loss"),
            "best_step": now.get("best_step"),
            "finished": time.time(),
            "loop_seconds": round(self.learned_in, 3),
            "adapter": {"sha256": hashlib.sha256(weights.read_bytes()).hexdigest(), "bytes": weights.stat().st_size},
            "versions": {module.__name__: module.__version__ for module in (torch, transformers, trl, peft)},
        }

    def _wanted(self) -> bool:
        """False, with the last status written, when the user asked to stop before anything was learned."""
        if not self.signalled and record.request(self.folder) is None:
            return True
        self.status.end("stopped")
        return False

    def _warn(self, train: Any, validation: Any) -> None:
        length = self.settings.max_length
        if train.cut:
            message = (
                "{cut} of {rows} conversations were longer than {length} tokens and lost their beginning."
                if self.asked.get("task") == "chat"
                else "{cut} of {rows} examples were longer than {length} tokens and lost the start of their prompt."
            )
            self.warnings.append(Sentence(message, cut=train.cut, rows=train.read, length=length))
        if train.parted:
            message = "{count} of {rows} texts were longer than {length} tokens and are learnt in several parts, each by itself."
            self.warnings.append(Sentence(message, count=train.parted, rows=train.read, length=length))
        if train.empty:
            self.warnings.append(Sentence("{rows} examples without an answer to learn were left out.", rows=train.empty))
        rows = self.asked["rows"]["validation"]
        if validation is not None and validation.read < rows:
            used = validation.read - validation.empty
            self.warnings.append(Sentence("The curve uses {used} of the {rows} validation rows, to save time.", used=used, rows=rows))
        self.status.write(warnings=[pack(one) for one in self.warnings])

    def _on_signal(self, number: int, frame: object) -> None:
        self.signalled = True  # the machine is shutting down, or someone ended the process politely: keep what was learned


def _check_targets(model: Any, targets: str | list[str]) -> None:
    """PEFT passes over a name that matches nothing as long as another one matches.

    Raises:
        PlaygroundError: a layer name that the model does not have, with those that it has.
    """
    if isinstance(targets, str):
        return
    import torch

    paths = [path for path, module in model.named_modules() if isinstance(module, torch.nn.Linear) and path != "lm_head"]
    unknown = [name for name in targets if not any(path == name or path.endswith(f".{name}") for path in paths)]
    if unknown:
        raise PlaygroundError(
            "The model has no layers called {unknown}. In target_modules it knows: {known}.",
            unknown=", ".join(unknown), known=", ".join(sorted({path.rsplit(".", 1)[-1] for path in paths})),
        )  # fmt: skip


def _restore(model: Any, weights: dict[str, Any]) -> None:
    parameters = dict(model.named_parameters())
    for name, weight in weights.items():
        parameters[name].data.copy_(weight)


def _parameters(model: Any) -> tuple[int, int]:
    """Trainable and all parameters; PEFT knows how many a packed 4-bit weight stands for."""
    return model.get_nb_trainable_parameters()


def _dtype() -> Any:
    """The arithmetic that is fast here: a processor without 16-bit units would only imitate them, slowly."""
    import torch

    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32


def _is_memory(error: BaseException) -> bool:
    """torch tells a processor's lack of memory only in words."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def _say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
