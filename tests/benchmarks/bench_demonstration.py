"""From the command at the very first start to what a person can see: the finished curve, base against tuned, an answer from the handbook.

python -m tests.benchmarks.bench_demonstration [repeats]

A real server on an empty workspace and a real Chromium; the person clicks at once. Each of the two answers is timed on a start of its own.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.benchmarks.report import spread, write
from tests.browser.conftest import CHROMIUM, QUIET, start

PROMISED = 10.0  # seconds
LIMIT = 120_000  # milliseconds


def curve(page: Page) -> None:
    page.get_by_role("tab", name="Train", exact=True).click()
    expect(page.locator("#run-chart svg")).to_be_visible(timeout=LIMIT)
    expect(page.locator("#watched .now").first).to_be_visible(timeout=LIMIT)


def chat(page: Page) -> None:
    page.get_by_role("tab", name="Chat", exact=True).click()
    page.locator(".sample:visible").first.click()
    expect(page.locator("#by-tuned")).to_contain_text(re.compile(r"with adapter .*[1-9]\d* tokens in"), timeout=LIMIT)


def documents(page: Page) -> None:
    page.get_by_role("tab", name="Documents", exact=True).click()
    page.locator(".sample:visible").first.click()
    expect(page.locator(".chips a").first).to_be_visible(timeout=LIMIT)


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    figures: dict[str, list[float]] = {"curve": [], "chat": [], "documents": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        for _ in range(repeats):
            for name, look in (("curve", curve), ("chat", chat), ("documents", documents)):
                with tempfile.TemporaryDirectory() as home:
                    began = time.perf_counter()
                    server = start(Path(home) / "home", demonstration=True)
                    try:
                        page = browser.new_page(viewport={"width": 1280, "height": 720}, locale="en-US")
                        page.goto(server.url)
                        page.wait_for_selector("[role=tab]")
                        look(page)
                        figures[name].append(time.perf_counter() - began)
                        page.close()
                    finally:
                        server.stop()
        browser.close()
    write(
        "First look",
        f"Seconds from the command on an empty workspace until a person who clicks at once sees it, {repeats} repeats. Promised: "
        f"{PROMISED:.0f} s or less.",
        ["the finished curve and the answers along the way", "first words of base and tuned", "an answer from the handbook"],
        [[spread(figures["curve"], 1), spread(figures["chat"], 1), spread(figures["documents"], 1)]],
    )


if __name__ == "__main__":
    main()
