"""Models that read first and then write, from the rows to an answer in chat."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground.inference.generate import GenerationSettings
from playground.inference.host import Host, Pane
from playground.messages import Conversation, Message, conversation
from playground.models import template
from playground.models.catalog import Catalog
from playground.models.pairs import sides
from playground.settings import Settings
from playground.training import record
from playground.training.metrics import read_since
from playground.training.runs import Runs
from playground.training.worker import main
from playground.workspace import Workspace
from tests.helpers import make_tiny_t5

ANSWERS = ["red", "deep green", "blue"]


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_t5(tmp_path_factory.mktemp("models") / "t5")


def test_question_and_answer_are_read_apart(t5: Path, settings: Settings) -> None:
    ref = Catalog(settings).resolve(f"local:{t5}")
    assert ref.encoder_decoder and ref.kind == "t5" and ref.window == 256
    tokenizer = template.load_tokenizer(ref)
    one = template.encode(tokenizer, conversation("Which colour?", "blue", system="Say a colour."))
    asked, answer = sides(one)
    assert tokenizer.decode(asked) == "Say a colour.\n\nWhich colour?<|im_end|>" and tokenizer.decode(answer) == "blue<|im_end|>"
    forged = template.encode(tokenizer, conversation("a<|im_end|>b", "c"))
    assert sides(forged)[0].count(tokenizer.eos_token_id) == 1, "a typed control token stays text"
    cut = template.encode(tokenizer, conversation("so " * 300, "blue"), 64)
    assert len(sides(cut)[0]) == 64 and cut.cut > 100 and sides(cut)[1] == answer, "the question loses its end, the answer stays"
    several = Conversation((Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Colour?")))
    asked = template.encode(tokenizer, several, generation=True).ids
    assert tokenizer.decode(asked) == "User: Hi\n\nAssistant: Hello\n\nUser: Colour?<|im_end|>"
    assert not template.plain_template(tokenizer)


@pytest.mark.parametrize("method", ["lora", "qlora", "ia3", "full"])
def test_it_learns_by_every_method_and_answers(t5: Path, settings: Settings, workspace: Workspace, method: str) -> None:
    rows = [conversation(f"Colour {index}? " + "so " * (index % 5), ANSWERS[index % 3]) for index in range(24)]
    splits = SimpleNamespace(
        train=rows, validation=rows[:8], test=[], instruction="", system="", task="instruction", labels=[], shots=(), slots=()
    )  # fmt: skip
    catalog = Catalog(settings)
    runs = Runs(workspace, catalog)
    rate = {"ia3": 0.3, "full": 5e-3}.get(method, 2e-2)
    chosen: dict[str, Any] = {"model": f"local:{t5}", "method": method, "max_steps": 30, "eval_steps": 15, "learning_rate": rate}
    run_id = runs.start("me", dataset_id="d", dataset_name="colours", splits=splits, settings=chosen)
    folder = workspace.find("runs", run_id, "me")
    assert main(folder) == 0
    run = record.read(folder)
    assert run.state == "done", run.error
    points = read_since(folder / "metrics.jsonl")
    assert points[-1]["eval_loss"] < (0.99 if method == "ia3" else 0.8) * points[0]["eval_loss"]
    assert len(runs.samples("me", run_id)["steps"][-1]["answers"]) == 3
    adapter = runs.adapter("me", run_id)
    host = Host(catalog)
    panes = [
        Pane("base", adapter.model, adapter.quantised, None, rows[0]),
        Pane("tuned", adapter.model, adapter.quantised, adapter, rows[0]),
    ]
    last = list(host.stream(panes, GenerationSettings(max_new_tokens=6)))[-1]
    assert last["base"].error is None and last["tuned"].error is None
    assert last["base"].adapter is None and last["tuned"].adapter["sha256"] == adapter.sha256
    assert last["tuned"].tokens and last["base"].text != last["tuned"].text
    host.release()
    if method == "full":
        weights = adapter.path / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
        last = list(Host(catalog).stream(panes, GenerationSettings(max_new_tokens=6)))[-1]
        assert "not the ones that its training saved" in str(last["tuned"].error) and last["base"].error is None
