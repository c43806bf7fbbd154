"""Which models there are, and which of them can be used on this machine now.

Three kinds: the starter that comes with the playground, models of the Hugging Face Hub, and folders on this machine (personal mode only).
Does not load weights and does not import torch.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playground.errors import ModelUnavailable, NotFound, Sentence
from playground.messages import Message
from playground.models import access, hub
from playground.models.folder import (
    DEFAULT_WINDOW,
    config_of,
    not_generative,
    parameters_of,
    problem_of,
    sliding_window_of,
    text_config,
    window_of,
)
from playground.models.known import KNOWN, Known
from playground.settings import Settings
from playground.system import machine

STARTER = "starter"
LOCAL = "local:"
NOBODY = ""  # an owner without a token
MEGABYTE = 1024**2
LIST_SECONDS, MACHINE_SECONDS = 0.05, 6.0
GPU_FROM = 2_000_000_000  # parameters; from here on a processor alone takes hours
NO_STARTER = "The starter model is missing from {folder}. Get the whole project again, with the files in its assets folder."
PICKLE_ONLY = "{name} offers its weights only in a format that can run hidden programs when opened. Choose a model with safetensors files."
TOO_BIG = "{name} needs about {needed} MB of memory, and this machine has {memory} MB. Choose a smaller model."
WANTS_GPU = "{name} is too large for a processor alone: it wants a GPU with about {needed} MB of memory, and this machine has {has}."


@dataclass(frozen=True)
class ModelInfo:
    """A line in the list of models.

    `memory_mb` is what answering needs at least, `gpu` whether it wants a GPU, `cached` whether its files are on this machine, `locked`
    whether an access token could open it.
    """

    id: str
    name: str
    parameters: int | None
    available: bool
    reason: str | Sentence
    kind: Literal["starter", "hub", "local"]
    gpu: bool = False
    gated: bool = False
    cached: bool = False
    memory_mb: int | None = None
    locked: bool = False

    def to_dict(self) -> dict[str, object]:
        """The form of `/list_models`."""
        return {**vars(self), "reason": str(self.reason)}


@dataclass(frozen=True)
class ModelRef:
    """A model that exists: where its files come from and how many tokens it reads and writes at most."""

    id: str
    source: str
    revision: str | None
    window: int
    kind: str = ""  # the architecture's short name, as `model_type` in its configuration
    encoder_decoder: bool = False  # reads the whole question first, then writes, as T5 does
    sliding_window: int | None = None  # tokens its attention looks back, where that is not all of them

    @classmethod
    def of(cls, id: str, source: str, revision: str | None, config: dict[str, Any]) -> ModelRef:
        """A model as its configuration tells it."""
        window = window_of(config) if config else DEFAULT_WINDOW
        kind = str(text_config(config).get("model_type", ""))
        return cls(id, source, revision, window, kind, bool(config.get("is_encoder_decoder")), sliding_window_of(config))

    def folder(self) -> Path | None:
        """Where its files lie on this machine; None where they are yet to be fetched."""
        return Path(self.source) if Path(self.source).is_absolute() else hub.cached(self.source, self.revision)

    def to_dict(self) -> dict[str, str | int | None]:
        return dict(vars(self))


@dataclass(frozen=True)
class AdapterRef:
    """What a run learned: a PEFT adapter folder, or with `whole` a model folder, known by its weights' hash; and the model it is of."""

    run_id: str
    name: str
    path: Path
    sha256: str
    model: ModelRef
    quantised: bool
    instruction: str = ""
    system: str = ""
    task: str = "instruction"
    shots: tuple[Message, ...] = ()  # turns that stood before every question it learnt from
    slots: tuple[str, ...] = ()  # columns whose cells stood in the instruction
    whole: bool = False
    step: int | None = None  # of the run, that it was saved at


class Catalog:
    """The models of one playground; safe under threads, never waits for a network in `list`.

    What a person's own access token opens is theirs alone: `resolve` heeds `tokens.acting`, so that nobody on the way has to hand it on.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.tokens = settings, access.Tokens()
        self._network = hub.Network()
        self._machine: dict[str, int | str | None] | None = None
        self._looked = threading.Event()
        self._counted: dict[tuple[str, float], int | None] = {}
        # A graphics driver may take seconds to answer, and the library of the Hub a moment to import.
        threading.Thread(target=self._look, name="machine", daemon=True).start()

    def list(self, owner: str = NOBODY) -> list[ModelInfo]:
        """The starter and the known models as they are for an owner, at once; what is still being looked up says so in its reason."""
        here = self._here(wait=LIST_SECONDS)
        network = self._network.reachable() if here else None
        with self.tokens.acting(owner):
            return [self._starter(), *(self._hub(known, here, network) for known in KNOWN)]

    def locked(self, id: str, owner: str) -> Sentence | None:
        """Why the licence of a model keeps it from an owner, None where it does not; asks the Hub, as `resolve` does."""
        try:
            with self.tokens.acting(owner):
                self.resolve(id)
        except (ModelUnavailable, NotFound) as error:
            return error.sentence if error.sentence.template in hub.BY_TOKEN else None
        return None

    def resolve(self, id: str) -> ModelRef:
        """Find a model by `starter`, a Hub id or `local:/folder`; asks the Hub, for seconds at most, when it is not on this machine.

        Raises:
            NotFound: the id has no meaning.
            ModelUnavailable: the model cannot be had, with the reason.
        """
        if not isinstance(id, str) or not id.strip():
            raise NotFound("No model is chosen. Choose one from the list.")
        id = id.strip()
        if id == STARTER:
            if not self.settings.starter.is_dir():
                raise ModelUnavailable(NO_STARTER, folder=self.settings.starter)
            return self._folder(STARTER, Sentence("The starter model"), self.settings.starter)
        if id.startswith(LOCAL):
            return self._local(id)
        if self.settings.mode == "shared" and id not in {known.id for known in KNOWN}:
            # a visitor must not read the host's private models with the host's token, nor fill the host's disk
            raise ModelUnavailable(
                "{name} is not on this playground's list. Choose a model from the list; only its host can add others.", name=id
            )
        return self._from_hub(id)

    def _starter(self) -> ModelInfo:
        folder = self.settings.starter
        problem = problem_of(folder, Sentence("The starter model")) if folder.is_dir() else Sentence(NO_STARTER, folder=folder)
        parameters = self._count(folder)
        reason: str | Sentence = problem or Sentence("Comes with the playground and needs no network.")
        return ModelInfo(
            STARTER,
            "Starter",
            parameters,
            problem is None,
            reason,
            "starter",
            cached=problem is None,
            memory_mb=memory_needed(parameters, gpu=False),
        )

    def _hub(self, known: Known, here: dict[str, int | str | None] | None, network: bool | None) -> ModelInfo:
        needed = memory_needed(known.parameters, gpu=known.gpu)
        folder = None
        reason: str | Sentence | None
        if here is None:
            reason = Sentence("What this machine can do is still being looked up. Look again in a moment.")
        else:
            folder = hub.cached(known.id)
            reason = too_big(known.name, needed, known.gpu, here)
            if reason is None and (folder is None or self._is_a_visitors(known.id)):
                reason = hub.reason_absent(known.name, known.id, known.gated, network)
        available, locked = reason is None, getattr(reason, "template", "") in hub.BY_TOKEN
        if reason is None and folder is None:
            reason = Sentence("Is downloaded at its first use, about {size} MB.", size=known.parameters * 2 // MEGABYTE)
        elif reason is None:
            reason = Sentence("On this machine.")
        return ModelInfo(
            known.id, known.name, known.parameters, available, reason, "hub", known.gpu, known.gated, folder is not None, needed, locked
        )

    def _local(self, id: str) -> ModelRef:
        if self.settings.mode != "personal":
            raise ModelUnavailable("Folders of this machine are closed to visitors. Choose a model from the list.")
        path = Path(id.removeprefix(LOCAL))
        with contextlib.suppress(RuntimeError):  # nobody of that name has a home here
            path = path.expanduser()
        if not path.is_absolute():
            raise ModelUnavailable("Give the whole path of the model's folder, from the root on, after “local:”.")
        return self._folder(id, path.name or str(path), path)

    def _folder(self, id: str, name: str, folder: Path) -> ModelRef:
        if problem := problem_of(folder, name):
            raise ModelUnavailable(problem.template, **problem.values)
        return ModelRef.of(id, str(folder), None, config_of(folder))

    def _from_hub(self, id: str) -> ModelRef:
        from huggingface_hub.utils import HFValidationError, validate_repo_id

        try:
            validate_repo_id(id)
        except HFValidationError as error:
            raise NotFound("“{id}” is not the name of a model. A name looks like “organisation/model”.", id=id[:100]) from error
        if id.count("/") != 1:
            raise NotFound("“{id}” is not the name of a model. A name looks like “organisation/model”.", id=id)
        if folder := hub.cached(id):
            if problem := problem_of(folder, id):
                raise ModelUnavailable(problem.template, **problem.values)
            self._must_fit(id, parameters_of(folder))
            if self._is_a_visitors(id):
                self._ask(id)
            return ModelRef.of(id, id, folder.name, config_of(folder))
        return self._ask(id)

    def _ask(self, id: str) -> ModelRef:
        if not self._network.reachable(wait=hub.PROBE_SECONDS + 0.5):
            raise ModelUnavailable(hub.OFFLINE if hub.offline() else hub.NO_NETWORK, name=id)
        try:
            remote = hub.ask(id)
        except ModelUnavailable as error:
            if error.sentence.template in hub.BY_TOKEN:
                access.answered(id, opened=False)
            raise
        access.answered(id, opened=True)
        if problem := not_generative(remote.config, id):
            raise ModelUnavailable(problem.template, **problem.values)
        if not remote.safetensors:
            raise ModelUnavailable(PICKLE_ONLY, name=id)
        self._must_fit(id, remote.parameters)
        return ModelRef.of(id, id, remote.revision, remote.config)

    def _is_a_visitors(self, id: str) -> bool:
        """Whether a model that is here was opened by one visitor's token, so that every other one has to show that it opens to them."""
        return self.settings.mode == "shared" and access.by_token(self.settings.home, id).exists()

    def _must_fit(self, id: str, parameters: int | None) -> None:
        gpu = next((known.gpu for known in KNOWN if known.id == id), (parameters or 0) > GPU_FROM)
        if problem := too_big(id, memory_needed(parameters, gpu=gpu), gpu, self._here(wait=MACHINE_SECONDS)):
            raise ModelUnavailable(problem.template, **problem.values)

    def _here(self, wait: float) -> dict[str, int | str | None] | None:
        """What this machine offers, None while it is being looked up."""
        self._looked.wait(wait)
        return self._machine

    def _look(self) -> None:
        hub.has_token()
        self._machine = machine()
        self._looked.set()

    def _count(self, folder: Path) -> int | None:
        """Parameters of a folder, remembered until its weights change."""
        try:
            key = (str(folder), (folder / "model.safetensors").stat().st_mtime)
        except OSError:
            return parameters_of(folder)
        if key not in self._counted:
            self._counted[key] = parameters_of(folder)
        return self._counted[key]


def memory_needed(parameters: int | None, *, gpu: bool) -> int | None:
    """MB of 1024² bytes that answering needs at least: 32-bit weights on a processor, 4-bit on a GPU, and room to work in."""
    if parameters is None:
        return None
    return int(parameters * 0.75 / MEGABYTE + 1_000) if gpu else int(parameters * 4 / MEGABYTE + 300)


def too_big(name: str, needed: int | None, gpu: bool, here: dict[str, int | str | None] | None) -> Sentence | None:
    """Why a model does not fit on this machine, or None when it does or nothing is known."""
    if here is None or needed is None:
        return None
    if gpu:
        memory = here["gpu_memory_mb"]
        if not isinstance(memory, int):
            return Sentence(WANTS_GPU, name=name, needed=needed, has=Sentence("none"))
        return Sentence(WANTS_GPU, name=name, needed=needed, has=Sentence("{memory} MB", memory=memory)) if memory < needed else None
    memory = here["memory_mb"]
    return Sentence(TOO_BIG, name=name, needed=needed, memory=memory) if isinstance(memory, int) and memory < needed else None
