"""Checked questions as the page shows them: nothing of the data is taken for HTML, in both languages, and every figure has its words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from playground.errors import Sentence, pack
from playground.rag.exam.expected import Expected
from playground.rag.exam.figures import MEASURES, compared, figures
from playground.rag.exam.kept import Threshold
from playground.rag.exam.marks import marked
from playground.rag.exam.threshold import curves
from playground.settings import PROJECT
from playground.ui import exam as shown
from playground.ui.i18n import Texts

TEXTS = Texts(PROJECT / "assets/locales")
EVIL = "<img src=x onerror=alert(1)> & \"'"
CITED = {"document": EVIL, "page": 3, "label": "", "quote": EVIL}


def say(language: str) -> Any:
    return lambda key, **values: TEXTS.say(key, language, **values)


def rows() -> list[dict[str, Any]]:
    told = {"answer": EVIL, "said": EVIL, "refused": False, "citations": [CITED], "confidence": 0.5}
    hits = [{"document": EVIL, "page": 3, "text": EVIL}]
    made = [marked(Expected(EVIL, (EVIL,), EVIL, 3), told, hits, stands=False, asked_model=True)]
    made += [marked(Expected(EVIL), {"refused": True, "confidence": 0.1}, [], stands=False, asked_model=True)]
    error = pack(Sentence("{name} is empty: it has no content at all. Choose another file.", name=EVIL))
    return [*made, marked(Expected(EVIL + "x" * 500, ("a",)), {}, [], stands=False, asked_model=True, error=error)]


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_hostile_texts_stay_texts(language: str) -> None:
    tell, translate = say(language), lambda sentence: TEXTS.sentence(sentence, language)
    about = {"settings": {"mode": "dense", "threshold": 0.45, "phrased_by": "0" * 12}, "run": EVIL, "collection": EVIL}
    name = shown.setting(about, tell)
    html = shown.table(list(enumerate(rows())), tell, translate)
    html += shown.comparison({"questions": 2, "figures": compared(rows(), rows())}, name, name, tell)
    html += shown.figures(figures(rows()), tell)
    html += shown.told({**about, "embedder": EVIL, "asked": 1.0, "skipped": 1}, tell)
    assert "<img" not in html and html.count("&lt;img") > 5
    assert not re.search(r"exam\.\w+", html), "every text has its words"


def test_pages_are_shown_as_they_were_compared() -> None:
    told = {"answer": "a", "refused": False, "citations": [{**CITED, "document": "a.pdf", "label": "iii"}], "confidence": 0.5}
    made = marked(Expected("q", ("a",), "a.pdf", "iii-v"), told, [], stands=False, asked_model=False)
    html = shown.table([(0, made)], say("en"), str)
    assert "a.pdf, page iii-v" in html and "a.pdf, page 3 (iii)" in html and "right page" in html
    about = {"settings": {"mode": "dense", "threshold": 0.45, "phrased_by": "nobody"}, "collection": "c", "embedder": "e", "asked": 1.0}
    tell = shown.told({**about, "skipped": 0, "pages_unread": 2, "rows": rows()}, say("en"))
    assert "could not be read as a page, so that it was not compared: 2" in tell and "no part of the figures: 1" in tell


def test_a_difference_of_a_few_questions_may_be_chance() -> None:
    def row(question: str, rank: int | None) -> dict[str, Any]:
        told = {"answer": "a", "refused": False, "citations": [], "confidence": 0.5}
        return {**marked(Expected(question, ("a",), "", 3), told, [], stands=False, asked_model=False), "rank": rank}

    def verdict(changed: int) -> str:
        before = [row(str(n), None if n < changed else 1) for n in range(12)]
        found = compared(before, [row(str(n), 1) for n in range(12)])
        return shown.comparison({"questions": 12, "figures": {"recall_1": found["recall_1"]}}, "a", "b", say("en"))

    assert "may be chance: only 5 questions changed" in verdict(5) and "more than chance" not in verdict(5)
    assert "more than chance" in verdict(6)


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_settings_say_what_is_unusual(language: str) -> None:
    about = {"run": None, "collection": "c"}
    usual = {"mode": "hybrid", "threshold": 0.45, "phrased_by": "nobody"}
    old = shown.setting({**about, "settings": usual}, say(language))
    assert old == shown.setting({**about, "settings": {**usual, "thesaurus": True, "weight": None, "reranker": ""}}, say(language))
    told = shown.setting({**about, "settings": {**usual, "thesaurus": False, "weight": 0.5, "reranker": "a/b-c"}}, say(language))
    assert told.count(" · ") == old.count(" · ") + 3 and "reranker b-c" in told and not re.search(r"exam\.\w+", told)
    keyword = {**usual, "mode": "keyword", "thesaurus": True}
    assert shown.setting({**about, "settings": keyword}, say(language)).count(" · ") == old.count(" · ") + 1


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_every_figure_has_a_name_and_an_explanation(language: str) -> None:
    for measure in MEASURES:
        assert say(language)(f"exam.{measure.name}") and say(language)(f"exam.{measure.name}_info")


def test_numbers_are_written_as_the_language_has_them() -> None:
    figure = {"recall_1": {"value": 0.5, "low": 0.25, "high": 0.75, "n": 1234}}
    assert "0,500" in shown.figures(figure, say("pt-BR")) and "1.234" in shown.figures(figure, say("pt-BR"))
    assert "0.500" in shown.figures(figure, say("en")) and "(0.250 to 0.750)" in shown.figures(figure, say("en"))


def test_the_chart_has_both_curves_and_the_threshold() -> None:
    html = shown.threshold_chart(curves(rows()[:2]), 0.33, say("en"))
    assert html.count("<polyline") == 2 and "Threshold 0.33" in html and 'style="left:33.00%' in html
    assert shown.threshold_chart({}, 0.33, say("en")) == ""


def test_the_threshold_says_where_it_comes_from() -> None:
    tell = say("en")
    assert "own" in shown.standing(Threshold(0.45), tell)
    assert "set on" in shown.standing(Threshold(0.3, True, {"kept": 1.0}), tell)
    about = {"kept": 1.0, "held_f1": 0.5, "answerable": 30, "unanswerable": 12}
    assert "from 42 questions" in shown.standing(Threshold(0.3, True, about), tell)
    assert "at least 5" in shown.proposal(None, 5, tell)
