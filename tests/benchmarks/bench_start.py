"""From the command to the first answered request: the playground beside an empty Gradio app, in turns.

python -m tests.benchmarks.bench_start [repeats]
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.benchmarks.report import spread, write

PROJECT = Path(__file__).resolve().parents[2]
EMPTY = "import gradio as gr\nwith gr.Blocks() as demo:\n    pass\ndemo.launch()"
PROMISED = 5.0  # seconds


def seconds(command: list[str], home: str) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = os.environ | {
        "GRADIO_SERVER_PORT": str(port),
        "PLAYGROUND_HOME": home,
        "BROWSER": "true",
        "GRADIO_ANALYTICS_ENABLED": "False",
    }
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=PROJECT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    answer.read()
                    return time.perf_counter() - started
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"{command} ended") from None
                time.sleep(0.02)
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as home:
        pairs = [(seconds([sys.executable, "app.py"], home), seconds([sys.executable, "-c", EMPTY], home)) for _ in range(repeats + 1)][
            1:
        ]  # the first pair warms the disk's cache
    ours, theirs = zip(*pairs, strict=True)
    ratios = [a / b for a, b in pairs]
    write(
        "Start",
        f"Seconds from the command to the first answered request, {repeats} repeats in turns. Promised: {PROMISED:.0f} s or less.",
        ["the playground", "an empty Gradio app", "ratio"],
        [[spread(ours), spread(theirs), spread(ratios)]],
    )


if __name__ == "__main__":
    main()
