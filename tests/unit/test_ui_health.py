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
    nothing = dict.fromkeys(("pages_text", "pages_ocr", "pages_empty", "pages_garbled", "tables"), 0)
    one = {**usual, **nothing, "left_out": [], "orders": [], "ocr_confidence": None, **known}
    return files([one], lambda key, **values: TEXTS.say(key, language, **values), str)


@pytest.mark.parametrize("state", ["waiting", "reading", "failed", "done"])
def test_a_file_that_is_read_is_told_from_one_that_waits(state: str) -> None:
    told = shown(state=state, left_out=[EVIL])
    assert ("waits to be read" in told, "is being read now" in told) == (state == "waiting", state == "reading")
    assert "sendo lido agora" in shown("pt-BR", state="reading")
    assert "<img" not in told
