"""Answers and passages of the Documents tab as HTML: pure functions, every text escaped. Knows no Gradio and no services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.asking import PREFIX
from playground.rag.embedders import KNOWN
from playground.ui.formatting import Say, Translate, duration
from playground.ui.health import UNITS
from playground.ui.page_view import marked


def choice(one: Mapping[str, Any], say: Say) -> str:
    """A collection as it stands in the list of them."""
    return say("documents.choice_damaged" if one["damaged"] else "documents.choice", name=one["collection"], n=one["documents"])


def made(about: Mapping[str, Any], say: Say) -> str:
    """What a collection was made with, in a line."""
    name = next((one.name for one in KNOWN if one.id == about["embedder"]), about["embedder"])
    tokens, overlap = about["passage_tokens"], about["passage_overlap"]
    passages = say("documents.made_rows") if about["rows"] else say("documents.made_tokens", n=tokens)
    parts = [say("documents.made_embedder", name=name), passages]
    if overlap and not about["rows"]:
        parts.append(say("documents.made_overlap", n=overlap))
    told = f"<summary>{escape(' · '.join(parts))}</summary><p>{escape(say('documents.made_about'))}</p>"
    return f'<details class="made">{told}</details>'


def notes(sentences: Sequence[str], translate: Translate) -> str:
    """What is to be told of files that were added; the same thing once."""
    told = "".join(f"<li>{escape(one)}</li>" for one in dict.fromkeys(translate(one) for one in sentences))
    return f'<ul class="notes" role="status">{told}</ul>' if told else ""


def warned(sentence: str) -> str:
    """What could not be done."""
    return f'<p class="warn" role="status">{escape(sentence)}</p>'


def progress(job: Any, say: Say, translate: Translate) -> str:
    """A bar, what is being done, and the time left."""
    share = min(1.0, job.done / job.total) if job.total else 0.0
    doing = translate(job.doing) if job.doing else say("documents.beginning")
    left = f" · {say('documents.left', time=duration(job.eta_seconds))}" if job.eta_seconds is not None else ""
    bar = f'<progress max="100" value="{share * 100:.0f}" aria-label="{escape(doing)}"></progress>'
    return f'<div class="indexing" role="status">{bar}<span>{escape(doing)}{escape(left)}</span></div>'


def searching(say: Say) -> str:
    """What stands in the answer's place until there is one: the next may be the same word for word."""
    return f'<p class="searching" role="status">{escape(say("documents.searching"))}</p>'


def answer(state: dict[str, Any], say: Say, translate: Translate) -> str:
    """The answer with numbered chips, what the model said, and how sure the evidence is."""
    warned = warnings(state, say)
    if state["refused"]:
        return f'<div class="answer refused" role="status"><p>{escape(translate(state["answer"]))}</p>{warned}</div>'
    chips = "".join(_chip(number, one, say) for number, one in enumerate(state["citations"], 1))
    who = say(f"documents.by_{state['by']}")
    lead = f'<p class="lead">{escape(str(state["answer"]))} {_marks(state)}</p><p class="who">{escape(who)}</p>'
    return f'<div class="answer" role="status">{lead}{_model(state, say, translate)}{warned}<ol class="chips">{chips}</ol></div>'


def warnings(state: Mapping[str, Any], say: Say) -> str:
    """Which of the documents that were read hold text that tries to give orders."""
    return "".join(f'<p class="words warn">{escape(say("documents.orders", name=name))}</p>' for name in state.get("orders", []))


def _marks(state: dict[str, Any]) -> str:
    count = len(state["citations"]) if state["by"] == "model" else 1
    return "".join(f"<sup>{number}</sup>" for number in range(1, count + 1))


def _model(state: dict[str, Any], say: Say, translate: Translate) -> str:
    """The model's own words, where they do not lead, and whether they keep to the documents."""
    if state["error"]:
        return f'<p class="words warn">{escape(translate(state["error"]))}</p>'
    if state["by"] == "model" or not (state["said"] or state["model"]):
        return ""
    if state["model"].startswith(PREFIX):
        name = say("chat.served", name=state["model"].removeprefix(PREFIX))
    else:
        name = state["adapter"]["name"] if state["adapter"] else say("documents.base", model=state["model"])
    verdict = ""
    if state.get("stopped") and not state["done"]:
        verdict = f'<span class="warn">{escape(say("chat.stopped"))}</span>'
    elif state["done"]:
        key = "documents.keeps" if state["supported"] else "documents.strays"
        verdict = f'<span class="{"good" if state["supported"] else "warn"}">{escape(say(key))}</span>'
    return (
        f'<div class="words {"tuned" if state["adapter"] else "base"}"><b>{escape(say("documents.words", name=name))}</b>'
        f"<p>{escape(state['said']) or '…'}</p>{verdict}</div>"
    )


def _chip(number: int, one: dict[str, Any], say: Say) -> str:
    place = where(one, say)
    link = f'<a href="#passage-{int(one["chunk"])}" data-pick="cite-{number - 1}" title="{escape(say("page_view.open"))}">'
    return f"<li>{link}[{number}] {escape(place)}</a><q>{escape(one['quote'])}</q></li>"


def where(one: Mapping[str, Any], say: Say) -> str:
    """File and page, or what stands for a page in it, and the section if one is known."""
    unit, section = one.get("unit", "page"), one.get("section") or []
    place = say("documents.where" if unit not in UNITS[1:] else f"documents.where_{unit}", document=one["document"], page=_page(one))
    return say("documents.in_section", place=place, section=section[-1]) if section else place


def _page(one: Mapping[str, Any]) -> str:
    """The page counted from 1, with the printed number where that is another; a heading that is told as the section is not told twice."""
    printed = one.get("label") or ""
    known = ("", str(one["page"]), *((one.get("section") or [])[-1:] if one.get("unit") == "section" else ()))
    return str(one["page"]) if printed in known else f"{one['page']} ({printed})"


def passages(hits: Sequence[dict[str, Any]], quotes: Sequence[dict[str, Any]], say: Say) -> str:
    """What was found, best first, with scores and ranks; quoted sentences are marked."""
    quoted: dict[int, list[str]] = {}
    for one in quotes:
        quoted.setdefault(one["chunk"], []).append(one["quote"])
    rows = []
    for number, hit in enumerate(hits, 1):
        place = where(hit, say)
        ranks = [say("documents.score", score=hit["score"])]
        ranks += [say(f"documents.rank_{part}", rank=rank) for part, rank in hit["ranks"].items() if rank]
        if hit.get("rerank") is not None:
            ranks.append(say("documents.rank_rerank", score=hit["rerank"]))
        text = marked(hit["text"], quoted.get(hit["chunk"], []))
        rows.append(
            f'<li id="passage-{int(hit["chunk"])}"><div class="where"><a href="#passage-{int(hit["chunk"])}" data-pick="hit-{number - 1}"'
            f' title="{escape(say("page_view.open"))}">{number}. {escape(place)}</a>'
            f'<span>{escape(" · ".join(ranks))}</span></div><p tabindex="0">{text}</p></li>'
        )
    return f'<ol class="passages">{"".join(rows)}</ol>' if rows else ""
