"""What a run's instruction takes from columns of its table: a field for each in the Chat tab. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.ui.page import Page

MOST = 4  # fields; what stands in further slots is empty


@dataclass(frozen=True)
class Filling:
    """The fields, and which column each stands for now."""

    row: gr.Row
    names: gr.State
    fields: list[Any]

    @property
    def outputs(self) -> list[Any]:
        """What `shown` fills."""
        return [self.row, self.names, *self.fields]

    @property
    def inputs(self) -> list[Any]:
        """What `read` takes."""
        return [self.names, *self.fields]


def build(page: Page) -> Filling:
    with gr.Row(visible=False, elem_id="slots") as row:
        gr.Markdown(page.label("chat.slots"), elem_classes="inline")
        fields = [gr.Textbox(visible=False, lines=1, max_lines=4, min_width=160, elem_id=f"slot-{number}") for number in range(MOST)]
    return Filling(row, gr.State([]), fields)


def shown(names: Sequence[str]) -> list[Any]:
    """As many fields as a run's instruction has slots, empty."""
    names = list(names[:MOST])
    fields = [gr.update(label=name, value="", visible=True) for name in names]
    return [gr.update(visible=bool(names)), names, *fields, *[gr.update(visible=False, value="")] * (MOST - len(names))]


def filled(names: Sequence[str], values: Mapping[str, str]) -> list[Any]:
    """The fields with what stood in a row of the table."""
    return [gr.update(value=values.get(name, "")) for name in names] + [gr.skip()] * (MOST - len(names))


def read(names: Sequence[str], *values: str | None) -> dict[str, str]:
    """The setting `slots` of `/compare`."""
    return {name: value or "" for name, value in zip(names, values, strict=False)}
