"""Answers along the way: a few prompts that the run never learns from, answered at every check, so that people can watch it learn.

    samples.json    [{prompt, answer}]              what is asked, and the right answer
    samples.jsonl   {"step": n, "answers": [text]}  one line a check

Written by the worker, read by the app. Imports torch only where a model answers. Does not know the trainer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.errors import InputError
from playground.models.reading import in_a_block
from playground.training.metrics import REWIND
from playground.workspace import read_json, write_json

if TYPE_CHECKING:
    from playground.training.progress import Curve

OWN = "prompts"  # the part of the run's data that holds questions of the person's own
PROMPTS, MOST = 3, 8
MOST_TOKENS = 40
MOST_CHECKS = 200  # afterwards the curve goes on without answers


class Samples:
    """The worker's side; `file` is where the answers go."""

    def __init__(self, folder: Path, file: Curve, tokenizer: Any, max_length: int, dtype: Any, encoder_decoder: bool = False) -> None:
        from playground.models.template import encode, end_ids

        parts = [path for name in (OWN, "validation", "test", "train") if (path := folder / "data" / f"{name}.jsonl").exists()]
        chosen = next((found for part in parts if (found := _asked(part))), [])
        self._file, self._tokenizer, self._dtype = file, tokenizer, dtype
        self._ends, self._encoder_decoder = end_ids(tokenizer), encoder_decoder
        self._ids = [encode(tokenizer, one.asked, max(8, max_length - MOST_TOKENS), generation=True).ids for one in chosen]
        self._checks = 0
        write_json(folder / "samples.json", [{"prompt": one.shown, "answer": one.answer} for one in chosen])

    def answer(self, model: Any, step: int) -> None:
        """Let the model, as it is now, answer all prompts greedily in one batch, and write the answers down."""
        import torch

        if not self._ids or self._checks >= MOST_CHECKS:
            return
        self._checks += 1
        pad = self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else self._ends[0]
        longest = max(map(len, self._ids))
        device = next(model.parameters()).device
        block, seen = in_a_block(self._ids, pad, right=self._encoder_decoder)
        ids, mask = torch.tensor(block, device=device), torch.tensor(seen, device=device)
        was_training = model.training
        model.eval()
        try:
            with torch.no_grad(), torch.autocast(device.type, dtype=self._dtype, enabled=self._dtype is not torch.float32):
                out = model.generate(
                    input_ids=ids, attention_mask=mask, max_new_tokens=MOST_TOKENS, do_sample=False, num_beams=1, use_cache=True,
                    pad_token_id=pad, eos_token_id=self._ends or None,
                )  # fmt: skip
        finally:
            model.train(was_training)
        begin = 0 if self._encoder_decoder else longest
        answers = [self._tokenizer.decode(row[begin:], skip_special_tokens=True).strip() for row in out]
        self._file.write({"step": step, "answers": answers})
        self._file.to_disk()

    def rewind(self, step: int) -> None:
        """The run goes on from `step`; what was answered later does not count."""
        self._file.rewind(step)


def _asked(part: Path) -> list[Any]:
    """What to ask, from one part of the rows; nothing where that is damaged, for no run should end over answers along the way."""
    from playground.training.examples import questions

    try:
        return questions(part, MOST if part.stem == OWN else PROMPTS)
    except InputError:
        return []


def read(folder: Path) -> dict[str, Any]:
    """{prompts: [{prompt, answer}], steps: [{step, answers}]} by rising step; empty lists where nothing was written, or it is damaged.

    A run that was taken up again may have answered at a step twice; the later answers count.
    """
    steps: dict[int, dict[str, Any]] = {}
    try:
        lines = (folder / "samples.jsonl").read_bytes().splitlines(keepends=True)
    except OSError:
        lines = []
    for line in lines:
        if line.endswith(b"\n"):  # the last one may be half written
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict) and isinstance(told.get(REWIND), int):
                steps = {step: one for step, one in steps.items() if step <= told[REWIND]}
            elif isinstance(told, dict) and isinstance(told.get("step"), int) and isinstance(told.get("answers"), list):
                steps[told["step"]] = told
    return {"prompts": questions(folder) or [], "steps": [steps[step] for step in sorted(steps)]}


def questions(folder: Path) -> list[dict[str, str]] | None:
    """What is asked, with the right answers: nothing where nothing was written, None where that is damaged."""
    path = folder / "samples.json"
    found = read_json(path) if path.exists() else []
    whole = isinstance(found, list) and all(isinstance(one, dict) and {"prompt", "answer"} <= one.keys() for one in found)
    return found if whole else None
