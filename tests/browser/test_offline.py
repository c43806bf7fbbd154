"""Everything works with the network cut off: app, worker, models and browser run in a network namespace that has loopback only."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def cut_off(*command: str) -> list[str]:
    """A command line that runs with no network but loopback. Needs Linux with user namespaces, or root."""
    return ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command]


def possible() -> bool:
    tools = shutil.which("unshare") and shutil.which("ip")
    return bool(tools) and subprocess.run(cut_off("true"), capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not possible(), reason="this machine does not let us make a network namespace")
@pytest.mark.timeout(600)
def test_the_main_job_without_a_network() -> None:
    # the proof that it is cut off: no route at all, not merely no name service
    route = subprocess.run(cut_off("ip", "route"), capture_output=True, text=True, check=True)
    assert route.stdout.strip() == ""
    tests = [
        "tests/browser/test_main_job.py::test_from_sample_to_two_answers",
        "tests/browser/test_endpoints.py::test_models_say_why_they_cannot_be_had",
    ]
    inside = subprocess.run(
        cut_off(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *tests), cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert inside.returncode == 0, inside.stdout[-3000:] + inside.stderr[-1000:]
    assert "2 passed" in inside.stdout
