"""Fixtures that every kind of test shares."""

from collections.abc import Generator
from pathlib import Path

import pytest

from playground.settings import Settings
from playground.workspace import Workspace

PROJECT = Path(__file__).resolve().parent.parent
SHARED = PROJECT.parent / "shared" / "data"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Test processes hand on their reports as UTF-8, which half of a surrogate pair in a test's log is not."""
    report = yield
    report.sections = [(title, text.encode("utf-8", "backslashreplace").decode()) for title, text in report.sections]
    return report


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
