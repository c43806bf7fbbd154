"""X-ray: how the last answer came about, with a switch for each step of the search. A part of the Documents tab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr

from playground.asking import phraser
from playground.rag.steps import Steps
from playground.ui import xray as shown
from playground.ui.errors import Visitor
from playground.ui.page import Page
from playground.ui.tabs import search_steps
from playground.ui.tabs.page_view import PICKED, PagePanel


@dataclass(frozen=True)
class XrayPanel:
    """`wire(events)` sets the switches as each new answer was searched for, and shows its X-ray if it is open; so does opening it."""

    wire: Callable[..., None]


def build(page: Page, pages: PagePanel) -> XrayPanel:
    services, label, on = page.services, page.label, page.handler
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    opened = gr.State(False)
    with gr.Accordion(label("xray.title"), open=False, elem_id="xray") as whole:
        gr.Markdown(label("xray.about"), elem_classes="hint")
        with gr.Row(equal_height=True, elem_id="xray-steps"):
            words = gr.Checkbox(
                True, label=label("xray.use_keyword"), info=label("xray.use_keyword_info"), min_width=210, elem_id="xray-keyword"
            )
            meaning = gr.Checkbox(
                True, label=label("xray.use_dense"), info=label("xray.use_dense_info"), min_width=210, elem_id="xray-dense"
            )
            thesaurus = search_steps.related(page, "xray")
        fields = search_steps.build(page, "xray", thesaurus=thesaurus)
        seen = gr.HTML(elem_id="xray-seen", js_on_load=PICKED)
    pages.wire(seen)

    def look(visitor: Visitor, known: dict[str, Any], wanted: bool, keyword: bool, dense: bool, *values: Any) -> list[Any]:
        """Go the way again with the steps as they are set; the passages can then be opened from here, too."""
        if not wanted or not (known or {}).get("question"):
            return [gr.skip()] * 4
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        (run_id, model), settings = phraser(known["who"]), search_steps.settings(*values)
        settings |= {"keyword": keyword, "dense": dense}
        told = services.asking.xray(visitor.owner, known["question"], known["collection"], run_id, {**settings, **model})
        measured = settings["weight"] is None and settings["keyword"] and settings["dense"]
        share = gr.update(value=told["weight"]) if measured else gr.skip()
        return [shown.drawn(told, say, translate), {**known, "candidates": told["candidates"]}, share, gr.skip()]

    def weigh(visitor: Visitor, known: dict[str, Any], wanted: bool, *values: Any) -> list[Any]:
        """As `look`, with the weight as it was just set."""
        return [*look(visitor, known, wanted, *values[:3], False, *values[4:])[:3], False]

    def begin(visitor: Visitor, known: dict[str, Any], wanted: bool) -> list[Any]:
        """As `look`, from the steps by which the answer was searched for."""
        now = Steps(**((known or {}).get("steps") or asdict(Steps())))
        own = now.weight is None
        seen, answered, share, _ = look(visitor, known, wanted, now.keyword, now.dense, now.thesaurus, own, now.weight, now.reranker)
        return [seen, answered, share if own else now.weight, own, now.keyword, now.dense, now.thesaurus, now.reranker]

    def wire(answered: list[Any]) -> None:
        shown_here = [seen, pages.answered, fields.weight, fields.own]
        looking: dict[str, Any] = {
            "fn": on(look),
            "inputs": [page.owner, pages.answered, opened, words, meaning, *fields.fields],
            "outputs": shown_here,
            "api_visibility": "private",
            "show_progress": "minimal",
            "show_progress_on": seen,  # nor does a failure cover the switches that mend it
            "concurrency_id": "xray",
        }
        switches = [words, meaning, fields.thesaurus, fields.reranker]
        beginning = {**looking, "fn": on(begin), "inputs": looking["inputs"][:3], "outputs": [*shown_here, *switches]}
        whole.expand(lambda: True, None, opened, **quiet).then(**beginning)  # perhaps while the answer is still being worded
        whole.collapse(lambda: False, None, opened, **quiet)
        for switch in (words, meaning, fields.thesaurus, fields.own, fields.reranker):
            switch.input(trigger_mode="always_last", **looking)
        # not `release`, which comes of a pointer alone and never of the arrow keys
        fields.weight.input(trigger_mode="always_last", **{**looking, "fn": on(weigh)})
        for event in answered:
            event.success(**beginning)

    return XrayPanel(wire)
