"""An adapter from elsewhere, for real: brought, asked in Chat, and gone on from by a training of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.errors import SettingsError, WrongState
from playground.services import Services
from playground.settings import Settings
from playground.training.brought import adapter_check
from playground.training.runs import Runs
from playground.workspace import read_json
from tests.helpers import make_adapter, make_tiny_model, make_tiny_t5, make_tokenizer
from tests.integration.colours import begin, examples, finish
from tests.integration.test_training_worker import adapter_loss

MOST = 100 * 1024**2


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    made = Services.make(settings)
    made.open()
    yield made
    made.close()


def go_on(runs: Runs, learner: Path, earlier: str, **settings: Any) -> str:
    return begin(runs, learner, 48, start_from=earlier, **{"max_steps": 6, "eval_steps": 3, "learning_rate": 5e-3, **settings})


def answer(services: Services, run_id: str) -> dict[str, dict[str, Any]]:
    states: dict[str, dict[str, Any]] = {}
    for states in services.asking.compare("me", "Number 3 is painted. Which colour?", run_id, {"max_new_tokens": 12, "temperature": 0}):  # noqa: B007 - the last one is whole
        pass
    assert not any(state["error"] for state in states.values())
    return states


@pytest.mark.parametrize("options", [{}, {"use_dora": True}, {"use_rslora": True}, {"method": "ia3"}], ids=str)
def test_brought_asked_and_gone_on_from(services: Services, learner: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    given = make_adapter(learner, tmp_path / "given", strength=0.3, **options)
    method = options.get("method", "lora")
    brought = services.bringing.bring("me", [], f"local:{learner}", "Theirs", path=str(given))
    run = services.runs.get("me", brought)
    assert (run.state, run.method, run.brought) == ("done", method, True)

    ref = services.runs.adapter("me", brought)
    states = answer(services, brought)
    assert states["tuned"]["adapter"]["sha256"] == ref.sha256 and states["base"]["adapter"] is None
    assert states["tuned"]["text"] != states["base"]["text"]
    assert services.examples("me", brought) == []

    made = go_on(services.runs, learner, brought, num_train_epochs=1)
    after = finish(services.runs, made)
    assert (after.method, after.start_from, after.start_from_name) == (method, brought, "Theirs")
    assert "goes on from" in str(after.reasons["method"])
    points = services.runs.metrics("me", made)
    assert points[0]["step"] == 0
    assert points[0]["eval_loss"] == pytest.approx(adapter_loss(learner, given, examples(12)), abs=0.02)
    assert points[-1]["eval_loss"] < points[0]["eval_loss"]
    learned = services.runs.adapter("me", made)
    before, now = (adapter_check.adapter_shapes(path / "adapter_model.safetensors") for path in (given, learned.path))
    assert before == now and learned.sha256 != ref.sha256
    config = read_json(learned.path / "adapter_config.json")
    assert bool(config.get("use_dora")) == bool(options.get("use_dora"))
    services.runs.delete("me", brought)
    assert answer(services, made)["tuned"]["adapter"]["sha256"] == learned.sha256  # it needs the earlier one no more


def test_one_of_our_own_is_gone_on_from_too_and_one_of_another_shape_is_not(services: Services, learner: Path, tmp_path: Path) -> None:
    given = make_adapter(learner, tmp_path / "given", strength=0.3)
    brought = services.bringing.bring("me", [], f"local:{learner}", path=str(given))
    with pytest.raises(SettingsError, match="lora_r is 4"):
        go_on(services.runs, learner, brought, lora_r=8)
    with pytest.raises(SettingsError, match="method is lora"):
        go_on(services.runs, learner, brought, method="full")
    assert len(services.runs.list("me")) == 1
    first = go_on(services.runs, learner, brought, method="qlora")
    middle = finish(services.runs, first)
    second = go_on(services.runs, learner, first)
    last = finish(services.runs, second)
    assert (middle.method, last.method) == ("qlora", "qlora")
    kept = middle.best_eval_loss
    assert services.runs.metrics("me", second)[0]["eval_loss"] == pytest.approx(kept, abs=0.02)
    with pytest.raises(WrongState):
        go_on(services.runs, learner, go_on(services.runs, learner, first, max_steps=100_000))


def test_it_stands_beside_others_on_the_same_base(services: Services, learner: Path, tmp_path: Path) -> None:
    ids = [
        services.bringing.bring("me", [], f"local:{learner}", path=str(make_adapter(learner, tmp_path / str(seed), seed=seed)))
        for seed in (1, 2)
    ]
    texts = [answer(services, one)["tuned"]["text"] for one in ids]
    assert texts[0] != texts[1]
    assert answer(services, ids[0])["tuned"]["text"] == texts[0]


def gpt2(folder: Path) -> Path:
    """A random GPT-2, whose layers keep their input first."""
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = make_tokenizer()
    config = GPT2Config(vocab_size=512, n_embd=64, n_layer=2, n_head=2, n_positions=128, initializer_range=0.3)
    GPT2LMHeadModel(config).save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder


SHAPES: dict[str, tuple[Callable[[Path], Path], dict[str, Any]]] = {
    "a pattern of names": (make_tiny_model, {"target_modules": r".*\.layers\.\d+\.self_attn\.(q|v)_proj"}),
    "one block": (make_tiny_model, {"target_modules": ["q_proj", "up_proj"], "layers_to_transform": [1]}),
    "the scoring layer": (make_tiny_model, {"target_modules": ["q_proj", "lm_head"]}),
    "input first": (gpt2, {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True}),
    "reads first": (make_tiny_t5, {"target_modules": ["q", "v", "wo"], "task_type": "SEQ_2_SEQ_LM"}),
    "scaled, reads first": (make_tiny_t5, {"target_modules": ["k", "v", "wo"], "feedforward_modules": ["wo"], "task_type": "SEQ_2_SEQ_LM"}),
}


@pytest.mark.parametrize("case", SHAPES)
def test_what_is_handed_on_does_what_the_adapter_did(services: Services, tmp_path: Path, case: str) -> None:
    """The configuration is written anew from the tensors; the model has to say the very same with it."""
    import torch
    from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    make, options = SHAPES[case]
    model = make(tmp_path / "model")
    reads_first = options.get("task_type") == "SEQ_2_SEQ_LM"
    kind = AutoModelForSeq2SeqLM if reads_first else AutoModelForCausalLM

    def base() -> Any:
        return kind.from_pretrained(model, dtype=torch.float32).eval()

    def says(one: Any) -> Any:
        ids = torch.arange(5, 25)[None]
        with torch.no_grad():
            return one(input_ids=ids, **({"decoder_input_ids": ids} if reads_first else {})).logits

    config = IA3Config(**options) if "feedforward_modules" in options else LoraConfig(r=3, lora_alpha=7, use_rslora=True, **options)
    made = get_peft_model(base(), config).eval()
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "lora_" in name or "ia3_" in name:
                weight.add_(torch.randn(weight.shape) * 0.2)
    made.save_pretrained(tmp_path / "given", save_embedding_layers=False)
    run_id = services.bringing.bring("me", [], f"local:{model}", path=str(tmp_path / "given"))
    brought = PeftModel.from_pretrained(base(), str(services.runs.adapter("me", run_id).path)).eval()
    assert torch.equal(says(brought), says(made))
    assert not torch.allclose(says(brought), says(base()), atol=1e-3)
