"""One base model in memory: reads prompts, answers a batch of them, each row with its own adapter.

Does not know panes, queues or other models.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playground.errors import ModelUnavailable
from playground.inference.adapters import CHANGED, Adapters, Loaded, proof_of
from playground.inference.generate import Answer, GenerationSettings, choosers
from playground.models import library
from playground.models.catalog import AdapterRef, ModelRef
from playground.models.loading import answering_threads, cores, load, unpack
from playground.models.reading import in_a_block
from playground.models.template import PLAIN_STOP, end_ids, load_tokenizer, plain_template
from playground.workspace import file_hash

PROMPT_SHARE = 4  # at least a quarter of the window is for the prompt
PART_ROWS = 12  # of a batch, for which a core of its own is worth while
MOST_BYTES = 1024**3  # of keys and values that the model keeps of a batch's tokens


@dataclass
class Row:
    """One prompt in a batch and its answer so far, which ends within a token once `cancel` is set.

    `seconds` from the start of the batch to the end of this answer, `first_seconds` to its first token.
    """

    ids: list[int]
    adapter: Loaded | None
    answer: Answer
    settings: GenerationSettings
    cancel: threading.Event
    seconds: float = 0.0
    first_seconds: float = 0.0
    proof: dict[str, str] | None = None


@dataclass(frozen=True)
class Given:
    """A text that is there already: the ids that are read, those that follow, and from which of these on one wants to know."""

    prompt: list[int]
    answer: list[int]
    adapter: Loaded | None
    start: int = 0


@dataclass
class Work:
    """What the parts of a batch share: whom to tell, when it began, and the failure that ends all of them."""

    told: Callable[[], None]
    started: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    error: Exception | None = None

    def run(self, part: Callable[..., None], *args: Any) -> None:
        try:
            part(*args)
        except Exception as error:  # handed on by the thread that waits for all
            self.error = self.error or error


class Base:
    """A model, its tokenizer and its adapters. `lock` is held while it loads or answers. `whole`: the run that trained all of it."""

    def __init__(self, ref: ModelRef, quantised: bool, whole: AdapterRef | None = None) -> None:
        self.ref, self.quantised, self._whole = ref, quantised, whole
        self.lock = threading.Lock()
        self.used = time.monotonic()
        self.adapters: Adapters | None = None
        self.memory_mb = 0
        self._model: Any = None
        self._threads = 1
        self._token_bytes = 0
        self._start: int | None = None  # what an answer of an encoder-decoder model begins with
        self._ends: list[int] = []

    @property
    def ready(self) -> bool:
        return self._model is not None

    @property
    def vocabulary(self) -> int:
        """How many tokens the model knows."""
        return int(self._model.config.get_text_config().vocab_size)

    def prepare(self) -> None:
        """Load the model, once. The lock is held.

        Raises:
            ModelUnavailable: it cannot be had or does not fit.
        """
        if self._model is not None:
            return
        library.import_models()
        from transformers import GenerationConfig

        if self._whole is not None and file_hash(Path(self.ref.source) / "model.safetensors") != self._whole.sha256:
            raise ModelUnavailable(CHANGED, name=self._whole.name)
        self.tokenizer = load_tokenizer(self.ref)
        model = load(self.ref, self.quantised)
        own = model.generation_config.eos_token_id
        self._ends = sorted({*end_ids(self.tokenizer), *(own if isinstance(own, list) else [own] if own is not None else [])})
        self._start = getattr(model.config, "decoder_start_token_id", None)
        # settings come from people, not from the model
        model.generation_config = GenerationConfig(pad_token_id=self.tokenizer.pad_token_id, decoder_start_token_id=self._start)
        self.memory_mb = 1 + int(model.get_memory_footprint() // 1024**2) + unpack(model)
        self._threads = answering_threads(model)
        self._token_bytes = _token_bytes(model)
        self.adapters = Adapters(model)
        self._model = model

    def forget(self) -> None:
        """Let go of the model; the next `prepare` loads it afresh. The lock is held."""
        self._model, self.adapters, self.memory_mb = None, None, 0

    def room(self, wanted: int) -> int:
        """How many tokens an answer may have so that a prompt still fits."""
        return max(1, min(wanted, self.ref.window - self.ref.window // PROMPT_SHARE))

    def row(self, ids: list[int], adapter: Loaded | None, settings: GenerationSettings, cancel: threading.Event, turns: bool = True) -> Row:
        """A prompt ready to be answered, or without `turns` a text to go on with, in which nobody else speaks next."""
        stops = (*settings.stop, PLAIN_STOP) if turns and plain_template(self.tokenizer) else settings.stop
        return Row(ids, adapter, Answer(self.tokenizer, self._ends, stops, self.room(settings.max_new_tokens)), settings, cancel)

    def holds(self, rows: Sequence[Row]) -> bool:
        """Whether what the model keeps of these rows' tokens fits into memory at once."""
        tokens = max(len(row.ids) for row in rows) + max(self.room(row.settings.max_new_tokens) for row in rows)
        return len(rows) * tokens * self._token_bytes <= MOST_BYTES

    def answer(self, rows: Sequence[Row], told: Callable[[], None]) -> None:
        """Let all rows grow to their ends in one batch, calling `told` after each token. The lock is held.

        Rows are padded on the left; each is drawn by its own settings and finished by itself. Many rows of a small model are parted
        among the cores, which then need not wait for each other at every layer; `told` is called by one of them at a time.
        """
        if self.adapters is None:
            raise RuntimeError("the model is not loaded")
        # those of one adapter beside each other, so that a part without any is spared their products
        rows = sorted(rows, key=lambda row: row.adapter.key if row.adapter else "")
        worn = [row.adapter for row in rows]
        alone = self._threads == 1 and self._model.device.type == "cpu" and self.adapters.partible(worn)
        parts = min(cores(), len(rows) // PART_ROWS) if alone else 1
        size = -(-len(rows) // max(1, parts))
        with self.adapters.active(worn) as (model, options):
            work = Work(told, time.perf_counter())
            threads = [
                threading.Thread(target=work.run, args=(self._grow, model, options, rows, start, size, work), name="part")
                for start in range(size, len(rows), size)
            ]
            for thread in threads:
                thread.start()
            work.run(self._grow, model, options, rows, 0, size, work)
            for thread in threads:
                thread.join()
        self.used = time.monotonic()
        if work.error is not None:
            raise work.error

    def _grow(self, model: Any, options: dict[str, Any], all: Sequence[Row], start: int, size: int, work: Work) -> None:
        """Let `size` rows from `start` on grow, in a thread of their own."""
        import torch
        from transformers import GenerationConfig, StoppingCriteriaList

        from playground.inference.cache import spare_cache

        rows = all[start : start + size]
        longest = max(len(row.ids) for row in rows)
        padding = [longest - len(row.ids) for row in rows]
        pad = self.tokenizer.pad_token_id
        device = self._model.device
        block, seen = in_a_block([row.ids for row in rows], pad, right=self.ref.encoder_decoder)
        input_ids, mask = torch.tensor(block, device=device), torch.tensor(seen, device=device)
        config = GenerationConfig(
            max_new_tokens=max(self.room(row.settings.max_new_tokens) for row in rows),
            do_sample=False, num_beams=1, repetition_penalty=1.0, pad_token_id=pad,
            decoder_start_token_id=self._start,
        )  # fmt: skip
        torch.set_num_threads(self._threads)
        adapters, own = self.adapters, proof_of(self._whole) if self._whole else None
        if adapters is None:
            raise RuntimeError("the model is not loaded")
        cache = spare_cache(self._model)

        def step(tokens: list[int]) -> list[bool]:
            with work.lock:
                for place, (row, token) in enumerate(zip(rows, tokens, strict=True), start):
                    if not row.answer.finished and not row.cancel.is_set():
                        row.answer.push(token)
                        row.seconds, row.proof = time.perf_counter() - work.started, adapters.witnessed(place) or own
                        row.first_seconds = row.first_seconds or row.seconds
                work.told()
            return [work.error is not None or row.cancel.is_set() or row.answer.finished is not None for row in rows]

        with torch.inference_mode(), adapters.part(start, size):
            model.generate(
                input_ids=input_ids,
                attention_mask=mask,
                generation_config=config,
                logits_processor=choosers([row.settings for row in rows], [0] * len(rows) if self.ref.encoder_decoder else padding),
                stopping_criteria=StoppingCriteriaList([_follower(step)]),
                **({} if cache is None else {"past_key_values": cache}),
                **options,
            )

    def read(self, rows: Sequence[Given]) -> list[tuple[Any, dict[str, str] | None]]:
        """What the model held possible at each place of texts that are there already (teacher forcing), in one pass. The lock is held.

        Returns:
            For each row its logits, of shape (tokens from `start` on, vocabulary), and who computed them, as seen in the model. Rows
            must be mixable or all have the same adapter, as in `Adapters.active`.
        """
        import torch

        if self.adapters is None:
            raise RuntimeError("the model is not loaded")
        first, pad, device = self.ref.encoder_decoder, self.tokenizer.pad_token_id, self._model.device
        known = inspect.signature(self._model.forward).parameters
        block, seen = in_a_block([row.prompt if first else [*row.prompt, *row.answer[:-1]] for row in rows], pad, right=first)
        mask = torch.tensor(seen, device=device)
        inputs: dict[str, Any] = {"input_ids": torch.tensor(block, device=device), "attention_mask": mask, "use_cache": False}
        if first:
            begun, _ = in_a_block([[self._start or 0, *row.answer[:-1]] for row in rows], pad, right=True)
            inputs["decoder_input_ids"] = torch.tensor(begun, device=device)
        if not first and "position_ids" in known:
            inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)  # padding on the left counts for nothing
        if not first and "logits_to_keep" in known:
            inputs["logits_to_keep"] = max(len(row.answer) - row.start for row in rows)
        torch.set_num_threads(self._threads)
        own = proof_of(self._whole) if self._whole else None
        with torch.inference_mode(), self.adapters.active([row.adapter for row in rows]) as (model, options):
            logits = model(**inputs, **options).logits
        self.used = time.monotonic()
        parts = [
            logits[place, row.start : len(row.answer)] if first else logits[place, row.start - len(row.answer) :]
            for place, row in enumerate(rows)
        ]
        return [(part, self.adapters.witnessed(place) or own) for place, part in enumerate(parts)]


def _token_bytes(model: Any) -> int:
    """Bytes of the keys and values of one token."""
    text = model.config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return int(2 * text.num_hidden_layers * heads * width * 4)


def _follower(step: Callable[[list[int]], list[bool]]) -> Any:
    """Hears every new token of a batch and says which rows are done: Transformers asks it after each step, before the next."""
    import torch
    from transformers import StoppingCriteria

    class Follower(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **options: Any) -> Any:
            return torch.tensor(step(input_ids[:, -1].tolist()), device=input_ids.device, dtype=torch.bool)

    return Follower()
