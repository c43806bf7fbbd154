"""Whether a model's own words keep to the sentences that are cited for them: its numbers, its negations, and the words it adds.

Compares stems of words in English and Portuguese and understands nothing: it lets pass what is copied, and little of what is retold. What
does not pass is not lost; it just does not lead.
"""

from __future__ import annotations

import re

from playground.rag.text import STOPWORDS, language_of, squeezed, stem, words

NUMBER = re.compile(r"(?:(?<![\w.,:)-])-)?\d+(?:[.,:]\d+)*")  # whole, with its sign: 5 is not in 15, nor 250 in 1,250
NUMBER_WORDS = frozenset(  # without "one" and "um", "second" and "segundo", which mostly are no numbers
    re.findall(
        r"\S+",
        """
        two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty
        thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half quarter first third noon midnight
        dois duas três quatro cinco seis sete oito nove dez onze doze treze catorze quatorze quinze dezesseis dezessete dezoito dezenove
        vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem cento mil milhão milhões bilhão meia metade primeiro primeira
        terceiro terceira
        """,
    )
)
NEGATIONS = frozenset(
    re.findall(
        r"\S+",
        "not no never none nobody nothing nowhere neither nor without cannot hardly não nunca jamais nenhum nenhuma ninguém nada nem sem",
    )
)
# what a model says about the text, not from it
FRAME = frozenset(
    stem(word)
    for word in re.findall(
        r"\S+", "according text document passage sentence says states segundo acordo texto documento trecho frase diz afirma"
    )
)
CLAUSE_END = re.compile(r"[.:](?!\d)|[!?;…\n]|\b(?:but|because|although|mas|porém|porque|embora)\b", re.IGNORECASE)
LIST = re.compile(r",(?!\d)|\b(?:and|or|e|ou)\b", re.IGNORECASE)  # what follows may be negated still, or no more
PLAIN, NEGATED, UNSURE = range(3)


def supported(answer: str, question: str, cited: str) -> bool:
    """Whether every number and every meaning word of an answer stands in what is cited, and none is negated there only or here only.

    Words that the question has already prove nothing and count only where there are no others. One wrong word makes a wrong answer, so
    all must stand there: with four in five, 164 of 174 quotes for Pirá's English questions passed with a word changed; with all, 17 did, at
    the cost of 13 of the 99 answers in people's own words that had passed.
    """
    numbers = _numbers(answer)
    if not numbers <= _numbers(cited) | _numbers(question):
        return False
    told, there = _turned(answer, question), _turned(cited)
    known = {word for word, _ in there}
    asked = {word for word, _ in _turned(question)}
    # a negation that negates nothing we see, as in "No." or "It does not.", has nothing to be compared with
    if any((word, how) not in there and (word in known or how != PLAIN) for word, how in told):
        return False
    said = {word for word, _ in told if word} - FRAME
    added = said - asked or said
    return bool(added or numbers) and added <= known


def _numbers(text: str) -> set[str]:
    """Numbers in digits and in words, as whole tokens."""
    plain = squeezed(text).replace("\u2212", "-")
    return {*NUMBER.findall(plain), *(word for word in words(text) if word in NUMBER_WORDS)}


def _turned(text: str, beside: str = "") -> set[tuple[str, int]]:
    """The stems of meaning words, each with whether a negation before it in its clause turns it.

    A negation with no such word after it in its clause gives an empty stem. `beside` helps to tell the language: "no" is one in English
    alone, as Portuguese has it for "in the".
    """
    portuguese = language_of(re.sub(r"\bno\b", " ", f"{text} {beside}", flags=re.IGNORECASE)) == "pt"
    found = set()
    for clause in CLAUSE_END.split(text):
        how, open_ = PLAIN, False  # open: a negation still waits for its word
        for part in LIST.split(clause):
            how = UNSURE if how != PLAIN else PLAIN
            for word in words(part):
                if _negates(word) and not (word == "no" and portuguese):
                    how, open_ = NEGATED, True
                elif word not in STOPWORDS:
                    found.add((stem(word), how))
                    open_ = False
        if open_:
            found.add(("", NEGATED))
    return found


def _negates(word: str) -> bool:
    return word in NEGATIONS or word.endswith(("n't", "n’t"))
