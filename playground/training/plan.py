"""What a run will do, before it begins: its whole set of settings, and how many steps it will make.

A text that is longer than the model reads is learnt in several parts, and where rows are packed several make one; so what is counted is
what the trainer will count: exactly where that is quick, else by how many tokens a few of the rows have. Loads a tokenizer at most; knows
no files and no owners.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Protocol

from playground.errors import PlaygroundError, Sentence
from playground.messages import Conversation, Message
from playground.models import template
from playground.models.catalog import ModelRef
from playground.training.ahead.anatomy import anatomy_of
from playground.training.ahead.lengths import measure
from playground.training.circumstances import Circumstances
from playground.training.config import TrainingSettings, sift
from playground.training.defaults import longest_example, resolve
from playground.training.packing import pack

EXACT_CHARACTERS = 500_000  # that many are read within half a second; of more, samples are
SAMPLES, SAMPLE_CHARACTERS = 200, 2_000
BYTES_A_TOKEN = 4  # where no tokenizer is at hand; usual for English and Portuguese, and near enough elsewhere
PARTED = "completion"  # the task whose examples come in parts
log = logging.getLogger(__name__)


class Parts(Protocol):
    """What of a dataset a plan depends on: conversations in three parts, and what is to be learned of them."""

    @property
    def train(self) -> Sequence[Conversation]: ...
    @property
    def validation(self) -> Sequence[Conversation]: ...
    @property
    def test(self) -> Sequence[Conversation]: ...
    @property
    def task(self) -> str: ...


@dataclass(frozen=True)
class Plan:
    """Settings with the reasons for those that were not given, and the steps they make; with `about` those are an estimate."""

    settings: TrainingSettings
    reasons: dict[str, Sentence]
    model: ModelRef
    steps: int
    about: bool = False
    examples: int = 0  # as they are read: texts by their parts
    packed: int | None = None  # rows that these make where they are packed


def make_plan(given: Mapping[str, Any], splits: Parts, ref: ModelRef, parameters: int | None, gpu: bool, processes: int = 1) -> Plan:
    """The plan of a run that learns from `splits`, here, where it can have so many `processes`.

    Raises:
        SettingsError: all that is wrong with the settings.
    """
    around = Circumstances(
        len(splits.train), len(splits.validation), parameters, ref.window, gpu, splits.task, kind=ref.kind,
        sliding_window=ref.sliding_window, layers=layers_here(ref), processes=processes,
    )  # fmt: skip
    exact, (asked, _) = True, sift(given)
    length = min(asked.get("max_length") or longest_example(ref.window, gpu), ref.window)
    if splits.task == PARTED:
        parts, exact = count_parts(splits.train, tokenizer_here(ref), length)
        around = replace(around, parts=parts)
    if asked.get("packing"):
        packed, known = count_packed(splits.train, tokenizer_here(ref), length, around.examples)
        around, exact = replace(around, packed=packed), exact and known
    settings, reasons = resolve(given, around)
    about = not exact and not settings.max_steps
    return Plan(settings, reasons, ref, settings.planned_steps(around.read), about, around.examples, around.packed)


def count_parts(texts: Sequence[Conversation], tokenizer: Any, length: int) -> tuple[int, bool]:
    """(how many rows of at most `length` tokens the texts make, whether that is exact). `tokenizer` None: there is none."""
    said = ["".join(turn.content for turn in (*one.prompt, *one.completion)) for one in texts]
    if tokenizer is not None and sum(map(len, said)) <= EXACT_CHARACTERS:
        return sum(len(parts) for parts in template.encode_parts(tokenizer, texts, length)), True
    share = _tokens_a_byte(said, tokenizer)
    return sum(max(1, -int(-len(text.encode()) * share // (length - 1))) for text in said), False


def count_packed(rows: Sequence[Conversation], tokenizer: Any, length: int, examples: int) -> tuple[int, bool]:
    """(packed rows of at most `length` tokens that `rows` make, which are read as so many `examples`; whether that is exact)."""
    said = sum(len(turn.content) for one in rows for turn in (*one.prompt, *one.completion))
    if tokenizer is not None and said <= EXACT_CHARACTERS:
        parts = [part for several in template.encode_parts(tokenizer, rows, length) for part in several]
        return max(1, len(pack([len(part.ids) for part in parts if any(part.trained[1:])], length))), True
    some = [read for read, _ in measure(tokenizer, rows, length).rows]
    return max(1, ceil(len(pack(some, length)) * examples / max(1, len(some)))), False


def _tokens_a_byte(said: Sequence[str], tokenizer: Any) -> float:
    heads = [text[:SAMPLE_CHARACTERS] for text in said[:: max(1, len(said) // SAMPLES)][:SAMPLES]]
    read = sum(len(head.encode()) for head in heads)
    if tokenizer is None or not read:
        return 1 / BYTES_A_TOKEN
    found = template.encode_many(tokenizer, [Conversation((), (Message("text", head),)) for head in heads if head])
    return sum(len(one.ids) for one in found) / read


def layers_here(ref: ModelRef) -> dict[str, int] | None:
    """A model's linear layers by path, with their narrower side, if its files lie on this machine and tell, else None."""
    folder = ref.folder()
    try:
        found = anatomy_of(folder) if folder is not None else None
    except PlaygroundError as error:
        log.info("the layers of a model are not known: %s", error)
        return None
    return {layer.path: min(layer.width_in, layer.width_out) for layer in found.linear} or None if found is not None else None


def tokenizer_here(ref: ModelRef) -> Any:
    """A model's tokenizer if it lies on this machine, else None: nobody waits for a download to hear how long something takes."""
    if ref.folder() is None:
        return None
    try:
        return template.load_tokenizer(ref)
    except PlaygroundError as error:
        log.info("lengths are estimated without a tokenizer: %s", error)
        return None
