"""Many questions at once, as a person asks them: rows the run never saw, a list, a file; to filter, take away, stop and find again."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from gradio_client import Client
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, wait_for
from tests.browser.test_everybody import CHECKS, focus_by_tab

Open = Callable[..., Page]
HARD = "Who keeps the spare key to the blue door?"


@pytest.fixture(autouse=True, scope="module")
def patient() -> Iterator[None]:
    """Models answer while the page is looked at: on a busy machine, everything on it takes longer."""
    expect.set_options(timeout=30_000)
    yield
    expect.set_options(timeout=5_000)


def chat(page: Page) -> None:
    """Open the Chat tab with its run chosen."""
    expect(page.locator("#strip")).to_contain_text(re.compile("finished|concluído"), timeout=60_000)
    page.get_by_role("tab").nth(2).click()
    expect(page.locator(".sample:visible").first).to_be_visible(timeout=60_000)


def unfold(page: Page) -> None:
    if not page.locator("#many-start").is_visible():  # it opens by itself where a list is under way
        page.locator("#many > button").first.click()
    expect(page.locator("#many-start")).to_be_visible()


def choose(page: Page, group: str, value: str) -> None:
    page.locator(f"#{group} input[value={value}]").check()


def at_most(page: Page, number: int) -> None:
    page.locator("#many-most input").fill(str(number))
    page.locator("#many-most input").press("Tab")


def paste(page: Page, where: str, text: str) -> None:
    """All of it in one event; `fill` makes one of each line, after each of which the box is measured anew."""
    put = "(box, text) => { box.value = text; box.dispatchEvent(new Event('input', { bubbles: true })); }"
    page.locator(where).evaluate(put, text)


def finished(page: Page) -> None:
    expect(page.locator("#many-stop")).to_be_hidden(timeout=120_000)
    expect(page.locator("#many-table tbody tr").first).to_be_visible()


def rows(page: Page) -> int:
    return page.locator("#many-table tbody tr").count()


def offered(page: Page, which: str) -> tuple[int, int]:
    """(n, of how many) of a filter."""
    told = page.locator("#many-filter label", has=page.locator(f"input[value={which}]")).inner_text()
    found = re.search(r"\((\d+) (?:of|de) (\d+)\)", told)
    assert found, told
    return int(found[1]), int(found[2])


def asked_by_program(client: Client, run_id: str, questions: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `/compare_many` says at once, and its job when that is done."""
    begun = client.predict(api_name="/compare_many", questions=questions, run_id=run_id, settings={"max_new_tokens": 8}, rows=None)

    def job() -> dict[str, Any]:
        return client.predict(api_name="/get_job", job_id=begun["job_id"])

    return begun, wait_for(lambda: (one := job())["state"] == "done" and one, 60, "the list is asked")


def taken_away(page: Page, format: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.locator(f"#many-{format}").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1
    found = Axe().run(page, options=CHECKS).response["violations"]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]


@pytest.mark.soak
def test_unseen_rows_by_keyboard_filtered_taken_away_and_found_again(ready: Server, open_page: Open, tmp_path: Path) -> None:
    page = open_page(ready.url)
    chat(page)
    focus_by_tab(page, "#many > button")
    page.keyboard.press("Enter")
    expect(page.locator("#many-empty")).to_contain_text("No list has been asked yet")
    at_most(page, 12)
    page.locator("#many-most input").focus()
    focus_by_tab(page, "#many-start")
    page.keyboard.press("Enter")
    expect(page.locator("#many-working progress")).to_be_visible()
    expect(page.locator("#many-working")).to_contain_text("of 12 answered")
    finished(page)
    assert rows(page) == 12
    (run,) = ready.client().predict(api_name="/list_runs")
    expect(page.locator("#many-by")).to_contain_text(re.compile(r"with adapter .* \([0-9a-f]{12}\)"))
    assert offered(page, "all") == (12, 12)
    expect(page.locator("#many-figures")).to_contain_text("of 12")

    differ, _ = offered(page, "differ")
    choose(page, "many-filter", "differ")
    expect(page.locator("#many-table tbody tr")).to_have_count(differ)
    choose(page, "many-filter", "lost")
    expect(page.locator("#many-table")).to_contain_text("No row is like that" if not offered(page, "lost")[0] else "Question")
    fits(page)

    with taken_away(page, "csv", tmp_path).open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 12 and all(line["tuned"].startswith("Ahoy!") and not line["base"].startswith("Ahoy!") for line in lines)
    assert all(line["question"] and line["right_answer"] and line["date"] for line in lines)
    whole = json.loads(taken_away(page, "json", tmp_path).read_text("utf-8"))
    assert whole["run_id"] == run["run_id"] and whole["settings"]["max_new_tokens"] == 96
    assert {row["tuned"]["adapter"]["sha256"] for row in whole["rows"]} == {whole["adapter"]} == {line["adapter_sha256"] for line in lines}
    assert sum(row["same"] is False for row in whole["rows"]) == differ

    page.reload()
    chat(page)
    unfold(page)
    finished(page)
    assert rows(page) == 12


def test_a_file_with_questions_and_right_answers(ready: Server, open_page: Open, tmp_path: Path) -> None:
    client = ready.client()
    (run,) = client.predict(api_name="/list_runs")
    asked_by_program(client, run["run_id"], ["Dogs?"])  # the list before this one
    said = client.submit(api_name="/compare", prompt=HARD, run_id=run["run_id"], settings={"max_new_tokens": 96}).result()
    path = tmp_path / "exam.csv"
    lines = [("number", "pergunta", "resposta"), (1, HARD, said["tuned"]["text"].upper() + " "), (2, "<b>Dogs?</b>", "=1+1"), (3, "", "x")]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    page = open_page(ready.url)
    chat(page)
    unfold(page)
    choose(page, "many-source", "file")
    page.set_input_files("#many-file input[type=file]", path)
    expect(page.locator("#many-read")).to_contain_text("3 rows")
    expect(page.locator("#many-asks input")).to_have_value("pergunta")
    expect(page.locator("#many-answers input")).to_have_value("resposta")
    page.locator("#many-start").click()
    expect(page.locator("#many-by")).to_contain_text("skipped: 1", timeout=120_000)
    finished(page)
    assert rows(page) == 2
    assert offered(page, "gained") == (1, 2) and offered(page, "wrong") == (1, 2)
    choose(page, "many-filter", "gained")
    expect(page.locator("#many-table tbody tr")).to_have_count(1)
    expect(page.locator("#many-table")).to_contain_text(HARD)
    choose(page, "many-filter", "wrong")
    expect(page.locator("#many-table")).to_contain_text("<b>Dogs?</b>")
    expect(page.locator("#many-rounds")).to_be_visible()  # the list before this one is there too
    text = taken_away(page, "csv", tmp_path).read_text("utf-8-sig")
    assert "'=1+1" in text and ",=1+1" not in text

    damaged = tmp_path / "damaged.xlsx"
    damaged.write_bytes(b"PK\x03\x04 nothing")
    page.locator("#many-file button[aria-label*=emove], #many-file button[aria-label=Clear]").first.click()
    page.set_input_files("#many-file input[type=file]", damaged)
    expect(page.locator("#many-read")).to_contain_text("damaged.xlsx")
    expect(page.locator("#many-asks")).to_be_hidden()


@pytest.mark.soak
def test_it_goes_on_without_the_page_and_stops_when_asked(ready: Server, open_page: Open) -> None:
    page = open_page(ready.url)
    chat(page)
    unfold(page)
    choose(page, "many-source", "lines")
    paste(page, "#many-lines textarea", "\n".join(f"{HARD} {number}" for number in range(1_100)))
    at_most(page, 1_000)  # so many that they are still being asked when the page is back
    page.locator("#many-start").click()
    expect(page.locator("#many-working")).to_contain_text(re.compile(r"[1-9]\d* of 1,000 answered.* left"), timeout=60_000)
    page.locator("#many-start").click()
    expect(page.get_by_test_id("toast-body").last).to_contain_text("still being asked")

    page.reload()
    chat(page)
    expect(page.locator("#many-working progress")).to_be_visible(timeout=30_000)  # unfolded by itself
    page.locator("#many-stop").click()
    expect(page.locator("#many-working")).to_contain_text(re.compile(r"Stopped: \d+ of 1,000"), timeout=30_000)
    finished(page)
    kept, total = offered(page, "all")
    assert 0 < kept == total < 1_000
    expect(page.locator("#many-by")).to_contain_text("not asked: 100")
    if kept > 25:  # as many as a page of the table has
        expect(page.locator("#many-place")).to_contain_text(f"of {kept}")
        page.locator("#many-later").click()
        expect(page.locator("#many-table tbody tr").first).to_contain_text("26")


@pytest.mark.parametrize(
    "options",
    [pytest.param({}, id="projector", marks=pytest.mark.soak), pytest.param({"viewport": {"width": 390, "height": 844}}, id="phone")],
)
def test_it_fits_and_can_be_read_in_the_dark_and_in_portuguese(ready: Server, open_page: Open, options: dict) -> None:
    page = open_page(ready.url, locale="pt-BR", color_scheme="dark", **options)
    chat(page)
    unfold(page)
    choose(page, "many-source", "lines")
    page.locator("#many-lines textarea").fill(f"{HARD}\t{'very long ' * 90}\n{'word' * 60}\n")
    at_most(page, 0)
    page.locator("#many-start").click()
    expect(page.get_by_test_id("toast-body").last).to_contain_text("de 1 a 1.000")
    at_most(page, 5)
    page.locator("#many-start").click()
    expect(page.locator("#many-filter")).to_contain_text("todas as linhas (2 de 2)", timeout=120_000)
    finished(page)
    page.get_by_text("Ler o resto").first.click()
    expect(page.get_by_test_id("toast-body")).to_have_count(0, timeout=20_000)  # it would cover what is below
    fits(page)


def test_a_program_asks_a_list_and_follows_the_job(ready: Server) -> None:
    client = ready.client()
    (run,) = client.predict(api_name="/list_runs")
    begun, told = asked_by_program(client, run["run_id"], [HARD, {"question": "Dogs?", "answer": "No."}, ""])
    assert (begun["total"], begun["skipped"]) == (2, 1)
    assert (told["done"], told["error"]) == (2, None)
    first, second = told["result"]["rows"]
    assert first["question"] == HARD and first["right"] is None and first["tuned_right"] is None
    assert second["right"] == "No." and second["tuned"]["adapter"]["run_id"] == run["run_id"] and second["base"]["adapter"] is None
    unseen = client.predict(api_name="/compare_many", questions=None, run_id=run["run_id"], settings={"max_new_tokens": 2}, rows=3)
    assert unseen["total"] == 3
