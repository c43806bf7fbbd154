"""The files of a collection as HTML: what becomes of each at this moment, and nothing of the data as markup."""

from __future__ import annotations

from typing import Any

import pytest

from playground.settings import PROJECT
from playground.ui.health import files
from playground.ui.i18n import Texts

TEXTS = Texts(PROJECT / "assets/locales")
EVIL = "<img src=x onerror=alert(1)>"


def shown(language: str = "en", **known: Any) -> str:
    usual = {"name": EVIL, "state": "done", "unit": "page", "pages": 3, "chunks": 2, "error": EVIL, "language": "", "encrypted": False}
    nothing = dict.fromkeys(("pages_text", "pages_ocr", "pages_empty", "pages_garbled", "sections", "tables"), 0)
    one = {**usual, **nothing, "left_out": [], "orders": [], "ocr_confidence": None, **known}
    return files([one], lambda key, **values: TEXTS.say(key, language, **values), str)


@pytest.mark.parametrize("state", ["waiting", "reading", "failed", "done"])
def test_a_file_that_is_read_is_told_from_one_that_waits(state: str) -> None:
    told = shown(state=state, left_out=[EVIL])
    assert ("waits to be read" in told, "is being read now" in told) == (state == "waiting", state == "reading")
    assert "sendo lido agora" in shown("pt-BR", state="reading")
    assert "<img" not in told


def test_sections_are_counted_unless_they_stand_for_the_pages() -> None:
    assert "3 pages · 2 passages · 14 sections" in shown(sections=14)
    assert "<dt>Seções</dt><dd>14</dd>" in shown("pt-BR", sections=14)
    assert "1 section" in shown(sections=1) and "section" not in shown()
    assert "3 sections · 2 passages<" in shown(unit="section", sections=3)
