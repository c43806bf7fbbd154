"""What a person sees at the first start, and after a class."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, wait_for

Open = Callable[..., Page]


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def test_everything_can_be_seen_at_the_first_start(start_server: Callable[..., Server], open_page: Open) -> None:
    page = open_page(start_server(demonstration=True).url)
    expect(page.locator("#strip")).to_contain_text("finished")
    tab(page, "Train")
    expect(page.locator("#run-told")).to_contain_text("Finished in")
    expect(page.locator("#run-chart svg")).to_be_visible()
    expect(page.locator("#watched .now")).to_have_count(3)
    last = page.locator("#watched h3").inner_text()
    page.locator("#watch-slider input[type=number]").fill("0")
    page.locator("#watch-slider input[type=number]").press("Enter")
    expect(page.locator("#watched h3")).to_contain_text("Before learning")
    assert page.locator("#watched h3").inner_text() != last

    tab(page, "Chat")
    page.locator(".sample:visible").first.click()
    expect(page.locator("#by-tuned")).to_contain_text(re.compile(r"with adapter .*[1-9]\d* tokens in"), timeout=90_000)
    page.wait_for_timeout(500)
    base, tuned = (page.locator(f"#pane-{name} .bot").last.inner_text() for name in ("base", "tuned"))
    assert base != tuned and tuned.startswith("Ahoy!") and not base.startswith("Ahoy!")

    tab(page, "Documents")
    page.locator(".sample:visible").first.click()
    expect(page.locator(".chips a").first).to_contain_text("page", timeout=90_000)


def test_it_comes_back_after_a_class_and_only_takes_what_was_agreed_to(start_server: Callable[..., Server], open_page: Open) -> None:
    server = start_server(demonstration=True)
    page = open_page(server.url)
    expect(page.locator("#strip")).to_contain_text("finished")
    client = server.client()
    client.predict(api_name="/import_dataset", file=None, sample=client.predict(api_name="/list_samples")[1]["name"])
    (run,) = client.predict(api_name="/list_runs")
    client.predict(run_id=run["run_id"], api_name="/delete_run")
    client.predict(collection=client.predict(api_name="/list_collections")[0]["collection"], api_name="/delete_collection")
    page.reload()
    expect(page.locator("#strip")).to_contain_text("none yet")  # what was deleted stays deleted

    page.get_by_text("After a class: bring back the demonstration").click()
    page.locator("#restore").click()
    expect(page.locator("#restored")).to_contain_text("is back", timeout=30_000)
    assert len(client.predict(api_name="/list_runs")) == 1 and len(client.predict(api_name="/list_collections")) == 1
    kept = len(client.predict(api_name="/list_datasets"))
    assert kept >= 2

    (before,) = client.predict(api_name="/list_runs")
    page.get_by_label("Also delete all my other").check()
    page.locator("#restore").click()

    def anew() -> bool:
        runs = client.predict(api_name="/list_runs")
        return len(runs) == 1 and runs[0]["run_id"] != before["run_id"]

    wait_for(anew, 30, "the demonstration is there anew")
    assert len(client.predict(api_name="/list_datasets")) == 1
    tab(page, "Chat")
    page.locator(".sample:visible").first.click()
    expect(page.locator("#by-tuned")).to_contain_text("with adapter", timeout=90_000)
