"""The model card: written from the measured log, the token counts and samples that were really generated.

Knows the words around the figures; measures nothing itself.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .sources import SOURCES

_CARD = """---
license: mit
language: [en, pt]
pipeline_tag: text-generation
---
# Starter model

A small Llama ({millions:.1f} million parameters) with its own tokenizer ({vocabulary:,} entries, byte-level BPE), trained from nothing
so that fine-tuning can be tried without a graphics card and without a network. It is meant to be taught, not to be trusted: it knows
few facts.

| | |
|---|---|
| Layers, width, heads | {layers}, {hidden}, {heads} |
| Context | {context} tokens |
| Weights | bfloat16, {megabytes:.1f} MB |
| Tokens seen | {tokens:,} in {steps:,} steps |
| Schedule | warmup, stable, decay; the decay {decay} |
| Chat format | ChatML; a turn ends with `<|im_end|>` |

## How it was made

    python -m playground.starter.pretrain --corpus CORPUS --out WORK
    python -m playground.starter.export WORK OUT
    python -m playground.starter.measure OUT --corpus CORPUS --data DATA --card

`CORPUS` holds the archives of the sources below. Muon for the matrices, AdamW for the rest. The first hundred steps are chance tokens said
again and again: from them it learns to copy, which prose alone teaches late. Conversations are ChatML; in those that were made up, the
answers count thirty times as much as the rest, whose words are chance. The generators hold some wordings out for measuring. In the decay
phase the windows are 512 and {context} tokens long, with fewer stories and more questions about them. {note}

## Data

Tokens in one pass of each phase, and the loss on held-out text in nats per token (for made-up conversations: per token of the answers, on
wordings and words that were held out).

| source | licence | stable | decay | held-out loss |
|---|---|---:|---:|---:|
{rows}

Where the sources are published:

{origins}

Taskmaster is by Google Research Datasets and stands under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/); its dialogues were
put into ChatML, with neighbouring turns of one speaker joined.

## Limits

It invents facts, cannot reason over several steps, gets sums wrong, and knows little Portuguese. The prose is mostly from old
children's books and carries their language and their views. Nothing was done to make its answers safe. Teach it one narrow task and
check the result.

## Samples

Really generated from these weights: the chats at temperature 0, the stories at 0.7 (seed 1). Not chosen.

{samples}
## Licence

The weights are under the licence of the project. The sources keep their own, named above.
"""


def put_section(card: str, title: str, text: str) -> str:
    """The card with a section of that title before its limits, in place of an older one."""
    card = re.sub(rf"## {re.escape(title)}\n.*?(?=^## )", "", card, flags=re.DOTALL | re.MULTILINE)
    return card.replace("## Limits\n", f"## {title}\n\n{text}\n## Limits\n", 1)


def _count(corpus: dict[str, dict[str, int]], phase: str, source: str) -> str:
    return f"{corpus.get(phase, {}).get(source, 0):,}"


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of the measured log."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(
    shape: dict[str, Any],
    state: dict[str, Any],
    corpus: dict[str, dict[str, int]],
    log: list[dict[str, Any]],
    megabytes: float,
    samples: list[tuple[str, str]],
    note: str = "",
) -> str:
    """The text of the card; shape is the model's configuration with ``parameters``, state the checkpoint's, note what else to tell."""
    measured = [line["held"] for line in log if "held" in line and line["step"] <= state["step"]]
    held = measured[-1] if measured else {}
    licences = {source.name: source.licence for source in SOURCES}
    names = sorted({*corpus.get("stable", {}), *corpus.get("decay", {})}, key=lambda name: -corpus.get("stable", {}).get(name, 0))
    rows = "\n".join(
        f"| {name} | {licences.get(name, 'made by the recipe')} | {_count(corpus, 'stable', name)} | {_count(corpus, 'decay', name)} "
        f"| {f'{held[name]:.2f}' if name in held else '-'} |"
        for name in names
    )
    begun = state["decay_start"]
    quoted = "".join(
        "**" + prompt.replace("\n", " / ") + "**\n\n" + "\n".join(f"> {line}" for line in answer.splitlines() or ["(nothing)"]) + "\n\n"
        for prompt, answer in samples
    )
    return _CARD.format(
        millions=shape["parameters"] / 1e6,
        vocabulary=shape["vocab_size"],
        layers=shape["num_hidden_layers"],
        hidden=shape["hidden_size"],
        heads=shape["num_attention_heads"],
        context=shape["max_position_embeddings"],
        megabytes=megabytes,
        tokens=state["tokens"],
        steps=state["step"],
        decay="had not begun" if begun is None else f"is the last {state['step'] - begun:,} steps",
        rows=rows,
        origins="\n".join(f"- {source.name}: {source.origin}" for source in SOURCES),
        samples=quoted,
        note=note,
    )
