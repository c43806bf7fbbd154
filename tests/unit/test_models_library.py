"""The heavy libraries are imported by one thread at a time, and nobody takes half of one for the whole."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest

from playground.inference import base, host
from playground.models import library
from playground.models.catalog import ModelRef


class Reached(Exception):
    pass


def test_memory_is_given_back_while_torch_is_still_being_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))  # as another thread sees it in the middle of its import
    monkeypatch.setattr(library, "_ready", types.SimpleNamespace(is_set=lambda: False))
    host.free()


def test_a_base_waits_for_the_libraries_before_it_takes_anything_of_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    half = types.ModuleType("transformers")  # without the names that come later
    monkeypatch.setitem(sys.modules, "transformers", half)

    def imported() -> None:
        raise Reached

    monkeypatch.setattr(library, "import_models", imported)
    with pytest.raises(Reached):
        base.Base(ModelRef("starter", str(tmp_path), None, 64), False).prepare()


def test_nobody_waits_for_a_search_for_garbage_among_the_libraries() -> None:
    """Such a search stops every thread for half a second; in a process of its own, since what is set aside stays so."""
    code = """
import gc
from playground.models import library
searches = []
gc.callbacks.append(lambda phase, about: searches.append(about["generation"]))
library.import_models()
assert gc.isenabled()
assert set(searches) == {2} and len(searches) == 2, searches  # the beginning and the end of the last one, none on the way
assert gc.get_freeze_count() > 100_000 > 10 * len(gc.get_objects())
before = gc.get_freeze_count()
garbage = [[] for _ in range(100)]
library.import_models()
assert gc.get_freeze_count() <= before  # what comes later is garbage in its time
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
