"""Bars on the Dataset tab: honest heights, marked cut, nothing of the data taken for HTML."""

import re

from hypothesis import given
from hypothesis import strategies as st

from playground.data.measures import histogram, middle_words
from playground.messages import Message
from playground.ui import bars


def say(key: str, **values: object) -> str:
    return f"{key} {values}" if values else key


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=200), st.integers(1, 4000))
def test_every_value_stands_in_one_bar_on_its_side_of_the_edge(values: list[int], edge: int) -> None:
    found = histogram(values, edge)
    assert sum(count for _, _, count in found) == len(values)
    assert sum(count for low, _, count in found if low >= edge) == sum(value >= edge for value in values)
    assert all(start < end for start, end, _ in found) and len(found) <= 26


def test_the_highest_bar_is_whole_and_what_is_cut_is_marked() -> None:
    drawn = bars.lengths([(1, 10, 4), (10, 20, 0), (20, 30, 1)], 20, say)
    assert re.findall(r'class="(\w+)" style="height:(\d+)%"', drawn) == [("within", "100"), ("within", "0"), ("over", "25")]
    assert bars.lengths([], 20, say) == ""


def test_names_of_groups_are_only_text() -> None:
    drawn = bars.groups([("<b onclick=x>", 3), ("ham", 1)], say)
    assert "<b onclick" not in drawn and "&lt;b onclick=x&gt;" in drawn and 'style="width:33%"' in drawn
    many = bars.groups([(f"group {n}", 40 - n) for n in range(30)], say)
    assert many.count("<dt>") == bars.MOST_GROUPS + 1 and "bars.others {'n': 18}" in many.replace("&#x27;", "'")


def test_middle_words_counts_last_turns() -> None:
    turns = [(Message("user", "one two three"),), (Message("system", "x"), Message("user", "one")), ()]
    assert middle_words(turns) == 2
