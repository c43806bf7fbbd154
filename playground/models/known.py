"""The models that are offered by name: a table, nothing more.

Knows sizes and conditions as published on each model's page. Does not know what this machine can do or has already downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass

MILLION = 1_000_000


@dataclass(frozen=True)
class Known:
    """A model on the Hugging Face Hub.

    `parameters` is a count; `gated` means that its licence must be accepted on its page by a signed-in person; `gpu` that answering and
    training on processor cores alone would take hours.
    """

    id: str
    name: str
    parameters: int
    gated: bool = False
    gpu: bool = False


KNOWN = (
    Known("google-t5/t5-small", "T5 small", 61 * MILLION),
    Known("google/flan-t5-small", "Flan-T5 small", 77 * MILLION),
    Known("HuggingFaceTB/SmolLM2-135M-Instruct", "SmolLM2 135M Instruct", 135 * MILLION),
    Known("google-t5/t5-base", "T5 base", 223 * MILLION),
    Known("google/flan-t5-base", "Flan-T5 base", 248 * MILLION),
    Known("google/gemma-3-270m-it", "Gemma 3 270M", 268 * MILLION, gated=True),
    Known("HuggingFaceTB/SmolLM2-360M-Instruct", "SmolLM2 360M Instruct", 362 * MILLION),
    Known("Qwen/Qwen2.5-0.5B-Instruct", "Qwen2.5 0.5B Instruct", 494 * MILLION),
    Known("Qwen/Qwen3-0.6B", "Qwen3 0.6B", 596 * MILLION),
    Known("TinyLlama/TinyLlama-1.1B-Chat-v1.0", "TinyLlama 1.1B Chat", 1_100 * MILLION),
    Known("meta-llama/Llama-3.2-1B-Instruct", "Llama 3.2 1B Instruct", 1_236 * MILLION, gated=True),
    Known("Qwen/Qwen2.5-1.5B-Instruct", "Qwen2.5 1.5B Instruct", 1_544 * MILLION),
    Known("HuggingFaceTB/SmolLM2-1.7B-Instruct", "SmolLM2 1.7B Instruct", 1_711 * MILLION),
    Known("google/gemma-2b-it", "Gemma 2B", 2_506 * MILLION, gated=True, gpu=True),
    Known("Qwen/Qwen3-4B-Instruct-2507", "Qwen3 4B Instruct", 4_022 * MILLION, gpu=True),
    Known("meta-llama/Llama-2-7b-hf", "Llama 2 7B", 6_738 * MILLION, gated=True, gpu=True),
    Known("meta-llama/Llama-2-7b-chat-hf", "Llama 2 7B Chat", 6_738 * MILLION, gated=True, gpu=True),
    Known("mistralai/Mistral-7B-Instruct-v0.2", "Mistral 7B Instruct v0.2", 7_242 * MILLION, gpu=True),
    Known("mistralai/Mistral-7B-Instruct-v0.3", "Mistral 7B Instruct v0.3", 7_248 * MILLION, gpu=True),
    Known("meta-llama/Meta-Llama-3-8B-Instruct", "Llama 3 8B Instruct", 8_030 * MILLION, gated=True, gpu=True),
    Known("meta-llama/Llama-3.1-8B", "Llama 3.1 8B", 8_030 * MILLION, gated=True, gpu=True),
    Known("meta-llama/Llama-3.1-8B-Instruct", "Llama 3.1 8B Instruct", 8_030 * MILLION, gated=True, gpu=True),
)
