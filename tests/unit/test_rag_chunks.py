"""Passages hold every word of every page, once and in order, and say where they begin."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from playground.rag.chunks import MOST_BORROWED, Chunk, chunk
from playground.rag.pdf import Page
from playground.rag.text import sentences

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def letters() -> Tokenizer:
    """One token for each word and mark."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


TOKENIZER = letters()
sentence = st.lists(st.sampled_from(["tea", "the", "café", "Ahoy", "12", "🙂", "pão", "日本語", "e\u0301t"]), min_size=1, max_size=9).map(
    " ".join
)
ends = st.sampled_from([". ", "! ", "\n", " ", ".\n", "? "])
page_texts = st.lists(st.tuples(sentence, ends), max_size=12).map(lambda parts: "".join(a + b for a, b in parts).strip())
documents = st.lists(page_texts, max_size=6).map(lambda texts: [Page(n, f"p{n}", text) for n, text in enumerate(texts, 1)])


def seen(value: str) -> str:
    return "".join(value.split())


def passages(pages: list[Page], tokens: int = 12) -> list[Chunk]:
    return list(chunk(pages, TOKENIZER, tokens))


def size(value: str) -> int:
    return len(TOKENIZER.encode(value, add_special_tokens=False).ids)


@quick
@given(documents, st.integers(3, 40))
def test_every_word_is_there_once_and_in_order(pages: list[Page], tokens: int) -> None:
    assert seen("".join(one.text for one in passages(pages, tokens))) == seen("".join(page.text for page in pages))


@quick
@given(documents, st.integers(3, 40))
def test_a_passage_names_the_page_and_the_place_where_it_starts(pages: list[Page], tokens: int) -> None:
    found = passages(pages, tokens)
    texts = {page.number: page.text for page in pages}
    places = [(one.page, one.start) for one in found]
    assert places == sorted(set(places))
    assert [one.number for one in found] == list(range(len(found)))
    for one in found:
        assert one.text.strip() == one.text != ""
        assert one.label == f"p{one.page}"
        here = texts[one.page][one.start :]
        if not here.startswith(one.text):  # its end is borrowed from the next page
            own = here.rstrip()
            assert one.text.startswith(own)
            borrowed = one.text[len(own) :].strip()
            assert texts[one.page + 1].strip().startswith(borrowed)
            assert len(sentences(borrowed)) == 1
            assert len(borrowed) <= MOST_BORROWED


@quick
@given(documents, st.integers(3, 40))
def test_no_passage_is_larger_than_asked_but_for_a_borrowed_end(pages: list[Page], tokens: int) -> None:
    texts = {page.number: page.text for page in pages}
    for one in passages(pages, tokens):
        own = one.text if texts[one.page][one.start :].startswith(one.text) else texts[one.page][one.start :].rstrip()
        assert size(own) <= tokens or len(own.split()) == 1


def test_a_sentence_that_goes_on_is_finished_from_the_next_page() -> None:
    pages = [Page(1, "i", "The shop opens at"), Page(2, "ii", "nine in the morning. It closes at six.")]
    assert [(one.page, one.start, one.text) for one in passages(pages, 50)] == [
        (1, 0, "The shop opens at nine in the morning."),
        (2, 21, "It closes at six."),
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The shop opens.", "nine is the time."),
        ("The shop opens at", "Nine is the time."),
        ("The shop opens at", ""),
        ("The shop opens at", "nine " * 100 + "is far off. Really."),
        ("", "nine is the time."),
    ],
    ids=["whole", "capital", "blank", "far off", "nothing to finish"],
)
def test_nothing_is_borrowed_without_need(first: str, second: str) -> None:
    for one in passages([Page(1, "", first), Page(2, "", second)], 500):
        assert one.text == (first, second.strip())[one.page - 1]


def test_a_page_that_is_borrowed_whole_leaves_nothing_twice() -> None:
    pages = [Page(1, "", "The list goes on"), Page(2, "", "and on"), Page(3, "", "and ends. The end.")]
    assert seen("".join(one.text for one in passages(pages))) == seen("".join(page.text for page in pages))


def test_pages_are_asked_for_one_after_the_other() -> None:
    asked = []

    def reading() -> Iterator[Page]:
        for number in range(1, 6):
            asked.append(number)
            yield Page(number, "", f"Page {number} is here.")

    found = chunk(reading(), TOKENIZER, 50)
    next(found)
    assert asked == [1, 2]


@pytest.mark.parametrize("pages", [[], [Page(1, "", "")], [Page(1, "", ""), Page(2, "", "")]])
def test_no_text_gives_no_passage(pages: list[Page]) -> None:
    assert passages(pages) == []
