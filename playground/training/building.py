"""The trainer of a run, put together: TRL's for models that continue text, Transformers' for those that read first and then write.

Imports trl, so only the worker imports it. Does not know the run's folder, but for where checkpoints go.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset

from playground.training import ranks
from playground.training.batches import SideBySide
from playground.training.config import TrainingSettings
from playground.training.examples import Encoded
from playground.training.memory import dtype
from playground.training.methods import causal
from playground.training.quick import Quick, fuse, side_by_side, slim, suits
from playground.training.trainer import playground_trainer

SAME = (
    "learning_rate", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps", "warmup_steps", "max_grad_norm",
    "weight_decay", "lr_scheduler_type", "optim", "seed", "logging_steps", "gradient_checkpointing", "train_sampling_strategy",
)  # fmt: skip


def load() -> None:
    """Import what `build` and the run after it take, for a worker that waits."""
    import bitsandbytes  # noqa: F401
    import tensorboardX  # noqa: F401
    from transformers import AutoModelForSeq2SeqLM, DataCollatorForSeq2Seq, PrinterCallback, Seq2SeqTrainer  # noqa: F401
    from trl import SFTConfig, SFTTrainer  # noqa: F401
    from trl.data_utils import pack_dataset  # noqa: F401


def build(
    model: Any,
    tokenizer: Any,
    settings: TrainingSettings,
    checkpoints: Path,
    train: Encoded,
    validation: Encoded | None,
    follow: Any,
    encoder_decoder: bool = False,
) -> Any:
    """The trainer, ready to train. `model` has its adapters on already; `follow` is a `playground.training.follow.Follow`."""
    from transformers import PrinterCallback

    arguments = _arguments(settings, checkpoints, checks=bool(validation))
    hooks = {"callbacks": [follow], "count": follow.count, "begun": follow.begun}
    hooks |= {"facts": follow.facts, "kept": follow.needed, "saving": follow.saving}
    rows: dict[str, Any] = {
        "train_dataset": _dataset(train, settings),
        "eval_dataset": Dataset.from_dict(validation.by_length) if validation else None,
        "processing_class": tokenizer,
    }
    if encoder_decoder:
        trainer = _encoder_decoder(model, arguments, tokenizer, {**rows, **hooks})
    else:
        trainer = _causal(model, arguments, settings, {**rows, **hooks})
    trainer.remove_callback(PrinterCallback)  # the log tells less, and `follow` tells it
    return trainer


def _causal(model: Any, arguments: dict[str, Any], settings: TrainingSettings, options: dict[str, Any]) -> Any:
    from trl import SFTConfig, SFTTrainer

    inner = causal(model)
    flat = side_by_side(inner, settings.max_length)
    quick = None
    if _alone_on_a_processor() and suits(inner):
        fuse(model, dtype())
        slim(inner, dtype())
        quick = Quick(inner, dtype(), flat)
    beside = quick.flat if quick is not None else settings.packing and flat
    pad = options["processing_class"].pad_token_id or 0
    more = {"completion_only_loss": False, "dataset_kwargs": {"skip_prepare_dataset": True}, "max_length": settings.max_length}
    return playground_trainer(SFTTrainer)(
        model, args=SFTConfig(**arguments, **more), quick=quick, side_by_side=SideBySide(pad) if beside else None, **options
    )


def _encoder_decoder(model: Any, arguments: dict[str, Any], tokenizer: Any, options: dict[str, Any]) -> Any:
    from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainer, Seq2SeqTrainingArguments

    if _alone_on_a_processor():
        fuse(model, dtype())

    return playground_trainer(Seq2SeqTrainer)(
        model=model,
        args=Seq2SeqTrainingArguments(**arguments),
        data_collator=DataCollatorForSeq2Seq(tokenizer, model=causal(model), padding=True),
        **options,
    )


def _alone_on_a_processor() -> bool:
    """Quick passes go around what gathers the gradients of several processes."""
    return not torch.cuda.is_available() and ranks.world() == 1


def _dataset(train: Encoded, settings: TrainingSettings) -> Any:
    rows = Dataset.from_dict(train.columns)
    if not settings.packing:
        return rows
    from trl.data_utils import pack_dataset

    packed = pack_dataset(rows.remove_columns("length"), settings.max_length, "bfd")
    return packed.add_column("length", [len(ids) for ids in packed["input_ids"]])


def _arguments(settings: TrainingSettings, checkpoints: Path, checks: bool) -> dict[str, Any]:
    """Transformers' and TRL's own arguments; ours have the same names."""
    gpu = torch.cuda.is_available()
    return {
        **{name: getattr(settings, name) for name in SAME},
        "output_dir": str(checkpoints),
        "max_steps": settings.max_steps or -1,
        "per_device_eval_batch_size": max(8, settings.per_device_train_batch_size),
        "eval_strategy": "steps" if checks else "no",
        "eval_steps": settings.eval_steps if checks else None,
        "eval_on_start": checks,
        "save_strategy": "steps" if settings.save_steps else "no",
        "save_steps": settings.save_steps or 1,
        "report_to": "none",
        "disable_tqdm": True,
        "logging_nan_inf_filter": False,  # a loss that is no number ends the run; it is not hidden
        "bf16": dtype() is torch.bfloat16,
        "use_cpu": not gpu,
        "dataloader_pin_memory": gpu,
        "ddp_find_unused_parameters": False,  # all that is trained takes part in every pass
    }
