"""The settings of five published studies as data, and what of them has to change where a model or a machine cannot do them.

Nothing that can be done as the study did it is touched, and every change is told with its reason. What a study does not state is left to
`defaults`. Pure arithmetic; does not know how it was found out what can be had here (`surroundings`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from playground.errors import Sentence
from playground.training.config import ALL_LINEAR, GPU_OPTIMIZERS

ATTENTION_ENDS = ["q_proj", "v_proj"]
LLAMA_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj", "gate_proj"]
T5_ALL = ["wi", "v", "wo", "lm_head", "k", "o", "q"]
CHECKS = 5  # in a run that is shorter than the study's pause between two checks
# One part of a block under the names that families of models give it; a name that stands twice does both jobs.
PARTS = (
    ("q_proj", "q", "query", "q_lin", "qkv_proj", "query_key_value", "c_attn"),
    ("k_proj", "k", "key", "k_lin", "qkv_proj", "query_key_value", "c_attn"),
    ("v_proj", "v", "value", "v_lin", "qkv_proj", "query_key_value", "c_attn"),
    ("o_proj", "o", "out_proj", "out_lin"),
    ("up_proj", "wi", "wi_1", "fc1", "gate_up_proj", "dense_h_to_4h", "c_fc", "lin1"),
    ("gate_proj", "wi", "wi_0", "gate_up_proj"),
    ("down_proj", "wo", "fc2", "dense_4h_to_h", "lin2"),
)


@dataclass(frozen=True)
class Recipe:
    """A study's training. `check_share`: it looks at the validation rows whenever this share of the run is done; `save_passes`: saved
    after every pass over the rows."""

    id: str
    name: Sentence
    description: Sentence
    settings: Mapping[str, Any]
    check_share: float | None = None
    save_passes: bool = False


@dataclass(frozen=True)
class Around:
    """What a recipe meets: the model that it will teach, the rows, and the machine.

    Args:
        missing: why the starter stands in for a model that cannot be had; None where that is not so.
        layers: names of the model's linear layers; None where they are not known and the study's names are taken as they are.
        fits: whether that many examples at a time fit into the memory here, with the other settings as given.
    """

    model: str
    window: int
    layers: frozenset[str] | None
    rows: int
    validation_rows: int
    gpu: bool
    missing: Sentence | None = None
    fits: Callable[[Mapping[str, Any]], bool] = lambda settings: True


SUMMARIES: dict[str, Any] = {"model": "google-t5/t5-base", "weight_decay": 0.01}

RECIPES = (
    Recipe(
        "llama2-small-hardware",
        Sentence("Llama 2 on small hardware: quotes, feelings, a shop"),
        Sentence(
            "Llama 2 7B in 4 bits with LoRA on all linear layers, two passes, on one Colab GPU (a study in Portuguese). It learnt the "
            "form of short answers well, and facts of a shop's table badly."
        ),
        {
            "model": "meta-llama/Llama-2-7b-hf", "method": "qlora", "lora_r": 16, "lora_alpha": 64, "lora_dropout": 0.1,
            "target_modules": LLAMA_LINEAR, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 4,
            "optim": "paged_adamw_32bit", "learning_rate": 1e-4, "lr_scheduler_type": "cosine", "warmup_steps": 0.05,
            "max_grad_norm": 0.3, "num_train_epochs": 2, "logging_steps": 1, "train_sampling_strategy": "group_by_length", "seed": 42,
            "load_best_model_at_end": False,
        },
        check_share=0.2,
        save_passes=True,
    ),
    Recipe(
        "amazon-descriptions",
        Sentence("Product descriptions from titles (AmazonTitles)"),
        Sentence(
            "Llama 3.1 8B in 4 bits, 60 steps of 32 examples: a question about a product's title, answered with its "
            "description. Before and after were compared by eye."
        ),
        {
            "model": "meta-llama/Llama-3.1-8B", "method": "qlora", "max_length": 2048, "per_device_train_batch_size": 8,
            "gradient_accumulation_steps": 4, "warmup_steps": 10, "max_steps": 60, "learning_rate": 2e-4, "optim": "adamw_8bit",
            "weight_decay": 0.01, "lr_scheduler_type": "linear", "seed": 3407, "packing": False,
        },
    ),
    Recipe(
        "legislation-questions",
        Sentence("Questions on a university's rules"),
        Sentence(
            "Llama 2 7B with LoRA on queries and values, three passes over some 1,000 questions and answers made from scanned rules "
            "(a study in Portuguese). Its gentle start of 500 steps is longer than a run over few rows; it had no GPU."
        ),
        {
            "model": "meta-llama/Llama-2-7b-hf", "method": "lora", "lora_r": 16, "lora_alpha": 32, "target_modules": ATTENTION_ENDS,
            "num_train_epochs": 3, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "warmup_steps": 500,
            "weight_decay": 0.01,
        },
    ),
    Recipe(
        "summaries-full",
        Sentence("Summaries of support talks, the whole model (TweetSumm)"),
        Sentence("T5 base, all of its 223 million numbers learn (a study in Portuguese, which compared four methods on 879 talks)."),
        {**SUMMARIES, "method": "full"},
    ),
    Recipe(
        "summaries-lora",
        Sentence("Summaries of support talks, LoRA (TweetSumm)"),
        Sentence(
            "T5 base with LoRA on every layer (a study in Portuguese). The study drew its settings from a grid by chance: these are of "
            "that grid, with the number of trained parameters that its table gives, 14.0 million."
        ),
        {
            **SUMMARIES, "method": "lora", "learning_rate": 5e-4, "lora_r": 32, "lora_alpha": 64, "lora_dropout": 0.05,
            "target_modules": T5_ALL,
        },
    ),
    Recipe(
        "summaries-qlora",
        Sentence("Summaries of support talks, QLoRA (TweetSumm)"),
        Sentence(
            "T5 base in 4 bits with LoRA on queries and values (a study in Portuguese). The study drew its settings from a grid by "
            "chance: these are of that grid, with the number of trained parameters that its table gives, 1.77 million."
        ),
        {
            **SUMMARIES, "method": "qlora", "learning_rate": 5e-4, "lora_r": 16, "lora_alpha": 32, "lora_dropout": 0.05,
            "target_modules": ["q", "v"],
        },
    ),
    Recipe(
        "summaries-ia3",
        Sentence("Summaries of support talks, IA3 (TweetSumm)"),
        Sentence(
            "T5 base with IA3, which only scales what layers say (a study in Portuguese). The study drew its settings from a grid by "
            "chance: these are of that grid, with the number of trained parameters that its table gives, 0.29 million."
        ),
        {**SUMMARIES, "method": "ia3", "learning_rate": 1e-3, "target_modules": T5_ALL},
    ),
    Recipe(
        "text-to-sql",
        Sentence("Questions into SQL, and what is lost elsewhere (Spider)"),
        Sentence(
            "Gemma 2B in 4 bits with a small LoRA, five passes, checked every 200 steps; the best is kept. After how many "
            "checks without gain the study stopped is not stated; here it is three."
        ),
        {
            "model": "google/gemma-2b-it", "method": "qlora", "lora_r": 4, "lora_alpha": 8, "lora_dropout": 0.05,
            "target_modules": ATTENTION_ENDS, "max_length": 1024, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 8,
            "learning_rate": 1e-4, "optim": "paged_adamw_32bit", "num_train_epochs": 5, "lr_scheduler_type": "cosine",
            "warmup_steps": 0.03, "eval_steps": 200, "save_steps": 200, "load_best_model_at_end": True, "early_stopping_patience": 3,
            "gradient_checkpointing": True, "seed": 42,
        },
    ),
)  # fmt: skip
BY_ID = {recipe.id: recipe for recipe in RECIPES}


def adapt(recipe: Recipe, around: Around) -> tuple[dict[str, Any], list[Sentence]]:
    """The recipe's settings as far as they can be done here, and one sentence for each change."""
    settings, told = dict(recipe.settings), []
    if around.missing is not None:
        told.append(Sentence("{reason} The starter takes the place of {model}.", reason=around.missing, model=settings["model"]))
    elif around.model != settings["model"]:
        told.append(Sentence("{model} was chosen in place of {own}, the model of the study.", model=around.model, own=settings["model"]))
    settings["model"] = around.model
    told += _layers(settings, around)
    if settings.get("optim") in GPU_OPTIMIZERS and not around.gpu:
        told.append(Sentence("optim {value} needs a GPU; adamw_torch_fused is the same rule without one.", value=settings["optim"]))
        settings["optim"] = "adamw_torch_fused"
    if settings.get("max_length", 0) > around.window:
        message = "This model reads {window} tokens at once, so max_length cannot be {length}."
        told.append(Sentence(message, window=around.window, length=settings["max_length"]))
        settings["max_length"] = around.window
    told += _batch(settings, around)
    told += _rhythm(settings, recipe, around)
    return settings, told


def _layers(settings: dict[str, Any], around: Around) -> list[Sentence]:
    wanted = settings.get("target_modules")
    if not isinstance(wanted, list):
        return []
    told = []
    if "lm_head" in wanted:
        told.append(Sentence("target_modules goes without lm_head: an adapter on it could not be trained here."))
        wanted = [name for name in wanted if name != "lm_head"]
    settings["target_modules"] = wanted
    if around.layers is None or set(wanted) <= around.layers:
        return told
    found: list[str] = []
    for name in wanted:
        if name in around.layers:
            found.append(name)
        else:
            found += [other for part in PARTS if name in part for other in part if other in around.layers]
    found = list(dict.fromkeys(found))
    if found:
        message = "In this model the layers {wanted} are called {found}, so these stand in target_modules."
        told.append(Sentence(message, wanted=", ".join(wanted), found=", ".join(found)))
    else:
        message = "This model has no layers like {wanted}, so target_modules is {all}."
        told.append(Sentence(message, wanted=", ".join(wanted), all=ALL_LINEAR))
    settings["target_modules"] = found or ALL_LINEAR
    return told


def _batch(settings: dict[str, Any], around: Around) -> list[Sentence]:
    """As many examples at a time as fit; each step still learns from as many as in the study."""
    wanted = settings.get("per_device_train_batch_size")
    if wanted is None:
        return []
    gathered = settings.get("gradient_accumulation_steps", 1)
    size = next(
        (n for n in range(wanted, 0, -1) if wanted % n == 0 and around.fits({**settings, "per_device_train_batch_size": n})),
        1,  # nothing smaller can be tried
    )
    if size == wanted:
        return []
    settings["per_device_train_batch_size"], settings["gradient_accumulation_steps"] = size, gathered * wanted // size
    message = (
        "{wanted} examples at a time do not fit into the memory here: per_device_train_batch_size is {size} and "
        "gradient_accumulation_steps {gathered}, so that each step learns from as many."
    )
    return [Sentence(message, wanted=wanted, size=size, gathered=settings["gradient_accumulation_steps"])]


def _rhythm(settings: dict[str, Any], recipe: Recipe, around: Around) -> list[Sentence]:
    """When it is checked and saved, in steps of this run."""
    told = []
    a_pass = steps_a_pass(settings, around.rows)
    steps = settings.get("max_steps") or max(1, math.ceil(settings.get("num_train_epochs", 1) * a_pass))
    if recipe.save_passes:
        settings["save_steps"] = a_pass
        told.append(Sentence("To save after each pass over these rows, save_steps is {steps}.", steps=a_pass))
    if not around.validation_rows:
        lost = [name for name in ("eval_steps", "early_stopping_patience") if settings.pop(name, None)]
        lost += ["load_best_model_at_end"] if settings.pop("load_best_model_at_end", False) else []
        lost += ["eval_steps"] if recipe.check_share else []
        if lost:
            message = "There are no validation rows, so it goes without {names}."
            told.append(Sentence(message, names=", ".join(lost)))
    elif recipe.check_share:
        settings["eval_steps"] = max(1, round(steps * recipe.check_share))
        message = "To check whenever {percent} % of this run is done, eval_steps is {steps}."
        told.append(Sentence(message, percent=round(100 * recipe.check_share), steps=settings["eval_steps"]))
    told += _short(settings, steps)
    return told


def _short(settings: dict[str, Any], steps: int) -> list[Sentence]:
    """A pause between checks that is longer than the run would mean no check at all."""
    names = [name for name in ("eval_steps", "save_steps") if settings.get(name, 0) > steps]
    if not names:
        return []
    wanted = settings[names[0]]
    every = max(1, steps // CHECKS)
    for name in names:
        settings[name] = every
    message = "This run has only {steps} steps, so {names} is {every} instead of {wanted}."
    return [Sentence(message, steps=steps, names=", ".join(names), every=every, wanted=wanted)]


def steps_a_pass(settings: Mapping[str, Any], rows: int) -> int:
    """Optimizer steps of one pass over the rows, as `TrainingSettings.planned_steps` counts them."""
    batches = math.ceil(rows / settings.get("per_device_train_batch_size", 8))
    return max(1, math.ceil(batches / settings.get("gradient_accumulation_steps", 1)))
