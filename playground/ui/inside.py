"""Answers drawn token by token as HTML: colour by probability, what else was likely at each place, and the raw text.

All text is data and is escaped; what a token shows opens by pointing, by focus or by a tap, with style rules alone and no script. Knows
neither Gradio nor services nor languages: values come as `look_inside` gives them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from playground.ui.formatting import Say

STEPS = (0.9, 0.5, 0.2, 0.05)  # from which probability on a token has each colour, from none to the strongest
MARKS = "①②③④⑤⑥⑦⑧⑨"
SIGNS = {"base": "●", "tuned": "◆"}
VISIBLE = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍"})  # where a blank alone would not be seen
PART_OF_ONE = "\ufffd"

Pairs = Sequence[tuple[str, str]]  # (key, name) of the panes
Seen = Mapping[str, Any]


def drawn(seen: Seen, panes: Pairs, names: Pairs, say: Say) -> str:
    """Everything that was seen: the right answer's numbers, the answers, and the raw text.

    Args:
        panes: the models that read, in the order in which their numbers stand.
        names: the answers to show, by key.
    """
    parts = [_right(seen["right"], panes, say)] if seen.get("right") else []
    parts.append(_legend(say))
    answers = [_answer(seen["answers"][key], number, key, name, panes, say) for number, (key, name) in enumerate(names)]
    parts.append(f'<div class="answers">{"".join(answers)}</div>')
    parts.append(_raw(seen, panes, names, say))
    return f'<div class="inside">{"".join(parts)}</div>'


def percent(probability: float | None, say: Say) -> str:
    """`0.97` -> `97 %`: with more places where it is small, and never a round 0 or 100 that it is not."""
    if probability is None:
        return "–"
    share = 100 * probability
    if share >= 99.95:
        return say("inside.percent_most")
    if share < 0.01:
        return say("inside.percent_least")
    kind = "percent" if 9.95 <= share < 98.95 else "percent_fine" if share >= 0.995 else "percent_finest"
    return say(f"inside.{kind}", n=share)


def step(probability: float) -> int:
    """Which colour a token has, from 0 (expected) to 4 (a surprise)."""
    return sum(probability < border for border in STEPS)


def _right(right: Seen, panes: Pairs, say: Say) -> str:
    """The right answer's one number under each model, and its tokens in the colours of each."""
    figures = "".join(
        f'<div class="{_kind(key)}"><dt>{_named(key, name)}</dt><dd>{escape(percent(right["by"][key]["probability"], say))}</dd></div>'
        for key, name in panes
    )
    lines = "".join(
        f'<p class="whose {_kind(key)}">{escape(say("inside.as_read", name=_plain_name(key, name)))}</p>'
        + _tokens(right["pieces"], key, f"right-{number}", panes, say)
        for number, (key, name) in enumerate(panes)
    )
    return (
        f'<section class="right"><h4>{escape(say("inside.right"))}</h4><blockquote>{escape(right["text"])}</blockquote>'
        f'<dl class="figures">{figures}</dl><p class="about">{escape(say("inside.right_hint"))}</p>'
        f"<details><summary>{escape(say('inside.right_tokens'))}</summary>{lines}</details></section>"
    )


def _legend(say: Say) -> str:
    borders = (1.0, *STEPS, 0.0)
    steps = "".join(
        f'<span class="tok p{number}">{escape(say("inside.from_to", low=100 * low, high=100 * high))}</span>'
        for number, (high, low) in enumerate(pairwise(borders))
    )
    return (
        f'<div class="legend"><p>{escape(say("inside.how"))}</p>'
        f'<p class="steps"><b>{escape(say("inside.colour"))}</b> {steps}</p>'
        f'<p><span class="mark">{MARKS[0]}</span> {escape(say("inside.marks"))}</p></div>'
    )


def _answer(answer: Seen, number: int, key: str, name: str, panes: Pairs, say: Say) -> str:
    """One answer in the colours of the model that wrote it, or of the last one where none of these did."""
    by = key if key in answer["by"] else panes[-1][0]
    means = " · ".join(f"{_plain_name(one, called)} {percent(answer['by'][one]['probability'], say)}" for one, called in panes)
    notes = [say("inside.mean", means=means, n=answer["tokens"])]
    notes += [] if answer["ended"] else [say("inside.not_ended")]
    notes += [say("inside.left_out", n=answer["left_out"])] if answer["left_out"] else []
    return (
        f'<section class="{_kind(key)}"><h4>{_named(key, name)}</h4>{_tokens(answer["pieces"], by, f"a{number}", panes, say)}'
        + "".join(f'<p class="about">{escape(note)}</p>' for note in notes)
        + "</section>"
    )


def _tokens(pieces: Sequence[Seen], by: str, name: str, panes: Pairs, say: Say) -> str:
    shown = "".join(_piece(piece, by, f"inside-{name}-{number}", panes, say) for number, piece in enumerate(pieces))
    return f'<div class="tokens">{shown or escape(say("inside.nothing"))}</div>'


def _piece(piece: Seen, by: str, id: str, panes: Pairs, say: Say) -> str:
    """One token, or the tokens that make one character."""
    probability = 1.0
    for token in piece["tokens"]:
        probability *= token["by"][by]["probability"]
    marks = [token["mark"] for token in piece["tokens"] if token["mark"]]
    text = piece["text"]
    body = escape(text) if text.strip() else escape(text.translate(VISIBLE)) + ("\n" if text.endswith("\n") else "")
    classes = f"tok p{step(probability)}" + (" control" if piece["control"] else "") + (" marked" if marks else "")
    mark = f'<span class="mark" aria-hidden="true">{MARKS[min(marks) - 1]}</span>' if marks else ""
    inside = "".join(_place(token, number, len(piece["tokens"]), piece, panes, say) for number, token in enumerate(piece["tokens"], 1))
    return (
        f'<span class="{classes}" tabindex="0" aria-describedby="{id}">{body or escape(say("inside.nothing"))}{mark}'
        f'<span class="pop" role="tooltip" id="{id}">{inside}</span></span>'
    )


def _place(token: Seen, number: int, count: int, piece: Seen, panes: Pairs, say: Say) -> str:
    """What stands in the box of a token: its own numbers, then the likeliest ones, under every model."""
    head = escape(say("inside.part", n=number, count=count)) if count > 1 else escape(_spelt(piece["text"], say))
    names = "".join(f'<span class="{_kind(key)}">{_named(key, name)}</span>' for key, name in panes)
    own = "".join(
        _number(key, token["by"][key]["probability"], say, say("inside.rank", n=token["by"][key]["rank"])) for key, _ in panes
    )  # fmt: skip
    rows = "".join(
        f'<span class="{"here" if one["id"] == token["id"] else "other"}">{escape(_spelt(one["text"], say))}</span>'
        + "".join(_number(key, one["by"][key], say) for key, _ in panes)
        for one in token["likeliest"]
    )
    differ = say("inside.differ", bits=token["divergence"])
    if token["mark"]:
        differ = f"{MARKS[token['mark'] - 1]} {say('inside.marked')} {differ}"
    return (
        f'<span class="grid"><span class="what">{escape(say("inside.written"))}</span>{names}<span class="here">{head}</span>{own}'
        f'<span class="what wide">{escape(say("inside.likeliest"))}</span>{rows}</span><span class="differ">{escape(differ)}</span>'
    )


def _number(key: str, probability: float, say: Say, also: str = "") -> str:
    bar = f'<i style="width:{max(0.0, min(100.0, 100 * probability)):.1f}%"></i>'
    small = f" <small>{escape(also)}</small>" if also else ""
    return f'<span class="number {_kind(key)}">{bar}<span>{escape(percent(probability, say))}{small}</span></span>'


def _spelt(text: str, say: Say) -> str:
    """A token by itself, its blanks visible."""
    if PART_OF_ONE in text:
        return say("inside.half")
    return f"“{text.translate(VISIBLE)}”" if text else say("inside.nothing")


def _raw(seen: Seen, panes: Pairs, names: Pairs, say: Say) -> str:
    """What went in and what came out, control tokens framed; one prompt for all where they read the same."""
    prompts = seen["prompts"]
    alike = all(prompts[key]["raw"] == prompts[panes[0][0]]["raw"] for key, _ in panes)
    parts = []
    for key, name in panes[:1] if alike else panes:
        prompt = prompts[key]
        who = say("inside.both_read", n=prompt["tokens"]) if alike else say("inside.read", name=_plain_name(key, name), n=prompt["tokens"])
        cut = f'<p class="about">{escape(say("inside.cut", n=prompt["cut"]))}</p>' if prompt["cut"] else ""
        parts.append(f"<h5>{escape(who)}</h5>{_framed(prompt['raw'])}{cut}")
    for key, name in names:
        answer = seen["answers"][key]
        parts.append(f"<h5>{escape(say('inside.wrote', name=_plain_name(key, name), n=answer['tokens']))}</h5>{_framed(answer['raw'])}")
    hint = f'<p class="about">{escape(say("inside.raw_hint"))}</p>'
    return f'<details class="raw"><summary>{escape(say("inside.raw"))}</summary>{hint}{"".join(parts)}</details>'


def _framed(runs: Sequence[Sequence[Any]]) -> str:
    shown = "".join(f"<b>{escape(text)}</b>" if control else escape(text) for text, control in runs)
    return f'<pre tabindex="0">{shown}</pre>'


def _kind(key: str) -> str:
    """A class of the style sheet; a key may be anything."""
    return key if key in SIGNS else "other"


def _plain_name(key: str, name: str) -> str:
    return f"{SIGNS[key]} {name}" if key in SIGNS else name


def _named(key: str, name: str) -> str:
    return escape(_plain_name(key, name))
