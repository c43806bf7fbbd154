"""Where a run stands, in a visitor's words: pure functions, no Gradio, no services."""

from __future__ import annotations

from typing import Any

from playground.training.record import Run
from playground.ui.explain import explain
from playground.ui.formatting import Say, Translate, duration, plain


def status_sentence(run: Run, metrics: list[dict[str, Any]], say: Say, translate: Translate) -> str:
    """What is happening with a run, what its curve says, and how it could go on, as Markdown."""
    if run.brought:
        return say("told.brought", model=plain(run.model))
    if run.state == "stopped" and run.error:
        told = plain(translate(run.error))
    elif run.state == "stopped":
        told = say("told.stopped", step=run.step) if run.has_adapter else say("told.discarded" if run.step else "told.nothing")
    elif run.state == "queued" and run.doing:
        told = say("told.held", doing=plain(translate(run.doing).rstrip(".")))
    else:
        told = say(
            f"told.{run.state}",
            place=run.place_in_line or 1,
            doing=plain(translate(run.doing).rstrip(".")) if run.doing else say("told.preparing"),
            explained=explain(
                metrics,
                say,
                finished=run.state == "done",
                keeps_best=bool(run.settings.get("load_best_model_at_end", True)),
                rate=run.settings.get("learning_rate"),
            ),
            time=duration(run.seconds),
            error=plain(translate(run.error)) if run.error else "",
        )
    if run.state in ("stopped", "failed") and run.can_resume is not None:
        told += " " + say("told.resumable", step=run.can_resume)
    return "\n\n".join([told, *(plain(translate(warning)) for warning in run.warnings)])
