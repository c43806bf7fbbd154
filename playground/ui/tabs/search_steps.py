"""How to search documents, as fields: words or meaning, related words, the weight between them, a reranker. Searches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.rag.rerankers import KNOWN
from playground.rag.retrieve import MODES
from playground.rag.steps import Steps, read
from playground.ui.page import Page

OFF = ""
WIDTH = 210  # below which a field goes to the next line


@dataclass(frozen=True)
class SearchSteps:
    """What refines a search; the same fields stand beside a question, in the X-ray, in the checks and in the chat."""

    thesaurus: gr.Checkbox
    own: gr.Checkbox
    weight: gr.Slider
    reranker: gr.Dropdown

    @property
    def fields(self) -> list[Any]:
        """In the order in which `settings` and `chosen` take them."""
        return [self.thesaurus, self.own, self.weight, self.reranker]


def mode(page: Page, id: str) -> gr.Radio:
    """By words, by meaning, or both."""
    label = page.label
    choices = [(label(f"documents.mode_{name}"), name) for name in MODES]
    return gr.Radio(
        choices, value="hybrid", label=label("documents.mode"), info=label("documents.mode_info"), min_width=240, elem_id=id
    )  # fmt: skip


def related(page: Page, prefix: str) -> gr.Checkbox:
    """Related words or not."""
    return _switch(page, "use_thesaurus", f"{prefix}-thesaurus")


def build(page: Page, prefix: str, mode: gr.Radio | None = None, thesaurus: gr.Checkbox | None = None) -> SearchSteps:
    """The fields in a row.

    Args:
        mode: what they refine. Related words follow it, and the weight is shown when it is wanted.
        thesaurus: related words, where they stand elsewhere already.
    """
    label = page.label
    with gr.Row(equal_height=True, elem_classes="search-steps"):
        made = SearchSteps(
            thesaurus or related(page, prefix),
            _switch(page, "own_weight", f"{prefix}-own-weight"),
            gr.Slider(
                0, 1, 0.2, step=0.05, label=label("xray.set_weight"), info=label("xray.set_weight_info"), min_width=WIDTH,
                visible=mode is None, elem_id=f"{prefix}-weight",
            ),
            gr.Dropdown(
                [(label("xray.no_reranker"), OFF), *((one.name, one.id) for one in KNOWN)], value=OFF, label=label("xray.reranker"),
                info=label("xray.reranker_info"), allow_custom_value=page.services.settings.mode == "personal", min_width=WIDTH,
                elem_id=f"{prefix}-reranker",
            ),
        )  # fmt: skip
    if mode is not None:
        # usual with words and meaning together, and only there; in the browser, where it is done before any hand can press Ask
        mode.input(None, mode, made.thesaurus, js="(mode) => mode === 'hybrid'", api_visibility="private")
        show: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
        made.own.change(lambda own: gr.update(visible=not own), made.own, made.weight, **show)
    return made


def _switch(page: Page, name: str, id: str) -> gr.Checkbox:
    return gr.Checkbox(True, label=page.label(f"xray.{name}"), info=page.label(f"xray.{name}_info"), min_width=WIDTH, elem_id=id)


def settings(thesaurus: bool, own: bool, weight: float | None, reranker: str | None) -> dict[str, Any]:
    """The fields as settings of a search."""
    return {"thesaurus": thesaurus, "weight": None if own else weight, "reranker": reranker or OFF}


def chosen(mode: str, *fields: Any) -> Steps:
    """A mode and the fields as the steps of a search.

    Raises:
        SettingsError: as `playground.rag.steps.read`.
    """
    return read(mode, settings(*fields))
