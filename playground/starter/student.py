"""How well the starter learns one task: ``python -m playground.starter.student MODEL --data DIR --rows 2000 --method full``.

Six feelings, asked for with their names, learnt from the first rows of the training table and counted on the validation table: greedy
answers, right when they are the label's name. A plain loop, every weight or LoRA on all linear layers, so that what the app's own trainer
reaches can be held against a ceiling that owes it nothing. Knows nothing of the app.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import Any

from . import exams
from .measure import answers, score

IGNORED = -100
RATES = {"full": 5e-4, "lora": 2e-3}


def encoded(tokenizer: Any, exam: exams.Exam) -> list[tuple[list[int], list[int]]]:
    """(input ids, labels) of each question with its first right answer; only the answer and its end are learnt."""
    rows = []
    for asked in exam:
        turns = [turn._asdict() for turn in asked.turns]
        prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        before = tokenizer(prompt, add_special_tokens=False).input_ids
        answer = [*tokenizer(asked.answers[0], add_special_tokens=False).input_ids, tokenizer.eos_token_id]
        rows.append((before + answer, [IGNORED] * len(before) + answer))
    return rows


def batched(rows: list[tuple[list[int], list[int]]], size: int, rng: random.Random) -> list[list[tuple[list[int], list[int]]]]:
    """Batches of rows of about one length, in random order."""
    order = sorted(rows, key=lambda row: (len(row[0]), rng.random()))
    groups = [order[at : at + size] for at in range(0, len(order), size)]
    rng.shuffle(groups)
    return groups


def teach(model: Any, rows: list[tuple[list[int], list[int]]], epochs: int, rate: float, pad: int, size: int = 8, seed: int = 1) -> None:
    """AdamW with a linear schedule, in place, over all weights that ask for gradients."""
    import torch

    rng = random.Random(seed)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.0)
    total = epochs * -(-len(rows) // size)
    step = 0
    model.train()
    for _ in range(epochs):
        for group in batched(rows, size, rng):
            longest = max(len(ids) for ids, _ in group)
            ids = torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in group])
            labels = torch.tensor([told + [IGNORED] * (longest - len(told)) for _, told in group])
            for settings in optimizer.param_groups:
                settings["lr"] = rate * min(1.0, (step + 1) / 20) * (1 - step / total)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = model(input_ids=ids, labels=labels).loss  # padding stands to the right: causal attention never sees it
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
    model.eval()


def learn(folder: Path, data: Path, rows: int, method: str, epochs: int, asked: int) -> dict[str, float]:
    """Accuracy before and after (0 to 1), and the seconds of the lessons."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).float().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    exam = exams.feelings(data / "reports" / "emotion_validation.csv", asked)
    before = score(exam, answers(model, tokenizer, exam, tokens=8))["exact"]
    lessons = encoded(tokenizer, exams.feelings(data / "reports" / "emotion_train.csv", rows))
    if method == "lora":
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
    began = time.perf_counter()
    teach(model, lessons, epochs, RATES[method], tokenizer.pad_token_id)
    seconds = time.perf_counter() - began
    return {"before": before, "after": score(exam, answers(model, tokenizer, exam, tokens=8))["exact"], "seconds": seconds}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="the exported model's folder")
    parser.add_argument("--data", type=Path, required=True, help="folder with reports/emotion_train.csv and emotion_validation.csv")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--method", choices=tuple(RATES), default="full")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--asked", type=int, default=500, help="rows of the validation table")
    given = parser.parse_args()
    told = learn(given.model, given.data, given.rows, given.method, given.epochs, given.asked)
    print(f"{given.method}, {given.rows} rows, {given.epochs} epochs: {told}")


if __name__ == "__main__":
    main()
