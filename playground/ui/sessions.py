"""What Gradio keeps of each browser and each program that comes, made once for all instead of anew for each.

Gradio describes all the page's components to itself whenever a session begins: some 30 ms for this page, and thirty who come at once wait
for all thirty. Does not know what is on the page.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.blocks import BlocksConfig


class SharedConfig(BlocksConfig):
    """The components and events of an app, of which every session gets a copy that takes the descriptions from here."""

    def __init__(self, known: BlocksConfig) -> None:
        super().__init__(known.root_block)
        self.__dict__.update(vars(known))
        self._described: dict[int, dict[str, Any]] = {}

    def __copy__(self) -> Any:
        session: Any = super().__copy__()
        session.config_for_block = self._describe  # in front of Gradio's own
        return session

    def _describe(self, _id: int, rendered_ids: list[int], block: Any, renderable: Any = None) -> dict[str, Any]:
        """A session's own description of a component, into which Gradio writes the newest value; one changed by an event is another."""
        if renderable is not None or self.blocks.get(_id) is not block:
            return self.config_for_block(_id, rendered_ids, block, renderable)
        if _id not in self._described:
            self._described[_id] = self.config_for_block(_id, rendered_ids, block)
        described = self._described[_id]
        return {**described, "props": dict(described["props"])}


def share_config(app: gr.Blocks) -> None:
    """Let the sessions of an app that is whole share what Gradio knows of its components."""
    app.default_config = SharedConfig(app.default_config)
