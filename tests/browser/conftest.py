"""A real server in its own process, and a real Chromium that talks to it."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from playground.demonstration import Demonstration
from playground.services import Services
from playground.settings import Settings
from playground.system import ProcessId
from playground.workspace import PERSONAL, read_json

PROJECT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
QUIET = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
START_SECONDS = 60
TRIED = itertools.count(os.getpid())


def free_port() -> int:
    """A port that nobody else will take before the app does, some seconds later: test processes beside this one have ranges of their own,
    below those from which the system serves whoever wants any port."""
    first = 10_000 + 2_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = first + next(TRIED) % 2_000
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try what fails in a browser once more and tell of both: a model, an app and a browser share a few cores here."""
    for item in items:
        if Path(__file__).parent in item.path.parents and not item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@dataclass
class Server:
    """The app as its user starts it. `stop` ends it, `kill` does so with signal 9; workers live on."""

    home: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> Client:
        return Client(self.url, verbose=False)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()


def start(home: Path, within: Sequence[str] = (), demonstration: bool = False, **environ: str) -> Server:
    """Start the app; `within` is a command that runs another one, such as one that mounts a small disk first.

    A fresh workspace is empty unless `demonstration`, which brings what a person sees at the first start.
    """
    port = free_port()
    known = {key: value for key, value in os.environ.items() if not key.startswith(("GRADIO_", "PLAYGROUND_"))}
    known |= {"PLAYGROUND_HOME": str(home), "GRADIO_SERVER_PORT": str(port), "BROWSER": "true", "PLAYGROUND_WARM": "off", **environ}
    home.mkdir(parents=True, exist_ok=True)
    if not demonstration:  # as if this person had been here before
        (home / "greeted").mkdir(exist_ok=True)
        (home / "greeted" / hashlib.sha256(PERSONAL.encode()).hexdigest()[:32]).touch()
    with (home / "app.log").open("ab") as log:
        process = subprocess.Popen([*within, sys.executable, "app.py"], cwd=PROJECT, env=known, stdout=log, stderr=log)
    server = Server(home, port, process)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the app ended: {(home / 'app.log').read_text()[-2000:]}")
        try:
            if httpx.get(server.url + "/config", timeout=2).status_code == 200:
                return server
        except httpx.HTTPError:
            time.sleep(0.1)
    server.kill()
    raise RuntimeError("the app did not answer in time")


def end_workers(home: Path) -> None:
    for path in home.glob("runs/*/status.json"):
        status = read_json(path, {})
        if status.get("pid") and status.get("pid_started"):
            ProcessId(status["pid"], status["pid_started"]).kill()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start the app on a home of its own, any number of times; everything is ended afterwards."""
    started: list[Server] = []

    def begin(home: Path | None = None, within: Sequence[str] = (), demonstration: bool = False, **environ: str) -> Server:
        started.append(start(home or tmp_path / "home", within, demonstration, **environ))
        return started[-1]

    yield begin
    for server in started:
        server.stop()
    for home in {server.home for server in started}:
        end_workers(home)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One app for all tests of a module."""
    running = start(tmp_path_factory.mktemp("home"))
    yield running
    running.stop()
    end_workers(running.home)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app as at the first start, with the demonstration, for all tests of a module; it is there before any page is opened."""
    home = tmp_path_factory.mktemp("home")
    Demonstration(Services.make(Settings(home=home))).greet(PERSONAL)
    running = start(home)
    yield running
    running.stop()
    end_workers(running.home)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no /usr/bin/chromium; tests/run installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address in a browser of its own; fails afterwards on script errors and on requests that leave the machine."""
    contexts, complaints = [], []

    def begin(url: str, **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 720}, "locale": "en-US", **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: complaints.append(f"script error: {error}"))
        page.on(
            "request",
            lambda request: re.match(r"https?://(?!127\.0\.0\.1)", request.url) and complaints.append(f"leaves the machine: {request.url}"),
        )
        page.goto(url)
        page.wait_for_selector("[role=tab]")
        return page

    yield begin
    for context in contexts:
        context.close()
    if complaints:
        pytest.fail("\n".join(complaints))


def settle(page: Page) -> None:
    """Wait until the dataset that a page opens with is there as a whole: filling it in would overtake what a quicker hand does next."""
    expect(page.locator("#standing")).to_contain_text("Dataset", timeout=60_000)
    if re.search(r"\d rows", page.locator("#standing").inner_text()):
        expect(page.locator("#doctor-summary")).to_contain_text("rows are here", timeout=60_000)


def bring(page: Page, path: Path, rows: int, within: float = 60_000) -> None:
    """Give the Dataset tab a file, and wait until the tab is filled with it; `within` milliseconds for each step."""
    settle(page)
    page.set_input_files("#upload input[type=file]", path)
    expect(page.locator("#understood")).to_contain_text(path.name, timeout=within)
    expect(page.locator("#understood")).to_contain_text(f"{rows:,} rows", timeout=within)
    # filled last, and before that with the figures of the dataset that the page opened with
    expect(page.locator("#doctor-summary")).to_contain_text(f"{rows:,} rows are here", timeout=within)


def wait_for(condition: Callable[[], Any], seconds: float, what: str, every: float = 0.2) -> Any:
    """Poll until a condition is true, and give what it gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {what}")
