"""From the press of Train to the first point of the curve, and to the first training loss.

python -m tests.benchmarks.bench_first_point [repeats]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from playground.models.catalog import Catalog
from playground.settings import Settings
from playground.training.runs import Runs
from playground.workspace import Workspace
from tests.benchmarks.bench_training import workload
from tests.benchmarks.report import spread, write

PROMISED = 15.0  # seconds


def seconds() -> tuple[float, float]:
    """To the first point of any kind, and to the first training loss."""
    rows = workload()
    splits = SimpleNamespace(train=rows[32:], validation=rows[:32], test=[], instruction="", system="", task="chat", labels=[], shots=())
    with tempfile.TemporaryDirectory() as home:
        runs = Runs(Workspace(Path(home)), Catalog(Settings(home=Path(home))))
        runs.open()
        began = time.perf_counter()
        run_id = runs.start("me", dataset_id="-", dataset_name="workload", splits=splits, settings={})
        first = None
        try:
            while True:
                points = runs.metrics("me", run_id)
                first = first or (time.perf_counter() - began if points else None)
                if first and any(point["loss"] is not None for point in points):
                    return first, time.perf_counter() - began
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
    first, loss = zip(*[seconds() for _ in range(repeats)], strict=True)
    write(
        "First point",
        f"Seconds from the press of Train (starter, QLoRA, default settings), {repeats} repeats. Promised: {PROMISED:.0f} s or less.",
        ["first point of the curve", "first training loss"],
        [[spread(first, 1), spread(loss, 1)]],
    )


if __name__ == "__main__":
    main()
