"""Evidence that one can see: the page behind a citation, an answer's X-ray, the experiment on a table, passages tried on a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, wait_for
from tests.browser.test_documents import HANDBOOK, ask, documents_tab
from tests.browser.test_everybody import CHECKS, focus_by_tab
from tests.helpers import make_cross_encoder

Open = Callable[..., Page]
QUESTION = "Who keeps the spare key to the blue door?"


@pytest.fixture(autouse=True, scope="module")
def patient() -> Iterator[None]:
    expect.set_options(timeout=60_000)
    yield
    expect.set_options(timeout=5_000)


def answered(page: Page) -> None:
    expect(page.locator("#standing")).to_contain_text("Harbour")
    documents_tab(page)
    expect(page.locator("#files")).to_contain_text("12 pages")
    ask(page, QUESTION)
    expect(page.locator(".answer .lead")).to_contain_text("Hanna Pell")
    expect(page.locator(".answer .words span")).to_be_visible()  # the model has finished, and nothing is drawn anew


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1
    found = Axe().run(page, options=CHECKS).response["violations"]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]


@pytest.mark.parametrize("size", [(1280, 720), pytest.param((390, 844), marks=pytest.mark.soak)])
def test_a_citation_opens_its_page_by_keyboard(ready: Server, open_page: Open, size: tuple[int, int]) -> None:
    page = open_page(ready.url, viewport={"width": size[0], "height": size[1]})
    answered(page)
    page.locator(".chips a").first.focus()
    page.keyboard.press("Enter")
    image = page.locator("#page-view img")
    expect(image).to_have_attribute("alt", re.compile("Page 8 of harbour_cafe_handbook.pdf as a picture.*“Hanna Pell next door"))
    assert image.evaluate("(one) => one.complete && one.naturalWidth > 1000")
    mark = page.locator("#page-view .mark").first
    expect(mark).to_be_in_viewport()
    expect(page.locator("#page-view .frame")).to_be_focused()
    inside, outside = mark.bounding_box(), image.bounding_box()
    assert inside and outside
    assert (inside["y"] - outside["y"]) / outside["height"] == pytest.approx(0.719, abs=0.01)
    fits(page)

    focus_by_tab(page, "#page-later")
    page.keyboard.press("Enter")
    expect(image).to_have_attribute("alt", "Page 9 of harbour_cafe_handbook.pdf as a picture.")
    expect(mark).to_be_hidden()
    page.locator("#page-earlier").click()
    expect(mark).to_be_visible()
    frame = page.locator("#page-view .frame")
    place = frame.evaluate("(one) => { one.scrollTop = (one.scrollHeight - one.clientHeight) * 2 / 3; return one.scrollTop; }")
    assert (place > 100) == (size[0] > 640)  # on a phone all of it is seen
    page.locator("#page-borders input").check()
    expect(page.locator("#page-view .borders li")).to_have_count(2)
    wait_for(lambda: abs(frame.evaluate("(one) => one.scrollTop") - place) < 2, 5, "the picture stays where it was")
    middle = "(one) => (one.scrollTop + one.clientHeight / 2) / one.scrollHeight"
    before = frame.evaluate(middle)
    width = image.bounding_box()["width"]  # type: ignore[index]
    page.locator("#page-larger input").check()
    wait_for(lambda: image.bounding_box()["width"] > 1.4 * width, 10, "the picture is larger")  # type: ignore[index]
    assert frame.evaluate(middle) == pytest.approx(before, abs=0.02)
    page.locator("#page-close").click()
    expect(image).to_be_hidden()
    expect(page.locator(".chips a").first).to_be_focused()


def test_on_a_phone_the_question_comes_first_and_the_x_ray_scrolls_in_its_box(ready: Server, open_page: Open) -> None:
    page = open_page(ready.url, viewport={"width": 390, "height": 844})
    answered(page)

    def top(selector: str) -> float:
        return page.locator(selector).bounding_box()["y"]  # type: ignore[index]

    assert top("#document-question") < top("#document-answer") < top("#documents-upload") < top("#files")
    page.locator("#xray > button").first.click()
    expect(page.locator("#xray-seen tbody tr").first).to_contain_text("page 8")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1
    table = page.locator("#xray-seen .wide")
    assert table.evaluate("(one) => { one.scrollLeft = 1000; return one.scrollLeft; }") > 100
    assert page.evaluate("window.scrollX") == 0
    page.evaluate("document.querySelector('#files .files').remove()")
    assert top("#documents-upload") < top("#document-question"), "with nothing to ask yet, adding comes first"


def test_the_x_ray_shows_what_each_step_does(ready: Server, open_page: Open) -> None:
    page = open_page(ready.url, color_scheme="dark")
    answered(page)
    page.locator("#xray > button").first.click()
    first = page.locator("#xray-seen tbody tr").first
    expect(first).to_contain_text("page 8")
    expect(first.locator("td").nth(2)).to_contain_text("1 12.78")
    expect(page.locator("#xray-seen pre")).to_contain_text("<|im_start|>user")
    expect(page.locator("#xray-seen pre")).to_contain_text(QUESTION)
    usual = page.locator("#xray-seen tbody tr td:first-child b").all_inner_texts()
    fits(page)
    page.locator("#xray-keyword input").uncheck()
    expect(first.locator("td").nth(2)).to_have_text("–")
    expect(page.locator("#xray-seen")).to_contain_text("Meaning counted 100 %")
    expect(page.locator("#xray-seen td small:is(.up, .down, .new)").first).to_be_visible()
    assert len(usual) == 10
    page.locator("#xray-keyword input").check()
    expect(page.locator("#xray-seen")).to_contain_text("Meaning counted 20 %")
    page.locator("#xray-weight input[type=range]").focus()
    page.keyboard.press("End")
    expect(page.locator("#xray-seen")).to_contain_text("Meaning counted 100 %")
    expect(page.locator("#xray-own-weight input")).not_to_be_checked()
    page.locator("#xray-keyword input").uncheck()
    expect(first.locator("td").nth(2)).to_have_text("–")
    page.locator("#xray-dense input").uncheck()
    expect(page.locator(".toast-body")).to_contain_text("at least one")
    page.locator("#xray-seen [data-pick=candidate-0]").click()
    expect(page.locator("#page-view .borders li").first).to_be_visible()
    expect(page.locator("#page-borders input")).to_be_checked()


def test_how_to_search_reaches_the_answer_and_its_x_ray(ready: Server, open_page: Open, tmp_path: Path) -> None:
    encoder = f"local:{make_cross_encoder(tmp_path / 'encoder')}"
    page = open_page(ready.url)
    answered(page)
    passages, places = page.locator("#document-passages .where"), page.locator("#document-passages .where a")
    usual = places.all_inner_texts()
    assert "reranker" not in passages.first.inner_text()
    page.locator("#document-settings > button").first.click()
    page.locator("#search-reranker input").fill(encoder)
    page.locator("#search-reranker input").press("Enter")
    page.locator("#search-mode input[value=keyword]").check()
    expect(page.locator("#search-thesaurus input")).not_to_be_checked()
    expect(page.locator("#search-weight")).to_be_hidden()
    fits(page)
    ask(page, QUESTION)
    expect(passages.first).to_contain_text(re.compile(r"no\. \d+ by words · reranker 0\.\d\d"))
    assert places.all_inner_texts() != usual and not any("by meaning" in one for one in passages.all_inner_texts())

    page.locator("#xray > button").first.click()
    seen = page.locator("#xray-seen tbody tr a")
    expect(seen).to_have_count(10)
    assert [re.sub(r"^\d+\. ", "", one) for one in places.all_inner_texts()] == seen.all_inner_texts()[:6], "what is shown is what happened"
    expect(page.locator("#xray-reranker input")).to_have_value(encoder)
    expect(page.locator("#xray-keyword input")).to_be_checked()
    for off in ("dense", "thesaurus"):
        expect(page.locator(f"#xray-{off} input")).not_to_be_checked()

    page.locator("#search-mode input[value=hybrid]").check()
    expect(page.locator("#search-thesaurus input")).to_be_checked()
    page.locator("#search-own-weight input").uncheck()
    page.locator("#search-weight input[type=range]").focus()
    page.keyboard.press("End")
    page.locator("#xray-dense input").check()  # tried in the X-ray; the next question begins anew
    ask(page, QUESTION)
    expect(page.locator("#xray-seen")).to_contain_text("Meaning counted 100 %")
    expect(page.locator("#xray-own-weight input")).not_to_be_checked()
    expect(page.locator("#xray-thesaurus input")).to_be_checked()

    page.locator("#xray > button").first.click()
    page.locator("#search-own-weight input").check()
    ask(page, "How much does the pool cost?")
    expect(passages.first).to_contain_text("reranker")
    page.locator("#xray > button").first.click()  # while the answer may still be worded, and before the switches were set
    expect(page.locator("#xray-seen thead")).to_contain_text("Reranker")
    expect(page.locator("#xray-seen")).to_contain_text("Meaning counted 20 %")

    page.locator("#search-reranker input").fill("nobody/nothing-of-that-name")
    page.locator("#search-reranker input").press("Enter")
    ask(page, QUESTION)
    expect(page.get_by_test_id("toast-body").last).to_contain_text("nothing-of-that-name")


def test_steps_can_be_set_by_program(ready: Server) -> None:
    client = ready.client()
    collection = client.predict(api_name="/list_collections")[0]["collection"]
    asked = {"question": QUESTION, "collection": collection}
    seen = client.predict(**asked, settings={"dense": False}, api_name="/xray")
    assert (seen["weight"], seen["weight_from"]) == (0, "set") and seen["candidates"][0]["ranks"] == {"dense": None, "keyword": 1}
    assert "Hanna Pell" in seen["answer"]["answer"] and "<|im_start|>" in seen["read"] and seen["sentences"][0]["score"] > seen["enough"]
    hits = client.predict(**asked, settings={"keyword": False}, api_name="/search")
    assert {hit["ranks"]["keyword"] for hit in hits} == {None}
    *_, last = client.submit(**asked, settings={"weight": 1, "max_new_tokens": 4}, api_name="/ask")
    assert last["citations"]
    for settings, told in (({"weight": 2}, "0 to 1"), ({"keyword": False, "dense": False}, "at least one")):
        with pytest.raises(AppError, match=told):
            client.predict(**asked, settings=settings, api_name="/search")
    *_, small = client.submit(
        files=[handle_file(HANDBOOK)], collection="Small", settings={"tokens": 64, "overlap": 16}, api_name="/index_documents"
    )
    known = {one["collection"]: one for one in client.predict(api_name="/list_collections")}
    assert (known["Small"]["passage_tokens"], known["Small"]["passage_overlap"]) == (64, 16)
    assert small["state"] == "done" and known["Small"]["chunks"] > 2 * known[collection]["chunks"]
    client.predict(collection="Small", api_name="/delete_collection")


@pytest.mark.soak
def test_facts_or_style_on_the_demonstrations_table(ready: Server, open_page: Open) -> None:
    page = open_page(ready.url)
    expect(page.locator("#standing")).to_contain_text("Harbour")
    documents_tab(page)
    page.locator("#facts > button").first.click()
    expect(page.locator("#facts-run input")).to_have_value(re.compile("Harbour"))
    page.locator("#facts-most input[type=number]").fill("4")
    page.keyboard.press("Tab")
    page.locator("#facts-start").click()
    expect(page.locator("#facts-stop")).to_be_visible()
    expect(page.locator("#facts .answers tbody tr")).to_have_count(4)
    expect(page.locator("#facts-stop")).to_be_hidden()
    expect(page.locator("#facts .verdict-line")).to_contain_text("Training gave the style, the documents gave the facts")
    right = page.locator("#facts .sums tbody tr").first.locator("td").all_inner_texts()
    assert right[2] == "4 of 4" and right[1] != "4 of 4"
    fits(page)
    page.reload()
    documents_tab(page)
    expect(page.locator("#files")).to_contain_text("12 pages")  # the rows do not push the person's own documents aside
    page.locator("#facts > button").first.click()
    expect(page.locator("#facts .answers tbody tr")).to_have_count(4)


@pytest.mark.soak
def test_the_size_of_passages_is_tried_on_a_file(ready: Server, open_page: Open) -> None:
    page = open_page(ready.url)
    expect(page.locator("#standing")).to_contain_text("Harbour")
    documents_tab(page)
    page.get_by_text("Manage collections and documents").click()
    page.locator("#passage-size > button").first.click()
    page.locator("#embedder input").fill("paraphrase")
    page.get_by_role("option", name="paraphrase-multilingual-MiniLM-L12-v2").click()
    limit = page.locator("#passage-limit [role=status]")
    expect(limit).to_contain_text("reads the first 126 tokens of a passage")
    page.locator("#embedder input").fill("Starter")
    page.get_by_role("option", name="Starter embedder").click()
    expect(limit).to_have_count(0)
    told = page.locator("#passage-preview [role=status]")
    page.locator("#passage-file input[type=file]").set_input_files(str(HANDBOOK))
    expect(told).to_contain_text("3 of 12.")
    before = page.locator("#passage-preview .cuts li").count()
    page.locator("#passage-tokens input[type=range]").focus()
    page.keyboard.press("Home")
    expect(page.locator("#passage-tokens input[type=number]")).to_have_value("64")
    wait_for(lambda: page.locator("#passage-preview .cuts li").count() > before, 30, "more passages")
    fits(page)


def test_long_passages_and_squeezed_switches(ready: Server, open_page: Open) -> None:
    """A passage without the answer takes some lines and scrolls, the marked one is whole; on a phone no switch is a sliver."""
    page = open_page(ready.url)
    expect(page.locator("#standing")).to_contain_text("Harbour")
    documents_tab(page)
    label, zone = page.locator("#documents-upload label").bounding_box(), page.locator("#documents-upload").bounding_box()
    arrow = page.locator("#documents-upload .icon-wrap").bounding_box()
    assert label and zone and arrow and zone["y"] < arrow["y"] and arrow["y"] + arrow["height"] <= label["y"]
    page.locator(".sample:visible").first.click()
    expect(page.locator("#document-answer .chips a").first).to_be_visible()
    texts = page.locator("#document-passages .passages p")
    sizes = texts.evaluate_all("all => all.map(one => [!!one.querySelector('mark'), one.clientHeight, one.scrollHeight])")
    assert any(marked and height > 140 for marked, height, _ in sizes)
    assert any(whole > height > 0 for _, height, whole in sizes) and all(marked or height < 140 for marked, height, _ in sizes)
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#xray > button").first.click()
    for one in ("keyword", "dense", "thesaurus", "own-weight", "weight"):
        box = page.locator(f"#xray-{one}").bounding_box()
        assert box and box["width"] > 180, one
    field = page.locator("#document-question").bounding_box()
    assert field and field["width"] > 300
    fits(page)
