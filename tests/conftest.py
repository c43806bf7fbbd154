"""Fixtures that every kind of test shares."""

from pathlib import Path

import pytest

from playground.settings import Settings
from playground.workspace import Workspace

PROJECT = Path(__file__).resolve().parent.parent
SHARED = PROJECT.parent / "shared" / "data"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A personal playground in an empty folder."""
    return Settings(home=tmp_path / "home")


@pytest.fixture
def workspace(settings: Settings) -> Workspace:
    return Workspace(settings.home)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real files to test with, kept beside the project where they are there."""
    if not SHARED.is_dir():
        pytest.skip(f"no folder of real test files at {SHARED}")
    return SHARED
