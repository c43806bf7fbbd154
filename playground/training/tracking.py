"""A run's curve for other programs: TensorBoard's files in the run's folder always, Trackio or Weights & Biases where they were asked for.

Written by the worker. Does not know the trainer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any

from playground.training.config import TrainingSettings

TAGS = {
    "loss": "train/loss",
    "eval_loss": "eval/loss",
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    "epoch": "train/epoch",
}  # the names that Transformers writes


class Tracker:
    """Tells each point of the curve on. `since`: the step that the run goes on from; what was told of later steps is then taken back. None:
    it begins, and nothing that was told before holds."""

    def __init__(self, folder: Path, settings: TrainingSettings, name: str, since: int | None) -> None:
        from tensorboardX import SummaryWriter

        before = len(list((folder / "tensorboard").glob("*")))
        purge = since + 1 if since is not None else 0 if before else None
        # named by the second otherwise, so that a run that goes on at once, or under a clock that was set back, would write over itself
        suffix = f".{before:08d}.{secrets.token_hex(4)}"
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=purge, flush_secs=5, filename_suffix=suffix)
        self._name = settings.report_to
        self._other: Any = None
        if settings.report_to != "none":
            self._ask(lambda: self._open(name, settings))

    def tell(self, step: int, point: dict[str, Any]) -> None:
        """One point of the curve."""
        values = {tag: point[key] for key, tag in TAGS.items() if point.get(key) is not None and isfinite(point[key])}
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)
        self._ask(lambda: self._other and self._other.log({**values, "step": step}))

    def close(self) -> None:
        """Everything to disk."""
        self._writer.close()
        self._ask(lambda: self._other and self._other.finish())

    def _open(self, name: str, settings: TrainingSettings) -> None:
        other: Any = import_module(settings.report_to)
        other.init(project="playground", name=name, config=settings.to_dict())
        self._other = other

    def _ask(self, what: Callable[[], Any]) -> None:
        """A program beside ours that is not signed in, or breaks, must not cost anybody the run."""
        try:
            what()
        except (Exception, SystemExit) as error:
            self._other = None
            print(f"{self._name} was left out: {type(error).__name__}", flush=True)
