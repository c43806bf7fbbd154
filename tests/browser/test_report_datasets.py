"""The datasets of five published fine-tuning reports: each goes from its file to a mapped dataset by clicks on the Dataset tab alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, bring, wait_for

SLOW = 60_000
EMOTIONS = ("sadness", "joy", "love", "anger", "fear", "surprise")
TASKS = {
    "instruction": "Answer questions like these",
    "classification": "Put texts into groups",
    "summarization": "Summarise texts",
    "chat": "Chat",
}


@dataclass(frozen=True)
class Report:
    """What a person sees after bringing a file: `columns` by role, and words that stand in the example (`learnt`: in its marked part)."""

    file: str
    rows: int
    read_as: str
    task: str
    columns: dict[str, str]
    example: str
    learnt: str
    mapped: dict[str, Any] = field(default_factory=dict)


REPORTS = [
    Report(
        "emotion_train.csv", 16_000, "first row is the header", "classification", {"prompt": "text", "answer": "label"},
        "Which of these fits the text best: 0, 1, 2, 3, 4, 5?", "0<|im_end|>",
    ),
    Report(
        "english_quotes.csv", 2_469, "separated by commas", "instruction", {"prompt": "quote", "answer": "author"},
        "be yourself everyone else is already taken.<|im_end|>", "Oscar Wilde<|im_end|>",
    ),
    Report(
        "grocery.csv", 1_757, "8 columns", "instruction", {"prompt": "Title", "answer": "Product Description"},
        "David’s Cookies Mile High Peanut Butter Cake", "A cake the dessert epicure will die for!",
    ),
    Report(
        "tweetsumm.jsonl", 650, "JSON Lines", "summarization", {"prompt": "conversation", "answer": "summaries"},
        "customer: Never mind my isp is experiencing really bad problems", "Here customer is having some issue where router light",
    ),
    Report(
        "spider_train.json", 7_000, "JSON", "instruction", {"prompt": "question", "answer": "query"},
        "How many heads of the departments are older than 56 ?", "SELECT count(*) FROM head WHERE age",
    ),
    Report(
        "amazon_titles_rag.json", 500, "an instruction with its answer in each row (Alpaca)", "instruction",
        {"prompt": "instruction", "answer": "output"}, "Girls Ballet Tutu Neon Pink", "High quality 3 layer ballet tutu.",
    ),
    Report(
        "amazon_titles_amazon_sft.jsonl", 20, "a conversation in each row (OpenAI messages)", "chat", {"messages": "messages"},
        "Título do produto: Girls Ballet Tutu Neon Pink", "High quality 3 layer ballet tutu.",
    ),
    Report(
        "ufam_pairs.json", 1_049, "1 left out: blank", "instruction", {"prompt": "Pergunta", "answer": "Resposta"},
        "O que é o propósito da chamada pública N 063/2017?", "Viabilizar a concessão de estágio obrigatório",
    ),
]  # fmt: skip


@pytest.fixture
def bring_report(server: Server, open_page: Callable[..., Page], shared_data: Path) -> Callable[[str, int], Page]:
    """A page on which one of the reports' files was brought."""

    def begin(file: str, rows: int) -> Page:
        page = open_page(server.url, viewport={"width": 1280, "height": 800})
        bring(page, shared_data / "reports" / file, rows)
        return page

    return begin


def saved(server: Server, name: str) -> dict[str, Any]:
    """The newest mapping of a dataset with this name, as it lies on the disk: what a training would take."""
    found = [path for path in server.home.glob("datasets/*/mapping.json") if name_of(path).startswith(name)]
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    return json.loads(newest.read_text("utf-8")) if newest else {}


def name_of(mapping: Path) -> str:
    return json.loads((mapping.parent / "manifest.json").read_text("utf-8"))["name"]


@pytest.mark.parametrize(
    "report",
    [pytest.param(one, id=one.file.split(".")[0], marks=[pytest.mark.soak] if place % 3 else []) for place, one in enumerate(REPORTS)],
)
def test_a_reports_file_becomes_a_mapped_dataset(server: Server, bring_report: Callable[[str, int], Page], report: Report) -> None:
    page = bring_report(report.file, report.rows)
    expect(page.locator("#understood")).to_contain_text(report.read_as)
    expect(page.locator("#task").get_by_label(TASKS[report.task], exact=True)).to_be_checked()
    for role, column in report.columns.items():
        box = "#whole-column" if role == "messages" else f"#{role}-column"
        expect(page.locator(f"{box} input")).to_have_value(column)
    example = page.locator("#example")
    expect(example).to_contain_text(report.example)
    expect(example).to_contain_text("<|im_start|>user")
    expect(example.locator(".highlighted, [class*=hl]").first).to_contain_text(report.learnt)
    expect(page.get_by_role("tab", name="Dataset")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#next")).to_contain_text("Train on this dataset")
    mapping = wait_for(lambda: saved(server, report.file), 10, "the mapping is kept")
    assert mapping["task"] == report.task and mapping["columns"].items() >= report.columns.items()
    # however wide the table is, the page is as wide as the window and the next step can be reached
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    before = example.inner_text()

    def another() -> bool:  # pressed again where the tab was being filled once more
        page.click("#another-example")
        page.wait_for_timeout(1500)
        return example.inner_text() != before

    wait_for(another, 60, "another example")


def test_the_emotions_get_their_names(server: Server, bring_report: Callable[[str, int], Page]) -> None:
    page = bring_report("emotion_validation.csv", 2_000)
    names = page.locator("#label-names")
    for row, name in enumerate(EMOTIONS):
        cell = names.locator(f"[role=gridcell][data-row='{row}'][data-col='1']")
        cell.dblclick()
        cell.locator("textarea, input").first.fill(name)  # waits for the editor, which keys alone would overtake
        page.keyboard.press("Enter")
    expect(page.locator("#example")).to_contain_text(", ".join(EMOTIONS), timeout=SLOW)
    expect(page.locator("#mapping-chart")).to_contain_text("sadness", timeout=SLOW)
    mapping = saved(server, "emotion_validation.csv")
    assert mapping["label_names"] == {str(code): name for code, name in enumerate(EMOTIONS)}


@pytest.mark.soak
def test_another_choice_of_columns_is_kept(server: Server, bring_report: Callable[[str, int], Page]) -> None:
    """The shop's report asks for prices, which no guess would find."""
    page = bring_report("grocery.csv", 1_757)
    page.locator("#answer-column input").click()
    page.get_by_role("option", name="Price", exact=True).click()
    expect(page.locator("#example")).to_contain_text("$56.99<|im_end|>", timeout=SLOW)
    assert saved(server, "grocery.csv")["columns"]["answer"] == "Price"
    expect(page.locator("#answer-column input")).to_have_value("Price")


def test_quotes_to_go_on_with_need_no_question(bring_report: Callable[[str, int], Page]) -> None:
    """Continuing a text takes one column and nobody who speaks: what would be ignored is not shown."""
    page = bring_report("english_quotes.csv", 2_469)
    page.locator("#mapping-more").get_by_role("button").first.click()
    for box in ("#system-prompt", "#instruction", "#few-shot", "#context-column"):
        expect(page.locator(box)).to_be_visible()
    page.locator("#task").get_by_label("Continue texts").check()
    expect(page.locator("#whole-column")).to_be_visible(timeout=SLOW)
    expect(page.locator("#example")).not_to_contain_text("<|im_start|>", timeout=SLOW)
    expect(page.locator("#mapping-notes")).to_contain_text("A typical text has")
    for box in ("#system-prompt", "#instruction", "#few-shot", "#context-column"):
        expect(page.locator(box)).to_be_hidden()
    page.locator("#task").get_by_label("Answer questions like these").check()
    expect(page.locator("#system-prompt")).to_be_visible(timeout=SLOW)
