"""A file that fits no page and no memory: it comes in under the eyes of its owner, and can be stopped, mended and taken away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server

SLOW = 120_000  # milliseconds
ROWS = 260_000


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quarter of a million products, one in ten without a text, one in a hundred twice."""
    path = tmp_path_factory.mktemp("large") / "catalogue.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for n in range(ROWS):
            of = n - 1 if n % 100 == 99 else n
            said = (
                ""
                if of % 10 == 3
                else f"The product number {of} is small, light and {'red' if of % 2 else 'blue'}, and costs {of} cents. " * 2
            )
            file.write(json.dumps({"uid": f"U{n}", "title": f"Product number {of}", "content": said, "related": [n]}) + "\n")
    return path


def bring(page: Page, path: Path) -> None:
    page.locator("#upload input[type=file]").set_input_files(path)


@pytest.mark.timeout(300)
def test_a_large_file_is_read_mended_and_taken_away(server: Server, open_page: Callable[..., Page], catalogue: Path) -> None:
    page = open_page(server.url)
    bring(page, catalogue)
    expect(page.locator("#reading-file")).to_contain_text("Reading the file", timeout=SLOW)
    assert page.locator("#reading-file .generating").count() == 0, "the words are not drawn over"
    expect(page.locator("#understood")).to_contain_text("260,000 rows", timeout=SLOW)
    expect(page.locator("#reading-file")).to_be_hidden()
    expect(page.locator("#mapping-notes")).to_contain_text("50,000 of them, drawn by chance", timeout=SLOW)
    expect(page.locator("#rows")).to_contain_text("Product number 0")
    expect(page.locator("#doctor-summary")).to_contain_text("The table is large", timeout=SLOW)

    page.locator("#drop-columns button").first.click()
    box = page.locator("#columns-to-drop input")
    for name in ("uid", "related"):
        box.fill(name)
        box.press("Enter")
    page.locator("#drop-chosen").click()
    expect(page.locator("#understood")).to_contain_text("2 columns", timeout=SLOW)
    expect(page.locator("#findings")).to_contain_text("exactly the same as an earlier row: 2,600", timeout=SLOW)
    expect(page.locator("#findings")).to_contain_text("content is empty: 26,0")
    page.locator("#doctor-mend").click()
    expect(page.locator("#doctor-summary")).to_contain_text("231,", timeout=SLOW)

    with page.expect_download(timeout=SLOW) as coming:
        page.locator("#download-parquet").click()
    taken = pl.read_parquet(coming.value.path())
    assert taken.columns == ["title", "content"] and taken.null_count().row(0) == (0, 0)
    assert taken.height == taken.unique().height == len([n for n in range(ROWS) if n % 100 != 99 and n % 10 != 3])


@pytest.mark.timeout(200)
def test_reading_can_be_stopped_and_leaves_nothing(server: Server, open_page: Callable[..., Page], catalogue: Path, tmp_path: Path) -> None:
    long = tmp_path / "long.jsonl"
    content = catalogue.read_bytes()
    with long.open("wb") as file:
        for _ in range(6):
            file.write(content)
    page = open_page(server.url)
    before = {folder.name for folder in (server.home / "datasets").iterdir()}
    bring(page, long)
    page.locator("#stop-reading").click(timeout=SLOW)
    expect(page.locator("#upload-failed")).to_contain_text("was stopped, and nothing of it was kept", timeout=SLOW)
    expect(page.locator("#reading-file")).to_be_hidden()
    assert {folder.name for folder in (server.home / "datasets").iterdir()} == before
