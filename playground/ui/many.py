"""The answers to a whole list of questions as HTML: how far it is, what came out, a page of the table. Pure functions, every text escaped.

Knows no Gradio and no services.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.errors import unpack
from playground.ui.formatting import Say, Translate, cards, duration, plain, when

PAGE_ROWS = 25
FOLDED_FROM = 420  # characters of a cell from which on only its beginning stands open
BEGINNING = 300
MARKS = {True: ("✓", "yes"), False: ("✗", "no")}


def progress(job: Any, say: Say, translate: Translate) -> str:
    """A bar, how many are answered, and the time left."""
    share = 100 * job.done / job.total if job.total else 0
    doing = say("many.stopping") if job.state == "stopping" else translate(job.doing) if job.doing else say("many.beginning")
    left = say("many.left", time=duration(job.eta_seconds)) if job.eta_seconds is not None else ""
    bar = f'<progress max="100" value="{share:.0f}" aria-label="{escape(doing, quote=True)}"></progress>'
    told = " · ".join(one for one in (doing, say("many.so_far", n=job.done, total=job.total), left) if one)
    return f'<div class="indexing" role="status">{bar}<span>{escape(told)}</span></div>'


def figures(counted: Mapping[str, int], total: int, say: Say) -> str:
    """How many were right, of those whose right answer is known, and how many answers are the same."""
    shown = [(say("many.same_figure"), say("many.of", n=counted["same_yes"], total=total))]
    for name in ("tuned", "base"):
        known = counted[f"{name}_right_yes"] + counted[f"{name}_right_no"]
        if known:
            shown.insert(0, (say(f"many.{name}_right"), say("many.of", n=counted[f"{name}_right_yes"], total=known)))
    nobody = len(shown) == 3 and not counted["base_right_yes"] and not counted["tuned_right_yes"]
    return cards(shown) + (f'<p class="quiet">{escape(say("many.nobody"))}</p>' if nobody else "")


def ending(job: Any, say: Say, translate: Translate) -> str:
    """What to know of a list that did not come to its end."""
    if job.error:
        return f'<p class="warn">{escape(translate(job.error))}</p>'
    if job.state == "stopped":
        return f'<p class="warn">{escape(say("many.was_stopped", n=len((job.result or {}).get("rows", [])), total=job.total))}</p>'
    return ""


def told(result: Mapping[str, Any], say: Say) -> str:
    """Who answered, when, and what of the list was not asked; as Markdown."""
    drawn = result["settings"]
    parts = [
        say("many.who", model=plain(result["model"]), run=plain(result["run"]), sha=result["adapter"][:12], date=when(result["asked"])),
        say("many.how", tokens=drawn["max_new_tokens"], temperature=drawn["temperature"]),
    ]
    if result["skipped"]:
        parts.append(say("many.skipped", n=result["skipped"]))
    if result.get("left_out"):
        parts.append(say("many.left_out", n=result["left_out"]))
    return " ".join(parts)


def table(rows: Sequence[tuple[int, Mapping[str, Any]]], say: Say, translate: Translate) -> str:
    """A page of rows, each with its number in the whole list; on a phone a row becomes a card, and each cell says what it is."""
    if not rows:
        return f'<p class="none">{escape(say("many.none"))}</p>'
    heads = [say(f"many.head_{name}") for name in ("question", "base", "tuned", "right", "same")]
    answers = any(row["right"] for _, row in rows)
    keep = [0, 1, 2, 3, 4] if answers else [0, 1, 2, 4]
    head = "".join(f'<th scope="col" role="columnheader">{escape(heads[place])}</th>' for place in keep)
    lines = []
    for number, row in rows:
        kinds = ("question", "base", "tuned", "right", "same")
        cells = [
            f"<small>{number + 1}</small> {_text(row['question'], say)}",
            _answer(row, "base", say, translate),
            _answer(row, "tuned", say, translate),
            _text(row["right"] or "–", say),
            escape("–" if row["same"] is None else say("many.is_same" if row["same"] else "many.is_other")),
        ]
        drawn = (
            f'<td role="cell" class="{kinds[place]}"><b aria-hidden="true">{escape(heads[place])}</b><div>{cells[place]}</div></td>'
            for place in keep
        )
        lines.append(f'<tr role="row">{"".join(drawn)}</tr>')
    # the roles are what browsers forget where a style sheet turns rows into cards
    return (
        f'<table class="answers{"" if answers else " unknown"}" role="table"><caption>{escape(say("many.caption"))}</caption>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead><tbody role="rowgroup">{"".join(lines)}</tbody></table>'
    )


def _answer(row: Mapping[str, Any], name: str, say: Say, translate: Translate) -> str:
    answer = row[name]
    if answer["error"]:
        said = unpack(answer["sentence"])
        return f'<span class="warn">{escape(translate(said) if said else answer["error"])}</span>'
    verdict = row[f"{name}_right"]
    mark = ""
    if verdict is not None:
        sign, word = MARKS[verdict]
        mark = f'<span class="verdict {word}"><i aria-hidden="true">{sign}</i> {escape(say(f"many.verdict_{word}"))}</span>'
    return f"{_text(answer['text'] or say('many.nothing'), say)}{mark}"


def _text(text: str, say: Say) -> str:
    if len(text) <= FOLDED_FROM:
        return f'<span class="said">{escape(text)}</span>'
    beginning, rest = escape(text[:BEGINNING]), escape(text[BEGINNING:])
    folded = f'<details><summary>{escape(say("many.more"))}</summary><span class="said">{rest}</span></details>'
    return f'<span class="said">{beginning}</span>{folded}'
