"""A model folder as it lies on disk, read without torch: shape, size, and whether it can be used.

Reads `config.json` and the headers of safetensors files, never weights. Does not know where the folder came from.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playground.errors import ModelUnavailable, Sentence
from playground.workspace import read_json

DEFAULT_WINDOW = 2048  # tokens; for the few configurations that do not tell
SLIDING = {"mistral": 4096, "gemma3_text": 4096}  # tokens they look back where their configuration does not tell
SWITCHED = ("qwen2", "qwen3")  # look back over everything unless their configuration says otherwise
MAX_HEADER = 100_000_000  # bytes, the limit of the safetensors format
GENERATIVE = ("ForCausalLM", "LMHeadModel")
# Models that read a text whole and then write one; others of their build see pictures or hear speech.
READ_FIRST = ("t5", "mt5", "umt5", "longt5", "bart", "mbart", "pegasus", "led", "blenderbot", "marian", "m2m_100", "t5gemma")
NO_FOLDER = "There is no folder {folder} on this machine."
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def config_of(folder: Path) -> dict[str, Any]:
    """The configuration of a model, empty where there is none that can be read."""
    config = read_json(folder / "config.json", {})
    return config if isinstance(config, dict) else {}


def text_config(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a configuration that describes the text model; models that also see pictures nest it."""
    inner = config.get("text_config")
    return inner if isinstance(inner, dict) else config


def window_of(config: dict[str, Any]) -> int:
    """How many tokens the model reads and writes at most, together."""
    text = text_config(config)
    for key in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"):
        if isinstance(text.get(key), int) and text[key] > 0:
            return int(text[key])
    return DEFAULT_WINDOW


def sliding_window_of(config: dict[str, Any]) -> int | None:
    """How many tokens attention looks back where it does not see all of them, as Transformers reads it; None: all."""
    text = text_config(config)
    kind = text.get("model_type")
    if kind in SWITCHED and not text.get("use_sliding_window"):
        return None
    found = text.get("sliding_window", SLIDING.get(str(kind)))
    return found if isinstance(found, int) and found > 0 else None


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model, empty when one that its index names is missing."""
    index = read_json(folder / "model.safetensors.index.json")
    if isinstance(index, dict) and isinstance(index.get("weight_map"), dict):
        names = sorted({str(name) for name in index["weight_map"].values()})
    else:
        names = ["model.safetensors"]
    files = [folder / name for name in names if Path(name).name == name]
    return files if files and all(file.is_file() for file in files) else []


def tensor_shapes(file: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every tensor in a safetensors file, from its header.

    Raises:
        ModelUnavailable: the file is not in the safetensors format or is cut off.
    """
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > MAX_HEADER:
                raise ValueError("header too long")
            header = json.loads(stream.read(length))
        end = 8 + length + max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
        if end > file.stat().st_size:
            raise ValueError("cut off")
        for name, entry in header.items():
            if name != "__metadata__":
                yield name, tuple(int(side) for side in entry["shape"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ModelUnavailable(
            "The weights in {file} are damaged or not in the safetensors format. Copy or download the model again.", file=file.name
        ) from error


def parameters_of(folder: Path) -> int | None:
    """How many numbers the model was trained to; None where the weights are missing or damaged."""
    try:
        return sum(math.prod(shape) for file in weight_files(folder) for _, shape in tensor_shapes(file)) or None
    except ModelUnavailable:
        return None


def not_generative(config: dict[str, Any], name: str) -> Sentence | None:
    """Why a configuration is not one of a model that continues text, or None when it is."""
    architectures = config.get("architectures")
    if isinstance(architectures, list) and any(str(one).endswith(GENERATIVE) for one in architectures):
        return None
    if config.get("is_encoder_decoder") and text_config(config).get("model_type") in READ_FIRST:
        return None
    return Sentence(
        "{name} is not a model that writes text word by word, which the playground needs. Choose a chat or “instruct” model.", name=name
    )


def problem_of(folder: Path, name: str) -> Sentence | None:
    """What keeps a model folder from being used, in one sentence, or None when nothing does."""
    try:
        return _problem_of(folder, name) if folder.is_dir() else Sentence(NO_FOLDER, folder=folder)
    except OSError:  # nobody may look there, or the path is longer than any
        return Sentence(NO_FOLDER, folder=folder)


def _problem_of(folder: Path, name: str) -> Sentence | None:
    config = config_of(folder)
    if not config:
        return Sentence(
            "The folder of {name} has no config.json that can be read, so it is not a model that Transformers saved.", name=name
        )
    if problem := not_generative(config, name):
        return problem
    if not weight_files(folder):
        if any(next(folder.glob(pattern), None) for pattern in PICKLES):
            return Sentence(
                "{name} has its weights only in a format that can run hidden programs. Save it as safetensors, or choose another model.",
                name=name,
            )
        return Sentence("The folder of {name} lacks model.safetensors, or a part of it. Copy or download the model again.", name=name)
    if not (folder / "tokenizer.json").is_file() and not (folder / "tokenizer.model").is_file() and not (folder / "vocab.json").is_file():
        return Sentence("The folder of {name} has no tokenizer.json, without which text cannot be read. Copy the whole model.", name=name)
    if problem := _damaged(folder):
        return problem
    return None


def _damaged(folder: Path) -> Sentence | None:
    try:
        for file in weight_files(folder):
            for _ in tensor_shapes(file):
                pass
    except ModelUnavailable as error:
        return error.sentence
    return None
