"""The trainer's callback: it turns the trainer's events into status and curve, and the user's requests into the trainer's control.

Imports transformers, so only the worker imports it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from playground.errors import PlaygroundError, Sentence
from playground.system import memory_mb
from playground.training import ranks
from playground.training.cores import Cores
from playground.training.ending import FellApart
from playground.training.memory import card
from playground.training.progress import Clock, Curve, Status

TELL = 10.0  # seconds between two lines in the log
CHECKING = Sentence("Looking at rows it does not learn from.")
MODEL_BROKEN = (
    "Before it had learned anything, at step 1, the loss was no number already: the model's own weights are damaged, or its numbers leave "
    "the range that is computed with. Choose another model, or save this one anew."
)
Told = Callable[[int, dict[str, Any]], None]


class Asked(Exception):
    """The user asked to stop while something long was going on."""


class Follow(TrainerCallback):
    """One per training. `stopped` says whether the user ended it, `ended_early` whether its checks did, and `best` holds (validation loss,
    step) of the best check after step 0.

    Args:
        patience: checks without improvement after which it ends.
        keep_best: have a checkpoint saved at each best check.
        finished: the step of the checkpoint to which a finished run falls back that this one makes longer.
        signalled: whether this process was asked to end.
        answer: asked at every check, with the model and the step.
        until: the step at which it ends, however long it was planned.
        also: hears every point of the curve besides.
    """

    def __init__(
        self,
        folder: Path,
        status: Status,
        curve: Curve,
        *,
        patience: int | None,
        keep_best: bool,
        signalled: Callable[[], bool],
        finished: int | None = None,
        cores: Cores | None = None,
        answer: Callable[[Any, int], None] | None = None,
        until: int | None = None,
        also: Told = lambda step, point: None,
    ) -> None:
        self._signalled, self._cores, self._answer, self._also = signalled, cores, answer, also
        self._folder, self._status, self._curve, self._clock = folder, status, curve, Clock()
        self._until = until
        self._patience, self._keep_best, self._unimproved = patience, keep_best, 0
        self._finished = finished
        self._pending: dict[str, Any] | None = None  # the point of a step whose check is still going on
        self._began, self._checking = time.monotonic(), 0.0
        self._tokens = self._tokens_before = 0
        self._told = 0.0
        self._drawn = 0  # the step of the last point
        self._broken = False  # before anything was learned
        self.stopped = self.ended_early = False
        self.best: tuple[float, int] | None = None

    def count(self, tokens: int) -> None:
        """Tokens the model has read in training, padding not counted."""
        self._tokens += tokens

    def begun(self, loss: float) -> None:
        """What the untouched model makes of a batch of the first step, however seldom a point is drawn."""
        self._broken |= not math.isfinite(loss)

    @property
    def tokens(self) -> int:
        """What was counted so far."""
        return self._tokens

    def facts(self) -> dict[str, Any]:
        """What a checkpoint has to hold so that another process can go on counting."""
        self._curve.to_disk()  # so that it is never behind a checkpoint
        return {"tokens": self._tokens, "seconds": self._seconds, "best": self.best, "unimproved": self._unimproved}

    def go_on(self, facts: dict[str, Any]) -> None:
        """Count on from a checkpoint."""
        self._tokens, self._unimproved = facts["tokens"], facts["unimproved"]
        self._began = time.monotonic() - facts["seconds"]
        self.best = (facts["best"][0], facts["best"][1]) if facts["best"] else None

    def kept(self) -> int | None:
        """The step that did best, where that is what is kept in the end."""
        return self.best[1] if self.best and self._keep_best else None

    def saving(self) -> AbstractContextManager[None]:
        """Around the writing of a checkpoint."""
        return self._status.saving()

    def needed(self) -> set[int]:
        """The steps whose checkpoints have to stay."""
        return {step for step in (self.kept(), self._finished) if step is not None}

    @property
    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 2)

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        if not state.global_step:
            self._began = time.monotonic()
        self._drawn = state.global_step
        self._status.write(state="running", max_steps=state.max_steps, step=state.global_step, doing=None)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        if self._cores is not None:
            self._cores.adapt()
        self._clock.start()
        self._tokens_before = self._tokens

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        self._tokens = self._tokens_before + ranks.total(self._tokens - self._tokens_before)
        self._clock.step(self._tokens - self._tokens_before)
        if state.global_step >= state.max_steps and args.eval_strategy != "no":
            control.should_evaluate = True  # the curve ends with a check
        if self._asked():
            self.stopped = control.should_training_stop = control.should_save = True
            control.should_evaluate = False
        if self._until is not None and state.global_step >= self._until:
            self.stopped = control.should_training_stop = control.should_save = True
        if self.stopped or state.global_step >= state.max_steps:
            control.should_log = True  # and with its last step, however seldom one is drawn
        checks = math.ceil((state.max_steps - state.global_step) / args.eval_steps) if args.eval_steps else 0
        self._status.maybe(
            step=state.global_step,
            epoch=round(state.epoch or 0.0, 4),
            tokens_per_second=self._clock.tokens_per_second,
            eta_seconds=self._clock.eta(max(0, state.max_steps - state.global_step), checks),
        )

    def on_prediction_step(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        if not self._checking:
            self._checking = time.perf_counter()
            self._status.doing(CHECKING)
        self._status.maybe()
        if self._cores is not None:
            self._cores.adapt()
        if self._asked():
            raise Asked

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any] | None = None, **more: Any
    ) -> None:
        logs = logs or {}
        if "loss" not in logs:  # evaluations come by `on_evaluate`; the summary at the end is no point of the curve
            return
        self._refuse_nonsense(state.global_step, logs, args)
        point = {key: logs.get(key) for key in ("loss", "learning_rate", "grad_norm")}
        held = card()
        point |= self._now(state) | {"memory_mb": memory_mb(), **held, "tokens_per_second": self._clock.tokens_per_second}
        self._status.maybe(loss=logs["loss"], step=state.global_step, **held)
        if time.monotonic() - self._told > TELL:
            self._told = time.monotonic()
            print(time.strftime("%H:%M:%S"), f"step {state.global_step} of {state.max_steps}, loss {logs['loss']:.4f}", flush=True)
        if control.should_evaluate:
            self._pending = point
        else:
            self._add(state.global_step, point)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: dict[str, Any] | None = None, **more: Any
    ) -> None:
        loss = (metrics or {}).get("eval_loss")
        if self._checking:
            self._clock.check(time.perf_counter() - self._checking)
            self._checking = 0.0
        point = self._pending or self._now(state)
        self._pending = None
        self._add(state.global_step, {**point, "eval_loss": loss})
        if self._answer is not None and more.get("model") is not None:
            self._answer(more["model"], state.global_step)
        if loss is None or not math.isfinite(loss):
            self._status.write(doing=None)
            return
        if not state.global_step:
            self._status.write(eval_loss=loss, doing=None)
            return
        if self.best is None or loss < self.best[0]:
            self.best = (loss, state.global_step)
            self._unimproved = 0
            control.should_save = control.should_save or self._keep_best
        else:
            self._unimproved += 1
        if self._patience and self._unimproved >= self._patience:
            self.ended_early = state.global_step < state.max_steps
            control.should_training_stop = control.should_save = True
        self._status.write(eval_loss=loss, best_eval_loss=self.best[0], best_step=self.best[1], doing=None)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        self.flush(state.global_step)
        if self._drawn < state.global_step:  # asked to stop during a check, at a step that was not to be drawn
            self._add(state.global_step, self._now(state))
        self._status.write(step=state.global_step, epoch=round(state.epoch or 0.0, 4), eta_seconds=0.0)

    def flush(self, step: int) -> None:
        """Write the point of a check that was broken off."""
        if self._pending is not None:
            self._add(step, self._pending)
            self._pending = None

    def _now(self, state: TrainerState) -> dict[str, Any]:
        return {"epoch": round(state.epoch or 0.0, 4), "tokens": self._tokens, "time": self._seconds}

    def _add(self, step: int, point: dict[str, Any]) -> None:
        self._drawn = step
        self._curve.add(step, **point)
        self._also(step, point)

    def _asked(self) -> bool:
        return ranks.agree(self._signalled() or (self._folder / "request.json").exists())

    def _refuse_nonsense(self, step: int, logs: dict[str, Any], args: TrainingArguments) -> None:
        if math.isfinite(logs["loss"]) and math.isfinite(logs.get("grad_norm") or 0.0):
            return
        self._status.write(diverged=True)  # from its last checkpoint it would only go the same way
        if ranks.agree(self._broken):
            raise PlaygroundError(MODEL_BROKEN)
        raise FellApart(
            Sentence(
                "At step {step} the loss was no longer a number: the steps were too large and the model fell apart. "
                "Train again with a smaller learning rate, for example {better:g} instead of {rate:g}.",
                step=step, better=args.learning_rate / 10, rate=args.learning_rate,
            )
        )  # fmt: skip
