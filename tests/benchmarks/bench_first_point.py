"""From the press of Train to the first point of the curve, and to the first training loss.

python -m tests.benchmarks.bench_first_point [repeats]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import psutil

from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.system import memory_mb
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.benchmarks.bench_training import workload
from tests.benchmarks.report import spread, write

PROMISED = 5.0  # seconds
LOOKING = 15.0  # seconds that somebody looks at the rows before pressing Train


def seconds(warm: bool) -> tuple[float, float, int]:
    """(to the first point of any kind, to the first training loss, MB that the waiting process held)."""
    rows = workload()
    splits = SimpleNamespace(
        train=rows[32:], validation=rows[:32], test=[], instruction="", system="", task="chat", labels=[], shots=(), slots=()
    )
    with tempfile.TemporaryDirectory() as home:
        runs = Runs(Workspace(Path(home)), Catalog(Settings(home=Path(home))), warm=warm)
        runs.open()
        held = 0
        if warm:
            runs.expect()  # as when a dataset comes in
            time.sleep(LOOKING)
            held = memory_mb(psutil.Process(runs._line.warm._process.pid))
        began = time.perf_counter()
        run_id = runs.start("me", dataset_id="-", dataset_name="workload", splits=splits, settings={})
        first = None
        try:
            while True:
                points = runs.metrics("me", run_id)
                first = first or (time.perf_counter() - began if points else None)
                if first and any(point["loss"] is not None for point in points):
                    return first, time.perf_counter() - began, held
                run = runs.get("me", run_id)
                if run.finished:
                    raise RuntimeError(f"{run.error}\n{run.log_tail}")
                time.sleep(0.02)
        finally:
            if not runs.get("me", run_id).finished:
                runs.cancel("me", run_id)
            runs.close()


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    table = []
    for warm, name in ((True, "a process waits since the dataset came in"), (False, "none waits (PLAYGROUND_WARM=off)")):
        first, loss, held = zip(*[seconds(warm) for _ in range(repeats)], strict=True)
        table.append([name, spread(first, 1), spread(loss, 1), spread(held, 0) if warm else "0"])
    write(
        "First point",
        f"Seconds from the press of Train (starter, QLoRA, default settings), {repeats} repeats. Promised: {PROMISED:.0f} s or less.",
        ["", "first point of the curve", "first training loss", "memory of the process that waits, MB"],
        table,
    )


if __name__ == "__main__":
    main()
