"""Tokens drawn as HTML: nothing of the data taken for HTML, honest numbers, colours that everybody can read."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.ui.i18n import Texts
from playground.ui.inside import PART_OF_ONE, drawn, percent, step

PROJECT = Path(__file__).resolve().parents[2]
TEXTS = Texts(PROJECT / "assets/locales")
PANES = [("base", "Base"), ("tuned", "Tuned")]
NASTY = st.sampled_from(["<script>", "</span>", '"', "'", "&amp;", "<img src=x onerror=y>", "\n", " ", "é", "🙂", PART_OF_ONE, "{n}"])
SOME = st.one_of(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6), NASTY)


def say(key: str, **values: object) -> str:
    return TEXTS.say(key, "en", **values)


def token(text: str, probability: float = 0.5, mark: int | None = None, id: int = 7) -> dict[str, Any]:
    by = {key: {"probability": probability, "rank": 1234, "likeliest": [{"text": text, "probability": probability}]} for key, _ in PANES}
    likeliest = [{"id": id, "text": text, "by": {key: probability for key, _ in PANES}}]
    return {"id": id, "divergence": 0.25, "mark": mark, "by": by, "likeliest": likeliest}


def answer(*texts: str, **changes: Any) -> dict[str, Any]:
    pieces = [{"text": text, "control": False, "tokens": [token(text)]} for text in texts]
    numbers = {key: {"probability": 0.5, "log_probability": -3.0} for key, _ in PANES}
    whole = {"text": "".join(texts), "ended": True, "tokens": len(texts), "left_out": 0, "by": numbers, "pieces": pieces}
    return {**whole, "raw": [("".join(texts), False), ("<|im_end|>", True)], **changes}


def seen(*texts: str, **changes: Any) -> dict[str, Any]:
    prompt = {"raw": [("<|im_start|>", True), ("user\n" + "".join(texts), False)], "tokens": 9, "cut": 0}
    both = {"base": answer(*texts), "tuned": answer(*texts)}
    return {"prompts": {key: prompt for key, _ in PANES}, "answers": both, "right": answer(*texts), **changes}


class Reader(HTMLParser):
    """Which tags there are, which attributes, and whether they close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@given(st.lists(SOME, max_size=6))
def test_data_is_never_html(texts: list[str]) -> None:
    told = drawn(seen(*texts), PANES, PANES, say)
    reader = Reader()
    reader.feed(told)
    reader.close()
    assert not reader.open and len(set(reader.ids)) == len(reader.ids)
    known = {"div", "section", "h4", "h5", "p", "b", "span", "i", "small", "dl", "dt", "dd", "details", "summary", "pre", "blockquote"}
    assert reader.names <= known
    assert reader.attributes <= {"class", "style", "tabindex", "role", "id", "aria-describedby", "aria-hidden"}


@given(st.floats(0, 1))
def test_a_percentage_is_never_rounder_than_the_truth(probability: float) -> None:
    told = percent(probability, say)
    if told == say("inside.percent_most"):
        assert probability >= 0.9995
    elif told == say("inside.percent_least"):
        assert probability < 0.0001
    else:
        shown = float(told.removesuffix(" %")) / 100
        assert 0 < shown < 1 and shown == pytest.approx(probability, rel=0.06, abs=0.00006)
    assert step(probability) in range(5)


def test_percentages_in_portuguese() -> None:
    assert percent(0.0234, lambda key, **values: TEXTS.say(key, "pt-BR", **values)) == "2,3 %"
    assert percent(None, say) == "–"


def test_blanks_marks_and_halves_can_be_seen() -> None:
    piece = {"text": "🙂", "control": False, "tokens": [token(PART_OF_ONE, mark=2), token(PART_OF_ONE, 0.1)]}
    told = drawn(seen(answers={"base": answer(" ", "\n", pieces=[piece]), "tuned": answer(" a", "\n")}), PANES, PANES, say)
    assert "part 1 of 2 of a character" in told and "(part of a character)" in told and PART_OF_ONE not in told
    assert 'class="tok p3 marked"' in told, "0.5 times 0.1"
    assert "②" in told and "↵\n</span>" not in told and "↵\n<span" in told and "“␣a”" in told
    assert "no. 1,234" in html.unescape(told) and "0.25 bits" in told


def test_what_is_missing_is_told() -> None:
    cut = {"raw": [], "tokens": 9, "cut": 1234}
    prompts = {"base": cut, "tuned": {**cut, "raw": [("x", False)]}}
    whole = {"prompts": prompts, "answers": {"other": answer("a", ended=False, left_out=7)}, "right": None}
    told = drawn(whole, PANES, [("other", "<Mine>")], say)
    assert "1,234 tokens were not read" in told and "cut off before its end" in told and "too long to be read: 7" in told
    assert "What ● Base read" in told and "What ◆ Tuned read" in told and "&lt;Mine&gt;" in told and "How probable was" not in told


def luminance(colour: str) -> float:
    """Relative luminance, after WCAG 2.1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_can_be_read_and_told_apart_by_lightness_alone() -> None:
    style = (PROJECT / "assets/style.css").read_text("utf-8")
    for root, ground in ((":root", "#ffffff"), (".dark", "#111a2b")):
        values = dict(re.findall(r"--(strong|p\d): (#[0-9a-f]{6})", " ".join(re.findall(rf"^{root} {{(.*)}}", style, re.MULTILINE))))
        steps = [luminance(ground), *(luminance(values[f"p{number}"]) for number in range(1, 5))]
        text = luminance(values["strong"])
        for one in steps:
            assert (max(text, one) + 0.05) / (min(text, one) + 0.05) >= 4.5
        assert steps in (sorted(steps), sorted(steps, reverse=True)), "lightness alone tells them apart, for every kind of eye"
        assert all((max(pair) + 0.05) / (min(pair) + 0.05) > 1.1 for pair in pairwise(steps))
