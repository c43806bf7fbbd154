"""See inside: how probable every token of the last answers was to both models. A part of the Chat tab, worked out only when asked for."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.errors import PromptError
from playground.ui.errors import Visitor
from playground.ui.inside import drawn
from playground.ui.page import Page

PANES = ("base", "tuned")


def build(page: Page, run: gr.Dropdown, exchange: gr.State) -> None:
    """The folded part below the panes.

    Args:
        run: the list of finished runs; when another one is chosen, numbers of the former are taken away.
        exchange: None, or what was asked and answered last: {question, run_id, right, settings, answers: [{key, name, text, ended}]}.
    """
    services, label = page.services, page.label
    with gr.Accordion(label("inside.title"), open=False, elem_id="inside"):
        gr.Markdown(label("inside.about"), elem_classes="hint")
        with gr.Row(equal_height=True, elem_id="inside-asked"):
            right = gr.Textbox(
                label=label("inside.right_field"), info=label("inside.right_info"), lines=1, max_lines=4, scale=4, elem_id="inside-right"
            )
            show = gr.Button(label("inside.show"), variant="primary", scale=1, min_width=190, elem_id="inside-show")
        told = gr.HTML(elem_id="inside-told")

    def look(visitor: Visitor, last: dict[str, Any] | None, wanted: str | None) -> str:
        if not last:
            raise PromptError("There is no answer to look into yet. Ask a question first.")
        plain = [one for one in last["answers"] if one["key"] in PANES and not one["error"]]  # the others have read something else
        seen = services.asking.look_inside(
            visitor.owner, last["question"], last["run_id"], plain, wanted or "", last["settings"], last["earlier"]
        )
        say = page.say_in(visitor.language)
        names = [(one["key"], one["name"].lstrip("●◆ ")) for one in plain]  # the view has signs of its own
        return drawn(seen, [(key, say(f"inside.{key}")) for key in PANES], names, say)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    gr.on(
        [show.click, right.submit], page.handler(look), [page.owner, exchange, right], told,
        api_visibility="private", concurrency_id="inside", concurrency_limit=4,
    )  # fmt: skip
    exchange.change(lambda last: ((last or {}).get("right", ""), ""), exchange, [right, told], **quiet)
    run.input(lambda: "", None, told, **quiet)
