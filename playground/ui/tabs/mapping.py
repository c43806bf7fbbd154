"""The right half of the Dataset tab: task, columns, names of groups, split, and one example as the model will read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.errors import PlaygroundError
from playground.ui import bars
from playground.ui.errors import Visitor
from playground.ui.formatting import mapping_notes, plain
from playground.ui.page import Page
from playground.ui.theme import TUNED

MOST_GROUPS = 200  # groups that a person may want to rename one by one
TASKS = ("instruction", "classification", "summarization", "completion", "chat")
WHOLE = {"chat": "messages", "completion": "text"}  # tasks whose examples stand in one column, and the role of that column
MOST_SHOTS = 5
BETWEEN = "│"  # stands between tokens; a box-drawing line, which texts hardly have


@dataclass(frozen=True)
class MappingPanel:
    """`open(visitor, dataset_id, model)` fills `outputs` when another dataset is chosen; `changed` is when another mapping was."""

    open: Callable[..., list[Any]]
    outputs: list[Any]
    example: gr.HighlightedText
    changed: Any


def build(page: Page) -> MappingPanel:
    services, label, on = page.services, page.label, page.handler
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}

    gr.Markdown(label("mapping.title"))
    task = gr.Radio(
        [(label(f"mapping.{t}_task"), t) for t in TASKS], label=label("mapping.task"), info=label("mapping.task_info"), elem_id="task"
    )
    with gr.Row():
        prompt = gr.Dropdown(label=label("mapping.prompt"), info=label("mapping.prompt_info"), min_width=150, elem_id="prompt-column")
        answer = gr.Dropdown(label=label("mapping.answer"), info=label("mapping.answer_info"), min_width=150, elem_id="answer-column")
        whole = gr.Dropdown(
            label=label("mapping.whole"), info=label("mapping.whole_info"), min_width=150, visible=False, elem_id="whole-column"
        )
    names = gr.Dataframe(
        label=label("mapping.labels"),
        interactive=True,
        static_columns=[0],
        column_count=2,
        max_height=300,
        visible=False,
        elem_id="label-names",
    )
    failed = gr.Markdown(visible=False, elem_classes="failed", elem_id="mapping-failed")
    example = gr.HighlightedText(
        label=label("mapping.example"),
        color_map={"learnt": TUNED},
        show_inline_category=False,
        show_whitespaces=False,
        elem_id="example",
    )
    gr.Markdown(label("mapping.example_info"), elem_classes="hint")
    with gr.Row():
        position = gr.Number(1, precision=0, minimum=1, label=label("mapping.number"), scale=1, min_width=120, elem_id="example-number")
        by_token = gr.Checkbox(
            label=label("mapping.by_token"), info=label("mapping.by_token_info"), scale=3, min_width=190, elem_id="example-tokens"
        )
        another = gr.Button(label("mapping.another"), size="sm", scale=0, min_width=190, elem_id="another-example")
    notes = gr.Markdown(elem_id="mapping-notes")
    chart = gr.HTML(elem_id="mapping-chart")
    with gr.Accordion(label("mapping.more"), open=False, elem_id="mapping-more"):
        context = gr.Dropdown(label=label("mapping.context"), info=label("mapping.context_info"), elem_id="context-column")
        instruction = gr.Textbox(label=label("mapping.instruction"), info=label("mapping.instruction_info"), lines=2, elem_id="instruction")
        system = gr.Textbox(label=label("mapping.system"), info=label("mapping.system_info"), lines=2, elem_id="system-prompt")
        with gr.Row():
            validation = gr.Slider(0, 0.5, 0.1, step=0.05, label=label("mapping.validation"), info=label("mapping.validation_info"))
            test = gr.Slider(0, 0.5, 0.1, step=0.05, label=label("mapping.test"), info=label("mapping.test_info"))
            seed = gr.Number(42, precision=0, label=label("mapping.seed"), info=label("mapping.seed_info"))
        shots = gr.Slider(0, MOST_SHOTS, 0, step=1, label=label("mapping.shots"), info=label("mapping.shots_info"), elem_id="few-shot")
    controls = [task, prompt, answer, whole, context, names, instruction, system, validation, test, seed, shots]
    touched = [prompt, answer, whole, context, names, instruction, system, shots]  # what a choice may change or hide
    results = [example, notes, chart, failed, position, by_token]

    def pieces(shown: list[Any]) -> list[tuple[str, str | None]]:
        return [(text, "learnt" if trained else None) for text, trained in shown]

    def result(visitor: Visitor, dataset_id: str, settings: dict[str, Any], model: str) -> tuple[dict[str, Any] | None, list[Any]]:
        try:
            report = services.map_dataset(visitor.owner, dataset_id, settings, model=model)
        except PlaygroundError as error:
            sentence = plain(page.texts.sentence(error.sentence, visitor.language))
            return None, [None, "", "", gr.update(value=f"**{sentence}**", visible=True), 1, False]
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        tokens = report["tokens"]
        drawn = bars.lengths(tokens["histogram"], tokens["window"], say)
        drawn += bars.groups(list(report["labels"].items()), say)
        shown = mapping_notes(report, say, translate)
        return report, [pieces(report["example"]["pieces"]), shown, drawn, gr.update(visible=False), 1, False]

    def open_mapping(visitor: Visitor, dataset_id: str | None, model: str) -> list[Any]:
        """Fill every control from the saved mapping, or from a guess."""
        info = services.dataset(visitor.owner, dataset_id)
        if info is None:
            return [gr.skip()] * (len(controls) + len(results))
        report, shown = result(visitor, info["dataset_id"], dict(info.get("mapping") or {}), model)
        columns = [c["name"] for c in info["columns"]]
        none = page.texts.say("mapping.none", visitor.language)
        if report is None:
            extra = gr.update(choices=[(none, ""), *columns], value="", visible=True)
            pair = [gr.update(choices=columns, value=None, visible=True)] * 2
            hidden = gr.update(choices=columns, value=None, visible=False)
            texts, shots_shown = [gr.update(value="", visible=True)] * 2, gr.update(value=0, visible=True)
            return [
                gr.update(value="instruction"),
                *pair,
                hidden,
                extra,
                gr.Dataframe(visible=False),
                *texts,
                0.1,
                0.1,
                42,
                shots_shown,
                *shown,
            ]
        chosen, split, task_now = report["columns"], report["split"], report["task"]
        one = task_now in WHOLE
        return [
            task_now,
            gr.update(choices=columns, value=chosen.get("prompt"), visible=not one),
            gr.update(choices=columns, value=chosen.get("answer"), visible=not one),
            gr.update(choices=columns, value=chosen.get(WHOLE.get(task_now, "")), visible=one),
            gr.update(choices=[(none, ""), *columns], value=chosen.get("context") or "", visible=offers("context", task_now)),
            label_table(visitor, report),
            gr.update(value=report["instruction"], visible=offers("instruction", task_now)),
            gr.update(value=report["system"], visible=offers("system", task_now)),
            split["validation"],
            split["test"],
            report["seed"],
            gr.update(value=report.get("few_shot", 0), visible=offers("few_shot", task_now)),
            *shown,
        ]

    def label_table(visitor: Visitor, report: dict[str, Any]) -> Any:
        if report["task"] != "classification" or len(report["label_names"]) > MOST_GROUPS:
            return gr.Dataframe([], visible=False)
        heads = [page.texts.say(f"mapping.label_{k}", visitor.language) for k in ("value", "name")]
        return gr.Dataframe([[value, name] for value, name in report["label_names"].items()], headers=heads, visible=True)

    def choose(visitor: Visitor, dataset_id: str | None, model: str, *values: Any) -> list[Any]:
        """Save what was chosen. A new task or answer column means new groups and a new instruction, so those are guessed afresh."""
        if not dataset_id:
            return [gr.skip()] * (len(touched) + len(results))
        settings = chosen_settings(*values)
        former = services.datasets.info(visitor.owner, dataset_id).get("mapping") or {}
        columns = former.get("columns", {})
        if settings["task"] != former.get("task") or settings["columns"].get("answer") != columns.get("answer"):
            settings = {k: v for k, v in settings.items() if k not in ("label_names", "instruction")}
        report, shown = result(visitor, dataset_id, settings, model)
        task_now = settings["task"]
        one, rest = task_now in WHOLE, [gr.update(visible=offers(name, task_now)) for name in ("system", "few_shot")]
        if report is None:
            extra = [gr.update(visible=offers("context", task_now)), gr.skip(), gr.update(visible=offers("instruction", task_now))]
            return [gr.update(visible=not one)] * 2 + [gr.update(visible=one), *extra, *rest, *shown]
        chosen = report["columns"]
        return [
            gr.update(value=chosen.get("prompt"), visible=not one),
            gr.update(value=chosen.get("answer"), visible=not one),
            gr.update(value=chosen.get(WHOLE.get(task_now, "")), visible=one),
            gr.update(value=chosen.get("context") or "", visible=offers("context", task_now)),
            label_table(visitor, report),
            gr.update(value=report["instruction"], visible=offers("instruction", task_now)),
            *rest,
            *shown,
        ]

    def rename(visitor: Visitor, dataset_id: str | None, model: str, table: Any) -> list[Any]:
        """Save new names of groups. The table itself is left alone, and all else taken as it was saved: the next name is being typed."""
        former = (services.dataset(visitor.owner, dataset_id) or {}).get("mapping")
        if not dataset_id or not former:
            return [gr.skip()] * (1 + len(results))
        settings = {**former, "label_names": renamed(table)}
        if ", ".join(dict.fromkeys(former["label_names"].values())) in former["instruction"]:
            settings["instruction"] = None  # it names the groups, and those have new names
        report, shown = result(visitor, dataset_id, settings, model)
        return [report["instruction"] if report else gr.skip(), *shown]

    def show_example(
        visitor: Visitor, dataset_id: str | None, model: str, number: float | None, tokens: bool, by: int = 0
    ) -> tuple[Any, Any]:
        if not dataset_id or services.dataset(visitor.owner, dataset_id) is None:
            return gr.skip(), gr.skip()
        reading = services.read_example(visitor.owner, dataset_id, int(number or 1) - 1 + by, model=model)
        shown = [(BETWEEN.join(texts), trained) for texts, trained in reading.texts] if tokens else reading.pieces
        # A number that stands already is left alone: the next figure of it may be on its way.
        return pieces(shown), gr.skip() if number == reading.number + 1 else reading.number + 1

    def show_another(visitor: Visitor, dataset_id: str | None, model: str, number: float | None, tokens: bool) -> tuple[Any, Any]:
        return show_example(visitor, dataset_id, model, number, tokens, 1)

    changes = [c.input for c in (task, prompt, answer, whole, context)]
    changes += (
        [c.submit for c in (instruction, system, seed)]
        + [c.blur for c in (instruction, system, seed)]
        + [validation.release, test.release, shots.release]
    )
    changed = gr.on(
        changes,
        on(choose),
        [page.owner, page.dataset_id, page.model, *controls],
        [*touched, *results],
        **quiet,
        trigger_mode="always_last",
    )
    names.input(on(rename), [page.owner, page.dataset_id, page.model, names], [instruction, *results], **quiet, trigger_mode="always_last")
    which = [page.owner, page.dataset_id, page.model, position, by_token]
    another.click(on(show_another), which, [example, position], **quiet)
    gr.on([position.input, by_token.input], on(show_example), which, [example, position], **quiet, trigger_mode="always_last")
    return MappingPanel(open_mapping, [*controls, *results], example, changed)


def renamed(names: Any) -> dict[str, str]:
    """What the model shall say for each value; `names` is a pandas table of two columns."""
    pairs = names.iloc[:, :2].values.tolist() if names is not None and names.shape[1] >= 2 else []
    return {str(value): str(name).strip() or str(value) for value, name in pairs if str(value).strip()}


def offers(setting: str, task: str) -> bool:
    """Whether a task takes a setting at all; one that would be ignored is not shown."""
    if setting == "system":
        return task != "completion"  # a text is read without anybody who speaks
    return task == "instruction" if setting == "context" else task not in WHOLE


def chosen_settings(
    task: str | None,
    prompt: str | None,
    answer: str | None,
    whole: str | None,
    context: str | None,
    names: Any,
    instruction: str,
    system: str,
    validation: float,
    test: float,
    seed: float | None,
    shots: float | None,
) -> dict[str, Any]:
    """The settings of `/map_dataset` that the controls stand for; `names` is a pandas table of two columns."""
    task = task or "instruction"
    columns = {WHOLE[task]: whole} if task in WHOLE else {"prompt": prompt, "answer": answer, "context": context}
    return {
        "task": task,
        "columns": {role: column or None for role, column in columns.items() if column or role == "context"},
        "label_names": renamed(names) if task == "classification" else {},
        "instruction": instruction or "",
        "system": system or "",
        "split": {"validation": float(validation or 0), "test": float(test or 0)},
        "seed": int(seed) if seed is not None else 42,
        "few_shot": int(shots or 0) if task not in WHOLE else 0,
    }
