"""A model whose licence has to be accepted: the way to its page, and a field for the token that opens it. Shown only where one would help.

What is typed goes to the keeper of tokens and nowhere else: the field is emptied by the same answer, and nothing that comes back holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.errors import PlaygroundError
from playground.ui.errors import Visitor
from playground.ui.formatting import plain
from playground.ui.page import Page

# Gradio writes an empty one on a password's field, whatever is asked of it; the browser is not to keep what is typed here.
NOT_KEPT = """() => { document.querySelector("#token-field input").setAttribute("autocomplete", "off"); }"""


@dataclass(frozen=True)
class TokenField:
    page: Page
    panel: gr.Column
    about: gr.Markdown
    field: gr.Textbox
    use: gr.Button
    told: gr.Markdown

    def wire(
        self, tab: gr.Tab, model: gr.Dropdown, own: gr.Textbox, begun: Any, models: Callable[..., tuple[Any, Any]], note: gr.Markdown
    ) -> None:
        """`own` is a typed name that goes before `model`, `begun` the press on Train, `models` gives what `model` and `note` show."""
        on, catalog = self.page.handler, self.page.services.catalog

        def show(visitor: Visitor, chosen: str | None, typed: str | None) -> tuple[Any, Any]:
            """Only a typed name is asked for at the Hub; of the others the list knows."""
            name = (typed or "").strip()
            if name:
                reason = catalog.locked(name, visitor.owner)
                return self._shown(visitor, name, page_says(visitor, reason) if reason else None)
            locked = any(one.locked for one in catalog.list(visitor.owner) if one.id == chosen)
            return self._shown(visitor, chosen or "", "" if locked else None)

        def page_says(visitor: Visitor, sentence: str) -> str:
            return plain(self.page.texts.sentence(sentence, visitor.language)) + "\n\n"

        def give(visitor: Visitor, given: str | None) -> tuple[str, Any]:
            """An empty field tries the token again that is kept already, such as after its owner accepted the licence."""
            said = self.page.texts.say("token.kept", visitor.language)
            try:
                if given or not catalog.tokens.has(visitor.owner):
                    catalog.tokens.keep(visitor.owner, given or "")
            except PlaygroundError as error:
                said = plain(self.page.texts.sentence(error.sentence, visitor.language))
            return "", gr.update(value=said, visible=True)

        def again(visitor: Visitor, chosen: str | None, typed: str | None) -> tuple[Any, ...]:
            return (*models(visitor, chosen), *show(visitor, chosen, typed))

        def try_it(visitor: Visitor, chosen: str | None, typed: str | None) -> tuple[Any, ...]:
            if chosen and not (typed or "").strip():
                catalog.locked(chosen, visitor.owner)  # the list remembers what the Hub says now
            return again(visitor, chosen, typed)

        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
        inputs, outputs = [self.page.owner, model, own], [self.panel, self.about]
        gr.on([tab.select, model.input, own.submit, own.blur], on(show), inputs, outputs, **quiet)
        begun.failure(on(again), inputs, [model, note, *outputs], **quiet)
        given = gr.on([self.use.click, self.field.submit], on(give), [self.page.owner, self.field], [self.field, self.told], **quiet)
        given.then(on(try_it), inputs, [model, note, *outputs], **quiet)
        self.field.focus(None, None, None, js=NOT_KEPT, api_visibility="private")
        gr.on([model.input, tab.select], lambda: gr.update(visible=False), None, self.told, **quiet)

    def _shown(self, visitor: Visitor, id: str, reason: str | None) -> tuple[Any, Any]:
        """`reason` None hides the panel; the list's models say theirs above it."""
        links = self.page.texts.say("token.links", visitor.language, name=plain(id), id=id)
        return gr.update(visible=reason is not None), gr.update(value=(reason or "") + links)


def build(page: Page) -> TokenField:
    """The field and what stands around it, hidden until `wire` has something to show."""
    label = page.label
    with gr.Column(visible=False, elem_id="token") as panel:
        about = gr.Markdown(elem_id="token-about")
        with gr.Row(equal_height=True):
            field = gr.Textbox(
                label=label("token.field"),
                info=label("token.field_info"),
                type="password",
                max_lines=1,
                scale=4,
                min_width=220,
                elem_id="token-field",
            )
            use = gr.Button(label("token.use"), scale=1, min_width=180, elem_id="use-token")
    told = gr.Markdown(visible=False, elem_id="token-told")
    return TokenField(page, panel, about, field, use, told)
