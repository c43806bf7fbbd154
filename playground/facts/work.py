"""The experiment "facts or style?" as a job: rows become passages, and questions about them go to four panes, one after the other.

    job.result  {run_id, run, dataset, model, collection, style: [opening, closing], asked, settings, rows: [row]}
    row         {question, right, answers: {pane: answer}}
    answer      {text, said, right, styled, page, error, sentence}: `said` is the model's own text beside a document's sentence

After the first report's finding that a fine-tuned model invents facts. Does not know screens.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from playground.errors import InputError, PlaygroundError, Sentence, WrongState, pack
from playground.facts.judging import PANES, Fact, Style, contains, facts, style, styled
from playground.jobs import Job
from playground.rag.rows import store_rows
from playground.services import Services
from playground.training.record import Run

KIND = "facts_or_style"
USUAL, MOST = 8, 30  # questions
MOST_ROWS = 3_000  # of the table that become passages
PAGE = 1_000  # rows that are fetched at once
SETTINGS = {"max_new_tokens": 60, "temperature": 0.0}
NO_FACTS = "This run has learnt no short answers to ask for. Choose a table with a question and an answer in each row."


class Facts:
    """The experiment for the owners of one playground; safe for many threads."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def runs(self, owner: str) -> list[Run]:
        """The finished runs with which it can be done, newest first: those whose table is still here."""
        here = {one["dataset_id"] for one in self.services.datasets.list(owner)}
        return [run for run in self.services.runs.list(owner) if run.finished and run.has_adapter and run.dataset_id in here]

    def start(self, owner: str, run_id: str, questions: int = USUAL) -> Job:
        """Begin to ask so many facts of rows that the run has learnt from. What stops or fails on the way keeps the rows that are whole.

        Raises:
            InputError: no number of questions that can be asked, or no facts to ask for.
            NotFound: no such run, or its table is gone; WrongState: it is under way already, or the run has nothing to ask.
        """
        if type(questions) is not int or not 1 <= questions <= MOST:
            raise InputError("The number of questions is a whole number from 1 to {most}.", most=MOST)
        run, adapter = self.services.runs.get(owner, run_id), self.services.runs.adapter(owner, run_id)
        dataset = self.services.datasets.info(owner, run.dataset_id)
        pairs = [(one.shown, one.answer) for one in self.services.learnt(owner, run_id)]
        common = style([answer for _, answer in pairs])
        chosen = facts(pairs, common, questions)
        if not chosen:
            raise InputError(NO_FACTS)
        jobs = self.services.jobs
        if any(not jobs.get(owner, one["job_id"]).finished for one in jobs.kept(owner, KIND)):
            raise WrongState("This experiment is under way already. Wait for it, or stop it.")
        told: dict[str, Any] = {
            "run_id": run_id,
            "run": run.name,
            "dataset": dataset["name"],
            "model": adapter.model.id,
            "style": [common.opening, common.closing],
            "asked": time.time(),
            "settings": SETTINGS,
        }

        def work(job: Job) -> dict[str, Any]:
            job.doing = Sentence("Making the rows of the table into passages")
            name = f"{dataset['name'][:60]} (rows)"
            collection = store_rows(self.services.collections, owner, name, self._rows(owner, run.dataset_id), job.stopping)
            result = {**told, "collection": collection, "rows": []}
            for one in chosen:
                if job.stopping():
                    break
                job.doing = Sentence("Asking with and without the table, base and tuned")
                row = self._ask(job, owner, run_id, one, common, collection)
                if row is None:
                    break
                result = {**result, "rows": [*result["rows"], row]}
                job.result, job.done = result, job.done + 1
            return result

        return jobs.start(owner, KIND, work, total=len(chosen), about={"run": run.name, "questions": len(chosen)}, apart=True)

    def kept(self, owner: str) -> list[dict[str, Any]]:
        """The experiments that are still there, newest first."""
        return self.services.jobs.kept(owner, KIND)

    def _rows(self, owner: str, dataset_id: str) -> list[str]:
        """The rows of a table, each as `column: value; column: value`."""
        texts: list[str] = []
        while len(texts) < MOST_ROWS:
            part = self.services.datasets.preview(owner, dataset_id, len(texts), PAGE)
            texts += [written(part["columns"], row) for row in part["rows"]]
            if len(part["rows"]) < PAGE:
                break
        return texts[:MOST_ROWS]

    def _ask(self, job: Job, owner: str, run_id: str, one: Fact, common: Style, collection: str) -> dict[str, Any] | None:
        """One question to all four panes; None where somebody stopped it before all had answered."""
        stream = self.services.asking.compare(owner, one.question, run_id, {**SETTINGS, "collection": collection})
        try:
            states: deque[Mapping[str, Any]] = deque(maxlen=1)
            for state in stream:
                states.append(state)
                if job.stopping():
                    return None
            answers = {pane: answered(states[0][pane], one, common) for pane in PANES}
        except PlaygroundError as error:  # this question alone cannot be asked
            answers = {pane: answered({"text": "", "error": error.sentence}, one, common) for pane in PANES}
        finally:
            stream.close()
        return {"question": one.question, "right": one.right, "answers": answers}


def written(columns: list[str], row: list[Any]) -> str:
    """A row as text; empty cells are left out."""
    cells = [(name, " ".join(str(value).split())) for name, value in zip(columns, row, strict=True) if value is not None]
    return "; ".join(f"{name}: {value}" for name, value in cells if value)


def answered(state: Mapping[str, Any], one: Fact, common: Style) -> dict[str, Any]:
    """A pane's answer, judged. With documents, their sentence is the answer where there is one, and the model's words stand beside it."""
    error, said = state["error"], state["text"].strip()
    text = state.get("sentence") or ("" if "sentence" in state else said)
    cited = state.get("citations") or []
    return {
        "text": text,
        "said": said if text != said else "",
        "right": error is None and contains(text, one.right),
        "styled": None if error else styled(said, common),
        "page": cited[0]["page"] if cited else None,
        "error": str(error) if error else None,
        "sentence": pack(error) if error else None,
    }
