"""The starter in memory, and two panes beside one plain `generate`: seconds and memory to load it, tokens a second and pane.

python -m tests.benchmarks.bench_chat [repeats]

The libraries are imported beforehand; the model answers the sample's questions with the demonstration's run. Each repeat is a process of
its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.benchmarks.report import spread, write

PROJECT = Path(__file__).resolve().parents[2]
MEGABYTE = 1024**2
PROMISED = "Promised: loaded in 2 s and 300 MB, 40 tokens/s in each of two panes."
NEW_TOKENS = 64
QUESTION = "Write down everything that you know about tea, cake and the sea."


def loading() -> dict[str, float]:
    """Seconds and megabytes of loading the starter whole and in 4-bit."""
    from playground.models import library, loading
    from playground.models.catalog import Catalog
    from playground.settings import Settings

    library.import_models()
    with tempfile.TemporaryDirectory() as home:
        ref = Catalog(Settings(home=Path(home))).resolve("starter")
        found = {}
        for name, quantised in (("whole", False), ("4-bit", True)):
            before, began = psutil.Process().memory_info().rss, time.perf_counter()
            model = loading.load(ref, quantised, "cpu")
            found[f"{name} s"] = time.perf_counter() - began
            found[f"{name} MB"] = (psutil.Process().memory_info().rss - before) / MEGABYTE
            del model
    return found


def answering() -> dict[str, float]:
    """Tokens a second: both panes of one question, each, and transformers' `generate` with one row of the same base."""
    import torch

    from playground.demonstration import Demonstration
    from playground.messages import conversation
    from playground.models import loading, template
    from playground.services import Services
    from playground.settings import Settings

    with tempfile.TemporaryDirectory() as home:
        services = Services.make(Settings(home=Path(home)))
        run_id = Demonstration(services).install("me")["run_id"]
        options = {"max_new_tokens": NEW_TOKENS, "stop": [], "use_template": True}
        rates = {}
        for _ in range(2):  # the first one loads the model
            for panes in services.compare("me", QUESTION, run_id, options):
                rates = {key: pane["tokens"] / pane["seconds"] for key, pane in panes.items() if pane["seconds"]}
        ref = services.catalog.resolve("starter")
        model, tokenizer = loading.load(ref, True, "cpu"), template.load_tokenizer(ref)
        ids = torch.tensor([template.encode(tokenizer, conversation(QUESTION), ref.window).ids])
        torch.set_num_threads(loading.answering_threads(model))
        for _ in range(2):
            began = time.perf_counter()
            out = model.generate(ids, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False)
            plain = (out.shape[1] - ids.shape[1]) / (time.perf_counter() - began)
    return {**rates, "plain": plain}


def measured(name: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_chat", "--one", name]
    return json.loads(subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps({"loading": loading, "answering": answering}[sys.argv[2]]()))
        return
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    loads, answers = [measured("loading") for _ in range(repeats)], [measured("answering") for _ in range(repeats)]
    rows = [
        [
            spread([one["whole s"] for one in loads]),
            spread([one["whole MB"] for one in loads], 0),
            spread([one["4-bit s"] for one in loads]),
            spread([one["4-bit MB"] for one in loads], 0),
            spread([one["base"] for one in answers], 0),
            spread([one["tuned"] for one in answers], 0),
            spread([one["plain"] for one in answers], 0),
            spread([min(one["base"], one["tuned"]) / one["plain"] for one in answers]),
        ]
    ]
    heads = ["load whole, s", "MB", "load 4-bit, s", "MB", "base, tokens/s", "tuned, tokens/s", "plain generate, tokens/s", "ratio"]
    write("Answers", f"Starter with the demonstration's run, {repeats} repeats. {PROMISED}", heads, rows)


if __name__ == "__main__":
    main()
