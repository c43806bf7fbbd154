"""Loading a model into memory: whole or in 4-bit, on a GPU or a processor, never with code that came along with it.

Does not know adapters, prompts or runs.
"""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import Any

import psutil

from playground.errors import ModelUnavailable
from playground.models import hub, library
from playground.models.catalog import TOO_BIG, ModelRef
from playground.models.folder import parameters_of, problem_of, tensor_shapes, weight_files

BLOCK = 64  # NF4 packs weights in blocks of this many; on a processor the product of a 4-bit layer wants whole blocks
MEGABYTE = 1024**2
UNPACKED_MB = 512
SMALL = 150_000_000  # parameters; below, sharing one token's work between cores costs more than it saves, and far more on a busy machine
NOT_LINEAR = ("embed", "wte", "wpe", "norm", "lm_head", "shared", "relative_attention_bias")


def folder_of(ref: ModelRef) -> Path:
    """Where a model's files are, downloaded first when they are on the Hub only.

    Raises:
        ModelUnavailable: they cannot be had, or something is missing.
    """
    folder = hub.download(ref.source, ref.revision) if ref.source == ref.id else Path(ref.source)
    if problem := problem_of(folder, ref.id):
        raise ModelUnavailable(problem.template, **problem.values)
    return folder


def load(ref: ModelRef, quantised: bool, device: str | None = None) -> Any:
    """The model, ready to answer: 32-bit on a processor, bfloat16 on a GPU, or NF4 with double quantisation when `quantised`.

    Args:
        device: `cpu`, `cuda`, ...; the GPU by default where there is one.

    Raises:
        ModelUnavailable: not enough memory, not a text-generation model, or its shape cannot be held in 4-bit on a processor.
    """
    library.import_models()
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
    from transformers.utils import logging as transformers_logging

    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)  # it recommends downloading a faster kernel
    folder = folder_of(ref)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cpu":
        torch.set_num_threads(cores())
        check_memory(ref, folder, quantised)
        if quantised:
            check_blocks(ref, folder)
    transformers_logging.disable_progress_bar()
    options: dict[str, Any] = {"quantization_config": nf4()} if quantised else {}
    try:
        with library.LOADING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind: Any = AutoModelForSeq2SeqLM if ref.encoder_decoder else AutoModelForCausalLM
            model = kind.from_pretrained(
                str(folder),
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                dtype=torch.float32 if device == "cpu" else torch.bfloat16,
                device_map={"": device},
                **options,
            )
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise ModelUnavailable("{name} does not fit into memory. Close other programs, or choose a smaller model.", name=ref.id) from error
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelUnavailable(
            "{name} cannot be loaded: it is damaged, or of a kind that this playground does not know. Choose another model.", name=ref.id
        ) from error
    if quantised and device == "cpu":
        _leave_as_it_is(model)
    return model.eval()


def _leave_as_it_is(model: Any) -> None:
    """Keep bitsandbytes from arranging 4-bit weights anew for a kernel that is not installed.

    It rounds the blocks' constants to bfloat16 on the way, and goes back and forth as adapters come: the base would change under them.
    """
    import bitsandbytes as bnb

    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def unpack(model: Any, most_mb: int = UNPACKED_MB) -> int:
    """Let a small model's 4-bit layers on a processor compute with weights that are unpacked once, in 32 bits, not anew for each token.

    The values are those of the 4-bit weights. Gives the MB of 1024² bytes that the copy takes, 0 where it would take more than `most_mb`.
    """
    import bitsandbytes as bnb
    from torch.nn.functional import linear

    layers = [module for module in model.modules() if isinstance(module, bnb.nn.Linear4bit) and module.weight.device.type == "cpu"]
    size = sum(layer.in_features * layer.out_features for layer in layers) * 4 // MEGABYTE
    if size > most_mb:
        return 0
    for layer in layers:
        weight = bnb.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state).float()
        bias = None if layer.bias is None else layer.bias.detach().float()
        layer.forward = lambda x, weight=weight, bias=bias: linear(x, weight, bias)
    return size


def nf4() -> Any:
    """4-bit as in QLoRA: NormalFloat, constants quantised once more, products in bfloat16 (Dettmers et al., 2023, arXiv:2305.14314)."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def answering_threads(model: Any) -> int:
    """How many cores should work on one answer of this model.

    Threads that wait for each other at every layer crawl when another program holds a core: on two busy cores the starter was seen to
    write 6 tokens/s with two threads and 80 with one.
    """
    return 1 if model.num_parameters() < SMALL else cores()


def memory_needed(folder: Path, quantised: bool) -> int | None:
    """MB of 1024² bytes that a model takes on a processor, told by the headers of its files; None where they cannot be read."""
    parameters = parameters_of(folder)
    return None if parameters is None else int(parameters * (1.2 if quantised else 4) / MEGABYTE) + 100


def free_memory() -> int:
    """MB of 1024² bytes that programs can still have."""
    return int(psutil.virtual_memory().available // MEGABYTE)


def check_memory(ref: ModelRef, folder: Path, quantised: bool) -> None:
    """Refuse a model whose weights alone exceed what is free.

    Raises:
        ModelUnavailable: with the figures, in MB of 1024² bytes.
    """
    needed, free = memory_needed(folder, quantised), free_memory()
    if needed is not None and needed > free:
        raise ModelUnavailable(TOO_BIG, name=ref.id, needed=needed, memory=free)


def check_blocks(ref: ModelRef, folder: Path) -> None:
    """Refuse 4-bit on a processor for a shape that bitsandbytes cannot multiply there.

    Raises:
        ModelUnavailable: a linear layer's input is no multiple of 64.
    """
    for file in weight_files(folder):
        for name, shape in tensor_shapes(file):
            if len(shape) == 2 and shape[1] % BLOCK and not any(part in name for part in NOT_LINEAR):
                raise ModelUnavailable(
                    "{name} cannot be held in 4-bit on a processor: a layer is {width} wide, which is no multiple of {block}. "
                    "Choose a method without 4-bit, such as LoRA.",
                    name=ref.id,
                    width=shape[1],
                    block=BLOCK,
                )
