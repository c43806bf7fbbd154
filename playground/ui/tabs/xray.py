"""X-ray: how the last answer came about, with a switch for each step of the search. A part of the Documents tab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.asking import phraser
from playground.rag.rerankers import KNOWN
from playground.ui import xray as shown
from playground.ui.errors import Visitor
from playground.ui.page import Page
from playground.ui.tabs.page_view import PICKED, PagePanel

OFF = ""


def steps(keyword: bool, dense: bool, thesaurus: bool, own: bool, weight: float, reranker: str | None) -> dict[str, Any]:
    """The switches as settings of a search."""
    share = None if own else weight
    return {"keyword": keyword, "dense": dense, "thesaurus": thesaurus, "weight": share, "reranker": reranker or OFF}


@dataclass(frozen=True)
class XrayPanel:
    """`wire(events, run)` shows the X-ray of each new answer, if it is open."""

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
            thesaurus = gr.Checkbox(
                True, label=label("xray.use_thesaurus"), info=label("xray.use_thesaurus_info"), min_width=210, elem_id="xray-thesaurus"
            )
        with gr.Row(equal_height=True):
            own = gr.Checkbox(
                True, label=label("xray.own_weight"), info=label("xray.own_weight_info"), min_width=210, elem_id="xray-own-weight"
            )
            weight = gr.Slider(
                0,
                1,
                0.2,
                step=0.05,
                label=label("xray.set_weight"),
                info=label("xray.set_weight_info"),
                min_width=210,
                elem_id="xray-weight",
            )
            reranker = gr.Dropdown(
                [(label("xray.no_reranker"), OFF), *((one.name, one.id) for one in KNOWN)],
                value=OFF,
                label=label("xray.reranker"),
                info=label("xray.reranker_info"),
                allow_custom_value=services.settings.mode == "personal",
                elem_id="xray-reranker",
            )
        seen = gr.HTML(elem_id="xray-seen", js_on_load=PICKED)
    pages.wire(seen)

    def look(visitor: Visitor, known: dict[str, Any], wanted: bool, who: str, *values: Any) -> list[Any]:
        """Go the way again with the steps as they are set; the passages can then be opened from here, too."""
        if not wanted or not (known or {}).get("question"):
            return [gr.skip()] * 4
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        (run_id, model), settings = phraser(who), steps(*values)
        told = services.asking.xray(visitor.owner, known["question"], known["collection"], run_id, {**settings, **model})
        measured = settings["weight"] is None and settings["keyword"] and settings["dense"]
        share = gr.update(value=told["weight"]) if measured else gr.skip()
        return [shown.drawn(told, say, translate), {**known, "candidates": told["candidates"]}, share, gr.skip()]

    def weigh(visitor: Visitor, known: dict[str, Any], wanted: bool, who: str, *values: Any) -> list[Any]:
        """As `look`, with the weight as it was just set."""
        return [*look(visitor, known, wanted, who, *values[:3], False, *values[4:])[:3], False]

    def wire(answered: list[Any], who: gr.Dropdown) -> None:
        looking: dict[str, Any] = {
            "fn": on(look),
            "inputs": [page.owner, pages.answered, opened, who, words, meaning, thesaurus, own, weight, reranker],
            "outputs": [seen, pages.answered, weight, own],
            "api_visibility": "private",
            "show_progress": "minimal",
            "show_progress_on": seen,  # nor does a failure cover the switches that mend it
            "concurrency_id": "xray",
        }
        whole.expand(lambda: True, None, opened, **quiet).then(**looking)
        whole.collapse(lambda: False, None, opened, **quiet)
        for switch in (words, meaning, thesaurus, own, reranker):
            switch.input(trigger_mode="always_last", **looking)
        # not `release`, which comes of a pointer alone and never of the arrow keys
        weight.input(trigger_mode="always_last", **{**looking, "fn": on(weigh)})
        for event in answered:
            event.success(**looking)

    return XrayPanel(wire)
