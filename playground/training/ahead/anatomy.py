"""What a model is made of, and how much of it a method trains: counted from its files, before anything is loaded.

The counts are those that a run tells once its model is in memory (`methods.counts`), for models whose files name their tensors as
Transformers names their parts. Reads headers only, imports no torch. Does not know rows, machines or time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from playground.models.folder import config_of, sliding_window_of, tensor_shapes, text_config, weight_files
from playground.training.config import ALL_LINEAR, TrainingSettings
from playground.training.methods import FEEDFORWARD, KEYS_VALUES

EMBEDDINGS = (
    "embed_tokens",
    "embed_positions",
    "wte",
    "wpe",
    "shared",
    "embed_in",
    "relative_attention_bias",
    "word_embeddings",
    "embed_out",
)
HEADS = ("lm_head", "embed_out")
TRANSPOSED = ("gpt2",)  # kinds whose layers keep their input first (Conv1D)
MASKS = (".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias")  # old files hold what is computed today


@dataclass(frozen=True)
class Layer:
    """One linear layer: its path in the model and how many numbers go in and out."""

    path: str
    width_in: int
    width_out: int

    @property
    def name(self) -> str:
        return self.path.rsplit(".", 1)[-1]

    @property
    def size(self) -> int:
        return self.width_in * self.width_out


@dataclass(frozen=True)
class Anatomy:
    """A model as its files tell it. Sizes in numbers (parameters), not bytes. `file_bytes`: what its weights take on disk."""

    parameters: int
    linear: tuple[Layer, ...]  # without the layer that scores the vocabulary
    vocabulary: int
    hidden: int
    blocks: int
    intermediate: int
    heads: int
    key_heads: int
    head_width: int
    kind: str
    file_bytes: int
    sliding_window: int | None = None  # tokens that attention looks back; None: all

    @property
    def linear_size(self) -> int:
        return sum(layer.size for layer in self.linear)


def anatomy_of(folder: Path) -> Anatomy | None:
    """What the model in `folder` is made of; None where its files are not (all) there.

    Raises:
        ModelUnavailable: a file of weights is damaged.
    """
    files = weight_files(folder)
    if not files:
        return None
    return _read(folder, sum(file.stat().st_mtime_ns for file in files))


@lru_cache(maxsize=16)
def _read(folder: Path, changed: int) -> Anatomy:
    config = config_of(folder)
    text = text_config(config)
    files = weight_files(folder)
    shapes = {name: shape for file in files for name, shape in tensor_shapes(file) if not name.endswith(MASKS)}
    tied = text.get("tie_word_embeddings", config.get("tie_word_embeddings", True))
    if tied and any(_part(name, EMBEDDINGS) and not _part(name, HEADS) for name in shapes):
        shapes = {name: shape for name, shape in shapes.items() if not _part(name, HEADS)}
    kind = str(text.get("model_type", ""))
    layers = []
    for name, shape in shapes.items():
        if len(shape) == 2 and name.endswith(".weight") and not _part(name, EMBEDDINGS) and not _part(name, HEADS):
            first, second = shape if kind in TRANSPOSED else shape[::-1]
            layers.append(Layer(name.removesuffix(".weight"), first, second))

    def number(*names: str, default: int) -> int:
        return next((int(text[name]) for name in names if isinstance(text.get(name), int) and text[name]), default)

    hidden = number("hidden_size", "n_embd", "d_model", default=max((layer.width_in for layer in layers), default=1))
    heads = number("num_attention_heads", "n_head", "num_heads", default=1)
    return Anatomy(
        parameters=sum(math.prod(shape) for shape in shapes.values()),
        linear=tuple(layers),
        vocabulary=number("vocab_size", default=max((shape[0] for shape in shapes.values() if len(shape) == 2), default=1)),
        hidden=hidden,
        blocks=number("num_hidden_layers", "n_layer", "num_layers", default=1),
        intermediate=number("intermediate_size", "n_inner", "d_ff", default=4 * hidden),
        heads=heads,
        key_heads=number("num_key_value_heads", default=heads),
        head_width=number("head_dim", "d_kv", default=max(1, hidden // heads)),
        kind=kind,
        file_bytes=sum(file.stat().st_size for file in files),
        sliding_window=sliding_window_of(config),
    )


def _part(name: str, parts: tuple[str, ...]) -> bool:
    return any(one in parts for one in name.split("."))


def targets(model: Anatomy, settings: TrainingSettings) -> list[Layer]:
    """The layers that an adapter of these settings is put on; all of them where the whole model is trained."""
    chosen = settings.target_modules
    if settings.method == "ia3" and chosen == ALL_LINEAR:
        chosen = [*KEYS_VALUES, *FEEDFORWARD]
    if settings.method == "full" or isinstance(chosen, str):
        return list(model.linear)
    return [layer for layer in model.linear if any(layer.path == name or layer.path.endswith(f".{name}") for name in chosen)]


def counts(model: Anatomy, settings: TrainingSettings) -> tuple[int, int]:
    """(trainable, all) parameters of a run with these settings."""
    if settings.method == "full":
        return model.parameters, model.parameters
    chosen = targets(model, settings)
    if settings.method == "ia3":
        trained = sum(layer.width_in if layer.name in FEEDFORWARD else layer.width_out for layer in chosen)
    else:
        trained = sum(settings.lora_r * (layer.width_in + layer.width_out) for layer in chosen)
        trained += sum(layer.width_out for layer in chosen) if settings.use_dora else 0
    return trained, model.parameters + trained


def imagined(parameters: int) -> Anatomy:
    """A model of usual proportions with so many parameters, where only its size is known."""
    width = max(64, round((parameters * 64 / 13) ** (1 / 3) / 64) * 64)
    blocks = max(1, round(parameters * 0.85 / (13 * width**2)))
    one = [Layer(f"{part}.{name}", width, width) for part, name in zip(["self_attn"] * 4, "qkvo", strict=True)]
    feed = 3 * width
    one += [Layer("mlp.gate", width, feed), Layer("mlp.up", width, feed), Layer("mlp.down", feed, width)]
    layers = tuple(
        Layer(f"layers.{number}.{layer.path}_proj", layer.width_in, layer.width_out) for number in range(blocks) for layer in one
    )
    vocabulary = max(1, (parameters - sum(layer.size for layer in layers)) // width)
    heads = width // 64
    return Anatomy(parameters, layers, vocabulary, width, blocks, feed, heads, heads, 64, "llama", parameters * 2)
