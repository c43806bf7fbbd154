"""Documents tab: files with their health, one question, an answer with citations, and the passages it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from playground.asking import phraser
from playground.errors import Damaged, NotFound, PlaygroundError
from playground.rag.pdf import SUFFIXES
from playground.rag.store import DEFAULT_NAME
from playground.ui import documents as shown
from playground.ui import health
from playground.ui.errors import Visitor
from playground.ui.formatting import shorten
from playground.ui.page import Page
from playground.ui.tabs import check_questions, document_files, facts_or_style, new_collection, page_view, panes, search_steps, xray
from playground.ui.tabs.page_view import PICKED
from playground.ui.tabs.train import run_label
from playground.ui.turn import Turn

BASE = "base"
EXAMPLES = 4
TICK = 0.5  # seconds between two looks at an indexing


@dataclass(frozen=True)
class DocumentsTab:
    tab: gr.Tab


def build(page: Page) -> DocumentsTab:
    services, label, on = page.services, page.label, page.handler
    collections = services.collections

    with gr.Tab(label("documents.tab"), id="documents") as tab:
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=320, elem_id="documents-side"):
                empty = gr.Markdown(label("documents.empty"), elem_classes="empty")
                upload = gr.File(
                    label=label("documents.upload"),
                    file_types=list(SUFFIXES),
                    file_count="multiple",
                    height=110,
                    elem_id="documents-upload",
                )
                noted = gr.HTML(elem_id="upload-notes", visible=False)
                choice = gr.Dropdown(
                    label=label("documents.choose"), info=label("documents.choose_info"), visible=False, elem_id="collection-choice"
                )
                working = gr.HTML(visible=False, elem_id="indexing")
                stop_indexing = gr.Button(label("documents.stop_indexing"), size="sm", visible=False, elem_id="stop-indexing")
                listed = gr.HTML(elem_id="files")
                unlocking = document_files.unlock(page)
                go_on = gr.Button(label("documents.go_on"), size="sm", visible=False, elem_id="go-on-indexing")
                with gr.Accordion(label("documents.manage"), open=False):
                    fresh = new_collection.build(page, unlocking.word)
                    document = gr.Dropdown(label=label("documents.document"), elem_id="document-choice")
                    managing = document_files.manage(page, services.settings.mode == "personal")
                    sure = gr.Button(label("documents.delete_sure"), size="sm", variant="stop", visible=False)
            with gr.Column(scale=7, min_width=340):
                with gr.Row(equal_height=True):
                    question = gr.Textbox(
                        label=label("documents.ask"),
                        placeholder=label("documents.placeholder"),
                        lines=1,
                        max_lines=6,
                        scale=6,
                        min_width=240,
                        elem_id="document-question",
                    )
                    with gr.Column(scale=1, min_width=130):
                        send = gr.Button(label("documents.send"), variant="primary", elem_id="document-send")
                        stop = gr.Button(label("documents.stop"), size="sm")
                with gr.Row(elem_classes="samples", visible=False) as tries:
                    gr.Markdown(label("documents.examples"), elem_classes="inline")
                    buttons = [gr.Button(visible=False, size="sm", min_width=160, elem_classes="sample") for _ in range(EXAMPLES)]
                told = gr.HTML(elem_id="document-answer", js_on_load=PICKED)
                pages = page_view.build(page)
                seen = xray.build(page, pages)
                with gr.Accordion(label("documents.settings"), open=False, elem_id="document-settings"):
                    with gr.Row():
                        model = gr.Dropdown(
                            [(BASE, BASE)],
                            value=BASE,
                            label=label("documents.model"),
                            info=label("documents.model_info"),
                            elem_id="document-model",
                        )
                        mode = search_steps.mode(page, "search-mode")
                    steps = search_steps.build(page, "search", mode)
                found = gr.HTML(elem_id="document-passages", js_on_load=PICKED)
                pages.wire(told, found)
        experiment = facts_or_style.build(page)
        collection = gr.State("")
        adding = gr.State("")  # the job that took the files which this page gave last
        questions = gr.State([])
        turn = gr.State(Turn())
        check_questions.build(page, tab, collection)
    timer = gr.Timer(TICK, active=False)

    def open_documents(visitor: Visitor, current: str, job_id: str, typed: str) -> list[Any]:
        """Everything the tab shows of the chosen collection; the newest where the chosen one is gone."""
        mine = collections.list(visitor.owner)
        names = [one["collection"] for one in mine]
        chosen = current if current in names else newest(visitor)
        if chosen:
            collections.warm(visitor.owner, chosen)
        say = page.say_in(visitor.language)
        runs = [(run_label(one, say), one.run_id) for one in services.runs.list(visitor.owner) if one.has_adapter]
        served = [(panes.served(name, say), name) for name in services.server_models()]
        damaged = {one["collection"] for one in mine if one["damaged"]}
        pairs = [] if chosen in damaged else services.document_examples(visitor.owner, chosen, visitor.language, EXAMPLES)
        choices = [(shown.choice(one, say), one["collection"]) for one in mine]
        embedder = next((one["embedder"] for one in mine if one["collection"] == chosen), None)
        return [
            chosen,
            new_collection.keeps(chosen, typed, say),
            document_files.embedder_now(embedder),
            gr.update(choices=choices, value=chosen or None, visible=len(names) > 1 or bool(damaged)),
            gr.update(choices=[(say("documents.base", model=services.model_name()), BASE), *runs, *served]),
            pairs,
            gr.update(visible=bool(pairs)),
            *[gr.update(value=shorten(text, 90), visible=True) for text in pairs],
            *[gr.update(visible=False)] * (EXAMPLES - len(pairs)),
            *look(visitor, chosen, job_id),
        ]

    def look(visitor: Visitor, chosen: str, job_id: str) -> list[Any]:
        """The files and the indexing under way, and what the job of this page's last files has to tell of them."""
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        hidden = gr.update(visible=False)
        nothing = [hidden, hidden, hidden, hidden, gr.update(choices=[], value=None), *document_files.locked([]), gr.Timer(active=False)]
        if not chosen:
            return [gr.update(visible=True), "", *nothing]
        try:
            documents, about = collections.documents(visitor.owner, chosen), collections.info(visitor.owner, chosen)
            told = shown.notes(collections.notes(visitor.owner, chosen, job_id), translate)
            job = collections.under_way(visitor.owner, chosen)
        except NotFound:  # deleted on another page
            return look(visitor, "", "")
        except Damaged as error:  # which can still be deleted
            return [hidden, shown.warned(translate(error.sentence)), *nothing]
        waiting = any(one["state"] == "waiting" for one in documents)
        last = collections.last_failure(visitor.owner, chosen)
        notes = shown.progress(job, say, translate) if job else shown.warned(translate(last)) if last else ""
        return [
            gr.update(visible=not documents),
            (shown.made(about, say) if documents else "") + health.files(documents, say, translate),
            gr.update(value=told, visible=bool(told)),
            gr.update(value=notes, visible=bool(notes)),
            gr.update(visible=job is not None),
            gr.update(visible=waiting and job is None),
            gr.update(choices=[(health.named(one, say), one["document_id"]) for one in documents], value=None),
            *document_files.locked(documents if job is None else []),
            gr.Timer(active=job is not None),
        ]

    def add(visitor: Visitor, paths: list[str] | None, chosen: str, *made_with: Any) -> tuple[str, Any, str, str]:
        """Begin to index; a new name begins a new collection."""
        wanted, how = new_collection.wanted(chosen, *made_with)
        files = [(Path(one), Path(one).name) for one in paths or []]
        job, _ = collections.add(visitor.owner, files, wanted or DEFAULT_NAME, **how)
        return wanted or DEFAULT_NAME, None, "", job.job_id

    def proceed(visitor: Visitor, chosen: str) -> str:
        return collections.add(visitor.owner, [], chosen)[0].job_id

    def naming(visitor: Visitor, chosen: str, typed: str) -> Any:
        return new_collection.keeps(chosen, typed, page.say_in(visitor.language))

    def halt(visitor: Visitor, chosen: str) -> None:
        if chosen and (job := collections.under_way(visitor.owner, chosen)):
            services.jobs.stop(visitor.owner, job.job_id)

    def drop(visitor: Visitor, chosen: str) -> tuple[str, Any, str, str]:
        if chosen:
            collections.delete(visitor.owner, chosen)
        return "", gr.update(visible=False), "", ""

    def newest(visitor: Visitor) -> str:
        return next((one["collection"] for one in collections.list(visitor.owner)), "")

    def answer(visitor: Visitor, text: str, chosen: str, who: str, turn: Turn, how: str, *fields: Any) -> Iterator[list[Any]]:
        """Stream the answer; the passages stand as soon as they are found."""
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        run_id, model = phraser(who)
        chosen = chosen or newest(visitor)  # asked before the tab was filled
        search = search_steps.chosen(how, *fields)
        settings = {**search.settings(), **model}
        passages = None
        with turn.taken((text, chosen, who, search)) as mine:
            if not mine:
                yield [gr.skip()] * 4
                return
            yield [shown.searching(say), gr.skip(), {}, gr.update(visible=False)]
            try:
                with closing(services.asking.documents(visitor.owner, text, chosen, run_id, settings)) as states:
                    for state in states:
                        if mine.overtaken:
                            break
                        state["stopped"] = ends = mine.over  # which may change while this is on its way
                        fresh = shown.passages(state["passages"], state["citations"], say)
                        known = {"question": text, "collection": chosen, "who": who, "steps": asdict(search)}
                        known |= {"citations": state["citations"], "passages": state["passages"]}
                        yield [shown.answer(state, say, translate), gr.skip() if fresh == passages else fresh, known, gr.skip()]
                        passages = fresh
                        if ends:
                            break
            except PlaygroundError:
                yield ["", gr.skip(), {}, gr.skip()]  # nobody searches any more
                raise
            yield [gr.skip()] * 4  # the last thing that is shown, were it to arrive late

    def take(number: int) -> Any:
        return lambda pairs: pairs[number]

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    state = [empty, listed, noted, working, stop_indexing, go_on, document, *unlocking.shown, timer]
    everything = {
        "fn": on(open_documents),
        "inputs": [page.owner, collection, adding, fresh.name],
        "outputs": [collection, fresh.kept, managing.embedder, choice, model, questions, tries, *buttons, *state],
        **quiet,
    }
    gr.on([tab.select, page.run_id.change], trigger_mode="always_last", **everything)  # "once" would drop a change under way
    tab.select(**experiment.open)
    # what was asked about one collection is not answered about another
    choice.input(lambda chosen: (chosen, gr.update(visible=False)), choice, [collection, sure], **quiet).then(**everything)
    added = upload.upload(
        on(add),
        [page.owner, upload, collection, *fresh.inputs],
        [collection, upload, fresh.name, adding],
        api_visibility="private",
    )
    added.then(**everything)
    for button, handler, taken in ((go_on, proceed, adding), (stop_indexing, halt, None)):
        button.click(on(handler), [page.owner, collection], taken, **quiet).then(**everything)
    # not `input`, which is not told of the first letter after an upload has emptied the field
    fresh.name.change(on(naming), [page.owner, collection, fresh.name], fresh.kept, trigger_mode="always_last", **quiet)
    document_files.wire(page, unlocking, managing, collection, document, everything)
    timer.tick(on(look), [page.owner, collection, adding], state, **quiet)
    managing.delete.click(lambda: gr.update(visible=True), None, sure, **quiet)
    sure.click(on(drop), [page.owner, collection], [collection, sure, told, found], api_visibility="private").then(**everything)
    asking = {
        "fn": on(answer),
        "inputs": [page.owner, question, collection, model, turn, mode, *steps.fields],
        "outputs": [told, found, pages.answered, pages.box],
        "api_visibility": "private",
        "show_progress": "hidden",
        "concurrency_limit": None,  # who asks at the same time is answered in the same batch
        "trigger_mode": "multiple",  # a question asked while the last answer is still being worded is not lost: it ends that one
    }
    events = [send.click(**asking), question.submit(**asking)]
    for number, button in enumerate(buttons):
        events.append(button.click(take(number), questions, question, **quiet).then(**asking))
    stop.click(lambda turn: turn.stop(), turn, None, **quiet)
    seen.wire(events)
    return DocumentsTab(tab)
