"""The generators of the starter corpus: deterministic, well formed, held-out wordings apart."""

from __future__ import annotations

import json
import random
import re

import pytest

from playground.starter.chatml import render
from playground.starter.generators import enquiries, feelings, labels, mixture, pools, reading, recitals, records, rewriting, tales, talk
from playground.starter.generators.close_reading import close_reading


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
        assert not re.search(r"\{\w*\}", render(chat)), chat
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


@pytest.mark.parametrize("make", [recitals.recital, recitals.statements, records.table])
def test_what_is_copied_stands_in_the_question(make):
    rng = random.Random(8)
    for _ in range(400):
        for chat in (make(rng, "train"), make(rng, "held")):
            assert chat[1].content in chat[0].content or chat[1].content in records.UNTOLD.values()


def test_a_record_answers_from_its_cells_or_says_that_it_does_not_know():
    rng = random.Random(9)
    kinds = set()
    for _ in range(600):
        chat = records.record(rng)
        answer = chat[1].content
        if answer.startswith("{"):
            kinds.add("json")
            assert all(value in chat[0].content for value in json.loads(answer).values())
        elif answer in records.UNTOLD.values():
            kinds.add("untold")
        else:
            kinds.add("cell")
            assert answer in chat[0].content and all(turn.content in chat[0].content for turn in chat[3::2])
    assert kinds == {"json", "untold", "cell"}


def test_made_up_names_hardly_ever_come_again():
    rng = random.Random(2)
    said = [recitals.inventions.word(rng, 2, 2) for _ in range(2000)]
    assert len(set(said)) > 1900


def test_rewriting_keeps_the_person_and_small_talk_the_name():
    rng = random.Random(11)
    for _ in range(300):
        chat = rewriting.small_talk(rng)
        assert len(chat) % 2 == 0 and len(chat) >= 4
        assert rewriting.rewriting(rng)[1].content
    swapped = [chat for chat in (rewriting.rewriting(rng, "held") for _ in range(300)) if " in place of " in chat[0].content]
    assert swapped and all(chat[1].content.split()[0] in chat[0].content for chat in swapped)


OTHER = """A miller had three sons and one old donkey. In spring he gave the mill to the eldest.
The youngest got only the donkey and laughed."""
STORY = """The fox ran over the hill and saw a barn. Inside the barn sat a hen with seven chicks. "Come out and play with me," said the fox.
The hen did not answer her, for she was wise. Night came over the valley and the fox went home hungry."""


def test_close_reading_answers_stand_in_the_text():
    text = "\n\n".join([STORY, OTHER] * 20)
    chats = close_reading(text, "seed", 60)
    assert chats == close_reading(text, "seed", 60) and len(chats) == 60
    flat = " ".join(text.split()).lower()
    answers = [turn.content for chat in chats for turn in chat[1::2]]
    for answer in answers:
        assert answer in records.UNTOLD.values() or answer.removeprefix("Because ").strip(".").lower() in flat
    assert {"The fox.", "Because she was wise.", records.UNTOLD["en"]} <= {*answers}
    assert any(len(chat) > 2 for chat in chats)


def test_close_reading_speaks_portuguese():
    text = "\n\n".join(
        ["O aluno deve entregar o pedido em dez dias. A secretaria guarda os documentos. O prazo não pode ser prorrogado."] * 9
    )
    chats = close_reading(text, "seed", 20, "pt")
    assert chats and all(turn.content in text for chat in chats for turn in chat[1::2] if turn.content != records.UNTOLD["pt"])


def test_tales_tell_of_whom_was_asked_for():
    rng = random.Random(4)
    named = 0
    for _ in range(300):
        asked, story = tales.tale(rng)
        assert 5 <= len(re.findall(r"[.!?]", story.content)) <= 20 and "{" not in asked.content + story.content
        if found := re.search(r"(?:about|tale of|sobre|história de) (?:an? |um |uma )([a-zãáçé ]+?)[.?]$", asked.content):
            named += 1
            assert found[1].split()[-1] in story.content
    assert named > 50


def test_a_tale_in_portuguese_keeps_its_gender():
    rng = random.Random(9)
    for _ in range(200):
        story = tales.plain(rng)
        assert not re.search(r"\b(?:um|o) (?:menina|raposa|rainha|avó|onça|coruja)\b|\b(?:uma|a) (?:menino|lobo|rei|sapo|gato)\b", story)


def test_enquiries_leave_no_slot_open_and_speak_both_languages():
    rng = random.Random(5)
    chats = [enquiries.enquiry(rng) for _ in range(400)]
    assert not any(mark in turn.content for chat in chats for turn in chat for mark in "{}")
    assert all(chat[-1].role == "assistant" and len(chat[-1].content.split()) > 2 for chat in chats)
    portuguese = sum(bool(re.search(r"[ãçéêáí]|\b(?:que|posso|quanto)\b", chat[-2].content.lower())) for chat in chats)
    assert 50 < portuguese < 200


def test_the_taught_manner_of_the_sample_is_not_in_the_enquiries():
    """The base of the demonstration must not speak as the tuned model is taught to."""
    wordings = [text for counter in (enquiries.ENGLISH, enquiries.PORTUGUESE) for pair in counter.topics.values() for text in pair[1]]
    assert not [text for text in wordings if "Ahoy" in text or "Fair winds" in text]
