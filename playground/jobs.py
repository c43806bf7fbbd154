"""Long work inside the app that outlives the page which asked for it: one after the other, on a thread, with its state on disk.

    HOME/jobs/<id>/ manifest.json (owner, kind, about)  status.json (where it stands, replaced as a whole)

A job that was under way when the app was killed is told as stopped by the next app. Does not know what the work is.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError, Sentence, pack, unpack
from playground.workspace import Workspace, read_json, write_json

log = logging.getLogger("playground")

FINAL = ("done", "stopped", "failed")
WRITE_SECONDS = 1.0  # how often progress goes to disk; the app itself sees each step at once
FOLLOW_SECONDS = 0.25  # between two looks at a job that is followed
KEEP_SECONDS = 7 * 24 * 3600
INTERRUPTED = "The playground was closed while this was under way. What was finished is kept; start the rest again."
UNEXPECTED = (
    "Something went wrong in the playground itself. What was finished is kept. "
    "Try again; if it happens again, tell the host the reference {reference}."
)
IN_LINE = "Waiting for other work: {n} in line before this"
TOLD = ("kind", "state", "done", "total", "began", "ended", "result")


@dataclass
class Job:
    """Where a job stands. `done` of `total` units; `doing` is a sentence; `result` what the work has given so far (plain JSON)."""

    job_id: str
    kind: str
    state: str = "queued"  # queued, running, stopping, done, stopped or failed
    done: int = 0
    total: int = 0
    began: float | None = None
    ended: float | None = None
    doing: Sentence | None = None
    result: Any = None
    error: Sentence | None = None
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def finished(self) -> bool:
        return self.state in FINAL

    @property
    def eta_seconds(self) -> float | None:
        if self.finished or self.began is None or not self.done or not self.total:
            return None
        return round((time.time() - self.began) / self.done * max(0, self.total - self.done), 1)

    @property
    def seconds(self) -> float:
        return round((self.ended or time.time()) - self.began, 2) if self.began else 0.0

    def stopping(self) -> bool:
        """For the work to ask: has a person asked it to end?"""
        return self._stop.is_set()

    def to_dict(self) -> dict[str, Any]:
        """The form of `/get_job`; sentences in English."""
        return {
            "job_id": self.job_id,
            "kind": self.kind,
            "state": self.state,
            "done": self.done,
            "total": self.total,
            "eta_seconds": self.eta_seconds,
            "seconds": self.seconds,
            "doing": str(self.doing) if self.doing else None,
            "result": self.result,
            "error": str(self.error) if self.error else None,
        }


class Jobs:
    """The line of jobs of one app. One that waits says in `doing` how many are before it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._live: dict[str, Job] = {}
        self._line: list[tuple[Job, Path, Callable[[Job], Any]]] = []
        self._at_work = False  # whether the line's first has left it and is being done
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)

    def start(
        self, owner: str, kind: str, work: Callable[[Job], Any], total: int = 0, *, about: dict[str, Any] | None = None, apart: bool = False
    ) -> Job:
        """Put work in line. `work(job)` updates `job.done`, `job.doing` and `job.result`, asks `job.stopping()`, and gives the result.

        `about` is told by `kept`. Work that stands in a line of its own elsewhere holds nobody up here: with `apart` it begins at once.
        """
        folder = self.workspace.draft("jobs")
        job = Job(folder.name, kind, total=total)
        self._write(folder, job)
        self.workspace.publish(folder, owner=owner, kind=kind, about=about or {})
        self._live[job.job_id] = job
        if apart:
            threading.Thread(target=self._do, args=(job, folder, work), name=kind, daemon=True).start()
            return job
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
                self._thread.start()
            self._line.append((job, folder, work))
            self._tell_places()
            self._came.notify()
        return job

    def get(self, owner: str, job_id: str) -> Job:
        """A job as it stands now.

        Raises:
            NotFound: no such job, or another owner's.
        """
        folder = self.workspace.find("jobs", job_id, owner)
        if live := self._live.get(job_id):
            return live
        told = read_json(folder / "status.json", {})
        told = told if isinstance(told, dict) else {}
        job = Job(
            job_id,
            told.get("kind", ""),
            **{key: told[key] for key in ("state", "done", "total", "began", "ended", "result") if key in told},
        )
        if not job.finished:
            job.state, job.error = "stopped", Sentence(INTERRUPTED)
            job.ended = job.ended or job.began
        else:
            job.error = unpack(told.get("error"))
        return job

    def kept(self, owner: str, kind: str) -> list[dict[str, Any]]:
        """An owner's jobs of a kind that are still on disk, newest first: [{job_id, created, ...}] with what is known about each."""
        found = [read_json(folder / "manifest.json", {}) for folder in self.workspace.list("jobs", owner)]
        return [{"job_id": one["id"], "created": one["created"], **one.get("about", {})} for one in found if one.get("kind") == kind]

    def stop(self, owner: str, job_id: str) -> Job:
        """Ask a job to end at its next step; what it has done stays. One that has not begun has ended at once, and never begins."""
        job, folder = self.get(owner, job_id), self.workspace.find("jobs", job_id, owner)
        with self._lock:  # or a job that ends at this moment would be stopping for ever
            if job.state == "queued":
                job._stop.set()
                job.doing = None
                self._end(job, folder, "stopped")
                self._line = [one for one in self._line if one[0] is not job]
                self._tell_places()
            elif not job.finished:
                job.state = "stopping"
                job._stop.set()
        return job

    def forget_old(self) -> None:
        """Clear away what ended more than a week ago. Called once, at the start of the app."""
        for folder in self.workspace.list("jobs"):
            if time.time() - folder.stat().st_mtime > KEEP_SECONDS:
                self.workspace.delete(folder)

    def _run(self) -> None:
        while True:
            with self._came:
                self._at_work = False
                while not self._line:
                    self._came.wait()
                job, folder, work = self._line.pop(0)
                self._at_work = True
                self._tell_places()
            self._do(job, folder, work)

    def _tell_places(self) -> None:
        """Let each job in line say how many are before it. Under the lock."""
        for before, (job, _, _) in enumerate(self._line, int(self._at_work)):
            job.doing = Sentence(IN_LINE, n=before) if before else None

    def _do(self, job: Job, folder: Path, work: Callable[[Job], Any]) -> None:
        with self._lock:
            if job.finished:  # stopped before it began
                return
            job.began, job.doing, job.state = time.time(), None, "running"
        over = threading.Event()
        writer = threading.Thread(target=self._keep_writing, args=(job, folder, over), daemon=True)
        writer.start()
        error: Sentence | None = None
        try:
            job.result = work(job)
        except PlaygroundError as problem:
            error = problem.sentence
        except BaseException as problem:  # libraries written in Rust panic with a kind of their own; the line goes on
            reference = secrets.token_hex(3)
            log.error("job %s (%s) failed, reference %s", job.job_id, job.kind, reference, exc_info=problem)
            error = Sentence(UNEXPECTED, reference=reference)
        over.set()
        writer.join()  # what it is still writing must not come after the last word
        with self._lock:
            self._end(job, folder, "failed" if error else "stopped" if job.stopping() else "done", error)

    def _end(self, job: Job, folder: Path, state: str, error: Sentence | None = None) -> None:
        """On disk first: whoever sees that it is over finds that there too. Under the lock."""
        ended = time.time()
        self._write(folder, job, ended=ended, state=state, error=error)
        job.ended, job.error, job.state = ended, error, state

    def _keep_writing(self, job: Job, folder: Path, ended: threading.Event) -> None:
        while not ended.wait(WRITE_SECONDS):
            self._write(folder, job)

    def _write(self, folder: Path, job: Job, **changes: Any) -> None:
        told = {key: getattr(job, key) for key in (*TOLD, "error")} | changes
        told["error"] = pack(told["error"]) if told["error"] else None
        try:
            write_json(folder / "status.json", told)
        except Exception:  # the line goes on, whatever the work has put into its result
            log.warning("the state of job %s could not be written", job.job_id, exc_info=True)


def follow(job: Job) -> Iterator[Job]:
    """A job each time that it has moved on, and at its end. Whoever stops listening does not stop it."""
    seen: tuple[Any, ...] = ()
    while True:
        finished = job.finished
        now = (job.state, job.done, job.doing)
        if now != seen or finished:
            seen = now
            yield job
        if finished:
            return
        time.sleep(FOLLOW_SECONDS)
