"""Thirty people ask at once: the whole app with thirty clients, beside one plain `generate` with a batch of thirty.

python -m tests.benchmarks.bench_crowd [repeats]

The clients speak the programming interface (`/compare`, so each gets two answers, of base and tuned: sixty in all), in one thread on the
cores of the app. Their questions are such that both models go on as long as they may; an answer that ends before is an error here, and so
is one that read another client's question. The plain `generate` has the same model in 4-bit, thirty rows of the longest question, as many
new tokens, and nobody to tell.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from playground.demonstration import Demonstration
from playground.services import Services
from playground.settings import Settings
from playground.workspace import PERSONAL
from tests.benchmarks.bench_chat import NEW_TOKENS
from tests.benchmarks.report import spread, write
from tests.browser.conftest import end_workers, start

CLIENTS = 30
FEWEST = 12  # words of the shortest question


def question(number: int) -> str:
    """A client's own, told from all others by its length; base and tuned go on repeating it for as long as they are let."""
    return "ha " * (FEWEST + number)


async def ask(client: httpx.AsyncClient, run_id: str, number: int) -> dict[str, Any]:
    """One client's question; its last states."""
    data = [question(number), run_id, {"max_new_tokens": NEW_TOKENS, "use_template": False}, None]
    call = await client.post("/gradio_api/call/compare", json={"data": data})
    event, last = call.json()["event_id"], ""
    async with client.stream("GET", f"/gradio_api/call/compare/{event}") as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: ") and line != "data: null":
                last = line
    return dict(json.loads(last.removeprefix("data: "))[0])


async def crowd(url: str, run_id: str) -> tuple[float, list[dict[str, Any]]]:
    limits = httpx.Limits(max_connections=2 * CLIENTS)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        began = time.perf_counter()
        answers = await asyncio.gather(*(ask(client, run_id, number) for number in range(CLIENTS)))
        return time.perf_counter() - began, answers


def plain() -> float:
    """Seconds of transformers' own `generate` with as many rows."""
    import torch

    from playground.messages import conversation
    from playground.models import loading, template
    from playground.models.catalog import Catalog

    with tempfile.TemporaryDirectory() as home:
        ref = Catalog(Settings(home=Path(home))).resolve("starter")
        model, tokenizer = loading.load(ref, True, "cpu"), template.load_tokenizer(ref)
    ids = torch.tensor([template.encode(tokenizer, conversation(question(CLIENTS - 1)), ref.window, generation=True).ids] * CLIENTS)
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        model.generate(ids, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False)
        seconds.append(time.perf_counter() - began)
    return seconds[-1]


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    alone = [plain() for _ in range(repeats)]
    together, tokens = [], []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        run_id = Demonstration(Services.make(Settings(home=home))).install(PERSONAL)["run_id"]
        server = start(home)
        try:
            for _ in range(repeats + 1):  # the first one loads the model
                seconds, answers = asyncio.run(crowd(server.url, run_id))
                check(answers)
                together.append(seconds)
                tokens.append(min(pane["tokens"] for one in answers for pane in one.values()))
        finally:
            server.stop()
            end_workers(server.home)
    ratios = [one / other for one, other in zip(together[1:], alone, strict=True)]
    halves = [ratio / 2 for ratio in ratios]
    write(
        "A class asks",
        f"{CLIENTS} clients ask at the same moment, each two panes (base and tuned) of the starter with the demonstration's run: "
        f"{2 * CLIENTS} answers of {NEW_TOKENS} new tokens each, streamed to {CLIENTS} connections. Beside it transformers' `generate` "
        f"with a batch of {CLIENTS} rows of the base: {CLIENTS} answers of {NEW_TOKENS} tokens, {repeats} repeats. Promised: nobody is "
        "lost, each is answered what they asked, and at most 3 times as long.",
        [
            "all clients, s",
            "tokens a pane, fewest",
            "tokens/s",
            "plain generate, s",
            "tokens/s",
            "times, for a client",
            "times, for an answer",
        ],
        [
            [
                spread(together[1:]),
                f"{min(tokens):.0f}",
                spread([2 * CLIENTS * NEW_TOKENS / one for one in together[1:]], 0),
                spread(alone),
                spread([CLIENTS * NEW_TOKENS / one for one in alone], 0),
                spread(ratios),
                spread(halves),
            ]
        ],
    )


def check(answers: list[dict[str, Any]]) -> None:
    """Nobody is lost, nobody has another's question, and every answer is as long as it may be."""
    for number, one in enumerate(answers):
        for pane in one.values():
            if not pane["done"] or pane["error"] or pane["tokens"] != NEW_TOKENS:
                raise RuntimeError(f"client {number} was lost: {pane}")
    for pane in ("base", "tuned"):
        read = [one[pane]["prompt_tokens"] for one in answers]
        if any(later <= earlier for earlier, later in pairwise(read)):
            raise RuntimeError(f"somebody was answered another's question: {read}")


if __name__ == "__main__":
    main()
