"""One base model in memory: reads prompts, answers a batch of them, each row with its own adapter.

Does not know panes, queues or other models.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from playground.inference.adapters import Adapters, Loaded
from playground.inference.generate import Answer, GenerationSettings, choosers
from playground.models import library
from playground.models.catalog import ModelRef
from playground.models.loading import answering_threads, load
from playground.models.template import PLAIN_STOP, end_ids, load_tokenizer, plain_template

PROMPT_SHARE = 4  # at least a quarter of the window is for the prompt


@dataclass
class Row:
    """One prompt in a batch and its answer so far. `seconds` from the start of the batch to the end of this answer."""

    ids: list[int]
    adapter: Loaded | None
    answer: Answer
    seconds: float = 0.0
    proof: dict[str, str] | None = None


class Base:
    """A model, its tokenizer and its adapters. `lock` is held while it loads or answers."""

    def __init__(self, ref: ModelRef, quantised: bool) -> None:
        self.ref, self.quantised = ref, quantised
        self.lock = threading.Lock()
        self.used = time.monotonic()
        self.adapters: Adapters | None = None
        self.memory_mb = 0
        self._model: Any = None
        self._threads = 1
        self._ends: list[int] = []

    @property
    def ready(self) -> bool:
        return self._model is not None

    def prepare(self) -> None:
        """Load the model, once. The lock is held.

        Raises:
            ModelUnavailable: it cannot be had or does not fit.
        """
        if self._model is not None:
            return
        library.import_models()
        from transformers import GenerationConfig

        self.tokenizer = load_tokenizer(self.ref)
        model = load(self.ref, self.quantised)
        own = model.generation_config.eos_token_id
        self._ends = sorted({*end_ids(self.tokenizer), *(own if isinstance(own, list) else [own] if own is not None else [])})
        model.generation_config = GenerationConfig(
            pad_token_id=self.tokenizer.pad_token_id
        )  # settings come from people, not from the model
        self.memory_mb = 1 + int(model.get_memory_footprint() // 1024**2)
        self._threads = answering_threads(model)
        self.adapters = Adapters(model)
        self._model = model

    def forget(self) -> None:
        """Let go of the model; the next `prepare` loads it afresh. The lock is held."""
        self._model, self.adapters, self.memory_mb = None, None, 0

    def room(self, wanted: int) -> int:
        """How many tokens an answer may have so that a prompt still fits."""
        return max(1, min(wanted, self.ref.window - self.ref.window // PROMPT_SHARE))

    def row(self, ids: list[int], adapter: Loaded | None, settings: GenerationSettings, turns: bool = True) -> Row:
        """A prompt ready to be answered, or without `turns` a text to go on with, in which nobody else speaks next."""
        stops = (*settings.stop, PLAIN_STOP) if turns and plain_template(self.tokenizer) else settings.stop
        return Row(ids, adapter, Answer(self.tokenizer, self._ends, stops, self.room(settings.max_new_tokens)))

    def answer(self, rows: Sequence[Row], settings: GenerationSettings, cancel: threading.Event, told: Callable[[], None]) -> None:
        """Let all rows grow to their ends in one batch, calling `told` after each token. The lock is held.

        Rows are padded on the left; each is finished by itself. `cancel` ends the batch within a token.
        """
        import torch
        from transformers import GenerationConfig, StoppingCriteriaList

        if self.adapters is None:
            raise RuntimeError("the model is not loaded")
        longest = max(len(row.ids) for row in rows)
        padding = [longest - len(row.ids) for row in rows]
        pad = self.tokenizer.pad_token_id
        device = self._model.device
        input_ids = torch.tensor([[pad] * skip + row.ids for skip, row in zip(padding, rows, strict=True)], device=device)
        mask = torch.tensor([[0] * skip + [1] * len(row.ids) for skip, row in zip(padding, rows, strict=True)], device=device)
        config = GenerationConfig(
            max_new_tokens=self.room(settings.max_new_tokens), do_sample=False, num_beams=1, repetition_penalty=1.0, pad_token_id=pad
        )
        torch.set_num_threads(self._threads)
        started = time.perf_counter()
        adapters = self.adapters

        def step(tokens: list[int]) -> list[bool]:
            for place, (row, token) in enumerate(zip(rows, tokens, strict=True)):
                if not row.answer.finished:
                    row.answer.push(token)
                    row.seconds, row.proof = time.perf_counter() - started, adapters.witnessed(place)
            told()
            return [cancel.is_set() or row.answer.finished is not None for row in rows]

        with torch.inference_mode(), adapters.active([row.adapter for row in rows]) as (model, options):
            model.generate(
                input_ids=input_ids,
                attention_mask=mask,
                generation_config=config,
                logits_processor=choosers(settings, len(rows), padding),
                stopping_criteria=StoppingCriteriaList([_follower(step)]),
                **options,
            )
        self.used = time.monotonic()


def _follower(step: Callable[[list[int]], list[bool]]) -> Any:
    """Hears every new token of a batch and says which rows are done: Transformers asks it after each step, before the next."""
    import torch
    from transformers import StoppingCriteria

    class Follower(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **options: Any) -> Any:
            return torch.tensor(step(input_ids[:, -1].tolist()), device=input_ids.device, dtype=torch.bool)

    return Follower()
