"""Close reading of real prose: questions about a paragraph whose answer stands in it, or that it leaves open.

Sentences are found, gone on with and put in order, gaps filled, speakers named, reasons given. Knows paragraphs; nothing of where they come
from.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from playground.starter.chatml import Chat, exchange

from .records import UNTOLD

# language: task: frames with {text} and what is asked
_FRAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "about": (
            "{text}\n\nWhat does the text say about {asked}?",
            "What is said about {asked}?\n\n{text}",
            "Passage: {text}\nQuestion: What do we learn about {asked}?\nAnswer:",
            "{text}\n\nCopy the sentence that mentions {asked}.",
            "{text}\n\nWhich sentence has the word {asked}?",
            "{text}\n\nTell me about {asked}.",
        ),
        "go on": (
            "{text}\n\nComplete from the text: {asked}",
            "How does this go on in the text? {asked}\n\n{text}",
            "{text}\n\n{asked} ...",
        ),
        "gap": (
            "{text}\n\nFill the gap from the text: {asked}",
            "Which word is missing? {asked}\n\n{text}",
            "Passage: {text}\nSentence: {asked}\nMissing word:",
        ),
        "said": (
            '{text}\n\nWho said "{asked}"?',
            'Who says "{asked}"?\n\n{text}',
            'Passage: {text}\nQuestion: Who said "{asked}"?\nAnswer:',
        ),
        "why": ("{text}\n\nWhy is this so: {asked}?", "{text}\n\n{asked}. Why?", "{text}\n\nWhy? {asked}."),
        "after": (
            "{text}\n\nWhat happened after this: {asked}",
            "{text}\n\nWhat comes after this sentence? {asked}",
            "{text}\n\n{asked} What happened then?",
        ),
    },
    "pt": {
        "about": (
            "{text}\n\nO que o texto diz sobre {asked}?",
            "O que se diz sobre {asked}?\n\n{text}",
            "Texto: {text}\nPergunta: O que o texto diz sobre {asked}?\nResposta:",
            "{text}\n\nCopie a frase que fala de {asked}.",
        ),
        "go on": ("{text}\n\nComplete com o texto: {asked}", "Como continua no texto? {asked}\n\n{text}"),
        "gap": ("{text}\n\nComplete a lacuna com o texto: {asked}", "Que palavra falta? {asked}\n\n{text}"),
        "after": ("{text}\n\nO que vem depois desta frase? {asked}",),
    },
}
_SPEAKER = re.compile(r'"([^"]{8,90}?)[,.!?]?" (?:said|cried|asked|answered|replied) (the \w+(?: \w+)?|[A-Z]\w+)(?=[,.;:])')
_REASON = re.compile(r"^([A-Z][^.;:]{12,90}?),? (?:because|for|since|as) ((?:he|she|it|they|the|there|his|her|we|you|I) [^.;:]{6,120})[.;]")
_WORDS = re.compile(r"[^\W\d_]{4,}")
_ENDS = re.compile(r"(?<=[.!?]) (?=[A-ZÀ-Ú])")


def _sentences(text: str) -> list[str]:
    return [s for s in _ENDS.split(" ".join(text.split())) if 20 < len(s) < 260 and s.count('"') % 2 == 0]


def _once(sentence: str, passage: str) -> list[str]:
    """Words of a sentence that the passage has once."""
    return [word for word in _WORDS.findall(sentence) if len(re.findall(rf"\b{word}\b", passage)) == 1]


def _about(rng: random.Random, passage: str, sentences: Sequence[str]) -> tuple[str, str] | None:
    chosen = rng.choice(sentences)
    words = _once(chosen, passage)
    return (rng.choice(words), chosen) if words else None


def _go_on(rng: random.Random, passage: str, sentences: Sequence[str]) -> tuple[str, str] | None:
    chosen = rng.choice(sentences)
    start = " ".join(chosen.split()[: rng.randint(3, 5)])
    return (start, chosen[len(start) :].strip()) if len(chosen.split()) > 7 else None


def _gap(rng: random.Random, passage: str, sentences: Sequence[str]) -> tuple[str, str] | None:
    chosen = rng.choice(sentences)
    words = _once(chosen, passage)
    if not words:
        return None
    word = rng.choice(words)
    return re.sub(rf"\b{word}\b", "____", chosen, count=1), word


def _said(rng: random.Random, passage: str, sentences: Sequence[str]) -> tuple[str, str] | None:
    found = _SPEAKER.search(passage)
    return (found[1], found[2][:1].upper() + found[2][1:] + ".") if found else None


def _why(rng: random.Random, passage: str, sentences: Sequence[str]) -> tuple[str, str] | None:
    found = [match for sentence in sentences if (match := _REASON.match(sentence))]
    return (found[0][1], f"Because {found[0][2]}.") if found else None


def _after(rng: random.Random, passage: str, sentences: Sequence[str]) -> tuple[str, str] | None:
    at = rng.randrange(len(sentences) - 1)
    return sentences[at], sentences[at + 1]


_TASKS: dict[str, tuple[Callable[[random.Random, str, Sequence[str]], tuple[str, str] | None], float]] = {
    "about": (_about, 4),
    "go on": (_go_on, 1.5),
    "gap": (_gap, 2),
    "said": (_said, 4),
    "why": (_why, 6),
    "after": (_after, 1.5),
}


def close_reading(text: str, seed: str, count: int, language: str = "en") -> list[Chat]:
    """At most ``count`` conversations about paragraphs of a text, the same for the same seed; some with two or three questions."""
    rng = random.Random(seed)
    frames = _FRAMES[language]
    names, weights = [n for n in _TASKS if n in frames], [_TASKS[n][1] for n in _TASKS if n in frames]
    parts = [_sentences(paragraph) for paragraph in text.split("\n\n") if len(paragraph) > 100]
    passages = [sentences[:8] for sentences in parts if len(sentences) >= 3]
    chats: list[Chat] = []
    for _ in range(min(2 * count, 3 * len(passages))):
        sentences = rng.choice(passages)
        passage = " ".join(sentences)
        turns: list[str] = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            task = rng.choices(names, weights)[0]
            found = _TASKS[task][0](rng, passage, sentences)
            if found is None:
                continue
            asked, answer = found
            if task == "about" and rng.random() < 0.12:
                stranger = [w for w in _WORDS.findall(" ".join(rng.choice(passages))) if w.lower() not in passage.lower()]
                if stranger:
                    asked, answer = rng.choice(stranger), UNTOLD[language]
            frame = rng.choice(frames[task])
            turns += [frame.format(text="" if turns else passage, asked=asked).strip(), answer]
        if turns and len(chats) < count:
            chats.append(exchange(*turns))
    return chats
