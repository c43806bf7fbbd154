"""A conversation of the Chat tab as plain data: what was asked, what each pane answered, and how it reads as a file.

    exchange = {"question", "run_id", "right", "settings", "answers": [{"key", "name", "text", "ended", ...what proves who answered}]}

Pure functions over lists of such exchanges; knows no Gradio and no services.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.ui.formatting import Say, Translate

Exchange = dict[str, Any]
PROOF = (
    "model",
    "revision",
    "quantised",
    "step",
    "adapter",
    "served",
    "settings",
    "prompt_tokens",
    "cut",
    "tokens",
    "first_seconds",
    "seconds",
    "stopped_because",
)
SHORTEST = 0.05  # seconds of writing from which a speed can be told
FENCE = re.compile(r"^(`{3,}|~{3,})", re.MULTILINE)


def exchange_of(
    question: str, run_id: str, right: str, settings: Mapping[str, Any], states: Mapping[str, dict[str, Any]], names: Mapping[str, str]
) -> Exchange:
    """One question with the answers so far."""
    answers = [
        {"key": key, "name": names.get(key, key), "ended": state["stopped_because"] == "end", **state} for key, state in states.items()
    ]
    return {"question": question, "run_id": run_id, "right": right, "settings": dict(settings), "answers": answers}


def answer_of(exchange: Exchange, key: str) -> dict[str, Any] | None:
    """A pane's answer; None where the pane was not asked."""
    return next((one for one in exchange["answers"] if one["key"] == key), None)


def turns(talk: Sequence[Exchange]) -> dict[str, list[tuple[str, str]]]:
    """For each pane the questions with its own answers, as its model is to remember them."""
    found: dict[str, list[tuple[str, str]]] = {}
    for exchange in talk:
        for one in exchange["answers"]:
            if not one.get("error"):
                found.setdefault(one["key"], []).append((exchange["question"], one["text"]))
    return found


def messages(talk: Sequence[Exchange], key: str, say: Say, translate: Translate) -> list[dict[str, str]]:
    """A pane's side of the conversation, for a component that shows HTML even where Markdown is switched off: escaped."""
    found = []
    for exchange in talk:
        one = answer_of(exchange, key)
        if one is not None:
            shown = words(one, say, translate)
            found += [{"role": "user", "content": escape(exchange["question"], quote=False)}]
            found += [{"role": "assistant", "content": escape(shown, quote=False)}]
    return found


def words(one: Mapping[str, Any], say: Say, translate: Translate) -> str:
    """What stands in the pane for an answer, also where there is none."""
    if one.get("refused"):
        return say("chat.refused")
    if one["text"]:
        return str(one["text"])
    if one.get("error"):
        return translate(one["error"])
    return say("chat.nothing") if one["done"] else "…"


def stopped(talk: Sequence[Exchange]) -> list[Exchange]:
    """The conversation after somebody pressed Stop: what was being written stays as far as it came."""
    if not talk:
        return []
    answers = [one if one["done"] else {**one, "done": True, "place": 0, "stopped_because": "cancelled"} for one in talk[-1]["answers"]]
    return [*talk[:-1], {**talk[-1], "answers": answers}]


def as_json(talk: Sequence[Exchange]) -> str:
    """The conversation with all that proves who answered."""
    told = [
        {
            "question": exchange["question"],
            "right_answer": exchange["right"] or None,
            "answers": [
                {
                    "pane": one["key"],
                    "name": one["name"],
                    "text": one["text"],
                    "error": str(one["error"]) if one.get("error") else None,
                    **{name: one[name] for name in PROOF if name in one},
                    **{name: one[name] for name in ("citations", "refused", "orders") if name in one},
                }
                for one in exchange["answers"]
            ],
        }
        for exchange in talk
    ]
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


def as_markdown(talk: Sequence[Exchange], say: Say, translate: Translate) -> str:
    """The conversation to read; texts stand in fences, so that nothing in them is taken for Markdown."""
    parts = [f"# {say('chat.tab')}"]
    for exchange in talk:
        parts.append(f"## {say('chat.ask')}\n\n{_fenced(exchange['question'])}")
        if exchange["right"]:
            parts.append(f"### {say('chat.right_name')}\n\n{_fenced(exchange['right'])}")
        for one in exchange["answers"]:
            name = " ".join(re.sub(r"[^\w\s.,:()#-]", " ", str(one["name"])).split())
            parts.append(f"### {name}\n\n{_fenced(words(one, say, translate))}\n\n{figures(one, say)}")
    return "\n\n".join(parts) + "\n"


def figures(one: Mapping[str, Any], say: Say) -> str:
    """Tokens and time of an answer, in one phrase."""
    if not one.get("tokens"):
        return say("chat.figures", tokens=0, seconds=one.get("seconds", 0.0))
    writing = one["seconds"] - one["first_seconds"]
    told = say("chat.figures", tokens=one["tokens"], seconds=one["seconds"])
    if one["tokens"] > 1 and writing > SHORTEST:
        told += say("chat.speed", first=one["first_seconds"], rate=(one["tokens"] - 1) / writing)
    return told


def _fenced(text: str) -> str:
    longest = max((len(match) for match in FENCE.findall(text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"
