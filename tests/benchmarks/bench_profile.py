"""Where the time of a training step goes: the common workload under torch's profiler, beside the machine's own rate for products.

python -m tests.benchmarks.bench_profile [repeats]

The rate of a run counts all products of its passes, those of attention too, over its whole loop; the machine's is that of one large product
in 16 bits. Profiled runs are slower than others, so the shares come from them and the rate from the loop beside them.

torch.compile is not used: with `dynamic=True` on the decoder's layers, the first four of this workload's steps took 280 s, for rows side by
side make each batch a new shape, and each was compiled anew for a minute; without it a step takes a fifth of a second.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.training.launching import environment
from playground.training.runs import Runs
from playground.workspace import Workspace, write_json
from tests.benchmarks.bench_training import SAME, workload
from tests.benchmarks.report import spread, write

PROJECT = Path(__file__).resolve().parents[2]
SIDE, TIMES = 2048, 12  # of the machine's own product
KINDS = {  # by the beginning of an operation's name; what is in none of them is the rest
    "products of weights": ("aten::mm", "aten::addmm", "aten::linear", "mkldnn::"),
    "products of attention": ("aten::bmm", "aten::baddbmm", "aten::_scaled_dot"),
    "softmax, norms, activations": (
        "aten::softmax", "aten::_softmax", "aten::_log_softmax", "aten::rsqrt", "aten::silu", "aten::mean", "aten::pow",
    ),
    "copies between formats and places": ("aten::copy_", "aten::_to_copy", "aten::index", "aten::cat", "aten::clone", "aten::contiguous"),
    "sums and factors, element by element": ("aten::mul", "aten::add", "aten::sub", "aten::div", "aten::neg", "aten::sum"),
    "optimizer": ("Optimizer.", "aten::_fused_adam", "aten::_foreach", "aten::lerp", "aten::addc", "aten::sqrt"),
}  # fmt: skip


def prepare(folder: Path) -> None:
    """A folder like a run's, with the whole workload."""
    (folder / "data").mkdir(parents=True)
    rows = workload()
    (folder / "data" / "train.jsonl").write_text("".join(json.dumps(one.to_dict()) + "\n" for one in rows), "utf-8")
    for part in ("validation", "test"):
        (folder / "data" / f"{part}.jsonl").write_bytes(b"")
    splits = SimpleNamespace(train=rows, validation=[], test=[], instruction="", system="", task="chat", labels=[], shots=(), slots=())
    plan = Runs(Workspace(folder), Catalog(Settings(home=folder))).plan(splits, {**SAME, "method": "lora"})
    config = {"name": "profile", "model": asdict(plan.model), "settings": plan.settings.to_dict(), "task": "chat"}
    write_json(folder / "config.json", {**config, "rows": {"train": len(rows), "validation": 0, "test": 0}})


def learn(folder: Path, profiled: bool) -> dict[str, Any]:
    """In a process of its own: {loop seconds, products in operations, seconds by kind}."""
    from torch.profiler import ProfilerActivity, profile

    from playground.training.progress import Status
    from playground.training.worker import Training

    found: dict[str, Any] = {}

    class Watched(Training):
        def _learn(self, trainer: Any, follow: Any) -> None:
            if not profiled:
                super()._learn(trainer, follow)
                return
            with profile(activities=[ProfilerActivity.CPU], with_flops=True) as seen:
                super()._learn(trainer, follow)
            events = seen.key_averages()
            found["products"] = sum(one.flops for one in events)
            found["kinds"] = dict.fromkeys([*KINDS, "the rest: Python, small operations, waiting"], 0.0)
            for one in events:
                kind = next((kind for kind, begins in KINDS.items() if one.key.startswith(begins)), None)
                if kind:
                    found["kinds"][kind] += one.self_cpu_time_total / 1e6
            known = sum(found["kinds"].values())
            found["kinds"]["the rest: Python, small operations, waiting"] = max(0.0, self.learned_in - known)

    training = Watched(folder, Status(folder))
    training.run()
    return {**found, "loop": training.learned_in}


def machine_rate() -> float:
    """Operations a second of one large product in 16 bits, the best of several."""
    import torch

    left, right = (torch.randn(SIDE, SIDE, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(TIMES):
        began = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - began)
    return 2 * SIDE**3 / best


def apart(profiled: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "run"
        prepare(folder)
        command = [sys.executable, "-m", "tests.benchmarks.bench_profile", "learn", str(folder), str(int(profiled))]
        said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, env=environment(offline=True)).stdout
        return dict(json.loads(said.splitlines()[-1]))


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    runs = [(apart(False), apart(True)) for _ in range(repeats)]
    rate = machine_rate()
    loops = [plain["loop"] for plain, _ in runs]
    reached = [seen["products"] / plain["loop"] for plain, seen in runs]
    table = []
    for kind in runs[0][1]["kinds"]:
        shares = [100 * seen["kinds"][kind] / seen["loop"] for _, seen in runs]
        table.append([kind, spread(shares, 0)])
    table.sort(key=lambda row: -float(row[1].split()[0]))
    write(
        "Where a training step's time goes",
        f"The workload of “Training throughput”, LoRA, {repeats} repeats: {spread(loops, 1)} s in the loop, in which the products of its "
        f"passes come to {statistics.median(reached) / 1e9:.0f} GFLOP/s; one large product in 16 bits reaches {rate / 1e9:.0f} here. "
        "Shares of the loop's time, from runs under torch's profiler.",
        ["what", "% of the loop"],
        table,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["learn"]:
        print(json.dumps(learn(Path(sys.argv[2]), sys.argv[3] == "1")))
    else:
        main()
