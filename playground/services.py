"""The rooms put together: what takes two of them at once, for the page and for programs alike.

Opening costs no heavy import. Knows no Gradio, no language and no session.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from playground.asking import Asking, put
from playground.data.doctor import Finding
from playground.data.hub import STOPPED, HubDatasets
from playground.data.mapping import Splits, taken_apart
from playground.data.store import DatasetStore
from playground.errors import InputError, MappingError, NotFound, PlaygroundError, WrongState
from playground.inference.host import Host
from playground.inference.server import PREFIX, Address, Server
from playground.jobs import Job, Jobs, follow
from playground.models import template
from playground.models.catalog import Catalog
from playground.rag.chunks import Size
from playground.rag.store import Collections
from playground.reading import Reading, lengths_of, mapping_report, read
from playground.settings import Settings
from playground.system import machine
from playground.training import surroundings
from playground.training.ahead.estimate import Estimate
from playground.training.ahead.forecast import Forecasts, free_memory_mb
from playground.training.ahead.rehearse import Rehearsals
from playground.training.brought.bringing import Bringing
from playground.training.config import PRESETS
from playground.training.examples import Question, questions
from playground.training.plan import Plan
from playground.training.presets import Planner, filled
from playground.training.recipes import RECIPES
from playground.training.record import Run
from playground.training.room import needed_mb
from playground.training.runs import Runs
from playground.votes.store import Votes
from playground.workspace import Workspace, read_json

log = logging.getLogger(__name__)
STARTER = "starter"
SAMPLE_QUESTIONS = "harbour_cafe_questions.json"
PAGE_SECONDS = 1.5  # for which a page waits for a server's list of models
LOOKED = 500  # unseen rows among which examples for Chat are drawn


_machine = cache(machine)
Given = dict[str, Any] | None  # settings of a run


def give_way(host: Host, forecasts: Forecasts, folder: Path) -> None:
    """Let the models go that Chat keeps and nobody is asking, where a run that is about to start would not fit beside them."""
    if host.idle() and (_machine()["gpu"] is not None or free_memory_mb() < needed_mb(forecasts, folder)):
        host.release_idle()


@dataclass
class Services:
    """Every service, made once for the whole app."""

    settings: Settings
    workspace: Workspace
    catalog: Catalog
    datasets: DatasetStore
    runs: Runs
    host: Host
    jobs: Jobs
    collections: Collections
    hub_datasets: HubDatasets
    forecasts: Forecasts
    rehearsals: Rehearsals
    bringing: Bringing
    asking: Asking
    votes: Votes
    server: Server | None  # that the host has named

    @classmethod
    def make(cls, settings: Settings) -> Services:
        workspace, catalog = Workspace(settings.home), Catalog(settings)
        jobs, datasets, forecasts = Jobs(workspace), DatasetStore(workspace, settings), Forecasts(workspace)
        host = Host(catalog)
        runs = Runs(
            workspace, catalog, limits=settings.limits, secret=catalog.tokens.key, warm=settings.warm,
            make_room=lambda folder: give_way(host, forecasts, folder),
        )  # fmt: skip
        datasets.came_in = runs.expect
        collections = Collections(workspace, settings, jobs)
        server = Server(Address(settings.server_url, settings.server_key, settings.server_model)) if settings.server_url else None
        return cls(
            settings=settings,
            workspace=workspace,
            catalog=catalog,
            datasets=datasets,
            runs=runs,
            host=host,
            jobs=jobs,
            collections=collections,
            hub_datasets=HubDatasets(datasets, jobs),
            forecasts=forecasts,
            rehearsals=Rehearsals(workspace, jobs, forecasts),
            bringing=Bringing(workspace, catalog, settings),
            asking=Asking(settings.limits, catalog, runs, host, collections, server),
            votes=Votes(workspace),
            server=server,
        )

    def open(self) -> None:
        """Claim the workspace and take up the line of runs where the last app left it.

        Raises:
            WrongState: another app works on this workspace.
        """
        self.workspace.lock()
        self.jobs.forget_old()
        self.runs.open()

    def close(self) -> None:
        """Let go of everything but the workers, which go on."""
        self.runs.close()
        self.host.release()
        self.workspace.unlock()

    def prepare(self, owner: str, run_id: str | None = None) -> None:
        """Begin in the background what the first click will need, one after the other: importing the libraries alone takes seconds.

        The tokenizer for a dataset; then, where there is something to ask already, the model of the newest run and the newest documents.
        """

        def load() -> None:
            template.load_tokenizer(self.catalog.resolve(STARTER))
            with contextlib.suppress(PlaygroundError):
                if run_id and self.runs.get(owner, run_id).has_adapter:
                    adapter = self.runs.adapter(owner, run_id)
                    if adapter.model.id == STARTER:  # a larger one only when somebody asks it
                        self.host.warm(adapter.model, adapter.quantised).join()
                if newest := self.collections.list(owner)[:1]:
                    self.collections.warm(owner, newest[0]["collection"])

        threading.Thread(target=load, name="prepare", daemon=True).start()

    def hardware(self) -> dict[str, Any]:
        """`playground.system.machine`, measured once."""
        return _machine()

    # dataset -> what the model reads

    def map_dataset(self, owner: str, dataset_id: str, settings: dict[str, Any] | None = None, *, model: str = STARTER) -> dict[str, Any]:
        """Choose task and columns, and report what the model will read: see `/map_dataset` in the programming interface."""
        mapped = self.datasets.map(owner, dataset_id, settings or {})
        with self.catalog.tokens.acting(owner):
            return mapping_report(self.catalog, mapped, model)

    def read_example(self, owner: str, dataset_id: str, number: int, *, model: str = STARTER) -> Reading:
        """Example `number` of the training part (counted from 0, going round), exactly as the model will read it."""
        train = self.datasets.splits(owner, dataset_id).train
        if not train:
            raise MappingError("There is no example to learn from. Choose other columns.")
        number %= len(train)
        with self.catalog.tokens.acting(owner):
            return replace(read(self.catalog, train[number], model), number=number, count=len(train))

    def check_dataset(self, owner: str, dataset_id: str, *, model: str = STARTER) -> list[Finding]:
        """What is wrong with a dataset, worst first; lengths are counted in the tokens of a model."""
        with self.catalog.tokens.acting(owner):
            return self.datasets.check(owner, dataset_id, *lengths_of(self.catalog, model), reader=model)

    def fix_dataset(self, owner: str, dataset_id: str, ids: Sequence[str], *, model: str = STARTER, keep: bool = True) -> dict[str, Any]:
        """Carry out fixes of findings as a new version, or without `keep` only tell what they would do: see `DatasetStore.fix`."""
        with self.catalog.tokens.acting(owner):
            return self.datasets.fix(owner, dataset_id, ids, *lengths_of(self.catalog, model), keep=keep)

    def import_hub_dataset(self, owner: str, id: str, split: str | None = None, config: str | None = None) -> Iterator[Job]:
        """Bring a split of a dataset of the Hub in and follow the job. Whoever stops listening does not stop it."""
        yield from follow(self.hub_datasets.start(owner, id, config, split))

    def imported(self, owner: str, job: Job) -> dict[str, Any]:
        """The dataset that such a job brought in, as `DatasetStore.import_file` gives it, with `hub`: where it comes from.

        Raises:
            PlaygroundError: what kept it from ending well.
        """
        if job.error:
            raise WrongState(job.error.template, **job.error.values)
        if not job.result:
            raise WrongState(STOPPED)
        return {**self.datasets.info(owner, job.result["dataset_id"]), "hub": job.result}

    # dataset -> run

    def start_run(
        self, owner: str, dataset_id: str, settings: Given = None, *, preset: str | None = None, start_from: str | None = None
    ) -> str:
        """Put a run in line that learns from a dataset as it is mapped now; gives its id. `preset` fills in what was not given.

        With `start_from`, the id of an earlier run, it goes on from what that one learned.
        """
        info = self.datasets.info(owner, dataset_id)
        splits = self.datasets.splits(owner, dataset_id)
        given = {} if settings is None else settings
        with self.catalog.tokens.acting(owner):
            given = filled(preset, given, splits, self._plans(owner, start_from))
            return self.runs.start(
                owner,
                dataset_id=dataset_id,
                dataset_name=info["name"],
                splits=splits,
                settings=given,
                put=lambda text: put(text, splits),
                start_from=start_from,
            )

    def recipes(self, owner: str, dataset_id: str, only: str | None = None, model: str | None = None) -> list[dict[str, Any]]:
        """The settings of published studies as they can be had here: see `/list_recipes`.

        `only` looks at one of them; `model` is taught in place of the studies' own.
        """
        splits = self.datasets.splits(owner, dataset_id)
        with self.catalog.tokens.acting(owner):
            return [
                surroundings.told(one, splits, self.catalog, owner, self.hardware(), model) for one in RECIPES if only in (None, one.id)
            ]

    def estimate_run(
        self, owner: str, dataset_id: str, settings: Given = None, *, preset: str | None = None, start_from: str | None = None
    ) -> Estimate:
        """What a run would need, before it begins: see `/estimate_run` in the programming interface."""
        return self.forecasts.estimate(*self._planned(owner, dataset_id, settings, start_from, preset)[0])

    def estimate_presets(
        self, owner: str, dataset_id: str, settings: dict[str, Any], *, start_from: str | None = None
    ) -> dict[str, Estimate]:
        """`estimate_run` for each preset, by name."""
        planned = self._planned(owner, dataset_id, settings, start_from, *PRESETS)
        return {name: self.forecasts.estimate(*one) for name, one in zip(PRESETS, planned, strict=True)}

    def rehearse_run(
        self, owner: str, dataset_id: str, settings: Given = None, *, preset: str | None = None, start_from: str | None = None
    ) -> Job:
        """Begin to try three steps of a run: see `/rehearse_run`; `rehearsals.result` waits for them."""
        return self.rehearsals.start(owner, *self._planned(owner, dataset_id, settings, start_from, preset)[0])

    def _planned(
        self, owner: str, dataset_id: str, settings: Given, start_from: str | None, *presets: str | None
    ) -> list[tuple[Plan, Splits]]:
        splits, given = self.datasets.splits(owner, dataset_id), {} if settings is None else settings
        plan = self._plans(owner, start_from)
        with self.catalog.tokens.acting(owner):
            return [(plan(splits, filled(preset, given, splits, plan)), splits) for preset in presets]

    def _plans(self, owner: str, start_from: str | None) -> Planner:
        """How a run is planned that goes on from an earlier one, where there is one."""
        if start_from is None:
            return self.runs.plan
        return lambda splits, settings: self.runs.plan(splits, self.runs.going_on(owner, start_from, settings))

    # documents -> answers

    def index_documents(
        self,
        owner: str,
        files: Sequence[tuple[Path, str]],
        collection: str | None = None,
        embedder: str | None = None,
        passwords: Mapping[str, str] | None = None,
        size: Size | None = None,
    ) -> Iterator[Job]:
        """Index (path, name) files and follow the job: see `/index_documents`. Whoever stops listening does not stop the job."""
        job, _ = self.collections.add(owner, files, collection, embedder, passwords, size)
        yield from follow(job)

    def document_examples(self, owner: str, collection: str, language: str, limit: int = 4) -> list[str]:
        """Questions to try on a collection: those of the sample document, where it is in there, in the visitor's language."""
        told = read_json(self.settings.assets / "samples" / SAMPLE_QUESTIONS, {})
        names = {one["name"] for one in self.collections.documents(owner, collection)} if collection else set()
        if told.get("document") not in names:
            return []
        pairs = told["answerable"] + told["unanswerable"]
        return [one["question"] for one in pairs if one.get("show") and one["language"] == language][:limit]

    def sample_questions(self, owner: str, collection: str) -> list[dict[str, Any]]:
        """The sample document's questions with expected answers and pages: [{question, answer, document, page}].

        Raises:
            InputError: it is not in this collection.
        """
        told = read_json(self.settings.assets / "samples" / SAMPLE_QUESTIONS, {})
        name = told.get("document", "")
        if name not in {one["name"] for one in self.collections.documents(owner, collection)}:
            raise InputError(
                "The sample's questions are about {name}, which is not in this collection. Use questions of your own.", name=name
            )
        found = [
            {"question": one["question"], "answer": one["answer"], "document": name, "page": one["page"]} for one in told["answerable"]
        ]
        return [*found, *({"question": one["question"], "answer": ""} for one in told["unanswerable"])]

    def warm(self, owner: str, run_id: str) -> None:
        """Begin to load the base of a run in the background, so that the first answer comes sooner."""
        adapter = self.runs.adapter(owner, run_id)
        self.host.warm(adapter.model, adapter.quantised)

    def weights(self, owner: str, run_ids: Sequence[str]) -> list[tuple[str, int, int]]:
        """(name, MB that it needs, MB that are free) of the runs that trained a whole model which is not in memory yet."""
        adapters = [self.runs.adapter(owner, one) for one in run_ids if not one.startswith(PREFIX)]
        return [(one.name, *weight) for one in adapters if (weight := self.host.weight(one))]

    def server_models(self) -> list[str]:
        """The models of the host's server, each under the name by which it is asked; none where there is no server, or it is away."""
        try:
            return [PREFIX + name for name in self.server.models(PAGE_SECONDS)] if self.server else []
        except PlaygroundError as error:
            log.info("the server's models are not listed: %s", error)
            return []

    def model_name(self, run: Run | None = None) -> str:
        """The name of a run's model, or of the one that a new run will take."""
        wanted = run.model if run else STARTER
        one = next((one for one in self.catalog.list() if one.id == wanted), None)
        return one.name if one else wanted

    def examples(self, owner: str, run_id: str, limit: int = 6) -> list[tuple[str, str]]:
        """(question, right answer) pairs of `unseen`."""
        return [(question, answer) for question, answer, _ in self.filled_examples(owner, run_id, limit)]

    def filled_examples(self, owner: str, run_id: str, limit: int) -> list[tuple[str, str, dict[str, str]]]:
        """The same, with what stands in the slots of the instruction beside each."""
        adapter = self.runs.adapter(owner, run_id)
        found = self.unseen(owner, run_id, limit)
        apart = [
            taken_apart(adapter.instruction, adapter.slots, one.asked.prompt[-1].content)[1] if one.asked.prompt else {} for one in found
        ]
        return [(one.shown, one.answer, slots) for one, slots in zip(found, apart, strict=True)]

    def unseen(self, owner: str, run_id: str, limit: int) -> list[Question]:
        """Examples that this run never saw, as questions; what is shown of them lacks the instruction that it was taught with.

        Of a conversation it is the last question, of a text how its first words go on.

        Raises:
            NotFound: no such run.
        """
        folder = self.workspace.find("runs", run_id, owner)
        unseen = [part for part in ("test", "validation") if (folder / "data" / f"{part}.jsonl").stat().st_size]
        found = self._questions(owner, run_id, unseen[0], max(LOOKED, limit)) if unseen else []
        return random.Random(0).sample(found, min(limit, len(found)))  # the first rows of a sorted table are all alike

    def learnt(self, owner: str, run_id: str, limit: int = LOOKED) -> list[Question]:
        """As `unseen`, the first examples that this run learnt from."""
        return self._questions(owner, run_id, "train", limit)

    def _questions(self, owner: str, run_id: str, part: str, limit: int) -> list[Question]:
        folder, adapter = self.workspace.find("runs", run_id, owner), self.runs.adapter(owner, run_id)
        found = questions(folder / "data" / f"{part}.jsonl", limit)
        return [replace(one, shown=taken_apart(adapter.instruction, adapter.slots, one.shown)[0]) for one in found]

    def newest(self, owner: str) -> tuple[str | None, str | None]:
        """(dataset id, run id) that a page opens with: what this owner worked on last."""
        datasets, runs = self.datasets.list(owner), self.runs.list(owner)
        return (datasets[0]["dataset_id"] if datasets else None, runs[0].run_id if runs else None)

    def dataset(self, owner: str, dataset_id: str | None) -> dict[str, Any] | None:
        """What is known of a dataset; None where it is gone, which a page that was open for long may not know yet."""
        try:
            return self.datasets.info(owner, dataset_id) if dataset_id else None
        except NotFound:
            return None
