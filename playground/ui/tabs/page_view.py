"""The page behind a citation: a click on a chip opens it as a picture, with the quoted words marked. A part of the Documents tab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.rag.page_view import PageViews, expected
from playground.ui import page_view as shown
from playground.ui.errors import Visitor
from playground.ui.page import Page

# A click or Enter on whatever carries data-pick tells the server which one it was; the link's own target is for a page without scripts.
PICKED = """element.addEventListener('click', (event) => {
  const link = event.target.closest('[data-pick]');
  if (!link) return;
  event.preventDefault();
  window.pickedLast = link.dataset.pick;
  trigger('select', { index: 0, value: link.dataset.pick });
});"""
SHOW = """() => {
  const frame = document.querySelector('#page-view .frame, #page-view .sheet-text');
  const mark = document.querySelector('#page-view .mark, #page-view mark');
  document.querySelector('#page-view-box')?.scrollIntoView({ block: 'start' });
  if (!frame) return;
  frame.focus({ preventScroll: true });
  if (mark) frame.scrollTop = mark.offsetTop - frame.clientHeight / 3;
}"""
# What is in the middle of the frame stays there.
ENLARGE = """(on) => {
  const frame = document.querySelector('#page-view .frame');
  const across = frame && (frame.scrollLeft + frame.clientWidth / 2) / frame.scrollWidth;
  const down = frame && (frame.scrollTop + frame.clientHeight / 2) / frame.scrollHeight;
  document.querySelector('#page-view-box').classList.toggle('larger', on);
  if (!frame) return;
  frame.scrollLeft = across * frame.scrollWidth - frame.clientWidth / 2;
  frame.scrollTop = down * frame.scrollHeight - frame.clientHeight / 2;
}"""
BACK = '() => { document.querySelector(`[data-pick="${window.pickedLast}"]`)?.focus(); }'
NOWHERE: dict[str, Any] = {}


@dataclass(frozen=True)
class PagePanel:
    """`answered` is what links can be picked from: {collection, citations, passages} as `/ask` gives them; `wire` lets links open it."""

    answered: gr.State
    box: gr.Column
    wire: Callable[..., None]


def build(page: Page) -> PagePanel:
    label, on = page.label, page.handler
    views = PageViews(page.services.collections)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    answered, where = gr.State(NOWHERE), gr.State(NOWHERE)
    with gr.Column(visible=False, elem_id="page-view-box") as box:
        with gr.Row(elem_classes="samples", elem_id="page-view-bar"):
            earlier = gr.Button(label("page_view.earlier"), size="sm", min_width=110, elem_id="page-earlier")
            later = gr.Button(label("page_view.later"), size="sm", min_width=110, elem_id="page-later")
            larger = gr.Checkbox(False, label=label("page_view.larger"), container=False, min_width=120, elem_id="page-larger")
            borders = gr.Checkbox(False, label=label("page_view.borders"), container=False, min_width=160, elem_id="page-borders")
            close = gr.Button(label("page_view.close"), size="sm", min_width=90, elem_id="page-close")
        with gr.Row(visible=False, elem_id="page-unlock") as asked:
            word = gr.Textbox(
                label=label("files.password"),
                info=label("files.password_info"),
                type="password",
                max_lines=1,
                scale=3,
                min_width=200,
                elem_id="page-password",
            )
            unlock = gr.Button(label("files.unlock"), size="sm", min_width=160, elem_id="page-unlock-button")
        sheet = gr.HTML(elem_id="page-view")

    def pick(visitor: Visitor, event: gr.SelectData, known: dict[str, Any], lined: bool) -> list[Any]:
        """Open the page of a citation, or of a passage, whose quotes are then marked or, where it has none, itself."""
        at = find(visitor, known, str(event.value))
        if not at:
            return [gr.skip()] * 7
        lined = lined or str(event.value).startswith("candidate")  # in the X-ray, where passages begin and end is what matters
        return [*show(visitor, at, lined), lined]

    def find(visitor: Visitor, known: dict[str, Any], picked: str) -> dict[str, Any]:
        kind, _, number = picked.partition("-")
        listed = (known or {}).get({"cite": "citations", "hit": "passages", "candidate": "candidates"}.get(kind, ""), [])
        if not number.isdigit() or int(number) >= len(listed):
            return NOWHERE
        one = listed[int(number)]
        found = views.passage(visitor.owner, known["collection"], one["chunk"])
        cited = [one["quote"]] if kind == "cite" else [c["quote"] for c in known["citations"] if c["chunk"] == one["chunk"]]
        text = views.text(visitor.owner, known["collection"], found)
        quotes = [(quote, expected(found, quote, text)) for quote in cited or [found.text]]
        return {"collection": known["collection"], "document": found.document, "number": found.page, "home": found.page, "quotes": quotes}

    def draw(visitor: Visitor, at: dict[str, Any], lined: bool) -> list[Any]:
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        # a quote may end at the beginning of the page after its own, and nowhere else
        beyond = at["number"] - at["home"]
        quotes = [(quote, 0.0 if beyond else near) for quote, near in at["quotes"]] if beyond in (0, 1) else []
        view = views.page(visitor.owner, at["collection"], at["document"], at["number"], quotes, borders=lined)
        told = shown.shown(view, say, translate)
        ways = [gr.update(interactive=view.number > 1), gr.update(interactive=view.number < view.pages)]
        return [gr.update(visible=True), told, *ways, gr.update(visible=view.locked)]

    def show(visitor: Visitor, at: dict[str, Any], lined: bool) -> list[Any]:
        return [at, *draw(visitor, at, lined)] if at else [gr.skip()] * 6

    def with_password(visitor: Visitor, at: dict[str, Any], lined: bool, password: str) -> list[Any]:
        """Draw the page with a password; the field is emptied, and it goes nowhere else."""
        if at:
            views.unlock(visitor.owner, at["collection"], at["document"], at["number"], password)
        return [*show(visitor, at, lined), ""]

    def turn(by: int) -> Any:
        def turn_page(visitor: Visitor, at: dict[str, Any], lined: bool) -> list[Any]:
            moved = {**at, "number": at["number"] + by}
            return show(visitor, moved, lined)

        return turn_page

    outputs = [where, box, sheet, earlier, later, asked]

    def wire(*links: gr.HTML) -> None:
        for one in links:
            picked = one.select(on(pick, selects=True), [page.owner, answered, borders], [*outputs, borders], **quiet)
            picked.success(None, js=SHOW)

    for button, by in ((earlier, -1), (later, 1)):
        button.click(on(turn(by)), [page.owner, where, borders], outputs, **quiet)
    for event in (unlock.click, word.submit):
        opened = event(on(with_password), [page.owner, where, borders, word], [*outputs, word], **quiet)
        opened.success(None, js=SHOW)
    borders.input(on(show), [page.owner, where, borders], outputs, **quiet)
    larger.input(None, larger, None, js=ENLARGE)
    close.click(lambda: (gr.update(visible=False), NOWHERE, ""), None, [box, where, sheet], **quiet).then(None, js=BACK)
    return PagePanel(answered, box, wire)
