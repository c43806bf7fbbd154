"""How an answer is drawn, token by token: the settings, the choice of the next token, and text that grows without broken characters.

Does not know which model or adapter writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from playground.errors import Sentence, Sentences, SettingsError
from playground.settings import Limits

MAX_STOPS, MAX_STOP_LENGTH = 8, 100
BROKEN = "\ufffd"  # what half a character decodes to
KEEP = 8  # tokens decoded again with each new one; spaces and characters depend on their neighbours


@dataclass(frozen=True)
class GenerationSettings:
    """How an answer is drawn, in the names of Transformers.

    `temperature` 0 takes the likeliest token always; above it draws, the same way for the same `seed`, in every pane by itself.
    `top_k` 0 and `top_p` 1 leave out nothing; `repetition_penalty` 1 punishes nothing; an answer ends before any text in `stop`.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None, limits: Limits | None = None, also: Sequence[str] = ()) -> GenerationSettings:
        """Read settings; what is missing or None gets its default. `also` are names that others read, told among the known ones.

        Raises:
            SettingsError: names that are not known or values out of range, all of them at once.
        """
        limits = limits or Limits()
        values = dict(values or {})
        problems: list[Sentence] = []
        unknown = [str(name)[:50] for name in values if name not in cls.names() and name not in also]
        if unknown:
            message = "there is no setting {names} (the known ones are {known})"
            problems.append(Sentence(message, names=", ".join(unknown), known=", ".join([*cls.names(), *also])))
        given = {name: values[name] for name in cls.names() if values.get(name) is not None}
        ranges: dict[str, tuple[float, float, bool]] = {
            "max_new_tokens": (1, limits.new_tokens, True),
            "temperature": (0, 2, False),
            "top_p": (0.01, 1, False),
            "top_k": (0, 1000, True),
            "repetition_penalty": (0.5, 2, False),
            "seed": (0, 2**32 - 1, True),
        }
        read: dict[str, Any] = {}
        for name, (low, high, whole) in ranges.items():
            if name in given:
                number = _number(given[name], low, high, whole)
                read[name] = number
                if number is None:
                    kind = Sentence("whole number") if whole else Sentence("number")
                    message = "{name} is {given} and must be a {kind} from {low} to {high}"
                    problems.append(Sentence(message, name=name, given=_shown(given[name]), kind=kind, low=low, high=high))
        if "stop" in given:
            stops = _stops(given["stop"])
            read["stop"] = stops
            if stops is None:
                message = "stop must be a text or up to {texts} texts, each of 1 to {characters} characters"
                problems.append(Sentence(message, texts=MAX_STOPS, characters=MAX_STOP_LENGTH))
        if problems:
            raise SettingsError("The answer cannot be drawn with these settings: {problems}.", problems=Sentences(problems))
        return cls(**read)


def _number(value: Any, low: float, high: float, whole: bool) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or not low <= value <= high or (whole and value != int(value)):
        return None
    return int(value) if whole else float(value)


def _stops(value: Any) -> tuple[str, ...] | None:
    texts = [value] if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else None
    if texts == [""]:
        return ()
    if texts is None or len(texts) > MAX_STOPS or not all(isinstance(text, str) and 1 <= len(text) <= MAX_STOP_LENGTH for text in texts):
        return None
    return tuple(texts)


def _shown(value: Any) -> str:
    return repr(value)[:40]


class Answer:
    """One answer as it grows: give it tokens, read `text`.

    `finished` becomes "end" (the model ended its turn), "stop" (a stop text came up, and was cut off) or "length"; None until then.
    Where no stop text is looked for, tokens become text only when somebody reads it: a class reads less often than the model writes.
    """

    def __init__(self, tokenizer: Any, ends: Iterable[int], stops: Sequence[str], room: int) -> None:
        self._tokenizer = tokenizer
        self._ends = frozenset(ends)
        self._stops = tuple(stops)
        self._room = room
        self._ids: list[int] = []
        self._whole = ""  # all that is decoded and will not change any more
        self._from = 0  # first token that is decoded again
        self._read = 0  # tokens whose text is in _whole
        self._fresh = True  # whether _text says all that is known
        self._text = ""
        self.tokens = 0
        self.finished: str | None = None

    @property
    def text(self) -> str:
        """All that is written so far, in whole characters and without what may become a stop text."""
        if not self._fresh:
            self._renew()
        return self._text

    def push(self, id: int) -> None:
        """Take the next token; ignored once finished."""
        if self.finished:
            return
        self._fresh = False
        if id in self._ends:
            self._finish("end")
            return
        self._ids.append(id)
        self.tokens += 1
        if self._stops:
            self._renew()
        if not self.finished and self.tokens >= self._room:
            self._finish("length")

    def _finish(self, why: str) -> None:
        self.finished, self._fresh = why, False
        if self._stops:
            self._renew()

    def _renew(self) -> None:
        """Make `text` of all tokens that there are."""
        self._fresh = True
        last = self.finished is not None
        self._decode(last)
        if not self._stopped() and last:
            self._text = self._whole.lstrip()

    def _decode(self, last: bool) -> None:
        """Add what the newest tokens say, once it is whole; half a character waits for its other half."""
        before = self._text_of(self._from, self._read)
        after = self._text_of(self._from, len(self._ids))
        if after.endswith(BROKEN) and not last:
            return
        self._whole += after[len(before) :].rstrip(BROKEN if last else "")
        self._read = len(self._ids)
        self._from = max(self._from, self._read - KEEP)

    def _text_of(self, start: int, end: int) -> str:
        return str(self._tokenizer.decode(self._ids[start:end], skip_special_tokens=True)) if end > start else ""

    def _stopped(self) -> bool:
        """Cut at the first stop text; hold back an ending that may become one."""
        places = [place for stop in self._stops if (place := self._whole.find(stop)) >= 0]
        if places:
            self._text, self.finished = self._whole[: min(places)].lstrip(), "stop"
            return True
        held = max((_overlap(self._whole, stop) for stop in self._stops), default=0)
        self._text = self._whole[: len(self._whole) - held].lstrip()
        return False


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` are the beginning of `stop`."""
    return next((length for length in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:length])), 0)


def choosers(settings: Sequence[GenerationSettings], padding: Sequence[int]) -> Any:
    """What Transformers applies to the scores of the next token, each row by itself: a row's answer does not depend on its neighbours.

    Args:
        settings: of each row of the batch.
        padding: how many of a row's first tokens are padding, which is never punished as a repetition.
    """
    from transformers import LogitsProcessor, LogitsProcessorList

    alike: dict[GenerationSettings, list[int]] = {}
    for row, one in enumerate(settings):
        alike.setdefault(replace(one, max_new_tokens=1, stop=()), []).append(row)
    chains = [(rows, _chooser(one, [padding[row] for row in rows])) for one, rows in alike.items()]
    if len(chains) == 1:
        return chains[0][1]

    class Apart(LogitsProcessor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            scores = scores.clone()
            for rows, chain in chains:
                scores[rows] = chain(input_ids[rows], scores[rows])
            return scores

    return LogitsProcessorList([Apart()])


def _chooser(settings: GenerationSettings, padding: Sequence[int]) -> Any:
    """The same for rows of the same settings."""
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    chain = LogitsProcessorList()
    if settings.repetition_penalty != 1:
        chain.append(_repetition(settings.repetition_penalty, padding))
    if settings.temperature > 0:
        chain.append(TemperatureLogitsWarper(settings.temperature))
        if settings.top_k:
            chain.append(TopKLogitsWarper(settings.top_k))
        if settings.top_p < 1:
            chain.append(TopPLogitsWarper(settings.top_p))
        chain.append(_draw(settings.seed, len(padding)))
    return chain


def _repetition(penalty: float, padding: Sequence[int]) -> Any:
    """As RepetitionPenaltyLogitsProcessor (Keskar et al., 2019, arXiv:1909.05858), blind to padding."""
    import torch
    from transformers import LogitsProcessor

    class Repetition(LogitsProcessor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            scores = scores.clone()
            for row, skip in enumerate(padding):
                seen = torch.unique(input_ids[row, skip:])
                values = scores[row, seen]
                scores[row, seen] = torch.where(values < 0, values * penalty, values / penalty)
            return scores

    return Repetition()


def _draw(seed: int, rows: int) -> Any:
    """Drawing as a change of scores (the Gumbel-max trick): the highest changed score is a fair draw from the softmax.

    Each row has its own generator with the same seed, so the same question gets the same luck in every pane, alone or in a batch.
    """
    import torch
    from transformers import LogitsProcessor

    generators = [torch.Generator().manual_seed(seed) for _ in range(rows)]

    class Draw(LogitsProcessor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            width = scores.shape[-1]
            noise = torch.stack([torch.empty(width).exponential_(generator=generator) for generator in generators])
            return scores - noise.log().to(scores.device)

    return Draw()
