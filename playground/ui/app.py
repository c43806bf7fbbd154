"""The page as a whole: the strip that says where one stands, the tabs, and the wiring between them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from playground.demonstration import Demonstration
from playground.services import Services
from playground.training.record import Run
from playground.ui import api
from playground.ui.errors import Visitor, handlers
from playground.ui.formatting import Say, megabytes, strip
from playground.ui.i18n import Texts
from playground.ui.language import SWITCH, FirstScript
from playground.ui.page import Page
from playground.ui.sessions import share_config
from playground.ui.tabs import chat, dataset, documents, train
from playground.ui.theme import theme
from playground.ui.vote_page import VotePage
from playground.workspace import write_bytes

SECRET = "browser-secret"  # noqa: S105 - a file's name
HOUR = 3600
TICK = 1.0  # seconds
SLOW = 10.0  # seconds between two looks of a page on which nothing runs
PULSE = 5.0
THREADS = 100  # of handlers; whoever waits for an answer holds one
SESSIONS = 1_000  # page views whose state is kept, at some 600 KB each


def build_app(services: Services) -> gr.Blocks:
    """All tabs and endpoints over one set of services."""
    settings = services.settings
    texts = Texts(settings.assets / "locales")
    with gr.Blocks(title=texts.say("app.title"), analytics_enabled=False, delete_cache=(HOUR, 6 * HOUR), fill_width=True) as app:
        page = Page(
            services,
            Demonstration(services),
            texts,
            handlers(settings, texts),
            gr.BrowserState("", storage_key="playground-owner", secret=browser_secret(services)),
            gr.State(None),
            gr.State(None),
            gr.State("starter"),
            gr.Timer(TICK, active=False),
            gr.Timer(SLOW),
        )
        _pulse()
        with gr.Row(elem_id="strip", equal_height=True):
            gr.Markdown(texts.label("app.title"), elem_id="brand")
            standing = gr.HTML(elem_id="standing")
            other = gr.Button(texts.label("app.other_language"), variant="secondary", size="sm", elem_id="language", min_width=90, scale=0)
            following = gr.Button(texts.label("next.sample"), variant="primary", size="md", elem_id="next", min_width=190, scale=0)
        with gr.Tabs(elem_id="tabs") as tabs:
            dataset_tab = dataset.build(page)
            train_tab = train.build(page)
            chat.build(page)
            documents.build(page)
        other.click(None, None, None, js=SWITCH, api_visibility="private")
        where = gr.State("sample")
        again = _start_over(page)
        with gr.Accordion(texts.label("app.key"), open=False, visible=settings.mode == "shared"):
            key = gr.Textbox(label=texts.label("app.key_label"), info=texts.label("app.key_info"), interactive=False, buttons=["copy"])
        _wire(app, page, tabs, standing, following, where, key, train_tab, dataset_tab.changed)
        _wire_start_over(page, again, tabs)
        api.build(page)
    _keep_progress_small(app)
    share_config(app)
    app.texts = texts  # launch() needs the locales
    return app


def _keep_progress_small(app: gr.Blocks) -> None:
    """Tell Gradio's page of the progress of quiet handlers nowhere but in chats, which mark the message that is being written.

    With each message of the server the page goes over every component whose progress it follows, and over all of the page for each of
    them: left as it is, an answer that streams keeps a browser busy with progress that nobody is shown.
    """
    for one in app.fns.values():
        if one.show_progress == "hidden" and one.show_progress_on is None:
            one.show_progress_on = [output for output in one.outputs if isinstance(output, gr.Chatbot)]


def _pulse() -> None:
    """Let no answer get lost on its way to the page.

    Gradio's page closes its stream of answers when the server has none left to give. An event that is sent in that very moment finds the
    stream still open and is then answered into nothing, until another event opens it again. This one does, whatever became of the last.
    """
    gr.Timer(PULSE).tick(
        lambda: None, None, None, trigger_mode="multiple", concurrency_limit=None, show_progress="hidden", api_visibility="private"
    )


@dataclass(frozen=True)
class StartOver:
    button: gr.Button
    everything: gr.Checkbox
    told: gr.Markdown


def _start_over(page: Page) -> StartOver:
    """For an instructor after a class: bring the demonstration back."""
    with gr.Accordion(page.label("again.title"), open=False, elem_id="start-over"):
        gr.Markdown(page.label("again.about"), elem_classes="hint")
        with gr.Row(equal_height=True):
            everything = gr.Checkbox(False, label=page.label("again.everything"), info=page.label("again.everything_info"), scale=3)
            button = gr.Button(page.label("again.button"), scale=1, min_width=240, elem_id="restore")
        told = gr.Markdown(elem_id="restored")
    return StartOver(button, everything, told)


def _wire_start_over(page: Page, again: StartOver, tabs: gr.Tabs) -> None:
    def restore(visitor: Visitor, everything: bool) -> tuple[Any, ...]:
        made = page.demonstration.restore(visitor.owner, everything=everything)
        return made["dataset_id"], made["run_id"], page.texts.say("again.done", visitor.language), False, gr.Tabs(selected="chat")

    again.button.click(
        page.handler(restore),
        [page.owner, again.everything],
        [page.dataset_id, page.run_id, again.told, again.everything, tabs],
        api_visibility="private",
    )


# Gradio's chat scrolls inside itself but cannot be reached by keyboard, and it is made anew as tabs come and go.
SCROLLED_BY_KEYS = """() => {
  const reach = () => document.querySelectorAll(".bubble-wrap:not([tabindex])").forEach((region) => { region.tabIndex = 0; });
  new MutationObserver(reach).observe(document.body, { childList: true, subtree: true });
  reach();
}"""


def _wire(
    app: gr.Blocks,
    page: Page,
    tabs: gr.Tabs,
    standing: gr.HTML,
    following: gr.Button,
    where: gr.State,
    key: gr.Textbox,
    train_tab: train.TrainTab,
    changed: list[Any],
) -> None:
    services, on = page.services, page.handler

    def greet(key: str | None) -> str:
        """In shared mode a browser's key is its proof of ownership; it is made on the first visit."""
        return key or secrets.token_urlsafe(24)

    def arrive(visitor: Visitor) -> tuple[str | None, str | None]:
        page.demonstration.greet(visitor.owner)
        newest = services.newest(visitor.owner)
        services.prepare(visitor.owner, newest[1])
        return newest

    def stand(visitor: Visitor, dataset_id: str | None, run_id: str | None) -> tuple[Any, Any, str]:
        """Where one stands, and the next step as one button."""
        say = page.say_in(visitor.language)
        datasets = {d["dataset_id"]: d for d in services.datasets.list(visitor.owner)}
        runs = services.runs.list(visitor.owner)
        chosen, run = datasets.get(dataset_id), next((r for r in runs if r.run_id == run_id), None)
        parts = [
            (say("strip.dataset"), say("strip.rows", name=chosen["name"], rows=chosen["rows"]) if chosen else say("strip.none_dataset")),
            (say("strip.run"), standing_of(run, chosen, say) if run else say("strip.none_run")),
            (say("strip.model"), f"{services.model_name(run)} · {hardware(services, say)}"),
        ]
        if chosen is None:
            step = "sample"
        elif run is None or (run.dataset_id != dataset_id and run.finished):
            step = "train"
        else:
            step = "chat" if run.finished and run.has_adapter else "train" if run.finished else "watch"
        return strip(parts), gr.Button(page.texts.say(f"next.{step}", visitor.language)), step

    def go_on(visitor: Visitor, step: str, dataset_id: str | None) -> tuple[Any, Any]:
        if step == "sample":
            samples = services.datasets.samples()
            return gr.Tabs(selected="dataset"), services.datasets.import_sample(visitor.owner, samples[0]["name"])["dataset_id"]
        return gr.Tabs(selected="chat" if step == "chat" else "train"), dataset_id

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    app.load(None, js=SCROLLED_BY_KEYS)
    known = app.load(greet, page.owner, page.owner, **quiet)
    known.then(lambda made: made, page.owner, key, **quiet)
    arrived = known.then(on(arrive), page.owner, [page.dataset_id, page.run_id], **quiet)
    arrived.then(train_tab.open, train_tab.inputs, train_tab.outputs, **quiet)
    inputs, outputs = [page.owner, page.dataset_id, page.run_id], [standing, following, where]
    arrived.then(on(stand), inputs, outputs, **quiet)
    gr.on(
        [page.dataset_id.change, page.run_id.change, train_tab.shown.change],
        on(stand),
        inputs,
        outputs,
        trigger_mode="always_last",
        **quiet,
    )
    for event in changed:
        event.then(on(stand), inputs, outputs, **quiet)
    following.click(on(go_on), [page.owner, where, page.dataset_id], [tabs, page.dataset_id], **quiet)


def standing_of(run: Run, dataset: dict[str, Any] | None, say: Say) -> str:
    """A run in one phrase; the dataset's name is not said twice."""
    name = run.name.removeprefix(dataset["name"]).strip() if dataset else run.name
    loss = [say("strip.loss", loss=run.loss)] if run.loss is not None else []
    return " · ".join([name or run.name, say(f"state.{run.state}"), *loss])


def hardware(services: Services, say: Say) -> str:
    """What this machine has, in one phrase."""
    found = services.hardware()
    gpu = f"{found['gpu']} ({megabytes(found['gpu_memory_mb'], say)})" if found["gpu"] else say("app.no_gpu")
    return say("app.machine", cores=found["cores"], memory=megabytes(found["memory_mb"], say), gpu=gpu)


def browser_secret(services: Services) -> str:
    """The key that encrypts what a browser keeps for us; the same after a restart, so that nobody loses their data."""
    path = services.workspace.home / SECRET
    if not path.exists():
        write_bytes(path, secrets.token_urlsafe(32).encode())
        path.chmod(0o600)
    return path.read_text("utf-8")


def launch(app: gr.Blocks, services: Services, *, open_browser: bool) -> None:
    """Serve the page until interrupted. Address and port are Gradio's own settings; a free port is found from 7860 on."""
    assets = services.settings.assets
    app.queue(max_size=200, default_concurrency_limit=8).launch(
        inbrowser=open_browser,
        max_threads=THREADS,
        theme=theme(),
        css_paths=[assets / "style.css"],
        app_kwargs={"middleware": [Middleware(FirstScript)], "routes": [VotePage(services, app.texts).route]},
        i18n=app.texts.gradio,
        max_file_size=services.settings.limits.upload_bytes,
        ssr_mode=False,
        state_session_capacity=SESSIONS,
        run_history=False,
        footer_links=["api"],
        blocked_paths=[str(services.workspace.home)],
        mcp_server=True,
        share=False,
    )
