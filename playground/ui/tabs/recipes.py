"""The settings of published studies, filled into the form, and what had to be changed for this machine. A part of the Train tab.

Does not judge what a machine can do: the service tells it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.errors import NotFound
from playground.training.recipes import RECIPES
from playground.ui.errors import Visitor
from playground.ui.formatting import plain
from playground.ui.page import Page
from playground.ui.tabs.settings_form import NAMES


@dataclass(frozen=True)
class Recipes:
    page: Page
    choice: gr.Dropdown
    note: gr.Markdown

    def wire(self, tab: gr.Tab, model: gr.Dropdown, own: gr.Textbox, fields: list[Any]) -> None:
        """`model` and `own` (a typed name, which goes before it) and the fields of the form are what a study fills."""
        page, on = self.page, self.page.handler

        def offer(visitor: Visitor) -> Any:
            translate = page.translate_in(visitor.language)
            return gr.update(choices=[("–", ""), *((translate(one.name), one.id) for one in RECIPES)])

        def fill(visitor: Visitor, dataset_id: str | None, id: str | None) -> list[Any]:
            if not id:
                return ["", gr.skip(), gr.skip(), gr.skip(), *[""] * len(fields)]
            if not dataset_id:
                raise NotFound("There is no dataset yet. Bring a table in the Dataset tab first.")
            found = page.services.recipes(visitor.owner, dataset_id, id)[0]
            note, *values = self._filled(visitor, found)
            chosen = found["settings"]["model"]
            return [note, chosen, "", chosen, *values]

        def fit(visitor: Visitor, dataset_id: str | None, id: str | None, chosen: str, typed: str | None) -> list[Any]:
            """The same study once more, for a model that the person chose after it."""
            if not id or not dataset_id:
                return [gr.skip()] * (1 + len(fields))
            return self._filled(visitor, page.services.recipes(visitor.owner, dataset_id, id, (typed or "").strip() or chosen)[0])

        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
        tab.select(on(offer), page.owner, self.choice, **quiet)
        self.choice.input(
            on(fill),
            [page.owner, page.dataset_id, self.choice],
            [self.note, model, own, page.model, *fields],
            api_visibility="private",
            concurrency_limit=None,
        )
        gr.on(
            [model.input, own.submit, own.blur],
            on(fit),
            [page.owner, page.dataset_id, self.choice, model, own],
            [self.note, *fields],
            trigger_mode="always_last",
            **quiet,
        )

    def _filled(self, visitor: Visitor, found: dict[str, Any]) -> list[Any]:
        """The note and the form's fields, which hold every setting but the model."""
        return [self._told(visitor, found), *(shown(found["settings"].get(name)) for name in NAMES)]

    def _told(self, visitor: Visitor, found: dict[str, Any]) -> str:
        translate = self.page.translate_in(visitor.language)
        head = "recipe.adapted" if found["adapted"] else "recipe.exact"
        lines = [f"- {plain(translate(one))}" for one in found["adapted"]]
        said = [plain(translate(found["description"])), self.page.texts.say(head, visitor.language)]
        return "\n\n".join([*said, "\n".join(lines)])


def shown(value: Any) -> str:
    """A setting as its field of the form shows it; empty where a study does not state it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)


def build(page: Page) -> Recipes:
    choice = gr.Dropdown([("–", "")], value="", label=page.label("recipe.choice"), info=page.label("recipe.info"), elem_id="recipe")
    return Recipes(page, choice, gr.Markdown(elem_id="recipe-note"))
