"""Adapters on a base in memory: checked, put on, taken off, and watched while they work.

A plain LoRA adapter can share a batch with the base and with others; every other kind changes the whole model while it answers and so
takes its turn. Does not know prompts or tokens.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.errors import ModelUnavailable
from playground.models.catalog import AdapterRef
from playground.workspace import read_json

log = logging.getLogger(__name__)

WEIGHTS = "adapter_model.safetensors"
BASE = "__base__"  # PEFT's name, in a mixed batch, for a row without an adapter
MOST = 8
CHUNK = 1024**2


@dataclass(frozen=True)
class Loaded:
    """An adapter that is on the model: PEFT's name for it, which run it came from, and the hash of the weights that were loaded."""

    key: str
    run_id: str
    name: str
    sha256: str
    mixable: bool

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

    @property
    def loaded(self) -> list[Loaded]:
        return list(self._loaded.values())

    def put_on(self, ref: AdapterRef, keep: frozenset[str] = frozenset()) -> Loaded:
        """Load an adapter, unless it is on already, and drop the one unused for longest when there are many.

        Args:
            keep: keys that are needed for the same batch and must stay.

        Raises:
            ModelUnavailable: its files are missing, damaged, not those that the run saved, or made for another model.
        """
        key = f"{ref.run_id}-{ref.sha256[:16]}"
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
            raise ModelUnavailable(
                "The files of “{name}” are not the ones that its training saved, so they are not used. Train it again, or restore them.",
                name=ref.name,
            )
        config = read_json(ref.path / "adapter_config.json", {})
        kind = str(config.get("peft_type", "")) if isinstance(config, dict) else ""
        mixable = kind == "LORA" and not any(config.get(option) for option in ("use_dora", "alora_invocation_tokens", "lora_bias"))
        if self._kind not in (None, kind):
            self._clear()  # PEFT keeps one kind of adapter on a model at a time
        self._attach(ref, key)
        self._kind = kind
        self._loaded[key] = Loaded(key, ref.run_id, ref.name, found, mixable)
        for old in list(self._loaded):
            if len(self._loaded) > MOST and old != key and old not in keep:
                self._take_off(old)
        return self._loaded[key]

    def _attach(self, ref: AdapterRef, key: str) -> None:
        from peft import PeftModel
        from safetensors import SafetensorError

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self._peft is None:
                    self._peft = PeftModel.from_pretrained(self._base, str(ref.path), adapter_name=key, is_trainable=False)
                else:
                    self._peft.load_adapter(str(ref.path), adapter_name=key, is_trainable=False)
            self._peft.eval()
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
        del self._loaded[key]

    def _clear(self) -> None:
        """The base as it was, without any adapter."""
        if self._peft is not None:
            self._base = self._peft.unload()
        self._peft, self._kind = None, None
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
        return self._loaded[self._seen[row]].proof()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()
