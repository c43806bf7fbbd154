"""A server that the host has named, in Chat and Documents: its model stands beside the others, and its key is nowhere to be seen."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.test_chat_tab import QUESTION, SLOW, ask, choose
from tests.fake_server import KEY, Spoken


def test_a_servers_model_beside_base_and_tuned(start_server: Callable[..., Server], open_page: Callable[..., Page]) -> None:
    spoken = Spoken()
    threading.Thread(target=spoken.serve_forever, args=(0.05,), daemon=True).start()
    try:
        server = start_server(demonstration=True, PLAYGROUND_SERVER_URL=spoken.url, PLAYGROUND_SERVER_KEY=KEY)
        page = open_page(server.url)
        expect(page.locator("#standing")).to_contain_text("Dataset", timeout=SLOW)
        page.get_by_role("tab").nth(2).click()
        expect(page.locator("#chat-run input")).to_have_value(re.compile("Harbour"), timeout=SLOW)
        for name in ("good", "broken"):
            choose(page, "#chat-others", re.compile(f"^{name} "))
        page.keyboard.press("Escape")
        expect(page.locator("#pane-more2")).to_be_visible(timeout=SLOW)
        ask(page, QUESTION)
        expect(page.locator("#pane-more1")).to_contain_text("Hello th\u00e9re", timeout=SLOW)
        expect(page.locator("#by-more1")).to_contain_text("answered by a server, model tiny-of-theirs")
        expect(page.locator("#by-more2")).to_contain_text("broke off in the middle", timeout=SLOW)
        expect(page.locator("#pane-more2")).to_contain_text("So far so good")
        expect(page.locator("#by-tuned")).to_contain_text("with adapter")
        page.get_by_role("tab").nth(3).click()
        page.locator("#tabs").get_by_role("button", name=re.compile("Who answers")).first.click()
        choose(page, "#document-model", re.compile("^good "))
        page.locator("#document-question textarea").fill("When is the kitchen closed?")
        page.locator("#document-send").click()
        expect(page.locator("#document-answer")).to_contain_text("good (on a server)", timeout=SLOW)
        assert KEY not in page.content()
        listed = server.client().predict(api_name="/list_server_models")
        assert {"id": "server:good", "name": "good"} in listed["models"]
        assert all(KEY.encode() not in one.read_bytes() for one in server.home.rglob("*") if one.is_file()), "log and files"
        assert spoken.asked and all(key == f"Bearer {KEY}" for _, _, key in spoken.asked)
    finally:
        spoken.left.set()
        spoken.shutdown()
