"""The process that tries a run, three real steps on the longest rows: `python -m playground.training.ahead.rehearsal FOLDER [SECONDS]`.

FOLDER is like a run's (`record`), with the longest of its rows, and a fair sample of all in data/usual.jsonl: steps on these follow, for
the time of a usual one. What was seen is written into its rehearsal.json:
    {memory_mb, step_seconds, usual_seconds, tokens_per_second, start_seconds, answer_seconds, check_seconds, check_tokens, save_seconds}
or {error} where it broke off. It ends itself after SECONDS, so that an app that died leaves nothing behind. Does not know the app.
"""

from __future__ import annotations

import random
import secrets
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError, Sentence, pack
from playground.training import examples
from playground.training.ahead.estimate import STEPS, USUAL_STEPS
from playground.training.examples import Encoded, Row
from playground.training.memory import is_memory
from playground.training.progress import Status
from playground.training.worker import Training
from playground.workspace import write_json

CHECK_ROWS = 16
LONG = 5.0  # seconds
PATIENCE = 20.0  # seconds that steps on usual rows may take
RESULT = "rehearsal.json"
NO_MEMORY = "The machine ran out of memory while it tried the longest rows."
UNEXPECTED = "The rehearsal ended unexpectedly (reference {reference})."


def main(folder: Path, seconds: int = 0) -> int:
    """Try the run in `folder`; what was seen, or what went wrong, is in its rehearsal.json."""
    if seconds and hasattr(signal, "alarm"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
    try:
        found = Rehearsal(folder).seen()
    except PlaygroundError as error:
        found = {"error": pack(error.sentence)}
    except BaseException as error:
        traceback.print_exc()
        sentence = Sentence(NO_MEMORY) if is_memory(error) else Sentence(UNEXPECTED, reference=secrets.token_hex(3))
        found = {"error": pack(sentence), "memory_ran_out": is_memory(error)}
    write_json(folder / RESULT, found)
    return 0


class Rehearsal(Training):
    """A training of a few steps that leaves nothing behind but its figures."""

    def __init__(self, folder: Path) -> None:
        self._began = time.perf_counter()
        super().__init__(folder, Status(folder))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.planned = self.settings
        self.settings = replace(
            self.settings, max_steps=STEPS, eval_steps=None, save_steps=None, early_stopping_patience=None, load_best_model_at_end=False,
            logging_steps=1, train_sampling_strategy="sequential", report_to="none", warmup_steps=0, lr_scheduler_type="constant",
        )  # fmt: skip
        self._checked: Encoded | None = None
        self._usual = 0  # steps on usual rows

    def seen(self) -> dict[str, Any]:
        """The figures, in MB of 1024² bytes and seconds."""
        self.status.doing(Sentence("Loading the model."))
        model, tokenizer = self._load()
        self.status.doing(Sentence("Reading the examples."))
        trainer, follow = self._trainer(model, tokenizer)
        clock = _clock(lambda: follow.tokens)
        trainer.add_callback(clock)
        start_seconds = time.perf_counter() - self._began
        self.status.write(doing=None)
        self._learn(trainer, follow)
        long, usual = clock.steps[:STEPS], clock.steps[STEPS:][-self._usual :]
        long = long[1:] or long  # the first is slower than all others
        seconds, tokens = (sum(column) for column in zip(*(usual or long), strict=True))
        found: dict[str, Any] = {
            "start_seconds": round(start_seconds, 2),
            "step_seconds": _mean(long),
            "usual_seconds": _mean(usual) if usual else None,
            "tokens_per_second": round(tokens / seconds, 1) if seconds else 0.0,
        }
        found |= self._rest(trainer, tokenizer)
        return found | _peak()

    def _examples(self, tokenizer: Any) -> tuple[Encoded, Encoded | None]:
        """The longest rows, longest first, then usual ones; none to check on along the way."""
        train, _ = super()._examples(tokenizer)
        settings = self.settings
        a_step = settings.per_device_train_batch_size * settings.gradient_accumulation_steps
        needed = STEPS * a_step
        order = sorted(range(len(train)), key=train.length.__getitem__, reverse=True)
        if settings.packing:  # so many as fill the packed rows
            needed = 1 + sum(held < needed * settings.max_length for held in accumulate(train.length[place] for place in order))
        rows = [train.row(place) for place in order[:needed]]
        if len(rows) == needed and not settings.packing:  # else usual rows would begin amid a batch, or every row is as long as the others
            usual = examples.read(self.folder / "data" / "usual.jsonl", tokenizer, settings.max_length, USUAL_STEPS * a_step)
            steps = by_steps([usual.row(place) for place in range(len(usual))], a_step, self.planned.train_sampling_strategy)
            rows += [row for step in steps * 2 for row in step]  # what is new is slow the first time, so the second pass counts
            self._usual = len(steps)
            self.settings = replace(settings, max_steps=STEPS + 2 * len(steps))
        if self.planned.eval_steps:
            self._checked = examples.read(self.folder / "data" / "validation.jsonl", tokenizer, settings.max_length, CHECK_ROWS)
        ids, labels, length = (list(column) for column in zip(*rows, strict=True))
        return Encoded(ids, labels, length, read=len(rows)), None

    def _rest(self, trainer: Any, tokenizer: Any) -> dict[str, Any]:
        """What else takes time in a run: a look at validation rows, answers to the sample prompts, a checkpoint."""
        from datasets import Dataset

        found: dict[str, Any] = {}
        if self._checked is not None and len(self._checked):
            rows = trainer.get_eval_dataloader(Dataset.from_dict(self._checked.by_length))
            # not `evaluate`: the answers, which are timed below, would count twice
            seconds = _usual(lambda: trainer.evaluation_loop(rows, "check", prediction_loss_only=True))
            found |= {"check_seconds": seconds, "check_tokens": sum(self._checked.length)}
        if self.planned.eval_steps:
            samples = self._samples(tokenizer)
            found["answer_seconds"] = _usual(lambda: samples.answer(trainer.model, 0))
        if self.planned.save_steps:
            found["save_seconds"] = _usual(lambda: trainer._save_checkpoint(trainer.model, None))
        return found


def _usual(work: Callable[[], object]) -> float:
    """Seconds that something takes when it is not done for the first time, which is slower; what takes long is done once only."""
    for _ in range(2):
        began = time.perf_counter()
        work()
        seconds = time.perf_counter() - began
        if seconds > LONG:
            break
    return round(seconds, 3)


def by_steps(rows: list[Row], size: int, strategy: str) -> list[list[Row]]:
    """Rows in whole steps, composed as the run composes its own; those of middling length first, should there be no time for all."""
    if strategy == "group_by_length":
        rows = sorted(rows, key=lambda row: row[-1])
    else:
        random.Random(0).shuffle(rows)
    starts = range(0, len(rows) - size + 1, size)
    middle_first = sorted(starts, key=lambda start: abs(start + size / 2 - len(rows) / 2))
    return [rows[start : start + size] for start in middle_first]


def _mean(steps: Sequence[tuple[float, int]]) -> float:
    return round(sum(seconds for seconds, _ in steps) / len(steps), 4)


def _clock(read: Callable[[], int]) -> Any:
    """A callback that notes the seconds of each step and how many tokens it took, `read` being all that were read so far."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.steps: list[tuple[float, int]] = []
            self._since, self._tokens, self._patience = 0.0, 0, 0.0

        def on_train_begin(self, *args: Any, **more: Any) -> None:
            self._since = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            now, tokens = time.perf_counter(), read()
            self.steps.append((now - self._since, tokens - self._tokens))
            self._since, self._tokens = now, tokens
            if len(self.steps) == STEPS:
                self._patience = now + PATIENCE
            elif len(self.steps) > STEPS and now > self._patience:
                control.should_training_stop = True

    return Clock()


def _peak() -> dict[str, int]:
    """The highest memory of this process, and of its GPU where there is one."""
    import torch

    if torch.cuda.is_available():
        free, whole = torch.cuda.mem_get_info()
        held = torch.cuda.memory_reserved()
        others = max(0, whole - free - held)  # the context of this process, and whoever else is on the card
        return {"memory_mb": int((torch.cuda.max_memory_reserved() + others) // 1024**2)}
    try:
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return {"memory_mb": int(line.split()[1]) // 1024}
    except (OSError, StopIteration):
        import psutil

        return {"memory_mb": int(psutil.Process().memory_info().rss // 1024**2)}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
