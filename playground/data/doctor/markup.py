"""The marks of web pages (HTML) in text, and the text without them.

A tag counts only if it has the name of an element and is surely meant as one: it closes, is closed later, has attributes, or is of those
that stand alone. So "a < b", "<3" and "type <title> here" are left as they are, and so are cells with fenced code.
"""

from __future__ import annotations

import html
import re
from html.entities import html5

MARKUP = r"<[A-Za-z/!]|&#?[A-Za-z0-9]{2,32};"  # cells to look at more closely
ALONE = "area base br col embed hr img link meta source track wbr p li td th tr dt dd"
BLOCKS = (
    "address article aside blockquote body br center dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr "
    "html li main nav ol p pre section table tbody td tfoot th thead title tr ul"
)
INLINE = (
    "a abbr acronym b bdi bdo big button caption cite code col colgroup data datalist del details dfn dialog em embed font i iframe img "
    "input ins kbd label legend link map mark meta meter noscript object optgroup option output param picture progress q rp rt ruby samp "
    "script select small source span strike strong style sub summary sup svg template textarea time tt u var video audio canvas wbr area "
    "base track"
)
NAMES = "|".join(f"{BLOCKS} {INLINE}".split())
TAG = re.compile(rf"<(/?)({NAMES})((?:\s[^<>]*)?)\s*/?>", re.IGNORECASE)
ATTRIBUTE = re.compile(r"""\s[a-z][a-z-]*\s*=\s*["']?[^\s"']""", re.IGNORECASE)
HIDDEN = re.compile(r"<(script|style)\b[^<>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->|<!doctype\s[^<>]*>", re.IGNORECASE | re.DOTALL)
ENTITY = re.compile(r"&(?:#[0-9]{2,7}|#[xX][0-9a-fA-F]{2,6}|[A-Za-z][A-Za-z0-9]{1,31});")
ANGLES = ("<", ">")
FENCE = "```"
WIDE = {"p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "blockquote", "section", "article", "pre"}  # an empty line


def without_markup(text: str) -> str:
    """The text as a page would show it, paragraphs apart; unchanged where there is no markup."""
    if FENCE in text:
        return text
    bare = _without_tags(COMMENT.sub("", HIDDEN.sub("", text)))
    if bare != text:
        bare = re.sub(r"[ \t]*\n[ \t]*", "\n", bare)
        bare = re.sub(r"\n{3,}", "\n\n", bare).strip()
    return _without_entities(bare)


def _without_tags(text: str) -> str:
    closed = {match[2].lower() for match in TAG.finditer(text) if match[1]}

    def shown(match: re.Match[str]) -> str:
        name = match[2].lower()
        if not (match[1] or name in closed or name in ALONE.split() or ATTRIBUTE.search(match[3])):
            return match[0]
        if name in ("td", "th"):
            return "" if match[1] else " "
        return "\n\n" if name in WIDE else "\n" if name in BLOCKS.split() and not (match[1] and name == "li") else ""

    return TAG.sub(shown, text)


def _without_entities(text: str) -> str:
    """Entities as the characters they stand for; angle brackets stay escaped where they would become a tag, which the text speaks of."""
    plain = ENTITY.sub(_character, text)
    candidate = ENTITY.sub(_angle, plain)
    return plain if TAG.search(candidate) or COMMENT.search(candidate) else candidate


def _character(match: re.Match[str]) -> str:
    entity = match[0]
    if entity[1] != "#" and entity[1:] not in html5:
        return entity
    meant = html.unescape(entity)
    if meant in ANGLES or not all(character.isprintable() or character in "\xa0\n\t" for character in meant) or "\ufffd" in meant:
        return entity
    return meant.replace("\xa0", " ")


def _angle(match: re.Match[str]) -> str:
    meant = html.unescape(match[0])
    return meant if meant in ANGLES else match[0]
