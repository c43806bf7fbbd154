"""The curve of a run, read while the worker is still appending to it.

metrics.jsonl holds one JSON object per line: `step`, and whatever was measured there. Several lines of one step make one point, a later
value winning. A run that went on from an earlier step says so in a line `{"rewind": step}`, and what stood there of later steps is
forgotten. Knows nothing of runs, owners or charts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REWIND = "rewind"
KEYS = (
    "step", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm", "tokens", "time", "tokens_per_second", "memory_mb",
    "memory_reserved_mb", "max_memory_reserved_mb",
)  # fmt: skip
Point = dict[str, Any]


class MetricsReader:
    """Follows one metrics file, reading only what is new.

    A missing file, a last line still being written and a line that is no JSON are all met by waiting or skipping; a file that was cut back
    is read again from its start, also when it has grown again since.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._points: dict[int, Point] = {}
        self._offset, self._last = 0, b""  # how far it was read, and the last line there

    def new(self) -> list[Point]:
        """The points that were added or changed since the last call, by step; each has all of `KEYS`, None where nothing was measured."""
        changed = set()
        for line in self._lines():
            record = _parse(line)
            if record is None:
                continue
            if REWIND in record:
                for step in [step for step in self._points if step > record[REWIND]]:
                    del self._points[step]
                    changed.discard(step)
                continue
            step = record["step"]
            point = self._points.setdefault(step, dict.fromkeys(KEYS))
            point.update({key: record[key] for key in KEYS if record.get(key) is not None})
            changed.add(step)
        return [dict(self._points[step]) for step in sorted(changed)]

    def since(self, step: int) -> list[Point]:
        """All points after `step` (from the very first with 0), ascending."""
        self.new()
        return [dict(self._points[key]) for key in sorted(self._points) if step <= 0 or key > step]

    def _lines(self) -> list[bytes]:
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset - len(self._last))
                if file.read(len(self._last)) != self._last:
                    self._offset, self._last, self._points = 0, b"", {}
                    file.seek(0)
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content.rfind(b"\n") + 1  # the rest is a line that the worker has not finished
        self._offset += whole
        if whole:
            self._last = content[content.rfind(b"\n", 0, whole - 1) + 1 : whole]
        return content[:whole].splitlines()


def read_since(path: Path, step: int = 0) -> list[Point]:
    """The points of a file after `step`, in one go."""
    return MetricsReader(path).since(step)


def furthest(path: Path) -> int:
    """The last step of which anything was ever written, also where it was taken back since; -1 where nothing was."""
    try:
        found = [_parse(line) for line in path.read_bytes().splitlines()]
    except FileNotFoundError:
        return -1
    return max((one["step"] for one in found if one is not None and REWIND not in one), default=-1)


def _parse(line: bytes) -> Point | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    step = record.get("step", record.get(REWIND)) if isinstance(record, dict) else None
    return record if isinstance(step, int) and not isinstance(step, bool) else None
