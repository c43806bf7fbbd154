"""Questions with expected answers as HTML: figures with their intervals, two results side by side, the rows, the curves of a threshold.

Pure functions, every text escaped. Knows no Gradio and no services.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.errors import unpack
from playground.rag.exam.figures import LEAST_CHANGED
from playground.ui.curve import Line, draw
from playground.ui.documents import where as cited_at
from playground.ui.formatting import Say, Translate, plain, when

PAGE_ROWS = 25
FOLDED_FROM, BEGINNING = 420, 300  # characters of a cell from which on only its beginning stands open; how many those are
MARKS = {True: ("✓", "yes"), False: ("✗", "no")}
SEARCH = ("recall_1", "recall_5", "recall_10", "mrr_10")


def setting(about: Mapping[str, Any], say: Say) -> str:
    """With which settings a list was asked, in one phrase."""
    how = about["settings"]
    who = about.get("run") or say(f"exam.by_{how['phrased_by']}" if how["phrased_by"] in ("nobody", "base") else "exam.by_run")
    parts = [say(f"exam.search_{how['mode']}"), *_steps(how, say), say("exam.at", threshold=how["threshold"]), who, about["collection"]]
    return " · ".join(parts)


def _steps(how: Mapping[str, Any], say: Say) -> list[str]:
    """What differs from the usual search of a mode."""
    told = []
    if how.get("thesaurus", how["mode"] == "hybrid") != (how["mode"] == "hybrid"):
        told.append(say("exam.related" if how["thesaurus"] else "exam.no_related"))
    if how.get("weight") is not None:
        told.append(say("exam.weight", n=how["weight"]))
    if how.get("reranker"):
        told.append(say("exam.reranker", name=how["reranker"].rpartition("/")[2]))
    return told


def round_name(about: Mapping[str, Any], say: Say) -> str:
    """A list that was asked, as a choice."""
    return say("exam.round", setting=setting(about, say), n=about["questions"], date=when(about["created"]))


def told(result: Mapping[str, Any], say: Say) -> str:
    """What was asked how; as Markdown."""
    parts = [say("exam.told", setting=plain(setting(result, say)), embedder=plain(result["embedder"]), date=when(result["asked"]))]
    if result["skipped"]:
        parts.append(say("many.skipped", n=result["skipped"]))
    if result.get("pages_unread"):
        parts.append(say("exam.pages_unread", n=result["pages_unread"]))
    if failed := sum(bool(row["error"]) for row in result.get("rows", ())):
        parts.append(say("exam.not_counted", n=failed))
    return " ".join(parts)


def figures(found: Mapping[str, Mapping[str, Any]], say: Say) -> str:
    """Each figure with its interval and the questions it rests on."""
    if not found:
        return ""
    heads = [say(f"exam.head_{name}") for name in ("figure", "value", "n")]
    rows = [
        [
            _figure(name, say),
            f"<b>{escape(_number(one['value'], say))}</b> <span>{escape(say('exam.from_to', low=one['low'], high=one['high']))}</span>",
            escape(say("number.whole", n=one["n"])),
        ]
        for name, one in found.items()
    ]
    return _table(heads, rows, say("exam.figures"))


def comparison(found: Mapping[str, Any], before: str, after: str, say: Say) -> str:
    """Two results side by side with their differences, of which some are called chance: nought is in the interval, or few questions
    changed."""
    heads = [say(f"exam.head_{name}") for name in ("figure", "before", "after", "difference", "n")]
    rows = []
    for name, one in found["figures"].items():
        verdict = "more" if one["low"] > 0 else "less" if one["high"] < 0 else "same" if one["difference"] == 0 else "chance"
        kind = verdict
        if verdict in ("more", "less") and one["changed"] < LEAST_CHANGED:
            verdict, kind = "few", "chance"
        difference = say("exam.difference", n=one["difference"], low=one["low"], high=one["high"])
        rows.append(
            [
                _figure(name, say),
                escape(_number(one["before"], say)),
                escape(_number(one["after"], say)),
                f'<b>{escape(difference)}</b> <span class="{kind}">{escape(say(f"exam.is_{verdict}", n=one["changed"]))}</span>',
                escape(say("number.whole", n=one["n"])),
            ]
        )
    what = say("exam.compared", before=before, after=after, n=found["questions"])
    return f'<p class="quiet">{escape(what)}</p>{_table(heads, rows, say("exam.comparison"))}'


def _figure(name: str, say: Say) -> str:
    return f"{escape(say(f'exam.{name}'))} <small>{escape(say(f'exam.{name}_info'))}</small>"


def _number(value: float, say: Say) -> str:
    return say("number.loss", n=value)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """Cells are HTML already. On a phone a row becomes a card, so each cell carries its head."""
    head = "".join(f'<th scope="col" role="columnheader">{escape(one)}</th>' for one in heads)
    lines = []
    for cells in rows:
        drawn = "".join(
            f'<td role="cell"><b aria-hidden="true">{escape(name)}</b><div>{cell}</div></td>'
            for name, cell in zip(heads, cells, strict=True)
        )
        lines.append(f'<tr role="row">{drawn}</tr>')
    return (
        f'<table class="answers exam" role="table"><caption>{escape(caption)}</caption><thead role="rowgroup"><tr role="row">{head}</tr>'
        f'</thead><tbody role="rowgroup">{"".join(lines)}</tbody></table>'
    )


def table(rows: Sequence[tuple[int, Mapping[str, Any]]], say: Say, translate: Translate) -> str:
    """A page of rows: question, expected, answer, page, right?"""
    if not rows:
        return f'<p class="none">{escape(say("many.none"))}</p>'
    heads = [say(f"exam.head_{name}") for name in ("question", "expected", "answer", "page", "right")]
    return _table(heads, [_cells(number, row, say, translate) for number, row in rows], say("exam.caption"))


def _cells(number: int, row: Mapping[str, Any], say: Say, translate: Translate) -> list[str]:
    where = _where(row["document"], row["page"], say)
    wanted = _text(" | ".join(row["expected"]), say) if row["answerable"] else f"<i>{escape(say('exam.not_there'))}</i>"
    page = escape(cited_at(row["cited"], say)) if row["cited"] else ""
    if row["page_right"] is not None:
        page += _verdict(row["page_right"], say("exam.page_yes" if row["page_right"] else "exam.page_no"))
    if row["ranked"]:
        page += f"<small>{escape(say('exam.found_at', rank=row['rank']) if row['rank'] else say('exam.found_nowhere'))}</small>"
    verdict = "–" if row["right"] is None else _verdict(row["right"], say("exam.yes" if row["right"] else "exam.no"))
    return [
        f"<small>{number + 1}</small> {_text(row['question'], say)}",
        wanted + (f"<small>{where}</small>" if where else ""),
        _answer(row, say, translate),
        page or "–",
        verdict,
    ]


def _answer(row: Mapping[str, Any], say: Say, translate: Translate) -> str:
    if row["error"]:
        said = unpack(row["error"])
        return f'<span class="warn">{escape(translate(said)) if said else ""}</span>'
    sure = f"<small>{escape(say('exam.sure', n=row['confidence']))}</small>"
    if row["refused"]:
        return f"<i>{escape(say('exam.refused'))}</i>{sure}"
    words = f"<small>{escape(say('exam.model_words'))} {_text(row['said'], say)}</small>" if row["said"] else ""
    return f"{_text(row['answer'], say)}{words}{sure}"


def _where(document: str, page: int | str | None, say: Say) -> str:
    if page is None:
        return escape(document)
    return escape(say("documents.where", document=document, page=page) if document else say("exam.page", page=page))


def _verdict(right: bool, word: str) -> str:
    sign, kind = MARKS[right]
    return f'<span class="verdict {kind}"><i aria-hidden="true">{sign}</i> {escape(word)}</span>'


def _text(text: str, say: Say) -> str:
    if len(text) <= FOLDED_FROM:
        return f'<span class="said">{escape(text)}</span>'
    beginning, rest = escape(text[:BEGINNING]), escape(text[BEGINNING:])
    folded = f'<details><summary>{escape(say("many.more"))}</summary><span class="said">{rest}</span></details>'
    return f'<span class="said">{beginning}</span>{folded}'


def threshold_chart(curves: Mapping[str, Sequence[tuple[float, float]]], threshold: float, say: Say) -> str:
    """How sure the evidence was, of questions with and without an answer, and where the threshold stands between them."""
    kinds = {"answerable": "train", "unanswerable": "eval"}
    lines = [Line(say(f"exam.{name}"), [(100 * x, 100 * y) for x, y in points], kinds[name], end=False) for name, points in curves.items()]
    mark = (100 * threshold, 0.0)
    return draw(
        lines,
        x_title=say("exam.confidence"),
        y_title=say("exam.chart"),
        mark=mark,
        mark_name=say("exam.threshold_is", n=threshold),
        x_max=100,
        written=lambda kind, value: say(f"number.{kind}", n=value),
        kind="exam",
        from_zero=True,
    )


def proposal(found: Mapping[str, Any] | None, least: int, say: Say) -> str:
    """The threshold that would have refused best, in words; as Markdown."""
    return say("exam.proposal", **found) if found else say("exam.too_few", n=least)


def standing(threshold: Any, say: Say) -> str:
    """Which threshold counts for the collection now, and where it comes from; as Markdown."""
    if not threshold.own:
        return say("exam.threshold_default", n=threshold.value)
    if "held_f1" in threshold.about:
        questions = threshold.about["answerable"] + threshold.about["unanswerable"]
        return say("exam.threshold_kept", n=threshold.value, questions=questions, date=when(threshold.about.get("kept")))
    return say("exam.threshold_own", n=threshold.value, date=when(threshold.about.get("kept")))
