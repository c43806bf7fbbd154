"""Answers from a server that the host has named: vLLM, llama.cpp, LM Studio, Ollama, or another that speaks OpenAI's interface.

Its models fill panes of their own, as `host` fills those of the models in memory; each says which model the server told it was. Where the
server is comes from the host's settings alone, and its key goes into the request and nowhere else. What a server sends is hostile: it is
bounded, and only texts and counts are taken from it. Does not know runs, adapters or screens.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from playground.errors import ModelUnavailable, NotFound, Sentence
from playground.inference.generate import GenerationSettings
from playground.inference.panes import READERS, Feed, Pane, PaneState
from playground.messages import Conversation
from playground.models.catalog import ModelRef
from playground.models.texts import is_text

log = logging.getLogger(__name__)

PREFIX = "server:"  # begins the name under which one of its models is asked
CONNECT_SECONDS, SILENT_SECONDS, LIST_SECONDS = 5.0, 60.0, 5.0
FRESH_SECONDS = 30.0  # for which a list of models is believed
MOST_MODELS, NAME_CHARACTERS = 100, 200
LINE_BYTES, ANSWER_BYTES = 1024**2, 16 * 1024**2
ENDINGS = {"stop": "end", "length": "length", "eos": "end"}
SERVER_AWAY = "The server that holds {model} cannot be reached at the moment. Ask again later, or choose another model."
WRONG_KEY = "The server does not accept this playground's key. Whoever started the playground can set PLAYGROUND_SERVER_KEY."
NOT_ANSWERED = "The server would not answer (its reply was HTTP {status}). Ask something shorter, or choose another model."
WENT_SILENT = "The server wrote nothing for {seconds:.0f} seconds, so nobody waits for it any longer. Ask again later."
NO_ANSWER_AT_ALL = "What the server sent is not an answer that can be read. Ask again, or choose another model."
SERVER_BROKE_OFF = "The server broke off in the middle of its answer. What had come is kept; ask again."
NOT_LISTED = "The server has no model {model}. Choose one of its list."


@dataclass(frozen=True)
class Address:
    """Where a server is, as the host says: `url` ends in /v1. With `only`, no other of its models is offered."""

    url: str
    key: str = field(default="", repr=False)
    only: str = ""


class Server:
    """One server. All methods may be called from any thread; its requests run in one thread of their own, begun when first needed."""

    def __init__(self, address: Address, silent_seconds: float = SILENT_SECONDS) -> None:
        self._address, self._silent = address, silent_seconds
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listed: tuple[float, list[str]] = (float("-inf"), [])

    def models(self, wait: float = LIST_SECONDS + CONNECT_SECONDS) -> list[str]:
        """The names of its models, at most half a minute old. What comes too late for `wait` seconds is there for the next who ask.

        Raises:
            ModelUnavailable: it cannot be reached in time, or its list cannot be read.
        """
        try:
            return asyncio.run_coroutine_threadsafe(self._models(), self._running()).result(wait)
        except TimeoutError as error:
            raise ModelUnavailable(SERVER_AWAY, model=Sentence("these models")) from error

    def stream(self, panes: Sequence[Pane], settings: GenerationSettings) -> Iterator[dict[str, PaneState]]:
        """Answer panes whose `ref` is one of `ref`; as `Host.stream`, and closing the iterator closes the connections."""
        feed = Feed(panes)
        feed.tell()
        asked = [self._begin(self._answer(pane, settings, feed)) for pane in panes]
        try:
            yield from feed
        finally:
            feed.cancel.set()
            for one in asked:
                one.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._running())

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="server", daemon=True).start()
            return self._loop

    def _client(self, read: float) -> httpx.AsyncClient:
        headers = {"Accept-Encoding": "identity"}  # a small answer may not unfold into a large one
        headers |= {"Authorization": f"Bearer {self._address.key}"} if self._address.key else {}
        return httpx.AsyncClient(headers=headers, timeout=httpx.Timeout(CONNECT_SECONDS, read=read), follow_redirects=False)

    async def _models(self) -> list[str]:
        if self._address.only:
            return [self._address.only]
        when, names = self._listed
        if time.monotonic() - when < FRESH_SECONDS:
            return names
        try:
            async with self._client(LIST_SECONDS) as client, client.stream("GET", f"{self._address.url}/models") as reply:
                _check(reply)
                told = _read(b"".join([line async for line in _lines(reply)]))
        except httpx.HTTPError as error:
            raise ModelUnavailable(SERVER_AWAY, model=Sentence("these models")) from error
        found = told.get("data")
        listed = [one.get("id") for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        names = [one for one in listed if isinstance(one, str) and 0 < len(one) <= NAME_CHARACTERS and one.isprintable()][:MOST_MODELS]
        self._listed = time.monotonic(), names
        return names

    async def _answer(self, pane: Pane, settings: GenerationSettings, feed: Feed) -> None:
        """Let one pane grow to its end, or say why it does not."""
        name = pane.ref.id.removeprefix(PREFIX)
        try:
            if name not in await self._models():
                raise NotFound(NOT_LISTED, model=name)
            path, body = _request(name, pane.conversation, settings)
            async with self._client(self._silent) as client, client.stream("POST", f"{self._address.url}/{path}", json=body) as reply:
                _check(reply)
                await _follow(reply, pane.key, settings, feed)
        except httpx.TimeoutException as error:
            connected = not isinstance(error, httpx.ConnectTimeout)
            failure = ModelUnavailable(WENT_SILENT, seconds=self._silent) if connected else ModelUnavailable(SERVER_AWAY, model=name)
            feed.fail(pane.key, failure)
        except httpx.HTTPError:
            failure = ModelUnavailable(SERVER_BROKE_OFF) if feed.states[pane.key].text else ModelUnavailable(SERVER_AWAY, model=name)
            feed.fail(pane.key, failure)
        except Exception as error:  # nobody may be left waiting by a failure that nobody has thought of
            feed.fail(pane.key, error)
        feed.tell()


def ref(name: str) -> ModelRef:
    """A server's model as a pane has it; `name` begins with `PREFIX`."""
    return ModelRef(name, "", None, 0, kind="server")


def _request(name: str, conversation: Conversation, settings: GenerationSettings) -> tuple[str, dict[str, Any]]:
    """Path and body of a request. What servers name in different ways is sent only where it was chosen."""
    body: dict[str, Any] = {
        "model": name,
        "max_tokens": settings.max_new_tokens,
        "temperature": settings.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if settings.temperature > 0:
        body |= {"seed": settings.seed, "top_p": settings.top_p} | ({"top_k": settings.top_k} if settings.top_k else {})
    if settings.repetition_penalty != 1:
        body |= {"repetition_penalty": settings.repetition_penalty, "repeat_penalty": settings.repetition_penalty}
    if settings.stop:
        body["stop"] = list(settings.stop)
    if is_text(conversation):
        return "completions", {**body, "prompt": "".join(one.content for one in conversation.prompt)}
    return "chat/completions", {**body, "messages": [{"role": one.role, "content": one.content} for one in conversation.prompt]}


def _check(reply: httpx.Response) -> None:
    if reply.status_code in (401, 403):
        raise ModelUnavailable(WRONG_KEY)
    if reply.status_code != 200:
        raise ModelUnavailable(NOT_ANSWERED, status=reply.status_code)


async def _lines(reply: httpx.Response) -> AsyncIterator[bytes]:
    """Lines that are whole, and what stands after the last; a line or an answer beyond all measure is an error."""
    rest, read = b"", 0
    async for part in reply.aiter_raw():
        read += len(part)
        *whole, rest = (rest + part).split(b"\n")
        if len(rest) > LINE_BYTES or read > ANSWER_BYTES:
            raise ModelUnavailable(NO_ANSWER_AT_ALL)
        for line in whole:
            yield line.strip()
    yield rest.strip()


def _read(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ModelUnavailable(NO_ANSWER_AT_ALL) from error
    if not isinstance(found, dict) or found.get("error"):
        raise ModelUnavailable(NO_ANSWER_AT_ALL)
    return found


async def _follow(reply: httpx.Response, key: str, settings: GenerationSettings, feed: Feed) -> None:
    """Read an answer as it comes: events, or one whole object from a server that does not stream."""
    began, grown, due = time.perf_counter(), _Grown(), 0.0
    streams = reply.headers.get("content-type", "").startswith("text/event-stream")
    async for line in _lines(reply) if streams else _whole(reply):
        if streams and not line.startswith(b"data:"):
            continue
        line = line.removeprefix(b"data:").strip()
        if line == b"[DONE]":
            grown.ended = grown.ended or "end"
            break
        try:
            grown.take(_read(line))
        except ModelUnavailable:
            if not grown.text:
                raise
            break  # half a line: what came before it stands
        seconds = time.perf_counter() - began
        grown.first = grown.first or (seconds if grown.text else 0.0)
        feed.change(key, **grown.state(), seconds=seconds, first_seconds=grown.first)
        if time.monotonic() >= due:
            due = time.monotonic() + READERS.pause
            feed.tell()
        if grown.pieces > 2 * settings.max_new_tokens + 100:  # it was told how long an answer may be
            grown.ended = "length"
            break
    if grown.ended is None:
        raise ModelUnavailable(SERVER_BROKE_OFF) if grown.text else ModelUnavailable(NO_ANSWER_AT_ALL)
    feed.change(key, **grown.state(), done=True, stopped_because=grown.ended, seconds=time.perf_counter() - began)


async def _whole(reply: httpx.Response) -> AsyncIterator[bytes]:
    yield b" ".join([line async for line in _lines(reply)])
    yield b"[DONE]"


def _clean(text: str) -> str:
    """Without halves of surrogate pairs, which JSON can hold and no page can show."""
    return text.encode("utf-8", "replace").decode()


class _Grown:
    """An answer so far, out of the pieces in which a server sends it. Tokens are the server's count, or its pieces while it tells none."""

    def __init__(self) -> None:
        self.text, self.pieces, self.first = "", 0, 0.0
        self.ended: str | None = None
        self._served: str | None = None
        self._counts: dict[str, int] = {}

    def take(self, told: dict[str, Any]) -> None:
        if isinstance(told.get("model"), str):
            self._served = _clean(told["model"][:NAME_CHARACTERS])
        usage = told.get("usage")
        if isinstance(usage, dict):
            self._counts = {name: one for name, one in usage.items() if isinstance(one, int) and 0 <= one < 2**31}
        choices = told.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        said = choice.get("delta") or choice.get("message") or choice
        piece = (said.get("content") or said.get("text")) if isinstance(said, dict) else None
        if isinstance(piece, str) and piece:
            self.text += _clean(piece)
            self.pieces += 1
        if isinstance(choice.get("finish_reason"), str):
            self.ended = ENDINGS.get(choice["finish_reason"], "end")

    def state(self) -> dict[str, Any]:
        counts = self._counts
        return {
            "text": self.text.lstrip(),
            "tokens": counts.get("completion_tokens") or self.pieces,
            "prompt_tokens": counts.get("prompt_tokens", 0),
            "served": self._served,
        }
