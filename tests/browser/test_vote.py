"""The blind vote as a class has it: an instructor's page, and phones that are browsers of their own."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from gradio_client.exceptions import AppError
from playwright.sync_api import Browser, Page, expect

from playground.ui.addresses import local_address
from tests.browser.conftest import Server
from tests.browser.test_everybody import CHECKS

Open = Callable[..., Page]
SMALL = {"viewport": {"width": 390, "height": 844}}
NASTY = '<img src=x onerror="document.title=1"><b>bold</b>'
MIXED = [{"key": "base", "name": "Base", "text": NASTY}, {"key": "tuned", "name": "My <i>run</i>", "text": "Yes.\n\nOn a lead."}]


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Three browsers and a model share a few cores here."""
    expect.set_options(timeout=60_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Open]:
    """Open a vote's link in a browser of its own; fails afterwards on script errors, on what the page's policy forbade, on what left."""
    contexts, complaints = [], []

    def begin(link: str, **options: Any) -> Page:
        context = chromium.new_context(**{**SMALL, "locale": "en-US", **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"script error: {error}"))
        page.on("console", lambda line: "Content Security Policy" in line.text and complaints.append(line.text))
        page.on("request", lambda asked: asked.url.startswith(link.split("/vote")[0]) or complaints.append(f"leaves: {asked.url}"))
        page.goto(link)
        return page

    yield begin
    for context in contexts:
        context.close()
    assert not complaints


def fits_and_can_be_read(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    found = Axe().run(page, options=CHECKS).response["violations"]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]
    for button in page.locator("button").all():
        box = button.bounding_box()
        assert box and box["height"] >= 44 and box["width"] >= 44


def unfold(instructor: Page) -> None:
    instructor.get_by_role("tab").nth(2).click()
    instructor.locator("#vote button.label-wrap").click()


def test_a_class_votes_and_sees_who_wrote_what(ready: Server, open_page: Open, phone: Open) -> None:
    instructor = open_page(ready.url)
    unfold(instructor)
    expect(instructor.locator("#vote-offer")).to_contain_text("Ask a question above first")
    expect(instructor.locator("#vote-start")).to_be_hidden()
    instructor.locator(".sample:visible").first.click()
    expect(instructor.locator("#vote-offer")).to_contain_text("The vote will be on the last question", timeout=120_000)
    instructor.locator("#vote-start").click()
    link = instructor.locator("#vote-view .way a").get_attribute("href") or ""
    assert re.fullmatch(re.escape(ready.url) + r"/vote\?id=[0-9a-f]{24}", link)
    assert (instructor.locator("#vote-view .way img").get_attribute("src") or "").startswith("data:image/svg+xml")
    expect(instructor.locator("#vote-view .warn")).to_contain_text("GRADIO_SERVER_NAME=0.0.0.0")
    expect(instructor.locator("#vote-view")).to_contain_text("The panes above show who wrote which answer")
    expect(instructor.locator("#vote-view .ballot li")).to_have_count(2)
    expect(instructor.locator("#vote-count")).to_contain_text("Nobody has voted yet")

    anna, bruno, carla = phone(link), phone(link, locale="pt-BR", color_scheme="dark"), phone(link, viewport={"width": 320, "height": 640})
    for one in (anna, bruno, carla):
        fits_and_can_be_read(one)
    anna.get_by_role("button", name="Vote for answer B").click()
    expect(anna.get_by_role("status")).to_contain_text("Your vote for answer B is counted")
    expect(anna.get_by_role("button", name="Your vote: answer B")).to_have_attribute("aria-pressed", "true")
    bruno.get_by_role("button", name="Votar na resposta A").click()
    expect(bruno.get_by_role("status")).to_contain_text("Seu voto na resposta A foi contado")
    bruno.get_by_role("button", name="Votar na resposta B").click()  # changes his mind
    expect(bruno.get_by_role("status")).to_contain_text("Seu voto na resposta B foi contado")
    carla.get_by_role("button", name="Vote for answer A").click()
    expect(carla.get_by_role("status")).to_contain_text("answer A is counted")
    again = carla.context.new_page()  # votes once more, in a second window
    again.goto(link)
    again.get_by_role("button", name="Your vote: answer A").click()
    expect(again.get_by_role("status")).to_contain_text("answer A is counted")
    for one in (anna, bruno, carla):
        fits_and_can_be_read(one)
    expect(instructor.locator("#vote-count")).to_contain_text("3 votes so far")

    instructor.locator("#vote-reveal").click()
    result = instructor.locator("#vote-view .result")
    expect(result).to_contain_text("Base: before learning")
    lines = result.locator("tr").all_inner_texts()
    assert ["33 % (1 of 3)" in lines[0], "67 % (2 of 3)" in lines[1]] == [True, True], lines
    assert "between 21 % and 94 %" in lines[1]
    expect(instructor.locator("#vote-view .verdict")).to_contain_text("Answer B is ahead, but that may be chance")
    expect(instructor.locator("#vote-view")).to_contain_text("Wilson")
    expect(instructor.locator("#vote-count")).to_be_hidden()
    expect(instructor.locator("#vote-reveal")).to_be_hidden()
    for one, told in ((anna, "The vote is over"), (bruno, "A votação terminou")):
        expect(one.get_by_role("status")).to_contain_text(told)  # without a hand
        expect(one.locator(".result")).to_contain_text("67 %")
        fits_and_can_be_read(one)
    found = Axe().run(instructor, options=CHECKS).response["violations"]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]
    instructor.locator("#vote-again").click()
    expect(instructor.locator("#vote-start")).to_be_visible()
    expect(instructor.locator("#vote-view")).to_be_hidden()


def test_html_in_an_answer_is_text_and_a_reload_finds_the_vote_again(ready: Server, open_page: Open, phone: Open) -> None:
    vote = ready.client().predict(api_name="/open_vote", question=NASTY, answers=MIXED)
    shown = phone(f"{ready.url}/vote?id={vote['vote_id']}", color_scheme="dark")
    expect(shown.get_by_text(NASTY).first).to_be_visible()
    assert shown.locator("img, b, i").count() == 0 and shown.title() == "Which answer is best?"
    for _ in range(2):
        instructor = open_page(ready.url)
        unfold(instructor)
        expect(instructor.locator("#vote-view")).to_contain_text(NASTY)
        assert instructor.locator("#vote-view b, #vote-view i").count() == 0
        assert vote["vote_id"] in (instructor.locator("#vote-view .way a").get_attribute("href") or "")
    shown.locator("button").first.click()
    expect(shown.get_by_role("status")).to_contain_text("is counted")
    instructor.locator("#vote-reveal").click()
    expect(instructor.locator("#vote-view .result")).to_contain_text("My <i>run</i>")


def test_a_phone_without_script_votes_too_and_one_without_cookies_is_told(ready: Server, phone: Open) -> None:
    client = ready.client()
    vote = client.predict(api_name="/open_vote", question="Which?", answers=MIXED)
    plain = phone(f"{ready.url}/vote?id={vote['vote_id']}", java_script_enabled=False)
    plain.get_by_role("button", name="Vote for answer A").click()
    expect(plain.get_by_role("status")).to_contain_text("answer A is counted")
    plain.context.clear_cookies()
    plain.get_by_role("button", name="Vote for answer B").click()
    expect(plain.get_by_role("status")).to_contain_text("Your vote was not counted")
    client.predict(api_name="/reveal_vote", vote_id=vote["vote_id"])
    plain.get_by_role("link", name="Is the result there yet?").click()
    expect(plain.locator(".result tr").first).to_contain_text("100 % (1 of 1)")
    plain.get_by_role("link", name="Português").click()
    expect(plain.get_by_role("status")).to_contain_text("A votação terminou")


def test_in_a_shared_playground_a_stranger_cannot_reveal(start_server: Callable[..., Server], open_page: Open, phone: Open) -> None:
    server = start_server(demonstration=True, GRADIO_SERVER_NAME="0.0.0.0")  # noqa: S104
    client, mine, theirs = server.client(), secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    vote = client.predict(api_name="/open_vote", question="Which?", answers=MIXED, owner=mine)["vote_id"]
    with pytest.raises(AppError, match="no such vote"):
        client.predict(api_name="/reveal_vote", vote_id=vote, owner=theirs)
    with pytest.raises(AppError, match="shared"):
        client.predict(api_name="/reveal_vote", vote_id=vote)
    seen = client.predict(api_name="/cast_vote", vote_id=vote, choice="A", voter="anna")
    assert seen["state"] == "open" and "run" not in str(seen)
    assert client.predict(api_name="/get_vote", vote_id=vote).keys() == {"vote_id", "state", "question", "answers"}
    assert client.predict(api_name="/reveal_vote", vote_id=vote, owner=mine)["result"]["voters"] == 1
    told = client.predict(api_name="/get_vote", vote_id=vote, owner=theirs)
    assert told["result"]["voters"] == 1 and "run" not in str(told)

    instructor = open_page(server.url)  # as 127.0.0.1, which phones cannot reach, though the app is there for all
    unfold(instructor)
    instructor.locator(".sample:visible").first.click()
    instructor.locator("#vote-start").click(timeout=120_000)
    link = instructor.locator("#vote-view .way a").get_attribute("href") or ""
    if local_address():
        expect(instructor.locator("#vote-view")).to_contain_text("address in the local network")
        assert "127.0.0.1" not in link
    far = phone(link)
    far.get_by_role("button", name="Vote for answer A").click()
    expect(instructor.locator("#vote-count")).to_contain_text("One vote so far")
    stranger = open_page(server.url)
    unfold(stranger)
    expect(stranger.locator("#vote-offer")).to_be_visible()
    expect(stranger.locator("#vote-view")).to_be_hidden()
