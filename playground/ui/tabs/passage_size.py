"""How large the passages of a new collection are, tried on a file before anything is indexed. A part of the Documents tab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from playground.errors import InputError
from playground.rag.chunks import MOST_OVERLAP, SIZES, TOKENS, Size
from playground.rag.embedders import STARTER
from playground.rag.pdf import SUFFIXES
from playground.rag.preview import preview
from playground.ui import passage_size as shown
from playground.ui.errors import Visitor
from playground.ui.page import Page
from playground.workspace import file_hash


@dataclass(frozen=True)
class PassageSize:
    """The sliders, whose values go with the files of a new collection."""

    tokens: gr.Slider
    overlap: gr.Slider


def build(page: Page, embedder: gr.Dropdown, password: gr.Textbox) -> PassageSize:
    """`password` is the field for a document that was added and is locked; what stands in it opens the file that is tried, too."""
    services, label, on = page.services, page.label, page.handler
    least, most = SIZES
    with gr.Accordion(label("passages.title"), open=False, elem_id="passage-size"):
        tokens = gr.Slider(
            least, most, TOKENS, step=4, label=label("passages.size"), info=label("passages.size_info"), elem_id="passage-tokens"
        )
        limit = gr.HTML(visible=False, elem_id="passage-limit")
        overlap = gr.Slider(
            0,
            int(most * MOST_OVERLAP),
            0,
            step=4,
            label=label("passages.overlap"),
            info=label("passages.overlap_info"),
            elem_id="passage-overlap",
        )
        file = gr.File(label=label("passages.try"), file_types=list(SUFFIXES), height=90, elem_id="passage-file")
        told = gr.HTML(elem_id="passage-preview")

    def noted(told: str) -> Any:
        return gr.update(value=told, visible=bool(told))  # an empty one would leave a gap

    def known(owner: str, file: Path) -> str | None:
        """The password that opened this very file in one of the owner's collections, while it is remembered."""
        mine = [folder.name for folder in services.workspace.list("collections", owner)]
        return services.collections.passwords.of(file_hash(file), mine)

    def look(visitor: Visitor, path: str | None, size: float, shared: float, embedder_id: str, word: str) -> tuple[Any, str]:
        """Whether the embedder reads so much, and the passages of the file's first pages at this size."""
        embedders, say = services.collections.embedders, page.say_in(visitor.language)
        id = embedder_id or STARTER
        if not path:
            return noted(shown.limit(size, embedders.reads(id), say)), ""
        wanted = Path(path)
        if wanted.stat().st_size > services.settings.limits.upload_bytes:
            raise InputError("This file is too large to be tried here. Choose a smaller one.")
        embedder, wished = embedders.load(id), Size.read(size, min(shared, size * MOST_OVERLAP // 1))
        found = preview(wanted, wanted.name, embedder.tokenizer, wished, embedder.reads, word or known(visitor.owner, wanted))
        return noted(shown.limit(size, embedder.reads, say)), shown.drawn(found, say)

    trying: dict[str, Any] = {
        "fn": on(look), "inputs": [page.owner, file, tokens, overlap, embedder, password], "outputs": [limit, told],
        "api_visibility": "private", "show_progress": "minimal", "show_progress_on": told,
        "concurrency_limit": 4, "trigger_mode": "always_last",
    }  # fmt: skip
    # not `release`, which comes of a pointer alone and never of the arrow keys
    gr.on([file.upload, file.clear, tokens.input, overlap.input, embedder.input], **trying)
    return PassageSize(tokens, overlap)
