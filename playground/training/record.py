"""What a run's folder says: the one place that reads it.

    config.json     what was asked for, never changed (identity, model, data, settings with reasons, instruction); config.copy.json the same
    status.json     where it stands, replaced as a whole by whoever is responsible: the app while the run waits, then the worker,
                    and the app again when the worker is gone
    changes.json    settings that requests to go on have changed, and at which steps; and what memory that ran out has
    request.json    what the user asks of the worker: {kind: stop | cancel, at}
    failed.json     why a process beside the main one ended a run, until whoever finds it writes that into the status
    start/          the adapter that it goes on from, where it does
    metrics.jsonl, samples.jsonl, worker.log, tensorboard/, data/, checkpoints/
    adapter/ or model/, and manifest.json, which names and vouches for it; of a run that goes on after its end both stay as they are until
    new ones take their place: adapter-next/ is written beside adapter/, and by one new manifest.json the one counts and the other does not

Does not change anything, start anything or know owners.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from playground.errors import Sentence, unpack
from playground.system import ProcessId, elapsed
from playground.training import checkpoints, damage, gaps
from playground.workspace import read_json, read_twice

FINAL = ("stopped", "done", "failed")
MOST_SILENT = 30.0  # seconds that are added to what a worker told last
LOG_TAIL_BYTES, LOG_TAIL_LINES = 8192, 25


@dataclass
class Run:
    """One training run as a person sees it. Times in seconds, sizes in MB of 1024² bytes, `created` in seconds since 1970."""

    run_id: str
    name: str
    state: str  # queued, starting, running, stopping, stopped, done or failed
    pid: int | None = None
    place_in_line: int | None = None  # 1 is the next to start; None when it does not wait
    step: int = 0
    max_steps: int | None = None
    max_steps_about: bool = False  # until the worker has counted, where that would have taken long
    epoch: float = 0.0
    loss: float | None = None
    eval_loss: float | None = None
    seconds: float = 0.0
    eta_seconds: float | None = None
    tokens_per_second: float | None = None
    memory_mb: int | None = None  # of the worker's process
    memory_reserved_mb: int | None = None  # of its card, where it has one, as torch counts it
    max_memory_reserved_mb: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    error: Sentence | None = None
    log_tail: str = ""
    reasons: dict[str, Sentence] = field(default_factory=dict)  # setting -> why it has this value, for those that were not given
    warnings: list[Sentence] = field(default_factory=list)
    doing: Sentence | None = None  # what the worker is at while it starts or finishes
    dataset_id: str = ""
    dataset_name: str = ""
    rows: dict[str, int] = field(default_factory=dict)  # train, validation, test
    model: str = ""
    method: str = ""
    created: float = 0.0
    best_eval_loss: float | None = None
    best_step: int | None = None
    trainable_parameters: int | None = None
    total_parameters: int | None = None
    has_adapter: bool = False
    can_resume: int | None = None  # the step from which it can go on
    brought: bool = False  # trained elsewhere; there are no rows, no curve, and only the settings that its adapter tells
    start_from: str = ""  # the run from whose adapter it began
    start_from_name: str = ""

    @property
    def finished(self) -> bool:
        return self.state in FINAL

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; sentences in English."""
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        plain["error"] = str(self.error) if self.error is not None else None
        plain["doing"] = str(self.doing) if self.doing is not None else None
        plain["reasons"] = {key: str(reason) for key, reason in self.reasons.items()}
        plain["warnings"] = [str(warning) for warning in self.warnings]
        return plain


def config(folder: Path) -> dict[str, Any]:
    """What was asked for, with what a later request to go on has changed."""
    asked, changed = read_twice(folder / "config.json"), read_json(folder / "changes.json", {})
    if asked and isinstance(changed, dict) and changed:
        return {**asked, **changed, "settings": {**asked.get("settings", {}), **changed.get("settings", {})}}
    return asked


def stretch(asked: dict[str, Any]) -> dict[str, Any] | None:
    """Of a run that is made once more (`again`), what comes next: at `step` it is to become as long as its `settings` say."""
    return next(iter(asked.get("stretches", [])[len(asked.get("extended", [])) :]), None)


def status(folder: Path) -> dict[str, Any]:
    """The last written status; where it cannot be read, what else the folder says."""
    found = read_json(folder / "status.json")
    return found if isinstance(found, dict) and found.get("state") in damage.STATES else damage.lost_status(folder)


def request(folder: Path) -> dict[str, Any] | None:
    """What the user asks of the worker; one that is damaged asks to stop, as the worker understands it too."""
    path = folder / "request.json"
    return {"kind": "stop"} if damage.unreadable(path) else read_json(path)


def manifest(folder: Path) -> dict[str, Any] | None:
    """Present only when the run has ended with an adapter that can be used."""
    return damage.read_manifest(folder)


def learned_at(folder: Path, kind: str) -> Path | None:
    """Where what the manifest vouches for lies; `kind` is adapter or model. None where there is nothing that can be used."""
    told = manifest(folder)
    name = told.get("folder", kind) if told is not None else None
    return folder / name if name in places(kind) and (folder / name).is_dir() else None


def places(kind: str) -> tuple[str, str]:
    """The names of the folders in which what is learned may lie."""
    return kind, f"{kind}-next"


def process_id(folder: Path) -> ProcessId | None:
    """The worker that last claimed this run, running or not."""
    known = status(folder)
    return ProcessId(known["pid"], known["pid_started"], known.get("boot", "")) if known.get("pid") and known.get("pid_started") else None


def read(folder: Path, place_in_line: int | None = None) -> Run:
    """Everything the folder says about its run."""
    asked, now = config(folder), status(folder)
    state, error = now["state"], unpack(now.get("error"))
    warnings = [sentence for packed in now.get("warnings", []) if (sentence := unpack(packed))]
    if state in FINAL:
        warnings += damage.warnings(folder, now) + gaps.warnings(folder, asked, now)
    if not asked and state in ("queued", *FINAL):
        state, error = "failed", Sentence(damage.LOST_ASKED, folder=folder)
    if (state in ("starting", "running") and request(folder) is not None) or (state not in FINAL and now.get("rescue")):
        state = "stopping"
    seconds = now.get("seconds", 0.0)
    if state not in ("queued", *FINAL):  # a clock that was set must not show through
        seconds += min(elapsed(now.get("at")) or 0.0, MOST_SILENT)
    saved = checkpoints.found(folder / "checkpoints") if state in FINAL else []
    return Run(
        run_id=folder.name,
        name=asked.get("name", "" if asked else folder.name),
        state=state,
        pid=now.get("pid"),
        place_in_line=place_in_line if state == "queued" else None,
        step=now.get("step", 0),
        max_steps=now.get("max_steps", asked.get("planned_steps")),
        max_steps_about="max_steps" not in now and bool(asked.get("planned_about")),
        epoch=now.get("epoch", 0.0),
        loss=now.get("loss"),
        eval_loss=now.get("eval_loss"),
        seconds=round(seconds, 1),
        eta_seconds=None if state in FINAL else now.get("eta_seconds"),
        tokens_per_second=now.get("tokens_per_second"),
        memory_mb=now.get("memory_mb"),
        memory_reserved_mb=now.get("memory_reserved_mb"),
        max_memory_reserved_mb=now.get("max_memory_reserved_mb"),
        settings=asked.get("settings", {}),
        error=error,
        log_tail=log_tail(folder / "worker.log") if state == "failed" else "",
        reasons={key: sentence for key, packed in asked.get("reasons", {}).items() if (sentence := unpack(packed))},
        warnings=warnings,
        doing=None if state in FINAL else unpack(now.get("doing")),
        dataset_id=asked.get("dataset", {}).get("id", ""),
        dataset_name=asked.get("dataset", {}).get("name", ""),
        rows=asked.get("rows", {}),
        model=asked.get("model", {}).get("id", ""),
        method=asked.get("settings", {}).get("method", ""),
        created=asked.get("created", 0.0),
        best_eval_loss=now.get("best_eval_loss"),
        best_step=now.get("best_step"),
        trainable_parameters=now.get("trainable_parameters"),
        total_parameters=now.get("total_parameters"),
        has_adapter=bool(asked) and manifest(folder) is not None,
        can_resume=saved[0][0] if asked and saved and not now.get("diverged") else None,
        brought=bool(asked.get("brought")),
        start_from=(asked.get("start_from") or {}).get("run_id", ""),
        start_from_name=(asked.get("start_from") or {}).get("name", ""),
    )


def log_tail(path: Path) -> str:
    """The last lines of a worker's log without tracebacks, which are for the one who reads the file itself."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    kept, inside = [], False
    for line in lines:
        if line.startswith("Traceback (most recent call last)"):
            inside = True
        elif inside and not line.startswith((" ", "\t")) and line:
            inside = False
        if not inside and line.strip():
            kept.append(line.rstrip())
    return "\n".join(kept[-LOG_TAIL_LINES:])
