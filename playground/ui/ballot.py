"""A vote in words and pictures: answers, bars, and the sentence that says whether a lead is more than chance.

Pure functions for the instructor's page and the voters' page alike; every text is escaped. Knows no Gradio and no services.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import segno

from playground.ui.formatting import Say

SMALLEST = 0.1  # percent; below it a chance is only said to be smaller
OWN_COLOURS = ("base", "tuned")  # answers that have a colour wherever they are shown


def qr(address: str) -> str:
    """The picture of an address as a data URI, dark on white with the quiet margin that cameras need, in dark mode too."""
    return str(segno.make(address, error="m", micro=False).svg_data_uri(scale=4, border=4, dark="#000", light="#fff"))


def percent(share: float, say: Say) -> str:
    return say("vote.percent", n=100 * share)


def count(voters: int, say: Say) -> str:
    """How many have voted so far."""
    return say("vote.count_none") if not voters else say("vote.count_one") if voters == 1 else say("vote.count", n=voters)


def answers(shown: Sequence[dict[str, str]], say: Say) -> str:
    """The answers under their letters, as HTML."""
    items = "".join(
        f"<li><h4>{escape(say('vote.answer', letter=one['label']))}</h4><p>{escape(one['text'] or say('vote.nothing'))}</p></li>"
        for one in shown
    )
    return f'<ul class="ballot">{items}</ul>'


def verdict(result: dict[str, Any], say: Say) -> str:
    """Whether somebody leads, and whether by more than chance, in one or two sentences."""
    if not result["voters"]:
        return say("vote.nobody")
    if result["leader"] is None:
        return say("vote.tie")
    p = 100 * result["p"]
    chance = say("vote.tiny", n=SMALLEST) if p < SMALLEST else say("vote.chance", n=p)
    return say("vote.clear" if result["more_than_chance"] else "vote.unclear", letter=result["leader"], chance=chance)


def terms(result: dict[str, Any], say: Say) -> str:
    """What the interval and the test are called, for those who want to look them up."""
    n = len(result["answers"])
    return " ".join([say("vote.interval"), say("vote.test_two") if n == 2 else say("vote.test_more", n=n), say("vote.only")])


def table(result: dict[str, Any], say: Say) -> str:
    """One line an answer: who wrote it where that may be told, a bar with its interval, and the figures."""
    return f'<table class="result"><tbody>{"".join(_line(one, result["voters"], say) for one in result["answers"])}</tbody></table>'


def _line(one: dict[str, Any], voters: int, say: Say) -> str:
    name = f"<span>{escape(one['name'])}</span>" if "name" in one else ""
    colour = one.get("key") if one.get("key") in OWN_COLOURS else "other"
    figures = say("vote.share", share=percent(one["share"], say), votes=one["votes"], of=voters) if voters else say("vote.no_share")
    span = say("vote.span", low=percent(one["low"], say), high=percent(one["high"], say)) if voters else ""
    return (
        f'<tr class="{colour}"><th scope="row"><b>{escape(say("vote.answer", letter=one["label"]))}</b>{name}</th>'
        f"<td>{bar(one['share'], one['low'], one['high']) if voters else ''}<b>{escape(figures)}</b><span>{escape(span)}</span></td></tr>"
    )


def bar(share: float, low: float, high: float) -> str:
    """A share as a bar, and the interval as a line with two ends; the figures beside it say the same."""
    whole, left, right = (f"{100 * value:.1f}" for value in (share, low, high))
    return (
        '<svg class="share" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<rect class="track" width="100" height="20"/><rect class="filled" width="{whole}" height="20"/>'
        f'<path class="reach" d="M{left} 4V16M{left} 10H{right}M{right} 4V16"/></svg>'
    )
