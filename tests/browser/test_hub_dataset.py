"""A dataset of the Hugging Face Hub, named on the Dataset tab: looked at, brought in, and refused with a sentence that loses nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, start
from tests.fake_hub import FakeHub, Repo, fake_hub

SLOW = 30_000


def csv(rows: int) -> bytes:
    return ("question,answer\n" + "".join(f"What is {n}?,It is {n}.\n" for n in range(rows))).encode()


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    pairs = Repo({"train.csv": csv(40), "test.csv": csv(12)})
    with fake_hub(anna__pairs=pairs, anna__gated=Repo({"train.csv": csv(40)}, gated=True)) as running:
        yield running


@pytest.fixture(scope="module")
def server(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app, with our own Hub in the place of the real one."""
    home = tmp_path_factory.mktemp("home")
    running = start(home, HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="0", HF_HOME=str(home / "hub"))
    yield running
    running.stop()


def ask_for(page: Page, name: str) -> None:
    page.locator("#hub").get_by_role("button").first.click()
    page.locator("#hub-name input, #hub-name textarea").first.fill(name)


def test_a_dataset_is_named_and_comes_in(server: Server, open_page: Callable[..., Page]) -> None:
    page = open_page(server.url)
    ask_for(page, "anna/pairs")
    page.click("#hub-bring")
    expect(page.locator("#understood")).to_contain_text("pairs-train.csv", timeout=SLOW)
    expect(page.locator("#understood")).to_contain_text("40 rows")
    expect(page.locator("#hub-told")).to_contain_text("40 rows")
    expect(page.locator("#rows")).to_contain_text("What is 3?", timeout=SLOW)


def test_a_split_is_chosen_after_looking_and_a_refusal_loses_nothing(server: Server, open_page: Callable[..., Page]) -> None:
    page = open_page(server.url, locale="pt-BR")
    ask_for(page, "https://huggingface.co/datasets/anna/pairs")
    page.click("#hub-look")
    expect(page.locator("#hub-told")).to_contain_text("2 partes", timeout=SLOW)
    page.locator("#hub-part input").click()
    page.get_by_role("option", name="test").click()
    page.click("#hub-bring")
    expect(page.locator("#understood")).to_contain_text("pairs-test.csv", timeout=SLOW)
    page.locator("#hub-name input, #hub-name textarea").first.fill("anna/gated")
    expect(page.locator("#hub-part")).to_be_hidden()
    page.click("#hub-bring")
    expect(page.locator("#upload-failed")).to_contain_text("aceitou os termos", timeout=SLOW)
    expect(page.locator("#understood")).to_contain_text("pairs-test.csv")
    expect(page.locator("#hub-stop")).to_be_hidden()


def test_by_program(server: Server) -> None:
    client = server.client()
    told = client.predict(api_name="/list_hub_splits", id="anna/pairs")
    assert [(one["split"], one["default"]) for one in told["splits"]] == [("test", False), ("train", True)]
    made = client.predict(api_name="/import_hub_dataset", id="anna/pairs", split="test")
    assert (made["rows"], made["hub"]["revision"]) == (12, told["revision"])
    assert made["dataset_id"] in {one["dataset_id"] for one in client.predict(api_name="/list_datasets")}
    for id, sentence in (("anna/nothing", "no dataset"), ("anna/gated", "accepted its terms"), ("../etc", "is not the name")):
        with pytest.raises(AppError, match=sentence):
            client.predict(api_name="/import_hub_dataset", id=id)


def test_without_a_network_the_page_says_so(start_server: Callable[..., Server], open_page: Callable[..., Page], tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        page = open_page(start_server(HF_ENDPOINT=address, HF_HUB_OFFLINE="0", HF_HOME=str(tmp_path / "hub")).url)
        ask_for(page, "anna/pairs")
        page.click("#hub-bring")
        expect(page.locator("#upload-failed")).to_contain_text("cannot be reached", timeout=SLOW)
        expect(page.locator("#upload-failed")).to_contain_text("take a sample")
        expect(page.locator("#hub-told")).to_be_hidden()
