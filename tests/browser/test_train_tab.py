"""The Train tab in a real browser: runs go on where they were stopped, go further, wait their turn, are compared, answer own questions."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, wait_for
from tests.helpers import make_tiny_model

RUN_SECONDS = 240
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return server.client()


@pytest.fixture(scope="module")
def dataset(client: Client) -> str:
    sample = client.predict(api_name="/list_samples")[0]["name"]
    return client.predict(api_name="/import_dataset", file=None, sample=sample)["dataset_id"]


def train(client: Client, dataset: str, **settings: Any) -> str:
    return client.predict(api_name="/start_run", dataset_id=dataset, settings=settings)["run_id"]


def get(client: Client, run_id: str) -> dict[str, Any]:
    return client.predict(api_name="/get_run", run_id=run_id)


def wait_until(client: Client, run_id: str, state: str) -> None:
    wait_for(lambda: get(client, run_id)["state"] == state, RUN_SECONDS, f"the run is {state}")


def steps(client: Client, run_id: str) -> list[int]:
    return [point["step"] for point in client.predict(api_name="/get_metrics", run_id=run_id, since_step=0) if point["loss"] is not None]


def open_train(open_page: Open, server: Server, **options: Any) -> Page:
    """The newest run is the one that is shown."""
    page = open_page(server.url, **options)
    page.get_by_role("tab").nth(1).click()
    expect(page.locator("#run-told")).to_be_visible(timeout=30_000)
    return page


@pytest.mark.timeout(600)
def test_stop_resume_and_train_further_make_one_curve(server: Server, client: Client, dataset: str, open_page: Open) -> None:
    run = train(client, dataset, max_steps=20, eval_steps=4, save_steps=4)
    page = open_train(open_page, server)
    told = page.locator("#run-told")
    wait_for(lambda: get(client, run)["step"] >= 3, RUN_SECONDS, "three steps")
    expect(page.locator("#stop-button")).to_contain_text("keep")
    expect(page.locator("#cancel-button")).to_contain_text("throw away")
    page.locator("#stop-button").click()
    expect(told).to_contain_text("Stopped after step", timeout=RUN_SECONDS * 1000)
    stopped = get(client, run)
    assert stopped["step"] < 20
    expect(told).to_contain_text(f"Everything up to step {stopped['can_resume']} is saved")
    resume = page.locator("#resume-button")
    expect(resume).to_have_text(f"Resume from step {stopped['can_resume']}")
    expect(page.locator("#onward-more")).to_be_hidden()
    resume.click()
    expect(told).to_contain_text(re.compile("Waiting|Getting ready|Learning"), timeout=20_000)
    expect(told).to_contain_text("Finished in", timeout=RUN_SECONDS * 1000)
    assert steps(client, run) == list(range(1, 21)), "the curve has no gap and no step twice"
    expect(page.locator("#run-figures")).to_contain_text("20 of 20")

    expect(resume).to_have_text("Train further")
    more = page.locator("#onward-more textarea, #onward-more input").first
    expect(more).to_have_attribute("placeholder", "4")
    more.fill("many")
    resume.click()
    expect(page.get_by_test_id("toast-body").last).to_contain_text("for example 20", timeout=10_000)
    more.fill("6")
    resume.click()
    expect(page.locator("#run-figures")).to_contain_text("of 26", timeout=20_000)
    expect(told).to_contain_text("Finished in", timeout=RUN_SECONDS * 1000)
    assert steps(client, run) == list(range(1, 27))
    assert get(client, run)["state"] == "done"
    expect(more).to_have_value("")
    expect(page.locator("#run-chart polyline.train")).to_have_count(1)
    expect(page.locator("#run-chart .marked")).to_contain_text("best on unseen rows")


@pytest.mark.timeout(600)
def test_waiting_runs_change_places(server: Server, client: Client, dataset: str, open_page: Open) -> None:
    busy = train(client, dataset, max_steps=200, eval_steps=0)
    first, second = train(client, dataset, max_steps=6), train(client, dataset, max_steps=7)
    page = open_train(open_page, server)
    told = page.locator("#run-told")
    expect(told).to_contain_text("Place 2")
    expect(page.locator("#later-button")).to_be_disabled()
    page.locator("#earlier-button").click()
    expect(told).to_contain_text("Place 1", timeout=10_000)
    expect(page.locator("#earlier-button")).to_be_disabled()
    assert [get(client, run)["place_in_line"] for run in (first, second)] == [2, 1]
    page.locator("#later-button").click()
    expect(told).to_contain_text("Place 2", timeout=10_000)
    assert client.predict(api_name="/move_run", run_id=second, place=1)["place_in_line"] == 1
    expect(told).to_contain_text("Place 1", timeout=10_000)
    page.locator("#cancel-button").click()
    expect(page.locator("#cancel-sure")).to_contain_text("Really")
    page.wait_for_timeout(1500)  # the page goes on to tell of the run meanwhile
    assert get(client, second)["state"] == "queued", "it asks before it throws anything away"
    page.locator("#cancel-sure").click()
    expect(page.locator("#cancel-sure")).to_be_hidden(timeout=10_000)
    expect(told).to_contain_text("Stopped before the first step", timeout=10_000)
    expect(page.locator("#earlier-button")).to_be_hidden()
    for run in (first, busy):
        client.predict(api_name="/cancel_run", run_id=run)
    for run in (first, second, busy):
        client.predict(api_name="/delete_run", run_id=run)


@pytest.mark.timeout(300)
def test_a_page_on_which_nothing_runs_learns_what_another_one_does(server: Server, client: Client, dataset: str, open_page: Open) -> None:
    for run in client.predict(api_name="/list_runs"):
        client.predict(api_name="/cancel_run", run_id=run["run_id"]) if run["state"] in ("queued", "running") else None
    run = train(client, dataset, max_steps=2)
    wait_until(client, run, "done")
    page = open_train(open_page, server)
    expect(page.locator("#run-told")).to_contain_text("Finished in", timeout=30_000)
    page.wait_for_timeout(3000)  # by now it asks no more every second
    client.predict(api_name="/resume_run", run_id=run, settings={"max_steps": 4000})
    expect(page.locator("#run-told")).to_contain_text("Learning", timeout=40_000)
    expect(page.locator("#stop-button")).to_be_visible()
    client.predict(api_name="/cancel_run", run_id=run)
    expect(page.locator("#run-told")).to_contain_text("Finished in", timeout=15_000)
    expect(page.locator("#run-figures")).to_contain_text("2 of 2")


@pytest.mark.timeout(600)
def test_two_runs_in_one_chart(server: Server, client: Client, dataset: str, open_page: Open) -> None:
    runs = [train(client, dataset, max_steps=6, eval_steps=2, learning_rate=rate) for rate in (0.001, 0.004)]
    for run in runs:
        wait_until(client, run, "done")
    page = open_train(open_page, server)
    page.get_by_text("Compare runs in one chart").click()
    field = page.locator("#overlay-pick input")
    names = [get(client, run)["name"] for run in runs]
    for name in names:
        expect(field).to_be_visible()
        field.click()
        page.get_by_role("option").filter(has_text=f"{name} ·").click()
        if name == names[0]:
            expect(page.locator("#overlay-chart")).to_contain_text("Pick one more run", timeout=10_000)
    expect(page.locator("#overlay-chart polyline")).to_have_count(4, timeout=10_000)
    expect(page.locator("#overlay-chart .legend path")).to_have_count(2)
    page.keyboard.press("Escape")
    table = page.locator("#overlay-table")
    expect(table).to_contain_text("learning_rate")
    expect(table).to_contain_text("0.004")
    expect(table).to_contain_text("Best validation loss")
    expect(table).not_to_contain_text("lora_r")
    for name in names:
        expect(page.locator("#overlay-chart .legend")).to_contain_text(name.split(" ")[-1])
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 2


@pytest.mark.timeout(600)
def test_a_run_that_ends_early_is_watched_measured_and_told(server: Server, client: Client, dataset: str, open_page: Open) -> None:
    page = open_page(server.url)
    page.get_by_role("tab").nth(1).click()
    page.get_by_text("All settings").click()
    page.wait_for_timeout(1500)  # fields are mounted at first sight
    asked = "What time do you open?\n\nIs <b>the sea</b> cold?"
    typed = {"max_steps": "300", "eval_steps": "2", "early_stopping_patience": "8", "learning_rate": "0.05", "sample_prompts": asked}
    for name, value in typed.items():
        field = page.locator(f"#setting-{name}").locator("input, textarea").first
        field.fill(value)
        field.press("Tab")
        expect(field).to_have_value(value)
    page.locator("#train-button").click()
    watch, told, slider = page.locator("#watched"), page.locator("#run-told"), page.locator("#watch-slider input[type=number]")
    expect(told).to_contain_text("Learning", timeout=RUN_SECONDS * 1000)
    expect(watch).to_contain_text("Your own questions", timeout=30_000)
    expect(slider).to_be_visible(timeout=30_000)  # while it runs, as soon as there is something to go back to
    expect(told).to_contain_text("Learning")
    assert watch.locator("dt").all_inner_texts() == ["What time do you open?", "Is <b>the sea</b> cold?"]
    expect(watch).not_to_contain_text("Right answer")
    slider.fill("0")
    slider.press("Tab")
    expect(watch).to_contain_text("Before learning", timeout=10_000)
    drag = page.locator("#watch-slider input[type=range]")
    expect(drag).to_be_visible()
    expect(page.locator("#watch-place")).to_be_hidden()
    longer = int(drag.get_attribute("max") or 0) + 2
    wait_for(lambda: int(drag.get_attribute("max") or 0) >= longer, RUN_SECONDS, "two checks more")
    expect(slider).to_have_value("0")
    expect(watch).to_contain_text("Before learning")
    drag.press("End")
    expect(told).to_contain_text("It ended early, at step", timeout=RUN_SECONDS * 1000)
    run = client.predict(api_name="/list_runs")[0]
    assert run["state"] == "done" and run["step"] < 300
    expect(told).to_contain_text("8 checks in a row without improvement")
    assert told.inner_text().count("What is kept is from step") == 1
    expect(watch).to_contain_text(f"After step {run['step']}", timeout=20_000)  # at its end it has followed the newest
    assert slider.input_value() == drag.get_attribute("max")
    for view in ("Speed", "Gradient", "Memory"):
        page.locator("#chart-view").get_by_text(view).click()
        expect(page.locator(f"#run-chart polyline.{view.lower()}")).to_have_count(1, timeout=10_000)
    expect(page.locator("#run-rate polyline.rate")).to_have_count(1)


@pytest.mark.parametrize(
    "options",
    [{"viewport": {"width": 390, "height": 844}}, {"color_scheme": "dark"}, {"locale": "pt-BR"}],
    ids=["phone", "dark", "portuguese"],
)
def test_the_tab_fits_and_is_in_the_visitors_words(server: Server, client: Client, dataset: str, open_page: Open, options: dict) -> None:
    if not any(run["state"] == "done" for run in client.predict(api_name="/list_runs")[:1]):
        wait_until(client, train(client, dataset, max_steps=4, eval_steps=2), "done")
    page = open_train(open_page, server, **options)
    words = (
        ("Treinar mais", "Quanto mais?", "taxa de aprendizado")
        if "locale" in options
        else ("Train further", "How much more?", "learning rate")
    )
    expect(page.locator("#resume-button")).to_have_text(words[0])
    expect(page.locator("#onward-more")).to_contain_text(words[1])
    expect(page.locator("#run-rate")).to_contain_text(words[2])
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 2


@pytest.mark.timeout(600)
def test_a_run_whose_loss_is_no_number_says_why_and_is_not_resumed(
    server: Server, client: Client, dataset: str, open_page: Open, tmp_path: Path
) -> None:
    """A person's own model, saved with a number that is none."""
    import torch
    from safetensors.torch import load_file, save_file

    own = make_tiny_model(tmp_path / "own")
    weights = load_file(own / "model.safetensors")
    weights["model.norm.weight"] = torch.full_like(weights["model.norm.weight"], float("nan"))
    save_file(weights, own / "model.safetensors", metadata={"format": "pt"})
    page = open_page(server.url)
    page.get_by_role("tab").nth(1).click()
    page.get_by_text("All settings").click()
    page.wait_for_timeout(1500)  # fields are mounted at first sight
    field = page.locator("#own-model").locator("input, textarea").first
    field.fill(f"local:{own}")
    field.press("Tab")
    page.locator("#train-button").click()
    told = page.locator("#run-told")
    expect(told).to_contain_text("This run did not finish", timeout=RUN_SECONDS * 1000)
    expect(told).to_contain_text("at step 1, the loss was no number already: the model's own weights are damaged")
    expect(page.locator("#resume-button")).to_be_hidden()
    assert client.predict(api_name="/list_runs")[0]["state"] == "failed"
