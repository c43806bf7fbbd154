"""A real full disk: the workspace lies on a file system of a few megabytes."""

from __future__ import annotations

import contextlib
import errno
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from playground.training import checkpoints
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
    ended = ended_run(client, run)
    assert ended["state"] == "stopped" and ended["can_resume"] is None
    assert "disk is full" in ended["error"] and "train again" in ended["error"] and "Resume" not in ended["error"]
    assert client.predict(api_name="/preview_dataset", dataset_id=kept, offset=0, limit=1)["total"] > 500


def ended_run(client: Client, run: str) -> dict[str, Any]:
    """A run once it is at work no more."""
    states = ("failed", "done", "stopped")
    return wait_for(lambda: (s := client.predict(api_name="/get_run", run_id=run))["state"] in states and s, 180, "the run ends")


@pytest.mark.timeout(400)
def test_a_run_pauses_while_the_disk_is_full_and_goes_on_afterwards(start_server: Callable[..., Server], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    if not possible(home):
        pytest.skip("this machine does not let us mount a small disk")
    server = start_server(home, small_disk(home, 16))
    inside = Path(f"/proc/{server.process.pid}/root{home}")  # the disk is mounted for the app alone
    client = server.client()
    sample = client.predict(api_name="/list_samples")[0]["name"]
    dataset = client.predict(api_name="/import_dataset", file=None, sample=sample)["dataset_id"]
    settings = {"max_steps": 40, "save_steps": 4, "lora_r": 4, "per_device_train_batch_size": 2}
    run = client.predict(api_name="/start_run", dataset_id=dataset, settings=settings)["run_id"]
    folder = inside / "runs" / run
    try:
        wait_for(lambda: checkpoints.found(folder / "checkpoints"), 180, "a checkpoint")
    except PermissionError:
        pytest.skip("this machine does not let us look into the small disk")
    ballast, piece = inside / "ballast", b"\1" * 4096
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(piece)
        except OSError as error:
            assert error.errno == errno.ENOSPC
    ended = ended_run(client, run)
    assert ended["state"] == "stopped", ended["error"]
    assert "disk is full" in ended["error"] and f"step {ended['step']}" in ended["error"] and "Resume" in ended["error"]
    saved = checkpoints.found(folder / "checkpoints")
    assert saved and all(checkpoints.whole(one) for _, one in saved), "what was saved before is whole"
    assert ended["can_resume"] == saved[0][0] < 40 and not list((folder / "checkpoints").glob(".draft-*"))
    with contextlib.suppress(AppError):  # there may be room for its status, but no more
        client.predict(api_name="/resume_run", run_id=run)
    again = ended_run(client, run)
    assert again["state"] == "stopped" and "disk is full" in again["error"] and again["can_resume"] == saved[0][0]

    ballast.unlink()
    assert client.predict(api_name="/resume_run", run_id=run)["step"] == saved[0][0]
    done = ended_run(client, run)
    assert done["state"] == "done" and done["error"] is None, done["error"]
    curve = client.predict(api_name="/get_metrics", run_id=run, since_step=0)
    assert [point["step"] for point in curve if point["loss"] is not None] == list(range(1, 41))
