"""Looking into answers from documents, for programs; a part of the programming interface.

Names, arguments and keys are a contract. No `from __future__ import annotations` here: Gradio reads the types to describe the endpoints.
"""

from typing import Any

import gradio as gr

from playground.facts.work import USUAL, Facts
from playground.ui.errors import owner_of, told
from playground.ui.i18n import DEFAULT
from playground.ui.page import Page

Settings = dict[str, Any] | None
Owner = str | None


def build(page: Page) -> None:
    services, host = page.services, page.services.settings

    def telling() -> Any:
        return told(page.texts, DEFAULT)

    def xray(question: str, collection: str, run_id: str | None = None, settings: Settings = None, owner: Owner = None) -> dict:
        """Show how an answer from documents comes about, step by step; `settings` as of `ask`.

        Gives `candidates`, the passages with their rank and score in each step; `weight`, the share of meaning in the joined score, and
        `weight_from`: set, measured for this embedder, or cautious; `sentences`, those that were weighed; `read`, what the model read,
        control tokens visible; and the `answer`.
        """
        with telling():
            seen = services.asking.xray(owner_of(host, owner), question, collection, run_id or None, settings)
            answer = seen["answer"]
            error = str(answer["error"]) if answer["error"] else None
            return {**seen, "answer": {**answer, "answer": str(answer["answer"]), "error": error}}

    def facts_or_style(run_id: str, questions: int = USUAL, owner: Owner = None) -> dict:
        """Ask so many facts of the table that a run learnt from: base, tuned, and both with the table's rows as documents.

        Gives a job; its result has `rows`: question, right, and `answers` of base, tuned, base_documents and tuned_documents with text,
        right (the answer contains the fact word for word) and styled (it begins and ends as the table's answers do).
        """
        with telling():
            job = Facts(services).start(owner_of(host, owner), run_id, questions)
            return {"job_id": job.job_id, "total": job.total}

    gr.api(facts_or_style, api_name="facts_or_style", concurrency_limit=None)
    gr.api(xray, api_name="xray", concurrency_limit=4)
