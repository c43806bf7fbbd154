"""What is said before a run: counting parameters from files, lengths into batches, needs into a verdict, and what to change."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from safetensors.numpy import save_file

from playground.errors import Sentence
from playground.messages import Conversation, Message, conversation
from playground.training.ahead import needs, past
from playground.training.ahead.anatomy import Anatomy, anatomy_of, counts, imagined
from playground.training.ahead.estimate import Estimate, Measured, Planned, Room, estimate, verdict, work_of
from playground.training.ahead.lengths import Lengths, batches, measure, worst
from playground.training.ahead.rehearse import read_told, told
from playground.training.ahead.speed import Machine, has_half
from playground.training.circumstances import Circumstances
from playground.training.config import TrainingSettings
from playground.training.defaults import resolve

MACHINE = Machine(2, 24_000, None, None, 1.0, True)
ROOMY = Room(24_000, 100_000)


def settings(**given: Any) -> TrainingSettings:
    return resolve(given, Circumstances(600, 60, 8_000_000, 1024, kind="llama"))[0]


def planned(rows: int = 600, read: int = 100, **given: Any) -> Planned:
    chosen = settings(**given)
    lengths = Lengths(tuple((read, read // 2) for _ in range(min(rows, 100))), ((read, read // 2),) * 20)
    return Planned(chosen, imagined(60_000_000), lengths, lengths, chosen.planned_steps(rows), rows, 60, 100_000)


def said(plan: Planned, room: Room = ROOMY, **more: Any) -> Estimate:
    return estimate(plan, MACHINE, room, **more)


def write_model(folder: Path, tied: bool, **config: Any) -> Path:
    folder.mkdir()
    shapes = {
        "model.embed_tokens.weight": (50, 8), "model.norm.weight": (8,),
        "model.layers.0.self_attn.q_proj.weight": (16, 8), "model.layers.0.mlp.down_proj.weight": (8, 24),
    } | ({} if tied else {"lm_head.weight": (50, 8)})  # fmt: skip
    save_file({name: numpy.zeros(shape, dtype=numpy.float32) for name, shape in shapes.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(
        json.dumps({"model_type": "llama", "vocab_size": 50, "hidden_size": 8, "tie_word_embeddings": tied, **config})
    )
    return folder


def test_parameters_are_counted_from_the_files(tmp_path: Path) -> None:
    tied, untied = (anatomy_of(write_model(tmp_path / str(kind), kind)) for kind in (True, False))
    assert tied and untied and tied.parameters == 400 + 8 + 128 + 192 and untied.parameters == tied.parameters + 400
    assert [layer.name for layer in untied.linear] == ["down_proj", "q_proj"], "neither the embedding nor the head takes an adapter"
    assert counts(tied, settings(method="lora", lora_r=4)) == (4 * (24 + 32), 728 + 4 * 56)
    assert counts(tied, settings(method="lora", lora_r=4, use_dora=True))[0] == 4 * 56 + 16 + 8
    assert counts(tied, settings(method="lora", lora_r=4, target_modules=["q_proj"]))[0] == 4 * 24
    assert counts(tied, settings(method="ia3"))[0] == 24, "the feed-forward layer is scaled where it begins; there are no keys here"
    assert counts(tied, settings(method="full")) == (728, 728)


def test_a_model_that_is_not_here_has_no_make_and_an_imagined_one_has_its_size(tmp_path: Path) -> None:
    assert anatomy_of(tmp_path) is None
    for size in (8_000_000, 135_000_000, 1_500_000_000, 8_000_000_000):
        made = imagined(size)
        assert made.parameters == size and 0.4 * size < made.linear_size < size


def test_lengths_are_those_that_are_learned_from() -> None:
    short, long = conversation("Hi", "Yes"), conversation("Hi", "word " * 400)
    found = measure(None, [short] * 50 + [long], 64)
    assert len(found.rows) == 51 and found.longest[0][0] == 64, "without a tokenizer, bytes are counted"
    text = Conversation((), (Message("text", "word " * 100),))
    assert [read for read, _ in measure(None, [text], 64).rows] == [64, 64, 1], "a text comes in parts"
    assert measure(None, [], 64) == Lengths((), ())


def test_batches_beside_each_other_need_no_padding() -> None:
    found = Lengths(tuple((read, 10) for read in (20, 40, 60, 80)), ((80, 10), (60, 10)))
    chosen = settings(per_device_train_batch_size=2, train_sampling_strategy="random")
    flat, padded = (batches(found, chosen, 100, flat=kind) for kind in (True, False))
    assert flat.read == pytest.approx(100) and flat.most_read <= 140 and padded.read > flat.read
    grouped = batches(found, replace(chosen, train_sampling_strategy="group_by_length"), 100, flat=False)
    assert grouped.read < padded.read and grouped.most_read == 160
    assert worst(found, chosen, flat=True).most_read == 140
    packed = batches(found, replace(chosen, packing=True, max_length=128), 10, flat=True)
    assert packed.most_read == 200 and packed.squares < 250**2 / 2, "attention does not cross from one example to the next"
    assert worst(found, replace(chosen, packing=True, max_length=128), flat=True).most_read == 140
    assert batches(Lengths((), ()), chosen, 10, flat=True).read == 1, "nothing to learn is nobody's reason to wait forever"


def test_rows_of_a_model_that_looks_back_a_little_way_are_padded(tmp_path: Path) -> None:
    model = anatomy_of(write_model(tmp_path / "gemma", True, model_type="gemma3_text", sliding_window=512))
    assert model is not None and model.sliding_window == 512
    lengths = Lengths(((400, 10), (40, 10)), ((400, 10),))
    plan = replace(planned(method="lora"), model=model, lengths=lengths)
    near = replace(plan, settings=replace(plan.settings, max_length=512))
    assert work_of(near, gpu=False, half=True).batches.read < 0.75 * work_of(plan, gpu=False, half=True).batches.read


def test_memory_grows_with_what_is_held() -> None:
    def need(**given: Any) -> int:
        return said(planned(read=400, **given)).memory_mb

    usual = need(method="lora")
    assert need(method="full") > usual > need(method="lora", gradient_checkpointing=True)
    assert need(method="lora", per_device_train_batch_size=32) > usual > need(method="lora", per_device_train_batch_size=1)
    small, large = (planned(read=read, method="lora") for read in (50, 800))
    assert said(large).memory_mb > said(small).memory_mb
    parts = said(small).parts
    assert sum(parts.values()) == pytest.approx(said(small).memory_mb, abs=5)


def test_time_grows_with_steps_and_the_machine() -> None:
    plan = planned(method="lora")
    longer = replace(plan, steps=plan.steps * 3)
    assert said(longer).seconds > 2 * said(plan).seconds
    slow = estimate(plan, replace(MACHINE, pace=3.0), ROOMY)
    assert slow.seconds == pytest.approx(3 * said(plan).seconds, rel=0.01)
    settings = replace(plan.settings, num_processes=3)
    together = replace(plan, settings=settings, steps=settings.planned_steps(plan.rows))
    assert together.steps == plan.steps // 3 and said(together).memory_mb == pytest.approx(said(plan).memory_mb, abs=1)
    assert said(together).seconds_per_step == pytest.approx(said(plan).seconds_per_step, rel=0.01)
    assert said(together).seconds < 0.7 * said(plan).seconds
    corrected = said(plan, factor=2.0, runs=2)
    assert corrected.seconds == pytest.approx(2 * said(plan).seconds, rel=0.01) and "2 finished runs" in corrected.basis
    assert "what one finished run with this model and method took" in said(plan, factor=2.0, runs=1).basis


def test_answers_along_the_way_take_as_long_as_those_that_are_learned() -> None:
    def answers(learned: int) -> float:
        plan = replace(planned(method="lora"), lengths=Lengths(((100, learned),), ((100, learned),)))
        return needs.seconds(work_of(plan, gpu=False, half=True)).answers

    assert answers(20) == pytest.approx(10 * answers(2)) and answers(40) == answers(90), "they end after 40 tokens"


def test_attention_of_short_rows_is_faster_than_that_of_long_ones() -> None:
    def step(rows: Lengths) -> float:
        return needs.seconds(work_of(replace(planned(read=400, method="lora"), lengths=rows), gpu=False, half=True)).step

    short, one_long = Lengths(((440, 10),), ((440, 10),)), Lengths(((450, 10),), ((450, 10),))
    assert step(one_long) > 1.1 * step(short), "torch's own attention begins with a row of more than 448 tokens"


def test_the_disk_holds_three_checkpoints_the_result_and_the_data() -> None:
    plan = planned(method="full")
    trained = plan.model.parameters
    assert said(plan).disk_mb == pytest.approx((3 * 12 + 4) * trained / 1024**2, rel=0.01)
    assert said(planned(method="full", save_steps=0)).disk_mb < said(plan).disk_mb / 5
    full = said(plan, Room(24_000, 500))
    assert full.fits == "does not fit" and "Free" in full.advice[0]


@pytest.mark.parametrize(("needed", "word"), [(799, "fits"), (801, "tight"), (1000, "tight"), (1001, "does not fit")])
def test_the_verdict(needed: int, word: str) -> None:
    assert verdict(needed, 1000) == word


def test_advice_is_given_where_it_is_needed_and_helps() -> None:
    plan = planned(read=900, method="lora", per_device_train_batch_size=64, gradient_accumulation_steps=1)
    assert said(plan, Room(500_000, 100_000)).fits == "fits" and not said(plan, Room(500_000, 100_000)).advice
    need = said(plan).memory_mb
    cramped = said(plan, Room(need - 1, 100_000))
    assert cramped.fits == "does not fit" and 1 <= len(cramped.advice) <= 4
    first = cramped.advice[0]
    assert first.template.startswith("Set per_device_train_batch_size")
    assert first.values["size"] * first.values["times"] == 64, "a step learns from as many examples as before"
    assert first.values["needed"] <= 0.8 * (need - 1)
    hopeless = said(plan, Room(100, 100_000))
    assert "smaller model" in hopeless.advice[-1]
    assert said(plan, Room(int(need / 0.9), 100_000)).fits == "tight"


def test_a_rehearsal_takes_the_place_of_the_formula() -> None:
    plan = planned(method="lora", max_steps=100)
    seen = Measured(memory_mb=1000, step_seconds=2.0, tokens_per_second=400.0, start_seconds=5.0, answer_seconds=0.0, save_seconds=0.0)
    found = said(plan, seen=seen)
    assert found.measured and found.tokens_per_second == 400
    assert 900 <= found.memory_mb < 1250
    assert said(plan, Room(1_100, 100_000), seen=seen).fits == "tight"
    assert found.seconds > 5 + 90 * found.seconds_per_step and found.seconds_per_step == pytest.approx(2.0, rel=0.1)
    tried = said(plan, seen=replace(seen, usual_seconds=0.5))
    assert tried.seconds_per_step == 0.5 and tried.seconds < 0.5 * found.seconds, "what usual rows took needs no formula"
    assert tried.memory_mb == found.memory_mb and "usual" in str(tried.basis) and "usual" not in str(found.basis)
    failed = said(plan, seen=Measured(error=Sentence("The machine ran out of memory."), memory_ran_out=True))
    assert failed.fits == "does not fit" and not failed.measured and failed.error and failed.advice
    otherwise = said(plan, seen=Measured(error=Sentence("The rehearsal ended unexpectedly.")))
    assert otherwise.error and otherwise.fits == "fits" and not otherwise.advice, "that it broke off says nothing of memory"


def test_only_so_many_checks_have_answers() -> None:
    plan = planned(max_steps=1_000, eval_steps=1)
    work = work_of(plan, False, True)
    parts = replace(needs.seconds(work), start=0.0, step=0.0, check=0.0, save=0.0, answers=1.0)
    assert work.checks == 1_001 and parts.whole(work) == 200


def test_texts_lose_nothing_to_a_smaller_max_length() -> None:
    plan = replace(planned(read=900, method="lora", per_device_train_batch_size=64, gradient_accumulation_steps=1), parted=True)
    told = [one for one in said(plan, Room(500, 100_000)).advice if "max_length" in one]
    assert told and all("more parts" in one for one in told)


def test_an_estimate_survives_the_way_through_a_job() -> None:
    plan = planned(method="lora", per_device_train_batch_size=64)
    found = said(plan, Room(500, 100_000), seen=Measured(error=Sentence("It broke off."), memory_ran_out=True))
    again = read_told(json.loads(json.dumps(told(found))))
    assert again == found and [one.template for one in again.advice] == [one.template for one in found.advice]
    plain = found.to_dict()
    assert {"memory_mb", "disk_mb", "seconds", "trainable_parameters", "total_parameters", "fits", "advice", "measured"} <= plain.keys()


def test_a_gpu_is_asked_for_other_things() -> None:
    plan = planned(method="qlora")
    card = work_of(plan, gpu=True, half=True)
    assert needs.memory(card).weights < needs.memory(work_of(plan, gpu=False, half=True)).weights
    assert needs.memory(card).kernels == 0


def test_finished_runs_correct_the_pace() -> None:
    plan = planned(method="lora", max_steps=50)
    work = work_of(plan, gpu=False, half=True)
    formula = needs.seconds(work).step
    tokens = work.batches.read
    run = {"step": 50, "tokens": 50 * tokens, "tokens_per_second": tokens / (2 * formula)}
    assert past._ratio(plan.settings.to_dict(), run, work, 1.0) == pytest.approx(2.0, rel=0.01)
    assert past._ratio({**plan.settings.to_dict(), "method": "full"}, run, work, 1.0) is None
    assert past._ratio(plan.settings.to_dict(), {**run, "step": 3}, work, 1.0) is None


def test_sixteen_bits_are_looked_up(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    assert not has_half(info)
    info.write_text("processor : 0\nflags : fpu avx512f avx512bw avx512vl avx512dq\n")
    assert has_half(info)
    info.write_text("flags : fpu avx2\n")
    assert not has_half(info)


def test_an_anatomy_is_read_anew_when_its_files_change(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", True)
    first = anatomy_of(folder)
    (folder / "model.safetensors").unlink()
    assert isinstance(first, Anatomy) and anatomy_of(folder) is None


def test_dora_takes_time_in_every_pass_and_for_every_token_of_an_answer() -> None:
    plain, dora = (work_of(planned(method="lora", use_dora=chosen), False, True) for chosen in (False, True))
    before, after = needs.seconds(plain), needs.seconds(dora)
    a_pass = needs.A_DORA * plain.model.linear_size
    assert after.answers - before.answers == pytest.approx(40 * a_pass)
    assert after.step - before.step > a_pass * plain.settings.gradient_accumulation_steps and after.check > before.check
    assert needs.memory(dora).weights > needs.memory(plain).weights
