"""What is said before a run beside what the run then needs: memory and time, for settings, rows and models of many kinds.

python -m tests.benchmarks.bench_estimates [repeats] [name of a combination ...]

Time is from the press on Train to the run's end, memory the highest that Linux saw of the worker (VmHWM). Beside each time stands how busy
other programs kept the machine: what they take, a run lacks; while somebody holds the whole benchmark, its clock stands. Each
combination starts in a workspace of its own, so that no finished run corrects the estimate.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

from playground.jobs import Jobs
from playground.messages import Conversation, conversation
from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.system import ProcessId
from playground.training.ahead.estimate import Estimate
from playground.training.ahead.forecast import Forecasts
from playground.training.ahead.rehearse import Rehearsals
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.benchmarks.report import write
from tests.helpers import make_tiny_model, make_tiny_t5

PROJECT = Path(__file__).resolve().parents[2]
HANDBOOK = PROJECT / "assets" / "samples" / "harbour_cafe_handbook.html"
SHORT, LONG = (20, 60, 120), (400, 900, 2400)  # characters of an answer
MEMORY_ALLOWED, TIME_ALLOWED = 0.15, 0.25
SIXTY, T5 = "60 M", "T5"
HELD = 1.5  # seconds; looks that lie further apart were held up from outside, and the worker with them


@cache
def _words() -> list[str]:
    return re.sub(r"<[^>]+>", " ", HANDBOOK.read_text("utf-8")).split()


def rows(count: int, lengths: tuple[int, ...], seed: int) -> list[Conversation]:
    """Examples of the sample handbook's words, with answers of these lengths."""
    import random

    chance = random.Random(seed)

    def text(characters: int) -> str:
        found = ""
        while len(found) < characters:
            found += chance.choice(_words()) + " "
        return found[:characters].strip()

    return [conversation(text(100), text(chance.choice(lengths))) for _ in range(count)]


@dataclass(frozen=True)
class Combination:
    lengths: tuple[int, ...]
    settings: dict[str, Any]
    model: str = "starter"
    rehearsed: bool = False

    @property
    def splits(self) -> Any:
        train, validation = (240, 30) if self.lengths is SHORT else (120, 15)
        parts = {"train": rows(train, self.lengths, 0), "validation": rows(validation, self.lengths, 1), "test": []}
        return SimpleNamespace(**parts, instruction="", system="", task="instruction", labels=[], shots=(), slots=())


COMBINATIONS = {
    "qlora, batch 8, short rows": Combination(SHORT, {"method": "qlora", "max_steps": 80}, rehearsed=True),
    "lora, batch 8, short rows": Combination(SHORT, {"method": "lora", "max_steps": 80}),
    "ia3, batch 8, short rows": Combination(SHORT, {"method": "ia3", "max_steps": 80}),
    "full, batch 8, short rows": Combination(SHORT, {"method": "full", "max_steps": 80}),
    "lora with use_dora, batch 8, short rows": Combination(SHORT, {"method": "lora", "use_dora": True, "max_steps": 80}),
    "lora, batch 2, long rows": Combination(LONG, {"method": "lora", "max_steps": 40, "per_device_train_batch_size": 2}),
    "lora, batch 16, long rows": Combination(LONG, {"method": "lora", "max_steps": 8, "per_device_train_batch_size": 16}, rehearsed=True),
    "lora, batch 8, long rows, max_length 256": Combination(LONG, {"method": "lora", "max_steps": 40, "max_length": 256}),
    "qlora, batch 8, long rows, gradient_checkpointing": Combination(
        LONG, {"method": "qlora", "max_steps": 10, "gradient_checkpointing": True}
    ),
    "full, batch 16, long rows": Combination(LONG, {"method": "full", "max_steps": 8, "per_device_train_batch_size": 16}),
    "60 M, qlora, batch 4, short rows": Combination(
        SHORT, {"method": "qlora", "max_steps": 12, "per_device_train_batch_size": 4}, SIXTY, rehearsed=True
    ),
    "60 M, lora, batch 2, long rows, max_length 512": Combination(
        LONG, {"method": "lora", "max_steps": 10, "per_device_train_batch_size": 2, "max_length": 512}, SIXTY
    ),
    "60 M, lora with use_dora, batch 4, short rows": Combination(
        SHORT, {"method": "lora", "use_dora": True, "max_steps": 12, "per_device_train_batch_size": 4}, SIXTY, rehearsed=True
    ),
    "60 M, full, batch 2, short rows": Combination(
        SHORT, {"method": "full", "max_steps": 12, "per_device_train_batch_size": 2}, SIXTY
    ),
    "T5 of 50 M, lora, batch 4, short rows": Combination(
        SHORT, {"method": "lora", "max_steps": 24, "per_device_train_batch_size": 4}, T5, rehearsed=True
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    memory_mb: float
    seconds: float
    others: float  # cores that other programs kept busy


def real(home: Path, splits: Any, settings: dict[str, Any]) -> Seen:
    """A whole run through the same door as the Train button."""
    workspace = Workspace(home)
    runs = Runs(workspace, Catalog(Settings(home=home)))
    runs.open()
    peak, worker_seconds, busy, before = 0.0, 0.0, 0.0, busy_seconds()
    run_id = runs.start("me", dataset_id="-", dataset_name="rows", splits=splits, settings=settings)
    seconds, last = 0.0, time.perf_counter()
    try:
        while not (run := runs.get("me", run_id)).finished:
            if run.pid:
                peak, worker_seconds = max(peak, high_water(run.pid)), cpu_seconds(run.pid) or worker_seconds
            time.sleep(0.05)
            now, since = busy_seconds(), time.perf_counter() - last
            if since < HELD:
                seconds, busy = seconds + since, busy + now - before
            before, last = now, last + since
        if run.state != "done":
            raise RuntimeError(f"{run.error}\n{run.log_tail}")
    finally:
        if not runs.get("me", run_id).finished:
            runs.cancel("me", run_id)
        runs.close()
    return Seen(peak, seconds, max(0.0, busy - worker_seconds) / seconds)


def busy_seconds() -> float:
    """Seconds that all cores together have worked since the machine's start."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait)


def high_water(pid: int) -> float:
    """The most memory that a process has had, in MB of 1024² bytes; 0 where it is gone."""
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def cpu_seconds(pid: int) -> float:
    try:
        process = ProcessId.of(pid).process()
        return sum(process.cpu_times()[:2]) if process else 0.0
    except psutil.Error:
        return 0.0


def foretold(home: Path, splits: Any, settings: dict[str, Any], rehearsed: bool) -> tuple[Estimate, Estimate | None]:
    """(by formula, by rehearsal where that was asked for)."""
    workspace = Workspace(home)
    runs, forecasts, jobs = Runs(workspace, Catalog(Settings(home=home))), Forecasts(workspace), Jobs(workspace)
    plan = runs.plan(splits, settings)
    found = forecasts.estimate(plan, splits)
    if not rehearsed:
        return found, None
    rehearsals = Rehearsals(workspace, jobs, forecasts)
    return found, rehearsals.result(rehearsals.start("me", plan, splits))


def off(told: float, seen: float, allowed: float) -> str:
    """A deviation in percent; one that is larger than promised is marked."""
    share = told / seen - 1
    return f"{share:+.0%}" + ("" if abs(share) <= allowed else " (!)")


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    table = []
    with tempfile.TemporaryDirectory() as models:
        sixty = make_tiny_model(
            Path(models) / "sixty", hidden=512, layers=14, heads=8, intermediate=1536, vocab=12000, window=1024, spread=0.02
        )
        t5 = make_tiny_t5(Path(models) / "t5", hidden=512, layers=6, heads=8, intermediate=2048, vocab=12000, spread=0.05)
        made = {SIXTY: sixty, T5: t5}
        for name in sys.argv[2:] or COMBINATIONS:
            one = COMBINATIONS[name]
            settings = {**one.settings, "model": f"local:{made[one.model]}" if one.model in made else one.model}
            splits = one.splits
            with tempfile.TemporaryDirectory() as home:
                said, tried = foretold(Path(home), splits, settings, one.rehearsed)
                seen = [real(Path(home), splits, settings) for _ in range(repeats)]
            memory, seconds = (statistics.median(getattr(each, kind) for each in seen) for kind in ("memory_mb", "seconds"))
            row = [
                name, f"{said.memory_mb}", f"{memory:.0f}", off(said.memory_mb, memory, MEMORY_ALLOWED), f"{said.seconds:.0f}",
                f"{seconds:.0f}", off(said.seconds, seconds, TIME_ALLOWED), f"{statistics.median(each.others for each in seen):.1f}",
                f"{off(tried.memory_mb, memory, MEMORY_ALLOWED)}, {off(tried.seconds, seconds, TIME_ALLOWED)}" if tried else "",
            ]  # fmt: skip
            print(" | ".join(row), flush=True)
            table.append(row)
    tell(table, repeats)


def tell(table: list[list[str]], repeats: int) -> None:
    """The table, with what was promised."""
    write(
        "Estimates",
        "Said before the run, and what the run then needed: highest memory of the worker in MB, and seconds from the press to the end, "
        f"{repeats} run(s) each, of the starter (8 M parameters), a random Llama of 60 M and a random T5 of 50 M. Promised are "
        f"{MEMORY_ALLOWED:.0%} for memory and {TIME_ALLOWED:.0%} for time; more is marked. “Others”: cores of this machine that other "
        "programs kept busy meanwhile, which a run lacks. “Rehearsed”: how far off memory and time were after a few real steps, where "
        "they were tried. "
        "The constants of the formulas were fitted on this machine.",
        ["run", "said MB", "seen MB", "off", "said s", "seen s", "off", "others", "rehearsed"],
        table,
    )


if __name__ == "__main__":
    main()
