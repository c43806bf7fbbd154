"""Passages of a file's first pages as HTML: their borders, what they share, and counts. Pure; all text is data and is escaped."""

from __future__ import annotations

from html import escape
from itertools import groupby
from statistics import mean

from playground.rag.preview import Cut, Preview
from playground.ui.formatting import Say


def limit(tokens: float, reads: int | None, say: Say) -> str:
    """That the embedder does not read passages as long as this; empty where it does, or nobody knows yet."""
    if reads is None or tokens <= reads:
        return ""
    return f'<p class="warn" role="status">{escape(say("passages.reads", n=reads))}</p>'


def drawn(found: Preview, say: Say) -> str:
    """The passages, page by page."""
    if not found.cuts:
        return f'<p class="warn">{escape(say("passages.nothing", name=found.name, n=found.pages))}</p>'
    counts = [one.tokens for one in found.cuts]
    told = say("passages.counts", n=len(counts), pages=found.pages, total=found.total, mean=mean(counts), most=max(counts))
    parts = [f'<p role="status">{escape(told)}</p>']
    number = 0
    for page, cuts in groupby(found.cuts, key=lambda one: one.page):
        items = []
        for one in cuts:
            number += 1
            items.append(_passage(number, one, say))
        parts.append(f'<h4>{escape(say("passages.page", n=page))}</h4><ol class="cuts">{"".join(items)}</ol>')
    return f'<div class="passage-preview" tabindex="0" role="region" aria-label="{escape(say("passages.region"))}">{"".join(parts)}</div>'


def _passage(number: int, one: Cut, say: Say) -> str:
    repeated = f'<span class="repeated">{escape(one.text[: one.shared])}</span>' if one.shared else ""
    head = f"<b>{number}</b> <small>{escape(say('passages.tokens', n=one.tokens))}</small>"
    return f"<li>{head}<p>{repeated}{escape(one.text[one.shared :])}</p></li>"
