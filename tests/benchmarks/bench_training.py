"""Training throughput: a run of the playground beside a plain TRL script with the same settings, in turns.

python -m tests.benchmarks.bench_training [repeats] [lora qlora]

Both read the same rows with the same model: batch 8, LoRA of rank 16 on all linear layers, one epoch, no validation rows. Samples per
second are those of the training loop alone, and of the whole process from its start to the saved adapter.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from playground import settings as playground_settings
from playground.messages import Conversation, conversation
from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.training import record
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.benchmarks.report import spread, write

PROJECT = Path(__file__).resolve().parents[2]
COMMON = PROJECT.parent / "shared" / "bench" / "make_workload.py"
ROWS = 320
LENGTHS = (60, 120, 240, 480, 900)  # characters of an answer
SAME: dict[str, Any] = {
    "num_train_epochs": 1, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "learning_rate": 1e-3, "max_length": 512,
    "warmup_steps": 0, "lora_r": 16, "lora_alpha": 32, "target_modules": "all-linear", "gradient_checkpointing": False, "seed": 42,
}  # fmt: skip


def workload() -> list[Conversation]:
    """Rows of mixed length: the common workload where it lies beside the project, else the same lengths in words of our own documents."""
    if COMMON.exists():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, str(COMMON), folder], check=True)
            return [conversation(row["instruction"], row["output"]) for row in json.loads((Path(folder) / "rows.json").read_text())]
    words = " ".join(path.read_text("utf-8") for path in sorted((PROJECT / "playground").rglob("*.py"))).split()
    rng = random.Random(0)

    def text(characters: int) -> str:
        found = ""
        while len(found) < characters:
            found += rng.choice(words) + " "
        return found[:characters].strip()

    return [conversation(text(120), text(rng.choice(LENGTHS))) for _ in range(ROWS)]


def ours(rows: list[Conversation], method: str) -> dict[str, float]:
    """Through the same door as the Train button."""
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace(Path(home))
        runs = Runs(workspace, Catalog(Settings(home=Path(home))))
        runs.open()
        splits = SimpleNamespace(train=rows, validation=[], test=[], instruction="", system="", task="chat", labels=[], shots=())
        began = time.perf_counter()
        run_id = runs.start("me", dataset_id="-", dataset_name="workload", splits=splits, settings={**SAME, "method": method})
        try:
            while not runs.get("me", run_id).finished:
                time.sleep(0.05)
            whole = time.perf_counter() - began
            run = runs.get("me", run_id)
            if run.state != "done":
                raise RuntimeError(f"{run.error}\n{run.log_tail}")
            manifest = record.manifest(workspace.find("runs", run_id, "me")) or {}
            losses = [point["loss"] for point in runs.metrics("me", run_id)]
            return {"loop": len(rows) / manifest["loop_seconds"], "whole": len(rows) / whole, "loss": sum(losses) / len(losses)}
        finally:
            if not runs.get("me", run_id).finished:
                runs.cancel("me", run_id)
            runs.close()


def plain(rows: list[Conversation], method: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as out:
        path = Path(out) / "rows.json"
        path.write_text(json.dumps([row.to_dict() for row in rows]))
        model = playground_settings.load().starter
        command = [sys.executable, "-m", "tests.benchmarks.plain_trl", str(model), str(path), out, method]
        began = time.perf_counter()
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
        whole = time.perf_counter() - began
        return {**json.loads(done.stdout.splitlines()[-1]), "whole": len(rows) / whole}


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rows, table = workload(), []
    for method in sys.argv[2:] or ["lora", "qlora"]:
        pairs = [(ours(rows, method), plain(rows, method)) for _ in range(repeats)]
        for kind, name in (("loop", "training loop"), ("whole", "whole process")):
            ratios = [a[kind] / b[kind] for a, b in pairs]
            table.append([method, name, spread([a[kind] for a, _ in pairs]), spread([b[kind] for _, b in pairs]), spread(ratios)])
        table.append([method, "mean loss", spread([a["loss"] for a, _ in pairs], 3), spread([b["loss"] for _, b in pairs], 3), ""])
    write(
        "Training throughput",
        f"Samples per second, {ROWS} rows of mixed length, starter model, {repeats} repeats in turns, same settings on both sides "
        "(what is not named is left to each side's defaults: ours groups rows by length, "
        "which is also why the mean loss over the steps differs).",
        ["method", "measured", "the playground", "plain TRL", "ratio"],
        table,
    )


if __name__ == "__main__":
    main()
