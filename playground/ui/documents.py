"""Files, answers and passages of the Documents tab as HTML: pure functions, every text escaped. Knows no Gradio and no services."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from playground.ui.formatting import Say, Translate, duration


def files(documents: Sequence[dict[str, Any]], say: Say, translate: Translate) -> str:
    """Every file with its health in one glance."""
    if not documents:
        return ""
    rows = []
    for one in documents:
        kind, told = _health(one, say, translate)
        rows.append(f'<li class="{kind}"><b>{escape(one["name"])}</b><span>{escape(told)}</span></li>')
    return f'<ul class="files" aria-label="{escape(say("documents.files"))}">{"".join(rows)}</ul>'


def _health(one: dict[str, Any], say: Say, translate: Translate) -> tuple[str, str]:
    if one["state"] == "failed":
        return "bad", translate(one["error"])
    if one["state"] == "waiting":
        return "waiting", say("documents.is_waiting")
    parts = [say("documents.pages", n=one["pages"]), say("documents.chunks", n=one["chunks"])]
    if one["pages_empty"]:
        parts.append(say("documents.pages_empty", n=one["pages_empty"]))
    if one["pages_garbled"]:
        parts.append(say("documents.pages_garbled", n=one["pages_garbled"]))
    return ("partly" if one["pages_empty"] or one["pages_garbled"] else "good"), " · ".join(parts)


def progress(job: Any, say: Say, translate: Translate) -> str:
    """A bar, what is being done, and the time left."""
    share = min(1.0, job.done / job.total) if job.total else 0.0
    doing = translate(job.doing) if job.doing else say("documents.beginning")
    left = f" · {say('documents.left', time=duration(job.eta_seconds))}" if job.eta_seconds is not None else ""
    bar = f'<progress max="100" value="{share * 100:.0f}" aria-label="{escape(doing)}"></progress>'
    return f'<div class="indexing" role="status">{bar}<span>{escape(doing)}{escape(left)}</span></div>'


def answer(state: dict[str, Any], say: Say, translate: Translate) -> str:
    """The answer with numbered chips, what the model said, and how sure the evidence is."""
    if state["refused"]:
        return f'<div class="answer refused" role="status"><p>{escape(translate(state["answer"]))}</p></div>'
    chips = "".join(_chip(number, one, say) for number, one in enumerate(state["citations"], 1))
    who = say(f"documents.by_{state['by']}")
    lead = f'<p class="lead">{escape(str(state["answer"]))} {_marks(state)}</p><p class="who">{escape(who)}</p>'
    return f'<div class="answer" role="status">{lead}{_model(state, say, translate)}<ol class="chips">{chips}</ol></div>'


def _marks(state: dict[str, Any]) -> str:
    count = len(state["citations"]) if state["by"] == "model" else 1
    return "".join(f"<sup>{number}</sup>" for number in range(1, count + 1))


def _model(state: dict[str, Any], say: Say, translate: Translate) -> str:
    """The model's own words, where they do not lead, and whether they keep to the documents."""
    if state["error"]:
        return f'<p class="words warn">{escape(translate(state["error"]))}</p>'
    if state["by"] == "model" or not (state["said"] or state["model"]):
        return ""
    name = state["adapter"]["name"] if state["adapter"] else say("documents.base", model=state["model"])
    verdict = ""
    if state["done"]:
        key = "documents.keeps" if state["supported"] else "documents.strays"
        verdict = f'<span class="{"good" if state["supported"] else "warn"}">{escape(say(key))}</span>'
    return (
        f'<div class="words {"tuned" if state["adapter"] else "base"}"><b>{escape(say("documents.words", name=name))}</b>'
        f"<p>{escape(state['said']) or '…'}</p>{verdict}</div>"
    )


def _chip(number: int, one: dict[str, Any], say: Say) -> str:
    where = say("documents.where", document=one["document"], page=_page(one))
    return f'<li><a href="#passage-{int(one["chunk"])}">[{number}] {escape(where)}</a><q>{escape(one["quote"])}</q></li>'


def _page(one: dict[str, Any]) -> str:
    """The page counted from 1, with the printed number where that is another."""
    printed = one.get("label") or ""
    return str(one["page"]) if printed in ("", str(one["page"])) else f"{one['page']} ({printed})"


def passages(hits: Sequence[dict[str, Any]], quotes: Sequence[dict[str, Any]], say: Say) -> str:
    """What was found, best first, with scores and ranks; quoted sentences are marked."""
    quoted: dict[int, list[str]] = {}
    for one in quotes:
        quoted.setdefault(one["chunk"], []).append(one["quote"])
    rows = []
    for number, hit in enumerate(hits, 1):
        where = say("documents.where", document=hit["document"], page=_page(hit))
        ranks = [say("documents.score", score=hit["score"])]
        ranks += [say(f"documents.rank_{part}", rank=rank) for part, rank in hit["ranks"].items() if rank]
        text = _marked(hit["text"], quoted.get(hit["chunk"], []))
        rows.append(
            f'<li id="passage-{int(hit["chunk"])}"><div class="where"><b>{number}. {escape(where)}</b>'
            f"<span>{escape(' · '.join(ranks))}</span></div><p>{text}</p></li>"
        )
    return f'<ol class="passages">{"".join(rows)}</ol>' if rows else ""


def _marked(text: str, quotes: Sequence[str]) -> str:
    spans = sorted((at, at + len(quote)) for quote in quotes if (at := text.find(quote)) >= 0)
    parts, end = [], 0
    for start, stop in spans:
        if start >= end:
            parts += [escape(text[end:start]), f"<mark>{escape(text[start:stop])}</mark>"]
            end = stop
    return "".join([*parts, escape(text[end:])])
