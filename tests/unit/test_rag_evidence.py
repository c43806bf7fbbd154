"""Sentences that speak to a question are found, and nothing that is not on the page passes for a quote."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.rag.evidence import LONGEST, SHORTEST, asked, completed, find, stands
from playground.rag.index import Passage

quick = settings(max_examples=100, deadline=None)
TEXT = "The shop opens at nine in the morning. Tea costs three pounds. Who baked the bread? Pepper is a grey cat."


def passage(text: str, id: int = 1) -> Passage:
    return Passage(id, 1, "a.pdf", 1, "", 0, text)


def blind(texts: list[str]) -> np.ndarray:
    """Vectors that tell nothing."""
    return np.zeros((len(texts), 3), np.float32)


@pytest.mark.parametrize(
    ("question", "quote"),
    [
        ("When does the shop open?", "The shop opens at nine in the morning."),
        ("How much is the tea?", "Tea costs three pounds."),
        ("Which cat is called Pepper?", "Pepper is a grey cat."),
    ],
)
def test_the_sentence_that_holds_the_words_comes_first(question: str, quote: str) -> None:
    found = find(question, [passage("Nothing to see here at all."), passage(TEXT, 2)], {}, blind)
    assert found[0].quote == quote
    assert TEXT[found[0].start :].startswith(quote)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_vectors_speak_where_words_do_not() -> None:
    def encode(texts: list[str]) -> np.ndarray:
        return np.array([[1, 0] if "cat" in text or "feline" in text else [0, 1] for text in texts], np.float32)

    assert find("feline?", [passage(TEXT)], {}, encode)[0].quote == "Pepper is a grey cat."


def test_a_question_is_no_answer_and_neither_is_a_scrap() -> None:
    text = f"Who baked the bread? Bread! {'Bread and ' * 100}more."
    assert find("bread", [passage(text)], {}, blind) == []
    assert len("Bread!") < SHORTEST
    assert LONGEST < 1000


def test_a_sentence_that_two_documents_hold_is_told_once() -> None:
    found = find(
        "tea",
        [passage("Tea costs three pounds."), passage("Tea  costs\nthree pounds.", 2), passage("Tea  costs three pounds.", 3)],
        {},
        blind,
    )
    assert len({" ".join(one.quote.split()) for one in found}) == len(found)


@pytest.mark.parametrize("passages", [[], [passage("")], [passage("?")]])
def test_no_sentence_no_evidence(passages: list[Passage]) -> None:
    assert find("tea", passages, {}, blind) == []


@quick
@given(st.text(max_size=60), st.text(max_size=200))
def test_every_quote_stands_in_its_passage(question: str, text: str) -> None:
    for one in find(question, [passage(text)], {}, blind):
        assert text[one.start : one.start + len(one.quote)] == one.quote
        assert stands(one.quote, text)
        assert 0 <= one.coverage <= 1
        assert 0 <= one.score <= 1


def test_the_words_that_are_asked_for() -> None:
    assert asked("What is the price of tea?") == ["price", "tea"]
    assert asked("O que é isso?") == []


# quotes


@pytest.mark.parametrize(
    ("quote", "page", "there"),
    [
        ("Tea costs three pounds.", TEXT, True),
        ("tea  COSTS\nthree pounds", TEXT, True),
        ("“It’s hot” – he said", 'He: "it\'s hot" - he said', True),
        ("Tea costs four pounds.", TEXT, False),
        ("pounds three costs Tea", TEXT, False),
        ("", TEXT, False),
        (" \n", TEXT, False),
        ("Tea", "", False),
    ],
)
def test_whether_a_quote_is_on_the_page(quote: str, page: str, there: bool) -> None:
    assert stands(quote, page) is there


def test_a_row_of_a_table_is_quoted_as_a_whole() -> None:
    text = "question: Do you sell tea?; answer: Ahoy! Tea costs three pounds. Fair winds!"
    (found, *_) = find("Do you sell tea?", [replace(passage(text), unit="row")], {}, blind)
    assert (found.quote, found.start) == (text, 0)


RULE = "A student is excluded when:\nI - the time is over;\nII - four terms went by;\nIII - he asks for it.\nThis does not hold for others."


def test_a_sentence_that_comes_to_a_colon_takes_in_its_list() -> None:
    found = find("When is a student excluded?", [passage(RULE)], {}, blind)[0]
    assert found.quote == RULE[: RULE.index("\nThis")]
    long = "The rules are:\n" + "\n".join(f"{n} - {'word ' * 30};" for n in range(9))
    assert len(find("What are the rules?", [passage(long)], {}, blind)[0].quote) <= LONGEST


def test_a_list_that_the_passage_does_not_reach_comes_from_the_page() -> None:
    head = RULE.partition("\n")[0]
    found = find("When is a student excluded?", [passage(head)], {}, blind)[0]
    assert found.quote == head
    whole = completed(found, f"Chapter one.\n{RULE}")
    assert whole.quote == RULE[: RULE.index("\nThis")] and stands(whole.quote, RULE)
    assert completed(found, "Another page.") == found and completed(found, head) == found
    plain = replace(found, quote="The shop is open.")
    assert completed(plain, "The shop is open. It sells tea.") == plain


def test_the_number_of_a_paragraph_is_no_number_that_is_asked_for() -> None:
    rules = "Art. 2º O exame de segunda chamada vale o mesmo que o primeiro. O exame de segunda chamada ocorre em até 10 dias."
    assert find("Quando ocorre o exame de segunda chamada?", [passage(rules)], {}, blind)[0].quote.endswith("10 dias.")
    nested = "The office decides:\nI - on plans;\nII - on stays, which need:\na) a contract;\nb) proof of enrolment.\nThat is all."
    assert find("What proof do stays need?", [passage(nested)], {}, blind)[0].quote.startswith("II - on stays")
