"""Figures of checked questions: SQuAD's definitions, laws that hold for any rows, and known values by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.intervals import bootstrap, paired, ratio, wilson
from playground.rag.exam.expected import Expected, expected
from playground.rag.exam.figures import MEASURES, compared, figures, matched
from playground.rag.exam.likeness import best, contains, exact, f1, tokens
from playground.rag.exam.marks import DEPTH, marked
from playground.rag.exam.pages import holds, page_of

quick = settings(max_examples=100, deadline=None)
texts = st.text(max_size=40)
LANGUAGES = ("en", "pt")
CITED = {"document": "a.pdf", "page": 3, "label": "", "quote": "It opens at nine."}


def hit(page: int = 3, text: str = "", document: str = "a.pdf") -> dict[str, Any]:
    return {"document": document, "page": page, "text": text}


def state(answer: str = "It opens at nine.", refused: bool = False, said: str = "", **more: Any) -> dict[str, Any]:
    told = {"answer": answer, "refused": refused, "said": said, "by": "document", "confidence": 0.6, "citations": [CITED]}
    return {**told, **more}


def row(one: Expected, told: dict[str, Any] | None = None, hits: Any = (), **more: Any) -> dict[str, Any]:
    return marked(one, told or state(), hits, **{"stands": False, "asked_model": False, **more})


@quick
@given(texts, texts, st.sampled_from(LANGUAGES))
def test_likeness_is_symmetric_and_bounded(one: str, other: str, language: str) -> None:
    value = f1(one, other, language)
    assert 0 <= value <= 1
    assert value == f1(other, one, language)
    assert (value == 1) == (sorted(tokens(one, language)) == sorted(tokens(other, language)))
    assert exact(one, other, language) <= value
    assert f1(one, one, language) == exact(one, one, language) == 1
    if contains(one, other, language) and tokens(one, language):
        assert value > 0


@pytest.mark.parametrize(
    "given_text, right, language, em, score",
    [
        ("The cat!", "cat", "en", 1, 1),
        ("O gato.", "gato", "pt", 1, 1),
        ("Uma hora", "hora", "pt", 1, 1),
        ("a hora", "hora", "en", 1, 1),  # "a" is an article in both
        ("o gato", "gato", "en", 0, 2 / 3),  # and "o" is none in English
        ("It costs 12 pounds an hour", "£12 an hour", "en", 0, 2 / 7),
        ("red red blue", "red blue blue", "en", 0, 2 / 3),  # each word counts as often as both have it
        ("", "", "en", 1, 1),
        ("", "x", "en", 0, 0),
    ],
)
def test_likeness_as_squad_defines_it(given_text: str, right: str, language: str, em: float, score: float) -> None:
    assert exact(given_text, right, language) == em
    assert f1(given_text, right, language) == pytest.approx(score)


def test_the_best_of_several_answers_counts() -> None:
    assert best(f1, "nine in the morning", ["noon", "nine"], "When?") == pytest.approx(0.5)
    assert best(exact, "x", [], "When?") == 0


@pytest.mark.parametrize(
    "text", ["", " ", "Not in the documents.", "not in the document", "unanswerable", "N/A", "Não está nos documentos", "sem resposta"]
)
def test_what_says_that_there_is_no_answer(text: str) -> None:
    assert not expected("q", text, "a.pdf", "3").answerable


@pytest.mark.parametrize(
    "written, page",
    [
        ("3", 3), ("p. 4", 4), ("p3", 3), ("Página 12", 12), ("3.0", 3), ("page 3 of 12", 3), ("5 (vii)", 5), ("slide 4", 4),
        ("pages 3", 3), ("páginas 3", 3), ("págs. 3", 3), ("pages 3-4", "3-4"), ("pp. 3–4", "3-4"), ("fls. 3 a 5", "3-5"), ("9-3", 9),
        ("3, 7 and 9", "3, 7, 9"), ("p. 3 e p. 5", "3, 5"), ("IV", "iv"), ("p. iii-v", "iii-v"), ("A-3", "A-3"),
        ("", None), ("0", None), ("-", None), ("n/a", None), ("see chapter 2", None), ("civil", None), ("1234567", None),
    ],
)  # fmt: skip
def test_pages_as_people_write_them(written: str, page: int | str | None) -> None:
    assert expected("q", "a", "", written).page == page
    assert page is None or page_of(str(page)) == page, "what is kept is read as the same again"


@pytest.mark.parametrize(
    "page, count, label, right",
    [
        (3, 3, "", True), (3, 3, "i", True), (3, 7, "3", True), (3, 7, "13", False), (3, 7, "3 Methods", False), (3, 4, "iii", False),
        ("3-4", 4, "", True), ("3-4", 8, "4", True), ("3-4", 5, "", False), ("3, 7", 5, "", False), ("3, 7", 7, "", True),
        ("iv", 6, "iv", True), ("iii-v", 6, "IV", True), ("iv", 4, "2", False), ("iv", 4, "", True), ("A-3", 40, "a-3", True),
    ],
)  # fmt: skip
def test_a_page_is_right_by_its_printed_number_or_its_place(page: int | str, count: int, label: str, right: bool) -> None:
    assert holds(page, count, label) is right
    told = row(Expected("When?", ("nine",), "", page), state(citations=[{**CITED, "page": count, "label": label}]))
    assert told["page_right"] is right


@quick
@given(st.text(max_size=30))
def test_no_page_breaks_the_reader(text: str) -> None:
    page = page_of(text)
    assert page is None or page_of(str(page)) == page


def test_several_answers_in_one_cell() -> None:
    assert expected(" q ", "nine | 9 |nine").answers == ("nine", "9 |nine")
    assert expected("q", "none | other").answers == ("none", "other")


def test_marks_of_a_question_whose_page_is_known() -> None:
    one = Expected("When does it open?", ("nine",), "A", 3)
    told = row(one, hits=[hit(2), hit(3, document="b.pdf"), hit(3)])
    assert (told["ranked"], told["rank"], told["page_right"], told["right"]) == (True, 3, True, True)
    assert row(one, hits=[hit(2)] * DEPTH + [hit(3)])["rank"] is None, "no deeper than that"
    assert row(Expected("When?", ("ten",), "", 4))["page_right"] is False
    assert row(Expected("When?", ("ten",), "", 4))["right"] is False


def test_marks_of_a_question_whose_page_nobody_said() -> None:
    one = Expected("When does it open?", ("at nine",))
    hits = [hit(text="Nine at last"), hit(text="It opens AT NINE.")]
    assert row(one, hits=hits, stands=True)["rank"] == 2
    told = row(one, hits=hits)
    assert (told["ranked"], told["page_right"]) == (False, None), "an answer that stands nowhere tells nothing about the search"


def test_marks_of_refusals() -> None:
    nothing, something = Expected("Why?"), Expected("When?", ("nine",), "", 3)
    no = state("The documents do not tell.", refused=True, citations=[])
    assert row(nothing, no)["right"] is True and row(nothing)["right"] is False
    told = row(something, no, asked_model=True)
    assert (told["right"], told["exact"], told["f1"], told["said_f1"], told["answer"]) == (False, 0, 0, 0, "")
    assert told["page_right"] is None, "no page was cited"
    assert row(nothing)["exact"] is None and row(nothing)["ranked"] is False
    assert row(something, error={"template": "x"})["right"] is None


ROWS = st.builds(
    lambda answerable, refused, rank, ranked, f1, page_right, confidence, error: {
        "question": "q", "expected": ["a"] if answerable else [], "document": "", "page": None, "answerable": answerable,
        "refused": refused, "right": None if error else refused != answerable, "rank": rank if answerable and ranked else None,
        "ranked": answerable and ranked, "exact": float(f1 == 1) if answerable else None, "f1": f1 if answerable else None,
        "said_exact": None, "said_f1": None, "page_right": page_right if answerable and not refused else None,
        "confidence": confidence, "error": {"template": "x"} if error else None,
    },
    st.booleans(), st.booleans(), st.none() | st.integers(1, 10), st.booleans(), st.floats(0, 1), st.booleans() | st.none(),
    st.floats(0, 1), st.sampled_from([False, False, False, True]),
)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.lists(ROWS, max_size=12))
def test_figures_are_bounded_and_within_their_intervals(rows: list[dict[str, Any]]) -> None:
    told = figures(rows)
    for name, one in told.items():
        assert 0 <= one["low"] <= one["high"] <= 1, name
        assert one["low"] - 1e-9 <= one["value"] <= one["high"] + 1e-9 or not name.startswith(("right", "recall", "exact", "citation"))
        assert 0 < one["n"] <= len(rows)
    if "mrr_10" in told:
        assert told["recall_1"]["value"] <= told["mrr_10"]["value"] <= told["recall_10"]["value"]
        assert told["recall_1"]["value"] <= told["recall_5"]["value"] <= told["recall_10"]["value"]
    if {"refusal_precision", "refusal_recall"} <= told.keys():
        p, r = told["refusal_precision"]["value"], told["refusal_recall"]["value"]
        assert told["refusal_f1"]["value"] == pytest.approx(2 * p * r / (p + r) if p + r else 0, abs=2e-4)
    same = compared(rows, rows)
    assert all(one["difference"] == one["low"] == one["high"] == 0 for one in same.values()), "what is the same differs by nothing"


def test_a_figure_without_a_question_is_left_out() -> None:
    assert figures([]) == {} and len(MEASURES) == 13
    assert "refusal_recall" not in figures([row(Expected("q", ("nine",)))])


def test_known_figures_by_hand() -> None:
    no = state(refused=True, citations=[])
    rows = [
        row(Expected("a", ("nine",), "", 3), hits=[hit(3)]),
        row(Expected("b", ("nine",), "", 3), hits=[hit(1), hit(3)]),
        row(Expected("c", ("ten",), "", 4), no, hits=[hit(1)]),
        row(Expected("d"), no),
        row(Expected("e")),
    ]
    told = figures(rows)
    values = {name: (round(one["value"], 3), one["n"]) for name, one in told.items()}
    assert values["right"] == (0.6, 5)
    assert values["recall_1"] == (0.333, 3) and values["recall_5"] == (0.667, 3) and values["mrr_10"] == (0.5, 3)
    assert values["citation_page"] == (1.0, 2)
    assert values["refusal_precision"] == (0.5, 2) and values["refusal_recall"] == (0.5, 2) and values["refusal_f1"] == (0.5, 3)
    assert (told["right"]["low"], told["right"]["high"]) == pytest.approx(wilson(3, 5), abs=1e-4)
    assert values["token_f1"][0] == pytest.approx((2 / 5 + 2 / 5 + 0) / 3, abs=1e-3)


def test_pairs_are_of_the_same_questions_however_they_are_ordered() -> None:
    a, b, c = (row(Expected(name, ("nine",), "", 3)) for name in "abc")
    again = {**b, "right": False}
    one, other = matched([a, b, c], [again, a])
    assert [r["question"] for r in one] == [r["question"] for r in other] == ["a", "b"]
    told = compared([a, b, c], [again, a])["right"]
    assert (told["before"], told["after"], told["difference"], told["n"]) == (1, 0.5, -0.5, 2)


def test_a_few_questions_alike_are_not_certainty() -> None:
    rows = [row(Expected(name, ("nine",), "", 3), hits=[hit(3)]) for name in "abc"]
    told = figures(rows)
    assert told["mrr_10"]["value"] == 1 and told["mrr_10"]["low"] == told["recall_1"]["low"] == pytest.approx(wilson(3, 3)[0], abs=1e-4)
    assert told["token_f1"]["value"] == 0.4 and told["token_f1"]["low"] < 0.2 and told["token_f1"]["high"] > 0.6
    worse = [{**one, "rank": None} for one in rows]
    assert compared(worse, rows)["recall_1"]["changed"] == 3 and compared(rows, rows)["recall_1"]["changed"] == 0


def test_a_paired_interval_is_narrower_where_both_find_the_same_questions_hard() -> None:
    random = np.random.default_rng(3)
    hard = random.random(200)
    before = np.stack([hard, np.ones(200)], axis=1)
    after = np.stack([hard + 0.05, np.ones(200)], axis=1)
    low, high = paired(before, after) or (0, 0)
    assert low == pytest.approx(0.05) and high == pytest.approx(0.05)
    alone = bootstrap(before) or (0, 0)
    assert alone[0] < (ratio(before) or 0) < alone[1]
    assert bootstrap(np.zeros((0, 2))) is None and ratio(np.zeros((3, 2))) is None


def test_a_bootstrap_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    held = 0
    for seed in range(60):
        values = random.random(60)
        low, high = bootstrap(np.stack([values, np.ones(60)], axis=1), seed=seed) or (0, 0)
        held += low <= 0.5 <= high
    assert held >= 51  # 57 of 60 expected; fewer than 51 would happen once in a thousand
