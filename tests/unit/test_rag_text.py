"""Text as people read it: nothing is lost between a page's lines and its sentences, and nothing hostile takes long."""

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.rag import text

quick = settings(max_examples=200, deadline=None)
ODD = 'aB1 .!?…\n\t"”’)(:-é\u0301ã\u00ad\u0002\ufffe\x85\x93\ufb01\x0c'
written = st.text(st.one_of(st.sampled_from(ODD), st.characters()), max_size=120)
HOSTILE = 100_000  # characters of one page, as many as the reader hands on


def seen(value: str) -> str:
    return "".join(value.split())


# clean


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("co\u00ad\nffee", "coffee"),
        ("co\ufffe\nffee and tea\ufffe", "coffee and tea"),
        ("co\x02\r\nffee", "coffee"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("\x93Tea\x94 \x96 it\x92s hot\x85", "“Tea” – it’s hot…"),
        ("cafe\u0301", "café"),
        ("nul\x00 bell\x07", "nul bell"),
        ("private \ue000 and lone \ud800 letters", "private  and lone  letters"),
        ("a\ttab", "a\ttab"),
        ("the o\ufb03ce \ufb01le \ufb02ew", "the office file flew"),
        ("page one\x0cpage two", "page one\npage two"),
        ("e\x00\u0301", "é"),
    ],
)
def test_clean(given_text: str, expected: str) -> None:
    assert text.clean(given_text) == expected


@quick
@given(written)
def test_cleaning_again_changes_nothing(value: str) -> None:
    once = text.clean(value)
    assert text.clean(once) == once
    assert unicodedata.is_normalized("NFC", once)
    once.encode()  # can be written to a file
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") for c in once if c not in "\n\t")


# unwrap


def test_full_lines_become_a_paragraph_and_short_ones_stand_alone() -> None:
    page = (
        "Opening hours\n"
        "The shop opens at nine in the morning on every day of the week,\n"
        "and it closes at six in the evening, or at eight in the warm months\n"
        "of the year.\n"
        "\n"
        "Roses are red\n"
        "Violets are blue"
    )
    assert text.unwrap(page).split("\n") == [
        "Opening hours",
        "The shop opens at nine in the morning on every day of the week, and it closes at six in the evening, or at eight in the warm "
        "months of the year.",
        "Roses are red",
        "Violets are blue",
    ]


def test_a_word_divided_at_a_lines_end_is_joined() -> None:
    page = (
        "We bake bread, cakes and other things that people like in our big ba-\nkery behind the shop, where the oven is never cold at all."
    )
    assert "bakery behind" in text.unwrap(page)


def test_a_dash_between_words_stays() -> None:
    page = (
        "The number of the house in which we live and work every day is 12-\n14 and the door is green, as it has always been since the war."
    )
    assert "12- 14" in text.unwrap(page)


@quick
@given(written)
def test_unwrapping_loses_hyphens_only(value: str) -> None:
    assert seen(text.unwrap(value)).replace("-", "") == seen(value).replace("-", "")


@pytest.mark.parametrize("value", ["", " ", "\n\n\n", "\t\n "])
def test_nothing_unwraps_to_nothing(value: str) -> None:
    assert text.unwrap(value) == ""


# sentences


def cut(value: str) -> list[str]:
    return [value[start:end] for start, end in text.sentences(value)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Mr. Fox met Dr. Hare. They talked.", ["Mr. Fox met Dr. Hare.", "They talked."]),
        ("O Sr. Silva chegou. A Profa. Lima não.", ["O Sr. Silva chegou.", "A Profa. Lima não."]),
        ("It costs 3.50 pounds. Really.", ["It costs 3.50 pounds.", "Really."]),
        ("“Stop!” He stopped.", ["“Stop!”", "He stopped."]),
        ("See e.g. page 4. Then rest.", ["See e.g. page 4.", "Then rest."]),
        ("A heading\nA line. And more", ["A heading", "A line.", "And more"]),
        ("É tarde… Não vá! À noite chove.", ["É tarde…", "Não vá!", "À noite chove."]),
        ("it ends. but not here", ["it ends. but not here"]),
        ("J. R. Smith came.", ["J. R. Smith came."]),
        ("  spaced.  Out.  ", ["spaced.", "Out."]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences(value: str, expected: list[str]) -> None:
    assert cut(value) == expected


@quick
@given(st.one_of(written, st.lists(st.sampled_from(["Mr. ", "A. ", "Tea", ".", "! ", "\n", " ", "”", "B", "...", "pp. "])).map("".join)))
def test_sentences_are_in_order_apart_and_whole(value: str) -> None:
    spans = text.sentences(value)
    end = 0
    for start, stop in spans:
        assert end <= start < stop
        assert not value[end:start].strip()
        assert value[start:stop] == value[start:stop].strip()
        end = stop
    assert not value[end:].strip()


@pytest.mark.parametrize(
    "unit", [".", "A. ", "a", "?!", ". ", '."', "“", "\n", "Mr. ", "a\n", "...”", "Mr.", "a-\n", "’s", "1,", "\x02\n", "\ufb01 "], ids=ascii
)
def test_a_hostile_page_is_read_in_moments(unit: str) -> None:
    page = (unit * HOSTILE)[:HOSTILE]
    began = time.process_time()
    tidy = text.unwrap(text.clean(page))
    for value in (page, tidy):
        text.sentences(value)
        text.ends_whole(value)
        text.squeezed(value)
        text.language_of(value)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("value", "whole"),
    [("", True), ("It ends.", True), ("“Ends!”", True), ("ends:  ", True), ("It goes", False), ("and then,", False), ("(yes.)", True)],
)
def test_whether_the_last_sentence_is_complete(value: str, whole: bool) -> None:
    assert text.ends_whole(value) is whole


# words


def test_words_are_small_and_keep_their_apostrophe() -> None:
    assert text.words("The café's 3 O’Clock teas — snake_case, naïve!") == [
        "the",
        "café's",
        "3",
        "o’clock",
        "teas",
        "snake",
        "case",
        "naïve",
    ]


def test_accents_written_apart_make_the_same_words() -> None:
    assert text.words(unicodedata.normalize("NFD", "Pão é ação")) == ["pão", "é", "ação"]


def test_terms_leave_out_the_small_words_and_keep_repetitions() -> None:
    assert text.terms("What is the price of the teas? Tea!") == [text.stem("price"), text.stem("tea"), text.stem("tea")]
    assert text.terms("Qual é o preço dos livros?") == [text.stem("preço"), text.stem("livro")]
    assert text.terms("what is it?") == []


@pytest.mark.parametrize(
    "forms", [("book", "books"), ("open", "opens", "opened"), ("livro", "livros"), ("livraria", "livrarias"), ("shop's", "shop", "shop’s")]
)
def test_forms_of_a_word_share_a_stem(forms: tuple[str, ...]) -> None:
    assert len({text.stem(form) for form in forms}) == 1


def test_numbers_stay_as_they_are() -> None:
    assert [text.stem(word) for word in ("2019", "3rd", "b12s")] == ["2019", "3rd", "b12s"]


@quick
@given(written)
def test_no_word_stems_to_nothing(value: str) -> None:
    assert all(text.stem(word) for word in text.words(value))


# quotes


def test_typography_and_white_space_do_not_matter_for_a_quote() -> None:
    assert text.squeezed("“It’s –\n  a\u00a0TEST”") == text.squeezed('"it\'s - a test"')


@quick
@given(written)
def test_squeezing_again_changes_nothing(value: str) -> None:
    once = text.squeezed(value)
    assert text.squeezed(once) == once
    assert "  " not in once


# languages


@pytest.mark.parametrize(
    ("value", "language"),
    [
        ("What time does the shop open?", "en"),
        ("A que horas abre a loja?", "pt"),
        ("Quem é o dono?", "pt"),
        ("Quanto custa o chá?", "pt"),
        ("Where is the pão de queijo?", "en"),
        ("", "en"),
        ("12345 🙂", "en"),
        ("日本語", "en"),
    ],
)
def test_language(value: str, language: str) -> None:
    assert text.language_of(value) == language


def test_numbered_paragraphs_and_laws_do_not_end_a_sentence() -> None:
    law = "Foi criada nos termos da Lei nº. 4.069-A, de 1962. § 2º. A PROEG acompanha a oferta. Parágrafo único. Não se aplica."
    assert [law[a:b] for a, b in text.sentences(law)] == [
        "Foi criada nos termos da Lei nº. 4.069-A, de 1962.",
        "§ 2º. A PROEG acompanha a oferta.",
        "Parágrafo único. Não se aplica.",
    ]
