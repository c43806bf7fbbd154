"""Question-passage pairs for training: the question sets' training parts, and pairs mined from the corpora and the generators.

Knows how ``sources`` writes each kind of document and which corpora may be used; knows nothing of tokens or training.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from playground.starter.generators import derived, portuguese, reading
from playground.starter.sources import Document, read_corpus

from . import questions

WORDS = 150  # of a passage: about 220 tokens
_TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?;])[\"')]*\s+")


class Pair(NamedTuple):
    """A question, the passage that answers it, and where both come from; ``group`` is the text that the passage is a part of."""

    source: str
    group: str
    language: str
    question: str
    passage: str


def passages(text: str, words: int = WORDS) -> list[str]:
    """The text cut at the ends of paragraphs and sentences into parts of about ``words`` words; short tails join their neighbour."""
    parts: list[str] = []
    held: list[str] = []
    for sentence in (s for paragraph in text.split("\n") for s in _SENTENCE.split(paragraph) if s.strip()):
        held += sentence.split()
        if len(held) >= words:
            parts.append(" ".join(held))
            held = []
    if held and parts and len(held) < words // 3:
        parts[-1] += " " + " ".join(held)
    elif held:
        parts.append(" ".join(held))
    return parts


def cloze(rng: random.Random, passage: str) -> tuple[str, str] | None:
    """A sentence of the passage, some words dropped, and the passage, mostly without that sentence."""
    sentences = [s for s in _SENTENCE.split(passage) if len(s.split()) >= 5]
    if len(sentences) < 3:
        return None
    chosen = rng.choice(sentences)
    words = [w for w in chosen.split() if rng.random() > 0.3]
    if len(words) > 14:
        start = rng.randrange(len(words) - 11)
        words = words[start : start + rng.randint(5, 12)]
    rest = passage.replace(chosen, "", 1) if rng.random() < 0.7 else passage
    return (" ".join(words), rest.strip()) if len(words) > 2 else None


def _from_sets(sets: Iterable[questions.QuestionSet]) -> Iterator[Pair]:
    for made in sets:
        for asked in made.questions:
            at = asked.passage
            yield Pair(made.name, f"{made.name}/{made.documents[at]}", made.language, asked.text, made.passages[at])


def _cloze_pairs(document: Document, rng: random.Random, share: float) -> Iterator[Pair]:
    language = "pt" if document.source == "ufam_acts" else "en"
    repeats = max(1, round(share))
    for passage in passages(document.text):
        for _ in range(repeats):
            made = cloze(rng, passage) if rng.random() < share else None
            if made:
                yield Pair(document.source, f"{document.source}/{document.name}", language, *made)


def _factbook(document: Document, rng: random.Random, _: float) -> Iterator[Pair]:
    """Country and field -> the fact; the recipe's own questions -> the fact."""
    name, *facts = document.text.split("\n\n")
    group = f"{document.source}/{document.name}"
    for fact in facts:
        field, colon, value = fact.partition(": ")
        told = bool(colon) and len(field) < 40
        for part in passages(value if told else fact, 100):
            yield Pair(
                document.source, group, "en", f"{field.lower() if told else 'history'} {name}", f"{name}. {field if told else ''}: {part}"
            )
    for chat in derived.from_document(document.source, document.text, document.name):
        yield Pair(document.source, group, "en", chat[-2].content, f"{name}. {chat[-1].content}")


def _titled(document: Document, rng: random.Random, share: float) -> Iterator[Pair]:
    """Title -> a part of the body, and sentences of it."""
    title, _, body = document.text.partition("\n\n")
    for part in passages(body):
        yield Pair(document.source, f"{document.source}/{document.name}", "en", title, part)
    yield from _cloze_pairs(document._replace(text=body), rng, share)


def _chats(document: Document, rng: random.Random, share: float) -> Iterator[Pair]:
    """First question -> first answer of a conversation."""
    turns = _TURN.findall(document.text)
    if len(turns) > 1 and len(turns[1][1].split()) >= 4 and rng.random() < share:
        yield Pair(document.source, f"{document.source}/{document.name}", "en", turns[0][1], turns[1][1])


# Share of the passages from which a sentence is taken; the corpora not named here give no pairs.
_MINERS: dict[str, tuple[Callable[[Document, random.Random, float], Iterator[Pair]], float]] = {
    "gutenberg_children": (_cloze_pairs, 1.0),
    "cia_factbook": (_factbook, 1.0),
    "plainlanguage_gov": (_titled, 3.0),
    "public_domain_recipes": (_titled, 1.0),
    "ufam_acts": (_cloze_pairs, 12.0),
    "self_instruct": (_chats, 1.0),
    "gsm8k": (_chats, 0.3),
}


def generated(seed: int, count: int) -> Iterator[Pair]:
    """Passages of simple facts with a question in front of or behind them, taken apart again."""
    rng = random.Random(f"{seed}/pairs")
    makers = (("generated_questions", "en", reading.question), ("generated_portuguese", "pt", portuguese.question))
    for index in range(count):
        name, language, make = makers[index % 2]
        lines = [line for line in make(rng, "train")[0].content.split("\n") if line.strip()]
        asked = [line for line in lines if line.rstrip().endswith("?")]
        told = max(lines, key=len)
        if len(asked) == 1 and asked[0] != told:
            yield Pair(name, f"{name}/{index}", language, asked[0].partition(": ")[2] or asked[0], told.partition(": ")[2] or told)


MINED = frozenset(_MINERS)


def documents(corpus: Path) -> list[Document]:
    """The documents of the corpora from which pairs are mined."""
    return [d for d in read_corpus(corpus) if d.source in _MINERS]


def training_sets(corpus: Path, asked: Path) -> list[questions.QuestionSet]:
    """The question sets' training parts; ``corpus`` holds the archives, ``asked`` the Portuguese questions."""
    return [
        questions.fairytales(corpus / "fairytaleqa.tar.xz", "train"),
        questions.squad(asked / "squad1_pt_sample.json", "train"),
    ]


def mined(found: Iterable[Document], seed: int = 1) -> Iterator[Pair]:
    """Pairs of documents, each decided by the document and the seed alone."""
    for document in found:
        miner, share = _MINERS[document.source]
        yield from miner(document, random.Random(f"{seed}/{document.source}/{document.name}"), share)


def training_pairs(corpus: Path, asked: Path, seed: int = 1, count: int = 6000) -> list[Pair]:
    """Every pair to train on, in a fixed order."""
    sets = training_sets(corpus, asked)
    extra: list[Pair] = []
    for made in sets:
        rng = random.Random(f"{seed}/{made.name}")
        for at, passage in enumerate(made.passages):
            for _ in range(4 if made.language == "pt" else 1):
                taken = cloze(rng, passage)
                if taken:
                    extra.append(Pair(f"{made.name}_sentences", f"{made.name}/{made.documents[at]}", made.language, *taken))
    return [*_from_sets(sets), *extra, *mined(documents(corpus), seed), *generated(seed, count)]
