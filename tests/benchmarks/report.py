"""Figures into RESULTS.md: one section a benchmark, replaced as a whole, with date, versions and machine."""

from __future__ import annotations

import platform
import re
import statistics
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

from playground.system import machine

RESULTS = Path(__file__).parent / "RESULTS.md"
PACKAGES = ("gradio", "torch", "transformers", "trl", "peft", "bitsandbytes")


def spread(values: Sequence[float], digits: int = 2) -> str:
    """`median (least–most)`."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def here() -> str:
    """Date, machine and versions in one line."""
    found = machine()
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text()) if Path("/proc/cpuinfo").exists() else None
    name = cpu[1] if cpu else platform.processor()
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    gpu = found["gpu"] or "no GPU"
    memory = int(found["memory_mb"] or 0) // 1024
    return f"{date.today()}, {found['cores']} cores of {name}, {memory} GB, {gpu}, Python {platform.python_version()}, {versions}."


def write(title: str, text: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Put a section `## title` in place of the former one of that name, or at the end."""
    table = ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows)]
    section = f"## {title}\n\n{text}\n\n" + "\n".join(table) + f"\n\n{here()}\n"
    old = (
        RESULTS.read_text("utf-8")
        if RESULTS.exists()
        else "# Measured\n\nEach figure is the median of the repeats, with the least and the most.\n"
    )
    parts = re.split(r"(?m)^(?=## )", old)
    kept = [part.rstrip() for part in parts if not part.startswith(f"## {title}\n")]
    RESULTS.write_text("\n\n".join([*kept, section.rstrip()]) + "\n", "utf-8")
    print(section)
