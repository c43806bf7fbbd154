"""What can go wrong, in the user's words.

    PlaygroundError              a sentence for the user: what happened and what to do
    ├─ InputError                what was given cannot be used as it is
    │  ├─ FileUnreadable         an uploaded file is not a table we can read
    │  ├─ MappingError           the chosen task and columns do not fit the table
    │  ├─ PromptError            a prompt cannot be answered as it stands
    │  └─ SettingsError          unknown names or values out of range, all of them at once
    ├─ NotFound                  no such dataset, run or model for this owner
    ├─ WrongState                it exists, but this cannot be done to it now
    │  └─ Damaged                its file on disk cannot be read any more
    ├─ ModelUnavailable          the model cannot be had here, with the reason
    ├─ DatasetUnavailable        the dataset cannot be had from the Hugging Face Hub, with the reason
    └─ StorageFull               the disk is full; nothing half-written was kept

A sentence is written in English where it arises and carries its values apart, so that the interface can look the template up in another
language. A value that is itself made of words is a Sentence too. This module does not know how a sentence is shown.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Sentence(str):
    """A finished English sentence that remembers its template and values, for translation."""

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Sentence:
        self = super().__new__(cls, template.format(**values) if values else template)
        self.template, self.values = template, values
        return self


class Sentences(tuple[str, ...]):
    """Several sentences in one place of another one, with semicolons between; each is translated by itself."""

    def __str__(self) -> str:
        return "; ".join(self)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def pack(sentence: Sentence) -> dict[str, Any]:
    """A sentence as JSON, to be read back by `unpack`."""
    plain = {key: value if isinstance(value, (str, int, float, bool, type(None))) else str(value) for key, value in sentence.values.items()}
    return {"template": sentence.template, "values": plain}


def unpack(packed: Any) -> Sentence | None:
    """The inverse of `pack`; None for anything else."""
    if not isinstance(packed, dict) or not isinstance(packed.get("template"), str):
        return None
    return Sentence(packed["template"], **packed.get("values", {}))


class PlaygroundError(Exception):
    """An expected failure. `str(error)` is a whole English sentence; `error.sentence` can be translated."""

    def __init__(self, template: str, /, **values: Any) -> None:
        self.sentence = Sentence(template, **values)
        super().__init__(str(self.sentence))


class InputError(PlaygroundError):
    """What was given cannot be used as it is."""


class FileUnreadable(InputError):
    """An uploaded file is not a table we can read."""


class MappingError(InputError):
    """The chosen task and columns do not fit the table."""


class PromptError(InputError):
    """A prompt cannot be answered as it stands."""


class SettingsError(InputError):
    """Unknown names or values out of range; the sentence lists all of them."""


class NotFound(PlaygroundError):
    """No such dataset, run or model for this owner."""


class WrongState(PlaygroundError):
    """It exists, but this cannot be done to it now."""


class Damaged(WrongState):
    """It exists, but its file on disk cannot be read any more."""


class ModelUnavailable(PlaygroundError):
    """The model cannot be had here."""


class DatasetUnavailable(PlaygroundError):
    """The dataset cannot be had from the Hugging Face Hub."""


class StorageFull(PlaygroundError):
    """The disk is full."""


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn "no space left on device" and a spent quota, wherever they arise inside, into `StorageFull`."""
    try:
        yield
    except Exception as error:
        if not is_full(error):
            raise
        raise StorageFull("The disk is full, so nothing was saved. Free some space, then do the same again.") from error


def is_full(error: BaseException) -> bool:
    """Whether the disk was full. Libraries written in other languages wrap the system's number in exceptions and words of their own."""
    codes = (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "errno", None) in codes or any(f"(os error {code})" in str(error) for code in codes)
