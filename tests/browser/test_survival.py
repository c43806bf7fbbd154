"""What a run and an upload survive: real processes are killed, the app is started again, and nothing is lost or doubled."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Page, expect

from playground.system import ProcessId
from playground.workspace import read_json
from tests.browser.conftest import Server, wait_for

Begin = Callable[..., Server]


def train(client: Client, **settings: object) -> str:
    dataset = client.predict(api_name="/import_dataset", file=None, sample=client.predict(api_name="/list_samples")[0]["name"])
    return client.predict(api_name="/start_run", dataset_id=dataset["dataset_id"], settings=settings)["run_id"]


def state(client: Client, run_id: str) -> dict:
    return client.predict(api_name="/get_run", run_id=run_id)


@pytest.mark.timeout(400)
def test_the_app_is_killed_and_the_run_goes_on(start_server: Begin, open_page: Callable[..., Page]) -> None:
    first = start_server()
    client = first.client()
    run = train(client, max_steps=25)
    wait_for(lambda: state(client, run)["step"] >= 3, 120, "three steps")
    pid = state(client, run)["pid"]
    first.kill()
    folder = first.home / "runs" / run
    before = (folder / "metrics.jsonl").read_bytes().count(b"\n")
    wait_for(lambda: (folder / "metrics.jsonl").read_bytes().count(b"\n") > before, 60, "the run goes on without the app")

    second = start_server(first.home)
    client = second.client()
    assert state(client, run)["pid"] == pid
    page = open_page(second.url)
    page.get_by_role("tab", name="Train", exact=True).click()
    expect(page.locator("#run-told")).to_contain_text(re.compile("Learning|Finished"), timeout=20_000)
    expect(page.locator("#run-chart svg")).to_be_visible(timeout=20_000)
    wait_for(lambda: state(client, run)["state"] == "done", 240, "the run is done")
    steps = [p["step"] for p in client.predict(api_name="/get_metrics", run_id=run, since_step=0) if p["loss"] is not None]
    assert steps == list(range(1, 26)), "the curve is whole"


@pytest.mark.timeout(300)
def test_a_killed_worker_is_told_within_ten_seconds(start_server: Begin, open_page: Callable[..., Page]) -> None:
    server = start_server()
    client = server.client()
    run = train(client, max_steps=200)
    wait_for(lambda: state(client, run)["step"] >= 1, 120, "the first step")
    page = open_page(server.url)
    page.get_by_role("tab", name="Train", exact=True).click()
    expect(page.locator("#run-told")).to_contain_text("Learning", timeout=20_000)
    status = read_json(server.home / "runs" / run / "status.json")
    ProcessId(status["pid"], status["pid_started"]).kill()
    expect(page.locator("#run-told")).to_contain_text("did not finish", timeout=10_000)
    failed = state(client, run)
    assert failed["state"] == "failed"
    assert failed["error"]
    assert "Traceback" not in page.content()
    client.predict(api_name="/delete_run", run_id=run)
    assert not (server.home / "runs" / run).exists()


@pytest.mark.timeout(400)
@pytest.mark.soak
def test_a_second_run_waits_in_line(start_server: Begin) -> None:
    client = start_server().client()
    one = train(client, max_steps=6)
    two = train(client, max_steps=2)
    waiting = state(client, two)
    assert (waiting["state"], waiting["place_in_line"]) == ("queued", 1)
    wait_for(lambda: state(client, two)["state"] == "done", 300, "the second run is done")
    assert state(client, one)["state"] == "done"


def test_the_app_is_killed_in_the_middle_of_an_upload(start_server: Begin, tmp_path: Path) -> None:
    server = start_server()
    table = tmp_path / "big.csv"
    table.write_text("question,answer\n" + f"{'How are you? ' * 25},Very well indeed\n" * 150_000)

    def send_slowly() -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as link:
            head = (
                f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
                "Content-Type: multipart/form-data; boundary=xx\r\nContent-Length: 50000000\r\n\r\n"
                '--xx\r\nContent-Disposition: form-data; name="files"; filename="big.csv"\r\n\r\n'
            )
            try:
                link.sendall(head.encode() + table.read_bytes()[:20_000_000])
                time.sleep(30)
            except OSError:
                return

    def bring() -> None:
        while server.process.poll() is None:  # again and again, since one import may be over between two looks
            try:
                server.client().predict(api_name="/import_dataset", file=handle_file(table))
            except Exception:
                time.sleep(0.1)

    threads = [threading.Thread(target=send_slowly, daemon=True), threading.Thread(target=bring, daemon=True)]
    for thread in threads:
        thread.start()
    # in the middle of the import: its draft is there and its manifest is not yet
    drafts = server.home / "datasets"
    half = wait_for(lambda: [d for d in drafts.iterdir() if not (d / "manifest.json").exists()], 60, "the import has begun", every=0.002)
    server.kill()

    again = start_server(server.home).client()
    assert not {d["dataset_id"] for d in again.predict(api_name="/list_datasets")} & {
        d.name for d in half if not (d / "manifest.json").exists()
    }
    assert all(d["rows"] == 150_000 for d in again.predict(api_name="/list_datasets")), "what is listed is whole"
    small = tmp_path / "big.csv.small.csv"
    small.write_text("question,answer\n" + "".join(f"How are {n}?,Well {n}\n" for n in range(20)))
    assert again.predict(api_name="/import_dataset", file=handle_file(small))["rows"] == 20


def test_a_second_app_on_one_workspace_says_so(start_server: Begin) -> None:
    first = start_server()
    with pytest.raises(RuntimeError, match="Another playground is already running"):
        start_server(first.home)


@pytest.mark.timeout(300)
def test_shared_mode_keeps_owners_apart(start_server: Begin) -> None:
    client = start_server(PLAYGROUND_MODE="shared").client()
    ana, bob = "ana-" + "a" * 24, "bob-" + "b" * 24
    sample = client.predict(api_name="/list_samples")[0]["name"]
    dataset = client.predict(api_name="/import_dataset", file=None, sample=sample, owner=ana)["dataset_id"]
    assert client.predict(api_name="/list_datasets", owner=bob) == []
    assert len(client.predict(api_name="/list_datasets", owner=ana)) == 1
    for endpoint in ("/preview_dataset", "/map_dataset", "/start_run", "/delete_dataset"):
        with pytest.raises(Exception, match="no such dataset"):
            client.predict(api_name=endpoint, dataset_id=dataset, owner=bob)
    with pytest.raises(Exception, match="could not tell who you are"):
        client.predict(api_name="/list_datasets")
