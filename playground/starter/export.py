"""Export: ``python -m playground.starter.export WORK OUT`` turns the run's checkpoint into a folder that transformers loads.

Knows the run's folder and the wanted form; trains nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from . import card, checkpoint
from .model import build
from .sample import samples

MOST_BYTES = 25_000_000


def export(work: Path, out: Path, note: str = "") -> Path:
    """Write model, tokenizer, generation settings and card beside ``out``, then put the folder in its place.

    Raises FileNotFoundError without a checkpoint and ValueError when the folder would be larger than it may be.
    """
    found = checkpoint.find(work / "checkpoint")
    if found is None:
        raise FileNotFoundError(f"No complete checkpoint in {work}")
    weights, _, state = checkpoint.load(found)
    temporary, previous = out.with_name(f".{out.name}.new"), out.with_name(f".{out.name}.old")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)

    tokenizer = AutoTokenizer.from_pretrained(work / "tokenizer")
    model = build(len(tokenizer), seed=0)
    model.load_state_dict(weights, strict=False)  # the tied output table is saved once
    model = model.to(torch.bfloat16)
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, max_new_tokens=128)
    model.save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)

    # Samples and shape are those of the files as written.
    model = AutoModelForCausalLM.from_pretrained(temporary)
    shape = {**model.config.to_dict(), "parameters": sum(p.numel() for p in model.parameters())}
    size = sum(file.stat().st_size for file in temporary.iterdir())
    if size > MOST_BYTES:
        raise ValueError(f"The folder has {size:,} bytes, more than {MOST_BYTES:,}")
    text = card.write(
        shape,
        state,
        json.loads((work / "corpus.json").read_text()),
        card.read_log(work / "log.jsonl"),
        size / 1e6,
        samples(model.float(), tokenizer),
        note,
    )
    (temporary / "README.md").write_text(text)

    shutil.rmtree(previous, ignore_errors=True)
    if out.exists():
        out.replace(previous)
    temporary.replace(out)
    shutil.rmtree(previous, ignore_errors=True)
    return out


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="the run's working folder")
    parser.add_argument("out", type=Path, help="the folder to write")
    parser.add_argument("--note", default="", help="a sentence for the card on how these weights were made")
    given = parser.parse_args()
    print(export(given.work, given.out, given.note))


if __name__ == "__main__":
    main()
