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

from playground.errors import Sentence
from playground.training.config import TrainingSettings
from playground.training.metrics import furthest

TAGS = {
    "loss": "train/loss",
    "eval_loss": "eval/loss",
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    "epoch": "train/epoch",
}  # the names that Transformers writes


SHOWN = 8  # characters of the folder's name
PROGRAMS = {"trackio": "Trackio", "wandb": "Weights & Biases"}
NOT_STARTED = "{program} could not be started ({reason}), so it does not show this run. This page does, and its folder for TensorBoard."
BROKE_OFF = "{program} broke off ({reason}), so it does not show all of this run. This page does, and its folder for TensorBoard."


class Tracker:
    """Tells each point of the curve on.

    Args:
        folder: the run's, by whose name the other program knows the run again when it goes on.
        since: the step that the run goes on from; what was told of later steps is then taken back. None: it begins.
        warn: hears once why the other program does not show the run.
    """

    def __init__(
        self,
        folder: Path,
        settings: TrainingSettings,
        name: str,
        since: int | None,
        warn: Callable[[Sentence], None] = lambda sentence: None,
    ) -> None:
        from tensorboardX import SummaryWriter

        before = len(list((folder / "tensorboard").glob("*")))
        purge = since + 1 if since is not None else 0 if before else None
        # named by the second otherwise, so that a run that goes on at once, or under a clock that was set back, would write over itself
        suffix = f".{before:08d}.{secrets.token_hex(4)}"
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=purge, flush_secs=5, filename_suffix=suffix)
        self._name, self._warn = settings.report_to, warn
        self._other: Any = None
        if settings.report_to != "none":
            self._told = furthest(folder / "metrics.jsonl")  # the other program cannot take back, and would have two points of a step
            self._ask(lambda: self._open(folder, name, settings), NOT_STARTED)

    def tell(self, step: int, point: dict[str, Any]) -> None:
        """One point of the curve."""
        values = {tag: point[key] for key, tag in TAGS.items() if point.get(key) is not None and isfinite(point[key])}
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)
        if self._other is not None and step > self._told:
            self._ask(lambda: self._other.log(values, step=step), BROKE_OFF)

    def close(self) -> None:
        """Everything to disk."""
        self._writer.close()
        if self._other is not None:
            self._ask(self._other.finish, BROKE_OFF)

    def _open(self, folder: Path, name: str, settings: TrainingSettings) -> None:
        other: Any = import_module(settings.report_to)
        if settings.report_to == "wandb":
            who = {"id": folder.name, "name": name, "dir": str(folder)}
        else:
            who = {"name": f"{name} ({folder.name[:SHOWN]})"}  # by which alone it knows a run, and names may come twice
        other.init(project="playground", config=settings.to_dict(), resume="allow", **who)
        self._other = other

    def _ask(self, what: Callable[[], Any], otherwise: str) -> None:
        """A program beside ours that is not signed in, or breaks, must not cost anybody the run."""
        try:
            what()
        except (Exception, SystemExit) as error:
            self._other = None
            self._warn(Sentence(otherwise, program=PROGRAMS[self._name], reason=type(error).__name__))
            print(f"{self._name} was left out: {type(error).__name__}", flush=True)
