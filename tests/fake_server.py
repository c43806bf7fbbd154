"""A server of language models that speaks OpenAI's interface on this machine's loopback, well or badly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-not-for-anybody"


class Spoken(ThreadingHTTPServer):
    """Speaks OpenAI's interface; what it does with a question depends on the model that is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self.left = threading.Event()  # a client that was being written to went away
        self.models: Any = [{"id": name} for name in BEHAVIOUR]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Spoken

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.whole({"data": self.server.models})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body, self.headers.get("Authorization", "")))
        BEHAVIOUR[body["model"]](self, body)

    def whole(self, told: Any, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def events(self, *parts: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        for part in parts:
            self.wfile.write(part)
            self.wfile.flush()


def piece(said: str, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": said}, "finish_reason": None}
    return b"data: " + json.dumps({"model": "tiny-of-theirs", "choices": [choice | more]}).encode() + b"\n\n"


LAST = b'data: {"model": "tiny-of-theirs", "choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3}}\n\ndata: [DONE]\n\n'


def endless(handler: Handler, body: dict[str, Any]) -> None:
    handler.events()
    try:
        while True:
            handler.wfile.write(b": still here\n\n" + piece("more "))
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        handler.server.left.set()


def silent(handler: Handler, body: dict[str, Any]) -> None:
    handler.events(piece("One moment"))
    handler.server.left.wait(5)


BEHAVIOUR: dict[str, Callable[[Handler, dict[str, Any]], Any]] = {
    "good": lambda handler, body: handler.events(piece(" Hello"), b": ping\n\n", piece(" th"), piece("ére"), LAST, USAGE),
    "text": lambda handler, body: handler.events(piece("", text=" upon a time", delta=None), LAST, USAGE),
    "at once": lambda handler, body: handler.whole(
        {"model": "m", "choices": [{"message": {"content": "All."}, "finish_reason": "length"}]}
    ),
    "halves": lambda handler, body: handler.events(*(bytes([one]) for one in piece("ça") + LAST + USAGE)),
    "broken": lambda handler, body: handler.events(piece("So far"), piece(" so good")),
    "half a line": lambda handler, body: handler.events(piece("So far"), piece("never")[:30]),
    "surrogate": lambda handler, body: handler.events(piece("a\ud83d"), LAST, USAGE),
    "rubbish": lambda handler, body: handler.events(b"data: <html>\n\n"),
    "odd": lambda handler, body: handler.events(b"data: [1]\n\n"),
    "nothing": lambda handler, body: handler.events(),
    "error": lambda handler, body: handler.events(b'data: {"error": {"message": "' + KEY.encode() + b'"}}\n\n'),
    "key": lambda handler, body: handler.whole({"error": KEY}, 401),
    "full": lambda handler, body: handler.whole({"error": KEY}, 503),
    "away": lambda handler, body: (handler.send_response(302), handler.send_header("Location", "/elsewhere"), handler.end_headers()),
    "a flood": lambda handler, body: handler.events(b"data: " + b"x" * (3 * 1024**2)),
    "too long": lambda handler, body: handler.events(*[piece("word ")] * 5000),
    "endless": endless,
    "silent": silent,
}
