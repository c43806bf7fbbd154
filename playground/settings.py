"""Where things are and how much is allowed: the only reader of the environment.

Knows paths, limits and the mode. Does not know what any of the rooms do with them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playground.errors import SettingsError

PROJECT = Path(__file__).resolve().parent.parent
LOOPBACK = ("", "localhost", "127.0.0.1", "::1")
Mode = Literal["personal", "shared"]


@dataclass(frozen=True)
class Limits:
    """What one request may ask for. Sizes in bytes, lengths in characters."""

    upload_bytes: int = 3 * 1024**3
    whole_bytes: int = 256 * 1024**2  # of a file of a kind that cannot be read piece by piece
    rows: int = 3_000_000
    cell_characters: int = 1_000_000
    prompt_characters: int = 100_000
    new_tokens: int = 1_024
    queued_runs: int = 20
    question_characters: int = 2_000
    documents: int = 500


@dataclass(frozen=True)
class Settings:
    """Everything the host decided before the app started."""

    home: Path
    mode: Mode = "personal"
    assets: Path = PROJECT / "assets"
    limits: Limits = field(default_factory=Limits)

    @property
    def starter(self) -> Path:
        """The folder of the language model that works without a network."""
        return self.assets / "starter" / "language-model"


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read `PLAYGROUND_HOME`, `PLAYGROUND_MODE` and the address Gradio will bind to.

    Shared mode is chosen by itself on a Hugging Face Space and when bound to more than loopback.

    Raises:
        SettingsError: `PLAYGROUND_MODE` is neither `personal` nor `shared`.
    """
    mode = environ.get("PLAYGROUND_MODE", "").strip().lower()
    exposed = "SPACE_ID" in environ or environ.get("GRADIO_SERVER_NAME", "").strip() not in LOOPBACK
    if mode not in ("", "personal", "shared"):
        raise SettingsError("PLAYGROUND_MODE is “{mode}”; it can be personal or shared.", mode=mode)
    shared = mode == "shared" or (not mode and exposed)
    return Settings(
        home=Path(environ.get("PLAYGROUND_HOME") or "workspace").expanduser().resolve(),
        mode="shared" if shared else "personal",
        limits=Limits(upload_bytes=200 * 1024**2) if shared else Limits(),
    )
