"""A Hugging Face Hub on this machine: a real HTTP server that speaks the few routes by which datasets and models are found and fetched."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

CONVERTED = "refs/convert/parquet"


def commit_of(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclass
class Repo:
    """A dataset, or a `model`: its files, what its card declares, and the Hub's own conversion to Parquet where there is one.

    `sizes` are told instead of the true ones; `gated` shows its list of files and keeps them to itself, as the Hub does, but for those who
    show one of the tokens in `admits`.
    """

    files: dict[str, bytes]
    configs: list[Any] | None = None
    converted: dict[str, bytes] | None = None
    sizes: dict[str, int | None] = field(default_factory=dict)
    gated: bool = False
    status: int | None = None  # answered to everything
    model: bool = False
    admits: tuple[str, ...] = ()


class FakeHub:
    """`requests` are the paths that were asked for, in order, `shown` the tokens that came with them; `accounts` are the good ones."""

    def __init__(self, repos: dict[str, Repo]) -> None:
        self.repos = repos
        self.requests: list[str] = []
        self.shown: list[str | None] = []
        self.accounts: set[str] = {token for repo in repos.values() for token in repo.admits}
        self.page: str | None = None  # what a captive network answers instead
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self)

            def do_HEAD(self) -> None:
                hub.answer(self, body=False)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, request: BaseHTTPRequestHandler, body: bool = True) -> None:
        path = unquote(urlsplit(request.path).path)
        self.requests.append(path)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or None
        self.shown.append(token)
        status, headers, content = self.found(path, token)
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if body:
            request.wfile.write(content)

    def found(self, path: str, token: str | None = None) -> tuple[int, dict[str, str], bytes]:
        if self.page is not None:
            return 200, {"Content-Type": "text/html"}, self.page.encode()
        if token and self.accounts and token not in self.accounts:
            return 401, {"X-Error-Message": "Invalid credentials in Authorization header"}, b"{}"
        asks, dataset = path.startswith("/api/"), path.removeprefix("/api").startswith("/datasets/")
        rest = path.removeprefix("/api").removeprefix("/datasets/").removeprefix("/models/").lstrip("/")
        known = [id for id, repo in self.repos.items() if repo.model != dataset]
        id = next((id for id in known if rest == id or rest.startswith(id + "/")), None)
        if id is None:
            return 401, {"X-Error-Code": "RepoNotFound"}, b"{}"
        repo, rest = self.repos[id], rest.removeprefix(id).strip("/")
        if repo.status:
            return repo.status, {}, b"{}"
        commits = {commit_of(id): repo.files}
        if repo.converted is not None:
            commits |= {commit_of(id + CONVERTED): repo.converted}
        closed = repo.gated and token not in repo.admits
        refusal = (403 if token or dataset else 401), {"X-Error-Code": "GatedRepo"}, b"{}"
        if asks and rest.startswith("tree/"):
            return refusal if closed else self.tree(commits[rest.split("/")[1]])
        if asks:
            return self.info(id, repo, rest.removeprefix("revision/"), commits)
        _, revision, name = rest.split("/", 2)
        if closed:
            return refusal
        content = commits.get(revision, {}).get(name)
        if content is None:
            return 404, {"X-Error-Code": "EntryNotFound"}, b"{}"
        return 200, {"X-Repo-Commit": revision, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}, content

    def tree(self, files: dict[str, bytes]) -> tuple[int, dict[str, str], bytes]:
        listed = [{"type": "file", "path": name, "size": len(content), "oid": "0" * 40} for name, content in files.items()]
        return 200, {"Content-Type": "application/json"}, json.dumps(listed).encode()

    def info(self, id: str, repo: Repo, branch: str, commits: dict[str, dict[str, bytes]]) -> tuple[int, dict[str, str], bytes]:
        commit = branch if branch in commits else commit_of(id + branch)
        if commit not in commits:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        listed = [{"rfilename": name, "size": repo.sizes.get(name, len(content))} for name, content in commits[commit].items()]
        told = {"id": id, "sha": commit, "siblings": listed, "private": False, "gated": "auto" if repo.gated else False, "tags": []}
        card = {"cardData": {"configs": repo.configs}} if repo.configs else {}
        return 200, {"Content-Type": "application/json"}, json.dumps({**told, **card}).encode()


@contextmanager
def fake_hub(**repos: Repo) -> Iterator[FakeHub]:
    """Serve until the block ends. Two underscores in a name stand for the slash."""
    hub = FakeHub({id.replace("__", "/"): repo for id, repo in repos.items()})
    thread = threading.Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.server.shutdown()
        hub.server.server_close()
