"""Two answers word by word: what only one of them says. Pure functions that give HTML, every text escaped.

Words are matched by their longest common runs (`difflib`, after Ratcliff & Obershelp, 1988). Knows no Gradio.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from html import escape

from playground.ui.formatting import Say

WORD = re.compile(r"\s+|\w+|[^\w\s]")
MOST_WORDS = 4_000  # of both; beyond that matching takes seconds


def differing(before: str, after: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both texts in pieces, each with whether only this text has it; the pieces of a text, joined, are the text."""
    left, right = WORD.findall(before), WORD.findall(after)
    if len(left) + len(right) > MOST_WORDS:
        alike = before == after
        return [(before, not alike)], [(after, not alike)]
    pieces: tuple[list[tuple[str, bool]], list[tuple[str, bool]]] = ([], [])
    for kind, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        for words, side in ((left[a:b], pieces[0]), (right[c:d], pieces[1])):
            if words:
                side.append(("".join(words), kind != "equal"))
    return pieces


def shown(before: str, after: str, names: tuple[str, str], say: Say) -> str:
    """The two answers beside each other, what differs marked by colour and by an underline."""
    sides = differing(before, after)
    alike = not any(only for side in sides for _, only in side)
    columns = "".join(
        f'<div class="{kind}"><h4>{escape(name)}</h4><p>{_marked(side)}</p></div>'
        for kind, name, side in zip(("base", "tuned"), names, sides, strict=True)
    )
    told = say("chat.same_words") if alike else say("chat.only_here")
    return f'<div class="difference"><p class="hint">{escape(told)}</p><div class="sides">{columns}</div></div>'


def _marked(side: list[tuple[str, bool]]) -> str:
    return "".join(f"<mark>{escape(text)}</mark>" if only and text.strip() else escape(text) for text, only in side)
