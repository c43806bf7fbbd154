"""What the models held possible, against a plain forward pass of Transformers alone."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from playground.errors import ModelUnavailable, PlaygroundError, PromptError
from playground.inference import adapters as adapters_module
from playground.inference import inside
from playground.inference.forced import answer_ids, namer, shown
from playground.inference.generate import GenerationSettings
from playground.inference.host import Host, Pane
from playground.inference.inside import Answered, answered
from playground.messages import Conversation, Message, conversation
from playground.models.catalog import AdapterRef, Catalog, ModelRef
from playground.models.template import encode, end_ids, load_tokenizer, spelled
from playground.settings import Settings
from playground.workspace import file_hash
from tests.helpers import make_tiny_model, make_tiny_t5, make_tokenizer

QUESTION = conversation("What is the capital of France?", system="Answer briefly.")
LONG = conversation("Tell me about fear, anger and joy, and why they come and go. " * 3)
TEXT = Conversation((Message("text", "The shop opens at nine and"),))
ANSWERS = [
    Answered("a", "Paris is the capital."),
    Answered("b", "I feel sad today, le café est fermé 🙂", ended=False),
    Answered(None, "Paris"),
]
KINDS: dict[str, dict[str, Any]] = {
    "base": {},
    "lora": {"strength": 1.0},
    "dora": {"use_dora": True, "seed": 5},
    "ia3": {"method": "ia3", "strength": 2.0},
}


def panes(ref: ModelRef, tuned: AdapterRef | None, question: Conversation = QUESTION) -> list[Pane]:
    return [Pane("base", ref, False, None, question), Pane("tuned", ref, False, tuned, question)]


def plain(model: Any, prompt: list[int], answer: list[int], seq2seq: bool = False) -> torch.Tensor:
    """Log-probabilities at the answer's places: one row, no padding, no other adapter, nothing of ours."""
    with torch.inference_mode():
        if seq2seq:
            begun = torch.tensor([[model.config.decoder_start_token_id, *answer[:-1]]])
            logits = model(input_ids=torch.tensor([prompt]), decoder_input_ids=begun).logits[0]
        else:
            logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1]
    return logits.float().log_softmax(-1)


def check(told: dict[str, Any], expected: dict[str, torch.Tensor], ids: list[int]) -> None:
    """Every number of an answer is what the plain passes give."""
    tokens = [token for piece in told["pieces"] for token in piece["tokens"]]
    assert [token["id"] for token in tokens] == ids and told["tokens"] == len(ids)
    mean = torch.stack(list(expected.values())).exp().mean(0)
    for place, token in enumerate(tokens):
        for key, logs in expected.items():
            own = token["by"][key]
            assert own["probability"] == pytest.approx(float(logs[place, ids[place]].exp()), abs=1e-4)
            likeliest = [one["probability"] for one in own["likeliest"]]
            assert likeliest == pytest.approx(logs[place].exp().sort(descending=True).values[:5].tolist(), abs=1e-4)
            assert sum(likeliest) <= 1 + 1e-6 and likeliest == sorted(likeliest, reverse=True) and len(likeliest) == 5
            assert own["rank"] == int((logs[place] > logs[place, ids[place]]).sum()) + 1
        for one in token["likeliest"]:
            assert one["by"] == pytest.approx({key: float(logs[place, one["id"]].exp()) for key, logs in expected.items()}, abs=1e-4)
        entropies = [float(torch.special.entr(logs[place].exp()).sum()) for logs in expected.values()]
        divergence = (float(torch.special.entr(mean[place]).sum()) - sum(entropies) / len(entropies)) / math.log(2)
        assert token["divergence"] == pytest.approx(divergence, abs=1e-4) and 0 <= token["divergence"] <= 1 + 1e-6
    for key, logs in expected.items():
        total = float(sum(logs[place, id] for place, id in enumerate(ids)))
        assert told["by"][key]["log_probability"] == pytest.approx(total, abs=1e-3)
        assert told["by"][key]["probability"] == pytest.approx(math.exp(total / len(ids)), abs=1e-4)


def same_everywhere(host: Host, tiny: Path, ref: ModelRef, one: AdapterRef, question: Conversation) -> dict[str, Any]:
    told = host.look(panes(ref, one, question), ANSWERS, 24)
    tokenizer = load_tokenizer(ref)
    prompt = encode(tokenizer, question, generation=True).ids
    base = AutoModelForCausalLM.from_pretrained(tiny).eval()
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), one.path).eval()
    for answer in ANSWERS:
        ids = answer_ids(tokenizer, question, answer.text, answer.ended)
        this = told["answers"][answer.key] if answer.key else told["right"]
        check(this, {"base": plain(base, prompt, ids), "tuned": plain(tuned, prompt, ids)}, ids)
    assert told["proofs"] == {"base": None, "tuned": {"run_id": one.run_id, "name": one.name, "sha256": one.sha256}}
    return told


@pytest.mark.parametrize("kind", ["lora", "dora", "ia3"])
@pytest.mark.parametrize("question", [QUESTION, TEXT], ids=["question", "text"])
def test_the_numbers_are_those_of_a_plain_pass(host: Host, tiny: Path, tiny_ref: ModelRef, adapter, kind: str, question) -> None:
    same_everywhere(host, tiny, tiny_ref, adapter(kind, **KINDS[kind]), question)


def test_alone_and_together_are_the_same(host: Host, tiny_ref: ModelRef, adapter, monkeypatch) -> None:
    one = adapter("lora", **KINDS["lora"])
    together = host.look(panes(tiny_ref, one, LONG), ANSWERS, 24)

    def compare(first: Any, second: Any) -> None:
        if isinstance(first, dict):
            assert first.keys() == second.keys()
            for key in first:
                compare(first[key], second[key])
        elif isinstance(first, list):
            assert len(first) == len(second)
            for left, right in zip(first, second, strict=True):
                compare(left, right)
        else:
            assert first == (pytest.approx(second, abs=1e-4) if isinstance(second, float) else second)

    alone = host.look(panes(tiny_ref, one, LONG), ANSWERS[:1], 24)
    compare(together["answers"]["a"], alone["answers"]["a"])
    monkeypatch.setattr(inside, "MOST_BYTES", 4 * 2 * 512 * 7)  # seven places at a time
    monkeypatch.setattr(inside, "GIVE_WAY", 0)
    compare(together["answers"], host.look(panes(tiny_ref, one, LONG), ANSWERS, 24)["answers"])


@pytest.mark.parametrize("places", [0, 1, 5, 30, 1000])
def test_what_is_read_at_a_time_fits_into_memory(places: int, monkeypatch) -> None:
    monkeypatch.setattr(inside, "MOST_BYTES", 4 * 2 * 100 * 20)  # twenty places of two models
    rows = [inside.Forced([1] * 3, [1] * count, 0, 0) for count in (places, 4, 20, 21, places, 7)]
    seen: dict[int, list[int]] = {}
    for block in inside.blocks([rows, rows], 100):
        assert len(block) * max(stop - start for _, start, stop in block) <= 20
        for number, start, stop in block:
            seen.setdefault(number, []).extend(range(start, stop))
    assert seen == {number: list(range(len(row.answer))) for number, row in enumerate(rows) if row.answer}


def test_without_a_chat_format(tmp_path: Path, host: Host, catalog: Catalog) -> None:
    folder = make_tiny_model(tmp_path / "plain")
    make_tokenizer(chat_template=None).save_pretrained(folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    ref = catalog.resolve(f"local:{folder}")
    told = host.look(panes(ref, None), ANSWERS[:1], 24)
    tokenizer = load_tokenizer(ref)
    assert not tokenizer.chat_template
    prompt = encode(tokenizer, QUESTION, generation=True).ids
    ids = answer_ids(tokenizer, QUESTION, ANSWERS[0].text, True)
    assert tokenizer.decode([*prompt, *ids]).endswith("\nAssistant: Paris is the capital.<|im_end|>")
    logs = plain(AutoModelForCausalLM.from_pretrained(folder).eval(), prompt, ids)
    check(told["answers"]["a"], {"base": logs, "tuned": logs}, ids)
    assert all(token["mark"] is None for piece in told["answers"]["a"]["pieces"] for token in piece["tokens"])


def test_a_model_that_reads_first(tmp_path: Path, host: Host, catalog: Catalog) -> None:
    folder = make_tiny_t5(tmp_path / "t5")
    ref = catalog.resolve(f"local:{folder}")
    peft = get_peft_model(
        AutoModelForSeq2SeqLM.from_pretrained(folder), LoraConfig(task_type="SEQ_2_SEQ_LM", r=4, target_modules=["q", "v"])
    )
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    peft.save_pretrained(tmp_path / "adapter")
    weights = tmp_path / "adapter" / adapters_module.WEIGHTS
    one = AdapterRef("e" * 12, "reader", tmp_path / "adapter", file_hash(weights), ref, False)
    told = host.look(panes(ref, one), ANSWERS, 24)
    tokenizer = load_tokenizer(ref)
    prompt = encode(tokenizer, QUESTION, generation=True).ids
    base = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    tuned = PeftModel.from_pretrained(AutoModelForSeq2SeqLM.from_pretrained(folder), tmp_path / "adapter").eval()
    for answer in ANSWERS:
        ids = answer_ids(tokenizer, QUESTION, answer.text, answer.ended)
        this = told["answers"][answer.key] if answer.key else told["right"]
        check(this, {"base": plain(base, prompt, ids, True), "tuned": plain(tuned, prompt, ids, True)}, ids)
    assert told["proofs"]["tuned"]["sha256"] == one.sha256


def test_a_model_trained_as_a_whole(tmp_path: Path, host: Host, tiny: Path, tiny_ref: ModelRef) -> None:
    folder = make_tiny_model(tmp_path / "whole", seed=9)
    one = AdapterRef("f" * 12, "whole", folder, file_hash(folder / "model.safetensors"), tiny_ref, False, whole=True)
    told = host.look(panes(tiny_ref, one), ANSWERS, 24)
    tokenizer = load_tokenizer(tiny_ref)
    prompt = encode(tokenizer, QUESTION, generation=True).ids
    both = {key: AutoModelForCausalLM.from_pretrained(path).eval() for key, path in (("base", tiny), ("tuned", folder))}
    for answer in ANSWERS:
        ids = answer_ids(tokenizer, QUESTION, answer.text, answer.ended)
        check(told["answers"][answer.key] if answer.key else told["right"], {k: plain(m, prompt, ids) for k, m in both.items()}, ids)
    assert told["proofs"] == {"base": None, "tuned": {"run_id": one.run_id, "name": "whole", "sha256": one.sha256}}
    changed = replace(one, sha256="0" * 64, run_id="9" * 12)
    with pytest.raises(ModelUnavailable, match="not the ones"):
        host.look(panes(tiny_ref, changed), ANSWERS, 24)


def test_a_greedy_answer_took_the_likeliest_everywhere(host: Host, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With the starter, whose answers are spelled as its tokenizer spells them; the tiny model writes halves of characters."""
    ref = Catalog(Settings(home=tmp_path_factory.mktemp("home"))).resolve("starter")
    question = conversation("What is the capital of France?")
    state = list(host.stream([Pane("base", ref, False, None, question)], GenerationSettings(max_new_tokens=60)))[-1]["base"]
    ended = state.stopped_because == "end"
    told = host.look([Pane("base", ref, False, None, question)], [Answered("base", state.text, ended)], 60)
    pieces = told["answers"]["base"]["pieces"]
    assert {token["by"]["base"]["rank"] for piece in pieces for token in piece["tokens"]} == {1}
    assert sum(len(piece["tokens"]) for piece in pieces) == state.tokens + ended
    assert "".join(piece["text"] for piece in pieces if not piece["control"]).strip() == state.text.strip()
    assert pieces[-1]["control"] == ended


def test_the_places_where_they_disagree_are_marked(host: Host, tiny_ref: ModelRef, adapter) -> None:
    told = host.look(panes(tiny_ref, adapter("lora", **KINDS["lora"])), ANSWERS, 24)
    tokens = [token for piece in told["answers"]["b"]["pieces"] for token in piece["tokens"]]
    marked = sorted((token for token in tokens if token["mark"]), key=lambda token: token["mark"])
    assert [token["mark"] for token in marked] == list(range(1, inside.MARKS + 1))
    assert [token["divergence"] for token in marked] == sorted((t["divergence"] for t in tokens), reverse=True)[: inside.MARKS]


def test_the_raw_view_is_what_the_model_reads(host: Host, tiny_ref: ModelRef, adapter) -> None:
    forged = conversation("Is <|im_end|> a word? é🙂", system="Answer briefly.")
    told = host.look(panes(tiny_ref, adapter("one"), forged), [Answered("a", "No, <|im_start|> is.")], 24)
    raw = told["prompts"]["tuned"]["raw"]
    assert "".join(text for text, _ in raw) == (
        "<|im_start|>system\nAnswer briefly.<|im_end|>\n<|im_start|>user\nIs <|im_end|> a word? é🙂<|im_end|>\n<|im_start|>assistant\n"
    )
    assert [text for text, control in raw if control] == ["<|im_start|>", "<|im_end|>"] * 2 + ["<|im_start|>"]
    assert told["answers"]["a"]["raw"] == [("No, <|im_start|> is.", False), ("<|im_end|>", True)]


def test_a_lying_model_is_found_out(host: Host, tiny_ref: ModelRef, adapter, monkeypatch) -> None:
    honest = adapters_module.Adapters.active
    monkeypatch.setattr(adapters_module.Adapters, "active", lambda self, rows: honest(self, [None for _ in rows]))
    for options in (KINDS["lora"], KINDS["dora"]):
        with pytest.raises(ModelUnavailable, match="not computed by the model"):
            host.look(panes(tiny_ref, adapter("liar", **options)), ANSWERS, 24)


def test_what_cannot_be_had_is_told_and_leaves_no_trace(host: Host, tiny_ref: ModelRef, adapter, tmp_path, monkeypatch) -> None:
    one = adapter("one")
    with pytest.raises(ModelUnavailable, match="no longer on this machine"):
        host.look(panes(tiny_ref, replace(one, path=tmp_path / "gone")), ANSWERS, 24)
    with pytest.raises(ModelUnavailable, match="not the ones"):
        host.look(panes(tiny_ref, replace(one, sha256="0" * 64, run_id="8" * 12)), ANSWERS, 24)
    with pytest.raises(PromptError):
        host.look(panes(tiny_ref, one, conversation(" ")), ANSWERS, 24)
    good = host.look(panes(tiny_ref, one), ANSWERS, 24)

    def full(*_: Any, **__: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(inside.Base, "read", full)
        with pytest.raises(ModelUnavailable, match="memory of this machine is full"):
            host.look(panes(tiny_ref, one), ANSWERS, 24)
    assert host.look(panes(tiny_ref, one), ANSWERS, 24) == good


def test_too_long_is_cut_and_told(host: Host, tiny_ref: ModelRef) -> None:
    told = host.look(panes(tiny_ref, None, conversation("word " * 3000)), [Answered("a", "so " * 900), Answered("b", "")], 24)
    window = tiny_ref.window
    assert told["answers"]["a"]["tokens"] == window - window // 4 and told["answers"]["a"]["left_out"] > 100
    assert told["prompts"]["base"]["cut"] > 1000 and told["prompts"]["base"]["tokens"] <= window // 4
    assert told["answers"]["b"]["tokens"] == 1 and told["answers"]["b"]["pieces"][0]["text"] == "<|im_end|>"
    (empty,) = host.look(panes(tiny_ref, None), [Answered("a", "", ended=False)], 24)["answers"].values()
    assert empty["tokens"] == 0 and empty["pieces"] == [] and empty["by"]["base"] == {"probability": None, "log_probability": 0}


def test_those_who_ask_meanwhile_are_answered(host: Host, tiny_ref: ModelRef, adapter, monkeypatch) -> None:
    """Looking inside in many small passes does not keep a question waiting until all of them are done."""
    one = adapter("one")
    host.look(panes(tiny_ref, one), ANSWERS[:1], 24)
    monkeypatch.setattr(inside, "MOST_BYTES", 1)  # a place at a time
    done: list[str] = []

    def looking() -> None:
        host.look(panes(tiny_ref, one), [Answered(str(n), "so " * 90) for n in range(4)], 24)
        done.append("looked")

    thread = threading.Thread(target=looking)
    thread.start()
    state = list(host.stream([Pane("base", tiny_ref, False, None, QUESTION)], GenerationSettings(max_new_tokens=4)))[-1]["base"]
    done.append("answered")
    thread.join(120)
    assert state.tokens and done == ["answered", "looked"]


MARKS = "\U000f0000\U000f0001"  # with which the library itself marks what is typed, and then takes away
WORDS = st.text(st.characters(exclude_characters=MARKS, codec="utf-8"), max_size=8)
TYPED = st.sampled_from(["<|im_end|>", "<|im_start|>", "<|endoftext|>", " ", "\n", "é", "🙂", "👩‍👩‍👧", "naïve", "日本語", "\u0301", "�"])
TEXTS = st.lists(st.one_of(WORDS, TYPED), max_size=8).map("".join)
TOKENIZER = make_tokenizer()
PLAIN_TOKENIZER = make_tokenizer(chat_template=None)


@given(TEXTS)
@example("a\ufffd\ufffdb🙂<|im_end|>")
@example("\ufffd\ufffd\ufffd")
@examples(max_examples=150, deadline=None)
def test_the_pieces_joined_are_the_answer(text: str) -> None:
    for tokenizer, blank in ((TOKENIZER, ""), (PLAIN_TOKENIZER, " ")):
        ids = answer_ids(tokenizer, QUESTION, text, True)
        assert ids[-1] in end_ids(tokenizer) and answer_ids(tokenizer, QUESTION, text, False) == ids[:-1]
        assert not set(ids[:-1]) & set(end_ids(tokenizer)), "what is typed is no control token"
        pieces = spelled(tokenizer, ids)
        assert sum(count for _, count in pieces) == len(ids)
        assert "".join(piece for piece, _ in pieces) == blank + text + "<|im_end|>"
        assert shown(tokenizer, ids) == [*([(blank + text, False)] if blank + text else []), ("<|im_end|>", True)]


def test_a_token_alone_brings_its_blank() -> None:
    name = namer(TOKENIZER)
    ids = TOKENIZER.encode("the capital", add_special_tokens=False)
    assert "".join(map(name, ids)) == "the capital" and name(TOKENIZER.eos_token_id) == "<|im_end|>"
    assert "\ufffd" in name(TOKENIZER.encode("🙂", add_special_tokens=False)[0])


@pytest.mark.parametrize(
    "answers",
    [None, {}, [], {"a": 1}, {1: "x"}, ["x"], [{"key": "a"}], [{"key": "a", "text": "x"}, {"key": "a", "text": "y"}], "x",
     {str(n): "x" for n in range(9)}, {"a": "x" * 101}, {"a": {"text": "x", "ended": "no"}}],
)  # fmt: skip
def test_answers_of_another_shape_are_refused(answers: Any) -> None:
    with pytest.raises(PlaygroundError):
        answered(answers, "", 100)


def test_answers_come_in_three_shapes() -> None:
    assert answered({"a": "x"}, None, 9) == [Answered("a", "x")]
    assert answered({"a": {"text": "x", "ended": False}}, " ", 9) == [Answered("a", "x", False)]
    assert answered([{"key": "a", "text": "x"}], "y", 9) == [Answered("a", "x"), Answered(None, "y")]
