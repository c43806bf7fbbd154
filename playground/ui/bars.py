"""Bars drawn as HTML: how long the examples are and where the model stops reading, and how many rows each group has.

Names of groups are data and are escaped. Knows neither datasets nor languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from playground.ui.formatting import Say, shorten

MOST_GROUPS = 12


def lengths(histogram: Sequence[tuple[int, int, int]], window: int, say: Say) -> str:
    """Examples by length; `histogram`: (from, up to, examples), tokens. What lies beyond the window is marked. Empty without bars."""
    most = max((count for _, _, count in histogram), default=0)
    if not most:
        return ""
    bars = "".join(
        f'<i class="{"over" if low >= window else "within"}" style="height:{max(2 if count else 0, round(100 * count / most))}%"'
        f' title="{escape(say("bars.length", low=low, high=high - 1, count=count), quote=True)}"></i>'
        for low, high, count in histogram
    )
    low, high = (say("number.whole", n=end) for end in (histogram[0][0], histogram[-1][1] - 1))
    told = say("bars.lengths_told", low=histogram[0][0], high=histogram[-1][1] - 1, most=most)
    return (
        f'<figure class="bars"><figcaption>{escape(say("bars.lengths"))}</figcaption>'
        f'<div class="upright" role="img" aria-label="{escape(told, quote=True)}">{bars}</div>'
        f'<div class="ends"><span>{low}</span><span>{high}</span></div></figure>'
    )


def groups(counts: Sequence[tuple[str, int]], say: Say) -> str:
    """Rows of each group, the largest first; of many groups the last ones are summed up. Empty without groups."""
    if not counts:
        return ""
    shown = list(counts[:MOST_GROUPS])
    rest = counts[MOST_GROUPS:]
    if rest:
        shown.append((say("bars.others", n=len(rest)), sum(count for _, count in rest)))
    most = max(count for _, count in shown)
    lines = "".join(
        f"<dt>{escape(shorten(name, 40))}</dt>"
        f'<dd><i style="width:{max(1, round(100 * count / most))}%"></i><b>{escape(say("number.whole", n=count))}</b></dd>'
        for name, count in shown
    )
    return f'<figure class="bars"><figcaption>{escape(say("bars.groups"))}</figcaption><dl>{lines}</dl></figure>'
