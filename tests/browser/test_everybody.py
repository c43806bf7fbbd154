"""Two languages, dark mode, a phone, and the keyboard alone; automatic accessibility checks by axe-core (WCAG 2.1 A and AA)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import PROJECT, Server

Open = Callable[..., Page]
TABS = 4
OUTLINED = """(() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" || style.boxShadow !== "none";
})()"""
CHECKS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


def visit(page: Page, number: int) -> None:
    """Open a tab by its place, and fill it as a person would."""
    page.get_by_role("tab").nth(number).click()
    page.wait_for_timeout(1500)
    if number >= 2:
        page.locator(".sample:visible").first.click()
        page.locator("#by-tuned, .chips").locator("visible=true").first.wait_for(timeout=90_000)
        page.wait_for_timeout(2500)


@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"color_scheme": "dark"}, marks=pytest.mark.soak),
        pytest.param({"viewport": {"width": 390, "height": 844}}, marks=pytest.mark.soak),
        {"viewport": {"width": 390, "height": 844}, "locale": "pt-BR", "color_scheme": "dark"},
    ],
    ids=["projector", "dark", "phone", "phone-dark-portuguese"],
)
def test_every_tab_fits_and_can_be_read(ready: Server, open_page: Open, options: dict) -> None:
    page = open_page(ready.url, **options)
    expect(page.locator("#mapping-notes")).not_to_be_empty(timeout=30_000)
    for number in range(TABS):
        visit(page, number)
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1, f"tab {number} is too wide"
        found = Axe().run(page, options=CHECKS).response["violations"]
        assert not found, [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]


def words(language: str) -> dict[str, str]:
    def flat(tree: dict, prefix: str = "") -> Iterator[tuple[str, str]]:
        for key, value in tree.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{key}.")
            else:
                yield prefix + key, value

    tree = json.loads((PROJECT / "assets" / "locales" / f"{language}.json").read_text("utf-8"))
    tree.pop("sentences", None)
    return dict(flat(tree))


@pytest.mark.parametrize("locale", ["pt-BR", pytest.param("pt-PT", marks=pytest.mark.soak), pytest.param("pt", marks=pytest.mark.soak)])
def test_no_english_is_left_for_a_brazilian(ready: Server, open_page: Open, locale: str) -> None:
    page = open_page(ready.url, locale=locale)
    english, portuguese = words("en"), words("pt-BR")
    telling = {text for key, text in english.items() if portuguese[key] != text and len(text) > 14 and not set("{#") & set(text)}
    telling -= {text for key, text in english.items() if key.startswith("sample.")}  # a dataset keeps the name of its file
    for number in range(TABS):
        visit(page, number)
        seen = page.locator("body").inner_text()
        assert not {text for text in telling if text in seen}
    assert page.evaluate("document.documentElement.lang").startswith("pt")


def test_the_language_can_be_switched_and_is_remembered(ready: Server, open_page: Open) -> None:
    page = open_page(ready.url)
    expect(page.get_by_role("tab").first).to_have_text("Dataset")
    page.locator("#language").click()
    expect(page.get_by_role("tab").first).to_have_text("Dados", timeout=20_000)
    expect(page.locator("#strip")).to_contain_text("linhas")  # a sentence made on the server
    page.reload()
    expect(page.get_by_role("tab").first).to_have_text("Dados")
    page.locator("#language").click()
    expect(page.get_by_role("tab").first).to_have_text("Dataset", timeout=20_000)
    expect(page.locator("#strip")).to_contain_text("rows")


def test_an_error_is_told_in_portuguese(ready: Server, open_page: Open) -> None:
    page = open_page(ready.url, locale="pt-BR")
    page.get_by_role("tab").nth(3).click()
    page.locator("#document-send").click()
    expect(page.get_by_test_id("toast-body").last).to_contain_text("pergunta", timeout=20_000)


def focus_by_tab(page: Page, wanted: str, most: int = 60) -> None:
    """Press the Tab key until the focus is in `wanted`; every stop on the way must be visible as such."""
    for _ in range(most):
        page.keyboard.press("Tab")
        inside = page.evaluate(f"document.activeElement.closest({json.dumps(wanted)}) !== null")
        if inside:
            assert page.evaluate(OUTLINED), "the focus cannot be seen"
            return
    raise AssertionError(f"{wanted} cannot be reached by the Tab key")


def test_a_question_to_a_document_by_keyboard_alone(ready: Server, open_page: Open) -> None:
    page = open_page(ready.url)
    expect(page.locator("#mapping-notes")).not_to_be_empty(timeout=30_000)
    focus_by_tab(page, "[role=tab]")
    for _ in range(TABS):
        if page.evaluate("document.activeElement.innerText") == "Documents":
            break
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Documents"
    page.keyboard.press("Enter")
    expect(page.locator("#files")).to_contain_text("12 pages")
    focus_by_tab(page, "#document-question")
    page.keyboard.type("Who keeps the spare key to the blue door?")
    page.keyboard.press("Enter")
    expect(page.locator(".chips a").first).to_be_visible(timeout=90_000)
    focus_by_tab(page, ".chips a")


def test_what_was_answered_into_nothing_comes_all_the_same(ready: Server, chromium: Browser) -> None:
    """The page's stream of answers closes at the wrong moment, as it does once in some hundred visits."""
    page = chromium.new_context(locale="en-US").new_page()
    closed: list[float] = []

    def close_at_once(route: Route) -> None:
        """So do the first of them; the page's own first events are all sent by then."""
        if closed and time.monotonic() > closed[0] + 2:
            route.continue_()
        else:
            closed.append(time.monotonic())
            route.fulfill(content_type="text/event-stream", body='data: {"msg": "close_stream"}\n\n')

    page.route("**/queue/data*", close_at_once)
    page.goto(ready.url)
    expect(page.locator("#standing")).to_contain_text("622 rows", timeout=30_000)
    assert closed
    page.context.close()
