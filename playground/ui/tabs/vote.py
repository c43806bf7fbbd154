"""Blind vote: the class judges the last answers by phone, without knowing who wrote them. A folded part of the Chat tab.

Knows how a vote is started, followed and revealed; not how it is kept, and not what the voters' phones show.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from playground.errors import NotFound
from playground.ui import ballot
from playground.ui.addresses import for_phones, reached
from playground.ui.errors import Visitor
from playground.ui.formatting import Say, plain, shorten
from playground.ui.page import Page
from playground.ui.talk import words

TICK = 2.0  # seconds between two looks at the count
QUESTION_CHARACTERS = 300


@dataclass(frozen=True)
class VotePart:
    box: gr.Accordion


def build(page: Page, exchange: gr.State) -> VotePart:
    """`exchange` holds None or the last exchange of the conversation (`playground.ui.talk`): what there is to vote on."""
    services, label, on = page.services, page.label, page.handler
    everywhere = services.settings.everywhere

    with gr.Accordion(label("vote.title"), open=False, elem_id="vote") as box:
        gr.Markdown(label("vote.about"), elem_classes="hint")
        offer = gr.Markdown(label("vote.none"), elem_id="vote-offer")
        view = gr.HTML(visible=False, elem_id="vote-view")
        count = gr.HTML(visible=False, elem_id="vote-count")
        with gr.Row(elem_id="vote-buttons"):
            start = gr.Button(label("vote.start"), variant="primary", visible=False, scale=0, min_width=220, elem_id="vote-start")
            reveal = gr.Button(label("vote.reveal"), variant="primary", visible=False, scale=0, min_width=220, elem_id="vote-reveal")
            again = gr.Button(label("vote.again"), visible=False, scale=0, min_width=220, elem_id="vote-again")
        vote_id = gr.State(None)
        address = gr.State("")  # of this page, as the instructor's browser has it
        timer = gr.Timer(TICK, active=False)

    def stand(visitor: Visitor, one: str | None, at: str, last: dict[str, Any] | None) -> list[Any]:
        """The part as a whole, for a vote that is going on, one that is over, or none."""
        say = page.say_in(visitor.language)
        try:
            vote = services.votes.get(visitor.owner, one) if one else None
        except NotFound:  # it was let go for newer ones
            vote = None
        going, over = vote is not None and vote["state"] == "open", vote is not None and vote["state"] == "closed"
        shown = "" if vote is None else finished(vote, say) if over else under_way(vote, at, everywhere, say)
        votable = last is not None and len(candidates(last, say)) > 1
        offered = say("vote.on", question=plain(shorten(last["question"], QUESTION_CHARACTERS))) if last and votable else say("vote.none")
        return [
            gr.update(value=offered, visible=vote is None),
            gr.update(value=shown, visible=vote is not None),
            gr.update(value=counted(vote, say) if vote and going else "", visible=going),
            gr.update(visible=vote is None and votable),
            gr.update(visible=going),
            gr.update(visible=over),
            gr.Timer(active=going),
            vote["vote_id"] if vote else None,
        ]

    def resume(visitor: Visitor, one: str | None, at: str, last: dict[str, Any] | None) -> list[Any]:
        """A page that was opened anew finds the vote that is still going on."""
        return stand(visitor, one or services.votes.newest_open(visitor.owner), at, last)

    def begin(visitor: Visitor, at: str, last: dict[str, Any] | None) -> list[Any]:
        if not last:
            return stand(visitor, None, at, last)
        answers = candidates(last, page.say_in(visitor.language))
        return stand(visitor, services.votes.open(visitor.owner, last["question"], answers)["vote_id"], at, last)

    def follow(visitor: Visitor, one: str | None, at: str, last: dict[str, Any] | None, former: str) -> list[Any]:
        """The count, when it has changed; all of the part, when the vote ended in another window."""
        whole = stand(visitor, one, at, last)
        if whole[-1] is None or not whole[2]["visible"]:
            return whole
        changed = whole[2]["value"] != former
        return [gr.skip(), gr.skip(), gr.update(value=whole[2]["value"]) if changed else gr.skip(), *[gr.skip()] * 5]

    def show(visitor: Visitor, one: str | None, at: str, last: dict[str, Any] | None) -> list[Any]:
        if one:
            services.votes.reveal(visitor.owner, one)
        return stand(visitor, one, at, last)

    def leave(visitor: Visitor, at: str, last: dict[str, Any] | None) -> list[Any]:
        return stand(visitor, None, at, last)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    outputs = [offer, view, count, start, reveal, again, timer, vote_id]
    known = [page.owner, vote_id, address, exchange]
    box.expand(reached, None, address, **quiet).then(on(resume), known, outputs, **quiet)
    exchange.change(on(stand), known, outputs, trigger_mode="always_last", **quiet)
    start.click(reached, None, address, **quiet).then(on(begin), [page.owner, address, exchange], outputs, **quiet)
    timer.tick(on(follow), [*known, count], outputs, **quiet)
    reveal.click(on(show), known, outputs, **quiet)
    again.click(on(leave), [page.owner, address, exchange], outputs, **quiet)
    return VotePart(box)


def candidates(last: dict[str, Any], say: Say) -> list[dict[str, str]]:
    """The answers of an exchange that can be voted on: those that came, as they stand in the panes."""
    return [{"key": one["key"], "name": one["name"], "text": words(one, say, str)} for one in last["answers"] if not one.get("error")]


def counted(vote: dict[str, Any], say: Say) -> str:
    return f'<p class="counted" role="status">{escape(ballot.count(vote.get("voters", 0), say))}</p>'


def under_way(vote: dict[str, Any], at: str, everywhere: bool, say: Say) -> str:
    """Question, answers without names, and the way to the vote as link and picture."""
    way = for_phones(at, everywhere)
    link = f"{way.url}/vote?id={vote['vote_id']}"
    notes = [say("vote.names"), say("vote.once")]
    warning = ""
    if way.note == "loopback":
        warning = f'<p class="warn">{escape(say("vote.loopback", host=way.host))}</p>'
    elif way.note == "offered":
        notes.append(say("vote.offered", host=way.host))
    below = f'{warning}<p class="quiet">{escape(" ".join(notes))}</p></div>'
    return (
        f'<div class="vote"><div class="asked"><h3>{escape(vote["question"])}</h3>{ballot.answers(vote["answers"], say)}{below}'
        f'<div class="way"><img src="{escape(ballot.qr(link))}" alt="{escape(say("vote.qr"))}" width="280" height="280">'
        f'<p><a href="{escape(link)}" target="_blank" rel="noopener">{escape(link)}</a></p></div></div>'
    )


def finished(vote: dict[str, Any], say: Say) -> str:
    """The verdict first, then each answer with its writer, its share and its text."""
    result = vote["result"]
    return (
        f'<div class="vote over"><h3>{escape(vote["question"])}</h3><p class="verdict">{escape(ballot.verdict(result, say))}</p>'
        f"{ballot.table(result, say)}{ballot.answers(vote['answers'], say)}"
        f'<p class="quiet">{escape(ballot.terms(result, say))}</p></div>'
    )
