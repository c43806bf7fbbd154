"""How well a document could be read, as HTML: one line at a glance, the rest on unfolding. Pure functions, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from playground.ui.formatting import Say, Translate

UNITS = ("page", "slide", "sheet", "section", "part", "row")


def named(one: dict[str, Any], say: Say) -> str:
    """A file as it is chosen from a list, where two versions may have the same name."""
    return say("files.not_read", name=one["name"]) if one["state"] == "failed" else str(one["name"])


def files(documents: Sequence[dict[str, Any]], say: Say, translate: Translate) -> str:
    """Every file of a collection with its health."""
    good = {one["name"] for one in documents if one["state"] == "done"}
    rows = "".join(_file(one, one["name"] in good, say, translate) for one in documents)
    return f'<ul class="files" aria-label="{escape(say("documents.files"))}">{rows}</ul>' if rows else ""


def _file(one: dict[str, Any], good: bool, say: Say, translate: Translate) -> str:
    name = f"<b>{escape(one['name'])}</b>"
    if one["state"] == "failed":
        name = f"<b>{escape(named(one, say))}</b>"
        kept = f"<span>{escape(say('files.kept'))}</span>" if good else ""
        return f'<li class="bad">{name}<span>{escape(translate(one["error"]))}</span>{kept}</li>'
    if (state := one["state"]) in ("waiting", "reading"):
        return f'<li class="{state}">{name}<span>{escape(say(f"documents.is_{state}"))}</span></li>'
    kind = "partly" if one["pages_empty"] or one["pages_garbled"] or one["left_out"] or one["orders"] else "good"
    summary = f"<summary>{name}<span>{escape(glance(one, say))}</span></summary>"
    return f'<li class="{kind}"><details>{summary}{details(one, say, translate)}</details></li>'


def glance(one: dict[str, Any], say: Say) -> str:
    """The line under a file's name: what there is, then what is odd."""
    parts = [counted(one["unit"], one["pages"], say), _number("passages", one["chunks"], say)]
    if one["sections"] and one["unit"] != "section":
        parts.append(_number("section", one["sections"], say))
    for key in ("pages_ocr", "tables", "pages_empty", "pages_garbled"):
        if one[key]:
            parts.append(_number(key, one[key], say))
    if one["left_out"]:
        parts.append(say("health.left_out_short"))
    if one["orders"]:
        parts.append(say("health.orders_short"))
    return " · ".join(parts)


def details(one: dict[str, Any], say: Say, translate: Translate) -> str:
    """The whole card as a list of terms with what is known of each."""
    rows = [(say("health.with_text"), f"{one['pages_text']:,}")]
    if one["pages_ocr"]:
        sure = one["ocr_confidence"]
        told = say("health.ocr_sure", n=one["pages_ocr"], sure=sure) if sure is not None else f"{one['pages_ocr']:,}"
        rows.append((say("health.ocr"), told))
    rows += [(say(f"health.{key}"), f"{one[f'pages_{key}']:,}") for key in ("garbled", "empty") if one[f"pages_{key}"]]
    if one["sections"]:
        rows.append((say("health.sections"), f"{one['sections']:,}"))
    if one["tables"]:
        rows.append((say("health.tables"), say("health.tables_told", n=one["tables"])))
    if one["language"]:
        rows.append((say("health.language"), say(f"health.language_{one['language']}")))
    if one["encrypted"]:
        rows.append((say("health.encrypted"), say("health.encrypted_told")))
    if one["orders"]:
        where = ", ".join(map(str, one["orders"]))
        rows.append((say("health.orders"), say("health.orders_told", pages=where)))
    rows += [(say("health.left_out"), translate(sentence)) for sentence in one["left_out"]]
    cells = "".join(f"<dt>{escape(term)}</dt><dd>{escape(told)}</dd>" for term, told in rows)
    return f'<dl class="health">{cells}</dl>'


def counted(unit: str, n: int, say: Say) -> str:
    """`12 pages`, `1 slide`: what stands for pages in a file, with its number."""
    return _number(unit if unit in UNITS else "page", n, say)


def _number(what: str, n: int, say: Say) -> str:
    return say(f"health.{what}_one" if n == 1 else f"health.{what}_n", n=n)
