"""The rooms put together: what takes two of them at once, for the page and for programs alike.

Opening costs no heavy import. Knows no Gradio, no language and no session.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from playground.data.doctor import Finding
from playground.data.hub import STOPPED, HubDatasets
from playground.data.mapping import Mapped, Splits, ask
from playground.data.measures import histogram, middle_words
from playground.data.store import DatasetStore
from playground.errors import MappingError, NotFound, PlaygroundError, PromptError, Sentence, SettingsError, WrongState
from playground.inference.generate import GenerationSettings
from playground.inference.host import Host, Pane
from playground.jobs import Job, Jobs, follow
from playground.messages import Conversation, Message, conversation
from playground.models import template
from playground.models.catalog import AdapterRef, Catalog, ModelRef
from playground.rag.store import Collections
from playground.settings import Settings
from playground.system import machine
from playground.training.config import PRESETS
from playground.training.examples import questions
from playground.training.record import Run
from playground.training.runs import Runs
from playground.workspace import Workspace, read_json

STARTER = "starter"
SAMPLE_QUESTIONS = "harbour_cafe_questions.json"
NOT_HERE = "What {name} reads cannot be shown here, because its tokenizer cannot be had. The starter's is used in its place."
SLOT = "\0"  # stands for the question where an instruction is taken apart; no table holds it
ANSWER_TOKENS = 80  # of a model that phrases what documents say
LOOKED = 500  # unseen rows among which examples for Chat are drawn
TOKEN_SAMPLE = 2_000  # examples whose length is measured for the token report


_machine = cache(machine)


@dataclass(frozen=True)
class Reading:
    """One example as the model will read it: `pieces` are (text, trained), `texts` the same token by token, `tokens` counts them all,
    `cut` those that did not fit; it is `number` of `count` examples to learn from, from 0."""

    pieces: list[tuple[str, bool]]
    texts: list[tuple[list[str], bool]]
    tokens: int
    cut: int
    number: int = 0
    count: int = 0


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

    @classmethod
    def make(cls, settings: Settings) -> Services:
        workspace, catalog = Workspace(settings.home), Catalog(settings)
        jobs, datasets = Jobs(workspace), DatasetStore(workspace, settings)
        return cls(
            settings=settings,
            workspace=workspace,
            catalog=catalog,
            datasets=datasets,
            runs=Runs(workspace, catalog, limits=settings.limits),
            host=Host(catalog),
            jobs=jobs,
            collections=Collections(workspace, settings, jobs),
            hub_datasets=HubDatasets(datasets, jobs),
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
        return self._mapping_report(mapped, model)

    def _reader(self, model: str) -> tuple[ModelRef, Any, list[Sentence]]:
        """(who reads, its tokenizer, what to know): the model, or where its tokenizer cannot be had the starter in its place."""
        try:
            ref = self.catalog.resolve(model)
            return ref, template.load_tokenizer(ref), []
        except PlaygroundError:
            if model == STARTER:
                raise
        ref = self.catalog.resolve(STARTER)
        return ref, template.load_tokenizer(ref), [Sentence(NOT_HERE, name=model[:200])]

    def _mapping_report(self, mapped: Mapped, model: str) -> dict[str, Any]:
        ref, tokenizer, told = self._reader(model)
        train = mapped.conversations.train
        sample = train[:: max(1, len(train) // TOKEN_SAMPLE)][:TOKEN_SAMPLE]
        lengths = sorted(len(one.ids) + one.cut for one in template.encode_many(tokenizer, sample, ref.window))
        over = sum(length > ref.window for length in lengths)
        first = self._reading(train[0], model)
        every = [one for part in ("train", "validation", "test") for one in getattr(mapped.conversations, part)]
        said = Counter(one.completion[-1].content for one in every if one.completion) if mapped.task == "classification" else Counter()
        return {
            "task": mapped.task,
            "columns": mapped.columns,
            "instruction": mapped.instruction,
            "system": mapped.system,
            "label_names": mapped.label_names,
            "split": mapped.split,
            "seed": mapped.seed,
            "guessed": list(mapped.guessed),
            "few_shot": mapped.few_shot,
            "rows": dict(mapped.rows),
            "dropped": dict(mapped.dropped),
            "warnings": [*mapped.warnings, *told],
            "example": {"pieces": [[text, trained] for text, trained in first.pieces], "tokens": first.tokens, "cut": first.cut},
            "tokens": {
                "median": int(median(lengths)),
                "p95": lengths[min(len(lengths) - 1, int(len(lengths) * 0.95))],
                "max": lengths[-1],
                "over_limit": round(over * len(train) / len(sample)),
                "window": ref.window,
                "model": ref.id,
                "measured_rows": len(sample),
                "histogram": histogram(lengths, ref.window),
            },
            "labels": dict(said.most_common()),
            "words": {
                "prompt": middle_words(one.prompt for one in sample),
                "answer": middle_words(one.completion for one in sample),
            },
        }

    def read_example(self, owner: str, dataset_id: str, number: int, *, model: str = STARTER) -> Reading:
        """Example `number` of the training part (counted from 0, going round), exactly as the model will read it."""
        train = self.datasets.splits(owner, dataset_id).train
        if not train:
            raise MappingError("There is no example to learn from. Choose other columns.")
        number %= len(train)
        return replace(self._reading(train[number], model), number=number, count=len(train))

    def _reading(self, example: Conversation, model: str) -> Reading:
        ref, tokenizer, _ = self._reader(model)
        encoded = template.encode(tokenizer, example, ref.window)
        return Reading(template.pieces(tokenizer, encoded), template.tokens(tokenizer, encoded), len(encoded.ids), encoded.cut)

    def check_dataset(self, owner: str, dataset_id: str, *, model: str = STARTER) -> list[Finding]:
        """What is wrong with a dataset, worst first; lengths are counted in the tokens of a model."""
        return self.datasets.check(owner, dataset_id, *self._lengths(model), reader=model)

    def fix_dataset(self, owner: str, dataset_id: str, ids: Sequence[str], *, model: str = STARTER, keep: bool = True) -> dict[str, Any]:
        """Carry out fixes of findings as a new version, or without `keep` only tell what they would do: see `DatasetStore.fix`."""
        return self.datasets.fix(owner, dataset_id, ids, *self._lengths(model), keep=keep)

    def _lengths(self, model: str) -> tuple[Callable[[list[str]], list[int]], int]:
        """(tokens of texts, tokens that fit) for a model."""
        ref, tokenizer, _ = self._reader(model)

        def lengths(texts: list[str]) -> list[int]:
            return [len(ids) for ids in tokenizer(texts, add_special_tokens=False).input_ids] if texts else []

        return lengths, ref.window

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

    def start_run(self, owner: str, dataset_id: str, settings: dict[str, Any] | None = None, *, preset: str | None = None) -> str:
        """Put a run in line that learns from a dataset as it is mapped now; gives its id. `preset` fills in what was not given."""
        info = self.datasets.info(owner, dataset_id)
        splits = self.datasets.splits(owner, dataset_id)
        given = {} if settings is None else settings
        if preset:
            given = {**self._preset(preset, given, splits), **given}
        return self.runs.start(owner, dataset_id=dataset_id, dataset_name=info["name"], splits=splits, settings=given)

    def _preset(self, name: str, given: dict[str, Any], splits: Splits) -> dict[str, Any]:
        """A preset as far as it suits: no early stopping with nothing to check on, and never longer than without the preset's limit."""
        values = {key: value for key, value in PRESETS[name].items() if key not in given}
        if not splits.validation:
            values.pop("early_stopping_patience", None)
        if "max_steps" in values:
            values["max_steps"] = min(values["max_steps"], self.runs.plan(splits, given).steps)
        if "num_train_epochs" in given:
            values.pop("max_steps", None)
        return values

    # run -> answers

    def compare(
        self, owner: str, prompt: str | list[dict[str, str]], run_id: str, settings: dict[str, Any] | None = None
    ) -> Iterator[dict[str, dict[str, Any]]]:
        """Answer one prompt by the base and by a run, side by side: see `/compare` in the programming interface.

        Raises:
            PromptError: an empty or far too long prompt, or messages of a wrong shape.
            SettingsError: unknown settings or values out of range.
        """
        options = dict(settings or {})
        own = {key: options.pop(key) for key in ("system", "use_template") if key in options}
        if not isinstance(own.get("system", ""), str) or not isinstance(own.get("use_template", True), bool):
            raise SettingsError("The setting system is a text and use_template is true or false.")
        generation = GenerationSettings.from_dict(options, self.settings.limits, also=("system", "use_template"))
        adapter = self.runs.adapter(owner, run_id)
        question = self._question(prompt, adapter, **own)
        ref = adapter.model
        panes = [Pane("base", ref, adapter.quantised, None, question), Pane("tuned", ref, adapter.quantised, adapter, question)]
        for states in self.host.stream(panes, generation):
            yield {key: {**vars(state), "model": ref.id, "quantised": adapter.quantised} for key, state in states.items()}

    def _question(
        self, prompt: str | list[dict[str, str]], adapter: AdapterRef, system: str | None = None, use_template: bool = True
    ) -> Conversation:
        """What both panes read: a bare question is put as the run was taught to expect it.

        A run that learnt texts is given the beginning of one, to go on with: it knows no turns, and so no system prompt either.
        """
        if isinstance(prompt, str):
            if not prompt.strip():
                raise PromptError("There is no question yet. Write one, then send it.")
            if len(prompt) > self.settings.limits.prompt_characters:
                raise PromptError(
                    "The question has {n:,} characters; at most {limit:,} can be read. Shorten it.",
                    n=len(prompt),
                    limit=self.settings.limits.prompt_characters,
                )
            if not use_template:
                return conversation(prompt, system=system or "")
            if adapter.task == "completion":
                return Conversation((Message("text", prompt),))
            opening = adapter.system if system is None else system
            return conversation(ask(adapter.instruction, prompt), system=opening, earlier=adapter.shots)
        try:
            turns = tuple(Message(turn["role"], turn["content"]) for turn in prompt)  # type: ignore[arg-type]
        except (TypeError, KeyError) as error:
            raise PromptError("A conversation is a list of messages, each with a role and a content.") from error
        known = ("text",) if len(turns) == 1 and turns[0].role == "text" else ("system", "user", "assistant")
        if not turns or any(t.role not in known or not isinstance(t.content, str) for t in turns):
            raise PromptError("A conversation is a list of messages whose roles are system, user or assistant.")
        if sum(len(t.content) for t in turns) > self.settings.limits.prompt_characters:
            raise PromptError("The conversation is too long. Start a new one.")
        return Conversation(((Message("system", system),) if system and known != ("text",) else ()) + turns)

    # documents -> answers

    def index_documents(
        self, owner: str, files: Sequence[tuple[Path, str]], collection: str | None = None, embedder: str | None = None
    ) -> Iterator[Job]:
        """Index (path, name) files and follow the job: see `/index_documents`. Whoever stops listening does not stop the job."""
        job, _ = self.collections.add(owner, files, collection, embedder)
        yield from follow(job)

    def answer_documents(
        self, owner: str, question: str, collection: str, run_id: str | None = None, settings: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Answer from a collection, by the base model or a run: see `/ask` in the programming interface.

        Raises:
            PromptError: no question, or no document; NotFound: no such collection or run; SettingsError: unknown settings.
        """
        options = dict(settings or {})
        mode = options.pop("mode", "hybrid")
        if "max_new_tokens" not in options:
            options["max_new_tokens"] = ANSWER_TOKENS
        generation = GenerationSettings.from_dict(options, self.settings.limits, also=("mode",))
        adapter = self.runs.adapter(owner, run_id) if run_id else None
        ref = adapter.model if adapter else self.catalog.resolve(STARTER)
        quantised = adapter.quantised if adapter else False

        def generate(prompt: str) -> Iterator[dict[str, Any]]:
            asked = conversation(prompt, system=adapter.system if adapter else "")
            for states in self.host.stream([Pane("answer", ref, quantised, adapter, asked)], generation):
                yield {**vars(states["answer"]), "model": ref.id}

        yield from self.collections.ask(owner, question, collection, generate, small=ref.id == STARTER, mode=mode)

    def document_examples(self, owner: str, collection: str, language: str, limit: int = 4) -> list[str]:
        """Questions to try on a collection: those of the sample document, where it is in there, in the visitor's language."""
        told = read_json(self.settings.assets / "samples" / SAMPLE_QUESTIONS, {})
        names = {one["name"] for one in self.collections.documents(owner, collection)} if collection else set()
        if told.get("document") not in names:
            return []
        pairs = told["answerable"] + told["unanswerable"]
        return [one["question"] for one in pairs if one.get("show") and one["language"] == language][:limit]

    def warm(self, owner: str, run_id: str) -> None:
        """Begin to load the base of a run in the background, so that the first answer comes sooner."""
        adapter = self.runs.adapter(owner, run_id)
        self.host.warm(adapter.model, adapter.quantised)

    def model_name(self, run: Run | None = None) -> str:
        """The name of a run's model, or of the one that a new run will take."""
        wanted = run.model if run else STARTER
        one = next((one for one in self.catalog.list() if one.id == wanted), None)
        return one.name if one else wanted

    def examples(self, owner: str, run_id: str, limit: int = 6) -> list[tuple[str, str]]:
        """(question, right answer) pairs that this run never saw, without the instruction that it was taught with.

        Of a conversation it is the last question, of a text how its first words go on.

        Raises:
            NotFound: no such run.
        """
        folder = self.workspace.find("runs", run_id, owner)
        before, _, after = ask(self.runs.adapter(owner, run_id).instruction, SLOT).partition(SLOT)
        unseen = [part for part in ("test", "validation") if (folder / "data" / f"{part}.jsonl").stat().st_size]
        found = questions(folder / "data" / f"{unseen[0]}.jsonl", LOOKED) if unseen else []
        found = random.Random(0).sample(found, min(limit, len(found)))  # the first rows of a sorted table are all alike
        return [(one.shown.removeprefix(before).removesuffix(after), one.answer) for one in found]

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
