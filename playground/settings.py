"""Where things are and how much is allowed: the only reader of the environment.

Knows paths, limits and the mode. Does not know what any of the rooms do with them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from playground.errors import SettingsError

PROJECT = Path(__file__).resolve().parent.parent
LOOPBACK = ("", "localhost", "127.0.0.1", "::1")
PLACE = ("RANK", "LOCAL_RANK", "WORLD_SIZE")  # how a launcher of several processes tells each which one it is
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - looked for, not bound to
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
    many_questions: int = 1_000  # in one list
    documents: int = 500


@dataclass(frozen=True)
class Settings:
    """Everything the host decided before the app started."""

    home: Path
    mode: Mode = "personal"
    assets: Path = PROJECT / "assets"
    limits: Limits = field(default_factory=Limits)
    warm: bool = False  # keep a training process ready once there is a dataset
    everywhere: bool = False  # the page can be reached at every address of this machine
    server_url: str = ""  # of a server of language models that may be asked, up to and with /v1
    server_key: str = field(default="", repr=False)
    chroma_url: str = ""  # of a Chroma server that keeps the vectors; where this is empty, they are kept in the workspace
    server_model: str = ""  # the only one of its models that is offered; all of them where this is empty

    @property
    def starter(self) -> Path:
        """The folder of the language model that works without a network."""
        return self.assets / "starter" / "language-model"


def visible_cards(environ: Mapping[str, str] = os.environ) -> str | None:
    """The graphics cards that the host lets this process and its workers see, as it names them; None where it says nothing."""
    return environ.get("CUDA_VISIBLE_DEVICES")


def place(environ: Mapping[str, str] = os.environ) -> tuple[int, int, int]:
    """(which of the processes that train one run this is, which of those on this machine, how many they are), as their launcher tells."""
    told = [environ.get(name, "") for name in PLACE]
    rank, local, world = (int(one) if one.isdigit() else -1 for one in told)
    return (rank, local, world) if min(rank, local) >= 0 and world > 1 else (0, 0, 1)


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read `PLAYGROUND_HOME`, `PLAYGROUND_MODE`, `PLAYGROUND_WARM`, `PLAYGROUND_SERVER_*`, `PLAYGROUND_CHROMA_URL` and the
    address Gradio will bind to.

    Shared mode is chosen by itself on a Hugging Face Space and when bound to more than loopback.

    Raises:
        SettingsError: `PLAYGROUND_MODE` is neither `personal` nor `shared`, or an address of a server is none.
    """
    mode = environ.get("PLAYGROUND_MODE", "").strip().lower()
    address = environ.get("GRADIO_SERVER_NAME", "").strip()
    exposed = "SPACE_ID" in environ or address not in LOOPBACK
    if mode not in ("", "personal", "shared"):
        raise SettingsError("PLAYGROUND_MODE is “{mode}”; it can be personal or shared.", mode=mode)
    shared = mode == "shared" or (not mode and exposed)
    return Settings(
        home=Path(environ.get("PLAYGROUND_HOME") or "workspace").expanduser().resolve(),
        mode="shared" if shared else "personal",
        limits=Limits(upload_bytes=200 * 1024**2, many_questions=200) if shared else Limits(),
        warm=environ.get("PLAYGROUND_WARM", "").strip().lower() not in ("off", "0", "no", "false"),
        everywhere=address in EVERYWHERE,
        server_url=_server_url(environ.get("PLAYGROUND_SERVER_URL", "").strip()),
        server_key=environ.get("PLAYGROUND_SERVER_KEY", "").strip(),
        server_model=environ.get("PLAYGROUND_SERVER_MODEL", "").strip(),
        chroma_url=_chroma_url(environ.get("PLAYGROUND_CHROMA_URL", "").strip()),
    )


def _server_url(given: str) -> str:
    """The address up to /v1, under which servers of OpenAI's interface keep everything."""
    if not given:
        return ""
    if not _is_address(given):
        raise SettingsError("PLAYGROUND_SERVER_URL is the address of a server, such as http://localhost:8000/v1.")
    plain = given.rstrip("/")
    return plain if plain.endswith("/v1") else f"{plain}/v1"


def _chroma_url(given: str) -> str:
    if given and (not _is_address(given) or urlsplit(given).path.strip("/")):
        raise SettingsError("PLAYGROUND_CHROMA_URL is the address of a Chroma server, such as http://localhost:8000.")
    return given.rstrip("/")


def _is_address(given: str) -> bool:
    """Whether it is the address of a server and nothing more."""
    try:
        parts = urlsplit(given)
        port = parts.port or 0
    except ValueError:
        return False
    told = parts.scheme in ("http", "https") and bool(parts.hostname) and port >= 0
    return told and not (parts.username or parts.query or parts.fragment)
