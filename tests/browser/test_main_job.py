"""The main job, clicked through in a real browser: a table, a run with a live curve, base against tuned."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, wait_for

RUN_SECONDS = 240
Open = Callable[..., Page]


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def take_sample(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).click()
    expect(page.locator("#understood")).to_contain_text(name, timeout=30_000)
    expect(page.locator("#mapping-notes")).to_contain_text("to learn from", timeout=30_000)


def set_expert(page: Page, **settings: str) -> None:
    page.get_by_text("All settings").click()
    page.wait_for_timeout(1000)  # fields are mounted at first sight; a program types faster than that, a person does not
    for name, value in settings.items():
        field = page.locator(f"#setting-{name}").locator("input, textarea").first
        field.fill(value)
        field.press("Tab")
        expect(field).to_have_value(value)


def expect_finished(page: Page) -> None:
    expect(page.locator("#run-told")).to_contain_text("Finished in", timeout=RUN_SECONDS * 1000)


@pytest.fixture(scope="module")
def trained(server: Server) -> Server:
    """The server with one short finished run, made through the programming interface."""
    client = server.client()
    dataset = client.predict(api_name="/import_dataset", file=None, sample=client.predict(api_name="/list_samples")[0]["name"])
    run = client.predict(api_name="/start_run", dataset_id=dataset["dataset_id"], settings={"max_steps": 4})["run_id"]
    wait_for(lambda: client.predict(api_name="/get_run", run_id=run)["state"] in ("done", "failed"), RUN_SECONDS, "the run ends")
    assert client.predict(api_name="/get_run", run_id=run)["state"] == "done"
    return server


def test_from_sample_to_two_answers(start_server: Callable[..., Server], open_page: Open) -> None:
    page = open_page(start_server().url)
    expect(page.locator("#strip")).to_contain_text("none yet")
    take_sample(page, "Harbour")
    expect(page.locator("#example")).to_contain_text("<|im_start|>assistant")
    expect(page.locator("#example mark, #example .highlight, #example [class*=hl]").first).to_be_visible()

    page.locator("#next").click()  # Train on this dataset
    set_expert(page, max_steps="12")
    page.locator("#train-button").click()
    expect(page.locator("#run-told")).to_contain_text(re.compile("Getting ready|Learning"), timeout=15_000)
    expect(page.locator("#run-chart svg")).to_be_visible(timeout=60_000)
    expect_finished(page)
    expect(page.locator("#run-figures")).to_contain_text("12 of 12")

    page.locator("#next").click()  # Compare base and tuned
    page.locator("#question textarea").fill("Do you have wifi?")
    page.locator("#send").click()
    expect(page.locator("#by-base")).to_contain_text("no adapter", timeout=60_000)
    expect(page.locator("#by-tuned")).to_contain_text("with adapter", timeout=60_000)
    expect(page.locator("#by-tuned")).to_contain_text(re.compile(r"[1-9]\d* tokens in"))
    for pane in ("base", "tuned"):
        expect(page.locator(f"#pane-{pane}")).to_contain_text("Do you have wifi?")


def test_a_file_with_number_labels_gets_names(server: Server, open_page: Open, tmp_path: Path) -> None:
    table = tmp_path / "moods, second draft é.csv"
    table.write_text(
        "text,label\n" + "".join(f"i feel {word} about day {n},{n % 2}\n" for n in range(40) for word in ("fine", "odd")), "utf-8"
    )
    page = open_page(server.url)
    page.locator("#upload input[type=file]").set_input_files(table)
    expect(page.locator("#understood")).to_contain_text("80 rows", timeout=30_000)
    expect(page.locator("#understood")).to_contain_text("moods, second draft é")
    expect(page.locator("#label-names")).to_be_visible(timeout=60_000)
    expect(page.locator("#mapping-notes")).to_contain_text("64 rows to learn from")
    cell = page.locator("#label-names [role=gridcell]:visible").nth(1)
    cell.dblclick()
    page.keyboard.press("Control+A")
    page.keyboard.type("calm")
    page.keyboard.press("Enter")
    expect(page.locator("#example")).to_contain_text("calm", timeout=10_000)


def test_a_bad_file_is_told_in_place_and_loses_nothing(server: Server, open_page: Open, tmp_path: Path) -> None:
    picture = tmp_path / "photo.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    page = open_page(server.url)
    take_sample(page, "Harbour")
    understood = page.locator("#understood p").first
    before = understood.inner_text()
    page.locator("#upload input[type=file]").set_input_files(picture)
    expect(page.locator("#upload-failed")).to_contain_text(re.compile("picture|image|PNG", re.I), timeout=20_000)
    assert "Traceback" not in page.content()
    expect(understood).to_have_text(before)


def test_reload_and_a_second_device_see_the_same_run(trained: Server, open_page: Open) -> None:
    for options in ({}, {"viewport": {"width": 390, "height": 844}}):
        page = open_page(trained.url, **options)
        tab(page, "Train")
        expect(page.locator("#run-told")).to_contain_text("Finished in", timeout=20_000)
        page.reload()
        page.wait_for_selector("[role=tab]")
        tab(page, "Train")
        expect(page.locator("#run-told")).to_contain_text("Finished in", timeout=20_000)
        expect(page.locator("#run-chart svg")).to_be_visible()


def test_stop_keeps_what_was_learnt(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    take_sample(page, "Harbour")
    tab(page, "Train")
    page.locator("#train-button").click()
    expect(page.locator("#run-told")).to_contain_text("Learning", timeout=60_000)
    expect(page.locator("#run-figures")).to_contain_text(re.compile(r"[1-9]\d* of"), timeout=60_000)
    page.set_viewport_size({"width": 390, "height": 844})
    wait_for(lambda: (page.locator("#run-told").bounding_box() or {})["width"] > 300, 5, "on a phone its sentence has the whole width")
    page.locator("#stop-button").click()
    expect(page.locator("#run-told")).to_contain_text(re.compile(r"Stopped after step \d+"), timeout=60_000)
    tab(page, "Chat")
    expect(page.locator("#question")).to_be_visible()


def test_unknown_and_wrong_settings_are_told_in_one_sentence(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    take_sample(page, "Harbour")
    tab(page, "Train")
    set_expert(page, learning_rate="-1")
    page.locator("#train-button").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("learning_rate", timeout=10_000)
    assert "Traceback" not in page.content()


def test_a_huge_and_an_empty_prompt_get_a_sentence(trained: Server, open_page: Open) -> None:
    page = open_page(trained.url)
    tab(page, "Chat")
    page.locator("#send").click()
    expect(page.get_by_test_id("toast-body").last).to_contain_text("There is no question yet", timeout=10_000)
    page.locator("#question textarea").fill("word " * 40_000)
    page.locator("#send").click()
    expect(page.get_by_test_id("toast-body").last).to_contain_text("200,000 characters", timeout=20_000)


@pytest.mark.parametrize("options", [{"viewport": {"width": 390, "height": 844}}, {"color_scheme": "dark"}], ids=["phone", "dark"])
def test_every_tab_fits_its_screen(trained: Server, open_page: Open, options: dict) -> None:
    page = open_page(trained.url, **options)
    for name in ("Dataset", "Train", "Chat"):
        tab(page, name)
        page.wait_for_timeout(800)
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 2, name


def test_markup_in_data_and_names_stays_text(server: Server, open_page: Open, tmp_path: Path) -> None:
    table = tmp_path / "x.csv"
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    table.write_text("question,answer\n" + "".join(f'"{hostile} [a](http://203.0.113.1/{n}) {n}","**{hostile}** {n}"\n' for n in range(20)))
    page = open_page(server.url)
    alerts = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.locator("#upload input[type=file]").set_input_files(table)
    expect(page.locator("#mapping-notes")).to_contain_text("to learn from", timeout=30_000)
    page.wait_for_timeout(500)
    assert not alerts
    assert page.locator("img[src='x']").count() == 0
