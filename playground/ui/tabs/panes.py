"""The panes of the Chat tab: who stands in which, how an answer is shown, and the small type that says who gave it. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from playground.asking import BASE, PREFIX, TUNED, WITH_DOCUMENTS
from playground.ui import talk
from playground.ui.documents import warnings, where
from playground.ui.formatting import Say, Translate, megabytes, shorten
from playground.ui.page import Page
from playground.ui.talk import Exchange

MORE = 3  # runs that can stand beside the first
SIGNS = ("▲", "■", "✦")  # of those; base is ● and tuned ◆, so that nobody has to tell colours apart
HEIGHT = 300
NAME = 40  # characters of a server's model in a pane's title


@dataclass(frozen=True)
class Slot:
    """One pane. `name` is its place on the page; the pane's key, by which it is asked, can change with the choice of runs."""

    name: str
    column: gr.Column
    chat: gr.Chatbot
    by: gr.HTML


def build(page: Page) -> list[Slot]:
    """All panes there may be; only the first two are shown at first."""
    names = [BASE, TUNED, *(f"more{number}" for number in range(1, MORE + 1)), BASE + WITH_DOCUMENTS, TUNED + WITH_DOCUMENTS]
    return [_slot(page, name) for name in names]


def _slot(page: Page, name: str) -> Slot:
    kind = "more" if name.startswith("more") else name.removesuffix(WITH_DOCUMENTS)
    label = page.label(f"chat.{name}") if kind != "more" else name
    with gr.Column(min_width=300, visible=name in (BASE, TUNED), elem_classes=["pane", kind]) as column:
        chat = gr.Chatbot(
            label=label,
            height=HEIGHT,
            render_markdown=False,
            group_consecutive_messages=False,
            feedback_options=None,
            buttons=["copy"],
            elem_id=f"pane-{name}",
        )
        by = gr.HTML(elem_classes="by", elem_id=f"by-{name}")
    return Slot(name, column, chat, by)


def keys(others: Sequence[str], documents: bool) -> dict[str, str]:
    """Which pane stands in which place: {place: key}."""
    found = {BASE: BASE, TUNED: TUNED, **{f"more{place}": run_id for place, run_id in enumerate(others[:MORE], 1)}}
    if documents:
        found |= {one + WITH_DOCUMENTS: one + WITH_DOCUMENTS for one in (BASE, TUNED)}
    return found


def names(say: Say, tuned: str, others: Mapping[str, str]) -> dict[str, str]:
    """What each pane is called, by key: {run_id: name} of the runs beside the first."""
    return {
        BASE: say("chat.base"),
        TUNED: say("chat.tuned_by", name=tuned),
        **{run_id: f"{sign} {name}" for sign, (run_id, name) in zip(SIGNS, others.items(), strict=False)},
        BASE + WITH_DOCUMENTS: say("chat.base_documents"),
        TUNED + WITH_DOCUMENTS: say("chat.tuned_documents"),
    }


def served(name: str, say: Say) -> str:
    """What a server's model is called; nothing for what is no such model."""
    return say("chat.served", name=shorten(name.removeprefix(PREFIX), NAME)) if name.startswith(PREFIX) else ""


def heavy(found: Sequence[tuple[str, int, int]], say: Say) -> str:
    """What models of their own will take before they are loaded, as HTML; nothing where there are none."""
    lines = []
    for name, needed, free in found:
        kind, what = ("hint", "chat.heavy") if needed <= free else ("warn", "chat.too_heavy")
        text = say(what, name=name, needed=megabytes(needed, say), free=megabytes(free, say))
        lines.append(f'<p class="{kind}">{escape(text)}</p>')
    return "".join(lines)


def shown(slots: Sequence[Slot], said: Sequence[Exchange], places: Mapping[str, str], say: Say, translate: Translate) -> list[Any]:
    """What all panes and the type below them show: first the conversations, then who answered last."""
    chats, notes = [], []
    for slot in slots:
        key = places.get(slot.name)
        if key is None:
            chats.append(gr.skip())
            notes.append(gr.skip())
            continue
        chats.append(talk.messages(said, key, say, translate))
        one = talk.answer_of(said[-1], key) if said else None
        notes.append(by_whom(one, say, translate) if one else "")
    return [*chats, *notes]


def by_whom(one: Mapping[str, Any], say: Say, translate: Translate) -> str:
    """Who answered, how much and how fast, as HTML; behind it, folded, everything that proves it."""
    if one.get("error"):
        return f'<p class="bad">{escape(translate(one["error"]))}</p>'
    if not one["done"] and not one["tokens"]:
        waits = one["place"]
        return f"<p>{escape(say('chat.in_line', n=waits) if waits > 1 else say('chat.waiting'))}</p>"
    if one.get("stopped_because") == "cancelled" and not one["tokens"]:
        return f"<p>{escape(say('chat.stopped'))}</p>"
    if one.get("refused"):
        return f"<p>{escape(say('chat.not_asked'))}</p>{warnings(one, say)}"
    adapter = one["adapter"]
    if one.get("served") or one["model"].startswith(PREFIX):
        who = say("chat.by_server", model=one.get("served") or one["model"].removeprefix(PREFIX))
    elif adapter:
        who = say("chat.by_adapter", model=one["model"], name=adapter["name"], sha=adapter["sha256"][:8])
    else:
        who = say("chat.by_base", model=one["model"])
    parts = [who, talk.figures(one, say)]
    if one.get("cut"):
        parts.append(say("chat.cut", n=one["cut"]))
    if one["plain"]:
        parts.append(say("chat.plain_format"))
    if one.get("stopped_because") == "cancelled":
        parts.append(say("chat.stopped"))
    told = f"<p>{escape(' · '.join(parts))}</p>{_citations(one, say)}{warnings(one, say)}"
    return told + (_proof(one, say) if one["done"] else "")


def _citations(one: Mapping[str, Any], say: Say) -> str:
    found = [say("chat.from_place", place=where(cited, say), quote=cited["quote"]) for cited in one.get("citations", [])[:2]]
    return "".join(f'<p class="cited">{escape(text)}</p>' for text in found)


def _proof(one: Mapping[str, Any], say: Say) -> str:
    """Everything about an answer, for those who want to check it."""
    adapter, settings = one["adapter"], one["settings"]
    if one["model"].startswith(PREFIX):
        by = {"asked": one["model"].removeprefix(PREFIX), "served": one.get("served") or "–"}
    else:
        by = {
            "model": one["model"] + (f" @ {one['revision']}" if one["revision"] else ""),
            "bits": say("chat.four_bits") if one["quantised"] else say("chat.whole"),
            "adapter": adapter["sha256"] if adapter else "–",
            "step": "–" if one["step"] is None else str(one["step"]),
        }
    rows = {
        **by,
        "prompt": str(one["prompt_tokens"]),
        "ended": say(f"chat.ended_{one['stopped_because']}") if one["stopped_because"] in ("end", "stop", "length") else "–",
        "settings": ", ".join(f"{name} {_plain(value)}" for name, value in settings.items()),
    }
    lines = "".join(f"<dt>{escape(say(f'chat.proof_{name}'))}</dt><dd>{escape(value)}</dd>" for name, value in rows.items())
    return f"<details><summary>{escape(say('chat.proof'))}</summary><dl>{lines}</dl></details>"


def _plain(value: Any) -> str:
    return repr(list(value)) if isinstance(value, list | tuple) else str(value)
