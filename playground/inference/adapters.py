"""Adapters on a base in memory: checked, put on, taken off, and watched while they work.

A plain LoRA adapter can share a batch with the base and with others; every other kind changes the whole model while it answers and so
takes its turn. Does not know prompts or tokens.
"""

from __future__ import annotations

import contextlib
import logging
import math
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from playground.errors import ModelUnavailable
from playground.models import library
from playground.models.catalog import AdapterRef
from playground.models.folder import tensor_shapes
from playground.workspace import file_hash, read_json

log = logging.getLogger(__name__)
CHANGED = "The files of “{name}” are not the ones that its training saved, so they are not used. Train it again, or restore them."

WEIGHTS = "adapter_model.safetensors"
UNSEEN = "__unseen__"  # a row that no layer was told about yet
BASE = "__base__"  # PEFT's name, in a mixed batch, for a row without an adapter
MOST_MB = 1024  # of 1024² bytes, that all adapters on one base may take; one that is larger by itself is alone there


@dataclass(frozen=True)
class Loaded:
    """An adapter that is on the model: PEFT's name for it, which run it came from, and the hash of the weights that were loaded."""

    key: str
    run_id: str
    name: str
    sha256: str
    mixable: bool
    memory: int  # bytes

    def proof(self) -> dict[str, str]:
        """What stands under an answer: who wrote it."""
        return {"run_id": self.run_id, "name": self.name, "sha256": self.sha256}


class Adapters:
    """The adapters of one base. Not safe under threads by itself: its base's lock is held by whoever calls."""

    def __init__(self, model: Any) -> None:
        self._base = model
        self._peft: Any = None
        self._kind: str | None = None
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._seen: list[str] | None = None
        self._mixture: Any = None  # made when first needed; False where the adapters do not allow it

    @property
    def loaded(self) -> list[Loaded]:
        return list(self._loaded.values())

    @property
    def memory(self) -> int:
        """Bytes of all adapters on the model."""
        return sum(one.memory for one in self._loaded.values())

    def put_on(self, ref: AdapterRef, keep: frozenset[str] = frozenset()) -> Loaded:
        """Load an adapter, unless it is on already, after dropping those unused for longest where it would not fit beside them.

        Args:
            keep: keys that are needed for the same batch and must stay.

        Raises:
            ModelUnavailable: its files are missing, damaged, not those that the run saved, or made for another model.
        """
        key = _key(ref)
        if not (ref.path / WEIGHTS).is_file():
            self._take_off(key)
            raise ModelUnavailable(
                "What “{name}” learned is no longer on this machine. Train it again, or choose another run.", name=ref.name
            )
        if key in self._loaded:
            self._loaded.move_to_end(key)
            return self._loaded[key]
        found = file_hash(ref.path / WEIGHTS)
        if found != ref.sha256:
            raise ModelUnavailable(CHANGED, name=ref.name)
        kind, mixable = self._kind_of(ref)
        if self._kind not in (None, kind):
            self._clear()  # PEFT keeps one kind of adapter on a model at a time
        size = bytes_of(ref)
        for old in list(self._loaded):
            if self.memory + size > MOST_MB * 1024**2 and old not in keep:
                self._take_off(old)
        self._attach(ref, key)
        self._kind = kind
        self._loaded[key] = Loaded(key, ref.run_id, ref.name, found, mixable, size)
        return self._loaded[key]

    def mixable(self, ref: AdapterRef) -> bool:
        """Whether an adapter can share a batch with the base and with others; it need not be on."""
        known = self._loaded.get(_key(ref))
        return known.mixable if known else self._kind_of(ref)[1]

    def _kind_of(self, ref: AdapterRef) -> tuple[str, bool]:
        """(PEFT's word for the kind of an adapter, whether it can share a batch), from its own record."""
        config = read_json(ref.path / "adapter_config.json", {})
        if not isinstance(config, dict):
            return "", False
        kind = str(config.get("peft_type", ""))
        alone = bool(getattr(self._base.config, "is_encoder_decoder", False))
        special = any(config.get(option) for option in ("use_dora", "alora_invocation_tokens", "lora_bias"))
        return kind, kind == "LORA" and not alone and not special

    def _attach(self, ref: AdapterRef, key: str) -> None:
        from peft import PeftModel
        from safetensors import SafetensorError

        try:
            with library.LOADING, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self._peft is None:
                    self._peft = PeftModel.from_pretrained(self._base, str(ref.path), adapter_name=key, is_trainable=False)
                else:
                    self._peft.load_adapter(str(ref.path), adapter_name=key, is_trainable=False)
            self._peft.eval()
            self._mixture = None
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            log.warning("adapter %s could not be loaded", key, exc_info=True)
            self._clear()  # half an adapter may be on the model
            raise ModelUnavailable("What “{name}” learned does not fit its model, or is damaged. Train it again.", name=ref.name) from error

    def _take_off(self, key: str) -> None:
        if key not in self._loaded:
            return
        if len(self._loaded) == 1:
            self._clear()
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._peft.delete_adapter(key)
        self._mixture = None
        del self._loaded[key]

    def _clear(self) -> None:
        """The base as it was, without any adapter."""
        if self._peft is not None:
            self._base = self._peft.unload()
        self._peft, self._kind, self._mixture = None, None, None
        self._loaded.clear()

    @contextlib.contextmanager
    def active(self, rows: list[Loaded | None]) -> Iterator[tuple[Any, dict[str, Any]]]:
        """The model with an adapter (or none) for each row of a batch, and what to pass to `generate`.

        Rows are mixed freely when all their adapters are `mixable`; otherwise all rows must have the same one.
        """
        self._seen = None
        if self._peft is None:
            yield self._base, {}
            return
        if self._kind == "LORA" and all(row is None or row.mixable for row in rows):
            if mixture := self._mixed():
                self._seen = [UNSEEN] * len(rows)
                with mixture.active([row.key if row else BASE for row in rows], self._note) as model:
                    yield model, {}
                return
            with self._watched():
                yield self._peft, {"adapter_names": [row.key if row else BASE for row in rows]}
        elif all(row is None for row in rows):
            with self._peft.disable_adapter(), self._watched():
                yield self._peft, {}
        else:
            key = next(row.key for row in rows if row)
            if any(row is None or row.key != key for row in rows):
                raise ValueError("adapters of this kind take turns; one batch holds one of them")
            self._peft.set_adapter(key)
            with self._watched():
                yield self._peft, {}

    def _mixed(self) -> Any:
        """The quick way to mixed batches (`mixture`), where all adapters on the model allow it."""
        from playground.inference.mixture import Mixture

        if self._mixture is None:
            self._mixture = Mixture(self._peft) if Mixture.suits(self._peft) else False
        return self._mixture or None

    def partible(self, rows: Sequence[Loaded | None]) -> bool:
        """Whether several threads may go through parts of such a batch at the same time."""
        if self._peft is None:
            return True
        return self._kind == "LORA" and all(row is None or row.mixable for row in rows) and self._mixed() is not None

    @contextlib.contextmanager
    def part(self, start: int, size: int) -> Iterator[None]:
        """This thread goes through so many rows of the batch that is `active`, from `start` on; others go through the others."""
        if not self._mixture:
            yield
            return
        with self._mixture.part(slice(start, start + size)):
            yield

    def _note(self, where: slice, names: Sequence[str]) -> None:
        """What was applied to some rows of the batch."""
        if self._seen is not None:
            self._seen[where] = names

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Note which adapters a layer was really told to apply, at every step of the model."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        def note(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            names = kwargs.get("adapter_names")
            if names is None:
                rows = output.shape[0]
                names = [BASE] * rows if module.disable_adapters else [module.active_adapters[0]] * rows
            self._seen = list(names)

        layer = next(module for module in self._peft.modules() if isinstance(module, BaseTunerLayer))
        handle = layer.register_forward_hook(note, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()

    def witnessed(self, row: int) -> dict[str, str] | None:
        """Who wrote the row's last token: the adapter that the model applied to it, None for the base."""
        if self._seen is None or self._seen[row] == BASE:
            return None
        if self._seen[row] == UNSEEN:
            raise RuntimeError("nobody has seen who wrote this row")
        return self._loaded[self._seen[row]].proof()


def bytes_of(ref: AdapterRef) -> int:
    """What an adapter takes in memory, in 32 bits as PEFT holds it, told by the header of its file; 0 where that cannot be read."""
    try:
        return 4 * sum(math.prod(shape) for _, shape in tensor_shapes(ref.path / WEIGHTS))
    except ModelUnavailable:
        return 0


def together(refs: Iterable[AdapterRef | None]) -> list[bool]:
    """Which of these adapters can be on a model at the same time, in the order of asking; the first always can."""
    room, known, found = MOST_MB * 1024**2, set[str](), []
    for ref in refs:
        size = 0 if ref is None or _key(ref) in known else bytes_of(ref)
        fits = not known or size <= room
        if fits and ref is not None and _key(ref) not in known:
            known.add(_key(ref))
            room -= size
        found.append(fits)
    return found


def _key(ref: AdapterRef) -> str:
    return f"{ref.run_id}-{ref.sha256[:16]}"


def proof_of(ref: AdapterRef) -> dict[str, str]:
    """What stands under an answer of a model that a run trained as a whole."""
    return {"run_id": ref.run_id, "name": ref.name, "sha256": ref.sha256}
