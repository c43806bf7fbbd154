"""The sample handbook is a tidy PDF, and its questions point at sentences that stand in it."""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pypdf import PdfReader

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
PDF = SAMPLES / "harbour_cafe_handbook.pdf"
SOURCE = SAMPLES / "harbour_cafe_handbook.html"
QUESTIONS = json.loads((SAMPLES / "harbour_cafe_questions.json").read_text(encoding="utf-8"))
ANSWERABLE = QUESTIONS["answerable"]
UNANSWERABLE = QUESTIONS["unanswerable"]
PAGES = 12
FIRST_PORTUGUESE_PAGE = 11


def joined(text: str) -> str:
    return " ".join(text.split())


class SectionText(HTMLParser):
    """The text of each <section> of the HTML source, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self.sections.append("")
            self.inside = True
        elif self.inside and tag != "span":
            self.sections[-1] += " "

    def handle_endtag(self, tag: str) -> None:
        if tag == "section":
            self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.sections[-1] += data


@pytest.fixture(scope="module")
def reader() -> PdfReader:
    return PdfReader(PDF)


@pytest.fixture(scope="module")
def pages(reader: PdfReader) -> list[str]:
    return [joined(page.extract_text()) for page in reader.pages]


def test_pdf_is_small_and_has_a_title(reader: PdfReader) -> None:
    assert PDF.stat().st_size < 300_000
    assert reader.metadata is not None
    assert reader.metadata.title == "Harbour Café and Bookshop: The House Handbook"


def test_twelve_pages_each_with_a_page_of_text(pages: list[str]) -> None:
    assert len(pages) == PAGES
    for number, text in enumerate(pages, start=1):
        assert 150 <= len(text.split()) <= 260, number
        assert re.match(rf"{number}\b", text) or re.search(rf"\b{number}$", text), number


def test_text_is_real_unicode(pages: list[str]) -> None:
    whole = " ".join(pages)
    assert "Café" in whole
    assert "£3.00" in whole
    assert "pão de queijo" in whole
    assert "\ufffd" not in whole


def test_pdf_says_what_its_source_says(pages: list[str]) -> None:
    source = SectionText()
    source.feed(SOURCE.read_text(encoding="utf-8"))
    printed = [re.sub(rf"^{number} | {number}$", "", text) for number, text in enumerate(pages, start=1)]
    assert [joined(section) for section in source.sections] == printed


def test_source_needs_nothing_from_outside() -> None:
    source = SOURCE.read_text(encoding="utf-8")
    assert not re.search(r"https?:|url\(|@import|<script|<link|<img|\bsrc=", source)


def test_numbers_of_questions() -> None:
    assert Counter(entry["language"] for entry in ANSWERABLE) == {"en": 22, "pt-BR": 8}
    assert Counter(entry["language"] for entry in UNANSWERABLE) == {"en": 8, "pt-BR": 4}


def test_questions_are_unique() -> None:
    asked = [joined(entry["question"]).casefold() for entry in ANSWERABLE + UNANSWERABLE]
    assert len(set(asked)) == len(asked)
    assert all(question.endswith("?") for question in asked)


def test_every_page_is_asked_about() -> None:
    assert {entry["page"] for entry in ANSWERABLE} == set(range(1, PAGES + 1))


@pytest.mark.parametrize("entry", ANSWERABLE, ids=lambda entry: entry["question"])
def test_sentence_and_answer_stand_on_the_page(entry: dict, pages: list[str]) -> None:
    assert set(entry) - {"show"} == {"question", "answer", "sentence", "page", "language"}
    page = pages[entry["page"] - 1]
    assert entry["sentence"] in page
    assert entry["answer"] in entry["sentence"]
    # The sentence stands on this page only, so the page number is the one right citation.
    assert sum(entry["sentence"] in text for text in pages) == 1
    assert (entry["language"] == "pt-BR") == (entry["page"] >= FIRST_PORTUGUESE_PAGE)


def test_unanswerable_questions_hold_nothing_else() -> None:
    assert all(set(entry) - {"show"} == {"question", "language"} for entry in UNANSWERABLE)
