"""What a run's settings depend on besides what the person gives, and which settings do not go together there.

Pure arithmetic; knows no files and loads no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from playground.errors import Sentence
from playground.training.config import FROM_WEIGHTS, GPU_OPTIMIZERS, planned_steps

# Models whose tokens meet in plain causal attention alone, so that several rows can be read side by side (each is tried by a test).
SIDE_BY_SIDE = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma3_text", "smollm3", "phi3", "olmo2")
LORA_ONLY = ("lora_r", "lora_alpha", "lora_dropout", "use_dora", "use_rslora", "init_lora_weights")
POLYNOMIAL_END = 1e-7  # the learning rate at its end, as Transformers has it
Misfit = tuple[tuple[str, ...], Sentence]  # the settings that do not go together, and what to say of it


def side_by_side(kind: str, sliding_window: int | None, longest: int) -> bool:
    """Whether rows of at most `longest` tokens can be laid side by side: only attention looks back, and it sees the whole row."""
    return kind in SIDE_BY_SIDE and (sliding_window is None or sliding_window >= longest)


def unpadded(kind: str, sliding_window: int | None, longest: int, *, gpu: bool, packing: bool) -> bool:
    """Whether such rows will be read without padding: on a processor wherever that can be, on a card those that are packed."""
    return side_by_side(kind, sliding_window, longest) and (not gpu or packing)


@dataclass(frozen=True)
class Circumstances:
    """What the defaults depend on. `parameters` None: unknown. `window`: tokens the model can read. `gpu`: one is there and usable.

    `parts`: what the texts of the rows come to where long ones are learnt in several parts; None: each row is one. `packed`: in how many
    rows they come where they are packed; None: they stay apart.
    """

    rows: int
    validation_rows: int
    parameters: int | None
    window: int
    gpu: bool = False
    task: str = "instruction"
    parts: int | None = None
    packed: int | None = None
    kind: str = ""  # the model's type, as its configuration names it
    sliding_window: int | None = None  # tokens that the model's attention looks back; None: all
    layers: Mapping[str, int] | None = None  # the model's linear layers by path, with their narrower side; None: its files are not here
    processes: int = 1  # that can train together here: one on each card, and one where there is none

    @property
    def examples(self) -> int:
        """What is learned from, each by itself."""
        return self.rows if self.parts is None else self.parts

    @property
    def read(self) -> int:
        """Rows as the trainer counts them."""
        return self.examples if self.packed is None else self.packed

    def unpadded(self, max_length: int, packing: bool) -> bool:
        """As the function of this name, here."""
        return unpadded(self.kind, self.sliding_window, max_length, gpu=self.gpu, packing=packing)


def strangers(chosen: Mapping[str, Any], usable: set[str]) -> Iterator[Misfit]:
    """Settings that were given and belong to another method."""
    method = chosen["method"]
    foreign = {"lora": (), "qlora": (), "ia3": LORA_ONLY}.get(method, (*LORA_ONLY, "target_modules"))
    for name in foreign:
        if name in usable:
            yield (name, "method"), Sentence("{name} has no effect with the method {method}, so leave it out", name=name, method=method)


def misfits(chosen: Mapping[str, Any], around: Circumstances) -> Iterator[Misfit]:
    """Settings that do not fit each other, the model, the rows or the machine."""
    length, processes, targets = chosen["max_length"], chosen["num_processes"], chosen["target_modules"]
    if length > around.window:
        message = "max_length can be at most {window} for this model, not {given}"
        yield ("max_length",), Sentence(message, window=around.window, given=length)
    if processes > around.processes > 1:
        message = "num_processes can be at most {most} here, one for each card, not {given}"
        yield ("num_processes",), Sentence(message, most=around.processes, given=processes)
    elif processes > around.processes:
        yield ("num_processes",), Sentence("num_processes above 1 needs as many cards, and there is at most one here")
    if chosen["eval_steps"] and not around.validation_rows:
        yield ("eval_steps",), Sentence("eval_steps needs validation rows, and the dataset's split gives none")
    if chosen["early_stopping_patience"] and not chosen["eval_steps"]:
        message = "early_stopping_patience needs validation rows and eval_steps, since it watches the loss on them"
        yield ("early_stopping_patience", "eval_steps"), Sentence(message)
    if chosen["load_best_model_at_end"] and not chosen["eval_steps"]:
        message = "load_best_model_at_end needs validation rows and eval_steps, since it compares the loss on them"
        yield ("load_best_model_at_end", "eval_steps"), Sentence(message)
    if chosen["lr_scheduler_type"] == "polynomial":
        yield from _polynomial(chosen, planned_steps(chosen, around.read))
    begun, rank = chosen["init_lora_weights"], chosen["lora_r"]
    if begun == "orthogonal" and chosen["method"] == "qlora":
        yield ("init_lora_weights", "method"), Sentence("init_lora_weights orthogonal cannot begin on weights in 4 bits; take lora")
    elif begun == "orthogonal" and chosen["method"] == "lora" and rank % 2:
        yield ("init_lora_weights", "lora_r"), Sentence("init_lora_weights orthogonal needs an even lora_r, not {given}", given=rank)
    if begun in FROM_WEIGHTS and chosen["method"] == "qlora":
        message = "init_lora_weights {value} changes the model's own weights, which qlora keeps in 4 bits; take lora"
        yield ("init_lora_weights", "method"), Sentence(message, value=begun)
    if begun in FROM_WEIGHTS and chosen["use_dora"]:
        message = "use_dora cannot be had together with init_lora_weights {value}"
        yield ("use_dora", "init_lora_weights"), Sentence(message, value=begun)
    if chosen["packing"] and around.kind not in SIDE_BY_SIDE:
        yield ("packing",), Sentence("packing would mix the examples for this kind of model, so leave it out")
    elif chosen["packing"] and not side_by_side(around.kind, around.sliding_window, length):
        message = "packing would mix the examples with a max_length above {window}, which is how far this model looks back"
        yield ("packing", "max_length"), Sentence(message, window=around.sliding_window)
    if chosen["optim"] in GPU_OPTIMIZERS and not around.gpu:
        yield ("optim",), Sentence("optim {value} needs a GPU; take adamw_torch_fused", value=chosen["optim"])
    if around.layers is None or chosen["method"] == "full":
        return
    if not isinstance(targets, str):
        unknown = [name for name in targets if not any(_is_called(path, name) for path in around.layers)]
        if unknown:
            known = sorted({path.rsplit(".", 1)[-1] for path in around.layers})
            message = "target_modules names {unknown}, and the model has no such layers; it has {known}"
            yield ("target_modules",), Sentence(message, unknown=", ".join(unknown), known=", ".join(known))
    if begun in FROM_WEIGHTS and chosen["method"] == "lora":
        wide = {
            path: width for path, width in around.layers.items() if isinstance(targets, str) or any(_is_called(path, n) for n in targets)
        }
        narrowest = min(wide, key=lambda path: wide[path], default=None)
        if narrowest is not None and rank > wide[narrowest]:
            message = "with init_lora_weights {value}, lora_r can be at most {most}, the width of {layer}, not {given}"
            layer = narrowest.rsplit(".", 1)[-1]
            told = Sentence(message, value=begun, most=wide[narrowest], layer=layer, given=rank)
            yield ("lora_r", "init_lora_weights", "method", "target_modules"), told


def _polynomial(chosen: Mapping[str, Any], steps: int) -> Iterator[Misfit]:
    """What Transformers' polynomial schedule cannot do: rise to its end, or fall within no step at all."""
    if chosen["learning_rate"] <= POLYNOMIAL_END:
        message = "lr_scheduler_type polynomial ends at 0.0000001, so learning_rate has to be above that"
        yield ("lr_scheduler_type", "learning_rate"), Sentence(message)
    warmup = chosen["warmup_steps"]
    if steps == (int(warmup) if warmup >= 1 else ceil(warmup * steps)):
        message = "lr_scheduler_type polynomial needs steps after warmup_steps, and this run has {steps} in all"
        yield ("lr_scheduler_type", "warmup_steps"), Sentence(message, steps=steps)


def _is_called(path: str, name: str) -> bool:
    """Whether `target_modules` means the layer at `path` by `name`, as PEFT reads it."""
    return path == name or path.endswith(f".{name}")
