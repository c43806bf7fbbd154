"""What a run does where nothing was said: values that suit the model, the number of rows and the machine, each with its reason.

Pure arithmetic; knows no files and loads no model. The learning rates for small models were found by trying on short classification data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playground.errors import Sentence
from playground.training.circumstances import Circumstances, misfits, strangers
from playground.training.config import ALL_LINEAR, TrainingSettings, planned_steps, problems_error, sift

SCORED_AT_ONCE = 256  # positions, where the output layer does not learn itself
WEIGHTS_KEPT = 448  # tokens of a row up to which attention keeps its weights for the backward pass: their square grows fast
SMALL, MIDDLE = 50_000_000, 1_000_000_000  # parameters
A_STEP = 8  # examples that one step learns from
CHECKS = 10  # how often the validation rows are looked at in one run
CHECK_ROWS = 200  # and how many of them at most


def resolve(given: Mapping[str, Any], around: Circumstances) -> tuple[TrainingSettings, dict[str, Sentence]]:
    """The whole set, and for each setting that was left out the reason for its value.

    Raises:
        SettingsError: all at once, what `config.check` finds and settings that do not fit each other, the model or the rows.
    """
    chosen, problems = sift(given)
    usable = set(chosen)
    reasons: dict[str, Sentence] = {}

    def default(name: str, value: Any, template: str, **values: Any) -> None:
        if name not in chosen:
            chosen[name] = value
            reasons[name] = Sentence(template, **values)

    size = around.parameters or MIDDLE
    default("model", "starter", "The starter model works without a network and learns within minutes.")
    default("method", "qlora", "QLoRA keeps the model in 4 bits and trains a small adapter, so it needs the least memory.")
    _default_length(default, around)
    _default_packing(default, chosen, around)
    default("max_steps", 0, "The number of passes over the rows decides when it ends.")
    default("num_processes", 1, "One process trains; where there are several cards, the others are left to other runs.")
    _default_pace(default, chosen, size, around)
    _default_adapter(default, chosen, size)
    _default_checks(default, chosen, around)
    _default_rest(default, chosen)
    for rhythm in ("max_steps", "save_steps", "early_stopping_patience", "eval_steps"):
        chosen[rhythm] = chosen[rhythm] or None
    wrong = {name for name, value in given.items() if value is not None} - usable
    problems += [sentence for names, sentence in (*strangers(chosen, usable), *misfits(chosen, around)) if not wrong.intersection(names)]
    if problems:
        raise problems_error(problems)
    return TrainingSettings(**chosen), reasons


def check_rows(validation_rows: int, rows: int, settings: TrainingSettings, parted: bool = False, packed: int | None = None) -> int:
    """How many validation rows the curve uses: at most `CHECK_ROWS`, and so few that all checks stay a small part of the run.

    With `parted`, each of the validation rows may come in several parts, and those are counted. `packed`: how many rows the trainer makes
    of the `rows` that are learned from, where it packs them; those of validation stay apart.
    """
    if not settings.eval_steps or not validation_rows:
        return 0
    read = rows if packed is None else packed
    steps = settings.planned_steps(read)
    trained = steps * settings.examples_a_step * rows / max(1, read)
    checks = max(1, steps // settings.eval_steps) + 1
    affordable = int(trained * 0.45 / checks)  # a looked-at row costs about a third of a trained one: 15 % of the time
    return min(CHECK_ROWS if parted else validation_rows, CHECK_ROWS, max(16, affordable))


def longest_example(window: int, gpu: bool) -> int:
    """The `max_length` of a run where none is given, for a model that reads `window` tokens."""
    return min(window, 2048 if gpu else 1024)


def _default_length(default: Any, around: Circumstances) -> None:
    length = longest_example(around.window, around.gpu)
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
    _default_passes(default, chosen, size, around)
    _default_batch(default, chosen, size, around)
    default("warmup_steps", 0.05, "The first 5 % of the steps are gentle, so that the first examples do not count too much.")
    default("lr_scheduler_type", "linear", "The steps get smaller towards the end, so that the result settles.")
    if around.unpadded(chosen["max_length"], chosen["packing"]):
        ordered = "Examples come in an order by chance; they are read without padding, so no time is lost."
        default("train_sampling_strategy", "random", ordered)
    else:
        grouped = "Examples of similar length go together, so that little time is lost on padding."
        default("train_sampling_strategy", "group_by_length", grouped)


def _default_passes(default: Any, chosen: dict[str, Any], size: int, around: Circumstances) -> None:
    rows = around.read
    epochs = 5 if rows < 300 else 3 if rows <= 5000 else 2 if rows <= 20000 else 1
    if size <= SMALL and rows <= 2000:
        epochs = 5 if rows > 300 else 8  # quick anyway, and a small model needs to see an example more often
    if chosen["max_steps"]:
        why = "Without effect here: max_steps is given, and decides when it ends."
    elif rows == 1:
        why = "There is one row to read, and reading it {epochs} times is usually enough."
    elif around.packed is not None and epochs == 1:
        why = "{rows} packed rows: reading all of them once is usually enough."
    elif around.packed is not None:
        why = "{rows} packed rows: reading all of them {epochs} times is usually enough."
    elif around.parts is not None and epochs == 1:
        why = "{rows} parts of texts: reading all of them once is usually enough."
    elif around.parts is not None:
        why = "{rows} parts of texts: reading all of them {epochs} times is usually enough."
    elif epochs == 1:
        why = "{rows} rows: reading all of them once is usually enough."
    else:
        why = "{rows} rows: reading all of them {epochs} times is usually enough."
    default("num_train_epochs", epochs, why, rows=rows, epochs=epochs)


def _default_batch(default: Any, chosen: dict[str, Any], size: int, around: Circumstances) -> None:
    """As many examples a step, packed or not: fewer and larger steps learn far less in one pass."""
    each = around.examples / max(1, around.read)
    wanted = max(1, round(A_STEP / each))
    batch = min(wanted, 8 if size <= SMALL or around.gpu else 4 if size <= MIDDLE else 1)
    examples = round(batch * each)
    if around.packed is None:
        why = "{batch} examples at a time fit a model of this size." if batch > 1 else "A model of this size reads one example at a time."
    elif examples == 1:
        why = "One row at a time: hardly any examples are short enough to share one, so packing brings little here."
    elif batch == 1:
        why = "One packed row at a time holds {examples} examples, on average."
    else:
        why = "{batch} packed rows at a time hold {examples} examples, on average."
    default("per_device_train_batch_size", batch, why, batch=batch, examples=examples)
    times = max(1, wanted // chosen["per_device_train_batch_size"])
    rows = chosen["per_device_train_batch_size"] * times * chosen["num_processes"]
    if around.packed is not None and rows == 1:
        why = "Each step learns from one packed row, on average from {examples} examples."
    elif around.packed is not None:
        why = "Each step learns from {rows} packed rows, on average from {examples} examples."
    elif chosen["num_processes"] > 1:
        why = "Together with the batch size and the processes, each step learns from {examples} examples."
    else:
        why = "Together with the batch size, each step learns from {examples} examples."
    default("gradient_accumulation_steps", times, why, rows=rows, examples=round(rows * each))


def _default_packing(default: Any, chosen: dict[str, Any], around: Circumstances) -> None:
    if around.unpadded(chosen["max_length"], False):
        why = "Examples stay apart: they are read without padding, so packing would save nothing."
    elif chosen.get("train_sampling_strategy", "group_by_length") == "group_by_length":
        why = "Examples stay apart: grouping them by length already saves the time."
    else:
        why = "Examples stay apart, so that a batch holds as many as its size says."
    default("packing", False, why)


def _default_adapter(default: Any, chosen: dict[str, Any], size: int) -> None:
    method = chosen["method"]

    def of_lora(name: str, value: Any, why: str) -> None:
        default(name, value, why if method in ("lora", "qlora") else "Without effect with the method {method}.", method=method)

    of_lora("lora_r", 16, "Rank 16 is enough for most tasks and stays small.")
    of_lora("lora_alpha", 2 * chosen["lora_r"], "Twice the rank, the usual strength of an adapter.")
    of_lora("lora_dropout", 0.0, "Nothing is dropped, which is faster; stop earlier if it learns by heart.")
    if method == "full":
        default("target_modules", ALL_LINEAR, "Everything learns.")
    elif method == "ia3":
        default("target_modules", ALL_LINEAR, "Keys, values and the feed-forward layer are scaled, as the IA3 authors did.")
    else:
        default("target_modules", ALL_LINEAR, "All linear layers learn, as the QLoRA authors found best.")
    of_lora("use_dora", False, "DoRA learns a little better and takes clearly longer.")
    of_lora("use_rslora", False, "Rank-stabilised scaling matters for ranks well above 16.")
    of_lora("init_lora_weights", True, "The adapter starts without any effect, so the model starts as it was.")
    big = size > MIDDLE
    default(
        "gradient_checkpointing", big,
        "A model of this size needs the memory that this saves." if big else "There is memory enough, and training is faster without.",
    )  # fmt: skip


def _default_checks(default: Any, chosen: dict[str, Any], around: Circumstances) -> None:
    steps = planned_steps(chosen, around.read)
    every = max(1, round(steps / CHECKS))
    checks = max(1, steps // every)
    if not around.validation_rows:
        default("eval_steps", 0, "There are no validation rows to check on.")
    elif checks == 1:
        default("eval_steps", every, "One check on the validation rows, at the end of the run.")
    else:
        default("eval_steps", every, "About {checks} checks on the validation rows in the whole run.", checks=checks)
    checked = bool(chosen["eval_steps"])
    if checked:
        why = "At every check it is also saved, so that a run that breaks off can go on."
    elif checks > 1:
        why = "Saved about {checks} times, so that a run that breaks off can go on."
    else:
        why = "Saved at the end, so that it can go on."
    default("save_steps", chosen["eval_steps"] or every, why, checks=checks)
    default(
        "load_best_model_at_end", checked,
        "What did best on the validation rows is kept, not what came last." if checked
        else "Without checks on validation rows nobody can tell what was best, so the last is kept.",
    )  # fmt: skip
    default(
        "early_stopping_patience", 0,
        "It learns to the planned end; the curve shows which step was best." if checked else "It learns to the planned end.",
    )  # fmt: skip
    default(
        "sample_prompts", [],
        "The first rows that it does not learn from are answered at every check." if checked
        else "Without checks on validation rows, nothing is asked on the way.",
    )  # fmt: skip


def _default_rest(default: Any, chosen: dict[str, Any]) -> None:
    default("max_grad_norm", 1.0, "Single odd examples cannot pull harder than this.")
    default(
        "weight_decay", 0.0,
        "Nothing is pulled towards zero: a short training does not need it." if chosen["method"] == "full"
        else "An adapter is small enough that it needs no pull towards zero.",
    )  # fmt: skip
    default("optim", "adamw_torch_fused", "AdamW is the usual optimizer; the fused form is the fastest here.")
    default("seed", 42, "The same seed gives the same run again on the same machine.")
    default("logging_steps", 1, "Every step is drawn.")
    default("report_to", "none", "The page shows the run; its folder holds files for TensorBoard too.")
