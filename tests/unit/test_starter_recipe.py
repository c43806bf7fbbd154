"""The starter recipe's own parts: cleaning, packing, schedule, checkpoints, optimizer state."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.starter import checkpoint, cleaning, packing, pretrain, schedule
from playground.starter.optimizer import Muon, Optimizers, orthogonalise
from playground.starter.sources import plain_answer


def test_gutenberg_header_and_licence_go():
    book = (
        "The Project Gutenberg EBook\n\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\nProduced by A. Person\n\n"
        "It was a cold and windy evening when the old man\ncame down from the hill.\n\nEnd of Project Gutenberg's X\n\nlicence"
    )
    assert cleaning.gutenberg_book(book) == "It was a cold and windy evening when the old man came down from the hill."


def test_verse_keeps_its_lines():
    verse = "Jack and Jill\nWent up the hill\nTo fetch a pail of water"
    assert cleaning.unwrap(verse) == verse


def test_closing_mark_becomes_a_sentence():
    assert plain_answer("6 * 2 = 12\n#### 12") == "6 * 2 = 12\nThe answer is 12."


def test_pack_puts_the_separator_after_each_document():
    assert packing.pack([[5, 6], [7]], 0).tolist() == [5, 6, 0, 7, 0]
    assert packing.pack([], 0).size == 0
    with pytest.raises(ValueError):
        packing.pack([[70_000]], 0)


@given(length=st.integers(1, 9), batch=st.integers(1, 4), tokens=st.integers(80, 300), seed=st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_an_epoch_reads_each_window_once(length, batch, tokens, seed):
    windows = packing.Windows(np.arange(tokens, dtype=np.uint16), length, batch, seed)
    starts = []
    for number in range(windows.batches_per_epoch):
        inputs, targets, _ = windows.batch(number)
        assert inputs.shape == targets.shape == (batch, length)
        assert (targets == inputs + 1).all()
        starts += inputs[:, 0].tolist()
    assert len(set(starts)) == len(starts)


def test_batches_depend_on_the_number_alone():
    tokens = np.arange(500, dtype=np.uint16)
    first, resumed = packing.Windows(tokens, 8, 4, 1), packing.Windows(tokens, 8, 4, 1)
    wanted = [first.batch(n)[0] for n in range(40)]
    assert (resumed.batch(33)[0] == wanted[33]).all()
    assert (resumed.batch(2)[0] == wanted[2]).all()
    with pytest.raises(ValueError):
        packing.Windows(tokens[:10], 8, 4, 1)


def test_the_answer_counts_more_than_the_question():
    start, user, assistant = 2, 10, 11
    ids = [start, user, 20, 21, 3, start, assistant, 30, 3]
    stored = packing.weigh(ids, start, assistant)
    assert (stored & packing.IDS).tolist() == ids
    assert packing.weights(stored).tolist() == [np.float32(packing.LIGHT_WEIGHT)] * 5 + [packing.HEAVY_WEIGHT] * 4
    assert packing.weights(stored, 0.0, 1.0).tolist() == [0.0] * 5 + [1.0] * 4
    prose = packing.weigh([20, 21, 22], start, assistant)
    assert packing.weights(prose).tolist() == [1.0] * 3


def test_weights_stay_with_their_tokens_in_a_window():
    stored = packing.pack([packing.weigh([2, 10, 20, 2, 11, 30], 2, 11), [40, 41]] * 20, separator=0)
    windows = packing.Windows(stored, length=5, batch_size=2, seed=1)
    for number in range(6):
        inputs, targets, weights = windows.batch(number)
        assert max(inputs.max(), targets.max()) <= 41
        assert (weights[targets == 20] == np.float32(packing.LIGHT_WEIGHT)).all()
        assert (weights[targets == 30] == packing.HEAVY_WEIGHT).all()
        assert (weights[targets == 41] == 1.0).all()


def test_repeats_say_again_what_was_said():
    repeats = packing.Repeats(vocabulary=500, length=256, batch_size=4, seed=3)
    inputs, targets, weights = repeats.batch(7)
    assert (inputs == repeats.batch(7)[0]).all() and (inputs != repeats.batch(8)[0]).any()
    assert inputs.min() >= 4 and inputs.max() < 500
    # Nearly every token that counts in full follows the same token as before.
    known = total = 0
    for row_in, row_out, counts in zip(inputs, targets, weights, strict=True):
        for at in np.flatnonzero(counts == 1.0):
            total += 1
            known += any(row_in[b] == row_in[at] and row_out[b] == row_out[at] for b in range(at))
    assert total > 300 and known / total > 0.85


def test_a_run_trains_stops_and_resumes(tmp_path):
    folder = Path(__file__).parents[2] / "assets" / "starter" / "language-model"
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    tokens = np.random.default_rng(1).integers(4, 100, 5000).astype(np.uint16)
    for phase in ("stable", "decay"):
        packing.save(tokens, tmp_path / f"{phase}.npy")
    np.savez(tmp_path / "held.npz", some=tokens[:500])
    settings = pretrain.Settings(batch_tokens=256, stable_length=32, decay_lengths=(32, 64), copying=1, long_every=2, log_every=1)
    first = pretrain.Run(tmp_path, settings)
    first.train(most_steps=3)
    weights = {name: p.detach().clone() for name, p in first.model.named_parameters()}
    (tmp_path / "finish").touch()
    second = pretrain.Run(tmp_path, settings)
    assert second.state["step"] == 3
    assert all((p == weights[name]).all() for name, p in second.model.named_parameters())
    second.train()
    assert second.state["decay_start"] == 3 and second.state["step"] == 3 + second.ramp.steps
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["event"] == "end" and 3 < lines[-1]["held"]["some"] < 9.5


def test_schedule_warms_up_stays_and_decays_to_nothing():
    assert schedule.factor(0, 10) == pytest.approx(0.1)
    assert schedule.factor(9, 10) == schedule.factor(5000, 10) == 1.0
    ramp = schedule.Ramp(100, 1.0, 25)
    decay = [schedule.factor(step, 10, ramp) for step in range(100, 125)]
    assert decay == sorted(decay, reverse=True) and decay[0] < 1 and decay[-1] == 0
    assert schedule.decay_length(800, 0.2) == 200


def test_a_late_decay_becomes_steeper_without_a_jump():
    ramp = schedule.Ramp(100, 1.0, 100)
    assert schedule.replanned(ramp, 150, 10, 200, 60) == ramp
    steeper = schedule.replanned(ramp, 150, 10, 200, 20)
    assert steeper.end == 170 and schedule.factor(169, 10, steeper) == 0
    assert schedule.factor(150, 10, steeper) == pytest.approx(0.5, abs=0.03)
    assert schedule.replanned(steeper, 160, 10, 200, 500).end == 200


def test_checkpoint_survives_a_failed_write(tmp_path, monkeypatch):
    folder = tmp_path / "checkpoint"
    weights = {"w": torch.ones(2)}
    checkpoint.save(folder, weights, {"w/step": torch.tensor(1.0)}, {"step": 1})

    def fail(*_args, **_values):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint, "save_file", fail)
    with pytest.raises(OSError):
        checkpoint.save(folder, weights, {}, {"step": 2})
    found = checkpoint.find(folder)
    assert found == folder and checkpoint.load(found)[2] == {"step": 1}


def test_checkpoint_interrupted_between_renames_is_found(tmp_path):
    folder = tmp_path / "checkpoint"
    assert checkpoint.find(folder) is None
    checkpoint.save(folder, {"w": torch.ones(1)}, {}, {"step": 3})
    folder.rename(tmp_path / "checkpoint.old")
    assert checkpoint.load(checkpoint.find(folder))[2] == {"step": 3}


def test_orthogonalise_brings_singular_values_near_one():
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(2, 32, 64)).float())
    assert values.min() > 0.5 and values.max() < 1.5


def _toy() -> torch.nn.Module:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.LayerNorm(6), torch.nn.Linear(6, 3))


def _train(model: torch.nn.Module, optimizers: Optimizers, steps: range) -> None:
    for step in steps:
        inputs = torch.randn(5, 4, generator=torch.Generator().manual_seed(step))
        model(inputs).square().mean().backward()
        optimizers.step(1.0)


def test_optimizers_resume_exactly(tmp_path):
    straight = _toy()
    _train(straight, Optimizers(straight, 1e-2), range(6))
    begun = _toy()
    optimizers = Optimizers(begun, 1e-2)
    assert any(isinstance(part, Muon) for part in optimizers.parts)
    _train(begun, optimizers, range(3))
    checkpoint.save(tmp_path / "c", dict(begun.state_dict()), optimizers.state(), {"step": 3})
    weights, state, _ = checkpoint.load(tmp_path / "c")
    resumed = _toy()
    resumed.load_state_dict(weights)
    again = Optimizers(resumed, 1e-2)
    again.load(state)
    _train(resumed, again, range(3, 6))
    for a, b in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
