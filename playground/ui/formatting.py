"""Values into words and tables for the page: pure functions, no Gradio, no services."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any

Say = Callable[..., str]  # a locale key and its values -> a sentence
Translate = Callable[[str], str]  # a service's sentence -> the same for the visitor
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab_character", "|": "pipe"}
FORMATS = {"jsonl": "JSON Lines", "parquet": "Parquet", "xlsx": "Excel (XLSX)", "xls": "Excel (XLS)", "ods": "OpenDocument (ODS)"}
WORDED = ("text", "markdown", "alpaca", "sharegpt", "openai", "prompt_completion", "dpo")  # formats that have words of their own
RECOGNISED = "Recognised as {what}."  # a warning for programs; on the page the line itself says it
ABOVE_HEADER = "Lines above the header that were left out: {count}."  # likewise: they are among the lines left out
PREVIEW_CHARACTERS = 300


def duration(seconds: float | None) -> str:
    """`75` -> `1 min 15 s`; a dash where it is not known."""
    if seconds is None or seconds != seconds:
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def megabytes(mb: float | None, say: Say | None = None) -> str:
    """`2048` -> `2.0 GB`."""
    if mb is None or mb < 1024:
        return "–" if mb is None else f"{mb:.0f} MB"
    return say("number.gigabytes", n=mb / 1024) if say else f"{mb / 1024:.1f} GB"


def number(value: float | None, say: Say) -> str:
    """A loss, as one writes it in the visitor's language."""
    return "–" if value is None else say("number.loss", n=value)


def parameters(count: int | None, say: Say) -> str:
    """`8032512` -> `8.0 M`."""
    if not count:
        return ""
    return say("number.billions", n=count / 1e9) if count >= 1e9 else say("number.millions", n=count / 1e6)


def when(timestamp: float | None) -> str:
    return datetime.fromtimestamp(timestamp).strftime("%Y-%m-%d %H:%M") if timestamp else "–"


def plain(text: str) -> str:
    """Text from data, safe inside Markdown and HTML: every character with a meaning there is escaped, lines are joined."""
    one_line = " ".join(str(text).split())
    return "".join(f"&#{ord(c)};" if c in "\\`*_{}[]()#+-.!|<>&\"'~$:/@" else c for c in one_line)


def shorten(value: Any, characters: int = PREVIEW_CHARACTERS) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= characters else text[: characters - 1] + "…"


def understood(info: dict[str, Any], say: Say, translate: Translate) -> str:
    """One line of Markdown on what was read, then one for each thing left out or to be known."""
    read = info["read_as"]
    format, chat = str(read.get("format") or ""), read.get("chat_format")
    details = say(f"dataset.as_{chat}") if chat in WORDED else ""
    if read.get("encoding"):
        details += say("dataset.encoding", encoding=plain(read["encoding"]))
    if read.get("delimiter"):
        name = DELIMITERS.get(read["delimiter"])
        details += say("dataset.delimiter", delimiter=say(f"dataset.{name}") if name else plain(repr(read["delimiter"])))
    if read.get("sheet"):
        details += say("dataset.sheet", sheet=plain(read["sheet"]))
    if read.get("header") is not None and read.get("delimiter"):
        details += say("dataset.header") if read["header"] else say("dataset.no_header")
    columns = len(info["columns"])
    line = say(
        "dataset.read_one" if columns == 1 else "dataset.read",
        name=plain(info["name"]),
        format=say(f"dataset.as_{format}") if format in WORDED else plain(FORMATS.get(format, format.upper())),
        details=details,
        rows=info["rows"],
        **({} if columns == 1 else {"columns": columns}),
    )
    said = {ABOVE_HEADER, RECOGNISED} if chat in WORDED else {ABOVE_HEADER}
    told = [one for one in info.get("warnings", []) if getattr(one, "template", one) not in said]
    left_out = [
        say("dataset.dropped", rows=rows, reason=plain(translate(reason))) for reason, rows in info.get("dropped", {}).items() if rows
    ]
    return "\n\n".join([line, *(f"- {note}" for note in [*left_out, *(plain(translate(one)) for one in told)])])


def column_rows(columns: Iterable[dict[str, Any]], say: Say, translate: Translate) -> list[list[str]]:
    """Name, type, empty cells, different values and an example of each column."""
    return [
        [c["name"], translate(c["type"]), *(say("number.whole", n=c[key]) for key in ("missing", "unique")), shorten(c["example"], 60)]
        for c in columns
    ]


def mapping_notes(report: dict[str, Any], say: Say, translate: Translate) -> str:
    """The split, the lengths and what cannot be used, as Markdown."""
    tokens = report["tokens"]
    lines = [
        say("mapping.split", **report["rows"]),
        say("mapping.tokens", **{k: tokens[k] for k in ("median", "max", "window")}, model=plain(tokens["model"])),
    ]
    kind = {"completion": "_text", "chat": "_chat"}.get(report["task"], "")
    words = {"answer": report["words"]["answer"]} if kind == "_text" else report["words"]
    lines.append(say(f"mapping.words{kind}", **words))
    if tokens["over_limit"]:
        lines.append(say(f"mapping.over{kind}", n=tokens["over_limit"]))
    lines += [say("mapping.dropped", n=n, reason=plain(translate(reason))) for reason, n in report["dropped"].items() if n]
    return "\n\n".join([*lines, *(plain(translate(one)) for one in report["warnings"])])


def cards(figures: Sequence[tuple[str, str]]) -> str:
    """A row of figures as HTML; labels and values are escaped."""
    cells = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in figures)
    return f'<dl class="figures">{cells}</dl>'


def strip(parts: Sequence[tuple[str, str]]) -> str:
    """Where one stands, as HTML; labels and values are escaped."""
    cells = "".join(f"<span><b>{escape(label)}</b> {escape(value)}</span>" for label, value in parts)
    return f'<div class="standing" role="status">{cells}</div>'
