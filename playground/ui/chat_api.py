"""Asking and comparing models, for programs; a part of the programming interface.

Names, arguments and keys are a contract. No `from __future__ import annotations` here: Gradio reads the types to describe the endpoints.
"""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from playground.asking import PREFIX
from playground.errors import InputError, PlaygroundError
from playground.many.questions import given
from playground.many.work import Many
from playground.ui.errors import owner_of, told
from playground.ui.i18n import DEFAULT
from playground.ui.page import Page

Settings = dict[str, Any] | None
Owner = str | None


def build(page: Page) -> None:
    services, settings = page.services, page.services.settings

    def who(key: Owner) -> str:
        return owner_of(settings, key)

    def telling() -> Any:
        return told(page.texts, DEFAULT)

    def list_server_models(owner: Owner = None) -> dict:
        """List the models of the server that the host of this playground has named, if any; `reason` says why there are none.

        Their ids go into `runs` of `compare`, and into `model` of `ask`.
        """
        who(owner)
        try:
            names = services.server.models() if services.server else []
            reason = "" if names else "This playground has no server to ask."
        except PlaygroundError as error:
            names, reason = [], str(error)
        return {"models": [{"id": PREFIX + name, "name": name} for name in names], "reason": reason}

    def compare(prompt: str | list, run_id: str, settings: Settings = None, owner: Owner = None) -> Iterator[dict]:
        """Answer one prompt (a text, or a list of messages) by the base and by a run; a stream whose last item is whole.

        `settings`: max_new_tokens, temperature, top_p, top_k, repetition_penalty, stop, seed, system, use_template, collection, runs (ids
        of more runs, and of `list_server_models`), slots ({column: text} for those that stand in the run's instruction). With a
        collection also mode and single steps, as `search` has them.
        """
        with telling():
            states: dict[str, Any] = {}
            for states in services.asking.compare(who(owner), prompt, run_id, settings):
                yield states
            if states and all(state["error"] for state in states.values()):
                raise gr.Error(str(states["tuned"]["error"]), print_exception=False)

    def compare_many(questions: list | None, run_id: str, settings: Settings = None, rows: int | None = None, owner: Owner = None) -> dict:
        """Ask a list of questions (texts, or {question, answer}), or so many `rows` that the run never saw, of the base and of a run.

        Gives a job; `get_job` tells how far it is, and its result has `rows`: question, right, base, tuned, same, base_right, tuned_right.
        `settings` as for `compare`.
        """
        with telling():
            if (questions is None) == (rows is None):
                raise InputError("Give either a list of questions or a number of rows.")
            many, source = Many(services), "list" if rows is None else "rows"
            taken = given(questions or []) if rows is None else many.unseen(who(owner), run_id, rows)
            job = many.start(who(owner), run_id, taken, settings, source=source)
            return {"job_id": job.job_id, "total": job.total, "skipped": taken.skipped}

    def look_inside(
        prompt: str | list, run_id: str, answers: dict | list, right: str = "", settings: Settings = None, owner: Owner = None
    ) -> dict:
        """Let the base and a run read answers that are there already, and tell what each held possible at every token.

        `answers` is {name: text} or a list of {key, text, ended}; `right` is the right answer, where it is known; `settings` as of
        `compare`, of which system, use_template and max_new_tokens matter. Gives the prompts as read, control tokens visible; for each
        answer its tokens with probability (0 to 1, temperature 1), rank, the five likeliest, and the divergence of the two models (bits);
        and for the whole answer the mean probability of a token (geometric) and its log-probability (natural), under both models.
        """
        with telling():
            return services.asking.look_inside(who(owner), prompt, run_id, answers, right, settings)

    gr.api(list_server_models, api_name="list_server_models", concurrency_limit=None)
    # who asks at the same time is answered in the same batch; a limit here would be that of all who share the name
    gr.api(compare, api_name="compare", concurrency_id="model", concurrency_limit=None)
    gr.api(compare_many, api_name="compare_many", concurrency_limit=None)
    gr.api(look_inside, api_name="look_inside", concurrency_limit=4)
