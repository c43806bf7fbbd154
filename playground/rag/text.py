"""Text as people read it: lines of a page joined to paragraphs, sentences with their offsets, and the words that carry meaning.

Pure functions for English and Portuguese; other languages go through the same rules. Knows neither pages nor passages.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

HYPHENS = ("\ufffe", "\u00ad", "\x02")  # what PDFium leaves where a word was divided at a line's end
# PDFs made on Windows sometimes keep its typographic marks at code points that Unicode reserves for controls
_WINDOWS = {chr(code): bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
_LIGATURES = {chr(code): unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}  # nobody asks for an “oﬃce”
_BREAKS = {"\v": "\n", "\f": "\n"}
_PLAIN = str.maketrans(_WINDOWS | _LIGATURES | _BREAKS)
FULL_LINE = 0.7  # a line at least this share of the page's widest is taken to go on in the next
ABBREVIATIONS = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|Dra|Sr|Sra|Prof|Profa|St|No|Nr|Art|art|p|pp|vs|e\.g|i\.e|cf|ca|approx|fig|Fig|al|[A-Z]"
    r"|[nN][º°]s?|inc|Parágrafo [úÚ]nico)\.$|\d[ºª]\.$"  # laws: “Lei nº. 4.069”, “§ 2º. A universidade …”
)
LONGEST_ABBREVIATION = 20  # characters, and one before it at least
# each run of marks is tried once and never again from its middle: a page of nothing but dots must not take minutes
SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s+(?:§|[\"'“‘«(\[¿¡]?[A-ZÀ-Þ0-9]))|\n+")
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
STOPWORDS = frozenset(
    re.findall(
        r"\S+",
        """
    a about after all also am an and any are as at be because been before being between both but by can cannot could did do does doing
    during each few for from further had has have having he her here him his how i if in into is it its itself just like may me might more
    most much my no nor not of off on once only or other our out over own same she should so some such than that the their them then there
    these they this those through to too under until up us very was we were what when where which while who whom whose why will with would
    you your tell please
    ao aos aquela aquele aqui as assim até com como da das de dela dele deles depois do dos e ela elas ele eles em entre era essa esse esta
    está estão este eu foi
    foram há isso isto já lhe mais mas me mesmo meu minha muito na não nas nem no nos nós o onde os ou para
    pela pelas     pelo pelos por porque porquê qual quais quando quanto quantos quanta quantas que quem são se
    sem ser seu sua seus suas só sobre também     te     tem têm tinha um uma umas uns você vocês vos é à às
    fica ficam haver houve ter terá teve tiveram
    """,
    )
)
_ENGLISH = frozenset(re.findall(r"\S+", "the of and is are what which who how when where does do did to in was"))
_PORTUGUESE = frozenset(
    re.findall(
        r"\S+",
        "o os as de da do das dos em é são um uma não para por com no na se como foi ao à que qual quais quem onde quando quanto quantos",
    )
)


def clean(text: str) -> str:
    """What a PDF reader gave, without control characters, in one form of Unicode, divided words joined; lines stay lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for mark in HYPHENS:
        text = text.replace(mark + "\n", "").replace(mark, "")
    text = text.translate(_PLAIN)
    shown = "".join(c for c in text if c == "\n" or c == "\t" or unicodedata.category(c) not in ("Cc", "Cs", "Co", "Cn"))
    return unicodedata.normalize("NFC", shown)


def unwrap(text: str) -> str:
    """Lines joined to paragraphs: a full line goes on in the next one, a short line stands by itself (heading, verse, list item)."""
    lines = [" ".join(line.split()) for line in text.split("\n")]
    widths = sorted(len(line) for line in lines if line)
    if not widths:
        return ""
    full = max(30, widths[int(len(widths) * 0.9)] * FULL_LINE)
    parts: list[str] = []
    joins = False
    for line in lines:
        if not line:
            joins = False
            continue
        goes_on = joins or (parts and line[:1].islower() and not _ends(parts[-1]))
        if parts and goes_on:
            divided = parts[-1].endswith("-") and line[:1].islower() and parts[-1][-2:-1].isalpha()
            parts[-1] = parts[-1][:-1] + line if divided else f"{parts[-1]} {line}"
        else:
            parts.append(line)
        joins = len(line) >= full
    return "\n".join(parts)


def _ends(text: str) -> bool:
    return text.rstrip("\"'”’»)]")[-1:] in (".", "!", "?", "…", ":")


def ends_whole(text: str) -> bool:
    """Whether the last sentence of a text is complete."""
    return not text or _ends(text.rstrip())


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, without surrounding white space; a line break ends a sentence too."""
    spans, start = [], 0
    for found in SENTENCE_END.finditer(text):
        if text[found.start()] == "." and ABBREVIATIONS.search(text[max(start, found.end() - LONGEST_ABBREVIATION) : found.end()]):
            continue
        spans.append((start, found.end()))
        start = found.end()
    spans.append((start, len(text)))
    trimmed = [(a + len(text[a:b]) - len(text[a:b].lstrip()), a + len(text[a:b].rstrip())) for a, b in spans]
    return [(a, b) for a, b in trimmed if b > a]


def words(text: str) -> list[str]:
    """Words and numbers in small letters."""
    return [found.group().lower() for found in WORD.finditer(unicodedata.normalize("NFC", text))]


def fold(word: str) -> str:
    """Without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


@cache
def _stemmers() -> tuple[Any, Any]:
    import snowballstemmer

    return snowballstemmer.stemmer("english"), snowballstemmer.stemmer("portuguese")


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """One form for a word's forms: the shorter of its English and its Portuguese stem (Snowball), without accents."""
    if any(c.isdigit() for c in word):
        return word
    english, portuguese = _stemmers()
    base = re.sub(r"['’]s?$", "", word)
    return min(fold(english.stemWord(base)), fold(portuguese.stemWord(base)), key=len) or base


def terms(text: str) -> list[str]:
    """The stems of the words that carry meaning, in order, with repetitions."""
    return [stem(word) for word in words(text) if word not in STOPWORDS]


def squeezed(text: str) -> str:
    """For finding a quote again: white space as one space, typographic quotes and dashes as plain ones, small letters."""
    table = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "\u00a0": " "})
    return " ".join(text.translate(table).lower().split())


def language_of(text: str) -> str:
    """`pt` or `en`, by the commonest small words and letters; `en` where nothing speaks for Portuguese."""
    found = words(text)
    score = sum((word in _PORTUGUESE) - (word in _ENGLISH) for word in found) + sum(c in "ãõçáéíóúâêôà" for c in text.lower())
    return "pt" if score > 0 else "en"


def share_of_small_words(text: str) -> dict[str, float]:
    """Per language, the share of a text's words that are its commonest small ones: some .2 to .3 in prose of that language."""
    found = words(text)
    known = {"en": _ENGLISH, "pt": _PORTUGUESE}
    return {name: sum(word in small for word in found) / max(1, len(found)) for name, small in known.items()}
