"""See inside: probabilities by token, the right answer's numbers and the raw text, with eyes, keys and a thumb."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.test_everybody import CHECKS, focus_by_tab

Open = Callable[..., Page]
SHOTS = os.environ.get("INSIDE_SHOTS", "")  # a folder for pictures, to be looked at by a person


def asked(page: Page, question: str | None = None) -> None:
    """Ask one of the examples, or a question, and open the folded part."""
    page.get_by_role("tab").nth(2).click()
    page.locator(".sample:visible").first.wait_for()
    if question:
        page.locator("#question textarea").fill(question)
        page.locator("#send").click()
    else:
        page.locator(".sample:visible").first.click()
    for name in ("base", "tuned"):
        expect(page.locator(f"#by-{name}")).to_contain_text(re.compile(r"[1-9]\d* tokens"), timeout=90_000)
    page.wait_for_timeout(1500)
    page.locator("#inside > button").click()


def shown(page: Page) -> None:
    page.locator("#inside-show").click()
    expect(page.locator("#inside-told .answers section")).to_have_count(2, timeout=60_000)


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def checked(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1, "the page is too wide"
    found = Axe().run(page, options=CHECKS).response["violations"]
    assert not found, [(one["id"], [(node["target"], node["failureSummary"]) for node in one["nodes"]][:3]) for one in found]


def test_a_token_shows_what_else_was_likely(ready: Server, open_page: Open) -> None:
    page = open_page(ready.url)
    asked(page)
    expect(page.locator("#inside-right textarea")).to_have_value(re.compile("Ahoy"))
    shown(page)
    numbers = page.locator("#inside-told .right .figures dd")
    expect(numbers).to_have_count(2)
    base, tuned = (float(re.findall(r"[\d.]+", text)[0]) for text in numbers.all_inner_texts())
    assert 0 <= base < tuned <= 100
    answers = page.locator("#inside-told .answers section")
    written = page.locator("#pane-tuned .bot").last.inner_text()
    tokens = answers.nth(1).locator(".tok")
    joined = "".join(tokens.nth(n).evaluate("e => e.firstChild.textContent") for n in range(tokens.count() - 1))
    assert " ".join(joined.split()) == " ".join(written.split())
    expect(tokens.last).to_contain_text("<|im_end|>")
    expect(page.locator("#inside-told .answers .tok.marked").first).to_contain_text(re.compile("[①②③④⑤]"))
    shoot(page, "answers")

    focus_by_tab(page, "#inside-told .answers .tok", 120)
    box = page.locator(".tok:focus > .pop")
    expect(box).to_be_visible()
    expect(box).to_contain_text("The five likeliest here")
    expect(box.locator(".number.base")).to_have_count(6)  # the token's own, and five
    expect(box.locator(".number.tuned")).to_have_count(6)
    expect(box).to_contain_text(re.compile(r"differ here by [\d.]+ bits"))
    described = page.evaluate("document.getElementById(document.activeElement.getAttribute('aria-describedby')).innerText")
    assert "Base" in described and "Tuned" in described and "%" in described
    shoot(page, "focused")
    page.keyboard.press("Tab")
    expect(page.locator(".pop:visible")).to_have_count(1)

    answers.nth(1).locator(".tok.marked").first.hover()
    expect(page.locator(".pop:visible")).to_have_count(1)
    expect(page.locator(".tok:focus > .pop")).to_be_visible()  # a mouse that rests somewhere does not hide what the keys have reached
    answers.nth(1).locator(".tok").nth(4).click()
    answers.nth(1).locator(".tok.marked").first.hover()
    expect(page.locator(".pop:visible")).to_have_count(1)
    expect(page.locator(".tok:hover > .pop")).to_contain_text("disagree most")
    shoot(page, "hovered")

    page.locator("#inside-told summary").last.click()
    raw = page.locator("#inside-told .raw")
    expect(raw.locator("pre")).to_have_count(3)
    expect(raw.locator("pre").first).to_contain_text("<|im_start|>user")
    expect(raw.locator("pre").first.locator("b").first).to_have_text("<|im_start|>")
    expect(raw.locator("pre").last).to_contain_text(re.compile(r"^Ahoy!.*<\|im_end\|>$", re.DOTALL))
    raw.scroll_into_view_if_needed()
    shoot(page, "raw")
    page.locator("#inside-told .right summary").click()
    expect(page.locator("#inside-told .right .tokens")).to_have_count(2)
    page.locator("#inside-told .right").scroll_into_view_if_needed()
    shoot(page, "right")

    page.locator("#inside-right textarea").fill("Bananas are blue.")
    page.locator("#inside-right textarea").press("Enter")
    expect(page.locator("#inside-told .right blockquote")).to_have_text("Bananas are blue.", timeout=60_000)
    page.locator("#send").click()
    expect(page.locator("#inside-told .answers")).to_have_count(0, timeout=60_000)


def test_html_in_an_answer_is_text(ready: Server, open_page: Open) -> None:
    page = open_page(ready.url)
    asked(page, "<img src=x onerror=\"document.title='taken'\"> <b>Are</b> dogs allowed?")
    page.locator("#inside-right textarea").fill("<script>document.title='taken'</script><i>no</i> <|im_end|>")
    shown(page)
    expect(page.locator("#inside-told .right blockquote")).to_have_text("<script>document.title='taken'</script><i>no</i> <|im_end|>")
    page.locator("#inside-told summary").last.click()
    expect(page.locator("#inside-told .raw pre").first).to_contain_text("<b>Are</b> dogs")
    assert page.locator("#inside-told img, #inside-told script, #inside-told blockquote i").count() == 0
    assert page.title() != "taken"


def test_before_any_question(ready: Server, open_page: Open) -> None:
    page = open_page(ready.url)
    page.get_by_role("tab").nth(2).click()
    page.locator(".sample:visible").first.wait_for()
    page.locator("#inside > button").click()
    page.locator("#inside-show").click()
    expect(page.get_by_test_id("toast-body").last).to_contain_text("Ask a question first", timeout=20_000)


@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"color_scheme": "dark"}, marks=pytest.mark.soak),
        pytest.param({"viewport": {"width": 390, "height": 844}, "has_touch": True}, marks=pytest.mark.soak),
        {"viewport": {"width": 390, "height": 844}, "locale": "pt-BR", "color_scheme": "dark", "has_touch": True},
    ],
    ids=["light", "dark", "phone", "phone-dark-portuguese"],
)
def test_everybody_can_read_it(ready: Server, open_page: Open, options: dict, request: pytest.FixtureRequest) -> None:
    page = open_page(ready.url, **options)
    asked(page)
    shown(page)
    page.locator("#inside-told summary").last.click()
    page.locator("#inside-told .right summary").click()
    checked(page)
    page.mouse.move(0, 0)
    tokens = page.locator("#inside-told .answers section").nth(1).locator(".tok")
    right = page.locator("#inside-told .right .tok").nth(1)
    for name, token in (("early", tokens.nth(3)), ("last", tokens.last), ("right", right)):
        token.scroll_into_view_if_needed()
        token.tap() if options.get("has_touch") else token.focus()
        box = token.locator(".pop")
        expect(box).to_be_visible()
        place = box.bounding_box()
        assert place and place["x"] >= 0 and place["x"] + place["width"] <= page.viewport_size["width"], json.dumps(place)
        assert place["height"] > 100
        if options.get("has_touch"):
            assert place["y"] >= 0 and place["y"] + place["height"] <= page.viewport_size["height"]
        checked(page)
        shoot(page, f"{request.node.callspec.id}-{name}")


def test_by_program(ready: Server) -> None:
    client = ready.client()
    run = client.predict(api_name="/list_runs")[0]["run_id"]
    seen = client.predict(
        api_name="/look_inside", prompt="Are dogs allowed?", run_id=run, answers={"mine": "Ahoy! Yes."}, right="Ahoy! Dogs are welcome."
    )
    (piece, *_) = seen["answers"]["mine"]["pieces"]
    assert piece["tokens"][0]["by"]["tuned"]["probability"] > piece["tokens"][0]["by"]["base"]["probability"]
    assert seen["right"]["by"]["tuned"]["probability"] > seen["right"]["by"]["base"]["probability"]
    assert seen["right"]["by"]["tuned"]["log_probability"] < 0
    assert seen["proofs"]["base"] is None and seen["proofs"]["tuned"]["run_id"] == run
    assert "".join(text for text, _ in seen["prompts"]["base"]["raw"]).endswith("<|im_start|>assistant\n")
