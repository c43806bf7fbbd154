"""What a run does where nothing was said: values that suit the model, the number of rows and the machine, each with its reason.

Pure arithmetic; knows no files and loads no model. The learning rates for small models were found by trying on short classification data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playground.errors import Sentence
from playground.training.config import ALL_LINEAR, FROM_WEIGHTS, GPU_OPTIMIZERS, TrainingSettings, check, problems_error

SCORED_AT_ONCE = 256  # positions, where the output layer does not learn itself
WEIGHTS_KEPT = 448  # tokens of a row up to which attention keeps its weights for the backward pass: their square grows fast
# Models whose tokens meet in plain causal attention alone, so that several rows can be read side by side (each is tried by a test).
SIDE_BY_SIDE = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma3_text", "smollm3", "phi3", "olmo2")
SMALL, MIDDLE = 50_000_000, 1_000_000_000  # parameters
LORA_ONLY = ("lora_r", "lora_alpha", "lora_dropout", "use_dora", "use_rslora", "init_lora_weights")
CHECKS = 10  # how often the validation rows are looked at in one run
CHECK_ROWS = 200  # and how many of them at most


@dataclass(frozen=True)
class Circumstances:
    """What the defaults depend on. `parameters` None: unknown. `window`: tokens the model can read. `gpu`: one is there and usable.

    `parts`: what the texts of the rows come to where long ones are learnt in several parts; None: each row is one.
    """

    rows: int
    validation_rows: int
    parameters: int | None
    window: int
    gpu: bool = False
    task: str = "instruction"
    parts: int | None = None
    kind: str = ""  # the model's type, as its configuration names it
    processes: int = 1  # that can train together here: one on each card, and one where there is none

    @property
    def read(self) -> int:
        """Rows as the trainer counts them."""
        return self.rows if self.parts is None else self.parts


def resolve(given: Mapping[str, Any], around: Circumstances) -> tuple[TrainingSettings, dict[str, Sentence]]:
    """The whole set, and for each setting that was left out the reason for its value.

    Raises:
        SettingsError: as `config.check`, and for settings that do not fit each other, the model or the rows.
    """
    chosen = check(given)
    reasons: dict[str, Sentence] = {}

    def default(name: str, value: Any, template: str, **values: Any) -> None:
        if name not in chosen:
            chosen[name] = value
            reasons[name] = Sentence(template, **values)

    size = around.parameters or MIDDLE
    default("model", "starter", "The starter model works without a network and learns within minutes.")
    default("method", "qlora", "QLoRA keeps the model in 4 bits and trains a small adapter, so it needs the least memory.")
    _default_length(default, around)
    default("num_processes", 1, "One process trains; where there are several cards, the others are left to other runs.")
    _default_pace(default, chosen, size, around)
    _default_adapter(default, chosen, size)
    _default_rest(default, size)
    default("max_steps", 0, "The number of passes over the rows decides when it ends.")
    default("early_stopping_patience", 0, "It learns to the planned end; the curve shows which step was best.")
    _default_checks(default, chosen, around)
    for rhythm in ("max_steps", "save_steps", "early_stopping_patience", "eval_steps"):
        chosen[rhythm] = chosen[rhythm] or None
    problems = [*_strangers(given, chosen), *_misfits(chosen, around)]
    if problems:
        raise problems_error(problems)
    return TrainingSettings(**chosen), reasons


def check_rows(validation_rows: int, rows: int, settings: TrainingSettings, parted: bool = False) -> int:
    """How many validation rows the curve uses: at most `CHECK_ROWS`, and so few that all checks stay a small part of the run.

    With `parted`, each of the validation rows may come in several parts, and those are counted.
    """
    if not settings.eval_steps or not validation_rows:
        return 0
    steps = settings.planned_steps(rows)
    trained = steps * settings.examples_a_step
    checks = max(1, steps // settings.eval_steps) + 1
    affordable = int(trained * 0.45 / checks)  # a looked-at row costs about a third of a trained one: 15 % of the time
    return min(CHECK_ROWS if parted else validation_rows, CHECK_ROWS, max(16, affordable))


def longest_example(around: Circumstances) -> int:
    """The `max_length` of a run where none is given."""
    return min(around.window, 2048 if around.gpu else 1024)


def _default_length(default: Any, around: Circumstances) -> None:
    length = longest_example(around)
    whole = length == around.window
    if around.task == "completion":
        default(
            "max_length", length,
            "The model reads {length} tokens at once; longer texts are learnt in several parts." if whole
            else "Texts longer than {length} tokens are learnt in several parts, which keeps memory small.", length=length,
        )  # fmt: skip
    elif around.task == "chat":
        default(
            "max_length", length,
            "The model reads {length} tokens at once; longer conversations lose their beginning." if whole
            else "Conversations longer than {length} tokens lose their beginning, which keeps memory small.", length=length,
        )  # fmt: skip
    else:
        default(
            "max_length", length,
            "The model reads {length} tokens at once; longer examples lose the start of their prompt." if whole
            else "Longer examples than {length} tokens lose the start of their prompt, which keeps memory small.", length=length,
        )  # fmt: skip


def _default_pace(default: Any, chosen: dict[str, Any], size: int, around: Circumstances) -> None:
    method = chosen["method"]
    if method == "full":
        rate = 3e-4 if size <= SMALL else 5e-5 if size <= MIDDLE else 2e-5
        default("learning_rate", rate, "When the whole model learns, steps have to be small: {rate:g} suits this size.", rate=rate)
    elif method == "ia3":
        default("learning_rate", 1e-2 if size <= SMALL else 5e-3, "IA3 has so few numbers to learn that it needs large steps.")
    elif size <= SMALL:
        default("learning_rate", 1e-3, "A small model learns well with large steps; 0.001 did best on short classification data.")
    elif size <= MIDDLE:
        default("learning_rate", 4e-4, "0.0004 suits adapters on models of some hundred million parameters.")
    else:
        default("learning_rate", 2e-4, "0.0002 is the usual choice for adapters on models of this size.")
    rows = around.read
    epochs = 5 if rows < 300 else 3 if rows <= 5000 else 2 if rows <= 20000 else 1
    if size <= SMALL and rows <= 2000:
        epochs = 5 if rows > 300 else 8  # quick anyway, and a small model needs to see an example more often
    default(
        "num_train_epochs", epochs,
        "{rows} rows: reading all of them {epochs} times is usually enough." if rows == around.rows
        else "{rows} parts of texts: reading all of them {epochs} times is usually enough.", rows=rows, epochs=epochs,
    )  # fmt: skip
    batch, accumulate = (8, 1) if size <= SMALL or around.gpu else (4, 2) if size <= MIDDLE else (1, 8)
    default("per_device_train_batch_size", batch, "{batch} examples at a time fit a model of this size.", batch=batch)
    default(
        "gradient_accumulation_steps", accumulate,
        "Together with the batch size, each step learns from about 8 examples." if chosen["num_processes"] == 1
        else "Together with the batch size, each process learns from about 8 examples a step.",
    )  # fmt: skip
    default("warmup_steps", 0.05, "The first 5 % of the steps are gentle, so that the first examples do not count too much.")
    default("lr_scheduler_type", "linear", "The steps get smaller towards the end, so that the result settles.")
    if not around.gpu and around.kind in SIDE_BY_SIDE:
        default(
            "train_sampling_strategy",
            "random",
            "Examples come in an order by chance; they are read without padding, so no time is lost.",
        )
    else:
        grouped = "Examples of similar length go together, so that little time is lost on padding."
        default("train_sampling_strategy", "group_by_length", grouped)


def _default_adapter(default: Any, chosen: dict[str, Any], size: int) -> None:
    default("lora_r", 16, "Rank 16 is enough for most tasks and stays small.")
    default("lora_alpha", 2 * chosen["lora_r"], "Twice the rank, the usual strength of an adapter.")
    default("lora_dropout", 0.0, "Nothing is dropped, which is faster; stop earlier if it learns by heart.")
    if chosen["method"] == "full":
        default("target_modules", ALL_LINEAR, "Everything learns.")
    elif chosen["method"] == "ia3":
        default("target_modules", ALL_LINEAR, "Keys, values and the feed-forward layer are scaled, as the IA3 authors did.")
    else:
        default("target_modules", ALL_LINEAR, "All linear layers learn, as the QLoRA authors found best.")
    default("use_dora", False, "DoRA learns a little better and takes clearly longer.")
    default("use_rslora", False, "Rank-stabilised scaling matters for ranks well above 16.")
    default("init_lora_weights", True, "The adapter starts without any effect, so the model starts as it was.")
    big = size > MIDDLE
    default(
        "gradient_checkpointing", big,
        "A model of this size needs the memory that this saves." if big else "There is memory enough, and training is faster without.",
    )  # fmt: skip


def _default_rest(default: Any, size: int) -> None:
    default("max_grad_norm", 1.0, "Single odd examples cannot pull harder than this.")
    default("weight_decay", 0.0, "An adapter is small enough that it needs no pull towards zero.")
    default("optim", "adamw_torch_fused", "AdamW is the usual optimizer; the fused form is the fastest here.")
    default("seed", 42, "The same seed gives the same run again on the same machine.")
    default("logging_steps", 1, "Every step is drawn.")
    default("packing", False, "Examples stay apart; grouping them by length already saves the time.")
    default("sample_prompts", [], "The first rows that it does not learn from are answered at every check.")
    default("report_to", "none", "The page shows the run; its folder holds files for TensorBoard too.")


def _default_checks(default: Any, chosen: dict[str, Any], around: Circumstances) -> None:
    batch = chosen["per_device_train_batch_size"] * chosen["gradient_accumulation_steps"] * chosen["num_processes"]
    steps = chosen["max_steps"] or int(chosen["num_train_epochs"] * max(1, around.read / batch))
    every = max(1, round(steps / CHECKS))
    if around.validation_rows:
        default("eval_steps", every, "About {checks} checks on the validation rows in the whole run.", checks=max(1, steps // every))
    else:
        default("eval_steps", 0, "There are no validation rows to check on.")
    checked = bool(chosen["eval_steps"])
    default(
        "save_steps", chosen["eval_steps"] or every,
        "At every check it is also saved, so that a run that breaks off can go on." if checked
        else "Saved about {checks} times, so that a run that breaks off can go on.", checks=max(1, steps // every),
    )  # fmt: skip
    default(
        "load_best_model_at_end", checked,
        "What did best on the validation rows is kept, not what came last." if checked
        else "Without validation rows nobody can tell what was best, so the last is kept.",
    )  # fmt: skip


def _strangers(given: Mapping[str, Any], chosen: dict[str, Any]) -> list[Sentence]:
    """Settings that were given and belong to another method."""
    method = chosen["method"]
    if method in ("lora", "qlora"):
        return []
    foreign = [name for name in given if name in LORA_ONLY or (name == "target_modules" and method == "full")]
    message = "{name} has no effect with the method {method}, so leave it out"
    return [Sentence(message, name=name, method=method) for name in foreign if given[name] is not None]


def _misfits(chosen: dict[str, Any], around: Circumstances) -> list[Sentence]:
    problems = []
    if chosen["max_length"] > around.window:
        message = "max_length can be at most {window} for this model, not {given}"
        problems.append(Sentence(message, window=around.window, given=chosen["max_length"]))
    if chosen["num_processes"] > around.processes:
        problems.append(
            Sentence(
                "num_processes can be at most {most} here, one for each card, not {given}",
                most=around.processes,
                given=chosen["num_processes"],
            )
            if around.processes > 1
            else Sentence("num_processes above 1 needs as many cards, and there is at most one here")
        )
    if chosen["eval_steps"] and not around.validation_rows:
        problems.append(Sentence("eval_steps needs validation rows, and the dataset's split gives none"))
    if chosen["early_stopping_patience"] and not chosen["eval_steps"]:
        problems.append(Sentence("early_stopping_patience needs validation rows and eval_steps, since it watches the loss on them"))
    if chosen["load_best_model_at_end"] and not chosen["eval_steps"]:
        problems.append(Sentence("load_best_model_at_end needs validation rows and eval_steps, since it compares the loss on them"))
    if chosen["init_lora_weights"] in FROM_WEIGHTS and chosen["method"] == "qlora":
        message = "init_lora_weights {value} changes the model's own weights, which qlora keeps in 4 bits; take lora"
        problems.append(Sentence(message, value=chosen["init_lora_weights"]))
    if chosen["init_lora_weights"] in FROM_WEIGHTS and chosen["use_dora"]:
        problems.append(Sentence("use_dora cannot be had together with init_lora_weights {value}", value=chosen["init_lora_weights"]))
    if chosen["packing"] and around.kind not in SIDE_BY_SIDE:
        problems.append(Sentence("packing would mix the examples for this kind of model, so leave it out"))
    if chosen["optim"] in GPU_OPTIMIZERS and not around.gpu:
        problems.append(Sentence("optim {value} needs a GPU; take adamw_torch_fused", value=chosen["optim"]))
    return problems
