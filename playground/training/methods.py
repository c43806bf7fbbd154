"""What of a model is trained, method by method, and how it is saved: adapters by PEFT, or the whole model.

`lora` and `qlora` add LoRA (Hu et al., 2021, arXiv:2106.09685), on request with DoRA (Liu et al., 2024, arXiv:2402.09353),
rank-stabilised (Kalajdzievski, 2023, arXiv:2312.03732) or begun from the weights themselves (PiSSA, Meng et al., 2024, arXiv:2404.02948;
OLoRA, Büyükakyüz, 2024, arXiv:2406.01775); `ia3` scales keys, values and the feed-forward layer (Liu et al., 2022, arXiv:2205.05638);
`full` trains everything.
Imports torch and PEFT where needed, so only the worker uses it. Does not know the run's folder or its data.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError, storage_errors
from playground.training.config import ALL_LINEAR, FROM_WEIGHTS, TrainingSettings
from playground.training.damage import whole_adapter

KEYS_VALUES = ("k_proj", "v_proj", "k", "v", "key", "value", "query_key_value", "c_attn", "k_lin", "v_lin")
FEEDFORWARD = ("down_proj", "wo", "fc2", "w2", "dense_4h_to_h", "fc_out", "c_proj", "lin2")


def attach(model: Any, settings: TrainingSettings, *, encoder_decoder: bool = False, start: Path | None = None) -> Any:
    """The model with what the method trains switched on, everything else frozen.

    Args:
        start: an adapter of the same method to go on from, instead of a new one.

    Raises:
        PlaygroundError: layers that the model does not have, or an adapter that does not fit it.
    """
    from transformers import set_seed

    set_seed(settings.seed)  # an adapter begins with chance numbers
    if settings.method == "full":
        return model.requires_grad_(True)
    from peft import PeftModel, get_peft_model
    from safetensors import SafetensorError

    if start is not None:
        try:
            return PeftModel.from_pretrained(model, str(start), is_trainable=True)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise PlaygroundError("What the earlier run learned does not fit this model, or is damaged. Choose another one.") from error
    return get_peft_model(model, _config(model, settings, "SEQ_2_SEQ_LM" if encoder_decoder else "CAUSAL_LM"))


def _config(model: Any, settings: TrainingSettings, task: str) -> Any:
    from peft import IA3Config, LoraConfig

    linear = _linear_layers(model)
    _check_targets(linear, settings.target_modules)
    _check_rank(model, linear, settings)
    if settings.method == "ia3":
        names = {path.rsplit(".", 1)[-1] for path in linear}
        chosen = settings.target_modules
        targets = sorted(names & {*KEYS_VALUES, *FEEDFORWARD}) if chosen == ALL_LINEAR else list(chosen)
        if not targets:
            raise PlaygroundError("It is not known which layers of this model IA3 should scale. Name them in target_modules.")
        return IA3Config(target_modules=targets, feedforward_modules=[name for name in targets if name in FEEDFORWARD], task_type=task)
    return LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=settings.target_modules,
        use_dora=settings.use_dora,
        use_rslora=settings.use_rslora,
        init_lora_weights=settings.init_lora_weights,
        task_type=task,
    )


def trained(model: Any) -> dict[str, Any]:
    """What is trained, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def counts(model: Any) -> tuple[int, int]:
    """Trainable and all parameters; PEFT knows how many a packed 4-bit weight stands for."""
    if hasattr(model, "get_nb_trainable_parameters"):
        return model.get_nb_trainable_parameters()
    return sum(weight.numel() for weight in trained(model).values()), model.num_parameters()


def causal(model: Any) -> Any:
    """The model inside its adapters."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def begin(model: Any, settings: TrainingSettings, initial: Path) -> None:
    """Note how an adapter began that took its first values from the model's own weights: saving needs it.

    Where the note is there but damaged it is written anew, for the values are those of `attach`, which come out the same each time.

    Raises:
        StorageFull: no room.
    """
    if settings.method == "lora" and settings.init_lora_weights in FROM_WEIGHTS and not whole_adapter(initial):
        _whole(initial, lambda draft: model.save_pretrained(str(draft), save_embedding_layers=False))


def save(model: Any, tokenizer: Any, settings: TrainingSettings, initial: Path, final: Path) -> Path:
    """Write what was learned into the folder `final`, which appears when it is whole; gives the file that holds the weights.

    An adapter that began from the model's own weights is written as a plain LoRA of twice the rank, so that it fits the model as it was.

    Raises:
        StorageFull: no room; nothing is left half-written.
    """
    if settings.method == "full":

        def write(draft: Path) -> None:
            model.save_pretrained(str(draft), max_shard_size="100GB")
            tokenizer.save_pretrained(str(draft))

        _whole(final, write)
        return final / "model.safetensors"
    options: dict[str, Any] = {"save_embedding_layers": False}
    if settings.method == "lora" and settings.init_lora_weights in FROM_WEIGHTS:
        options["path_initial_model_for_weight_conversion"] = str(initial)
    _whole(final, lambda draft: model.save_pretrained(str(draft), **options))
    return final / "adapter_model.safetensors"


def _whole(final: Path, write: Any) -> None:
    draft = final.with_name(f".{final.name}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with storage_errors():
            write(draft)
        shutil.rmtree(final, ignore_errors=True)
        draft.rename(final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _linear_layers(model: Any) -> list[str]:
    import torch
    from transformers.pytorch_utils import Conv1D

    kinds = (torch.nn.Linear, Conv1D)
    return [path for path, module in model.named_modules() if isinstance(module, kinds) and path != "lm_head"]


def _check_rank(model: Any, paths: list[str], settings: TrainingSettings) -> None:
    """An adapter of more numbers than the weights that it begins as a part of would train, and could not be saved.

    Raises:
        PlaygroundError: a layer is narrower than the rank.
    """
    if settings.method != "lora" or settings.init_lora_weights not in FROM_WEIGHTS:
        return
    names = settings.target_modules
    chosen = paths if isinstance(names, str) else [path for path in paths if any(path == one or path.endswith(f".{one}") for one in names)]
    most, path = min((min(model.get_submodule(path).weight.shape), path) for path in chosen)
    if settings.lora_r > most:
        raise PlaygroundError(
            "With init_lora_weights {value}, lora_r can be at most {most}, the width of {layer}. Train anew with a smaller lora_r.",
            value=settings.init_lora_weights, most=most, layer=path.rsplit(".", 1)[-1],
        )  # fmt: skip


def _check_targets(paths: list[str], targets: str | list[str]) -> None:
    """PEFT passes over a name that matches nothing as long as another one matches.

    Raises:
        PlaygroundError: a layer name that the model does not have, with those that it has.
    """
    if isinstance(targets, str):
        return
    unknown = [name for name in targets if not any(path == name or path.endswith(f".{name}") for path in paths)]
    if unknown:
        raise PlaygroundError(
            "The model has no layers called {unknown}. In target_modules it knows: {known}.",
            unknown=", ".join(unknown), known=", ".join(sorted({path.rsplit(".", 1)[-1] for path in paths})),
        )  # fmt: skip
