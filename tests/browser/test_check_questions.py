"""Documents checked with questions whose answers are known: asked, compared, a threshold kept, taken away, found again after a reload."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, wait_for
from tests.browser.test_everybody import CHECKS
from tests.helpers import make_cross_encoder

Open = Callable[..., Page]
PATIENCE = 60_000


def unfold(page: Page) -> None:
    expect(page.locator("#strip")).to_contain_text(re.compile("finished|concluído"), timeout=PATIENCE)
    page.get_by_role("tab").nth(3).click()
    expect(page.locator("#files")).to_contain_text("harbour_cafe_handbook.pdf", timeout=PATIENCE)
    if not page.locator("#exam-start").is_visible():
        page.locator("#exam > button").first.click()
    expect(page.locator("#exam-start")).to_be_visible()
    expect(page.locator("#exam-now")).to_contain_text("0", timeout=PATIENCE)  # what the panel is filled with last


def ask(page: Page, mode: str) -> None:
    page.locator(f"#exam-mode input[value={mode}]").check()
    before = page.locator("#exam-by").inner_text() if page.locator("#exam-by").is_visible() else ""
    page.locator("#exam-start").click()
    expect(page.locator("#exam-by")).not_to_have_text(before, timeout=PATIENCE)
    expect(page.locator("#exam-stop")).to_be_hidden(timeout=PATIENCE)
    expect(page.locator("#exam-table tbody tr").first).to_be_visible(timeout=PATIENCE)


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    found = Axe().run(page, context="#exam", options=CHECKS)
    assert found.violations_count == 0, found.generate_report()


def taken_away(page: Page, format: str, folder: Path) -> Path:
    with page.expect_download(timeout=PATIENCE) as waiting:
        page.locator(f"#exam-{format}").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_from_a_list_to_a_kept_threshold(ready: Server, open_page: Open, tmp_path: Path) -> None:
    page = open_page(ready.url)
    unfold(page)
    page.locator("#exam-threshold input, #exam-threshold textarea").first.fill("two")
    page.locator("#exam-source input[value=sample]").check()
    page.locator("#exam-start").click()
    expect(page.get_by_test_id("toast-body").last).to_contain_text("from 0 to 1", timeout=PATIENCE)
    page.locator("#exam-threshold input, #exam-threshold textarea").first.fill("")
    ask(page, "keyword")
    expect(page.locator("#exam-figures")).to_contain_text("Recall@1")
    ask(page, "hybrid")
    page.locator("#exam-other input").click()
    page.get_by_role("option").last.click()  # the first list, by words alone
    expect(page.locator("#exam-figures")).to_contain_text("Questions in both: 42", timeout=PATIENCE)
    expect(page.locator("#exam-figures")).to_contain_text(re.compile(r"[+-]0\.\d{3} \[[+-]0\.\d{3}, [+-]0\.\d{3}\]"))

    label = page.locator("#exam-filter label", has=page.locator("input[value=refused]"))
    refused = int(re.search(r"\((\d+) of 42\)", label.inner_text())[1])  # type: ignore[index]
    page.locator("#exam-filter input[value=refused]").check()
    expect(page.locator("#exam-table tbody tr")).to_have_count(refused, timeout=PATIENCE)
    with taken_away(page, "csv", tmp_path).open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 42 and sum(line["refused"] == "yes" for line in lines) == refused
    whole = json.loads(taken_away(page, "json", tmp_path).read_text("utf-8"))
    assert whole["settings"]["mode"] == "hybrid" and whole["figures"]["recall_1"]["n"] == 30

    page.locator("#exam-calibrate > button").first.click()
    expect(page.locator("#exam-chart svg polyline")).to_have_count(2)
    proposed = re.search(r"questions: (0\.\d\d)", page.locator("#exam-proposal").inner_text())
    assert proposed
    fits(page)
    page.locator("#exam-keep").click()
    expect(page.locator("#exam-now")).to_contain_text(f"{proposed[1]}, kept on", timeout=PATIENCE)

    page.reload()
    unfold(page)
    expect(page.locator("#exam-table tbody tr").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#exam-now")).to_contain_text("kept on")
    page.locator("#exam-reset").click()
    expect(page.locator("#exam-now")).to_contain_text("the playground's own", timeout=PATIENCE)

    page.locator("#exam-steps > button").first.click()
    page.locator("#exam-reranker input").fill(f"local:{make_cross_encoder(tmp_path / 'encoder')}")
    page.locator("#exam-reranker input").press("Enter")
    page.locator("#exam-source input[value=sample]").check()
    ask(page, "hybrid")
    expect(page.locator("#exam-by")).to_contain_text("reranker encoder")
    page.locator("#exam-other input").click()
    page.get_by_role("option", name=re.compile("by words and meaning · threshold")).first.click()  # the same without it
    expect(page.locator("#exam-figures")).to_contain_text("After: search by words and meaning · reranker encoder", timeout=PATIENCE)
    assert "reranker" not in page.locator("#exam-figures").inner_text().partition("After:")[0]
    mrr = page.locator("#exam-figures tbody tr", has_text="MRR@10").locator("td > div").all_inner_texts()
    assert float(mrr[1]) != float(mrr[2]), "another order"
    fits(page)

    phone = open_page(ready.url, locale="pt-BR", color_scheme="dark", viewport={"width": 390, "height": 844})
    unfold(phone)
    expect(phone.locator("#exam-figures")).to_contain_text("Precisão da recusa", timeout=PATIENCE)
    fits(phone)


def test_a_file_and_a_program(ready: Server, open_page: Open, tmp_path: Path) -> None:
    path = tmp_path / "exam.csv"
    key = "Who keeps the spare key to the blue door?"
    path.write_text(f'Pergunta;Resposta;Página\n"{key}";Hanna Pell;8\n<b>Who won in 1998?</b>;;\n', "utf-8")
    page = open_page(ready.url)
    unfold(page)
    page.locator("#exam-source input[value=file]").check()
    page.set_input_files("#exam-file input[type=file]", path)
    expect(page.locator("#exam-read")).to_contain_text("2 rows", timeout=PATIENCE)
    expect(page.locator("#exam-page input")).to_have_value("Página")
    page.locator("#exam-start").click()
    expect(page.locator("#exam-table")).to_contain_text("<b>Who won in 1998?</b>", timeout=PATIENCE)
    expect(page.locator("#exam-table")).to_contain_text("right page")

    client = ready.client()
    (collection,) = client.predict(api_name="/list_collections")
    asked = [{"question": key, "answer": "Hanna Pell", "page": 8}, {"question": "Who won in 1998?", "answer": ""}]
    ids = []
    for mode in ("keyword", "hybrid"):
        begun = client.predict(questions=asked, collection=collection["collection"], settings={"mode": mode}, api_name="/check_documents")
        ids.append(begun["job_id"])
        told = wait_for(
            lambda id=begun["job_id"]: (one := client.predict(job_id=id, api_name="/get_job"))["state"] == "done" and one, 60, "asked"
        )
        assert told["result"]["figures"]["recall_1"]["value"] == 1 and len(told["result"]["rows"]) == 2
    beside = client.predict(before=ids[0], after=ids[1], api_name="/compare_checks")
    assert beside["questions"] == 2 and beside["figures"]["right"]["difference"] == 0
    kept = client.predict(collection=collection["collection"], threshold=0.99, api_name="/set_threshold")
    assert kept["own"] and kept["threshold"] == 0.99
    *_, last = client.submit(question=key, collection=collection["collection"], api_name="/ask")
    assert last["refused"], "the kept threshold counts"
    assert not client.predict(collection=collection["collection"], api_name="/set_threshold")["own"]
