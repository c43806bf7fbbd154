"""Pretraining: ``python -m playground.starter.pretrain --corpus DIR --out DIR --device cpu|cuda``; the same command resumes.

Two phases: stable (short windows, constant rate; its first steps teach copying) until the end is called, then decay (longer windows,
falling rate). Knows token files
and the model; nothing of corpora beyond calling their preparation.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_model
from torch.nn import functional as F

from . import checkpoint, packing, schedule
from .model import build
from .optimizer import Optimizers
from .prepare import prepare


@dataclass
class Settings:
    """What decides the run; the batch is counted in tokens so that both phases take steps of one size."""

    seed: int = 1
    peak: float = 3e-3
    batch_tokens: int = 4096
    stable_length: int = 256
    decay_lengths: tuple[int, int] = (512, 1024)
    long_every: int = 4  # in the decay, one step in so many has the longer windows: they are slow, and some are enough to learn to read far
    copying: int = 100  # steps on repeats at the very beginning
    warmup: int = 150
    decay_share: float = 0.3
    log_every: int = 25
    measure_every: int = 500
    save_seconds: float = 300.0


class Run:
    """One pretraining run in a folder: builds or resumes, trains until told to end, logs and saves."""

    def __init__(
        self,
        out: Path,
        settings: Settings,
        device: str = "cpu",
        compiled: bool = False,
        minutes: float | None = None,
        until: str | None = None,
        start: Path | None = None,
    ) -> None:
        self.out, self.settings, self.device = out, settings, torch.device(device)
        vocabulary = len(json.loads((out / "tokenizer" / "tokenizer.json").read_text())["model"]["vocab"])
        self.model = build(vocabulary, settings.seed).to(self.device)
        if device == "cpu":
            # Over short windows plain products are a good deal faster there than the fused kernel, whose backward pass is slow.
            self.model.set_attn_implementation("eager")
        self.optimizers = Optimizers(self.model, settings.peak)
        self.state: dict = {"step": 0, "tokens": 0, "seconds": 0.0, "decay_start": None, "decay_last": None, "ramp": None}
        if start is not None:
            load_model(self.model, str(start / "model.safetensors"), strict=False)  # the tied output table is saved once
        self.resume()
        self.forward = torch.compile(self._loss, dynamic=False) if compiled else self._loss
        s = settings
        self.stable = packing.Windows(packing.load(out / "stable.npy"), s.stable_length, s.batch_tokens // s.stable_length, s.seed)
        self.repeats = packing.Repeats(vocabulary, s.stable_length, s.batch_tokens // s.stable_length, s.seed)
        self._decay: list[packing.Windows] = []  # of both lengths
        self.held = {source: tokens.astype(np.int64) for source, tokens in np.load(out / "held.npz").items()}
        self.deadline = _deadline(minutes, until)
        self.stopped = False
        signal.signal(signal.SIGTERM, self.stop)

    @property
    def ramp(self) -> schedule.Ramp | None:
        """The decay under way, as the checkpoint keeps it."""
        return schedule.Ramp(*self.state["ramp"]) if self.state["ramp"] else None

    def begin_decay(self) -> None:
        """From here on: long windows, a falling rate."""
        step = self.state["step"]
        steps = schedule.decay_length(step, self.settings.decay_share)
        self.state.update(decay_start=step, decay_last=step + steps, ramp=[step, 1.0, steps])
        self.log(event="decay begins", decay_steps=steps)

    def keep_deadline(self, pace: float) -> None:
        """Make the decay steeper when at ``pace`` seconds a step it would end too late, and flatter again when it would not."""
        if self.ramp is not None and self.deadline is not None:
            affordable = int((self.deadline - time.time()) / pace)
            ramp = schedule.replanned(self.ramp, self.state["step"], self.settings.warmup, self.state["decay_last"], affordable)
            self.state["ramp"] = list(ramp)

    def stop(self, *_: object) -> None:
        """Leave off after the current step, to be resumed."""
        self.stopped = True

    def resume(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        found = checkpoint.find(self.out / "checkpoint")
        if found:
            weights, optimizer, self.state = checkpoint.load(found)
            self.model.load_state_dict(weights, strict=False)  # the tied output table is saved once
            self.optimizers.load(optimizer)
            # The steps after the checkpoint will be done, and logged, again.
            log = self.out / "log.jsonl"
            if log.is_file():
                kept = [line for line in log.read_text().splitlines() if json.loads(line)["step"] <= self.state["step"]]
                log.write_text("".join(line + "\n" for line in kept))

    def save(self) -> None:
        """A checkpoint of this very step."""
        weights = {name: p.detach().clone().contiguous() for name, p in self.model.named_parameters()}
        checkpoint.save(self.out / "checkpoint", weights, self.optimizers.state(), self.state)

    def _loss(self, inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy in nats per token, each counted by its weight; all three (batch, length)."""
        hidden = self.model.model(input_ids=inputs, use_cache=False).last_hidden_state
        logits = self.model.lm_head(hidden)
        losses = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")
        return (losses * weights.flatten()).sum() / weights.sum().clamp(min=1e-6)

    def autocast(self) -> torch.autocast:
        """bfloat16 for the matrix products; weights stay float32."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def batch(self) -> list[torch.Tensor]:
        """The next batch, decided by seed and step alone; the decay's tokens are opened when it begins."""
        step, start, s = self.state["step"], self.state["decay_start"], self.settings
        if start is None:
            arrays = self.repeats.batch(step) if step < s.copying else self.stable.batch(step - s.copying)
        else:
            if not self._decay:
                tokens = packing.load(self.out / "decay.npy")
                self._decay = [packing.Windows(tokens, n, s.batch_tokens // n, s.seed) for n in s.decay_lengths]
            turn, rest = divmod(step - start, s.long_every)
            arrays = self._decay[1].batch(turn) if rest == 0 else self._decay[0].batch(turn * (s.long_every - 1) + rest - 1)
        return [torch.from_numpy(array).to(self.device) for array in arrays]

    def step(self) -> float:
        """One update; the loss before it."""
        state, s = self.state, self.settings
        inputs, targets, weights = self.batch()
        with self.autocast():
            loss = self.forward(inputs, targets, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizers.step(schedule.factor(state["step"], s.warmup, self.ramp))
        state["step"] += 1
        state["tokens"] += inputs.numel()
        return loss.item()

    @torch.no_grad()
    def measure(self, most: int = 8192) -> dict[str, float]:
        """Held-out loss per source in nats per token (of made-up conversations: per token of the answers), over at most ``most``
        tokens of each, in windows of the stable length."""
        losses = {}
        length = self.settings.stable_length
        for source, tokens in self.held.items():
            count = min(len(tokens) - 1, most) // length
            if count:
                rows = np.stack([tokens[i * length : i * length + length + 1] for i in range(count)])
                ids, full = torch.from_numpy(rows & packing.IDS), torch.from_numpy(packing.weights(rows, 0.0, 1.0))
                total = 0.0
                for batch, counts in zip(ids.split(16), full.split(16), strict=True):
                    batch, counts = batch.to(self.device), counts.to(self.device)[:, 1:]
                    with self.autocast():
                        # Eager: odd batch sizes would make the compiler start again.
                        total += self._loss(batch[:, :-1], batch[:, 1:], counts).item() * counts.sum().item()
                losses[source] = total / max(1.0, full[:, 1:].sum().item())
        return losses

    def should_end(self) -> bool:
        """Is it time for the decay? A file ``finish`` in the folder says so, or the deadline less the time that the decay will take."""
        if (self.out / "finish").exists():
            return True
        if self.deadline is None or not self.state["step"]:
            return False
        # The mean over the whole run: a busy minute must not bring the end forward. Long windows are somewhat slower than short ones.
        pace = self.state["seconds"] / self.state["step"]
        needed = schedule.decay_length(self.state["step"], self.settings.decay_share) * pace * 1.2
        return time.time() + needed >= self.deadline

    def log(self, **values: object) -> None:
        """One line of the measured log."""
        line = {"step": self.state["step"], "tokens": self.state["tokens"], "seconds": round(self.state["seconds"]), **values}
        with (self.out / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def train(self, most_steps: int | None = None) -> None:
        """Train to the end of the decay (or ``most_steps`` steps of this call); save at the end and every few minutes."""
        state, s = self.state, self.settings
        losses: list[float] = []
        saved = since = time.time()
        smooth = 0.0
        begun = state["step"]
        while self.ramp is None or state["step"] < self.ramp.end:
            if self.stopped or (most_steps is not None and state["step"] - begun >= most_steps):
                break
            if self.ramp is None and self.should_end():
                self.begin_decay()
            before = time.time()
            losses.append(self.step())
            state["seconds"] += time.time() - before
            if state["step"] % s.log_every == 0:
                pace = (time.time() - since) / len(losses)
                # Smoothed over some hundred steps: one busy minute must not bend the schedule much.
                smooth = pace if not smooth else 0.8 * smooth + 0.2 * pace
                self.keep_deadline(smooth)
                self.log(
                    phase="stable" if self.ramp is None else "decay",
                    loss=round(float(np.mean(losses)), 4),
                    tokens_per_second=round(s.batch_tokens / pace),
                )
                losses, since = [], time.time()
            if state["step"] % s.measure_every == 0:
                self.log(held={source: round(loss, 4) for source, loss in self.measure().items()})
                since = time.time()
            if time.time() - saved > s.save_seconds:
                self.save()
                saved = time.time()
        self.save()
        if not self.stopped:
            self.log(held={source: round(loss, 4) for source, loss in self.measure(30_000).items()}, event="end")


def _deadline(minutes: float | None, until: str | None) -> float | None:
    """Seconds since the epoch at which the whole run should be over; ``until`` is a local HH:MM, today or tomorrow."""
    if minutes is not None:
        return time.time() + 60 * minutes
    if until is None:
        return None
    now = datetime.now()
    moment = datetime.strptime(until, "%H:%M").replace(year=now.year, month=now.month, day=now.day)
    return (moment if moment > now else moment + timedelta(days=1)).timestamp()


def compiler_works() -> bool:
    """Can torch.compile build for this machine? It needs a C++ compiler."""
    try:
        return bool(torch.compile(lambda x: x * 2 + 1)(torch.ones(4)).sum() == 12)
    except Exception:  # any failure of the compiler means the same: train without it
        return False


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, help="folder of the corpus archives; needed until the token files exist")
    parser.add_argument("--out", type=Path, required=True, help="working folder: token files, checkpoint, log")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--peak", type=float, default=Settings.peak, help="peak learning rate")
    parser.add_argument("--minutes", type=float, help="end, decay included, after so many minutes")
    parser.add_argument("--until", help="end, decay included, at this local time (HH:MM)")
    parser.add_argument("--decay-share", type=float, default=Settings.decay_share, help="share of the steps that the decay takes")
    parser.add_argument("--finish", action="store_true", help="begin the decay at once")
    parser.add_argument("--steps", type=int, help="stop after so many steps, to be resumed")
    parser.add_argument("--start", type=Path, help="folder of an exported model whose weights are trained on, instead of fresh ones")
    parser.add_argument("--eager", action="store_true", help="do not compile")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    if not 0 < given.decay_share < 1:
        parser.error("--decay-share is between 0 and 1")
    if not all((given.out / name).is_file() for name in ("stable.npy", "decay.npy", "held.npz")):
        if given.corpus is None:
            parser.error("--corpus is needed: the token files are not there yet")
        prepare(given.corpus, given.out)
    if given.threads:
        torch.set_num_threads(given.threads)
    if given.finish:
        (given.out / "finish").touch()
    (given.out / "pid").write_text(str(os.getpid()))
    run = Run(
        given.out,
        Settings(peak=given.peak, decay_share=given.decay_share),
        given.device,
        not given.eager and compiler_works(),
        given.minutes,
        given.until,
        given.start,
    )
    run.train(given.steps)


if __name__ == "__main__":
    main()
