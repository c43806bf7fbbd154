"""What is wrong with the dataset, worst first: tick what to mend, look at what would change, mend it, and take it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import gradio as gr

from playground.ui.errors import Visitor
from playground.ui.formatting import Say, Translate, plain, shorten
from playground.ui.page import Page

TICKED = ("serious", "advice")  # repairs of these are ticked beforehand, those of mere notes are not
OF_ALL_ROWS = ("few_rows", "sampled", "unused_columns", "empty_column", "constant_column")  # they name no rows in particular
CHANGES = 50
CHANGE_WIDTHS = ["10%", "18%", "27%", "27%", "18%"]


@dataclass(frozen=True)
class DoctorPanel:
    """`open(visitor, dataset_id, model)` fills `outputs`; `changed` are the events after which the dataset has another version."""

    open: Callable[..., list[Any]]
    outputs: list[Any]
    shown: gr.Markdown
    changed: list[Any]


def build(page: Page) -> DoctorPanel:
    services, label, on = page.services, page.label, page.handler
    private: dict[str, Any] = {"api_visibility": "private"}

    gr.Markdown(label("doctor.title"))
    summary = gr.Markdown(elem_id="doctor-summary")
    findings = gr.CheckboxGroup(label=label("doctor.repairs"), info=label("doctor.repairs_info"), visible=False, elem_id="findings")
    with gr.Row(visible=False) as buttons:
        look = gr.Button(label("doctor.look"), size="sm", elem_id="doctor-look")
        mend = gr.Button(label("doctor.mend"), size="sm", variant="primary", elem_id="doctor-mend")
    would = gr.Markdown(visible=False, elem_id="doctor-would")
    changes = gr.Dataframe(
        label=label("doctor.changes"),
        interactive=False,
        wrap=True,
        max_height=260,
        visible=False,
        column_widths=CHANGE_WIDTHS,
        elem_id="doctor-changes",
    )
    with gr.Row(visible=False) as history:
        version = gr.Dropdown(label=label("doctor.versions"), info=label("doctor.versions_info"), scale=3, elem_id="versions")
        restore = gr.Button(label("doctor.restore"), size="sm", scale=1, elem_id="restore-version")
    outputs = [summary, findings, buttons, would, changes, history, version]

    def open_doctor(visitor: Visitor, dataset_id: str | None, model: str) -> list[Any]:
        info = services.dataset(visitor.owner, dataset_id)
        if info is None:
            return ["", *[gr.update(visible=False)] * 5, gr.skip()]
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        found = services.check_dataset(visitor.owner, info["dataset_id"], model=model)
        mendable = [one for one in found if one.fix]
        versions = [(version_label(one, say), one["version"]) for one in reversed(info["versions"]) if one["kept"]]
        return [
            report(found, info, say, translate),
            gr.update(
                choices=[(repair(one, say, translate), one.id) for one in mendable],
                value=[one.id for one in mendable if one.severity in TICKED],
                visible=bool(mendable),
            ),
            gr.update(visible=bool(mendable)),
            gr.update(visible=False),
            gr.update(visible=False),
            gr.update(visible=len(versions) > 1),
            gr.update(choices=versions, value=info["version"]),
        ]

    def show_changes(visitor: Visitor, dataset_id: str | None, model: str, ids: list[str]) -> tuple[Any, Any]:
        if not dataset_id:
            return gr.skip(), gr.skip()
        say, translate = page.say_in(visitor.language), page.translate_in(visitor.language)
        done = services.fix_dataset(visitor.owner, dataset_id, ids, model=model, keep=False)
        gone = sum(done["dropped"].values())
        told = say("doctor.would", changed=done["changed"], dropped=gone, columns=len(done["dropped_columns"]), rows=done["rows"])
        rows = [
            [
                f"{one.row + 1:,}",
                one.column or "",
                shorten(one.before, 200),
                shorten(one.after, 200) if one.column else say("doctor.goes"),
                translate(one.reason),
            ]
            for one in done["changes"][:CHANGES]
        ]
        heads = [say(f"doctor.change_{key}") for key in ("row", "column", "before", "after", "why")]
        return gr.update(value=told, visible=True), gr.Dataframe(rows, headers=heads, visible=bool(rows))

    def carry_out(visitor: Visitor, dataset_id: str | None, model: str, ids: list[str]) -> None:
        if dataset_id and ids:
            services.fix_dataset(visitor.owner, dataset_id, ids, model=model)

    def bring_back(visitor: Visitor, dataset_id: str | None, number: int | None) -> None:
        if dataset_id and number:
            services.datasets.restore(visitor.owner, dataset_id, number)

    look.click(on(show_changes), [page.owner, page.dataset_id, page.model, findings], [would, changes], **private)
    changed = [
        mend.click(on(carry_out), [page.owner, page.dataset_id, page.model, findings], None, **private),
        restore.click(on(bring_back), [page.owner, page.dataset_id, version], None, **private),
    ]
    return DoctorPanel(open_doctor, outputs, summary, changed)


def repair(finding: Any, say: Say, translate: Translate) -> str:
    """A finding, where, and what ticking it does, on one line; Gradio shows it as text."""
    return f"{translate(finding.message)}{places(finding, say)} → {translate(finding.fix or '')}"


def places(finding: Any, say: Say) -> str:
    """The first rows that are meant; nothing where all of them are."""
    if finding.kind in OF_ALL_ROWS:
        return ""
    rows = ", ".join(f"{row + 1:,}" for row in finding.examples)
    return say("doctor.rows_more" if finding.rows > len(finding.examples) else "doctor.rows", rows=rows) if rows else ""


def report(found: list[Any], info: dict[str, Any], say: Say, translate: Translate) -> str:
    """The counts from the file to here, and the findings that nobody can mend but the person, as Markdown."""
    gone = ", ".join(say("doctor.reason", rows=rows, reason=plain(translate(reason))) for reason, rows in info["dropped"].items() if rows)
    lines = [say("doctor.ledger", read=info["read"], added=info["added"], rows=info["rows"], gone=gone or say("doctor.nothing"))]
    if not found:
        lines.append(say("doctor.healthy"))
    for one in found:
        if not one.fix:
            lines.append(f"- {say(f'doctor.{one.severity}')} {plain(translate(one.message))}{places(one, say)}")
    return "\n\n".join([lines[0], "\n".join(lines[1:])]) if len(lines) > 1 else lines[0]


def version_label(one: dict[str, Any], say: Say) -> str:
    """`3 · mended · 1,745 rows · 14:05`"""
    at = datetime.fromtimestamp(one["time"]).strftime("%H:%M")
    return say("doctor.version", number=one["version"], what=say(f"doctor.{one['what']}"), rows=one["rows"], at=at)
