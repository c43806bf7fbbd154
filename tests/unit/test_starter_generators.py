"""The generators of the starter corpus: deterministic, well formed, held-out wordings apart."""

from __future__ import annotations

import random

import pytest

from playground.starter.chatml import render
from playground.starter.generators import feelings, labels, mixture, pools, reading, talk


def test_same_seed_same_conversations():
    first = list(mixture.conversations(3, 200))
    assert first == list(mixture.conversations(3, 200))
    assert first != list(mixture.conversations(4, 200))


@pytest.mark.parametrize("part", ["train", "held"])
def test_every_generator_speaks_in_turns(part):
    seen = set()
    for name, chat in mixture.conversations(1, 600, part):
        seen.add(name)
        roles = [turn.role for turn in chat if turn.role != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2) and roles
        assert all(turn.content.strip() for turn in chat)
        assert "{" not in render(chat), chat
    assert seen == {*mixture.GENERATORS, *mixture.LATE_GENERATORS}


@pytest.mark.parametrize("items", [feelings._SENTENCES, labels._ASK, reading._QUESTION_FRAMES, reading._EXTRACT_FRAMES, talk._WHO_ASKED])
def test_held_out_wordings_do_not_overlap(items):
    train, held = set(pools.pool(items, "train")), set(pools.pool(items, "held"))
    assert train and held and not train & held
    assert train | held == set(items)


def test_classification_answers_with_a_given_label():
    rng = random.Random(5)
    for make in (feelings.feeling, labels.labelled):
        for _ in range(300):
            chat = make(rng)
            asked = " ".join(turn.content for turn in chat[:-1])
            assert chat[-1].content in asked


def test_feelings_in_one_label_set_can_be_told_apart():
    rng = random.Random(2)
    for _ in range(300):
        chosen = feelings.label_set(rng)
        assert len(chosen) >= 2
        assert not any(a in close and b in close for close in feelings._CLOSE for a in chosen for b in chosen if a != b)


def test_answers_stand_in_the_passage():
    rng = random.Random(9)
    for _ in range(300):
        chat = reading.question(rng)
        if chat[1].content not in reading._UNKNOWN:
            assert chat[1].content in chat[0].content


def test_sums_are_right():
    rng = random.Random(4)
    for _ in range(300):
        chat = talk.sums(rng)
        answer = chat[1].content
        if "=" in answer:
            term, result = answer.split(".")[0].split(" = ")
            a, sign, b = term.split()
            assert int(result) == (int(a) + int(b) if sign == "+" else int(a) - int(b))
