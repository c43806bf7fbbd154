"""How like an answer is to the expected one, by words: exact match, token F1, and whether the one contains the other.

The definitions of SQuAD (Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", 2016): small letters, no
punctuation, no articles; of several right answers the best counts. Articles are those of the answer's language. Compares texts only.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from string import punctuation

from playground.rag.text import language_of

ARTICLES = {"en": frozenset({"a", "an", "the"}), "pt": frozenset({"o", "a", "os", "as", "um", "uma", "uns", "umas"})}


def tokens(text: str, language: str = "en") -> list[str]:
    """The words that count: small letters, without punctuation and articles; `12,50` stays one word."""
    plain = unicodedata.normalize("NFC", text).lower()
    kept = "".join(one for one in plain if one not in punctuation and not unicodedata.category(one).startswith("P"))
    return [word for word in kept.split() if word not in ARTICLES[language]]


def exact(given: str, right: str, language: str = "en") -> float:
    """1 where nothing that counts differs, else 0."""
    return float(tokens(given, language) == tokens(right, language))


def f1(given: str, right: str, language: str = "en") -> float:
    """Harmonic mean of precision and recall over tokens, 0 to 1; where one has no tokens, 1 if the other has none either."""
    one, two = tokens(given, language), tokens(right, language)
    if not one or not two:
        return float(one == two)
    common = sum((Counter(one) & Counter(two)).values())
    return 2 * common / (len(one) + len(two))


def contains(given: str, right: str, language: str = "en") -> bool:
    """Whether the words of the expected answer stand in the given one, whole and in this order."""
    inside, wanted = tokens(given, language), tokens(right, language)
    return bool(wanted) and any(inside[at : at + len(wanted)] == wanted for at in range(len(inside) - len(wanted) + 1))


def best(of: Callable[[str, str, str], float], given: str, answers: Sequence[str], question: str) -> float:
    """The best of several right answers; 0 where there is none. The language is that of question and answers together."""
    language = language_of(" ".join([question, *answers]))
    return max((float(of(given, right, language)) for right in answers), default=0.0)
