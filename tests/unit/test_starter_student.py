"""The plain loop that shows how well the starter learns."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from playground.starter import exams, student

STARTER = Path(__file__).parents[2] / "assets" / "starter" / "language-model"


def test_only_the_answer_is_learnt():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(STARTER, local_files_only=True)
    [(ids, labels)] = student.encoded(tokenizer, [exams._passage("i am glad", "Which feeling?", "joy")])
    learnt = [token for token in labels if token != student.IGNORED]
    assert tokenizer.decode(learnt) == "joy<|im_end|>" and ids[-len(learnt) :] == learnt
    assert "joy" not in tokenizer.decode(ids[: -len(learnt)])


def test_batches_hold_every_row_once_and_one_length():
    rows = [([0] * n, [0] * n) for n in (3, 9, 3, 9, 9, 3, 3)]
    groups = student.batched(rows, 4, random.Random(1))
    assert sorted(len(ids) for group in groups for ids, _ in group) == [3, 3, 3, 3, 9, 9, 9]
    assert all(len({len(ids) for ids, _ in group}) == 1 for group in groups)


def test_a_lesson_is_learnt(tmp_path: Path):
    """A rule that no wording gives away: the base cannot know it, some forty rows teach it."""
    (tmp_path / "reports").mkdir()
    for name in ("emotion_train", "emotion_validation"):
        with (tmp_path / "reports" / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["text", "label"])
            table.writerows([f"day {n} was {'grey' if n % 2 else 'blue'}", 4 if n % 2 else 2] for n in range(48))
    told = student.learn(STARTER, tmp_path, rows=48, method="full", epochs=3, asked=24)
    assert told["after"] > 0.9 > told["before"]
