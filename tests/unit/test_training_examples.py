"""Examples as the trainer reads them, and as questions that are asked along the way."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from playground.messages import Conversation, Message, conversation
from playground.training.examples import IGNORED, MOST_CHARACTERS, MOST_WORDS, Question, question, questions, read
from playground.training.progress import Curve
from playground.training.samples import Samples
from tests.helpers import make_tokenizer

CHAT = Conversation(
    (Message("system", "Be kind."), Message("user", "One?")),
    (Message("assistant", "First."), Message("user", "Two?"), Message("assistant", "Second.")),
)


def text(content: str) -> Conversation:
    return Conversation((), (Message("text", content),))


def written(path: Path, *examples: Conversation) -> Path:
    path.write_text("".join(json.dumps(one.to_dict()) + "\n" for one in examples))
    return path


def test_long_texts_become_several_rows_and_nothing_is_lost(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    long = " ".join(f"word{number}" for number in range(60))
    rows = read(written(tmp_path / "train.jsonl", text(long), text("short"), text("a")), tokenizer, 32)
    assert (rows.read, rows.parted, rows.cut, rows.empty) == (3, 1, 0, 0)
    assert len(rows) > 3 and max(rows.length) <= 32
    learnt = [label for labels in rows.labels for label in labels if label != IGNORED]
    assert tokenizer.decode(learnt) == long + "<|im_end|>short<|im_end|>a<|im_end|>"
    few = read(tmp_path / "train.jsonl", tokenizer, 32, limit=2)
    assert (len(few), few.read) == (2, 1)


def test_a_chat_teaches_each_answer(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    rows = read(written(tmp_path / "train.jsonl", CHAT, conversation("Hi", "Hello")), tokenizer, 512)
    assert len(rows) == 2 and rows.cut == 0
    assert tokenizer.decode([label for label in rows.labels[0] if label != IGNORED]) == "First.<|im_end|>Second.<|im_end|>"
    cut = read(tmp_path / "train.jsonl", tokenizer, 24)
    assert cut.cut == 1 and tokenizer.decode([label for label in cut.labels[0] if label != IGNORED]) == "Second.<|im_end|>"


def test_an_example_as_a_question() -> None:
    asked = question(CHAT)
    assert asked and (asked.shown, asked.answer) == ("Two?", "Second.")
    assert asked.asked == Conversation((*CHAT.prompt, *CHAT.completion[:2]))
    shots = conversation("Now?", "Yes.", "Be kind.", CHAT.prompt[1:] + CHAT.completion[:1])
    assert question(shots).asked.prompt == shots.prompt  # type: ignore[union-attr]
    nobody_knows = Conversation(shots.prompt)
    assert question(nobody_knows) == Question(nobody_knows, "Now?", ""), "earlier answers are not asked for again"
    assert question(Conversation((), (Message("assistant", "I begin"),))) is None
    assert question(Conversation((Message("system", "x"),), (Message("assistant", "I begin"),))) is None


@pytest.mark.parametrize(
    ("content", "begun", "rest"),
    [
        ("Once upon a\ntime there was.", "Once upon a", "time there was."),
        ("One two three", "One", "two three"),
        ("むかしむかし", "むかし", "むかし"),
        ("x", "x", ""),
        (" ".join(["w"] * 500), " ".join(["w"] * MOST_WORDS), " ".join(["w"] * MOST_WORDS)),
        ("字" * 999, "字" * MOST_CHARACTERS, "字" * MOST_CHARACTERS),
    ],
)
def test_a_text_asks_how_it_goes_on(content: str, begun: str, rest: str) -> None:
    asked = question(text(content))
    assert asked and (asked.shown, asked.answer) == (begun, rest)
    assert asked.asked == Conversation((Message("text", begun),))


@pytest.mark.parametrize("example", [text("Once upon a time there was."), CHAT, conversation("Hi", "Hello")])
def test_samples_ask_whatever_the_task_is(tmp_path: Path, example: Conversation) -> None:
    (tmp_path / "data").mkdir()
    silent = Conversation((), (Message("assistant", "I begin"),))
    for part, rows in (("validation", [silent]), ("test", []), ("train", [silent, example])):
        written(tmp_path / "data" / f"{part}.jsonl", *rows)
    samples = Samples(tmp_path, Curve(tmp_path / "samples.jsonl"), make_tokenizer(), 64, SimpleNamespace())
    asked = questions(tmp_path / "data" / "train.jsonl", 3)
    assert json.loads((tmp_path / "samples.json").read_text()) == [{"prompt": asked[0].shown, "answer": asked[0].answer}]
    assert len(samples._ids) == 1 and samples._ids[0]
