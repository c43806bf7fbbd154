"""Who is asked what: a question put to the base and to runs, each as it was taught, with or without documents beside it.

Makes panes for `inference`, which answers them together, and passes on what comes back with everything that proves who answered. Knows no
Gradio, no language and no session.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from playground.data.mapping import ask
from playground.errors import NotFound, PlaygroundError, PromptError, SettingsError
from playground.inference.generate import GenerationSettings
from playground.inference.host import Host
from playground.inference.inside import answered
from playground.inference.panes import Pane, PaneState
from playground.inference.server import PREFIX, Server, ref
from playground.messages import Conversation, Message, conversation
from playground.models import template
from playground.models.catalog import STARTER, AdapterRef, Catalog, ModelRef
from playground.rag.steps import NAMES as STEPS
from playground.rag.steps import read as read_steps
from playground.rag.store import Collections
from playground.settings import Limits
from playground.training.runs import Runs

BASE, TUNED = "base", "tuned"
WITH_DOCUMENTS = "_documents"  # ends the key of a pane whose model reads documents
OWN = ("system", "use_template", "runs", "collection", "mode", "slots", *STEPS)  # settings that are not about how an answer is drawn
MOST_RUNS = 4  # besides the first
ANSWER_TOKENS = 80  # of a model that phrases what documents say
XRAYED = 10  # passages that are shown with what each step of the search said of them
State = dict[str, Any]
Turns = Sequence[tuple[str, str]]  # earlier questions and one model's answers to them


class Taught(Protocol):
    """How a run is taught, or was: what stands around every question."""

    @property
    def task(self) -> str: ...
    @property
    def instruction(self) -> str: ...
    @property
    def system(self) -> str: ...
    @property
    def shots(self) -> Sequence[Message]: ...
    @property
    def slots(self) -> Sequence[str]: ...


class Answering(Protocol):
    """Who fills panes: the models in memory, or a server."""

    def stream(self, panes: Sequence[Pane], settings: GenerationSettings) -> Iterator[dict[str, PaneState]]: ...


def put(text: str, taught: Taught, system: str | None = None, turns: Turns = (), slots: Mapping[str, str] | None = None) -> Conversation:
    """A bare question as the model learns to expect it, under another system prompt where one is given, after earlier ones if any.

    What the instruction takes from columns of the table comes from `slots`; what is not given is empty, as an empty cell is in learning.
    One that learns texts is given the beginning of one, to go on with: it knows no turns, and so no system prompt either.
    """
    if taught.task == "completion":
        return Conversation((Message("text", text),))
    opening = taught.system if system is None else system
    filled = {name: (slots or {}).get(name, "") for name in taught.slots}
    earlier = (*taught.shots, *_said((ask(taught.instruction, question, filled), answer) for question, answer in turns))
    return conversation(ask(taught.instruction, text, filled), system=opening, earlier=earlier)


def _said(turns: Any) -> tuple[Message, ...]:
    """Earlier turns; a question that got no answer would leave two of the person's in a row, which no model has learnt."""
    pairs = ((Message("user", question), Message("assistant", answer)) for question, answer in turns if answer.strip())
    return tuple(turn for pair in pairs for turn in pair)


@dataclass(frozen=True)
class How:
    """How a question is asked, as read from settings."""

    generation: GenerationSettings
    system: str | None
    use_template: bool
    runs: tuple[str, ...]
    collection: str | None
    mode: str
    slots: Mapping[str, str]
    steps: Mapping[str, Any]


@dataclass(frozen=True)
class Asking:
    """Everything that can be asked. All methods may be called from any thread."""

    limits: Limits
    catalog: Catalog
    runs: Runs
    host: Host
    collections: Collections
    server: Server | None = None  # that the host has named; its models are asked as "server:" and their name

    def compare(
        self,
        owner: str,
        prompt: str | list[dict[str, str]],
        run_id: str,
        settings: Mapping[str, Any] | None = None,
        earlier: Mapping[str, Turns] | None = None,
    ) -> Generator[dict[str, State], None, None]:
        """Answer one prompt by the base, by a run and by others, side by side: see `/compare` in the programming interface.

        Args:
            earlier: by a pane's key, the turns that its model has had already; for a prompt that is a text.

        Raises:
            PromptError: an empty or far too long prompt, messages of a wrong shape, or no document to read.
            SettingsError: unknown settings or values out of range.
            NotFound, WrongState: a run that is not there, or has nothing to ask.
        """
        how, before = self.read(settings), earlier or {}
        first = self.runs.adapter(owner, run_id)
        others = {one: self.runs.adapter(owner, one) for one in how.runs if one != run_id and not one.startswith(PREFIX)}
        asked = {TUNED: first, **others}
        questions = {key: self.question(prompt, one, how, before.get(key, ())) for key, one in asked.items()}
        panes = [
            Pane(BASE, first.model, first.quantised, None, self.question(prompt, first, how, before.get(BASE, ()))),
            *(Pane(key, one.model, one.quantised, one, questions[key]) for key, one in asked.items()),
        ]
        served = [self._served(one, self.question(prompt, first, how, before.get(one, ()))) for one in how.runs if one.startswith(PREFIX)]
        sources: list[Iterator[dict[str, State]]] = [self._plainly(self.host, panes, how)]
        if served and self.server:
            sources.append(self._plainly(self.server, served, how))
        if how.collection is not None:
            text = _last(prompt)
            self.collections.check(owner, text, how.collection)
            for key, adapter in ((BASE, None), (TUNED, first)):
                sources.append(self._reading(owner, key + WITH_DOCUMENTS, text, first.model, first.quantised, adapter, how))
        yield from together(sources) if len(sources) > 1 else sources[0]

    def look_inside(
        self,
        owner: str,
        prompt: str | list[dict[str, str]],
        run_id: str,
        answers: Any,
        right: Any = "",
        settings: Mapping[str, Any] | None = None,
        earlier: Mapping[str, Turns] | None = None,
    ) -> dict[str, Any]:
        """Let the base and a run read answers that are there already, token by token: see `/look_inside`; fails as `compare` does."""
        how, before = self.read(settings), earlier or {}
        adapter = self.runs.adapter(owner, run_id)
        panes = [
            Pane(key, adapter.model, adapter.quantised, one, self.question(prompt, adapter, how, before.get(key, ())))
            for key, one in ((BASE, None), (TUNED, adapter))
        ]
        known = answered(answers, right, self.limits.prompt_characters)
        return {"model": adapter.model.id, **self.host.look(panes, known, how.generation.max_new_tokens)}

    def _plainly(self, by: Answering, panes: Sequence[Pane], how: How) -> Iterator[dict[str, State]]:
        for states in by.stream(panes, how.generation):
            yield {pane.key: told(states[pane.key], pane, how) for pane in panes}

    def _served(self, name: str, asked: Conversation) -> Pane:
        """A pane that the host's server answers."""
        if self.server is None:
            raise NotFound("This playground has no server to ask. Choose a run.")
        return Pane(name, ref(name), False, None, asked)

    def _reading(
        self, owner: str, key: str, text: str, ref: ModelRef, quantised: bool, adapter: AdapterRef | None, how: How
    ) -> Iterator[dict[str, State]]:
        """A pane whose model reads what documents say; `citations`, `sentence`, `refused` and `orders` say what it rests on."""
        pane = Pane(key, ref, quantised, adapter, conversation(text))
        now = told(PaneState(), pane, how)

        def generate(prompt: str) -> Iterator[State]:
            nonlocal now
            asked = Pane(key, ref, quantised, adapter, conversation(prompt, system=adapter.system if adapter else ""))
            for states in self.host.stream([asked], how.generation):
                now = told(states[key], asked, how)
                yield now

        search: State = {"mode": how.mode, "settings": how.steps}
        try:
            for answer in self.collections.ask(owner, text, how.collection or "", generate, small=ref.id == STARTER, **search):
                found = {name: answer[name] for name in ("citations", "refused", "supported", "orders")}
                sentence = answer["citations"][0]["quote"] if answer["citations"] else ""
                yield {key: {**now, **found, "sentence": sentence, "done": answer["done"]}}
        except PlaygroundError as error:
            yield {key: {**now, "error": error.sentence, "done": True, "stopped_because": "error"}}

    def documents(
        self, owner: str, question: str, collection: str, run_id: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> Generator[dict[str, Any], None, None]:
        """Answer from a collection, by the base model, a run or, with the setting `model`, a server's model: see `/ask`.

        Raises:
            PromptError: no question, or no document; NotFound: no such collection or run; SettingsError: unknown settings.
        """
        mode, steps, options = _sorted(settings)
        model, threshold = options.pop("model", None), options.pop("threshold", None)
        also = ("mode", "model", "threshold", *STEPS)
        generation = GenerationSettings.from_dict({"max_new_tokens": ANSWER_TOKENS, **options}, self.limits, also=also)
        pane = self._reader(owner, run_id, model)
        by: Answering = self.server if model and self.server else self.host

        def generate(prompt: str) -> Iterator[dict[str, Any]]:
            for states in by.stream([_put(pane, prompt)], generation):
                yield {**vars(states["answer"]), "model": pane.ref.id}

        small = pane.ref.id == STARTER
        yield from self.collections.ask(owner, question, collection, generate, small=small, mode=mode, settings=steps, threshold=threshold)

    def _reader(self, owner: str, run_id: str | None, model: Any) -> Pane:
        """The pane, still without a question, of the model that phrases what documents say."""
        if model is not None:
            if run_id or not isinstance(model, str) or not model.startswith(PREFIX):
                raise SettingsError("The setting model is a model of this playground's server, asked without a run.")
            return replace(self._served(model, Conversation(())), key="answer")
        adapter = self.runs.adapter(owner, run_id) if run_id else None
        base = adapter.model if adapter else self.catalog.resolve(STARTER)
        return Pane("answer", base, adapter.quantised if adapter else False, adapter, Conversation(()))

    def xray(
        self, owner: str, question: str, collection: str, run_id: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """How an answer from documents comes about, step by step: see `/xray` in the programming interface; fails as `documents` does."""
        mode, steps, options = _sorted(settings)
        hits, found = self.collections.searched(owner, question, collection, XRAYED, read_steps(mode, steps))
        usual, _ = self.collections.searched(owner, question, collection, XRAYED, read_steps("hybrid"))
        ranks = {one["chunk"]: place for place, one in enumerate(usual, 1)}
        (answer,) = deque(self.documents(owner, question, collection, run_id, settings), maxlen=1)
        return {
            "question": question,
            "related": found.related,
            "weight": found.weight,
            "weight_from": found.weight_from,
            "candidates": [{**one, "rank": place, "usual_rank": ranks.get(one["chunk"])} for place, one in enumerate(hits, 1)],
            "sentences": answer["sentences"],
            "enough": answer["enough"],
            "read": _read(self._reader(owner, run_id, options.get("model")), answer["prompt"]),
            "answer": answer,
        }

    def read(self, settings: Mapping[str, Any] | None) -> How:
        """Settings of a question, checked.

        Raises:
            SettingsError: unknown ones, or values out of range.
        """
        options = dict(settings or {})
        own = {key: options.pop(key) for key in OWN if options.get(key) is not None or key in options}
        generation = GenerationSettings.from_dict(options, self.limits, also=OWN)
        system, use_template = own.get("system"), own.get("use_template", True)
        if not isinstance(system, str | None) or not isinstance(use_template, bool):
            raise SettingsError("The setting system is a text and use_template is true or false.")
        runs, collection = own.get("runs") or (), own.get("collection") or None
        if not isinstance(runs, list | tuple) or not all(isinstance(one, str) for one in runs) or not isinstance(collection, str | None):
            raise SettingsError("The setting runs is a list of runs' ids and collection is a collection's name.")
        if len(set(runs)) > MOST_RUNS:
            raise SettingsError("At most {most} more runs can be asked at once.", most=MOST_RUNS)
        slots = own.get("slots") or {}
        if not isinstance(slots, dict) or not all(isinstance(one, str) for pair in slots.items() for one in pair):
            raise SettingsError("The setting slots is a name and a text for each column that stands in the run's instruction.")
        if sum(map(len, slots.values())) > self.limits.prompt_characters:
            raise SettingsError("What shall fill the instruction is too long. Shorten it.")
        mode, steps = str(own.get("mode") or "hybrid"), {name: own[name] for name in STEPS if name in own}
        read_steps(mode, steps)
        return How(generation, system, use_template, tuple(dict.fromkeys(runs)), collection, mode, slots, steps)

    def question(self, prompt: str | list[dict[str, str]], adapter: AdapterRef, how: How, turns: Turns = ()) -> Conversation:
        """What a pane reads: a bare question is put as the run was taught to expect it."""
        if isinstance(prompt, str):
            if not prompt.strip():
                raise PromptError("There is no question yet. Write one, then send it.")
            if len(prompt) > self.limits.prompt_characters:
                raise PromptError(
                    "The question has {n:,} characters; at most {limit:,} can be read. Shorten it.",
                    n=len(prompt),
                    limit=self.limits.prompt_characters,
                )
            if not how.use_template:
                return conversation(prompt, system=how.system or "", earlier=_said(turns))
            return put(prompt, adapter, how.system, turns, how.slots)
        try:
            found = tuple(Message(turn["role"], turn["content"]) for turn in prompt)  # type: ignore[arg-type]
        except (TypeError, KeyError) as error:
            raise PromptError("A conversation is a list of messages, each with a role and a content.") from error
        known = ("text",) if len(found) == 1 and found[0].role == "text" else ("system", "user", "assistant")
        if not found or any(t.role not in known or not isinstance(t.content, str) for t in found):
            raise PromptError("A conversation is a list of messages whose roles are system, user or assistant.")
        if sum(len(t.content) for t in found) > self.limits.prompt_characters:
            raise PromptError("The conversation is too long. Start a new one.")
        return Conversation(((Message("system", how.system),) if how.system and known != ("text",) else ()) + found)


def _sorted(settings: Mapping[str, Any] | None) -> tuple[str, State, State]:
    """(mode, the steps of a search, the rest, which is about how an answer is drawn)."""
    options = dict(settings or {})
    steps = {name: options.pop(name) for name in STEPS if name in options}
    return options.pop("mode", None) or "hybrid", steps, options


def told(state: PaneState, pane: Pane, how: How) -> State:
    """A pane's state with all that proves who answered, and how."""
    return {
        **vars(state),
        "model": pane.ref.id,
        "revision": pane.ref.revision,
        "quantised": pane.quantised,
        "step": pane.adapter.step if pane.adapter else None,
        "settings": asdict(how.generation),
    }


def phraser(who: str) -> tuple[str | None, dict[str, str]]:
    """(run, settings) with which `documents` and `xray` are asked for who is to phrase: the base, a run's id, or a server's model."""
    if who.startswith(PREFIX):
        return None, {"model": who}
    return (None if who == BASE else who), {}


def _put(pane: Pane, prompt: str) -> Pane:
    """The pane that reads this prompt, after the system prompt that its run was taught with."""
    return replace(pane, conversation=conversation(prompt, system=pane.adapter.system if pane.adapter else ""))


def _read(pane: Pane, prompt: str) -> str:
    """The very text that the pane's model reads of a prompt; of a server's model, whose template is not known here, the prompt itself."""
    if not prompt or pane.ref.id.startswith(PREFIX):
        return prompt
    tokenizer = template.load_tokenizer(pane.ref)
    found = template.encode(tokenizer, _put(pane, prompt).conversation, pane.ref.window, generation=True).ids
    return str(tokenizer.decode(found, skip_special_tokens=False))


def _last(prompt: str | list[dict[str, str]]) -> str:
    """The question in a prompt."""
    if isinstance(prompt, str):
        return prompt
    return next((str(turn["content"]) for turn in reversed(prompt) if turn.get("role") in ("user", "text")), "")


def together(sources: Sequence[Iterator[dict[str, State]]]) -> Iterator[dict[str, State]]:
    """Several streams as one, which has the newest of all; it begins when each has begun, and closing it closes them."""
    news: queue.SimpleQueue[tuple[int, dict[str, State] | Exception | None]] = queue.SimpleQueue()
    gone = threading.Event()

    def follow(number: int, source: Iterator[dict[str, State]]) -> None:
        try:
            for states in source:
                if gone.is_set():
                    break
                news.put((number, states))
        except Exception as error:
            news.put((number, error))
        finally:
            if hasattr(source, "close"):
                source.close()
            news.put((number, None))

    for number, source in enumerate(sources):
        threading.Thread(target=follow, args=(number, source), name="panes", daemon=True).start()
    states: dict[int, dict[str, State]] = {}
    left = set(range(len(sources)))
    try:
        while left:
            number, found = news.get()
            if isinstance(found, Exception):
                raise found
            if found is None:
                left.discard(number)
                continue
            states[number] = found
            if len(states) == len(sources):
                yield {key: state for one in sorted(states) for key, state in states[one].items()}
    finally:
        gone.set()
