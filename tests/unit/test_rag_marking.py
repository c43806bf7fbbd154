"""A quote is found again on a page, whatever the page makes of its white space, hyphens, quotation marks and accents."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.rag.boxes import Box
from playground.rag.marking import find, fold, lines, marks

quick = settings(max_examples=100, deadline=None)
WORDS = st.text("abcdefghijklmnopqrstuvwxyzéãçü", min_size=1, max_size=9)
TEXTS = st.lists(WORDS, min_size=1, max_size=25)


def found(page: str, quote: str, near: float = 0.0) -> str:
    return "".join(page[place] for place in find(page, quote, near))


@pytest.mark.parametrize(
    ("page", "quote", "marked"),
    [
        ("The key hangs\r\nby the door. Ask.", "The key hangs by the door.", "The key hangs\r\nby the door."),
        ("an exam\ufffe\r\nple of it", "example", "exam\ufffe\r\nple"),
        ("an exam\x02ple of it", "an example", "an exam\x02ple"),
        ("She said: “It’s mine”.", 'said: "It\'s mine".', "said: “It’s mine”."),
        ("The o\ufb03ce is open", "office", "o\ufb03ce"),
        ("cafe\u0301 com pa\u0303o", "café com pão", "cafe\u0301 com pa\u0303o"),
        ("1998–2004, ca. 5 €", "1998-2004", "1998–2004"),
        ("STRASSE 5", "Straße 5", "STRASSE 5"),
        ("nothing of the kind", "elsewhere", ""),
        ("anything", "…!", ""),
        ("", "key", ""),
    ],
)
def test_what_a_page_changes_does_not_hide_a_quote(page: str, quote: str, marked: str) -> None:
    assert found(page, quote) == marked


def test_of_several_the_expected_one_is_taken() -> None:
    page = "tea is hot. " + "filler " * 50 + "tea is hot. " + "filler " * 50 + "tea is hot."
    for near, at in ((0.0, 0), (0.5, page.index("tea", 5)), (1.0, page.rindex("tea"))):
        assert find(page, "tea is hot", near)[0] == at


def test_a_quote_that_goes_on_on_the_next_page_is_marked_as_far_as_it_goes() -> None:
    quote = "The crane lifts nine tonnes and is never used when the wind blows hard."
    assert found("Heading. The crane lifts nine tonnes and is never\n12", quote) == "Thecraneliftsninetonnesandisnever"
    assert "windblowshard" in found("used when the wind blows hard. Next.", quote)


def test_words_read_with_a_slip_do_not_hide_the_others() -> None:
    words = ["The", "cr@ne", "lifts", "nine", "tonnes", "on", "Mondays.", "Else"]
    assert [words[place] for place in find(words, "The crane lifts nine tonnes on Mondays.")] == words[2:7]


@quick
@given(TEXTS, TEXTS, TEXTS, st.data())
def test_a_quote_is_found_however_the_page_is_broken(before: list[str], quote: list[str], after: list[str], data: st.DataObject) -> None:
    """Every gap may be a space or a line's end, and every word may be divided."""

    def laid(words: list[str]) -> str:
        text = ""
        for word in words:
            at = data.draw(st.integers(0, len(word)), label="divided at")
            divided = word[:at] + "\ufffe\r\n" + word[at:] if 0 < at < len(word) and data.draw(st.booleans()) else word
            text += divided + data.draw(st.sampled_from([" ", "\r\n", "  "]), label="gap")
        return text

    start, middle, end = laid(before), laid(quote), laid(after)
    page, asked = start + middle + end, " ".join(quote)
    near = len(fold(start)) / max(1, len(fold(page)))
    places = find(page, asked, near)
    assert places[0] == len(start) and places[-1] == len(start) + len(middle.rstrip()) - 1
    assert fold("".join(page[place] for place in places)) == fold(asked)


@quick
@given(st.text(max_size=200), st.text(max_size=60), st.floats(0, 1))
def test_any_text_is_a_page_and_any_text_a_quote(page: str, quote: str, near: float) -> None:
    places = find(page, quote, near)
    assert places == sorted(places) and all(0 <= place < len(page) for place in places)


def letters(text: str, left: float, top: float, *, down: bool = False) -> list[Box]:
    step, height = 0.01, 0.02
    made = []
    for place, letter in enumerate(text):
        x, y = (left, top + place * step) if down else (left + place * step, top)
        made.append(Box(letter, x, y, x + (height if down else step), y + (step if down else height)))
    return made


def test_boxes_become_one_a_line() -> None:
    across = lines([*letters("thekey", 0.1, 0.1), *letters("hangs", 0.1, 0.13)])
    assert [(box.text, round(box.left, 3), round(box.right, 3)) for box in across] == [("thekey", 0.1, 0.16), ("hangs", 0.1, 0.15)]
    down = lines([*letters("thekey", 0.1, 0.1, down=True), *letters("hangs", 0.13, 0.1, down=True)])
    assert [(box.text, round(box.top, 3), round(box.bottom, 3)) for box in down] == [("thekey", 0.1, 0.16), ("hangs", 0.1, 0.15)]
    assert lines([]) == [] and len(lines(letters("a", 0, 0))) == 1


def test_columns_side_by_side_are_not_bridged() -> None:
    assert len(lines([*letters("one", 0.1, 0.1), *letters("two", 0.6, 0.1)])) == 2


def test_what_has_no_place_is_not_marked() -> None:
    box = Box("a", 0.1, 0.1, 0.2, 0.2)
    assert marks([[("a", box), (" ", Box(" ", 0.2, 0.1, 0.9, 0.2)), ("b", None)]], "a b") == [box]
    assert marks([[("b a", None)], [("a", box)]], "a") == [box] and marks([], "a") == []
