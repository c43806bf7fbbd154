"""Blind votes for programs; a part of the programming interface.

Names, arguments and keys are a contract. No `from __future__ import annotations` here: Gradio reads the types to describe the endpoints.
"""

from typing import Any

import gradio as gr

from playground.ui.errors import owner_of, told
from playground.ui.i18n import DEFAULT
from playground.ui.page import Page

Owner = str | None


def build(page: Page) -> None:
    votes, settings = page.services.votes, page.services.settings

    def telling() -> Any:
        return told(page.texts, DEFAULT)

    def known(key: Owner) -> str | None:
        """The owner that asks; a voter of a shared playground has no key and owns nothing."""
        return owner_of(settings, key) if key or settings.mode == "personal" else None

    def open_vote(question: str, answers: list, owner: Owner = None) -> dict:
        """Start a blind vote on two to seven answers [{key, name, text}]; they come back shuffled, under letters and without names.

        `vote_id` is the key of the voters' link, `/vote?id=` and that id. See `cast_vote`, `get_vote` and `reveal_vote`.
        """
        with telling():
            return votes.open(owner_of(settings, owner), question, answers)

    def cast_vote(vote_id: str, choice: str, voter: str) -> dict:
        """Vote for an answer by its letter, A to G. `voter` is a text that only this voter knows; the last vote of each counts."""
        with telling():
            return votes.cast(vote_id, choice, voter)

    def get_vote(vote_id: str, owner: Owner = None) -> dict:
        """Read a vote: state (open, closed), question and answers, for its owner the number of voters, and the result once revealed.

        `result`: voters, answers [{label, votes, share, low, high}] (95 % Wilson interval), leader, p, more_than_chance; for the owner
        also key and name of who wrote each answer.
        """
        with telling():
            return votes.get(known(owner), vote_id)

    def reveal_vote(vote_id: str, owner: Owner = None) -> dict:
        """Close one's vote and give its result with who wrote which answer, as `get_vote` does."""
        with telling():
            return votes.reveal(owner_of(settings, owner), vote_id)

    for endpoint in (open_vote, cast_vote, get_vote, reveal_vote):
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_limit=None)
