"""QLoRA on a graphics card: a run of the playground beside a plain TRL script, in turns.

python -m tests.benchmarks.bench_gpu [repeats] [shape: llama-3.1-8b | tiny]

The model has the shape of Llama 3.1 8B and random weights (speed and memory do not depend on what they say) and the starter's tokenizer.
Rows of some 1,024 tokens, LoRA of rank 16 on all linear layers, 4 rows a step, 20 steps,
the first five of which are not counted. `tiny` is the same way through for a machine without a card: it proves the script, not the speed.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from playground.messages import Conversation, conversation
from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.training import record
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.benchmarks.bench_training import PROJECT, starter, watched
from tests.benchmarks.report import spread, write

SHAPES: dict[str, dict[str, int]] = {
    "llama-3.1-8b": {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "vocab_size": 128256,
    },
    "tiny": {
        "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
        "vocab_size": 8192,
    },
}  # fmt: skip
LENGTH, BATCH, STEPS, SKIPPED = 1024, 4, 20, 5
CHARACTERS = 12_000  # more than fill a row, whatever the tokenizer makes of them: all are cut to one length
Found = dict[str, float]


def make_model(folder: Path, shape: str) -> Path:
    """Random weights in bfloat16, as safetensors in `folder`."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(starter())
    config = LlamaConfig(
        **SHAPES[shape], max_position_embeddings=8192, rope_theta=500_000.0, tie_word_embeddings=False, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, dtype="bfloat16",
    )  # fmt: skip
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder, max_shard_size="2GB")
    tokenizer.save_pretrained(folder)
    return folder


def rows() -> list[Conversation]:
    """As many rows as the steps read, each longer than it may be, so that all are cut to the same length."""
    words = (PROJECT / "README.md").read_text("utf-8").split()
    chance = random.Random(0)
    return [conversation("Go on.", " ".join(chance.choices(words, k=CHARACTERS // 6))) for _ in range(BATCH * STEPS)]


def ours(model: Path, home: Path) -> Found:
    """Through the same door as the Train button; speed from the curve's own clock, memory as the card's driver counts it."""
    workspace = Workspace(home)
    runs = Runs(workspace, Catalog(Settings(home=home)))
    runs.open()
    splits = SimpleNamespace(train=rows(), validation=[], test=[], instruction="", system="", task="chat", labels=[], shots=(), slots=())
    settings = {
        "model": f"local:{model}", "method": "qlora", "lora_r": 16, "lora_alpha": 32, "target_modules": "all-linear", "max_length": LENGTH,
        "per_device_train_batch_size": BATCH, "gradient_accumulation_steps": 1, "max_steps": STEPS, "learning_rate": 2e-4,
        "gradient_checkpointing": True,
    }  # fmt: skip
    peak = [0.0]
    try:
        run_id = runs.start("me", dataset_id="-", dataset_name="gpu", splits=splits, settings=settings)
        while not runs.get("me", run_id).finished:
            peak.append(card_memory_mb())
            time.sleep(0.2)
        run = runs.get("me", run_id)
        if run.state != "done":
            raise RuntimeError(f"{run.error}\n{run.log_tail}")
        points = [point for point in runs.metrics("me", run_id) if point["loss"] is not None and point["step"] >= SKIPPED]
        tokens, seconds = (points[-1][key] - points[0][key] for key in ("tokens", "time"))
        own = record.manifest(workspace.find("runs", run_id, "me")) or {}
        return {"speed": tokens / seconds, "card": max(peak), "process": own["peak_memory_mb"]}
    finally:
        runs.close()


def plain(model: Path, program: str) -> Found:
    """`program` is a module of this folder that prints {"speed", "card"} as its last line."""
    with tempfile.TemporaryDirectory() as out:
        (Path(out) / "rows.json").write_text(json.dumps([row.to_dict() for row in rows()]))
        said, _, peak = watched([sys.executable, "-m", f"tests.benchmarks.{program}", str(model), f"{out}/rows.json", out])
        return {**json.loads(said.splitlines()[-1]), "process": peak}


def card_memory_mb() -> float:
    """MB in use on the first card; 0 where there is none."""
    import shutil
    import subprocess

    if shutil.which("nvidia-smi") is None:
        return 0.0
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "-i", "0"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0])


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    shape = sys.argv[2] if len(sys.argv) > 2 else "llama-3.1-8b"
    peers = ["plain_qlora"]
    found: dict[str, list[Found]] = {name: [] for name in ("ours", *peers)}
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(Path(folder) / "model", shape)
        for number in range(repeats):
            found["ours"].append(ours(model, Path(folder) / f"home-{number}"))
            for peer in peers:
                found[peer].append(plain(model, peer))
    table = []
    for name, figures in found.items():
        ratios = [mine["speed"] / theirs["speed"] for mine, theirs in zip(found["ours"], figures, strict=True)]
        columns: list[Any] = [[one[key] for one in figures] for key in ("speed", "card", "process")]
        table.append([name.replace("_", " "), *(spread(column, 0) for column in columns), spread(ratios)])
    if shape == "tiny":
        print(table)
        return
    write(
        "A graphics card",
        f"QLoRA of rank 16 on all linear layers of a model of Llama 3.1 8B's shape with random weights, rows of {LENGTH} tokens, {BATCH} a "
        f"step, gradient checkpointing, {STEPS - SKIPPED} steps counted, {repeats} repeats in turns.",
        ["", "tokens/s", "card, MB", "process, MB", "ours, times"],
        table,
    )


if __name__ == "__main__":
    main()
