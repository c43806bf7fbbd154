"""A training process that is ready before it is needed: it has loaded the training programs, which takes seconds, and waits for a run.

It costs some 480 MB of memory while it waits (`PLAYGROUND_WARM=off` does without), is begun when a dataset has come in, never with the
app, and ends with the app. Given a run it is a worker like any other. Does not know the line of runs.
"""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from playground.settings import PROJECT
from playground.system import start_detached

log = logging.getLogger(__name__)
LEAST_MB = 8 * 1024  # memory of the machine below which nothing waits
FLAG = "--wait"  # a worker that is told this waits for its run


class Warm:
    """At most one waiting process. All methods may be called from any thread."""

    def __init__(self, worker: Sequence[str], home: Path, environ: Callable[[], dict[str, str]], enabled: bool = True) -> None:
        self._command, self._home, self._environ = (*worker, FLAG), home, environ
        self._enabled = enabled and psutil.virtual_memory().total // 1024**2 >= LEAST_MB
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def waiting(self) -> bool:
        """Whether a process is there, ready or about to be."""
        return self._process is not None and self._process.poll() is None

    def begin(self) -> None:
        """Have one ready soon; harmless where one waits already, or where none is wanted."""
        with self._lock:
            if not self._enabled or self.waiting:
                return
            try:
                self._process = start_detached(
                    self._command, self._home / "warm.log", cwd=PROJECT, environ=self._environ(), stdin=subprocess.PIPE
                )
            except OSError:
                log.warning("no training process could be made ready", exc_info=True)

    def take(self, folder: Path) -> subprocess.Popen[bytes] | None:
        """Give a run to the waiting process; None where there is none."""
        with self._lock:
            process, self._process = self._process, None
            if process is None or process.stdin is None or process.poll() is not None:
                return None
            try:
                with process.stdin as way:
                    way.write(json.dumps({"folder": str(folder)}).encode() + b"\n")
                return process
            except OSError:
                process.kill()
                return None

    def end(self) -> None:
        """Send the waiting process away."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.kill()  # it holds nothing yet
            process.wait()
