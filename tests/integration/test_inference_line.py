"""Many ask the same base at once: they are answered together, each as if alone, in the order of asking."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from playground.errors import ModelUnavailable
from playground.inference import base as base_module
from playground.inference import line as line_module
from playground.inference import panes as panes_module
from playground.inference.base import Base
from playground.inference.generate import Answer, GenerationSettings
from playground.inference.host import Host
from playground.inference.panes import PaneState
from playground.messages import conversation
from playground.models.catalog import Catalog, ModelRef
from playground.models.loading import load
from playground.models.template import encode, end_ids, load_tokenizer
from tests.integration.conftest import MakeAdapter
from tests.integration.test_inference_host import SHORT, pane, whole

LONG = GenerationSettings(max_new_tokens=200)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each batch that a model has written."""
    seen: list[int] = []
    answer = Base.answer
    monkeypatch.setattr(Base, "answer", lambda self, rows, told: (seen.append(len(rows)), answer(self, rows, told)))
    return seen


def ask_all(host: Host, asked: list[tuple[object, GenerationSettings]]) -> list[PaneState]:
    """Ask everything at the same moment; the answers in the order of the questions."""
    results: dict[int, PaneState] = {}
    start = threading.Barrier(len(asked))

    def ask(number: int) -> None:
        one, settings = asked[number]
        start.wait()
        results[number] = whole(host.stream([one], settings))["x"]  # type: ignore[list-item]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    return [results[number] for number in range(len(asked))]


def test_who_asks_at_the_same_moment_is_answered_together_and_as_if_alone(
    host: Host, tiny_ref: ModelRef, adapter: MakeAdapter, batches: list[int]
) -> None:
    adapters = [None, adapter("one"), adapter("two", seed=2)]
    drawn = GenerationSettings(max_new_tokens=20, temperature=0.9, top_p=0.9, seed=5)
    short = GenerationSettings(max_new_tokens=6, repetition_penalty=1.3)
    settings = [SHORT, drawn, short, replace(drawn, seed=6), replace(SHORT, stop=("e",))]
    questions = [conversation(f"Question number {number}: {'why? ' * (number % 5)}") for number in range(15)]
    asked = [(pane("x", tiny_ref, adapters[n % 3], questions[n]), settings[n % 5]) for n in range(15)]
    alone = [whole(host.stream([one], how))["x"] for one, how in asked]
    batches.clear()
    together = ask_all(host, asked)
    assert sum(batches) == 15 and len(batches) <= 3, batches
    for one, other in zip(together, alone, strict=True):
        assert (one.text, one.adapter, one.tokens, one.stopped_because) == (other.text, other.adapter, other.tokens, other.stopped_because)
    assert len({one.text for one in together}) > 8, "the questions and settings differ, so a mix-up would show"


def test_a_crowd_reads_what_generate_alone_writes_token_for_token(host: Host, tiny_ref: ModelRef, adapter: MakeAdapter) -> None:
    """Transformers' own `generate`, one row at a time, of the base and through PEFT."""
    import torch
    from peft import PeftModel

    tuned, tokenizer = adapter("one"), load_tokenizer(tiny_ref)
    questions = [conversation(f"Question {number}: {'why? ' * (number % 7)}") for number in range(14)]
    asked = [(pane("x", tiny_ref, one, question), SHORT) for one in (None, tuned) for question in questions]
    together = ask_all(host, asked)
    model, ends = load(tiny_ref, False, "cpu"), end_ids(tokenizer)
    for one, told in ((None, together[:14]), (tuned, together[14:])):
        if one is not None:
            model = PeftModel.from_pretrained(model, str(one.path)).eval()
        for question, state in zip(questions, told, strict=True):
            ids = torch.tensor([encode(tokenizer, question, tiny_ref.window, generation=True).ids])
            with torch.inference_mode():
                written = model.generate(input_ids=ids, max_new_tokens=SHORT.max_new_tokens, do_sample=False, eos_token_id=ends)
            new = written[0, ids.shape[1] :].tolist()
            assert state.text == tokenizer.decode(new, skip_special_tokens=True).lstrip().rstrip("\ufffd")
            assert state.tokens == len(new) - (new[-1] in ends)
            assert (state.adapter and state.adapter["sha256"]) == (one and one.sha256)


def test_the_parts_of_a_large_batch_are_one_batch(
    host: Host, tiny_ref: ModelRef, adapter: MakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cores share the rows: each row is still its own adapter's, proved row by row, and what fails in one part fails the batch."""
    adapters = [None, adapter("one"), adapter("two", seed=2)]
    panes = [pane(str(n), tiny_ref, adapters[n % 3], conversation(f"Question {n}: {'why? ' * (n % 5)}")) for n in range(14)]
    whole(host.stream(panes[:3], SHORT))
    one_batch = whole(host.stream(panes, SHORT))
    parts: list[int] = []
    grow = Base._grow
    monkeypatch.setattr(base_module, "cores", lambda: 3)
    monkeypatch.setattr(base_module, "PART_ROWS", 4)
    monkeypatch.setattr(Base, "_grow", lambda self, *args: (parts.append(args[3]), grow(self, *args)))
    in_parts = whole(host.stream(panes, SHORT))
    assert sorted(parts) == [0, 5, 10]
    for key, one in one_batch.items():
        other = in_parts[key]
        assert (one.text, one.tokens, one.adapter, one.error) == (other.text, other.tokens, other.adapter, None)
    parts.clear()
    whole(host.stream([*panes, pane("dora", tiny_ref, adapter("dora", use_dora=True, seed=5))], SHORT))
    assert parts.count(0) == 2, "what takes turns is not parted, and is not mixed with the others"
    monkeypatch.setattr(Base, "_grow", lambda self, *args: grow(self, *args) if args[3] else 1 / 0)
    assert all("the log knows" in str(one.error) for one in whole(host.stream(panes, SHORT)).values())


def test_a_class_that_arrives_one_by_one_is_answered_in_one_batch(host: Host, tiny_ref: ModelRef, batches: list[int]) -> None:
    whole(host.stream([pane("x", tiny_ref)], SHORT))
    batches.clear()
    results: list[PaneState] = []
    readers = [threading.Thread(target=lambda: results.append(whole(host.stream([pane("x", tiny_ref)], SHORT))["x"])) for _ in range(12)]
    for reader in readers:
        reader.start()
        time.sleep(line_module.GATHER / 4)  # so that the first would have been begun without the last
    for reader in readers:
        reader.join(60)
    assert len(results) == sum(batches) == 12 and batches[0] > 6, batches


def test_many_readers_get_news_less_often_and_all_of_the_end(host: Host, tiny_ref: ModelRef, monkeypatch: pytest.MonkeyPatch) -> None:
    push = Answer.push
    monkeypatch.setattr(Answer, "push", lambda self, id: (time.sleep(0.001), push(self, 5)))
    monkeypatch.setattr(panes_module, "NEWS", 60.0)
    counts: list[int] = []

    def read() -> None:
        states = list(host.stream([pane("x", tiny_ref)], SHORT))
        counts.append(len({one["x"].tokens for one in states}))
        assert states[-1]["x"].tokens == 24

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)
    assert len(counts) == 4 and max(counts) <= 4, "the line, the beginning and the end"
    monkeypatch.setattr(Answer, "push", lambda self, id: (time.sleep(0.02), push(self, 5)))
    began = time.monotonic()
    seen = len({one["x"].tokens for one in host.stream([pane("x", tiny_ref)], SHORT)})
    most = (time.monotonic() - began) / panes_module.ALONE + 3
    assert 4 < seen < 24 and seen <= most, "who reads alone sees it grow, but not more often than a browser can draw"


def test_late_comers_see_their_place_and_are_answered_next(
    host: Host, tiny_ref: ModelRef, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    push = Answer.push
    monkeypatch.setattr(Answer, "push", lambda self, id: (time.sleep(0.01), push(self, 5)))  # never ends by itself
    first = host.stream([pane("x", tiny_ref)], LONG)
    while not next(first)["x"].tokens:
        pass
    streams = [host.stream([pane("x", tiny_ref)], SHORT) for _ in range(3)]
    places = []
    for stream in streams:
        state = next(stream)["x"]
        while not state.place and not state.tokens:
            state = next(stream)["x"]
        places.append(state.place)
    assert places == [1, 2, 3]
    streams[1].close()  # type: ignore[attr-defined]
    last = [whole(stream)["x"] for stream in (streams[0], streams[2])]
    assert [one.place for one in last] == [0, 0] and all(one.tokens for one in last)
    assert whole(first)["x"].tokens == 200
    assert batches == [1, 2], "who left is not written for"


def test_one_who_leaves_takes_nobody_along(host: Host, tiny_ref: ModelRef, monkeypatch: pytest.MonkeyPatch) -> None:
    push = Answer.push
    monkeypatch.setattr(Answer, "push", lambda self, id: (time.sleep(0.005), push(self, 5)))
    leaving, staying = (host.stream([pane("x", tiny_ref)], LONG) for _ in range(2))
    states: dict[str, PaneState] = {}
    reader = threading.Thread(target=lambda: states.update(whole(staying)))
    reader.start()
    while not next(leaving)["x"].tokens:
        pass
    leaving.close()  # type: ignore[attr-defined]
    reader.join(60)
    assert states["x"].tokens == 200 and not states["x"].error


def test_memory_parts_a_batch_and_nobody_is_forgotten(
    host: Host, tiny_ref: ModelRef, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = whole(host.stream([pane("x", tiny_ref)], SHORT))["x"]
    base = next(iter(host._lines.values())).base
    batches.clear()
    monkeypatch.setattr(base_module, "MOST_BYTES", base._token_bytes * (alone.prompt_tokens + SHORT.max_new_tokens) * 4)
    together = ask_all(host, [(pane("x", tiny_ref), SHORT)] * 10)
    assert max(batches) == 4 and sum(batches) == 10
    assert {one.text for one in together} == {alone.text}


def test_a_model_that_cannot_be_loaded_is_told_to_all_who_wait(host: Host, tiny_ref: ModelRef, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Base) -> None:
        time.sleep(0.2)
        raise ModelUnavailable("It is broken.")

    with monkeypatch.context() as broken:
        broken.setattr(Base, "prepare", fail)
        states = ask_all(host, [(pane("x", tiny_ref), SHORT)] * 5)
    assert [str(one.error) for one in states] == ["It is broken."] * 5
    assert whole(host.stream([pane("x", tiny_ref)], SHORT))["x"].text


def test_panes_of_two_models_are_written_at_the_same_time(host: Host, tiny: Path, tiny_ref: ModelRef) -> None:
    four_bits = replace(pane("b", tiny_ref), quantised=True)
    states = whole(host.stream([pane("a", tiny_ref), four_bits], SHORT))
    assert states["a"].tokens and states["b"].tokens
    assert len(host.status()["models"]) == 2


def test_models_that_are_loaded_at_the_same_time_are_whole(catalog: Catalog) -> None:
    import torch

    found: list[bool] = []

    def make(quantised: bool) -> None:
        model = load(catalog.resolve("starter"), quantised, "cpu")
        with torch.inference_mode():
            found.append(bool(torch.isfinite(model(input_ids=torch.tensor([[1, 2, 3]])).logits).all()))

    for _ in range(10):
        threads = [threading.Thread(target=make, args=(number % 2 == 1,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert found == [True] * 30


def _rounds(host: Host, ref: ModelRef, adapters: list[object], rounds: int) -> Iterator[int]:
    for number in range(rounds):
        asked = [(pane("x", ref, adapters[(number + n) % len(adapters)]), SHORT) for n in range(25)]  # type: ignore[arg-type]
        assert all(one.tokens for one in ask_all(host, asked))
        ctypes.CDLL(None).malloc_trim(0)  # what is free already but kept for the next allocation comes and goes by tens of megabytes
        yield psutil.Process().memory_info().rss


@pytest.mark.soak
def test_memory_is_bounded_over_a_thousand_requests(host: Host, tiny_ref: ModelRef, adapter: MakeAdapter) -> None:
    adapters = [None, *(adapter(f"a{number}", seed=number) for number in range(12))]
    used = list(_rounds(host, tiny_ref, adapters, 40))
    assert used[-1] - used[9] < 30 * 1024**2, [one // 1024**2 for one in used]
