"""A page of a document as HTML: its picture with the quoted words marked over it, or its text. Pure; every text is data and is escaped.

The picture travels inside the HTML as a data URI: it has no address of its own that somebody else could guess, and goes with the answer
of the one event, to the one who asked. The painter bounds its size.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from playground.rag.boxes import Box
from playground.rag.page_view import Bordered, PageView
from playground.ui.formatting import Say, Translate, shorten
from playground.ui.health import UNITS

QUOTE_CHARACTERS = 300  # of the alternative text
UNDER = "›"  # between a heading and one below it
TINTS = 4  # of passages, in turns


def shown(view: PageView, say: Say, translate: Translate) -> str:
    """The page, what it is, and what is marked on it."""
    note = f'<p class="warn">{escape(translate(view.note))}</p>' if view.note else ""
    under = f"<span>{escape(say('page_view.section', path=f' {UNDER} '.join(view.section)))}</span>" if view.section else ""
    head = f"<figcaption>{escape(title(view, say))}{under}</figcaption>"
    if view.picture is None:
        return f'<figure class="page-view">{head}{note}{_text(view, say)}</figure>'
    source = f"data:image/webp;base64,{base64.b64encode(view.picture.image).decode()}"
    image = f'<img src="{source}" width="{view.picture.width}" height="{view.picture.height}" alt="{escape(alternative(view, say))}">'
    over = "".join(_mark(box) for box in view.marks) + "".join(_bordered(one) for one in view.passages)
    below = _text(view, say) if view.note else ""
    return (
        f'<figure class="page-view">{head}{note}<div class="frame" tabindex="0" role="region" '
        f'aria-label="{escape(say("page_view.frame"))}">'
        f'<div class="sheet">{image}{over}</div></div>{_legend(view, say)}{below}</figure>'
    )


def title(view: PageView, say: Say) -> str:
    """`handbook.pdf, page 8 of 12`, with the printed number where that is another; `prices.xlsx, sheet 2` where there are no pages."""
    if view.unit in UNITS[1:]:
        return say(f"documents.where_{view.unit}", document=view.document, page=view.number)
    printed = "" if view.label in ("", str(view.number)) else f" ({view.label})"
    return say("page_view.title", document=view.document, page=f"{view.number}{printed}", pages=view.pages)


def alternative(view: PageView, say: Say) -> str:
    """What the picture shows, for those who do not see it."""
    if not view.marks:
        return say("page_view.alt", page=view.number, document=view.document)
    quotes = " … ".join(shorten(quote, QUOTE_CHARACTERS) for quote in view.quotes)
    return say("page_view.alt_marked", page=view.number, document=view.document, quote=quotes)


def _place(box: Box) -> str:
    return (
        f"left:{100 * box.left:.2f}%;top:{100 * box.top:.2f}%;width:{100 * (box.right - box.left):.2f}%;"
        f"height:{100 * (box.bottom - box.top):.2f}%"
    )


def _mark(box: Box) -> str:
    return f'<span class="mark" aria-hidden="true" title="{escape(box.text)}" style="{_place(box)}"></span>'


def _bordered(one: Bordered) -> str:
    """A passage's lines in its tint, its number at the first of them."""
    tint = f"passage tint-{one.number % TINTS}"
    lines = [f'<span class="{tint}" aria-hidden="true" style="{_place(box)}"></span>' for box in one.boxes]
    if one.boxes:
        first = min(one.boxes, key=lambda box: (box.top, box.left))  # a page's number may be read before the rest
        lines.append(f'<b class="{tint}" style="left:{100 * first.left:.2f}%;top:{100 * first.top:.2f}%">{one.number}</b>')
    return "".join(lines)


def _legend(view: PageView, say: Say) -> str:
    if not view.passages:
        return ""
    items = "".join(
        f'<li><b class="passage tint-{one.number % TINTS}">{one.number}</b> {escape(shorten(one.text, 90))}</li>' for one in view.passages
    )
    return f'<p class="hint">{escape(say("page_view.begin", n=len(view.passages)))}</p><ol class="borders">{items}</ol>'


def _text(view: PageView, say: Say) -> str:
    label = escape(say("page_view.text"))
    return f'<div class="sheet-text" tabindex="0" role="region" aria-label="{label}">{marked(view.text, view.quotes)}</div>'


def marked(text: str, quotes: Sequence[str]) -> str:
    """A text as HTML with the quotes in it marked; of one that goes on after the text, its first line."""
    here = [quote if quote in text else quote.partition("\n")[0] for quote in quotes]
    spans = sorted((at, at + len(quote)) for quote in here if quote and (at := text.find(quote)) >= 0)
    parts, end = [], 0
    for start, stop in spans:
        if start >= end:
            parts += [escape(text[end:start]), f"<mark>{escape(text[start:stop])}</mark>"]
            end = stop
    return "".join([*parts, escape(text[end:])])
