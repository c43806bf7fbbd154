"""Train tab: one button, then the curve takes the stage. The run lives in its own process; this page only reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.errors import NotFound
from playground.training.config import PRESETS
from playground.training.record import Run
from playground.ui.errors import Visitor
from playground.ui.formatting import Say, cards, duration, megabytes, number, parameters, plain, when
from playground.ui.page import Page
from playground.ui.run_words import status_sentence
from playground.ui.tabs import beginning, bring, curves, estimate, line, onward, overlay, recipes, settings_form, takeaway, token, watch


@dataclass(frozen=True)
class TrainTab:
    shown: gr.State  # changes whenever what the tab tells of the runs does
    open: Any  # refreshes the whole tab; the page's load event calls it with `inputs` and `outputs`
    inputs: list[Any]
    outputs: list[Any]


def build(page: Page) -> TrainTab:
    services, label, on = page.services, page.label, page.handler

    with gr.Tab(label("train.tab"), id="train") as tab:
        empty = gr.Markdown(label("train.empty"), elem_classes="empty")
        with gr.Row(equal_height=True, visible=False) as start_row:
            known = [(one.name, one.id) for one in services.catalog.list()]  # what it opens with; `models` says it in the visitor's words
            model = gr.Dropdown(
                known,
                value=known[0][1],
                label=label("train.model"),
                info=label("train.model_info"),
                scale=3,
                min_width=220,
                elem_id="train-model",
            )
            preset = gr.Radio(
                [(label(f"train.{name}"), name) for name in PRESETS],
                value="balanced",
                label=label("train.preset"),
                info=label("train.preset_info"),
                scale=3,
                min_width=260,
                elem_id="preset",
            )
            train = gr.Button(label("train.button"), variant="primary", scale=2, min_width=180, elem_id="train-button")
        model_note = gr.Markdown(visible=False, elem_classes="failed", elem_id="model-note")
        access, needed = token.build(page), estimate.build(page)
        with gr.Column(visible=False, elem_id="run-view") as view:
            with gr.Row(equal_height=True):
                told = gr.Markdown(elem_id="run-told")
                waiting = line.build(page)
                stop = gr.Button(label("train.stop"), visible=False, scale=0, min_width=260, elem_id="stop-button")
                cancel = gr.Button(label("train.cancel"), visible=False, scale=0, min_width=220, elem_id="cancel-button")
                surely = gr.Button(label("train.cancel_sure"), variant="stop", visible=False, scale=0, min_width=220, elem_id="cancel-sure")
            figures = gr.HTML(elem_id="run-figures")
            with gr.Row(equal_height=False):
                drawn = curves.build(page)
                watched = watch.build(page)
            going_on = onward.build(page)
            with gr.Accordion(label("train.log"), open=False, visible=False) as log_box:
                log = gr.Textbox(show_label=False, lines=8, max_lines=16, interactive=False, container=False)
            with gr.Row(equal_height=True):
                run = gr.Dropdown(label=label("train.run"), info=label("train.run_info"), scale=5, elem_id="run-choice")
                delete = gr.Button(
                    label("train.delete"), size="sm", variant="secondary", visible=False, scale=1, min_width=150, elem_id="delete-run"
                )
                sure = gr.Button(label("train.delete_sure"), size="sm", variant="stop", visible=False, scale=1, min_width=150)
                taken = takeaway.build(page)
            with gr.Accordion(label("train.runs"), open=False):
                runs = gr.Dataframe(interactive=False, wrap=True, show_label=False, elem_id="runs-table")
            compared = overlay.build(page)
            with gr.Accordion(label("train.chosen"), open=False):
                chosen = gr.Dataframe(interactive=False, wrap=True, show_label=False)
        with gr.Accordion(label("train.settings"), open=False, visible=False) as settings_box:
            recipe, begin = recipes.build(page), beginning.build(page)
            own_model = gr.Textbox(label=label("train.model_own"), info=label("train.model_own_info"), max_lines=1, elem_id="own-model")
            fields = settings_form.build(page)
        brought = bring.build(page)
        seen, heard = gr.State(""), gr.State("")
    timer = page.timer

    def show(
        visitor: Visitor, dataset_id: str | None, run_id: str | None, former: str, wanted: str, check: Any, end: Any, *picked: Any
    ) -> list[Any]:
        """Everything below the button; nothing is sent when nothing changed."""
        mine = services.runs.list(visitor.owner)
        found = next((one for one in mine if one.run_id == run_id), None)
        if not dataset_id and not run_id and services.newest(visitor.owner) != (None, None):
            return [gr.skip()] * len(outputs)  # a hand quicker than the page, which has not chosen yet what to open with
        state = f"{dataset_id} {len(mine)} {_signature(found)} {[one.state for one in mine[:20]]}"
        ticking = gr.Timer(active=any(not one.finished for one in mine))
        if state == former:
            return [*[gr.skip()] * (len(outputs) - 1), ticking]
        say = page.say_in(visitor.language)
        metrics = services.runs.metrics(visitor.owner, found.run_id) if found else []
        active = found is not None and not found.finished
        heads = [say(f"train.col_{key}") for key in ("name", "state", "method", "loss", "eval", "when")]
        why = [say(f"train.col_{key}") for key in ("setting", "value", "why")]
        return [
            state,
            gr.update(visible=not dataset_id and not mine),
            gr.update(visible=bool(dataset_id)),
            gr.update(visible=bool(dataset_id)),
            gr.update(visible=bool(mine)),
            status_sentence(found, metrics, say, page.translate_in(visitor.language)) if found else "",
            cards(run_figures(found, say)) if found and not found.brought else "",
            *drawn.update(visitor, found, metrics, wanted),
            *watched.update(visitor, found, check, end),
            *going_on.update(visitor, found),
            *waiting.update(found, mine),
            *compared.update(visitor, mine, *picked),
            gr.update(visible=active and found is not None and found.state in ("starting", "running")),
            gr.update(visible=active),
            gr.skip() if active else gr.update(visible=False),  # who is asked is given time to answer, while the curve goes on
            gr.update(visible=found is not None and not active),
            gr.update(visible=False),
            gr.update(visible=found is not None and not found.brought),
            gr.update(visible=bool(found and found.log_tail)),
            found.log_tail if found else "",
            gr.update(choices=[(run_label(one, say), one.run_id) for one in mine], value=found.run_id if found else None),
            gr.Dataframe([run_row(one, say) for one in mine], headers=heads),
            gr.Dataframe(setting_rows(found, page, visitor) if found else [], headers=why),
            ticking,
        ]

    outputs = [
        seen,
        empty,
        start_row,
        settings_box,
        view,
        told,
        figures,
        *drawn.outputs,
        *watched.outputs,
        *going_on.outputs,
        *waiting.outputs,
        *compared.outputs,
        stop,
        cancel,
        surely,
        delete,
        sure,
        taken.button,
        log_box,
        log,
        run,
        runs,
        chosen,
        timer,
    ]
    inputs = [page.owner, page.dataset_id, page.run_id, seen, drawn.view, *watched.inputs, *compared.inputs]

    def listen(visitor: Visitor, former: str) -> tuple[Any, Any]:
        """While nothing runs the page asks seldom, and only whether anything has become of the runs: another page may have started one."""
        now = services.runs.stirred(visitor.owner)
        return (gr.skip(), gr.skip()) if now == former else (now, gr.Timer(active=True))

    def models(visitor: Visitor, chosen_model: str | None) -> tuple[Any, Any]:
        """The list as it is now; what can be had changes with the network. The choice stays."""
        say = page.say_in(visitor.language)
        listed = services.catalog.list(visitor.owner)
        names = [
            say("train.sized", name=one.name, size=parameters(one.parameters, say)) if one.kind == "starter" else one.name for one in listed
        ]
        choices = [
            (name if one.available else say("train.unavailable", name=name), one.id) for name, one in zip(names, listed, strict=True)
        ]
        value = chosen_model if chosen_model in {one.id for one in listed} else listed[0].id
        return gr.update(choices=choices, value=value), about_model(visitor, value)

    def about_model(visitor: Visitor, chosen_model: str | None) -> Any:
        """Why the chosen model cannot be had, where that is so."""
        one = next((one for one in services.catalog.list(visitor.owner) if one.id == chosen_model), None)
        reason = "" if one is None or one.available else page.texts.sentence(one.reason, visitor.language)
        return gr.update(value=plain(reason), visible=bool(reason))

    def start(
        visitor: Visitor, dataset_id: str | None, model_id: str, own: str, length: str, earlier: str, *values: Any
    ) -> tuple[str, Any]:
        if not dataset_id:
            raise NotFound("There is no dataset yet. Bring a table in the Dataset tab first.")
        settings = {**settings_form.collect(values), "model": (own or "").strip() or model_id}
        made = services.start_run(visitor.owner, dataset_id, settings, preset=length, start_from=earlier or None)
        return made, gr.Timer(active=True)

    def ask(what: str) -> Any:
        def send(visitor: Visitor, run_id: str | None) -> Any:
            if run_id:
                getattr(services.runs, what)(visitor.owner, run_id)
            return gr.Timer(active=True)

        return send

    def remove(visitor: Visitor, run_id: str | None) -> str | None:
        if run_id:
            services.runs.delete(visitor.owner, run_id)
        return services.newest(visitor.owner)[1]

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    begun = train.click(
        on(start),
        [page.owner, page.dataset_id, model, own_model, preset, begin.choice, *fields],
        [page.run_id, timer],
        api_visibility="private",
    )
    begun.success(on(show), inputs, outputs, **quiet)
    access.wire(tab, model, own_model, begun, models, model_note)
    recipe.wire(tab, model, own_model, fields)
    needed.wire(tab, model, own_model, preset, begin.choice, fields, seen)
    begin.wire(tab, seen)
    brought.wire(tab, timer)
    for button, what in ((stop, "stop"), (surely, "cancel")):
        button.click(on(ask(what)), [page.owner, page.run_id], timer, api_visibility="private").success(on(show), inputs, outputs, **quiet)
    for button, by in ((waiting.earlier, -1), (waiting.later, 1)):
        button.click(on(waiting.move(by)), [page.owner, page.run_id], None, api_visibility="private").success(
            on(show), inputs, outputs, **quiet
        )
    resumed = going_on.button.click(
        on(going_on.take_up), [page.owner, page.run_id, going_on.more, going_on.unit], [going_on.more, timer], api_visibility="private"
    )
    resumed.success(on(show), inputs, outputs, **quiet)
    cancel.click(lambda: gr.update(visible=True), None, surely, **quiet)
    page.run_id.change(lambda: gr.update(visible=False), None, surely, **quiet)  # it was asked of another run
    delete.click(lambda: gr.update(visible=True), None, sure, **quiet)
    sure.click(on(remove), [page.owner, page.run_id], page.run_id, api_visibility="private").success(on(show), inputs, outputs, **quiet)
    run.input(lambda chosen_run: chosen_run, run, page.run_id, **quiet)
    gr.on(
        [timer.tick, page.run_id.change, page.dataset_id.change, tab.select], on(show), inputs, outputs, trigger_mode="always_last", **quiet
    )
    page.slow.tick(on(listen), [page.owner, heard], [heard, timer], **quiet)
    tab.select(on(models), [page.owner, model], [model, model_note], **quiet)
    model.input(on(about_model), [page.owner, model], model_note, **quiet)
    gr.on(
        [model.input, own_model.submit, own_model.blur],
        lambda chosen, own: (own or "").strip() or chosen,
        [model, own_model],
        page.model,
        **quiet,
    )
    return TrainTab(seen, on(show), inputs, outputs)


def _signature(run: Run | None) -> str:
    if run is None:
        return ""
    held = f"{run.memory_mb} {run.max_memory_reserved_mb}"
    return f"{run.run_id} {run.state} {run.step} {run.loss} {run.eval_loss} {run.place_in_line} {run.doing} {held}"


def run_figures(run: Run, say: Say) -> list[tuple[str, str]]:
    """(label, value) of the row of figures."""
    of = "train.step_about" if run.max_steps_about else "train.step_of"
    step = say(of, step=run.step, max=run.max_steps) if run.max_steps else say("number.whole", n=run.step)
    speed = say("train.tokens_per_second", n=run.tokens_per_second) if run.tokens_per_second else "–"
    time = ("train.fig_took", run.seconds) if run.finished else ("train.fig_left", run.eta_seconds)
    return [
        (say("train.fig_step"), step),
        (say(time[0]), duration(time[1])),
        (say("train.fig_loss"), number(run.loss, say)),
        (say("train.fig_eval"), number(run.eval_loss, say)),
        (say("train.fig_speed"), speed),
        memory_figure(run, say),
    ]


def memory_figure(run: Run, say: Say) -> tuple[str, str]:
    """(label, value) of what a run holds: the most of its card where it has one, else what its process holds now."""
    if run.max_memory_reserved_mb is not None:
        return say("train.fig_gpu_memory"), megabytes(run.max_memory_reserved_mb, say)
    return say("train.fig_memory"), megabytes(run.memory_mb, say)


def run_label(run: Run, say: Say) -> str:
    return f"{run.name} · {say(f'state.{run.state}')} · {when(run.created)}"


def run_row(run: Run, say: Say) -> list[str]:
    return [run.name, say(f"state.{run.state}"), run.method, number(run.loss, say), number(run.eval_loss, say), when(run.created)]


def setting_rows(run: Run, page: Page, visitor: Visitor) -> list[list[str]]:
    """Every setting of the run with its value, and why where it was chosen for the person."""
    return [
        [
            name,
            "–" if value is None else str(value),
            page.texts.sentence(run.reasons[name], visitor.language) if name in run.reasons else "",
        ]
        for name, value in run.settings.items()
    ]
