"""The way from a question to its answer as HTML, step by step: words, passages with their ranks, sentences, prompt, answer.

Pure functions; all text is data and is escaped. Values come as `/xray` gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from playground.ui.documents import where
from playground.ui.formatting import Say, Translate, shorten
from playground.ui.page_view import UNDER

PASSAGE_CHARACTERS = 160
STEPS = ("keyword", "dense", "fused", "rerank")
Seen = Mapping[str, Any]


def drawn(seen: Seen, say: Say, translate: Translate) -> str:
    """Everything that was seen, in the order in which it happens."""
    parts = [
        (say("xray.words"), _words(seen, say)),
        (say("xray.ranks"), _table(seen, say)),
        (say("xray.sentences"), _sentences(seen, say)),
        (say("xray.prompt"), _prompt(seen, say)),
        (say("xray.answer"), _answer(seen, say, translate)),
    ]
    items = "".join(f"<li><h4>{escape(title)}</h4>{body}</li>" for title, body in parts)
    return f'<ol class="xray">{items}</ol>'


def _words(seen: Seen, say: Say) -> str:
    if not seen["related"]:
        return f"<p>{escape(say('xray.no_related'))}</p>"
    lines = "".join(f"<li><b>{escape(word)}</b> {escape(', '.join(others))}</li>" for word, others in seen["related"].items())
    return f"<p>{escape(say('xray.related'))}</p><ul>{lines}</ul>"


def moved(one: Seen) -> str:
    """How a passage's place changed against a search with every step as usual: `up`, `down`, `new` or `same`."""
    usual = one["usual_rank"]
    if usual is None:
        return "new"
    return "same" if usual == one["rank"] else "up" if one["rank"] < usual else "down"


def _table(seen: Seen, say: Say) -> str:
    if not seen["candidates"]:
        return f"<p>{escape(say('xray.nothing'))}</p>"
    steps = STEPS if any(one["rerank"] is not None for one in seen["candidates"]) else STEPS[:3]
    heads = [say("xray.place"), say("xray.passage"), *(say(f"xray.{step}") for step in steps)]
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    rows = "".join(_row(place, one, steps, say) for place, one in enumerate(seen["candidates"]))
    told = say("xray.weight", n=100 * seen["weight"])
    if seen["weight_from"] != "set":
        told += " " + say(f"xray.weight_{seen['weight_from']}")
    return f'<p>{escape(told)}</p><div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _row(place: int, one: Seen, steps: tuple[str, ...], say: Say) -> str:
    kind = moved(one)
    change = "" if kind == "same" else f'<small class="{kind}">{escape(say(f"xray.moved_{kind}", n=one["usual_rank"] or 0))}</small>'
    link = f'<a href="#page-view-box" data-pick="candidate-{place}" title="{escape(say("page_view.open"))}">{escape(where(one, say))}</a>'
    cells = "".join(f"<td>{_said(one, step, say)}</td>" for step in steps)
    text = escape(shorten(" ".join(one["text"].split()), PASSAGE_CHARACTERS))
    above = f" {UNDER} ".join((one.get("section") or [])[:-1])  # the last heading stands in the link
    under = f'<small class="under">{escape(say("page_view.section", path=above))}</small>' if above else ""
    return f'<tr class="{kind}"><td><b>{one["rank"]}</b>{change}</td><td>{link}{under}<p>{text}</p></td>{cells}</tr>'


def _said(one: Seen, step: str, say: Say) -> str:
    """A step's rank of a passage, with the score behind it; a dash where that step did not find it or was off."""
    if step == "rerank":
        return "–" if one["rerank"] is None else f"<small>{escape(say('xray.score', n=one['rerank']))}</small>"
    rank = one["fused_rank"] if step == "fused" else one["ranks"][step]
    score = one["score"] if step == "fused" else one["scores"][step]
    return "–" if not rank else f"<b>{rank}</b> <small>{escape(say('xray.score', n=score))}</small>"


def _sentences(seen: Seen, say: Say) -> str:
    if not seen["sentences"]:
        return f"<p>{escape(say('xray.nothing'))}</p>"
    lines = "".join(
        f'<li class="{"enough" if one["score"] >= seen["enough"] else "little"}"><b>{escape(say("xray.score", n=one["score"]))}</b> '
        f"<q>{escape(one['quote'])}</q></li>"
        for one in seen["sentences"]
    )
    return f"<p>{escape(say('xray.threshold', n=seen['enough']))}</p><ul>{lines}</ul>"


def _prompt(seen: Seen, say: Say) -> str:
    if not seen["read"]:
        return f"<p>{escape(say('xray.not_asked'))}</p>"
    return f'<pre tabindex="0" aria-label="{escape(say("xray.prompt"))}">{escape(seen["read"])}</pre>'


def _answer(seen: Seen, say: Say, translate: Translate) -> str:
    answer = seen["answer"]
    lead = escape(translate(answer["answer"]) if answer["refused"] else str(answer["answer"]))
    said = f"<p>{escape(say('xray.said'))} <q>{escape(answer['said'])}</q></p>" if answer["said"] else ""
    return f'<p class="lead">{lead}</p>{said}'
