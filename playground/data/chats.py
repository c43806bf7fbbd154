"""Conversations in the forms that tools for fine-tuning write them, brought to one form: a column `messages` with JSON text
[{"role": "system" | "user" | "assistant", "content": "..."}].

Knows Alpaca, ShareGPT, OpenAI messages, prompt and completion, and DPO pairs by sight. Does not know files or tasks.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from playground.errors import Sentence

CHAT_FORMATS = ("alpaca", "sharegpt", "openai", "prompt_completion", "dpo")
MESSAGES = "messages"
TITLES = {
    "alpaca": Sentence("instructions with answers (Alpaca)"),
    "sharegpt": Sentence("conversations (ShareGPT)"),
    "openai": Sentence("conversations (OpenAI messages)"),
    "prompt_completion": Sentence("prompts with completions"),
    "dpo": Sentence("prompts with a chosen and a rejected answer (DPO)"),
}
ROLES = {
    **dict.fromkeys(("user", "human", "prompter", "customer", "cliente", "usuario", "usuário", "pessoa", "question"), "user"),
    **dict.fromkeys(("tool", "function", "ipython", "observation", "tool_response", "function_response"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model", "ai", "agent", "atendente", "assistente", "chatbot"), "assistant"),
    **dict.fromkeys(("function_call", "tool_call", "answer"), "assistant"),
    **dict.fromkeys(("system", "sistema", "developer"), "system"),
}
WHO = ("role", "from", "speaker", "author")
WHAT = ("content", "value", "text", "message")
SHAPES = {("from", "value"): "sharegpt", ("role", "content"): "openai", ("role", "value"): "sharegpt", ("from", "content"): "sharegpt"}
LOOK = 50
Turn = dict[str, str]


@dataclass
class Seen:
    """A table as it is after recognition. `chat_format` is None where it holds nothing of the kind."""

    frame: pl.DataFrame
    chat_format: str | None = None
    warnings: list[Sentence] = field(default_factory=list)


def is_turns(value: Any) -> bool:
    """Whether a value is a conversation in a form that is known by sight: a list of who said what."""
    return _shape(value) is not None


def turns(cell: Any) -> list[Turn] | None:
    """A cell (JSON text, or the list itself) as turns with something in them; None where it holds no conversation."""
    value = _loaded(cell) if isinstance(cell, str) else cell
    if isinstance(value, dict):  # one conversation with things said about it
        value = next((inner for inner in value.values() if isinstance(inner, list)), None)
    if not isinstance(value, list) or not value or not all(isinstance(turn, dict) for turn in value):
        return None
    found: list[Turn] = []
    for turn in value:
        who = next((str(turn[key]) for key in WHO if turn.get(key)), "")
        role = ROLES.get(who.strip().casefold())
        if role is None:
            return None
        if content := _said(turn):
            found.append({"role": role, "content": content})
    return found


def written_turns(conversation: list[Turn]) -> str:
    """Turns as the text of a cell."""
    return json.dumps(conversation, ensure_ascii=False)


def as_prose(cell: str) -> str:
    """A cell with a list of who said what, whoever they are, as lines of a dialogue; any other cell as it is."""
    value = _loaded(cell) if cell.startswith("[") else None
    if not isinstance(value, list) or not value or not all(isinstance(turn, dict) for turn in value):
        return cell
    said = [(next((str(turn[key]) for key in WHO if turn.get(key)), ""), _said(turn)) for turn in value]
    if not all(who for who, _ in said) or not any(what for _, what in said):
        return cell
    return "\n".join(f"{who}: {what}" for who, what in said if what)


def first_text(cell: str) -> str:
    """The first of several texts, where a cell lists them; any other cell as it is."""
    value = _loaded(cell) if cell.startswith("[") else None
    if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
        return cell
    return next((text.strip() for text in value if text.strip()), "")


def recognise(frame: pl.DataFrame, wanted: str | None = None) -> Seen:
    """Find out whether a table holds conversations, and bring them to one form. `wanted` keeps to one of CHAT_FORMATS, or to "none"."""
    if wanted == "none":
        return Seen(frame)
    names = {name.strip().casefold(): name for name in frame.columns}
    shapes = {name: shape for name in frame.columns if (shape := _column_shape(frame[name]))}
    seen = _pairs(frame, names, shapes) or _conversations(frame, shapes) or _texts(frame, names)
    if seen is None or wanted not in (None, seen.chat_format):
        return Seen(frame)
    message = "Recognised as {what}."
    seen.warnings.insert(0, Sentence(message, what=TITLES[seen.chat_format or ""]))
    return seen


def _texts(frame: pl.DataFrame, names: dict[str, str]) -> Seen | None:
    """Forms whose cells are plain texts: their columns say everything already."""
    if {"chosen", "rejected"} <= names.keys():
        return Seen(frame, "dpo", [_chosen()])
    if {"instruction", "output"} <= names.keys() and names.keys() <= {"instruction", "input", "output", "text", "id", "system", "history"}:
        return Seen(frame, "alpaca")
    if {"prompt", "completion"} <= names.keys():
        return Seen(frame, "prompt_completion")
    return None


def _chosen() -> Sentence:
    return Sentence("Of each pair, the chosen answer is learnt; the rejected one is only kept in its column.")


def _pairs(frame: pl.DataFrame, names: dict[str, str], shapes: dict[str, str]) -> Seen | None:
    """prompt with completion or chosen, of which at least one is a list of messages."""
    kind = "dpo" if {"chosen", "rejected"} <= names.keys() else "prompt_completion" if {"prompt", "completion"} <= names.keys() else None
    if kind is None:
        return None
    answer = names["chosen" if kind == "dpo" else "completion"]
    prompt = names.get("prompt") or names.get("question")
    if answer not in shapes and prompt not in shapes:
        return None
    asked = frame[prompt].to_list() if prompt else [None] * frame.height
    rows = [_joined(ask, reply) for ask, reply in zip(asked, frame[answer].to_list(), strict=True)]
    return _normalised(frame, rows, [answer, *([prompt] if prompt else [])], kind, [_chosen()] if kind == "dpo" else [])


def _joined(ask: Any, reply: Any) -> list[Turn] | None:
    """A prompt and its answer as one conversation; an answer may hold the prompt as well."""
    before = _turns_or_text(ask, "user")
    after = _turns_or_text(reply, "assistant")
    if not after:
        return before or None
    return after if after[0]["role"] != "assistant" else before + after


def _turns_or_text(cell: Any, role: str) -> list[Turn]:
    found = turns(cell)
    if found is not None:
        return found
    return [{"role": role, "content": cell.strip()}] if isinstance(cell, str) and cell.strip() else []


def _conversations(frame: pl.DataFrame, shapes: dict[str, str]) -> Seen | None:
    """A column of lists of turns, and maybe one with the system prompt."""
    column = MESSAGES if MESSAGES in shapes else next(iter(shapes), None)
    if column is None:
        return None
    rows = [turns(cell) for cell in frame[column].to_list()]
    gone = [column]
    if "system" in frame.columns and frame["system"].dtype == pl.String:
        gone.append("system")
        for conversation, system in zip(rows, frame["system"].to_list(), strict=True):
            if conversation and system and conversation[0]["role"] != "system":
                conversation.insert(0, {"role": "system", "content": system})
    return _normalised(frame, rows, gone, shapes[column], [])


def _normalised(frame: pl.DataFrame, rows: list[list[Turn] | None], gone: list[str], kind: str, warnings: list[Sentence]) -> Seen:
    """The table with its conversations in the column `messages`, first, and the columns they came from left out."""
    raw = frame[gone[0]].to_list()  # what is no conversation stays as it is, and is counted where it would be learnt from
    cells = [cell if row is None else written_turns(row) for row, cell in zip(rows, raw, strict=True)]
    others = frame.drop(gone, strict=False)
    if MESSAGES in others.columns:
        others = others.rename({MESSAGES: f"{MESSAGES}_2"})
    if silent := sum(not any(turn["role"] == "assistant" for turn in row or ()) for row in rows):
        message = "Conversations in which no assistant says anything: {count}. They stay in the table, and nothing can be learnt from them."
        warnings.append(Sentence(message, count=silent))
    return Seen(others.insert_column(0, pl.Series(MESSAGES, cells, dtype=pl.String)), kind, warnings)


def _column_shape(column: pl.Series) -> str | None:
    """The form of the conversations in a column, where most of its first cells hold one."""
    if column.dtype != pl.String:
        return None
    cells = column.drop_nulls().head(LOOK).to_list()
    shapes = [shape for cell in cells if cell.lstrip()[:1] == "[" and (shape := _shape(_loaded(cell)))]
    return max(set(shapes), key=shapes.count) if shapes and 2 * len(shapes) > len(cells) else None


def _shape(value: Any) -> str | None:
    """sharegpt or openai for a list of turns by known speakers, else None."""
    if not isinstance(value, list) or not value or not all(isinstance(turn, dict) for turn in value):
        return None
    shape = next((name for keys, name in SHAPES.items() if all(key in value[0] for key in keys)), None)
    return shape if shape and turns(value) is not None else None


def _said(turn: dict[str, Any]) -> str:
    """What is said in a turn; parts of it are joined, and a call of a tool is its JSON."""
    content = next((turn[key] for key in WHAT if turn.get(key)), None) or turn.get("tool_calls") or turn.get("function_call")
    if isinstance(content, list) and all(isinstance(part, (dict, str)) for part in content):
        texts = [part if isinstance(part, str) else part.get("text") for part in content]
        if all(isinstance(text, str) for text in texts):
            content = "\n".join(text for text in texts if text)
    if content is None or isinstance(content, str):
        return (content or "").strip()
    return json.dumps(content, ensure_ascii=False)


def _loaded(cell: str) -> Any:
    """The value that a cell says in JSON, or in Python as tables exported from there have it; None for anything else."""
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    if not cell.lstrip().startswith(("[{'", "({'")):
        return None
    try:
        return ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
