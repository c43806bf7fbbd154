"""How the page is put together, where Gradio would not complain and people would."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from playground.services import Services
from playground.settings import Settings
from playground.ui.app import build_app


def inside(block: gr.blocks.BlockContext) -> Iterator[gr.blocks.Block]:
    for child in block.children:
        yield child
        if isinstance(child, gr.blocks.BlockContext):
            yield from inside(child)


def test_nothing_but_tabs_lies_between_the_tabs(settings: Settings) -> None:
    """Gradio counts whatever lies there as a tab, and calls the tabs after it by each other's names."""
    app = build_app(Services.make(settings))
    rows = [block for block in inside(app) if isinstance(block, gr.Tabs)]
    assert rows
    for row in rows:
        kinds = [isinstance(child, gr.Tab) for child in row.children]
        assert all(kinds[: len(kinds) - kinds[::-1].index(True)]), "what comes after the last tab does no harm"
