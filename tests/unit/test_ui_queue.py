"""Who waits for whom: nobody's question waits for another's in Gradio's queue, since the models answer all of them in one batch."""

from __future__ import annotations

import gradio as gr

from playground.services import Services
from playground.settings import Settings
from playground.ui.app import build_app


def test_nobody_who_asks_waits_for_another_in_the_queue(settings: Settings) -> None:
    asking = [fn for fn in build_app(Services.make(settings)).fns.values() if fn.concurrency_id == "model"]
    assert {"compare", "ask"} < {fn.api_name for fn in asking} and len(asking) > 4
    # one limit among functions that share a name is the limit of all of them
    assert {fn.concurrency_limit for fn in asking} == {None}


def test_quiet_handlers_tell_the_page_no_progress_but_in_chats(settings: Settings) -> None:
    quiet = [fn for fn in build_app(Services.make(settings)).fns.values() if fn.show_progress == "hidden"]
    told = [one for fn in quiet for one in (fn.show_progress_on if fn.show_progress_on is not None else fn.outputs)]
    assert len(quiet) > 200 and told and {type(one) for one in told} == {gr.Chatbot}
