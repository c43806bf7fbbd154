"""Training throughput: a run of the playground beside a plain TRL script and LLaMA-Factory with the same settings, in turns.

python -m tests.benchmarks.bench_training [repeats] [methods, for example lora,qlora] [path of llamafactory-cli]

All read the same rows with the same model: batch 8, LoRA of rank 16 on all linear layers, one epoch, bfloat16. Samples per second are those
of the training loop alone; the loss on rows that nobody learned from is computed for all adapters by one piece of code.
LLaMA-Factory wants an environment of its own (`pip install llamafactory==0.9.5 torch==2.11.0`), and is left out where none is given.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

from playground import settings as playground_settings
from playground.messages import Conversation, conversation
from playground.models.catalog import Catalog, ModelRef
from playground.settings import Settings
from playground.training import record
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.benchmarks.report import spread, write

PROJECT = Path(__file__).resolve().parents[2]
COMMON = PROJECT.parent / "shared" / "bench" / "make_workload.py"
RECIPE = PROJECT.parent / "shared" / "bench" / "llamafactory.yaml"
ROWS, HELD = 320, 64
LENGTHS = (60, 120, 240, 480, 900)  # characters of an answer
SAME: dict[str, Any] = {
    "num_train_epochs": 1, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "learning_rate": 1e-3, "max_length": 512,
    "warmup_steps": 0, "lora_r": 16, "lora_alpha": 32, "target_modules": "all-linear", "gradient_checkpointing": False, "seed": 42,
}  # fmt: skip
Found = dict[str, float]


def workload(part: str = "rows") -> list[Conversation]:
    """Rows of mixed length (`rows`), or others to be judged by (`held_out`): the common workload where it lies beside the project, else
    the same lengths in words of our own documents."""
    if COMMON.exists():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, str(COMMON), folder], check=True)
            return [conversation(row["instruction"], row["output"]) for row in json.loads((Path(folder) / f"{part}.json").read_text())]
    words = " ".join(path.read_text("utf-8") for path in sorted((PROJECT / "playground").rglob("*.py"))).split()
    rng = random.Random(part)

    def text(characters: int) -> str:
        found = ""
        while len(found) < characters:
            found += rng.choice(words) + " "
        return found[:characters].strip()

    return [conversation(text(120), text(rng.choice(LENGTHS))) for _ in range(ROWS if part == "rows" else HELD)]


def ours(rows: list[Conversation], method: str, held: Sequence[Conversation] = ()) -> Found:
    """Through the same door as the Train button."""
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace(Path(home))
        runs = Runs(workspace, Catalog(Settings(home=Path(home))))
        runs.open()
        splits = SimpleNamespace(train=rows, validation=[], test=[], instruction="", system="", task="chat", labels=[], shots=(), slots=())
        began = time.perf_counter()
        run_id = runs.start("me", dataset_id="-", dataset_name="workload", splits=splits, settings={**SAME, "method": method})
        try:
            while not runs.get("me", run_id).finished:
                time.sleep(0.05)
            whole = time.perf_counter() - began
            run = runs.get("me", run_id)
            if run.state != "done":
                raise RuntimeError(f"{run.error}\n{run.log_tail}")
            folder = workspace.find("runs", run_id, "me")
            manifest = record.manifest(folder) or {}
            return {
                "loop": len(rows) / manifest["loop_seconds"],
                "whole": len(rows) / whole,
                "peak": manifest["peak_memory_mb"],
                "held": held_out_loss(folder / "adapter", held),
            }
        finally:
            if not runs.get("me", run_id).finished:
                runs.cancel("me", run_id)
            runs.close()


def plain(rows: list[Conversation], method: str, held: Sequence[Conversation] = ()) -> Found:
    with tempfile.TemporaryDirectory() as out:
        path = Path(out) / "rows.json"
        path.write_text(json.dumps([row.to_dict() for row in rows]))
        command = [sys.executable, "-m", "tests.benchmarks.plain_trl", str(starter()), str(path), out, method]
        said, whole, peak = watched(command)
        loop = json.loads(said.splitlines()[-1])["loop"]
        return {"loop": loop, "whole": len(rows) / whole, "peak": peak, "held": held_out_loss(Path(out), held)}


def llama_factory(rows: list[Conversation], program: str, held: Sequence[Conversation] = ()) -> Found:
    with tempfile.TemporaryDirectory() as out:
        alpaca = [{"instruction": row.prompt[-1].content, "input": "", "output": row.completion[0].content} for row in rows]
        (Path(out) / "rows.json").write_text(json.dumps(alpaca))
        (Path(out) / "dataset_info.json").write_text(json.dumps({"rows": {"file_name": "rows.json"}}))
        recipe = RECIPE.read_text().replace("MODEL_DIR", str(starter())).replace("WORKLOAD_DIR", out)
        (Path(out) / "recipe.yaml").write_text(recipe)
        environ = {"DISABLE_VERSION_CHECK": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
        _, whole, peak = watched([program, "train", str(Path(out) / "recipe.yaml")], environ)
        told = json.loads((Path(out) / "llamafactory" / "train_results.json").read_text())
        held_loss = held_out_loss(Path(out) / "llamafactory", held)
        return {"loop": told["train_samples_per_second"], "whole": len(rows) / whole, "peak": peak, "held": held_loss}


def starter() -> Path:
    return playground_settings.load().starter


def watched(command: list[str], environ: dict[str, str] | None = None) -> tuple[str, float, float]:
    """(what a command printed, its seconds, the most memory that one of its processes had in MB)."""
    began, peaks = time.perf_counter(), [0.0]
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **(environ or {})}
    )

    def look() -> None:
        while process.poll() is None:
            try:
                one = psutil.Process(process.pid)
                for member in (one, *one.children(recursive=True)):
                    status = Path(f"/proc/{member.pid}/status").read_text()
                    peaks.append(int(status.split("VmHWM:")[1].split()[0]) / 1024)
            except (psutil.Error, OSError, IndexError):
                pass
            time.sleep(0.2)

    watcher = threading.Thread(target=look)
    watcher.start()
    said, _ = process.communicate()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {said[-2000:]}")
    return said, time.perf_counter() - began, max(peaks)


def held_out_loss(adapter: Path, rows: Sequence[Conversation]) -> float:
    """Mean loss on the answers' tokens, by Transformers and PEFT alone, in 32 bits."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from playground.models.template import encode_many, load_tokenizer

    ref = ModelRef("starter", str(starter()), None, 1024)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(ref.source, dtype=torch.float32), str(adapter)).eval()
    total, count = 0.0, 0
    for one in encode_many(load_tokenizer(ref), list(rows), 512):
        labels = [token if trained else -100 for token, trained in zip(one.ids, one.trained, strict=True)]
        with torch.no_grad():
            total += model(input_ids=torch.tensor([one.ids]), labels=torch.tensor([labels])).loss.item() * sum(one.trained)
        count += sum(one.trained)
    return total / max(count, 1)


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    methods = sys.argv[2].split(",") if len(sys.argv) > 2 else ["lora", "qlora"]
    factory = sys.argv[3] if len(sys.argv) > 3 else None
    rows, held, table = workload(), workload("held_out"), []
    for method in methods:
        peers: dict[str, list[Found]] = {"plain TRL 1.16": []}
        if factory and method == "lora":
            peers["LLaMA-Factory 0.9.5"] = []
        mine: list[Found] = []
        for _ in range(repeats):
            mine.append(ours(rows, method, held))
            peers["plain TRL 1.16"].append(plain(rows, method, held))
            if factory and "LLaMA-Factory 0.9.5" in peers:
                peers["LLaMA-Factory 0.9.5"].append(llama_factory(rows, factory, held))
        table.append([method, "the playground", *figures(mine), "1", "1"])
        for name, theirs in peers.items():
            ratios = [[a[kind] / b[kind] for a, b in zip(mine, theirs, strict=True)] for kind in ("loop", "whole")]
            table.append([method, name, *figures(theirs), *map(spread, ratios)])
    write(
        "Training throughput",
        f"{ROWS} rows of mixed length, starter model, LoRA of rank 16 on all linear layers, batch 8, one epoch, bfloat16, {repeats} "
        "repeats in turns, same settings on all sides. The last two columns are the playground's speed over theirs. "
        "Promised: at least 3 times LLaMA-Factory and 2 times plain TRL in the loop, "
        "at a loss on held-out rows within 1 %, in less than 1 GB.",
        [
            "method",
            "",
            "samples/s in the loop",
            "samples/s, whole process",
            "held-out loss",
            "peak memory, MB",
            "loop, times",
            "whole, times",
        ],
        table,
    )


def figures(found: list[Found]) -> list[str]:
    return [
        spread([one["loop"] for one in found], 1), spread([one["whole"] for one in found], 1), spread([one["held"] for one in found], 3),
        spread([one["peak"] for one in found], 0),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
