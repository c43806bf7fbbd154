"""Whether the kernel ended a process because memory ran out, which the process itself cannot tell.

The kernel counts whom it ends: of a control group in its memory.events (version 2) or memory.oom_control (version 1), and of the whole
machine in /proc/vmstat. See "Memory Interface Files" in the kernel's guide to control groups, and proc_vmstat(5). Elsewhere than on Linux
nobody counts. Knows no run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playground.system import moment

COUNT = "oom_kill"


def mark(root: Path = Path("/")) -> dict[str, Any] | None:
    """How many processes the kernel had ended for want of memory by now; None where it does not tell.

    Args:
        root: where /proc and /sys lie.
    """
    for path in _counters(root):
        try:
            lines = dict(line.split() for line in path.read_text().splitlines())
            return {"boot": moment()["boot"], "of": str(path), "count": int(lines[COUNT])}
        except (OSError, KeyError, ValueError):
            continue
    return None


def since(then: Any, now: Any) -> bool:
    """Whether the kernel has ended one between two marks."""
    if not isinstance(then, dict) or not isinstance(now, dict):
        return False
    same = all(then.get(key) == now.get(key) for key in ("boot", "of"))
    return same and isinstance(then.get("count"), int) and bool(now["count"] > then["count"])


def _counters(root: Path) -> list[Path]:
    """Where to look, the narrowest first: who shares a machine should not be told of what happens to others."""
    groups, found = root / "sys/fs/cgroup", []
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:  # number:controllers:path
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if "memory" in controllers.split(","):
            found += [groups / "memory" / path.lstrip("/") / "memory.oom_control", groups / "memory" / "memory.oom_control"]
        elif not controllers:
            found += [groups / path.lstrip("/") / "memory.events", groups / "memory.events"]
    return [*found, root / "proc/vmstat"]
