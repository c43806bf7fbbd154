"""What memory a run that waits will need, told from its folder. Does not know who else uses memory."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from playground.errors import PlaygroundError
from playground.messages import Conversation
from playground.models.catalog import ModelRef
from playground.training import record
from playground.training.ahead.forecast import Forecasts
from playground.training.config import TrainingSettings
from playground.training.examples import conversations
from playground.training.plan import Plan

USUAL_MB = 2048  # where nothing can be estimated
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rows:
    """A run's own copy of its rows."""

    train: list[Conversation]
    validation: list[Conversation]
    test: list[Conversation]
    task: str


def needed_mb(forecasts: Forecasts, folder: Path) -> int:
    """MB of 1024² bytes that the run in `folder` is estimated to take."""
    try:
        asked = record.config(folder)
        settings = TrainingSettings(**asked["settings"])
        train, validation, test = (list(conversations(folder / "data" / f"{part}.jsonl")) for part in ("train", "validation", "test"))
        rows = Rows(train, validation, test, asked.get("task", "instruction"))
        counted = asked.get("planned_examples", len(train)), asked.get("planned_packed")
        plan = Plan(settings, {}, ModelRef(**asked["model"]), asked["planned_steps"], bool(asked.get("planned_about")), *counted)
        return forecasts.estimate(plan, rows).memory_mb
    except (PlaygroundError, OSError, ValueError, KeyError, TypeError) as error:
        log.info("what a run needs is not known: %s", error)
        return USUAL_MB
