"""A real full disk: the workspace lies on a file system of a few megabytes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError

from tests.browser.conftest import Server, wait_for


def small_disk(folder: Path, megabytes: int) -> list[str]:
    """Run a command with a tiny disk mounted on `folder`, which vanishes with the command. Needs Linux user namespaces, or root."""
    mount = f'mount -t tmpfs -o size={megabytes}m tmpfs "$0" && exec "$@"'
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(folder)]


def possible(folder: Path) -> bool:
    return (
        bool(shutil.which("unshare")) and not subprocess.run([*small_disk(folder, 1), "true"], capture_output=True, check=False).returncode
    )


def test_a_full_disk_is_told_and_nothing_is_lost(start_server: Callable[..., Server], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    if not possible(home):
        pytest.skip("this machine does not let us mount a small disk")
    client = start_server(home, small_disk(home, 3)).client()
    sample = client.predict(api_name="/list_samples")[0]["name"]
    kept = client.predict(api_name="/import_dataset", file=None, sample=sample)["dataset_id"]
    table = tmp_path / "large.csv"
    table.write_text("question,answer\n" + "".join(f"What is the number {n * 7919}?,It is {n * 104729}.\n" for n in range(120_000)))
    with pytest.raises(AppError, match="disk is full"):
        client.predict(api_name="/import_dataset", file=handle_file(table))
    assert [d["dataset_id"] for d in client.predict(api_name="/list_datasets")] == [kept]
    assert client.predict(api_name="/preview_dataset", dataset_id=kept, offset=0, limit=1)["total"] > 500

    run = client.predict(api_name="/start_run", dataset_id=kept, settings={"max_steps": 2, "lora_r": 64})["run_id"]
    ended = wait_for(
        lambda: (s := client.predict(api_name="/get_run", run_id=run))["state"] in ("failed", "done") and s, 120, "the run ends"
    )
    assert ended["state"] == "failed"
    assert "disk is full" in ended["error"]
    assert client.predict(api_name="/preview_dataset", dataset_id=kept, offset=0, limit=1)["total"] > 500
