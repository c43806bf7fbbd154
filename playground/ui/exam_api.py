"""The programming interface of questions with expected answers. No `from __future__ import annotations`: Gradio reads the types."""

from typing import Any

import gradio as gr

from playground.many.checks import Checks
from playground.many.expected import given
from playground.ui.errors import owner_of, told
from playground.ui.i18n import DEFAULT
from playground.ui.page import Page

Settings = dict[str, Any] | None
Owner = str | None


def build(page: Page) -> None:
    """Register the endpoints."""
    checks, settings = Checks(page.services), page.services.settings

    def who(key: Owner) -> str:
        return owner_of(settings, key)

    def telling() -> Any:
        return told(page.texts, DEFAULT)

    def check_documents(questions: list, collection: str, settings: Settings = None, owner: Owner = None) -> dict:
        """Ask a collection a list of questions with expected answers; gives a job, whose result has `rows` and `figures`.

        `questions`: [{question, answer, document, page}]; an empty answer, or "not in the documents", says that the documents do not
        tell; `answers` may list several right ones; document and page (3, "3-4" or "iv", printed or counted from 1) may be left out.
        `settings`: mode (hybrid, dense, keyword), single steps as `search` has them (thesaurus, weight, reranker), threshold (0 to 1;
        left out, the collection's), phrased_by (nobody, base, or a run's id), max_new_tokens, temperature. A figure is
        {value, n, low, high} with its 95 % interval: right, recall_1, recall_5, recall_10, mrr_10, exact_match, token_f1, citation_page,
        refusal_precision, refusal_recall, refusal_f1, and model_exact_match and model_token_f1 where a model phrases.
        """
        with telling():
            asked = given(questions)
            job = checks.start(who(owner), collection, asked, settings)
            return {"job_id": job.job_id, "total": job.total, "skipped": asked.skipped, "pages_unread": asked.pages_unread}

    def compare_checks(before: str, after: str, owner: Owner = None) -> dict:
        """Put two checks (job ids) side by side, over the questions that both asked.

        Each figure has before, after, difference, the 95 % interval of the difference (low, high), n, and how many of
        these questions changed.
        """
        with telling():
            return checks.compare(who(owner), before, after)

    def suggest_threshold(job_id: str, owner: Owner = None) -> dict:
        """The threshold of refusal that would have been best in a check: threshold, low, high, precision, recall, f1, and held_f1 of
        questions left out while choosing. Needs at least five questions with an answer and five without one."""
        with telling():
            return checks.suggest(who(owner), job_id)

    def set_threshold(collection: str, threshold: float | None = None, owner: Owner = None) -> dict:
        """Keep a threshold of refusal (0 to 1) for a collection; without one, go back to the playground's own."""
        with telling():
            kept = checks.set_threshold(who(owner), collection, threshold)
            return {"collection": collection, "threshold": kept.value, "own": kept.own}

    for endpoint in (check_documents, compare_checks, suggest_threshold, set_threshold):
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_limit=None)
