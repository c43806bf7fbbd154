"""The process that trains one run: `python -m playground.training.worker RUN_DIR`.

It owns its run folder while it holds `worker.lock`: status, curve, adapter, and the manifest last. It goes on when the app ends, and hears
no request but the one in its folder. Of several processes that train one run (`ranks`) the main one does so, and the others only learn.
Knows neither owners nor the line of runs.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
import traceback
import warnings
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError, Sentence, pack, unpack
from playground.models.catalog import ModelRef
from playground.system import peak_memory_mb
from playground.training import checkpoints, damage, ending, examples, methods, ranks, record, resuming
from playground.training.config import TrainingSettings
from playground.training.cores import Cores
from playground.training.defaults import check_rows
from playground.training.ending import FellApart
from playground.training.examples import Encoded
from playground.training.launching import claim
from playground.training.memory import card, dtype, free, is_memory
from playground.training.packing import pack as pack_rows
from playground.training.progress import Curve, Log, Status, Unwritten
from playground.training.samples import Samples
from playground.training.tracking import Tracker
from playground.training.warm import FLAG
from playground.workspace import file_hash, write_json

SAVING = "Saving what it has learned."
BEST = "What is kept is from step {step}, where the loss on the validation rows was lowest."
LAST_GOOD = "What is kept is from step {step}, the last that was saved while all was well."
AS_BEFORE = "This run was to go on from step {step}. That went wrong, so the run is as it was before:"
ENDED_EARLY = "It ended early, at step {step}: {checks} checks in a row without improvement on rows it never learns."
NOTHING = -1  # the step to which a curve goes back that begins anew


def main(folder: Path) -> int:
    """Train the run in `folder`. The exit code is 0 when its status tells how it ended, also when that is failed."""
    held = ranks.only_main(claim, folder)
    if held is None:
        print("another worker is at this run", flush=True)
        return 3
    with held:
        status = Status(folder) if ranks.main_process() else Unwritten(folder)
        try:
            status.reserve()
            Training(folder, status).run()
        except BaseException as error:
            saved = bool(checkpoints.found(folder / "checkpoints"))
            state, why = ending.by_error(error, status.now.get("step", 0), saved)
            if isinstance(error, PlaygroundError):
                _say(f"{state}: {error}")
            else:
                traceback.print_exc()
            status.end(state, why)
            ranks.give_up(folder, state, why)
    return 0


class Training:
    """One training, phase by phase: load, learn, save. Begins at the newest whole checkpoint of its folder, where there is one."""

    def __init__(self, folder: Path, status: Status) -> None:
        self.folder, self.status = folder, status
        status.doing(Sentence("Loading the training programs."), state="starting")
        self.asked = record.config(folder)
        self.settings = TrainingSettings(**self.asked["settings"])
        self.ref = ModelRef(**self.asked["model"])
        ran_out = self.asked.get("ran_out")  # before this process was there
        size = self.settings.per_device_train_batch_size
        self.warnings = [ending.smaller(ran_out["step"], size, ran_out["before"])] if ran_out else []
        self.first_size = ran_out["before"] if ran_out else size
        self.signalled = False
        self.learned_in = 0.0  # seconds of the training loop, with its checks
        ranks.join()
        warnings.simplefilter("ignore", FutureWarning)  # names that the pinned libraries still know
        signal.signal(signal.SIGTERM, self._on_signal)

    def run(self) -> None:
        """From the first file read to the last one written; out of memory, it begins again with smaller batches, if it trains alone."""
        while True:
            self.status.doing(Sentence("Loading the model."))
            model, tokenizer = self._load()
            if rescue := self.status.now.get("rescue"):
                ranks.only_main(self._save_best, model, tokenizer, "stopped", unpack(rescue["why"]))
                ranks.leave()
                return
            if not self._wanted(model, tokenizer):
                return
            self.status.doing(Sentence("Reading the examples."))
            trainer, follow = self._trainer(model, tokenizer)
            if not self._wanted(model, tokenizer):
                return
            try:
                self._learn(trainer, follow)
            except FellApart as error:
                ranks.only_main(self._save_best, trainer.model, tokenizer, "failed", error.sentence)
                ranks.leave()
                return
            except (MemoryError, RuntimeError) as error:
                if not is_memory(error) or self.settings.per_device_train_batch_size == 1 or ranks.world() > 1:
                    raise
                error.__traceback__ = None  # it holds what filled the memory
            else:
                ranks.only_main(self._save, trainer, tokenizer, follow)
                ranks.leave()
                return
            del model, trainer, follow
            self._smaller()

    def _load(self) -> tuple[Any, Any]:
        from playground.models.loading import cores, load
        from playground.models.template import load_tokenizer

        quantised = self.settings.method == "qlora"
        model = load(self.ref, quantised=quantised, device=ranks.device())
        ranks.share(cores())
        if quantised:
            from peft import prepare_model_for_kbit_training

            from playground.training.quick import unpack

            model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
            unpack(model, dtype())
        damage.check_start(self.folder, self.asked)
        start = self.folder / "start"
        model = methods.attach(model, self.settings, encoder_decoder=self.ref.encoder_decoder, start=start if start.is_dir() else None)
        ranks.only_main(methods.begin, model, self.settings, self.folder / "initial")
        return model, load_tokenizer(self.ref)

    def _trainer(self, model: Any, tokenizer: Any) -> tuple[Any, Any]:
        from playground.training.building import build

        train, validation = self._examples(tokenizer)
        self._warn(train, validation)
        point = checkpoints.newest(self.folder / "checkpoints")
        curve, samples = ranks.only_main(Curve, self.folder / "metrics.jsonl"), ranks.only_main(self._samples, tokenizer)
        since = point[0] if point else None
        self.tracker = ranks.only_main(Tracker, self.folder, self.settings, self.asked["name"], since, self._told)
        follow = self._follow(curve, samples)
        trainer = build(
            model, tokenizer, self.settings, self.folder / "checkpoints", train, validation, follow,
            encoder_decoder=self.ref.encoder_decoder,
        )  # fmt: skip
        curve.rewind(point[0] if point else NOTHING)
        samples.rewind(point[0] if point else NOTHING)
        if point is not None:
            follow.go_on(checkpoints.facts(point[1]))
            trainer.args.eval_on_start = False
            _say(f"going on from step {point[0]}")
        self.point = point
        trainable, total = methods.counts(trainer.model)
        self.status.write(trainable_parameters=trainable, total_parameters=total)
        return trainer, follow

    def _examples(self, tokenizer: Any) -> tuple[Encoded, Encoded | None]:
        settings, rows = self.settings, self.asked["rows"]
        damage.check_rows(self.folder, self.asked)
        train = examples.read(self.folder / "data" / "train.jsonl", tokenizer, settings.max_length)
        if not len(train):
            raise PlaygroundError(
                "None of the {rows} examples has an answer that fits into {length} tokens. Raise max_length, or shorten the answers.",
                rows=rows["train"], length=settings.max_length,
            )  # fmt: skip
        packed = len(pack_rows(train.length, settings.max_length)) if settings.packing else None
        limit = check_rows(rows["validation"], len(train), settings, parted=self.asked.get("task") == "completion", packed=packed)
        validation = examples.read(self.folder / "data" / "validation.jsonl", tokenizer, settings.max_length, limit) if limit else None
        return train, validation

    def _samples(self, tokenizer: Any) -> Samples:
        file = Curve(self.folder / "samples.jsonl")
        return Samples(self.folder, file, tokenizer, self.settings.max_length, dtype(), self.ref.encoder_decoder)

    def _follow(self, curve: Curve, samples: Samples) -> Any:
        import torch

        from playground.models.loading import cores
        from playground.training.follow import Follow

        return Follow(
            self.folder,
            self.status,
            curve,
            patience=self.settings.early_stopping_patience,
            keep_best=self.settings.load_best_model_at_end,
            signalled=lambda: self.signalled,
            finished=(self.status.now.get("finished") or {}).get("checkpoint"),
            cores=None if torch.cuda.is_available() or ranks.world() > 1 else Cores(cores(), torch.set_num_threads),
            answer=samples.answer,
            until=(record.stretch(self.asked) or {}).get("step"),
            also=self.tracker.tell,
        )

    def _learn(self, trainer: Any, follow: Any) -> None:
        from playground.training.follow import Asked

        began = time.perf_counter()
        try:
            trainer.train(resume_from_checkpoint=str(self.point[1]) if self.point else None)
        except Asked:
            follow.stopped = True
            follow.on_train_end(trainer.args, trainer.state, trainer.control)
            if trainer.state.global_step:  # before the first step there is nothing to go on from
                trainer._save_checkpoint(trainer.model, None)
        finally:
            self.tracker.close()
        self.learned_in = time.perf_counter() - began

    def _smaller(self) -> None:
        """After the memory ran out: the same examples a step, fewer of them at once."""
        now = self.settings
        self.settings = replace(now, **ending.fewer(now.per_device_train_batch_size, now.gradient_accumulation_steps))
        self.warnings = [ending.smaller(self.status.now.get("step", 0), self.settings.per_device_train_batch_size, self.first_size)]
        _say(str(self.warnings[0]))
        free()

    def _save(self, trainer: Any, tokenizer: Any, follow: Any) -> None:
        """What was learned, with its manifest; the last status after that."""
        step = trainer.state.global_step
        state = "stopped" if follow.stopped else "done"
        if step == 0:
            self.status.end(state)
            return
        self.status.doing(Sentence(SAVING), saving=True)
        if follow.ended_early:
            self.warnings.append(Sentence(ENDED_EARLY, step=step, checks=self.settings.early_stopping_patience))
        best = follow.kept()
        if best is not None and best != step and (kept := checkpoints.of_step(self.folder / "checkpoints", best)) is not None:
            from playground.training.trainer import restore

            restore(trainer.model, kept)
            step = best
            self.warnings.append(Sentence(BEST, step=step))
        self._write(trainer.model, tokenizer, step, state, trainer.state.global_step)
        self.status.end(state, step=trainer.state.global_step, warnings=[pack(one) for one in self.warnings])
        _say(f"{state} at step {trainer.state.global_step}")

    def _save_best(self, model: Any, tokenizer: Any, state: str, why: Sentence | None) -> None:
        """The best of what was saved along the way, of a run that cannot save what it has now; `why` is told with it."""
        from playground.training.trainer import restore

        best = self.settings.load_best_model_at_end
        step, saved = next(checkpoints.candidates(self.folder / "checkpoints", best), (0, None))
        finished = (self.status.now.get("finished") or {}).get("checkpoint", -1)
        if why is not None and step <= finished and resuming.fall_back_to_end(self.folder, [Sentence(AS_BEFORE, step=finished), why]):
            return  # going on has brought nothing
        if saved is not None:
            self.status.doing(Sentence(SAVING), saving=True)
            restore(model, saved)
            measured = best and step == self.status.now.get("best_step")
            self.warnings.append(Sentence(BEST if measured else LAST_GOOD, step=step))
            self._write(model, tokenizer, step, state)
        self.status.end(state, why, warnings=[pack(one) for one in self.warnings])
        _say(f"{state}: {why or 'as asked'}")

    def _write(self, model: Any, tokenizer: Any, step: int, state: str, last: int | None = None) -> None:
        """Into a draft folder, renamed when whole, beside what the run may have learned before; by the new manifest it takes its place."""
        kind = "model" if self.settings.method == "full" else "adapter"
        old = record.learned_at(self.folder, kind)
        final = next(self.folder / name for name in record.places(kind) if old is None or name != old.name)
        weights = methods.save(model, tokenizer, self.settings, self.folder / "initial", final)
        write_json(self.folder / "manifest.json", self._manifest(weights, step, state, last))
        for name in resuming.KEPT:
            self.status.now.pop(name, None)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)

    def _manifest(self, weights: Path, step: int, state: str, last: int | None) -> dict[str, Any]:
        now = self.status.now
        return {
            "state": state,
            "step": step,  # of what is kept
            "global_step": last,  # that the run came to; none where it broke off, so that its last points may be missing
            "loss": now.get("loss"),
            "eval_loss": now.get("eval_loss"),
            "best_eval_loss": now.get("best_eval_loss"),
            "best_step": now.get("best_step"),
            "finished": time.time(),
            "loop_seconds": round(self.learned_in, 3),
            "peak_memory_mb": peak_memory_mb(),
            "max_memory_reserved_mb": card().get("max_memory_reserved_mb"),
            "folder": weights.parent.name,
            "adapter": {"sha256": file_hash(weights), "bytes": weights.stat().st_size},
            "versions": {name: version(name) for name in ("torch", "transformers", "trl", "peft")},
        }

    def _wanted(self, model: Any, tokenizer: Any) -> bool:
        """False, with the last status written, when the user asked to stop before this process learned anything.

        What an earlier one had saved is kept; where there is nothing, what was before the run was taken up is so again.
        """
        if not ranks.agree(self.signalled or record.request(self.folder) is not None):
            return True
        if ranks.main_process() and resuming.saved_since(self.folder):
            self._save_best(model, tokenizer, "stopped", None)
        elif not ranks.main_process() or not resuming.fall_back(self.folder):
            self.status.end("stopped")
        return False

    def _warn(self, train: Any, validation: Any) -> None:
        self.warnings += train.warnings(self.asked.get("task", ""), self.settings.max_length, self.ref.encoder_decoder)
        rows = self.asked["rows"]["validation"]
        if validation is not None and validation.read < rows:
            used = validation.read - validation.empty
            self.warnings.append(Sentence("The curve uses {used} of the {rows} validation rows, to save time.", used=used, rows=rows))
        self.status.write(warnings=[pack(one) for one in self.warnings])

    def _told(self, warning: Sentence) -> None:
        self.warnings.append(warning)
        self.status.write(warnings=[pack(one) for one in self.warnings])

    def _on_signal(self, number: int, frame: object) -> None:
        self.signalled = True  # the machine is shutting down, or someone ended the process politely: keep what was learned


def _say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)


def wait() -> int:
    """Load what every run needs, then wait on the standard input for one: {"folder": path}. It ends when nobody is there to ask."""
    from playground.models import library
    from playground.training import building, follow, trainer  # noqa: F401

    library.import_models()
    building.load()
    line = sys.stdin.readline()
    if not line:
        return 0
    folder = Path(json.loads(line)["folder"])
    with (folder / "worker.log").open("ab") as own:
        for number in (1, 2):
            os.dup2(own.fileno(), number)
    return main(folder)


if __name__ == "__main__":
    sys.stdout, sys.stderr = Log(sys.stdout), Log(sys.stderr)
    sys.exit(wait() if sys.argv[1] == FLAG else main(Path(sys.argv[1]).resolve()))
