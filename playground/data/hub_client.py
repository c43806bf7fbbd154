"""Asking the Hugging Face Hub about a dataset, and fetching one of its files: bounded in time, every failure a sentence.

Files are fetched by name at one fixed commit, and nothing that is fetched is run. The access token is found by huggingface_hub itself and
never passes through here. Does not know which files belong together, nor what is done with them.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from playground.data.hub_layout import Found, converted_parts, own_parts
from playground.errors import DatasetUnavailable, InputError, PlaygroundError, storage_errors

ASK_SECONDS = 8.0
WHOLE_SECONDS = 20.0  # for an answer as a whole: looking a host up has no limit of its own
CONVERTED = "refs/convert/parquet"  # where the Hub keeps its own conversion of a dataset
ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/datasets/([^?#]*)", re.IGNORECASE)
PAGES = {"viewer", "tree", "blob", "resolve", "raw", "discussions", "settings", "commits", "commit"}  # of a dataset's address, after its id
ID_CHARACTERS = 200
T = TypeVar("T")
NO_ID = "No dataset is named. Write its name on the Hugging Face Hub, such as “owner/name”."
BAD_ID = "“{id}” is not the name of a dataset of the Hugging Face Hub. A name looks like “owner/name”."
OFFLINE = (
    "{name} cannot be fetched: downloads from the Hugging Face Hub are switched off here (HF_HUB_OFFLINE). Upload a file, or take a sample."
)
NO_NETWORK = (
    "{name} cannot be fetched, because the Hugging Face Hub cannot be reached from here. "
    "Connect to the internet and try again; without it, upload a file or take a sample."
)
BUSY = "The Hugging Face Hub could not answer about {name} just now (status {status}). Try again in a few minutes."
BROKE_OFF = "The download of {name} broke off, and nothing of it was kept. Try again."
NOT_FOUND = (
    "There is no dataset {name} on the Hugging Face Hub, or it is private. Check the spelling; "
    "for a private one, start the playground with your access token (hf auth login)."
)
GATED = (
    "{name} is given only to people who accepted its terms: accept them on its page on the Hugging Face Hub, and start the playground with "
    "your access token (hf auth login). Or use another dataset."
)
NO_TABLES = (
    "{name} has no Parquet, CSV, JSON Lines or JSON file that could be read as a table. "
    "A dataset that is made by a program of its own is not run here; choose another one."
)


def clean_id(name: str) -> str:
    """The id in what somebody typed or pasted: `owner/name`, `name`, or the address of a dataset's page, which is never opened.

    Raises:
        InputError: it is neither.
    """
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    text = name.strip() if isinstance(name, str) else ""
    if not text:
        raise InputError(NO_ID)
    if len(text) <= ID_CHARACTERS * 2 and (address := ADDRESS.fullmatch(text.partition("#")[0].partition("?")[0])):
        parts = [part for part in address[1].split("/") if part]
        text = "/".join(parts[:1] if len(parts) > 1 and parts[1] in PAGES else parts[:2])
    try:
        validate_repo_id(text)
        if not text.isascii():  # the Hub's own check lets letters of other scripts through
            raise HFValidationError(text)
    except HFValidationError as error:
        raise InputError(BAD_ID, id=text[:ID_CHARACTERS]) from error
    return text


def ask(id: str) -> Found:
    """What a dataset holds, within seconds.

    Raises:
        DatasetUnavailable: no network, no such dataset, no permission, or nothing in it that is a table.
    """
    from huggingface_hub import constants

    if constants.is_offline_mode():
        raise DatasetUnavailable(OFFLINE, name=id)
    try:
        return _within(WHOLE_SECONDS, lambda: _ask(id))
    except Exception as error:
        told = explained(error, id)
        if told is None and isinstance(error, ValueError | TypeError | KeyError | AttributeError):
            told = DatasetUnavailable(NO_NETWORK, name=id)  # somebody answered, such as the page of a hotel's network, but not the Hub
        raise told or error from error


def fetch(found: Found, name: str, folder: Path, told: Callable[[int], None]) -> Path:
    """Download one file at the commit that was looked at. `told` hears how many bytes came, and may raise to end it.

    Raises:
        DatasetUnavailable: as `ask`, or the connection broke.
        StorageFull: the disk is full.
    """
    try:
        with storage_errors():
            return _fetch(found, name, folder, told)
    except Exception as error:
        raise explained(error, found.id) or error from error


def _ask(id: str) -> Found:
    """Own Parquet files before the Hub's conversion, and that before other tables: it has types, and says which split is which."""
    from huggingface_hub import HfApi, errors

    api = HfApi()
    info = api.dataset_info(id, timeout=ASK_SECONDS, files_metadata=True)
    files = _files(info)
    card: Any = info.card_data  # whatever its author wrote
    parts, revision = own_parts(files, card.to_dict().get("configs") if hasattr(card, "to_dict") else None), info.sha
    if not any(part.kind == "parquet" for part in parts):
        try:
            converted = api.dataset_info(id, revision=CONVERTED, timeout=ASK_SECONDS, files_metadata=True)
        except errors.RevisionNotFoundError:
            converted = None
        if converted and (better := converted_parts(_files(converted))):
            parts, revision = better, converted.sha
    if not parts or not revision or not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise DatasetUnavailable(NO_TABLES, name=id)
    return Found(id, revision, tuple(parts))


def _files(info: Any) -> dict[str, int]:
    return {file.rfilename: file.size or 0 for file in info.siblings or []}


def _fetch(found: Found, name: str, folder: Path, told: Callable[[int], None]) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import tqdm

    class Meter(tqdm):  # the way huggingface_hub offers to follow a download; nothing is drawn
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.counts = not str(options.get("name")).endswith(".transfer")  # some files are counted twice: as sent, and as written
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            if self.counts:
                told(int(n or 0))

    options: dict[str, Any] = {"repo_type": "dataset", "revision": found.revision, "etag_timeout": ASK_SECONDS, "tqdm_class": Meter}
    path = Path(hf_hub_download(found.id, name, local_dir=folder, **options)).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise DatasetUnavailable(NO_TABLES, name=found.id)
    return path


def _within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` gives or raises; a TimeoutError where it takes longer, and then nobody waits for it any more."""
    answers: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((ask(), None))
        except Exception as error:
            answers.put((None, error))

    threading.Thread(target=work, name="hub-dataset", daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error:
        raise error
    return answer  # type: ignore[return-value]


def explained(error: Exception, name: str) -> PlaygroundError | None:
    """The sentence for a failure of huggingface_hub; None for one that is unexpected."""
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, PlaygroundError):
        return error
    if isinstance(error, errors.GatedRepoError) or (isinstance(error, errors.HfHubHTTPError) and status == 403):
        return DatasetUnavailable(GATED, name=name)
    if isinstance(error, errors.RepositoryNotFoundError | errors.RevisionNotFoundError | errors.HFValidationError) or status == 401:
        return DatasetUnavailable(NOT_FOUND, name=name)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return DatasetUnavailable(OFFLINE, name=name)
    if isinstance(error, errors.HfHubHTTPError) and status is not None:
        return DatasetUnavailable(BUSY, name=name, status=status)
    if isinstance(error, errors.HTTPError | errors.LocalEntryNotFoundError | errors.FileMetadataError | ConnectionError | TimeoutError):
        return DatasetUnavailable(NO_NETWORK, name=name)
    if isinstance(error, OSError | errors.XetDownloadError):
        return DatasetUnavailable(BROKE_OFF, name=name)
    return None
