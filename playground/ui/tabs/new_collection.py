"""What a new collection is made with: its name, its embedder and the size of its passages. A part of the Documents tab.

An existing collection keeps its own, which is said wherever the next files go into one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.rag.chunks import MOST_OVERLAP, Size
from playground.rag.embedders import KNOWN, STARTER
from playground.ui.formatting import plain
from playground.ui.page import Page
from playground.ui.tabs import passage_size
from playground.ui.tabs.passage_size import PassageSize


@dataclass(frozen=True)
class NewCollection:
    """`inputs` go to `wanted`, and `kept` is what `keeps` updates."""

    name: gr.Textbox
    kept: gr.Markdown
    embedder: gr.Dropdown
    size: PassageSize

    @property
    def inputs(self) -> list[Any]:
        return [self.name, self.embedder, self.size.tokens, self.size.overlap]


def build(page: Page, password: gr.Textbox) -> NewCollection:
    """`password` opens a file on which sizes are tried."""
    label = page.label
    name = gr.Textbox(label=label("documents.new"), info=label("documents.new_info"), max_lines=1, elem_id="new-collection")
    kept = gr.Markdown(visible=False, elem_id="collection-keeps", elem_classes="hint")
    embedder = gr.Dropdown(
        [(one.name, one.id) for one in KNOWN],
        value=STARTER,
        label=label("documents.embedder"),
        info=label("documents.embedder_info"),
        allow_custom_value=page.services.settings.mode == "personal",
        elem_id="embedder",
    )
    return NewCollection(name, kept, embedder, passage_size.build(page, embedder, password))


def keeps(chosen: str, typed: str | None, say: Any) -> Any:
    """What holds where the next files go into a collection that is there: then the choices below count for nothing."""
    new = not chosen or bool((typed or "").strip())
    return gr.update(value="" if new else say("documents.keeps_its_own", name=plain(chosen)), visible=not new)


def wanted(chosen: str, typed: str | None, embedder: str | None, tokens: float, overlap: float) -> tuple[str, dict[str, Any]]:
    """The collection that files are added to, empty for the usual one, and what it is made with, where it is a new one."""
    name = (typed or "").strip()
    if chosen and not name:
        return chosen, {}
    return name, {"embedder": embedder or STARTER, "size": Size.read(tokens, min(overlap, tokens * MOST_OVERLAP // 1))}
