"""Asking documents a list of questions with expected answers: a job that can be stopped, left and found again.

    job.result  {collection, settings, model, run, adapter, threshold, asked, questions, skipped, pages_unread,
                 rows: [row], figures}

A row is `playground.rag.exam.marks`'s, a figure `playground.rag.exam.figures`'s. Does not know where questions come from, screens or files.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from playground.asking import ANSWER_TOKENS
from playground.errors import InputError, PlaygroundError, Sentence, SettingsError, WrongState, pack
from playground.inference.generate import GenerationSettings
from playground.jobs import Job
from playground.many.expected import ExpectedList
from playground.rag.exam.expected import Expected
from playground.rag.exam.figures import compared, figures, matched
from playground.rag.exam.kept import Threshold, checked, keep, threshold_of
from playground.rag.exam.marks import DEPTH, Row, marked, relevant
from playground.rag.exam.threshold import LEAST, propose
from playground.rag.index import Index
from playground.rag.retrieve import CANDIDATES
from playground.rag.steps import NAMES
from playground.rag.steps import read as read_steps
from playground.services import Services
from playground.settings import Limits

KIND = "check_documents"
NOBODY, BASE = "nobody", "base"
ASKING, LOADING = Sentence("Asking the documents"), Sentence("Fetching and loading the reranker")
OF_ANOTHER = "This list was asked of another collection, {name}. Choose that one to keep its threshold, or ask the list again here."
STEPS = ("thesaurus", "weight", "reranker")  # what a list keeps of a search beside its mode


class Checks:
    """Lists of questions with expected answers, for the owners of one playground; safe for many threads."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.most = services.settings.limits.many_questions

    def start(self, owner: str, collection: str, asked: ExpectedList, settings: Mapping[str, Any] | None = None) -> Job:
        """Begin to ask. What stops on the way keeps the rows that are there.

        Args:
            settings: mode (hybrid, dense, keyword), the steps of a search (`steps.NAMES`), threshold (0 to 1; else the collection's),
                phrased_by (nobody, base, or a run's id: whose words stand beside the document's), and max_new_tokens, temperature and so
                on, as `/ask` has them.

        Raises:
            InputError: no question, or more than one list may have; SettingsError: unknown settings or values out of range.
            WrongState: this owner's last list is still being asked; NotFound: no such collection or run; PromptError: no documents.
            ModelUnavailable: the reranker is not on this playground's list; one that cannot be had is what the job tells.
        """
        if not asked.listed:
            raise InputError("There is no question to check yet. Write one on each line, or choose a file.")
        if len(asked.listed) > self.most:
            raise InputError("These are {n:,} questions; at most {limit:,} can be asked at once.", n=len(asked.listed), limit=self.most)
        services, how = self.services, _read(settings, self.services.settings.limits)
        rerankers = services.collections.rerankers
        if how["reranker"]:
            rerankers.known(how["reranker"])
        services.collections.check(owner, asked.listed[0].question[: services.settings.limits.question_characters], collection)
        folder = services.collections.find(owner, collection)
        info = services.collections.info(owner, collection)
        run_id = None if how["phrased_by"] in (NOBODY, BASE) else how["phrased_by"]
        adapter = services.runs.adapter(owner, run_id) if run_id else None
        threshold = threshold_of(folder).value if how["threshold"] is None else how["threshold"]
        if any(not services.jobs.get(owner, one["job_id"]).finished for one in services.jobs.kept(owner, KIND)):
            raise WrongState("Your last list of questions is still being asked. Wait for it, or stop it.")
        told = {
            "collection": info["collection"],
            "collection_id": info["collection_id"],
            "embedder": info["embedder"],
            "settings": {**how, "threshold": threshold},
            "run": adapter.name if adapter else None,
            "adapter": adapter.sha256 if adapter else None,
            "asked": time.time(),
            "questions": len(asked.listed),
            "skipped": asked.skipped,
            "pages_unread": asked.pages_unread,
        }

        def work(job: Job) -> dict[str, Any]:
            rows: list[Row] = []
            if how["reranker"]:
                job.doing = LOADING
                rerankers.load(how["reranker"])
            job.doing = ASKING
            index = Index(folder / "index.sqlite")
            for one in asked.listed:
                if job.stopping():
                    break
                rows.append(self._ask(owner, info["collection_id"], index, one, told["settings"], run_id))
                job.done += 1
                job.result = {**told, "rows": list(rows)}  # another list each time: the last one may be on its way to disk
            return {**told, "rows": rows, "figures": figures(rows)}

        about = {key: told[key] for key in ("collection", "collection_id", "embedder", "settings", "run", "questions")}
        return services.jobs.start(owner, KIND, work, total=len(asked.listed), about=about, apart=True)

    def kept(self, owner: str) -> list[dict[str, Any]]:
        """The lists that were asked and are still there, newest first: job_id, created, collection, settings, run, questions of each."""
        return self.services.jobs.kept(owner, KIND)

    def result(self, owner: str, job_id: str) -> dict[str, Any]:
        """What a list has given so far, with its figures.

        Raises:
            NotFound: no such list; WrongState: nothing is answered yet.
        """
        job = self.services.jobs.get(owner, job_id)
        if job.kind != KIND or not (job.result or {}).get("rows"):
            raise WrongState("Nothing of this list is answered yet. Wait for its first answers.")
        found: dict[str, Any] = job.result
        return found if "figures" in found else {**found, "figures": figures(found["rows"])}

    def compare(self, owner: str, before: str, after: str) -> dict[str, Any]:
        """Two lists' figures side by side, over the questions that both have: {questions, figures: {name: {before, after, ...}}}.

        Raises:
            NotFound, WrongState: as `result`; InputError: they have no question in common.
        """
        return {"before": before, "after": after, **self.compare_results(self.result(owner, before), self.result(owner, after))}

    @staticmethod
    def compare_results(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
        """As `compare`, of results at hand."""
        pairs = len(matched(before["rows"], after["rows"])[0])
        if not pairs:
            raise InputError("These two lists have no question in common, so there is nothing to compare. Ask the same list both times.")
        return {"questions": pairs, "figures": compared(before["rows"], after["rows"])}

    def suggest(self, owner: str, job_id: str) -> dict[str, Any]:
        """The threshold that would have refused best in a list; {threshold, low, high, f1, precision, recall, held_f1, ...}.

        Raises:
            NotFound, WrongState: as `result`; InputError: too few questions with an answer, or without one.
        """
        found = propose(self.result(owner, job_id)["rows"])
        if found is None:
            raise InputError("To find a threshold, at least {n} questions with an answer and {n} without one are needed.", n=LEAST)
        return asdict(found)

    def keep(self, owner: str, job_id: str, collection: str | None = None) -> Threshold:
        """Keep the suggested threshold for the collection that the list was asked of.

        Args:
            collection: which one that should be, where somebody has one before their eyes.

        Raises:
            NotFound, WrongState, InputError: as `suggest`; WrongState, too, where it was asked of another collection.
        """
        found, result = self.suggest(owner, job_id), self.result(owner, job_id)
        folder = self.services.collections.find(owner, result["collection_id"])
        if collection is not None and self.services.collections.find(owner, collection) != folder:
            raise WrongState(OF_ANOTHER, name=self.services.collections.info(owner, folder.name)["collection"])
        return keep(folder, found["threshold"], {**found, **{key: result["settings"].get(key) for key in ("mode", *STEPS)}})

    def set_threshold(self, owner: str, collection: str, value: float | None) -> Threshold:
        """Keep a threshold of one's own for a collection; None goes back to the playground's.

        Raises:
            NotFound: no such collection; SettingsError: it is not a number from 0 to 1.
        """
        return keep(self.services.collections.find(owner, collection), value, {})

    def threshold(self, owner: str, collection: str) -> Threshold:
        """The threshold that counts for a collection."""
        return threshold_of(self.services.collections.find(owner, collection))

    def _ask(self, owner: str, collection: str, index: Index, one: Expected, how: dict[str, Any], run_id: str | None) -> Row:
        """The row of one question; one that cannot be asked says why."""
        state: dict[str, Any] = {}
        hits: list[dict[str, Any]] = []
        model = how["phrased_by"] != NOBODY
        try:
            hits = self.services.collections.search(owner, one.question, collection, DEPTH, how["mode"], _steps(how))
            *_, state = self._states(owner, collection, one.question, how, run_id)
        except PlaygroundError as error:
            return marked(one, state, hits, stands=False, asked_model=model, error=pack(error.sentence))
        stands = one.page is None and _stands(index, one)
        failed = pack(state["error"]) if model and state.get("error") else None
        return marked(one, state, hits, stands=stands, asked_model=model, error=failed)

    def _states(self, owner: str, collection: str, question: str, how: dict[str, Any], run_id: str | None) -> Iterator[dict[str, Any]]:
        if how["phrased_by"] == NOBODY:
            steps = {"mode": how["mode"], "settings": _steps(how), "threshold": how["threshold"]}
            return self.services.collections.ask(owner, question, collection, None, small=True, **steps)
        settings = {key: value for key, value in how.items() if key != "phrased_by"}
        return self.services.asking.documents(owner, question, collection, run_id, settings)


def _stands(index: Index, one: Expected) -> bool:
    """Whether some passage holds an expected answer word for word; the index alone takes other forms of a word for it."""
    found = index.passages([id for id, _ in index.any_of(one.answers, CANDIDATES)])
    return any(relevant(one, {"document": passage.name, "text": passage.text}) for passage in found.values())


def _read(settings: Mapping[str, Any] | None, limits: Limits) -> dict[str, Any]:
    given = dict(settings or {})
    own = {name: given.pop(name, None) for name in ("mode", "threshold", "phrased_by", *NAMES)}
    drawn = GenerationSettings.from_dict({"max_new_tokens": ANSWER_TOKENS, **given}, limits, also=tuple(own))
    steps = read_steps(own["mode"] or "hybrid", {name: own[name] for name in NAMES})
    phrased_by = own["phrased_by"] or NOBODY
    if not isinstance(phrased_by, str):
        raise SettingsError("The setting phrased_by is nobody, base or a run's id.")
    threshold = None if own["threshold"] is None else checked(own["threshold"])
    return {**steps.settings(), "threshold": threshold, "phrased_by": phrased_by, **asdict(drawn), "stop": list(drawn.stop)}


def _steps(how: Mapping[str, Any]) -> dict[str, Any]:
    return {name: how[name] for name in STEPS}
