"""Before a run: what it will need is told without being asked for, and three real steps replace the estimate by what they measured."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, bring


def rows(path: Path) -> Path:
    path.write_text("question,answer\n" + "".join(f"What is {n} and {n}?,It is {2 * n}.\n" for n in range(60)))
    return path


def test_the_line_shows_up_and_a_rehearsal_replaces_it(server: Server, open_page: Callable[..., Page], tmp_path: Path) -> None:
    page = open_page(server.url)
    bring(page, rows(tmp_path / "sums.csv"), 60)
    page.get_by_role("tab", name="Train").click()
    line = page.locator("#estimate .need")
    expect(line).to_contain_text(re.compile(r"About .+ · .+ of memory · fits"), timeout=60_000)
    expect(page.locator("#estimate .each")).to_contain_text(re.compile("Quick.*Balanced.*Thorough", re.S))
    expect(page.locator("#estimate .each .chosen")).to_contain_text("Balanced")
    page.get_by_label("Thorough").click()
    expect(page.locator("#estimate .each .chosen")).to_contain_text("Thorough")
    page.locator("#rehearse").click()
    expect(page.locator("#rehearse-stop")).to_be_visible(timeout=30_000)
    expect(line).to_contain_text("Measured: about", timeout=240_000)
    expect(page.locator("#rehearse")).to_be_visible()
    assert not list(server.home.glob("jobs/*/rehearsal")), "what it needed is cleared away"


def test_programs_are_told_the_same(server: Server, tmp_path: Path) -> None:
    client = server.client()
    made: dict[str, Any] = client.predict(api_name="/import_dataset", file=None, sample="Harbour Café: answers in house style")
    found = client.predict(api_name="/estimate_run", dataset_id=made["dataset_id"], settings={"max_steps": 5})
    keys = {"memory_mb", "disk_mb", "seconds", "trainable_parameters", "total_parameters", "fits", "advice", "measured"}
    assert keys <= found.keys() and found["fits"] == "fits" and found["advice"] == [] and not found["measured"]
    assert (found["trainable_parameters"], found["total_parameters"]) == (630_784, 8_630_528)
    tried = client.predict(api_name="/rehearse_run", dataset_id=made["dataset_id"], settings={"max_steps": 5})
    assert tried["measured"] and tried["memory_mb"] > 300 and tried["error"] is None
