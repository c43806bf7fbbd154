"""App and worker are killed at the same moment; the next app tells it, and the run goes on to its end with one unbroken curve."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from playground.system import ProcessId
from playground.workspace import read_json
from tests.browser.conftest import Server, wait_for
from tests.browser.test_survival import state, train


@pytest.mark.timeout(400)
def test_app_and_worker_are_killed_and_the_run_is_resumed(start_server: Callable[..., Server]) -> None:
    first = start_server()
    client = first.client()
    run = train(client, max_steps=24, save_steps=4, per_device_train_batch_size=2)
    wait_for(lambda: state(client, run)["step"] >= 10, 180, "ten steps")
    status = read_json(first.home / "runs" / run / "status.json")
    first.kill()
    ProcessId(status["pid"], status["pid_started"], status["boot"]).kill()
    assert read_json(first.home / "runs" / run / "status.json")["state"] == "running", "nobody was left to tell"

    client = start_server(first.home).client()
    began = time.monotonic()
    failed = wait_for(lambda: (s := state(client, run))["state"] == "failed" and s, 10, "it is told")
    assert time.monotonic() - began < 10
    assert failed["can_resume"] and failed["can_resume"] >= 4 and failed["error"]
    seconds = failed["seconds"]
    again = client.predict(api_name="/resume_run", run_id=run)
    assert again["step"] == failed["can_resume"]
    done = wait_for(lambda: (s := state(client, run))["state"] in ("done", "failed") and s, 240, "it is done")
    assert done["state"] == "done", done["error"]
    assert done["seconds"] > seconds
    curve = client.predict(api_name="/get_metrics", run_id=run, since_step=0)
    assert [point["step"] for point in curve if point["loss"] is not None] == list(range(1, 25)), "one unbroken curve"
    times = [point["time"] for point in curve]
    assert times == sorted(times)
