"""What a run needs, from formulas: memory, seconds and disk, term by term.

Sizes follow from what the worker holds (`worker`, `quick`, `building`): weights, a second copy of them in 16 bits, what is trained with its
gradient and the optimizer's two moments, what the backward pass keeps of each token, and the scores of the tokens that are learned. The
constants were fitted on real runs (tests/benchmarks/bench_estimates.py). Pure arithmetic; does not know files, rows or owners.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from playground.training import checkpoints, samples
from playground.training.ahead.anatomy import Anatomy, Layer, counts, targets
from playground.training.ahead.lengths import Batches
from playground.training.config import TrainingSettings
from playground.training.defaults import SCORED_AT_ONCE

MB = 1024**2
COPIES = 2 * 1024**3  # bytes; `quick` holds no second copy of the frozen weights beyond

# bytes
LIBRARIES = 590 * MB  # the worker's process with its libraries, before any weight
ON_GPU = 700 * MB  # a GPU's context and its libraries' room
KERNELS, KERNELS_A_STEP = 70 * MB, 7 * MB  # code that is made anew for each new number of tokens, up to a limit (`launching.environment`)
SCORE = 8  # of each learned token's score for each word: in 16 bits, its logarithm in 32, and its gradient (`quick.scores`)
HELD_SCORES = 0.6  # share of them that is there when the activations are, too, where the output layer learns itself
LOOKED_SCORE = 6  # the same while validation rows are looked at, which needs no gradient
KEPT_FREE = 0.8  # of what a look takes: it is given back to the process only, between blocks of other sizes
TRAINED = 1.3  # of what is trained: a checkpoint copies it for a moment
TAKEN_APART = 3  # of each weight that was made 4 bits of, what that leaves behind
NF4 = 0.53  # of a weight in 4 bits, with its constants

# seconds
START = 4.5  # from the press to the first batch, but for the model
LOAD_RATE = 200e6  # parameters read in a second
FLOPS = 700e9  # of the reference machine, products in 16 bits
ATTENTION, SHORT_ATTENTION = 135e9, 400e9  # the same for attention: torch's in 32 bits, and that of short rows in 16
PLAIN_FLOPS = 0.45  # of a machine without fast products in 16 bits, beside one with them
GPU_FLOPS, GPU_BANDWIDTH = 60e12, 1e12  # of a card; a rehearsal tells how far off that is
BANDWIDTH = 3e9  # bytes of what the backward pass keeps: what is done to them is more than to write and read them
A_BLOCK, A_GPU_BLOCK = 0.003, 0.0006  # of a pass, whatever its size
A_LORA, A_LORA_ON_4_BITS = 0.0005, 0.0008  # the same for each layer with an adapter of low rank
A_WEIGHT = 1e-9  # for the optimizer to change one
DORA = 1.7  # the products of a layer whose direction and size are learned apart
A_DORA = 2.6e-9  # of one of its weights in each pass, and for each token of an answer: how long they are is found out anew
ANSWER_A_BLOCK, ANSWER_RATE = 0.0006, 12e9  # of one more token of all sample answers; bytes of weights read
CHECK_SHARE = 0.36  # a token that is looked at, of one that is learned from
A_CHECKPOINT, DISK_RATE = 0.06, 900e6  # bytes written, flushed and read again to check them


@dataclass(frozen=True)
class Work:
    """A planned run in figures.

    `batches`: of one process. `validation`: tokens of one check, `looked`: read and learned tokens of its largest batch; `checks`,
    `saves`: how often; `answer`: tokens of the longest answer that is learned; `half`: products in 16 bits are fast here.
    """

    model: Anatomy
    settings: TrainingSettings
    steps: int
    batches: Batches
    validation: float
    looked: tuple[int, int]
    checks: int
    saves: int
    data_bytes: int
    gpu: bool = False
    half: bool = True
    answer: int = samples.MOST_TOKENS


@dataclass(frozen=True)
class Memory:
    """Bytes at the highest point."""

    base: float
    weights: float
    trained: float
    activations: float
    scores: float
    checks: float
    kernels: float

    @property
    def total(self) -> float:
        return self.base + self.weights + self.trained + self.activations + self.scores + self.checks + self.kernels


def memory(work: Work) -> Memory:
    """What the process, or on a GPU its card, holds at most."""
    model, settings, held = work.model, work.settings, work.batches
    trainable, _ = counts(model, settings)
    linear = model.linear_size
    rest = model.parameters - linear
    if work.gpu:
        weights = rest * 2 + linear * NF4 if settings.method == "qlora" else model.parameters * 2
        weights *= 2 if settings.method == "full" else 1  # what is trained is kept in 32 bits
    elif settings.method == "qlora":
        weights = rest * 4 + linear * (NF4 + TAKEN_APART) + _copy(model.linear, work.half)
    else:
        weights = model.parameters * 4 + (_copy(model.linear, work.half) if work.half else 0)
    if settings.use_dora and not work.gpu:
        weights += 4 * sum(layer.size for layer in targets(model, settings))  # whose lengths are taken in each pass
    gradients = 12 if settings.method == "full" else 16  # gradient and two moments; of an adapter, the weights themselves too
    read, learned = work.looked
    scored: float
    if work.gpu:
        scored = held.most_read * SCORE
    elif settings.method == "full":
        scored = held.most_learned * SCORE * HELD_SCORES
    else:
        scored, learned = min(held.most_learned, SCORED_AT_ONCE) * SCORE, min(learned, SCORED_AT_ONCE)
    looked = learned * model.vocabulary * LOOKED_SCORE + read * (8 * model.intermediate + 10 * model.hidden)
    return Memory(
        base=ON_GPU if work.gpu else LIBRARIES,
        weights=weights,
        trained=trainable * gradients * _optimizer(settings) * TRAINED,
        activations=held.most_read * kept(model, settings),
        scores=scored * model.vocabulary,
        checks=looked * KEPT_FREE if work.checks else 0.0,
        kernels=0.0 if work.gpu else min(KERNELS, KERNELS_A_STEP * work.steps * settings.gradient_accumulation_steps),
    )


def _copy(layers: tuple[Layer, ...], half: bool) -> float:
    """Bytes of the weights that are held a second time for the passes."""
    size = sum(layer.size for layer in layers) * (2 if half else 4)
    return size if size <= COPIES else 0.0


def _optimizer(settings: TrainingSettings) -> float:
    """Share of AdamW's memory that another optimizer takes."""
    return {"sgd": 0.5, "adafactor": 0.55, "rmsprop": 0.75, "adamw_8bit": 0.63, "paged_adamw_8bit": 0.63}.get(settings.optim, 1.0)


def kept(model: Anatomy, settings: TrainingSettings) -> float:
    """Bytes that the backward pass needs of each token, all blocks together."""
    hidden, attention = model.hidden, model.heads * model.head_width
    keys = model.key_heads * model.head_width
    narrow = 26 if settings.method == "full" else 12  # frozen norms keep only what they read (`quick.blocks`)
    block: float = narrow * hidden + 10 * attention + 8 * keys + 6 * model.intermediate
    if settings.method == "ia3":
        block += 4 * (2 * keys + model.intermediate)
    elif settings.use_dora or (settings.lora_dropout and settings.method != "full"):
        block += sum(6 * layer.width_out + 2 * layer.width_in for layer in targets(model, settings)) / model.blocks
    if settings.gradient_checkpointing:
        return 4 * hidden * model.blocks + block
    return float(block * model.blocks)


@dataclass(frozen=True)
class Seconds:
    """Seconds of a run on the reference machine, part by part; `step` is one optimizer step."""

    start: float
    step: float
    check: float  # one look at the validation rows
    answers: float  # to the sample prompts, at one check
    save: float  # one checkpoint

    def whole(self, work: Work) -> float:
        answers = min(work.checks, samples.MOST_CHECKS) * self.answers
        return self.start + work.steps * self.step + work.checks * self.check + answers + work.saves * self.save


def seconds(work: Work) -> Seconds:
    """How long the parts of a run take on the reference machine."""
    model, settings, held = work.model, work.settings, work.batches
    trainable, _ = counts(model, settings)
    passes = step_costs(work)
    step = settings.gradient_accumulation_steps * sum(passes) + trainable * A_WEIGHT
    once = step_costs(replace(work, settings=_without(settings)))
    a_token = (once[1] + once[2]) / max(1.0, held.read)
    a_pass = _dora(work)
    a_token_of_an_answer = model.blocks * ANSWER_A_BLOCK + model.parameters * 4 / ANSWER_RATE + a_pass
    return Seconds(
        start=START + model.parameters / LOAD_RATE * (2.0 if settings.method == "qlora" else 1.0),
        step=step,
        check=work.validation * (a_token * CHECK_SHARE + a_pass / max(1.0, held.read)) / settings.num_processes,
        answers=min(work.answer, samples.MOST_TOKENS) * a_token_of_an_answer,
        save=A_CHECKPOINT + trainable * 12 / DISK_RATE,
    )


def step_costs(work: Work) -> tuple[float, float, float]:
    """Seconds of one pass over one batch, forwards and backwards: (whatever its size, for its products, for what it moves)."""
    model, settings, held = work.model, work.settings, work.batches
    linear, again = model.linear_size, 1 if settings.gradient_checkpointing else 0
    passes = 3 if settings.method == "full" else 2
    flops = held.read * 2 * linear * (passes + again)
    flops *= DORA if settings.use_dora else 1
    flops += held.learned * 2 * model.hidden * model.vocabulary * passes
    square = 4 * model.heads * model.head_width * (3.5 + again) * model.blocks  # products for a row of one token
    moved = held.read * kept(model, settings if not again else _without(settings)) * (1.5 if again else 1.0)
    moved += held.learned * model.vocabulary * SCORE
    fixed = (A_GPU_BLOCK if work.gpu else A_BLOCK) * model.blocks * (1 + again / 2)
    if work.gpu:
        return fixed, (flops + held.squares * square) / GPU_FLOPS, moved / GPU_BANDWIDTH
    if settings.method in ("lora", "qlora"):
        fixed += (A_LORA if settings.method == "lora" else A_LORA_ON_4_BITS) * len(targets(model, settings)) * (1 + again / 2)
    fixed += _dora(work) * (1 + again)
    short = SHORT_ATTENTION if work.half else ATTENTION
    attention = (held.long_squares / ATTENTION + (held.squares - held.long_squares) / short) * square
    return fixed, flops / (FLOPS if work.half else FLOPS * PLAIN_FLOPS) + attention, moved / BANDWIDTH


def _dora(work: Work) -> float:
    """Seconds that DoRA takes in each pass whatever the batch."""
    if not work.settings.use_dora or work.gpu:
        return 0.0
    return A_DORA * sum(layer.size for layer in targets(work.model, work.settings))


def _without(settings: TrainingSettings) -> TrainingSettings:
    return replace(settings, gradient_checkpointing=False)


def disk(work: Work) -> float:
    """Bytes that a run's folder takes at most: checkpoints, what it has learned, and its copy of the data."""
    trainable, _ = counts(work.model, work.settings)
    kept_checkpoints = min(checkpoints.MOST, work.saves)
    learned = trainable * 4 * (2 if work.settings.init_lora_weights in ("pissa", "olora") else 1)
    return kept_checkpoints * trainable * 12 + learned + work.data_bytes + MB // 4
