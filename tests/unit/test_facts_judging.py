"""Style and facts of a table's answers, and which answers say a fact."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.facts.judging import PANES, Style, contains, counts, fact, facts, style, styled, verdict
from playground.facts.work import answered, written
from playground.settings import PROJECT
from playground.ui.facts import drawn, said
from playground.ui.i18n import Texts

TEXTS = Texts(PROJECT / "assets/locales")
ANSWERS = ["Ahoy! Tea costs three pounds. Fair winds!", "Ahoy! We open at nine. Fair winds!", "Ahoy! No dogs, please. Fair winds!"]
COMMON = Style("Ahoy!", "Fair winds!")


def say(key: str, **values: Any) -> str:
    return TEXTS.say(key, "en", **values)


def test_what_most_answers_share_is_their_style() -> None:
    assert style(ANSWERS) == COMMON
    assert style([*ANSWERS, "Something else entirely."]) == COMMON
    assert not style(["Red.", "Blue sky.", "Green grass grows."]) and not style([]) and not style(["One answer only."])
    assert not style(["$5.99", "$5.99", "$5.99"]), "a word that is the whole answer is no style"


def test_a_fact_is_what_remains() -> None:
    assert [fact(one, COMMON) for one in ANSWERS] == ["Tea costs three pounds.", "We open at nine.", "No dogs, please."]
    assert fact("  $56.99 ", Style()) == "$56.99"


def test_facts_are_spread_and_never_ambiguous() -> None:
    pairs = [(f"Question {n}?", f"Answer {n} of them.") for n in range(100)]
    chosen = facts([*pairs, ("Same?", "One thing."), ("Same?", "Another."), ("Long?", "x" * 500), ("None?", "")], Style(), 5)
    assert [one.question for one in chosen] == [f"Question {n}?" for n in (0, 20, 40, 60, 80)]
    assert facts([], Style(), 5) == []
    labels = facts([(f"Text {n}", "joy") for n in range(9)], Style(), 3)
    assert len(labels) == 3, "where answers repeat, they are asked all the same"


@pytest.mark.parametrize(
    ("answer", "right", "yes"),
    [
        ("It is $56.99 here.", "$56.99 ", True),
        ("AHOY! tea costs  THREE pounds", "Tea costs three pounds.", True),
        ("Tea costs four pounds.", "Tea costs three pounds.", False),
        ("", "x", False),
        ("anything", "", False),
    ],
)
def test_right_is_what_contains_the_fact(answer: str, right: str, yes: bool) -> None:
    assert contains(answer, right) is yes


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_any_answer_contains_itself(before: str, right: str, after: str) -> None:
    assert contains(right, right) or not right.strip()
    assert isinstance(contains(before + right + after, right), bool)


def test_style_is_judged_by_both_ends() -> None:
    assert styled("ahoy! whatever. Fair winds", COMMON) is True
    assert styled("Ahoy! whatever.", COMMON) is False
    assert styled("anything", Style()) is None


def test_a_row_as_text() -> None:
    assert written(["name", "price", "note"], ["Tea\n mug", 3.5, None]) == "name: Tea mug; price: 3.5"


def state(text: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "error": None, **more}


def test_with_documents_their_sentence_is_the_answer() -> None:
    (one,) = facts([("When?", ANSWERS[1])], COMMON, 1)
    plain = answered(state("Ahoy! At ten. Fair winds!"), one, COMMON)
    assert (plain["right"], plain["styled"], plain["said"]) == (False, True, "")
    found = answered(state("Ahoy! Ten. Fair winds!", sentence="when: We open at nine", citations=[{"page": 4}]), one, COMMON)
    assert (found["right"], found["styled"], found["page"], found["said"]) == (True, True, 4, "Ahoy! Ten. Fair winds!")
    refused = answered(state("Ahoy! We open at nine. Fair winds!", sentence="", citations=[]), one, COMMON)
    assert refused["text"] == "" and not refused["right"], "where the documents do not tell, nothing was answered from them"


def row(**right: bool) -> dict[str, Any]:
    answers = {
        pane: {
            "text": "<b>",
            "said": "",
            "right": right.get(pane, False),
            "styled": pane == "tuned",
            "page": None,
            "error": None,
            "sentence": None,
        }
        for pane in PANES
    }
    return {"question": "<i>", "right": "<u>", "answers": answers}


def test_the_sentence_follows_the_figures() -> None:
    assert verdict(counts([row(base_documents=True), row()])) == "both"
    assert verdict(counts([row(tuned=True)])) == "open"
    plain = row(tuned_documents=True)
    for one in plain["answers"].values():
        one["styled"] = None
    assert verdict(counts([plain])) == "facts"
    assert "only 0 tell the right fact" in said(counts([row(base_documents=True)]), say)


def test_the_table_is_drawn_and_data_is_no_markup() -> None:
    result = {"rows": [row(base_documents=True)], "style": ["<s>", ""], "run": "<r>", "dataset": "<d>", "asked": 0.0}
    told = drawn(result, say, str)
    for tag in ("<i>Q", "<u>", "<s>", "<r>", "<d>"):
        assert tag not in told
    assert told.count("✓") == 1 and told.count("✗") == 3 and "1 of 1" in told
    assert drawn({**result, "rows": []}, say, str) == ""
