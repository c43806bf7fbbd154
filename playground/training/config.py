"""Settings of a run: their names (those of TRL, PEFT and Transformers), what each may be, and all that is wrong with a given set at once.

What is left out is chosen in `defaults`. Knows neither rows, models nor this machine.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from playground.errors import Sentence, Sentences, SettingsError

METHODS = ("qlora", "lora", "ia3", "full")
SCHEDULERS = ("linear", "cosine", "constant", "constant_with_warmup", "polynomial", "cosine_with_restarts", "inverse_sqrt")
GPU_OPTIMIZERS = ("paged_adamw_32bit", "paged_adamw_8bit", "adamw_8bit")
OPTIMIZERS = ("adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "rmsprop", *GPU_OPTIMIZERS)
SAMPLING = ("group_by_length", "random", "sequential")
FROM_WEIGHTS = ("pissa", "olora")  # adapters that begin as a part of the model's own weights
INITS = (True, "gaussian", "orthogonal", *FROM_WEIGHTS)
TRACKERS = ("none", "trackio", "wandb")
ALL_LINEAR = "all-linear"
MOST_PROCESSES = 16
MOST_PROMPTS, PROMPT_CHARACTERS = 8, 2_000
LONG = 60  # characters of a wrong value that are told
UNKNOWN = "{name} is not a known setting"
NO_TARGETS = "has to be {all} or a list of layer names such as q_proj and v_proj"


@dataclass(frozen=True)
class TrainingSettings:
    """A complete, checked set. Names and meanings are those of TRL's SFTConfig and PEFT's LoraConfig unless a comment says more."""

    model: str
    method: str
    learning_rate: float
    num_train_epochs: float
    max_steps: int | None  # given, it decides instead of num_train_epochs
    per_device_train_batch_size: int
    gradient_accumulation_steps: int
    max_length: int  # tokens of one example
    warmup_steps: float  # below 1: share of the run
    max_grad_norm: float
    weight_decay: float
    lr_scheduler_type: str
    optim: str
    seed: int
    lora_r: int
    lora_alpha: int
    lora_dropout: float
    target_modules: str | list[str]
    use_dora: bool
    use_rslora: bool
    init_lora_weights: bool | str
    logging_steps: int
    eval_steps: int | None  # None: the validation rows are not looked at while it learns
    save_steps: int | None
    early_stopping_patience: int | None  # checks without improvement after which it stops
    load_best_model_at_end: bool  # keep what did best on the validation rows, not what came last
    gradient_checkpointing: bool
    packing: bool
    train_sampling_strategy: str
    sample_prompts: list[str]  # asked at every check; empty: the first rows that are not learned from
    report_to: str = "none"  # a program that shows runs beside our own page; TensorBoard's files are always written
    num_processes: int = 1  # Accelerate's; each has a card of its own and reads per_device_train_batch_size examples at a time

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, by name."""
        return asdict(self)

    def planned_steps(self, rows: int) -> int:
        """Optimizer steps that `rows`, as the trainer counts them, make with these settings."""
        return planned_steps(vars(self), rows)

    @property
    def examples_a_step(self) -> int:
        """From how many examples one optimizer step learns, in all processes."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps * self.num_processes

    def alone(self) -> TrainingSettings:
        """The same steps by one process."""
        return replace(self, num_processes=1, gradient_accumulation_steps=self.gradient_accumulation_steps * self.num_processes)


def planned_steps(settings: Mapping[str, Any], rows: int) -> int:
    """As `TrainingSettings.planned_steps`, for a set that need not be whole yet."""
    if settings["max_steps"]:
        return int(settings["max_steps"])
    batches = math.ceil(rows / (settings["per_device_train_batch_size"] * settings["num_processes"]))
    per_epoch = max(1, math.ceil(batches / settings["gradient_accumulation_steps"]))
    return max(1, math.ceil(settings["num_train_epochs"] * per_epoch))


KNOWN = tuple(one.name for one in fields(TrainingSettings))

# What the three buttons of the Train tab stand for; everything else is chosen to suit the model, the data and the machine.
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"max_steps": 60},
    "balanced": {},
    "thorough": {"num_train_epochs": 10, "early_stopping_patience": 3, "lr_scheduler_type": "cosine"},
}

Rule = Callable[[Any], Sentence | None]  # says what is wrong with a value, or nothing


def check(given: Mapping[str, Any]) -> dict[str, Any]:
    """The given settings, whole numbers made int where they belong; a value of None counts as left out.

    Raises:
        SettingsError: unknown names or values that cannot be used; one sentence lists them all, and the known names.
    """
    usable, problems = sift(given)
    if problems:
        raise problems_error(problems)
    return usable


def sift(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Sentence]]:
    """As `check`, for whoever has more to find wrong: (what can be used of the given settings, what is wrong with the others).

    Raises:
        SettingsError: no settings by name at all.
    """
    if not isinstance(given, Mapping):
        raise SettingsError(
            "The settings have to be given by name, for example method: lora. Known settings: {known}.", known=", ".join(KNOWN)
        )
    problems: list[Sentence] = []
    usable: dict[str, Any] = {}
    for name, value in given.items():
        rule = RULES.get(name)
        if rule is None:
            problems.append(Sentence(UNKNOWN, name=name))
        elif value is not None:
            wrong = rule(value)
            if wrong:
                problems.append(Sentence("{name} {wrong}, not {value}", name=name, wrong=wrong, value=_short(value)))
            else:
                usable[name] = _tidy(name, value)
    return usable, problems


def problems_error(problems: list[Sentence]) -> SettingsError:
    """All that is wrong, in one sentence; with the known names where one was not known."""
    told = Sentences(problems)
    if not any(getattr(one, "template", "") == UNKNOWN for one in problems):
        return SettingsError("These settings cannot be used: {problems}.", problems=told)
    return SettingsError("These settings cannot be used: {problems}. Known settings: {known}.", problems=told, known=", ".join(KNOWN))


def _short(value: Any) -> Any:
    """A value as it can be told: a number of usual length stays one, so that it is written as the reader's language does."""
    listed = isinstance(value, (list, tuple))
    text = ", ".join(map(str, value)) if listed else repr(value) if isinstance(value, str) else str(value)
    if len(text) > LONG:
        return text[: LONG - 3] + "..."
    return value if isinstance(value, float) else text


def _tidy(name: str, value: Any) -> Any:
    """JSON and interface components give 3.0 for 3; a list of targets may come as a tuple; 0 switches a rhythm off."""
    if name in WHOLE and isinstance(value, float) and value.is_integer():
        value = int(value)
    if name in ("eval_steps", "save_steps", "early_stopping_patience", "max_steps") and value in (0, -1):
        return 0
    if name in ("target_modules", "sample_prompts") and isinstance(value, (list, tuple)):
        return [str(one) for one in value]
    return value


def _number(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _whole(low: int, high: int, *also: int) -> Rule:
    def rule(value: Any) -> Sentence | None:
        fine = _number(value) and float(value).is_integer() and (low <= value <= high or value in also)
        return None if fine else Sentence("has to be a whole number from {low:,} to {high:,}", low=low, high=high)

    return rule


def _between(low: float, high: float, *, open_below: bool = False) -> Rule:
    def rule(value: Any) -> Sentence | None:
        if _number(value) and (low < value if open_below else low <= value) and value <= high:
            return None
        if open_below:
            return Sentence("has to be a number above {low:,} and at most {high:,}", low=low, high=high)
        return Sentence("has to be a number from {low:,} to {high:,}", low=low, high=high)

    return rule


def _one_of(*choices: Any) -> Rule:
    def rule(value: Any) -> Sentence | None:
        fine = any(value == choice and type(value) is type(choice) for choice in choices)
        return None if fine else Sentence("can be {others} or {last}", others=", ".join(map(str, choices[:-1])), last=choices[-1])

    return rule


def _switch(value: Any) -> Sentence | None:
    return None if isinstance(value, bool) else Sentence("has to be true or false")


def _targets(value: Any) -> Sentence | None:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) and name.strip() for name in names):
        return Sentence(NO_TARGETS, all=ALL_LINEAR)
    if isinstance(value, str) and value != ALL_LINEAR:
        return Sentence(NO_TARGETS, all=ALL_LINEAR)
    return Sentence("cannot hold lm_head, whose adapter would not be trained") if "lm_head" in names else None


def _prompts(value: Any) -> Sentence | None:
    fine = isinstance(value, (list, tuple)) and len(value) <= MOST_PROMPTS
    if fine and all(isinstance(one, str) and one.strip() and len(one) <= PROMPT_CHARACTERS for one in value):
        return None
    return Sentence("has to be a list of at most {most} questions of up to {long:,} characters", most=MOST_PROMPTS, long=PROMPT_CHARACTERS)


def _tracker(value: Any) -> Sentence | None:
    if value in TRACKERS[1:] and importlib.util.find_spec(value) is None:
        return Sentence("needs the package {value}, which is not installed here", value=value)
    return _one_of(*TRACKERS)(value)


def _text(value: Any) -> Sentence | None:
    return None if isinstance(value, str) and value.strip() else Sentence("has to be the id of a model")


WHOLE = {
    "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps", "max_length", "seed", "lora_r", "lora_alpha",
    "logging_steps", "eval_steps", "save_steps", "early_stopping_patience", "num_processes",
}  # fmt: skip

RULES: dict[str, Rule] = {
    "model": _text,
    "method": _one_of(*METHODS),
    "learning_rate": _between(0, 1, open_below=True),
    "num_train_epochs": _between(0, 1000, open_below=True),
    "max_steps": _whole(1, 1_000_000, 0, -1),
    "per_device_train_batch_size": _whole(1, 512),
    "gradient_accumulation_steps": _whole(1, 1024),
    "max_length": _whole(16, 131_072),
    "warmup_steps": _between(0, 1_000_000),
    "max_grad_norm": _between(0, 1000, open_below=True),
    "weight_decay": _between(0, 1),
    "lr_scheduler_type": _one_of(*SCHEDULERS),
    "optim": _one_of(*OPTIMIZERS),
    "seed": _whole(0, 2**32 - 1),
    "lora_r": _whole(1, 512),
    "lora_alpha": _whole(1, 4096),
    "lora_dropout": _between(0, 0.9),
    "target_modules": _targets,
    "use_dora": _switch,
    "use_rslora": _switch,
    "init_lora_weights": _one_of(*INITS),
    "logging_steps": _whole(1, 10_000),
    "eval_steps": _whole(1, 1_000_000, 0),
    "save_steps": _whole(1, 1_000_000, 0),
    "early_stopping_patience": _whole(1, 1000, 0),
    "gradient_checkpointing": _switch,
    "packing": _switch,
    "load_best_model_at_end": _switch,
    "report_to": _tracker,
    "train_sampling_strategy": _one_of(*SAMPLING),
    "sample_prompts": _prompts,
    "num_processes": _whole(1, MOST_PROCESSES),
}
