"""Chat tab: one question, two panes. Each answer says which adapter really produced it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import chain
from typing import Any

import gradio as gr

from playground.errors import NotFound
from playground.ui.errors import Visitor
from playground.ui.formatting import Say, plain, shorten
from playground.ui.page import Page
from playground.ui.tabs.train import run_label

PANES = ("base", "tuned")
EXAMPLES = 4
EXAMPLE_CHARACTERS = 90


@dataclass(frozen=True)
class ChatTab:
    tab: gr.Tab


def build(page: Page) -> ChatTab:
    services, label, on = page.services, page.label, page.handler

    with gr.Tab(label("chat.tab"), id="chat") as tab:
        empty = gr.Markdown(label("chat.empty"), elem_classes="empty")
        with gr.Column(visible=False) as view:
            with gr.Row(equal_height=True):
                question = gr.Textbox(
                    label=label("chat.ask"), placeholder=label("chat.placeholder"), lines=1, max_lines=8, scale=6, elem_id="question"
                )
                with gr.Column(scale=1, min_width=130):
                    send = gr.Button(label("chat.send"), variant="primary", elem_id="send")
                    stop = gr.Button(label("chat.stop"), variant="secondary", size="sm")
                run = gr.Dropdown(label=label("chat.run"), info=label("chat.run_info"), scale=3, min_width=220, elem_id="chat-run")
            with gr.Row(elem_classes="samples"):
                gr.Markdown(label("chat.examples"), elem_classes="inline")
                buttons = [gr.Button(visible=False, size="sm", min_width=160, elem_classes="sample") for _ in range(EXAMPLES)]
            with gr.Row(equal_height=False):
                panes, notes = [], []
                for name in PANES:
                    with gr.Column(min_width=300, elem_classes=["pane", name]):
                        panes.append(
                            gr.Chatbot(
                                label=label(f"chat.{name}"),
                                height=300,
                                render_markdown=False,
                                group_consecutive_messages=False,
                                feedback_options=None,
                                buttons=[],
                                elem_id=f"pane-{name}",
                            )
                        )
                        notes.append(gr.Markdown(elem_classes="by", elem_id=f"by-{name}"))
            with gr.Row():
                reveal = gr.Button(label("chat.right"), size="sm", visible=False)
                clear = gr.Button(label("chat.clear"), size="sm")
            right = gr.Markdown(visible=False, elem_id="right-answer")
            gr.Markdown(label("chat.afresh"), elem_classes="hint")
            with gr.Accordion(label("chat.settings"), open=False), gr.Row():
                max_new_tokens = gr.Slider(1, 512, 96, step=1, label=label("chat.max_new_tokens"))
                temperature = gr.Slider(0, 2, 0, step=0.1, label=label("chat.temperature"), info=label("chat.temperature_info"))
                top_p = gr.Slider(0.05, 1, 1, step=0.05, label=label("chat.top_p"), info=label("chat.top_p_info"))
                penalty = gr.Slider(1, 2, 1, step=0.05, label=label("chat.repetition_penalty"), info=label("chat.repetition_penalty_info"))
                seed = gr.Number(42, precision=0, label=label("chat.seed"), info=label("chat.seed_info"))
                use_template = gr.Checkbox(True, label=label("chat.use_template"), info=label("chat.use_template_info"))
        examples = gr.State([])
        expected = gr.State(("", ""))  # the question whose right answer is known, and that answer

    def open_chat(visitor: Visitor, run_id: str | None) -> list[Any]:
        """Fill the list of finished runs; the one chosen elsewhere is preferred."""
        say = page.say_in(visitor.language)
        usable = [one for one in services.runs.list(visitor.owner) if one.has_adapter]
        if not usable:
            return [gr.update(visible=True), gr.update(visible=False), gr.update(choices=[], value=None), *no_examples()]
        chosen = next((one for one in usable if one.run_id == run_id), usable[0])
        choices = [(run_label(one, say), one.run_id) for one in usable]
        return [
            gr.update(visible=False),
            gr.update(visible=True),
            gr.update(choices=choices, value=chosen.run_id),
            *show_examples(visitor, chosen.run_id),
        ]

    def show_examples(visitor: Visitor, run_id: str | None) -> list[Any]:
        if not run_id:
            return no_examples()
        services.warm(visitor.owner, run_id)
        pairs = services.examples(visitor.owner, run_id, EXAMPLES)
        shown = [gr.update(value=shorten(text, EXAMPLE_CHARACTERS), visible=True) for text, _ in pairs]
        return [pairs, *shown, *[gr.update(visible=False)] * (EXAMPLES - len(shown))]

    def no_examples() -> list[Any]:
        return [[], *[gr.update(visible=False)] * EXAMPLES]

    def take(number: int) -> Any:
        def fill(pairs: list[tuple[str, str]]) -> tuple[str, tuple[str, str], Any]:
            return pairs[number][0], (pairs[number][0], pairs[number][1]), gr.update(visible=False)

        return fill

    def answer(
        visitor: Visitor, text: str, run_id: str | None, known: tuple[str, str], former: list[Any], latter: list[Any], *values: Any
    ) -> Iterator[list[Any]]:
        """Stream both answers into the panes; each pane keeps what was asked before."""
        if not run_id:
            raise NotFound("There is no finished run to ask yet. Train one first.")
        say = page.say_in(visitor.language)
        names = ("max_new_tokens", "temperature", "top_p", "repetition_penalty", "seed", "use_template")
        settings = dict(zip(names, values, strict=True))
        before = dict(zip(PANES, (former or [], latter or []), strict=True))
        has_answer = gr.update(visible=bool(known[1]) and known[0] == text)
        stream = services.compare(visitor.owner, text, run_id, settings)
        asked = [turn("user", text)]
        first = next(stream)  # what cannot be asked is refused here, before it stands in the panes
        yield [*[before[p] + asked for p in PANES], *[say("chat.waiting")] * 2, has_answer, gr.update(visible=False)]
        for states in chain([first], stream):
            answers = [states[p]["text"] or (say("chat.nothing") if states[p]["done"] else "…") for p in PANES]
            histories = [before[p] + asked + [turn("assistant", shown)] for p, shown in zip(PANES, answers, strict=True)]
            yield [*histories, *[attribution(states[p], say, page, visitor) for p in PANES], has_answer, gr.skip()]

    def settle(visitor: Visitor, *said: str) -> list[str]:
        """A stopped answer is no longer being prepared."""
        waiting = page.texts.say("chat.waiting", visitor.language)
        return [page.texts.say("chat.stopped", visitor.language) if note == waiting else note for note in said]

    def show_right(visitor: Visitor, known: tuple[str, str]) -> Any:
        return gr.update(value=page.texts.say("chat.right_is", visitor.language, answer=plain(known[1])), visible=True)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    settings = [max_new_tokens, temperature, top_p, penalty, seed, use_template]
    last = {**quiet, "trigger_mode": "always_last"}  # "once" would drop what changes while the tab is being filled
    gr.on([tab.select, page.run_id.change], on(open_chat), [page.owner, page.run_id], [empty, view, run, examples, *buttons], **last)
    run.input(on(show_examples), [page.owner, run], [examples, *buttons], **quiet).then(lambda chosen: chosen, run, page.run_id, **quiet)
    asking = {
        "fn": on(answer),
        "inputs": [page.owner, question, run, expected, *panes, *settings],
        "outputs": [*panes, *notes, reveal, right],
        "api_visibility": "private",
        "show_progress": "hidden",
        "concurrency_id": "model",
        "concurrency_limit": 1,
    }
    events = [send.click(**asking), question.submit(**asking)]
    for number, button in enumerate(buttons):
        filled = button.click(take(number), examples, [question, expected, right], **quiet)
        events.append(filled.then(**asking))
    stop.click(on(settle), [page.owner, *notes], notes, cancels=events, **quiet)
    reveal.click(on(show_right), [page.owner, expected], right, **quiet)
    clear.click(lambda: ([], [], "", "", gr.update(visible=False)), None, [*panes, *notes, right], **quiet)
    return ChatTab(tab)


def turn(role: str, text: str) -> dict[str, str]:
    """A message for the pane. Its component shows HTML even where Markdown is switched off, so text is escaped here."""
    return {"role": role, "content": escape(text, quote=False)}


def attribution(state: dict[str, Any], say: Say, page: Page, visitor: Visitor) -> str:
    """Who answered, how much and how fast, as Markdown; names are escaped."""
    if state.get("error"):
        return f"**{plain(page.texts.sentence(state['error'], visitor.language))}**"
    if not state["tokens"] and not state["done"]:
        return say("chat.waiting")
    adapter, model = state["adapter"], plain(state.get("model", ""))
    who = (
        say("chat.by_adapter", model=model, name=plain(adapter["name"]), sha=adapter["sha256"][:8])
        if adapter
        else say("chat.by_base", model=model)
    )
    parts = [who, say("chat.figures", tokens=state["tokens"], seconds=state["seconds"])]
    if state.get("cut"):
        parts.append(say("chat.cut", n=state["cut"]))
    return " · ".join(parts)
