"""Chat tab: one question, several panes that are answered at the same time; each says who really answered."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import gradio as gr

from playground.asking import BASE, TUNED
from playground.errors import NotFound
from playground.ui import difference, talk
from playground.ui.errors import Visitor
from playground.ui.formatting import plain, shorten
from playground.ui.page import Page
from playground.ui.tabs import filling, inside, many, panes, vote
from playground.ui.tabs.chat_settings import build as build_settings
from playground.ui.tabs.train import run_label
from playground.ui.talk import Exchange
from playground.ui.turn import Turn

EXAMPLES = 4
EXAMPLE_CHARACTERS = 90
NO_ANSWERS: list[Exchange] = []


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
                    stop = gr.Button(label("chat.stop"), variant="secondary", size="sm", elem_id="chat-stop")
                run = gr.Dropdown(label=label("chat.run"), info=label("chat.run_info"), scale=3, min_width=220, elem_id="chat-run")
            with gr.Row(elem_classes="samples"):
                gr.Markdown(label("chat.examples"), elem_classes="inline")
                buttons = [gr.Button(visible=False, size="sm", min_width=160, elem_classes="sample") for _ in range(EXAMPLES)]
            around = filling.build(page)
            weight = gr.HTML(visible=False, elem_id="chat-weight")
            with gr.Row(equal_height=False, elem_id="panes"):
                slots = panes.build(page)
            with gr.Row():
                reveal = gr.Button(label("chat.right"), size="sm", visible=False)
                retry = gr.Button(label("chat.retry"), size="sm", elem_id="chat-retry")
                edit = gr.Button(label("chat.edit"), size="sm", elem_id="chat-edit")
                clear = gr.Button(label("chat.clear"), size="sm", elem_id="chat-clear")
                keep_json = gr.Button(label("chat.keep_json"), size="sm", elem_id="chat-json")
                keep_text = gr.Button(label("chat.keep_text"), size="sm", elem_id="chat-markdown")
            ready = gr.DownloadButton(elem_id="ready-chat", elem_classes="unseen")
            right = gr.Markdown(visible=False, elem_id="right-answer")
            with gr.Row(equal_height=False, elem_classes="settings-form"):
                others = gr.Dropdown(
                    label=label("chat.others"), info=label("chat.others_info"), multiselect=True, max_choices=panes.MORE, scale=2,
                    min_width=220, elem_id="chat-others",
                )  # fmt: skip
                collection = gr.Dropdown(
                    label=label("chat.documents"), info=label("chat.documents_info"), scale=2, min_width=220, elem_id="chat-documents"
                )
                remember = gr.Checkbox(
                    False, label=label("chat.remember"), info=label("chat.remember_info"), scale=2, min_width=220, elem_id="chat-remember"
                )
                differ = gr.Checkbox(
                    False, label=label("chat.differ"), info=label("chat.differ_info"), scale=2, min_width=220, elem_id="chat-differ"
                )
            compared = gr.HTML(elem_id="difference")
            answering = build_settings(page)
            exchange = gr.State(None)  # the last question with its answers, once all are whole
            inside.build(page, run, exchange)
            many.build(page, run)
            vote.build(page, exchange)
        examples = gr.State([])
        expected = gr.State(("", ""))  # the question whose right answer is known, and that answer
        said = gr.State(NO_ANSWERS)  # the conversation
        turn = gr.State(Turn())

    chats, notes = [slot.chat for slot in slots], [slot.by for slot in slots]
    columns = [slot.column for slot in slots]

    def open_chat(visitor: Visitor, run_id: str | None) -> list[Any]:
        """Fill the list of finished runs; the one chosen elsewhere is preferred."""
        say = page.say_in(visitor.language)
        usable = [one for one in services.runs.list(visitor.owner) if one.has_adapter]
        if not usable:
            return [gr.update(visible=True), gr.update(visible=False), gr.update(choices=[], value=None), gr.skip(), gr.skip(), *no_run()]
        chosen = next((one for one in usable if one.run_id == run_id), usable[0])
        choices = [(run_label(one, say), one.run_id) for one in usable]
        known = [one["collection"] for one in services.collections.list(visitor.owner) if one["documents"]]
        return [
            gr.update(visible=False),
            gr.update(visible=True),
            gr.update(choices=choices, value=chosen.run_id),
            gr.update(choices=[*choices, *((panes.served(name, say), name) for name in services.server_models())]),
            gr.update(choices=[(say("chat.no_documents"), ""), *((name, name) for name in known)]),
            *show_run(visitor, chosen.run_id),
        ]

    def show_run(visitor: Visitor, run_id: str | None) -> list[Any]:
        """What belongs to a run: questions to try, and whether it learned conversations."""
        if not run_id:
            return no_run()
        services.warm(visitor.owner, run_id)
        rows = services.filled_examples(visitor.owner, run_id, EXAMPLES)
        buttons = [gr.update(value=shorten(text, EXAMPLE_CHARACTERS), visible=True) for text, _, _ in rows]
        adapter = services.runs.adapter(visitor.owner, run_id)
        return [
            rows,
            adapter.task == "chat",
            weigh(visitor, [run_id]),
            *filling.shown(adapter.slots),
            *buttons,
            *[gr.update(visible=False)] * (EXAMPLES - len(rows)),
        ]

    def weigh(visitor: Visitor, run_ids: list[str]) -> Any:
        """What whole models will take, where any is chosen that is not in memory yet."""
        told = panes.heavy(services.weights(visitor.owner, run_ids), page.say_in(visitor.language))
        return gr.update(value=told, visible=bool(told))

    def no_run() -> list[Any]:
        return [[], gr.skip(), gr.skip(), *filling.shown(()), *[gr.update(visible=False)] * EXAMPLES]

    def take(number: int) -> Any:
        def fill(rows: list[tuple[str, str, dict[str, str]]], names: list[str]) -> list[Any]:
            text, right, values = rows[number]
            return [text, (text, right), gr.update(visible=False), *filling.filled(names, values)]

        return fill

    def answer(
        visitor: Visitor, text: str, run_id: str | None, known: tuple[str, str], before: list[Exchange], more: list[str] | None,
        documents: str | None, goes_on: bool, marks: bool, turn: Turn, slot_names: list[str], *values: Any,
    ) -> Iterator[list[Any]]:  # fmt: skip
        """Stream all answers into the panes; each pane keeps what was asked before."""
        if not run_id:
            raise NotFound("There is no finished run to ask yet. Train one first.")
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        more = [one for one in more or [] if one != run_id]
        fields = filling.read(slot_names, *values[: filling.MOST])
        settings = {**answering.read(*values[filling.MOST :]), "runs": more, "collection": documents or None, "slots": fields}
        names = named(visitor, run_id, more)
        places = panes.keys(more, bool(documents))
        solution = known[1] if known[0] == text else ""
        before = talk.stopped(before)  # where this question overtakes the last
        earlier = talk.turns(before) if goes_on else {}
        none: list[Any] = [gr.skip()] * (2 * len(slots))
        with turn.taken((text, run_id, settings, goes_on)) as mine:
            if not mine:
                yield [gr.skip(), gr.skip(), *none, *[gr.skip()] * 3]
                return
            with closing(services.asking.compare(visitor.owner, text, run_id, settings, earlier)) as stream:
                first = next(stream)  # what cannot be asked is refused here, before it stands in the panes
                ends = False
                seen: list[Any] = [gr.update(visible=bool(solution)), gr.update(visible=False), ""]
                now = talk.exchange_of(text, run_id, solution, settings, first, names)
                for states in chain([first], stream):
                    if mine.overtaken:
                        break
                    ends = mine.over  # which may change while this is on its way
                    now = talk.exchange_of(text, run_id, solution, settings, states, names)
                    if ends:
                        (now,) = talk.stopped([now])
                    yield [[*before, now], None, *panes.shown(slots, [*before, now], places, say, translate), *seen]
                    seen = [gr.skip()] * 3
                    if ends:
                        break
            # the last that is shown, were it to arrive late
            whole = [gr.skip(), gr.skip()] if ends or mine.overtaken else [{**now, "earlier": earlier}, mark(visitor, now, marks)]
            yield [gr.skip(), whole[0], *none, gr.skip(), gr.skip(), whole[1]]

    def named(visitor: Visitor, run_id: str | None, more: list[str]) -> dict[str, str]:
        """What each pane is called, by its key."""
        say = page.say_in(visitor.language)
        called = {one.run_id: one.name for one in services.runs.list(visitor.owner)}
        return panes.names(say, called.get(run_id or "", ""), {one: called.get(one) or panes.served(one, say) for one in more})

    def mark(visitor: Visitor, last: Exchange | None, marks: bool) -> str:
        """The difference between base and tuned, where it is wanted."""
        pair = [talk.answer_of(last, key) for key in (BASE, TUNED)] if last and marks else []
        if not all(pair) or len(pair) < 2:
            return ""
        base, tuned = (one for one in pair if one)
        return difference.shown(base["text"], tuned["text"], (base["name"], tuned["name"]), page.say_in(visitor.language))

    def arrange(visitor: Visitor, run_id: str | None, more: list[str] | None, documents: str | None, before: list[Exchange]) -> list[Any]:
        """Show as many panes as there are to ask."""
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        more = [one for one in more or [] if one != run_id]
        places = panes.keys(more, bool(documents))
        names = named(visitor, run_id, more)
        filled = panes.shown(slots, before, places, say, translate)
        for place, slot in enumerate(slots):
            if slot.name.startswith("more") and slot.name in places:
                filled[place] = gr.update(value=filled[place], label=names[places[slot.name]])
        chosen = [one for one in (run_id, *more) if one]
        return [*[gr.update(visible=slot.name in places) for slot in slots], *filled, weigh(visitor, chosen)]

    def back(before: list[Exchange], turn: Turn) -> tuple[str, tuple[str, str], list[Exchange]]:
        """Take the last question back."""
        turn.stop()
        if not before:
            return "", ("", ""), []
        last = before[-1]
        return last["question"], (last["question"], last["right"]), before[:-1]

    def show_right(visitor: Visitor, known: tuple[str, str]) -> Any:
        return gr.update(value=page.texts.say("chat.right_is", visitor.language, answer=plain(known[1])), visible=True)

    def keep(form: str) -> Any:
        def write(visitor: Visitor, before: list[Exchange]) -> Any:
            if not before:
                raise NotFound("There is no conversation to take away yet. Ask something first.")
            say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
            text = talk.as_json(before) if form == "json" else talk.as_markdown(before, say, translate)
            folder = Path(ready.GRADIO_CACHE) / secrets.token_hex(16)  # Gradio serves from there, and clears it by itself
            folder.mkdir(parents=True)
            name = re.sub(r"[^\w-]+", "-", say("chat.tab")).strip("-").lower() or "chat"
            target = folder / f"{name}.{form}"
            target.write_text(text, "utf-8")
            return str(target)

        return write

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    last = {**quiet, "trigger_mode": "always_last"}  # "once" would drop what changes while the tab is being filled
    of_run = [examples, remember, weight, *around.outputs, *buttons]
    gr.on(
        [tab.select, page.run_id.change], on(open_chat), [page.owner, page.run_id], [empty, view, run, others, collection, *of_run], **last
    )
    run.input(on(show_run), [page.owner, run], of_run, **quiet).then(lambda chosen: chosen, run, page.run_id, **quiet)
    choice = [page.owner, run, others, collection, said]
    gr.on([others.change, collection.change], on(arrange), choice, [*columns, *chats, *notes, weight], **last)
    asked = [page.owner, question, run, expected, said, others, collection, remember, differ, turn]
    asking = {
        "fn": on(answer),
        "inputs": [*asked, *around.inputs, *answering.fields],
        "outputs": [said, exchange, *chats, *notes, reveal, right, compared],
        "api_visibility": "private",
        "show_progress": "hidden",
        "concurrency_id": "model",
        "concurrency_limit": None,  # whoever asks at the same time is answered in the same batch
        "trigger_mode": "multiple",  # a question asked while the last is still being answered is not lost: it ends that answer
    }
    gr.on([send.click, question.submit], **asking)
    for number, button in enumerate(buttons):
        taken = button.click(take(number), [examples, around.names], [question, expected, right, *around.fields], **quiet)
        taken.then(**asking)
    retry.click(back, [said, turn], [question, expected, said], **quiet).then(**asking)
    stop.click(lambda turn: turn.stop(), turn, None, **quiet)
    edit.click(back, [said, turn], [question, expected, said], **quiet).then(
        on(arrange), choice, [*columns, *chats, *notes, weight], **quiet
    ).then(None, js="() => document.querySelector('#question textarea').focus()")
    reveal.click(on(show_right), [page.owner, expected], right, **quiet)
    differ.input(on(mark), [page.owner, exchange, differ], compared, **quiet)
    clear.click(
        lambda turn: (turn.stop(), [], None, *[[]] * len(slots), *[""] * len(slots), gr.update(visible=False), "")[1:],
        turn,
        [said, exchange, *chats, *notes, right, compared],
        **quiet,
    )
    for button, form in ((keep_json, "json"), (keep_text, "md")):
        made = button.click(on(keep(form)), [page.owner, said], ready, api_visibility="private", show_progress="hidden")
        made.success(None, js="() => document.querySelector('#ready-chat, #ready-chat a, #ready-chat button').click()")
    return ChatTab(tab)
