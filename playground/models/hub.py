"""The Hugging Face Hub: what of it already lies on this machine, whether it can be reached, and fetching a model.

Every question is bounded in time, and every failure becomes a sentence. The host's token is found by huggingface_hub itself; what stays
closed is asked for once more with the token of the person it is for, from `access`. Does not know which models the playground offers.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from playground.errors import ModelUnavailable, Sentence, StorageFull, storage_errors
from playground.models import access
from playground.models.folder import config_of, weight_files

T = TypeVar("T")
PROBE_SECONDS = 2.0
ASK_SECONDS = 8.0
REMEMBER_SECONDS = 60.0
PATTERNS = ["*.json", "*.jinja", "*.txt", "tokenizer.model", "*.tiktoken"]
NO_NETWORK = (
    "{name} is not on this machine, and the Hugging Face Hub cannot be reached from here. "
    "Connect to the internet, or use the starter model."
)
OFFLINE = "{name} is not on this machine, and downloads are switched off here (HF_HUB_OFFLINE). Use the starter model, or one already here."
GATED = (
    "{name} asks its users to accept a licence: open https://huggingface.co/{id}, accept it there while signed in, make a read token at "
    "https://huggingface.co/settings/tokens, and paste it on the Train tab. Or use another model."
)
NOT_OPENED = (
    "The Hugging Face Hub did not give {name} to the access token in use: its licence is not accepted yet with that account, or the token "
    "is wrong or may not read. Accept the licence at https://huggingface.co/{id} and try again, or paste another token on the Train tab."
)
BY_TOKEN = (GATED, NOT_OPENED)  # what a token could open
NOT_FOUND = "There is no model {name} on the Hugging Face Hub, or it is private. Check the spelling; it looks like “organisation/model”."
NO_SPACE = "{name} needs about {needed} MB of disk space to download, and only {free} MB are free. Free some space, then try again."


@dataclass(frozen=True)
class Remote:
    """What the Hub says about a model that is not on this machine. `size` in bytes of its safetensors files, None when not told."""

    revision: str
    parameters: int | None
    size: int | None
    config: dict[str, Any]
    safetensors: bool


class Network:
    """Whether the Hub answers, looked up in the background and remembered for a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answer: bool | None = None
        self._asked = float("-inf")
        self._done = threading.Event()

    def reachable(self, wait: float = 0.0) -> bool | None:
        """True, False, or None when the first answer is still awaited after `wait` seconds."""
        if offline():
            return False
        with self._lock:
            if time.monotonic() - self._asked > REMEMBER_SECONDS:
                self._asked = time.monotonic()
                threading.Thread(target=self._probe, name="hub-probe", daemon=True).start()
        if self._answer is None and wait > 0:
            self._done.wait(wait)
        return self._answer

    def _probe(self) -> None:
        # A lookup of the host's name has no timeout of its own; the thread may then outlive its answer, and nobody waits for it.
        timer = threading.Timer(PROBE_SECONDS, self._settle, [False])
        timer.daemon = True
        timer.start()
        self._settle(_ping())
        timer.cancel()

    def _settle(self, answer: bool) -> None:
        self._answer = answer
        self._done.set()


def _ping() -> bool:
    from huggingface_hub import constants, errors, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=PROBE_SECONDS)
        return True
    except (errors.HTTPError, OSError):
        return False


def offline() -> bool:
    """Whether downloads are switched off by `HF_HUB_OFFLINE`."""
    from huggingface_hub import constants

    return bool(constants.is_offline_mode())


def has_token() -> bool:
    """Whether someone signed in to the Hub on this machine."""
    from huggingface_hub import get_token

    return get_token() is not None


def cached(id: str, revision: str | None = None) -> Path | None:
    """The folder of a whole model in the local cache, or None. Its name is the commit."""
    from huggingface_hub import constants, try_to_load_from_cache

    found = try_to_load_from_cache(id, "config.json", revision=revision)
    folders = [Path(found).parent] if isinstance(found, str) else []
    if revision is None:  # what is fetched by its commit, as here, does not become the cache's “main”
        commits = (Path(constants.HF_HUB_CACHE) / f"models--{id.replace('/', '--')}" / "snapshots").glob("*")
        folders += sorted(commits, key=lambda folder: folder.stat().st_mtime, reverse=True)
    return next((folder for folder in folders if _is_whole(folder)), None)


def _is_whole(folder: Path) -> bool:
    tokenizer = any((folder / name).exists() for name in ("tokenizer.json", "tokenizer.model", "vocab.json"))
    return (folder / "config.json").exists() and tokenizer and bool(weight_files(folder))


def ask(id: str) -> Remote:
    """What the Hub says about a model, within seconds.

    Raises:
        ModelUnavailable: no network, no such model, or its licence was not accepted.
    """
    from huggingface_hub import HfApi, hf_hub_download

    def look(token: str | None) -> tuple[Any, str | None, dict[str, int]]:
        info = HfApi().model_info(id, timeout=ASK_SECONDS, files_metadata=True, token=token)
        if info.sha is None:
            raise ModelUnavailable(NOT_FOUND, name=id)
        files = {file.rfilename: file.size or 0 for file in info.siblings or []}
        if "config.json" not in files:
            return info, None, files
        if info.gated:  # what another visitor's token brought here does not speak for this one: ask the Hub, not the cache
            _knock(id, info.sha, token)
        return info, hf_hub_download(id, "config.json", revision=info.sha, etag_timeout=ASK_SECONDS, token=token), files

    if offline():
        raise ModelUnavailable(OFFLINE, name=id)
    try:
        info, config_file, files = _opened(id, look)
    except Exception as error:
        raise explained(error, id) from error
    weights = [size for name, size in files.items() if name.endswith(".safetensors") and "/" not in name]
    return Remote(
        revision=info.sha,
        parameters=info.safetensors.total if info.safetensors else None,
        size=sum(weights) or None,
        config=config_of(Path(config_file).parent) if config_file else {},
        safetensors=bool(weights),
    )


def brought(id: str) -> Path | None:
    """The folder of a model of the Hub, downloaded first where it is not on this machine; None where it has no safetensors.

    Raises:
        as `ask` and `download`.
    """
    if there := cached(id):
        return there
    remote = ask(id)
    return download(id, remote.revision, remote.size) if remote.safetensors else None


def download(id: str, revision: str | None, size: int | None = None, weights: bool = True) -> Path:
    """The folder of a model, downloaded where it is not there yet; only configuration, tokenizer and, if wanted, safetensors files.

    Raises:
        ModelUnavailable: as `ask`, or the connection broke.
        StorageFull: the disk is full.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    if folder := cached(id, revision):
        return folder
    if offline():
        raise ModelUnavailable(OFFLINE, name=id)

    def fetch(token: str | None) -> str:
        _knock(id, revision, token)
        patterns = [*PATTERNS, "*.safetensors"] if weights else PATTERNS
        return snapshot_download(id, revision=revision, allow_patterns=patterns, etag_timeout=ASK_SECONDS, token=token)

    cache = Path(constants.HF_HUB_CACHE)
    with storage_errors():
        cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if size and free < size * 1.05:
        raise StorageFull(NO_SPACE, name=id, needed=size // 1024**2, free=free // 1024**2)
    disable_progress_bars()
    try:
        with storage_errors():
            return Path(_opened(id, fetch))
    except StorageFull:
        raise
    except Exception as error:
        raise explained(error, id) from error


def _opened(id: str, fetch: Callable[[str | None], T]) -> T:
    """What `fetch` gives to the host's token, or to none; where that is refused, to the token of the person it is for."""
    try:
        return fetch(None)
    except Exception as error:
        if not _refused(error):
            raise
        access.wanted(id)
        token = access.token()
        if token is None:
            raise
    return fetch(token)


def _knock(id: str, revision: str | None, token: str | None) -> None:
    """Raise what the Hub says where it keeps a model closed: huggingface_hub would content itself with the part that is here already."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    try:
        get_hf_file_metadata(hf_hub_url(id, "config.json", revision=revision), token=token, timeout=ASK_SECONDS)
    except Exception as error:
        if _refused(error):
            raise


def _refused(error: Exception) -> bool:
    """Whether another token might get what this failure withheld; the Hub hides private models as if they were not there."""
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    return isinstance(error, errors.HfHubHTTPError) and (status in (401, 403) or isinstance(error, errors.RepositoryNotFoundError))


def explained(error: Exception, name: str) -> Exception:
    """The sentence for a failure of huggingface_hub; an unexpected exception comes back as it is."""
    from huggingface_hub import errors

    cut_off = (errors.HTTPError, errors.LocalEntryNotFoundError, errors.FileMetadataError, ConnectionError, TimeoutError)
    if isinstance(error, ModelUnavailable):
        return error
    given = access.token() is not None or has_token()
    if isinstance(error, errors.GatedRepoError):
        return ModelUnavailable(NOT_OPENED if given else GATED, name=name, id=name)
    if isinstance(error, errors.RepositoryNotFoundError | errors.RevisionNotFoundError | errors.HFValidationError):
        return ModelUnavailable(NOT_FOUND, name=name)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return ModelUnavailable(OFFLINE, name=name)
    if isinstance(error, errors.HfHubHTTPError) and getattr(error.response, "status_code", None) in (401, 403):
        return ModelUnavailable(NOT_OPENED if given else GATED, name=name, id=name)
    if isinstance(error, cut_off):
        return ModelUnavailable(NO_NETWORK, name=name)
    return error


def reason_absent(name: str, id: str, gated: bool, network: bool | None) -> Sentence | None:
    """Why a model that is not on this machine cannot be had now, or None when it can be downloaded as far as is known."""
    if offline():
        return Sentence(OFFLINE, name=name)
    if network is None:
        return Sentence("{name} is not on this machine; whether it can be downloaded is being looked up.", name=name)
    if not network:
        return Sentence(NO_NETWORK, name=name)
    given = access.token() is not None or has_token()
    if access.closed(id):
        return Sentence(NOT_OPENED if given else GATED, name=name, id=id)
    return Sentence(GATED, name=name, id=id) if gated and not given else None
