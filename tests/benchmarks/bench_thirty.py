"""Thirty questions to real documents, asked in a browser as a person would: what the page answers, and which page it names.

python -m tests.benchmarks.bench_thirty SHARED_DATA [folder for screenshots]

The right sentence and page of each were looked up by hand, and so was each answer that is not the expected one.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.report import write
from tests.browser.conftest import CHROMIUM, QUIET, start
from tests.thirty_questions import QUESTIONS, documents

PATIENCE = 600_000  # milliseconds for eighteen files, scans among them
MOST = 160  # characters of an answer in the table
# What is shown below the question has changed, and stands still since: its model has said all
WATCH = """() => {
  window.changed = 0;
  window.watching?.disconnect();
  window.watching = new MutationObserver(() => { window.changed = Date.now(); });
  window.watching.observe(document.querySelector("#document-answer"), { childList: true, subtree: true, characterData: true });
}"""
ANSWERED = "() => window.changed && Date.now() - window.changed > 2500 && document.querySelector('.answer')"


def bring(page: Page, files: list[Path]) -> None:
    page.get_by_role("tab", name="Documents", exact=True).click()
    page.locator("#documents-upload input[type=file]").set_input_files([str(one) for one in files])
    page.locator("#stop-indexing").wait_for(state="visible")
    page.locator("#stop-indexing").wait_for(state="hidden", timeout=PATIENCE)
    for one in files:
        page.locator("#files").get_by_text(one.name).first.wait_for()


def ask(page: Page, question: str) -> tuple[str, str]:
    """(the answer that leads, the first citation); the citation is empty where nothing is answered."""
    page.evaluate(WATCH)
    page.locator("#document-question textarea").fill(question)
    page.locator("#document-question textarea").press("Enter")
    page.wait_for_function(ANSWERED, timeout=120_000)
    if page.locator(".answer.refused").count():
        return page.locator(".answer.refused").first.inner_text(), ""
    return page.locator(".answer .lead").first.inner_text(), page.locator(".chips a").first.inner_text()


def row(
    question: str, document: str | None, number: int | None, holds: str | None, answer: str, cited: str
) -> tuple[list[str], bool, bool]:
    """(its line, whether the answer is right, whether the page is)."""
    right = not cited if holds is None else holds in answer
    on_page = bool(cited) and document is not None and document in cited and (number is None or f"page {number}" in cited)
    told = re.sub(r"\s+", " ", answer).replace("|", "/").strip()
    told = told if len(told) <= MOST else told[: MOST - 1] + "…"
    page = "" if holds is None else "yes" if on_page else "no"
    return [question, told if cited else "(refused)", cited, "yes" if right else "no", page], right, on_page


def main() -> None:
    files = documents(Path(sys.argv[1]))
    shots = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    table, right, placed = [], 0, 0
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server = start(Path(home))
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-US")
            page.goto(server.url)
            bring(page, files)
            for at, (question, document, number, holds) in enumerate(QUESTIONS):
                line, good, there = row(question, document, number, holds, *ask(page, question))
                table.append([str(at + 1), *line])
                right, placed = right + good, placed + there
                print(*table[-1], sep=" | ", flush=True)
                if shots:
                    page.screenshot(path=str(shots / f"{at + 1:02}.png"))
        finally:
            browser.close()
            server.stop()
    there = sum(document is not None for _, document, *_ in QUESTIONS)
    write(
        "Thirty questions",
        f"Asked in Chromium to {len(files)} files at once: sixteen acts of a university (scans among them), a course offer, and Grimms' "
        f"tales. {right} of {len(QUESTIONS)} answers are right, and {placed} of {there} first citations name the right page (of the tales: "
        "the right book). An answer is the document's own sentence; right means that it holds what a person had looked up, or that "
        "nothing is answered where no document tells.",
        ["", "question", "answer that leads", "first citation", "right", "page"],
        table,
    )


if __name__ == "__main__":
    main()
