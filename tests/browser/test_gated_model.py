"""A model whose licence has to be accepted, on the Train tab: the page says so, takes a token, and the model can be had."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, end_workers, start, wait_for
from tests.browser.test_everybody import CHECKS
from tests.fake_hub import FakeHub, Repo, fake_hub
from tests.helpers import make_tiny_model

SLOW = 30_000
ADMITTED, STRANGER = "hf_" + "admitted" * 4, "hf_" + "stranger" * 4
GEMMA = "google/gemma-3-270m-it"
SAMPLE = "Harbour Café: answers in house style"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    files = {file.name: file.read_bytes() for file in make_tiny_model(tmp_path_factory.mktemp("tiny")).iterdir()}
    closed = Repo(files, model=True, gated=True, admits=(ADMITTED,))
    with fake_hub(**{GEMMA.replace("/", "__"): closed, "anna__own": closed}) as running:
        running.accounts.add(STRANGER)
        yield running


@pytest.fixture
def server(hub: FakeHub, tmp_path: Path) -> Iterator[Server]:
    """The app, with our own Hub in the place of the real one, and no token of the host's."""
    home = tmp_path / "home"
    places = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home / "hub"), "HF_HUB_CACHE": str(home / "hub" / "cache")}
    running = start(home, **places, HF_TOKEN="", HUGGING_FACE_HUB_TOKEN="")
    yield running
    running.stop()
    end_workers(home)


def choose(page: Page, name: str) -> None:
    """Choose a model of the list, once the page knows what the network has."""
    for _ in range(20):
        page.get_by_role("tab").nth(0).click()
        page.get_by_role("tab").nth(1).click()
        page.wait_for_timeout(500)
        page.locator("#train-model input").click()
        page.get_by_role("option", name=re.compile(name)).click()
        page.wait_for_timeout(500)
        if page.locator("#model-note", has_text="huggingface").count():  # there is no such element where there is nothing to note
            return
    raise AssertionError("the Hub was not reached")


def nowhere(home: Path) -> None:
    files = [file for file in home.rglob("*") if file.is_file()]
    assert {"app.log", "worker.log"} <= {file.name for file in files}
    assert not [file for file in files if ADMITTED.encode() in file.read_bytes() or STRANGER.encode() in file.read_bytes()]


def test_the_page_takes_a_token_once(server: Server, hub: FakeHub, open_page: Callable[..., Page]) -> None:
    server.client().predict(api_name="/import_dataset", file=None, sample=SAMPLE)
    page = open_page(server.url)
    note, told, field = page.locator("#model-note"), page.locator("#token-told"), page.locator("#token-field input")
    page.get_by_role("tab").nth(1).click()
    expect(page.locator("#token")).to_be_hidden()
    choose(page, "Gemma 3 270M")
    expect(note).to_contain_text("asks its users to accept a licence", timeout=SLOW)
    expect(page.locator("#token a").first).to_have_attribute("href", f"https://huggingface.co/{GEMMA}")
    field.focus()
    expect(field).to_have_attribute("autocomplete", "off")
    expect(field).to_have_attribute("type", "password")

    field.fill("not a token")
    page.click("#use-token")
    expect(told).to_contain_text("is not an access token", timeout=SLOW)
    expect(field).to_have_value("")
    field.fill(STRANGER)
    field.press("Enter")
    expect(note).to_contain_text("did not give Gemma 3 270M", timeout=SLOW)
    expect(field).to_have_value("")
    field.fill(ADMITTED)
    page.click("#use-token")
    expect(note).to_be_hidden(timeout=SLOW)
    expect(page.locator("#token")).to_be_hidden()
    expect(told).to_contain_text("kept in memory only, until the playground is closed")
    expect(page.locator("#train-model input")).to_have_value("Gemma 3 270M")
    assert ADMITTED not in page.content() and STRANGER not in page.content()

    hub.repos[GEMMA] = replace(hub.repos[GEMMA], admits=())  # the licence was withdrawn
    page.click("#train-button")
    expect(page.locator("#token")).to_be_visible(timeout=SLOW)
    expect(page.locator("#token-field")).to_be_visible()
    hub.repos[GEMMA] = replace(hub.repos[GEMMA], admits=(ADMITTED,))
    page.click("#use-token")  # nothing has to be pasted again
    expect(page.locator("#token")).to_be_hidden(timeout=SLOW)
    page.click("#train-button")
    wait_for(lambda: list(server.home.glob("runs/*/worker.log")), 30, "a worker was started")
    hub.repos[GEMMA] = replace(hub.repos[GEMMA], admits=())
    client = server.client()
    run = wait_for(lambda: next((one for one in client.predict(api_name="/list_runs") if one["state"] == "failed"), None), 120, "it failed")
    assert "did not give" in run["error"]
    nowhere(server.home)
    hub.repos[GEMMA] = replace(hub.repos[GEMMA], admits=(ADMITTED,))


def test_a_typed_name_by_portuguese_and_by_program(server: Server, open_page: Callable[..., Page]) -> None:
    client = server.client()
    data = client.predict(api_name="/import_dataset", file=None, sample=SAMPLE)["dataset_id"]
    wait_for(lambda: "licence" in {m["id"]: m for m in client.predict(api_name="/list_models")}[GEMMA]["reason"], 30, "the Hub is known")
    page = open_page(server.url, locale="pt-BR", viewport={"width": 390, "height": 844})
    page.get_by_role("tab").nth(1).click()
    page.get_by_role("button", name="Todas as configurações").click()
    page.locator("#own-model input, #own-model textarea").first.fill("anna/own")
    page.keyboard.press("Enter")
    expect(page.locator("#token-about")).to_contain_text("aceitem uma licença", timeout=SLOW)
    found = Axe().run(page, options=CHECKS).response["violations"]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1
    with pytest.raises(AppError, match="accept a licence"):
        client.predict(api_name="/start_run", dataset_id=data, settings={"model": "anna/own"})
    with pytest.raises(AppError, match="is not an access token") as caught:
        client.predict(api_name="/use_token", token="hf_short-and-secret")
    assert "short-and-secret" not in str(caught.value)
    assert client.predict(api_name="/use_token", token=ADMITTED) == {"kept": True}
    assert {m["id"]: m for m in client.predict(api_name="/list_models")}[GEMMA]["available"]
    page.click("#use-token")
    expect(page.locator("#token")).to_be_hidden(timeout=SLOW)
