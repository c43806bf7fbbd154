"""Whether an adapter of unknown origin fits a model, and the only words of its configuration that are handed on.

Its tensors say which layers it stands on and how large it is; its configuration is asked for what they cannot tell, and each answer is
checked. PEFT would import modules and load models that a configuration names, so nothing but what `Checked` holds reaches it. Reads
headers, no weights, and imports no torch. Does not know where the files came from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playground.errors import InputError
from playground.models.catalog import ModelRef
from playground.models.folder import tensor_shapes, weight_files

Shape = tuple[int, ...]
PREFIX = "base_model.model."
ENDS = {
    "lora_A.weight": "a",
    "lora_B.weight": "b",
    "lora_magnitude_vector": "magnitude",
    "lora_magnitude_vector.weight": "magnitude",
    "ia3_l": "scale",
}
TRANSPOSED = ("gpt2",)  # models that keep a layer's input first (Conv1D)
FLOATS = ("F64", "F32", "F16", "BF16")
MOST_HEADER = 16 * 1024**2
MOST_TENSORS = 20_000
MOST_RANK, MOST_ALPHA = 1024, 16_384.0
# Switches that change what an adapter does to a model in ways that the playground does not know.
CHANGING = (
    "rank_pattern", "alpha_pattern", "modules_to_save", "trainable_token_indices", "layer_replication", "target_parameters", "lora_bias",
    "alora_invocation_tokens", "use_qalora", "use_bdlora", "arrow_config", "kasa_config", "velora_config", "monteclora_config",
)  # fmt: skip
OWN_WEIGHTS = ("pissa", "olora", "corda", "loftq", "lora_ga")  # beginnings that change the model itself beside the adapter
NOT_WHOLE = "The adapter's weights are damaged or not in the safetensors format. Save or download it once more."
CONFIG_UNREADABLE = "The adapter's adapter_config.json cannot be read. Save or download the adapter once more."
OTHER_MODEL = (
    "The adapter does not fit {model}: its part for {layer} is made for {given} numbers, where the model has {has}. Choose the model that "
    "it was trained on."
)
NO_LAYER = "The adapter does not fit {model}, which has no layer called {layer}. Choose the model that it was trained on."
NO_FLOATS = "The adapter's weights are kept as {kind}; only floating-point numbers are known here."
STRANGE = "The adapter holds {name}, which is neither LoRA nor IA3, so it cannot be used here."
HALF = "The adapter's part for {layer} is not whole. Save or download it once more."


@dataclass(frozen=True)
class Checked:
    """A configuration that says only what was checked, and the settings of a run that it stands for."""

    config: dict[str, Any]
    settings: dict[str, Any]
    trainable: int


@dataclass
class _Layer:
    parts: dict[str, Shape] = field(default_factory=dict)


def read_config(content: bytes) -> dict[str, Any]:
    """A configuration as it was given: to be asked for single words, never to be handed on.

    Raises:
        InputError: it is no JSON object.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:  # also brackets without end
        raise InputError(CONFIG_UNREADABLE) from error
    if not isinstance(found, dict):
        raise InputError(CONFIG_UNREADABLE)
    return found


def check(weights: Path, config: Mapping[str, Any], ref: ModelRef, folder: Path) -> Checked:
    """Compare the adapter with the model `ref`, whose files lie in `folder`.

    Raises:
        InputError: what does not fit, or is not known here.
    """
    kind = config.get("peft_type")
    if kind not in ("LORA", "IA3"):
        raise InputError("The playground knows adapters of the kinds LORA and IA3; this one says {kind}.", kind=str(kind)[:60])
    changing = [name for name in CHANGING if config.get(name)]
    if config.get("bias", "none") != "none":
        changing.append("bias")
    if changing:
        raise InputError("The adapter uses {names}, which the playground does not know, so it is not used.", names=", ".join(changing))
    shapes = adapter_shapes(weights)
    layers = _layers(shapes)
    wide = _model_layers(folder, ref.kind)
    matched = {path: _fit(path, layer, wide, ref, kind) for path, layer in layers.items()}
    targets = _targets(layers, wide)
    head = {"peft_type": kind, "task_type": "SEQ_2_SEQ_LM" if ref.encoder_decoder else "CAUSAL_LM", "inference_mode": True}
    head |= {"base_model_name_or_path": ref.id, "target_modules": targets, "fan_in_fan_out": ref.kind in TRANSPOSED}
    trainable = sum(math.prod(shape) for shape in shapes.values())
    if kind == "IA3":
        inward = [path for path, layer in layers.items() if layer.parts["scale"][0] == 1 and matched[path][0] != 1]
        scaled = [name for name in targets if any(path == name or path.endswith(f".{name}") for path in inward)]
        said = {**head, "feedforward_modules": scaled, "init_ia3_weights": True}
        return Checked(said, {"model": ref.id, "method": "ia3", "target_modules": targets}, trainable)
    own = _lora(config, layers)
    said = {**head, **own, "bias": "none", "init_lora_weights": True}
    names = {"lora_r": "r", "lora_alpha": "lora_alpha", "lora_dropout": "lora_dropout", "use_dora": "use_dora", "use_rslora": "use_rslora"}
    settings = {"model": ref.id, "method": "lora", "target_modules": targets, **{name: own[key] for name, key in names.items()}}
    return Checked(said, settings, trainable)


def adapter_shapes(weights: Path) -> dict[str, Shape]:
    """Name and shape of every tensor, after the format's own library has found the file whole.

    Raises:
        InputError: it is not.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with weights.open("rb") as file:
            if int.from_bytes(file.read(8), "little") > MOST_HEADER:
                raise InputError(NOT_WHOLE)
        found: dict[str, Shape] = {}
        with safe_open(str(weights), framework="np") as file:
            for name in file.keys():  # noqa: SIM118 - the file is no dictionary
                part = file.get_slice(name)
                if part.get_dtype() not in FLOATS:
                    raise InputError(NO_FLOATS, kind=part.get_dtype())
                found[name] = tuple(part.get_shape())
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        raise InputError(NOT_WHOLE) from error
    if not found or len(found) > MOST_TENSORS:
        raise InputError(NOT_WHOLE)
    return found


def _layers(shapes: Mapping[str, Shape]) -> dict[str, _Layer]:
    """The adapter's tensors by the layer that they stand on."""
    layers: dict[str, _Layer] = {}
    for name, shape in shapes.items():
        end = next((end for end in ENDS if name.endswith(f".{end}")), None)
        if end is None or not name.startswith(PREFIX):
            raise InputError(STRANGE, name=_short(name))
        parts = layers.setdefault(name.removeprefix(PREFIX).removesuffix(f".{end}"), _Layer()).parts
        if ENDS[end] in parts:
            raise InputError(STRANGE, name=_short(name))
        parts[ENDS[end]] = shape
    return layers


def _model_layers(folder: Path, kind: str) -> dict[str, tuple[int, int]]:
    """(numbers in, numbers out) of the model's layers, by their names in its files."""
    found = {}
    for file in weight_files(folder):
        for name, shape in tensor_shapes(file):
            if len(shape) == 2 and name.endswith(".weight"):
                found[name.removesuffix(".weight")] = (shape[0], shape[1]) if kind in TRANSPOSED else (shape[1], shape[0])
    return found


def _find(path: str, wide: Mapping[str, tuple[int, int]]) -> tuple[int, int] | None:
    """A layer by its path; some files leave out the path's beginning, and a tied scoring layer is not written twice."""
    if path in wide:
        return wide[path]
    if path == "lm_head":
        return next((sizes for name, sizes in wide.items() if name.endswith(("embed_tokens", "wte", "shared"))), None)
    return wide.get(path.partition(".")[2])


def _fit(path: str, layer: _Layer, wide: Mapping[str, tuple[int, int]], ref: ModelRef, kind: str) -> tuple[int, int]:
    """The layer's widths, once the adapter's part fits them."""
    sizes = _find(path, wide)
    if sizes is None:
        raise InputError(NO_LAYER, model=ref.id, layer=_short(path))
    into, out = sizes
    parts = layer.parts
    if kind == "IA3":
        if set(parts) != {"scale"}:
            raise InputError(HALF, layer=_short(path))
        if parts["scale"] not in ((1, into), (out, 1)):
            raise InputError(OTHER_MODEL, model=ref.id, layer=_short(path), given=math.prod(parts["scale"]), has=out)
        return sizes
    if not {"a", "b"} <= set(parts) <= {"a", "b", "magnitude"} or len(parts["a"]) != 2 or len(parts["b"]) != 2:
        raise InputError(HALF, layer=_short(path))
    if parts["a"][0] != parts["b"][1]:
        raise InputError(HALF, layer=_short(path))
    for given, has in ((parts["a"][1], into), (parts["b"][0], out), (math.prod(parts.get("magnitude", (out,))), out)):
        if given != has:
            raise InputError(OTHER_MODEL, model=ref.id, layer=_short(path), given=given, has=has)
    return sizes


def _lora(config: Mapping[str, Any], layers: Mapping[str, _Layer]) -> dict[str, Any]:
    """What the tensors cannot tell, checked, and what they tell better."""
    ranks = {layer.parts["a"][0] for layer in layers.values()}
    if len(ranks) != 1 or not 1 <= (rank := ranks.pop()) <= MOST_RANK:
        raise InputError("The adapter's layers are of different ranks, or of one beyond {most}, which is not known here.", most=MOST_RANK)
    begun = config.get("init_lora_weights", True)
    if isinstance(begun, str) and begun.lower().startswith(OWN_WEIGHTS):
        raise InputError(
            "The adapter began as a part of its model's own weights ({name}) and needs the model changed to match. Save it converted to "
            "plain LoRA, then bring it again.", name=begun[:40],
        )  # fmt: skip
    alpha, dropout = config.get("lora_alpha", 8), config.get("lora_dropout", 0.0)
    if config.get("r", rank) != rank or not _number(alpha, 0, MOST_ALPHA) or not alpha or not _number(dropout, 0, 0.9):
        raise InputError("The adapter's r, lora_alpha or lora_dropout does not fit its weights or makes no sense.")
    dora = any("magnitude" in layer.parts for layer in layers.values())
    if dora and not all("magnitude" in layer.parts for layer in layers.values()):
        raise InputError(HALF, layer=next(_short(path) for path, layer in layers.items() if "magnitude" not in layer.parts))
    switches = {name: config.get(name) or False for name in ("use_dora", "use_rslora")}
    if not all(isinstance(value, bool) for value in switches.values()) or switches["use_dora"] != dora:
        raise InputError("The adapter's use_dora or use_rslora does not fit its weights or makes no sense.")
    return {"r": rank, "lora_alpha": alpha, "lora_dropout": float(dropout), **switches}


def _number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _targets(layers: Mapping[str, _Layer], wide: Mapping[str, tuple[int, int]]) -> list[str]:
    """Short names where every layer of that name is adapted, else whole paths; never a pattern of the configuration's."""
    last = {path: path.rsplit(".", 1)[-1] for path in layers}
    there = [name.rsplit(".", 1)[-1] for name in wide]
    whole = all(list(last.values()).count(name) == there.count(name) for name in set(last.values()))
    return sorted(set(last.values())) if whole else sorted(layers)


def _short(name: str) -> str:
    return name if len(name) <= 90 else "…" + name[-89:]
