"""The Dataset tab in a real browser: a table out of real life is looked over, mended, edited, taken back and taken away."""

from __future__ import annotations

import json
import re
import secrets
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, bring
from tests.helpers import make_tiny_model

MESSY = """id;pergunta;resposta;contato
1;Qual é o horário?;Das 8 às 18 horas.;ana@example.com
2;Onde fica a loja?;Na rua do Porto, 12.;
2;Onde fica a loja?;Na rua do Porto, 12.;
3;VocÃª tem cafÃ© gelado?;Sim, temos.;
4;Aceita cartão?;;
5;<b>Tem</b> wifi?;Sim, <i>grátis</i>.;
6;Tem estacionamento?;Não, infelizmente.;
7;Posso levar o cachorro?;Sim, na varanda.;
8;Abre no domingo?;Sim, até as 14 horas.;
"""
SLOW = 30_000


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    path = tmp_path / f"perguntas-{secrets.token_hex(2)}.csv"  # a page opens with the dataset of the test before, which is not this one
    path.write_text(MESSY, "utf-8")
    return path


def choose(page: Page, box: str, option: str) -> None:
    page.locator(f"{box} input").click()
    page.get_by_role("option", name=option, exact=True).click()


def test_a_messy_table_is_mended_and_the_repair_taken_back(server: Server, open_page: Callable[..., Page], messy: Path) -> None:
    page = open_page(server.url)
    bring(page, messy, 9)
    findings = page.locator("#findings")
    expect(findings).to_contain_text("garbled letters", timeout=SLOW)
    expect(findings).to_contain_text("Rows without an answer")
    page.click("#doctor-look")
    expect(page.locator("#doctor-would")).to_contain_text("7 rows would stay", timeout=SLOW)
    expect(page.locator("#doctor-changes")).to_contain_text("Você tem café gelado?")
    expect(page.locator("#doctor-summary")).to_contain_text("9 rows are here")  # looking changes nothing
    page.click("#doctor-mend")
    expect(page.locator("#doctor-summary")).to_contain_text("7 rows are here", timeout=SLOW)
    expect(page.locator("#doctor-summary")).to_contain_text("The file had 9 rows")
    expect(page.locator("#standing")).to_contain_text("7 rows", timeout=SLOW)
    expect(page.locator("#rows")).to_contain_text("Você tem café gelado?")
    expect(page.locator("#rows")).to_contain_text("[e-mail]")
    page.locator("#versions input").click()
    page.get_by_role("option", name=re.compile("^1 ")).click()
    page.click("#restore-version")
    expect(page.locator("#doctor-summary")).to_contain_text("9 rows are here", timeout=SLOW)
    expect(page.locator("#rows")).to_contain_text("ana@example.com", timeout=SLOW)


def test_on_a_phone_a_table_scrolls_and_breaks_no_word(server: Server, open_page: Callable[..., Page], tmp_path: Path) -> None:
    path = tmp_path / f"perguntas-{secrets.token_hex(2)}.csv"
    lines = [f"Onde fica a loja {n}?;Na rua do Porto, {n}.;2024-03-{n:02d};Atendimento" for n in range(1, 29)]
    path.write_text("\n".join(["Pergunta;Resposta;Atualizado em;Categoria do atendimento", *lines]), "utf-8")
    page = open_page(server.url, viewport={"width": 400, "height": 850})
    bring(page, path, 28)
    for place, lines_of_text in enumerate((1, 1, 1, 2)):
        head = page.locator("#rows th span.header").nth(place)
        assert head.evaluate("e => e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight)") <= lines_of_text + 0.5
    last = page.locator("#rows [role=gridcell]").nth(3)
    assert last.bounding_box()["x"] > 400
    last.scroll_into_view_if_needed()
    assert last.bounding_box()["x"] < 400, "the end of the table can be reached"
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_rows_are_found_edited_and_taken_away(server: Server, open_page: Callable[..., Page], messy: Path) -> None:
    page = open_page(server.url)
    bring(page, messy, 9)
    page.locator("#search-rows").locator("input, textarea").fill("domingo")
    expect(page.locator("#rows-shown")).to_contain_text("of 1", timeout=SLOW)
    choose(page, "#search-column", "resposta")
    expect(page.locator("#rows-shown")).to_contain_text("No row has", timeout=SLOW)
    choose(page, "#search-column", "pergunta")
    expect(page.locator("#rows-shown")).to_contain_text("of 1", timeout=SLOW)
    choose(page, "#search-column", "all columns")
    page.locator("#rows [role=gridcell]", has_text="Abre no domingo?").first.click()
    cell = page.locator("#cell textarea")
    expect(cell).to_have_value("Abre no domingo?", timeout=SLOW)
    cell.fill("Abre aos domingos? =1+1")
    page.click("#save-cell")
    expect(page.locator("#rows")).to_contain_text("Abre aos domingos?", timeout=SLOW)
    page.locator("#search-rows").locator("input, textarea").fill("")
    expect(page.locator("#rows-shown")).to_contain_text("of 9", timeout=SLOW)
    page.click("#add-row")
    expect(page.locator("#doctor-summary")).to_contain_text("10 rows are here", timeout=SLOW)
    with page.expect_download(timeout=SLOW) as download:
        page.click("#download-csv")
    assert download.value.suggested_filename.startswith("perguntas")
    text = Path(download.value.path()).read_text("utf-8-sig")
    assert "Abre aos domingos? =1+1" in text and len(text.splitlines()) == 11


def test_another_task_means_another_look_at_the_table(server: Server, open_page: Callable[..., Page], messy: Path) -> None:
    """What is missing depends on the columns that teach."""
    page = open_page(server.url)
    bring(page, messy, 9)
    expect(page.locator("#findings")).to_contain_text("because resposta is empty", timeout=SLOW)
    choose(page, "#answer-column", "id")
    expect(page.locator("#findings")).to_contain_text("does not use: resposta, contato", timeout=SLOW)
    expect(page.locator("#findings")).not_to_contain_text("because resposta is empty")


def test_what_was_read_wrongly_is_read_again(server: Server, open_page: Callable[..., Page], tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_text("".join(f"part {n};{n} pieces of part {n}\n" for n in range(30)), "utf-8")
    page = open_page(server.url)
    bring(page, path, 29)
    expect(page.locator("#understood")).to_contain_text("first row is the header")
    page.locator("#reading").get_by_role("button").first.click()
    page.locator("#read-header").get_by_label("no", exact=True).check()
    page.click("#read-again")
    expect(page.locator("#understood")).to_contain_text("no header row", timeout=SLOW)
    expect(page.locator("#understood")).to_contain_text("30 rows")


def test_a_zip_with_conversations_becomes_a_chat_dataset(server: Server, open_page: Callable[..., Page], tmp_path: Path) -> None:
    said = [("user", "Is shop {} open?"), ("assistant", "Yes."), ("user", "Thanks"), ("assistant", "Welcome.")]
    chats = [{"messages": [{"role": role, "content": text.format(n)} for role, text in said]} for n in range(20)]
    path = tmp_path / "chats.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("chats.jsonl", "\n".join(map(json.dumps, chats)))
    page = open_page(server.url)
    bring(page, path, 20)
    expect(page.locator("#task").get_by_label("Chat")).to_be_checked(timeout=SLOW)
    expect(page.locator("#whole-column input")).to_have_value("messages")
    expect(page.locator("#example")).to_contain_text("Welcome.")


def test_any_example_can_be_seen_token_by_token(server: Server, open_page: Callable[..., Page], tmp_path: Path) -> None:
    path = tmp_path / f"numbers-{secrets.token_hex(2)}.csv"
    path.write_text("question,answer\n" + "".join(f"What is number {n}?,It is {n}.\n" for n in range(40)), "utf-8")
    page = open_page(server.url)
    bring(page, path, 40)
    expect(page.locator("#example")).to_contain_text("<|im_start|>user", timeout=SLOW)
    page.locator("#example-number input").fill("5")
    expect(page.locator("#example")).to_contain_text("It is 5.", timeout=SLOW)  # the split leaves the order as it is
    page.click("#another-example")
    expect(page.locator("#example-number input")).to_have_value("6", timeout=SLOW)
    expect(page.locator("#example")).not_to_contain_text("It is 5.", timeout=SLOW)
    page.locator("#example-number input").fill("5")
    expect(page.locator("#example")).to_contain_text("It is 5.", timeout=SLOW)
    page.locator("#example-tokens input").check()
    expect(page.locator("#example")).to_contain_text("│", timeout=SLOW)
    page.locator("#example-number input").fill("9999")
    expect(page.locator("#example-number input")).not_to_have_value("9999", timeout=SLOW)


def test_an_example_is_shown_as_the_chosen_model_reads_it(server: Server, open_page: Callable[..., Page], tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "tiny")
    path = tmp_path / f"numbers-{secrets.token_hex(2)}.csv"
    path.write_text("question,answer\n" + "".join(f"What is number {n}?,It is {n}.\n" for n in range(40)), "utf-8")
    page = open_page(server.url)
    bring(page, path, 40)
    expect(page.locator("#mapping-notes")).to_contain_text("starter reads 1,024 at a time", timeout=SLOW)
    for model, told in ((f"local:{folder}", f"local:{folder} reads"), ("nobody/nothing", "What nobody/nothing reads cannot be shown here")):
        page.get_by_role("tab", name="Train", exact=True).click()
        if not page.locator("#own-model input, #own-model textarea").first.is_visible():
            page.get_by_role("button", name="All settings (for those who know them; empty means: chosen for you)").click()
        page.locator("#own-model").locator("input, textarea").first.fill(model)
        page.locator("#own-model").locator("input, textarea").first.press("Enter")
        page.get_by_role("tab", name="Dataset", exact=True).click()
        expect(page.locator("#mapping-notes")).to_contain_text(told, timeout=SLOW)
