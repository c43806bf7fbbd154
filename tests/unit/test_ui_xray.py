"""The X-ray as HTML: every step with its numbers, and nothing of the data as markup."""

from __future__ import annotations

from typing import Any

import pytest

from playground.rag.boxes import Box
from playground.rag.page_view import Bordered, PageView
from playground.rag.pictures import Picture
from playground.settings import PROJECT
from playground.ui import documents, page_view
from playground.ui.i18n import Texts
from playground.ui.xray import drawn, moved

TEXTS = Texts(PROJECT / "assets/locales")
EVIL = "<img src=x onerror=alert(1)>"


def say(key: str, **values: Any) -> str:
    return TEXTS.say(key, "en", **values)


def test_a_passage_says_what_the_reranker_gave_it() -> None:
    hit = {**candidate(1, 1), "label": "", "rerank": 0.875}
    assert "reranker 0.88" in documents.passages([hit], [], say)
    assert "reranker" not in documents.passages([{**hit, "rerank": None}], [], say)


def candidate(rank: int, usual: int | None, **more: Any) -> dict[str, Any]:
    ranks = {"dense": None, "keyword": rank}
    scores = {"dense": None, "keyword": 3.5}
    where = {"document": EVIL, "page": 2, "chunk": rank, "text": EVIL}
    return {
        **where,
        "rank": rank,
        "usual_rank": usual,
        "fused_rank": rank,
        "score": 0.5,
        "ranks": ranks,
        "scores": scores,
        "rerank": None,
        **more,
    }


def seen(*candidates: dict[str, Any]) -> dict[str, Any]:
    return {
        "related": {"price": [EVIL]},
        "weight": 0.2,
        "weight_from": "measured",
        "candidates": list(candidates),
        "sentences": [{"quote": EVIL, "score": 0.8}, {"quote": "weak", "score": 0.1}],
        "enough": 0.45,
        "read": f"<|im_start|>user {EVIL}",
        "answer": {"answer": EVIL, "refused": False, "said": EVIL},
    }


@pytest.mark.parametrize(("rank", "usual", "how"), [(1, 1, "same"), (1, 4, "up"), (5, 2, "down"), (3, None, "new")])
def test_how_a_place_changed(rank: int, usual: int | None, how: str) -> None:
    assert moved(candidate(rank, usual)) == how
    told = drawn(seen(candidate(rank, usual)), say, str)
    assert (f'class="{how}"' in told) and (("was 4" in told) == (usual == 4))


def test_every_step_is_told_and_data_is_no_markup() -> None:
    told = drawn(seen(candidate(1, 1), candidate(2, 2, rerank=0.75)), say, str)
    assert EVIL not in told and told.count("&lt;img") >= 6
    for text in ("20 %", "0.45", "0.75", "&lt;|im_start|&gt;", "Reranker", 'data-pick="candidate-1"'):
        assert text in told
    assert told.count('class="enough"') == told.count('class="little"') == 1
    assert "Reranker" not in drawn(seen(candidate(1, 1)), say, str)


@pytest.mark.parametrize(("by", "wanted"), [("measured", "was measured for this"), ("cautious", "cautious, not measured"), ("set", "")])
def test_whose_weight_it_is(by: str, wanted: str) -> None:
    told = drawn({**seen(candidate(1, 1)), "weight_from": by}, say, str)
    assert ("measured" in told) is bool(wanted) and wanted in told


def test_a_search_that_found_nothing() -> None:
    empty = {**seen(), "related": {}, "sentences": [], "read": "", "answer": {"answer": "No.", "refused": True, "said": ""}}
    told = drawn(empty, say, str)
    assert told.count("Nothing was found") == 2 and "No model was asked" in told


def view(**more: Any) -> PageView:
    box = Box(EVIL, 0.1, 0.2, 0.5, 0.25)
    picture = Picture(3, 100, 200, b"RIFF", [])
    values = {
        "document": EVIL,
        "document_id": 1,
        "number": 2,
        "label": "ii",
        "pages": 3,
        "unit": "page",
        "text": f"{EVIL} key",
        "quotes": ("key",),
    }
    return PageView(**{**values, "picture": picture, "marks": [box], "passages": [Bordered(1, 1, [box], EVIL)], "note": None, **more})


def test_a_page_says_what_is_marked_and_data_is_no_markup() -> None:
    told = page_view.shown(view(), say, str)
    assert EVIL not in told
    assert 'alt="Page 2 of &lt;img' in told and "Marked on it: “key”" in told
    assert "left:10.00%;top:20.00%;width:40.00%;height:5.00%" in told
    assert "page 2 (ii) of 3" in told and "data:image/webp;base64,UklGRg==" in told


def test_a_page_without_a_picture_is_its_text_with_marks() -> None:
    told = page_view.shown(view(picture=None), say, str)
    assert "<img" not in told and "<mark>key</mark>" in told


@pytest.mark.parametrize(
    ("known", "language", "told"),
    [
        ({"section": ["Statutes", "Enrolment"]}, "en", "a.pdf, page 12, “Enrolment”"),
        ({"section": ["Estatutos"], "label": "x"}, "pt-BR", "a.pdf, página 12 (x), “Estatutos”"),
        ({"section": ["Statutes", "Fees"], "label": "Fees", "unit": "section"}, "en", "a.pdf, section 12, “Fees”"),
        ({"section": [], "label": "Fees", "unit": "section"}, "en", "a.pdf, section 12 (Fees)"),  # of a collection made earlier
        ({"section": ["Fees"], "label": "Fees", "unit": "page"}, "en", "a.pdf, page 12 (Fees), “Fees”"),
        ({}, "en", "a.pdf, page 12"),
    ],
)
def test_a_citation_names_its_section(known: dict[str, Any], language: str, told: str) -> None:
    def in_language(key: str, **values: Any) -> str:
        return TEXTS.say(key, language, **values)

    assert documents.where({"document": "a.pdf", "page": 12, **known}, in_language) == told


def test_the_page_and_the_x_ray_tell_the_way_to_a_section_and_data_is_no_markup() -> None:
    told = page_view.shown(view(section=("Statutes", EVIL)), say, str)
    assert "<span>In: Statutes › &lt;img src=x onerror=alert(1)&gt;</span>" in told and EVIL not in told
    assert "In:" not in page_view.shown(view(), say, str)
    rows = drawn(seen(candidate(1, 1, section=[EVIL, "Title II", "Fees"]), candidate(2, 2, section=["Alone"])), say, str)
    assert "page 2, “Fees”</a>" in rows and "page 2, “Alone”</a>" in rows and EVIL not in rows
    assert rows.count("In: ") == 1 and "onerror=alert(1)&gt; › Title II</small>" in rows


def test_a_document_that_gives_orders_is_named_beside_the_answer() -> None:
    state = {
        "refused": False,
        "answer": "Tea.",
        "citations": [],
        "by": "document",
        "error": None,
        "said": "",
        "model": "",
        "orders": [EVIL],
    }
    told = documents.answer(state, say, str)
    assert "tries to give orders" in told and EVIL not in told
    assert "tries to give orders" not in documents.answer({**state, "orders": []}, say, str)
    refused = documents.answer({**state, "refused": True}, say, str)
    assert "tries to give orders" in refused and EVIL not in refused, "the passages below a refusal are of that document, too"
