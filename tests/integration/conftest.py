"""Small real models and adapters, built once for all integration tests."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait must not hold a core that another test's process needs

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playground.inference.adapters import WEIGHTS
from playground.inference.host import Host
from playground.models.catalog import AdapterRef, Catalog, ModelRef
from playground.settings import Settings
from playground.training.dispatch import Dispatcher
from playground.training.runs import Runs
from playground.workspace import Workspace, file_hash
from tests.helpers import make_adapter, make_tiny_model

MakeAdapter = Callable[..., AdapterRef]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers, 64 wide, with a tokenizer and ChatML."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with smaller first weights, from which it can learn."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "learner", spread=0.05)


@pytest.fixture
def runs(workspace: Workspace, settings: Settings) -> Iterator[Runs]:
    """The line of runs; no worker outlives the test."""
    runs = Runs(workspace, Catalog(settings))
    runs.open()
    yield runs
    runs.close()
    watcher = Dispatcher(workspace)
    assert all([watcher.kill(folder) for folder in workspace.list("runs")])


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return Catalog(Settings(home=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def tiny_ref(tiny: Path, catalog: Catalog) -> ModelRef:
    return catalog.resolve(f"local:{tiny}")


@pytest.fixture(scope="session")
def adapter(tiny: Path, tiny_ref: ModelRef, tmp_path_factory: pytest.TempPathFactory) -> MakeAdapter:
    """Make a random adapter for the tiny model: `adapter("name", seed=3, use_dora=True)`; one name and options give one adapter."""
    made: dict[str, AdapterRef] = {}

    def make(name: str = "first", quantised: bool = False, **options: object) -> AdapterRef:
        key = f"{name}{quantised}{sorted(options.items())}"
        if key not in made:
            folder = make_adapter(tiny, tmp_path_factory.mktemp(name), **options)  # type: ignore[arg-type]
            made[key] = AdapterRef(f"{len(made):012x}", name, folder, file_hash(folder / WEIGHTS), tiny_ref, quantised)
        return made[key]

    return make


@pytest.fixture
def host(catalog: Catalog) -> Iterator[Host]:
    host = Host(catalog)
    yield host
    host.release()
