"""The experiment "facts or style?" as HTML: what came out in one sentence, figures, and each question with four judged answers.

Pure functions; every text is data and is escaped. Values come as `playground.facts.work` gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from playground.errors import unpack
from playground.facts.judging import PANES, counts, verdict
from playground.ui.formatting import Say, Translate, duration, shorten, when

ANSWER_CHARACTERS = 320
MARKS = {True: ("✓", "yes"), False: ("✗", "no")}
Result = Mapping[str, Any]


def progress(job: Any, say: Say, translate: Translate) -> str:
    """A bar, how many questions are answered, and the time left."""
    doing = translate(job.doing) if job.doing else say("facts.beginning")
    left = say("facts.left", time=duration(job.eta_seconds)) if job.eta_seconds is not None else ""
    bar = f'<progress max="{max(1, job.total)}" value="{job.done}" aria-label="{escape(doing, quote=True)}"></progress>'
    told = " · ".join(one for one in (doing, say("facts.so_far", n=job.done, total=job.total), left) if one)
    return f'<div class="indexing" role="status">{bar}<span>{escape(told)}</span></div>'


def ending(job: Any, say: Say, translate: Translate) -> str:
    """What to know of an experiment that did not come to its end."""
    if job.error:
        return f'<p class="warn">{escape(translate(job.error))}</p>'
    return f'<p class="warn">{escape(say("facts.was_stopped", n=job.done, total=job.total))}</p>' if job.state == "stopped" else ""


def drawn(result: Result, say: Say, translate: Translate) -> str:
    """What came out: the sentence, the figures, the table."""
    if not result["rows"]:
        return ""
    counted = counts(result["rows"])
    shown = f'<p class="verdict-line">{escape(said(counted, say))}</p>{_figures(counted, bool(any(result["style"])), say)}'
    by = say("facts.by", run=result["run"], dataset=result["dataset"], date=when(result["asked"]))
    return (
        f'<div class="facts">{shown}{_table(result, say, translate)}<p class="hint">{escape(by)} {escape(_judged(result, say))}</p></div>'
    )


def said(counted: Mapping[str, Mapping[str, int]], say: Say) -> str:
    """The result in one sentence that no figure contradicts."""
    values = {
        "documents": max(counted["base_documents"]["right"], counted["tuned_documents"]["right"]),
        "tuned": counted["tuned"]["right"],
        "of": counted["tuned"]["of"],
        "styled": counted["tuned"]["styled"],
    }
    return say(f"facts.verdict_{verdict(counted)}", **values)


def _judged(result: Result, say: Say) -> str:
    opening, closing = result["style"]
    style = say("facts.style_is", style=" … ".join(part for part in (opening, closing) if part)) if opening or closing else ""
    return f"{say('facts.judged')} {style}".strip()


def _figures(counted: Mapping[str, Mapping[str, int]], has_style: bool, say: Say) -> str:
    heads = "".join(f'<th scope="col">{escape(say(f"facts.{pane}"))}</th>' for pane in PANES)
    lines = []
    for key in ("right", "styled") if has_style else ("right",):
        cells = "".join(f"<td>{escape(say('facts.of', n=counted[pane][key], total=counted[pane]['of']))}</td>" for pane in PANES)
        lines.append(f'<tr><th scope="row">{escape(say(f"facts.{key}"))}</th>{cells}</tr>')
    table = f'<table class="sums"><thead><tr><td></td>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    return f'<div class="wide" tabindex="0">{table}</div>'


def _table(result: Result, say: Say, translate: Translate) -> str:
    heads = [say("facts.question"), say("facts.right_answer"), *(say(f"facts.{pane}") for pane in PANES)]
    head = "".join(f'<th scope="col" role="columnheader">{escape(text)}</th>' for text in heads)
    rows = []
    for row in result["rows"]:
        cells = [
            f'<span class="said">{escape(row["question"])}</span>',
            f'<span class="said">{escape(row["right"])}</span>',
            *(_answer(row["answers"][pane], say, translate) for pane in PANES),
        ]
        kinds = ("question", "right", "base", "tuned", "base", "tuned")
        drawn = (
            f'<td role="cell" class="{kind}"><b aria-hidden="true">{escape(name)}</b><div>{cell}</div></td>'
            for kind, name, cell in zip(kinds, heads, cells, strict=True)
        )
        rows.append(f'<tr role="row">{"".join(drawn)}</tr>')
    # the roles are what browsers forget where a style sheet turns rows into cards
    return (
        f'<table class="answers four" role="table"><caption>{escape(say("facts.caption"))}</caption>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead><tbody role="rowgroup">{"".join(rows)}</tbody></table>'
    )


def _answer(answer: Mapping[str, Any], say: Say, translate: Translate) -> str:
    if answer["error"]:
        sentence = unpack(answer["sentence"])
        return f'<span class="warn">{escape(translate(sentence) if sentence else answer["error"])}</span>'
    sign, word = MARKS[answer["right"]]
    text = shorten(answer["text"], ANSWER_CHARACTERS) or say("facts.nothing")
    mark = f'<span class="verdict {word}"><i aria-hidden="true">{sign}</i> {escape(say(f"facts.is_{word}"))}</span>'
    own = f"<small>{escape(say('facts.own_words'))} {escape(shorten(answer['said'], ANSWER_CHARACTERS))}</small>" if answer["said"] else ""
    return f'<span class="said">{escape(text)}</span>{mark}{own}'
