"""The starter in memory, and one, two and four panes beside plain `generate`: seconds and memory to load it, seconds to answer.

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
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.report import spread, write

PROJECT = Path(__file__).resolve().parents[2]
MEGABYTE = 1024**2
NEW_TOKENS = 64
ROUNDS = 4
KINDS = {
    "plain base": "transformers' `generate`, base, one row",
    "plain peft": "transformers' `generate` through PEFT, one row",
    "one": "one pane (tuned)",
    "two": "two panes (base, tuned)",
    "four": "four panes (base, three adapters)",
}
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
    """Seconds for as many tokens: transformers' `generate` with one row, of the base and through PEFT; and one, two and four panes here."""
    import torch
    from peft import PeftModel

    from playground.asking import put
    from playground.demonstration import Demonstration
    from playground.inference.generate import GenerationSettings
    from playground.inference.panes import Pane
    from playground.models import loading, template
    from playground.services import Services
    from playground.settings import Settings

    with tempfile.TemporaryDirectory() as home:
        services = Services.make(Settings(home=Path(home)))
        tuned = services.runs.adapter("me", Demonstration(services).install("me")["run_id"])
        question = put(QUESTION, tuned)
        copies = [replace(tuned, run_id=f"{number:012x}") for number in range(2)]
        found: dict[str, float] = {}

        def panes(adapters: list[Any]) -> float:
            """Seconds a token, of the pane that wrote most."""
            asked = [Pane(str(place), tuned.model, tuned.quantised, one, question) for place, one in enumerate(adapters)]
            states = list(services.host.stream(asked, GenerationSettings(max_new_tokens=NEW_TOKENS)))[-1]
            return max((state.seconds - state.first_seconds) / max(1, state.tokens - 1) for state in states.values())

        kinds = {"one": [tuned], "two": [None, tuned], "four": [None, tuned, *copies]}
        for _ in range(ROUNDS):  # the first one loads the model
            found |= {name: panes(adapters) for name, adapters in kinds.items()}
        model, tokenizer = loading.load(tuned.model, True, "cpu"), template.load_tokenizer(tuned.model)
        ids = torch.tensor([template.encode(tokenizer, question, tuned.model.window, generation=True).ids])
        torch.set_num_threads(loading.answering_threads(model))
        for name in ("base", "peft"):
            if name == "peft":
                model = PeftModel.from_pretrained(model, str(tuned.path)).eval()
            for _ in range(ROUNDS):
                began = time.perf_counter()
                model.generate(input_ids=ids, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False)
                found[f"plain {name}"] = (time.perf_counter() - began) / NEW_TOKENS
    return found


def measured(name: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_chat", "--one", name]
    return json.loads(subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps({"loading": loading, "answering": answering}[sys.argv[2]]()))
        return
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    loads, answers = [measured("loading") for _ in range(repeats)], [measured("answering") for _ in range(repeats)]
    heads = ["load whole, s", "MB", "load 4-bit, s", "MB"]
    row = [
        *(
            spread([one[name] for one in loads], digits)
            for name, digits in (("whole s", 2), ("whole MB", 0), ("4-bit s", 2), ("4-bit MB", 0))
        ),
    ]
    write("Loading", f"The starter, {repeats} repeats. Promised: 2 s and 300 MB.", heads, [row])
    rows = []
    for name, told in KINDS.items():
        times = [1000 * one[name] for one in answers]
        against = [[one[name] / one[other] for one in answers] for other in ("one", "plain base", "plain peft")]
        rows.append([told, spread(times, 1), *(spread(each) for each in against)])
    write(
        "Answers",
        f"Milliseconds for one token of every pane, the starter in 4-bit with the demonstration's run, at most {NEW_TOKENS} new tokens, "
        f"one thread, {repeats} repeats. Promised: two panes at most 1.35 times the time of one, four at most 2 times, at equal text.",
        ["", "ms a token", "times one pane", "times plain `generate`, base", "times plain `generate`, PEFT"],
        rows,
    )


if __name__ == "__main__":
    main()
