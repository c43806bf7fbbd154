"""What a model reads of a dataset: reports and single examples for the Dataset tab, in the tokens of the model that was chosen.

Takes a mapped dataset and the list of models; knows no owners, no runs and no screens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from playground.data.mapping import Mapped
from playground.data.measures import histogram, middle_words
from playground.errors import PlaygroundError, Sentence
from playground.messages import Conversation
from playground.models import template
from playground.models.catalog import STARTER, Catalog, ModelRef

NOT_HERE = "What {name} reads cannot be shown here, because its tokenizer cannot be had. The starter's is used in its place."
TOKEN_SAMPLE = 2_000  # examples whose length is measured for the token report


@dataclass(frozen=True)
class Reading:
    """One example as the model will read it: `pieces` are (text, trained), `texts` the same token by token, `tokens` counts them all,
    `cut` those that did not fit; it is `number` of `count` examples to learn from, from 0."""

    pieces: list[tuple[str, bool]]
    texts: list[tuple[list[str], bool]]
    tokens: int
    cut: int
    number: int = 0
    count: int = 0


def reader(catalog: Catalog, model: str) -> tuple[ModelRef, Any, list[Sentence]]:
    """(who reads, its tokenizer, what to know): the model, or where its tokenizer cannot be had the starter in its place."""
    try:
        ref = catalog.resolve(model)
        return ref, template.load_tokenizer(ref), []
    except PlaygroundError:
        if model == STARTER:
            raise
    ref = catalog.resolve(STARTER)
    return ref, template.load_tokenizer(ref), [Sentence(NOT_HERE, name=model[:200])]


def mapping_report(catalog: Catalog, mapped: Mapped, model: str) -> dict[str, Any]:
    """What `/map_dataset` tells of a mapping."""
    ref, tokenizer, told = reader(catalog, model)
    train = mapped.conversations.train
    sample = train[:: max(1, len(train) // TOKEN_SAMPLE)][:TOKEN_SAMPLE]
    lengths = sorted(len(one.ids) + one.cut for one in template.encode_many(tokenizer, sample, ref.window))
    over = sum(length > ref.window for length in lengths)
    first = read(catalog, train[0], model)
    every = [one for part in ("train", "validation", "test") for one in getattr(mapped.conversations, part)]
    said = Counter(one.completion[-1].content for one in every if one.completion) if mapped.task == "classification" else Counter()
    return {
        "task": mapped.task,
        "columns": mapped.columns,
        "instruction": mapped.instruction,
        "system": mapped.system,
        "label_names": mapped.label_names,
        "split": mapped.split,
        "seed": mapped.seed,
        "guessed": list(mapped.guessed),
        "few_shot": mapped.few_shot,
        "rows": dict(mapped.rows),
        "dropped": dict(mapped.dropped),
        "warnings": [*mapped.warnings, *told],
        "example": {"pieces": [[text, trained] for text, trained in first.pieces], "tokens": first.tokens, "cut": first.cut},
        "tokens": {
            "median": int(median(lengths)),
            "p95": lengths[min(len(lengths) - 1, int(len(lengths) * 0.95))],
            "max": lengths[-1],
            "over_limit": round(over * len(train) / len(sample)),
            "window": ref.window,
            "model": ref.id,
            "measured_rows": len(sample),
            "histogram": histogram(lengths, ref.window),
        },
        "labels": dict(said.most_common()),
        "words": {
            "prompt": middle_words(one.prompt for one in sample),
            "answer": middle_words(one.completion for one in sample),
        },
    }


def read(catalog: Catalog, example: Conversation, model: str) -> Reading:
    """One example as the model will read it."""
    ref, tokenizer, _ = reader(catalog, model)
    encoded = template.encode(tokenizer, example, ref.window)
    return Reading(template.pieces(tokenizer, encoded), template.tokens(tokenizer, encoded), len(encoded.ids), encoded.cut)


def lengths_of(catalog: Catalog, model: str) -> tuple[Callable[[list[str]], list[int]], int]:
    """(tokens of texts, tokens that fit) for a model."""
    ref, tokenizer, _ = reader(catalog, model)

    def lengths(texts: list[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(texts, add_special_tokens=False).input_ids] if texts else []

    return lengths, ref.window
