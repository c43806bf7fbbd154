"""Conversations made from documents of the corpus: go on with a story, give a recipe, tell a fact about a country, read closely.

Knows the form in which ``sources`` writes each kind of document.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

from playground.starter.chatml import Chat, exchange

_GO_ON = (
    "Continue the story.\n\n{}",
    "What happens next?\n\n{}",
    "Go on with this text:\n\n{}",
    "Write the next part.\n\n{}",
    "{}\n\nContinue.",
    "Read this and write what comes after it.\n\n{}",
)
_BEGIN = (
    "Tell me a story.",
    "Tell me a short story.",
    "I would like to hear a story.",
    "Write the beginning of a fairy tale.",
    "Can you tell me a tale?",
    "Write a short story for children.",
)
_COOK = ("How do I make {}?", "Give me a recipe for {}.", "I want to cook {}. How?", "Recipe: {}", "What do I need for {}?")
_FACTS = {
    "Capital": ("What is the capital of {}?", "Name the capital of {}."),
    "Location": ("Where is {}?", "In which part of the world is {}?"),
    "Climate": ("What is the climate of {} like?",),
    "Terrain": ("What does the land look like in {}?",),
    "Languages": ("Which languages are spoken in {}?",),
    "Religions": ("Which religions are there in {}?",),
    "Agricultural products": ("What do farmers grow in {}?",),
    "Industries": ("Which industries does {} have?",),
    "Natural resources": ("Which natural resources does {} have?",),
    "Government type": ("What type of government does {} have?",),
    "Exports - commodities": ("What does {} export?",),
    "Flag description": ("What does the flag of {} look like?",),
}


def _story(rng: random.Random, text: str, count: int) -> Iterator[Chat]:
    """Neighbouring paragraphs as question and answer."""
    paragraphs = [p for p in text.split("\n\n") if 60 < len(p) < 1200]
    for _ in range(min(count, len(paragraphs) - 4)):
        at = rng.randrange(len(paragraphs) - 3)
        answer = "\n\n".join(paragraphs[at + 1 : at + 1 + rng.randint(1, 3)])
        yield exchange(rng.choice(_GO_ON).format(paragraphs[at]), answer)
    for index, paragraph in enumerate(paragraphs[:-3]):
        if re.match(
            r"(Once upon a time|Once on a time|There (was|were|lived) once|Once there|Long ago|In olden times|A long time ago)", paragraph
        ):
            yield exchange(rng.choice(_BEGIN), "\n\n".join(paragraphs[index : index + 3]))


_WITH_WORD = (
    "{text}\n\nWhich sentence has the word {word}?",
    'Find the sentence with "{word}" in it.\n\n{text}',
    "{text}\n\nWhat does the text say about {word}?",
    "Passage: {text}\nQuestion: What is said about {word}?\nAnswer:",
    "Copy the sentence that mentions {word}.\n\n{text}",
)
_COMPLETE = (
    "{text}\n\nComplete from the text: {start}",
    "How does the sentence in the text go on? {start}\n\n{text}",
    "{text}\n\n{start} ...",
)
_BLANK = (
    "{text}\n\nFill the gap from the text: {gap}",
    "Which word is missing? {gap}\n\n{text}",
    "Passage: {text}\nSentence: {gap}\nMissing word:",
)
_SPEAKER = re.compile(r'"([^"]{8,90}?)[,.!?]?" (?:said|cried|asked|answered|replied) (the \w+(?: \w+)?|[A-Z]\w+)(?=[,.;:])')


def _sentences(text: str) -> list[str]:
    return [s for s in re.split(r"(?<=[.!?]) (?=[A-Z])", " ".join(text.split())) if 20 < len(s) < 220 and s.count('"') % 2 == 0]


def _reading(rng: random.Random, text: str, count: int) -> Iterator[Chat]:
    """Close reading of a paragraph: sentences found and gone on with, gaps filled, speakers named; the answer is copied from the text."""
    paragraphs = [p for p in text.split("\n\n") if 150 < len(p) < 900]
    for _ in range(min(2 * count, 2 * len(paragraphs))):
        sentences = _sentences(rng.choice(paragraphs))
        if len(sentences) < 3:
            continue
        passage, chosen = " ".join(sentences), rng.choice(sentences)
        spoken = _SPEAKER.search(passage)
        if spoken and rng.random() < 0.7:
            asked = rng.choice(('{text}\n\nWho said "{said}"?', 'Who says "{said}"?\n\n{text}'))
            yield exchange(asked.format(text=passage, said=spoken[1]), spoken[2][:1].upper() + spoken[2][1:] + ".")
            continue
        rare = [w for w in re.findall(r"[A-Za-z]{4,}", chosen) if len(re.findall(rf"\b{w}\b", passage)) == 1]
        kind = rng.random()
        if kind < 0.1:
            yield exchange(
                rng.choice(("Copy the {} sentence.\n\n{}", "{1}\n\nWhat is the {0} sentence?")).format("first", passage), sentences[0]
            )
        elif kind < 0.4 and len(chosen.split()) > 7:
            start = " ".join(chosen.split()[: rng.randint(3, 5)])
            yield exchange(rng.choice(_COMPLETE).format(text=passage, start=start), chosen[len(start) :].strip())
        elif kind < 0.65 and rare:
            word = rng.choice(rare)
            gap = re.sub(rf"\b{word}\b", "____", chosen, count=1)
            yield exchange(rng.choice(_BLANK).format(text=passage, gap=gap), word)
        elif rare:
            yield exchange(rng.choice(_WITH_WORD).format(text=passage, word=rng.choice(rare)), chosen)


def _recipe(rng: random.Random, text: str, count: int) -> Iterator[Chat]:
    title, _, body = text.partition("\n\n")
    if "Ingredients" in body and len(body) < 2500:
        yield exchange(rng.choice(_COOK).format(title.lower() if rng.random() < 0.5 else title), body[body.index("Ingredients") :])


def _country(rng: random.Random, text: str, count: int) -> Iterator[Chat]:
    name, *parts = text.split("\n\n")
    for part in parts:
        field, _, value = part.partition(": ")
        if field == "Capital":
            value = re.sub(r"^name: ([^;(]+).*", r"\1", value).strip()
        if field in _FACTS:
            short = re.split(r"; note|\(\d{4}", value)[0].strip(" ;,.")[:300]
            yield exchange(rng.choice(_FACTS[field]).format(name), short[:1].upper() + short[1:] + ".")
    sentences = re.split(r"(?<=[.]) ", parts[0]) if parts and ": " not in parts[0][:30] else []
    if sentences:
        yield exchange(
            rng.choice(("Tell me about {}.", "What do you know about {}?", "Give me a short history of {}.")).format(name),
            " ".join(sentences[:3]),
        )


_MAKERS: dict[str, Callable[[random.Random, str, int], Iterator[Chat]]] = {
    "gutenberg_children": _story,
    "public_domain_recipes": _recipe,
    "cia_factbook": _country,
}


_READ = ("gutenberg_children", "plainlanguage_gov")


def from_document(source: str, text: str, seed: str, count: int = 30) -> list[Chat]:
    """Conversations from one document (none for most sources), the same for the same seed; about ``count`` from a long book."""
    return list(_MAKERS[source](random.Random(seed), text, count)) if source in _MAKERS else []


def close_reading(source: str, text: str, seed: str, count: int = 250) -> list[Chat]:
    """Questions about paragraphs of a document of prose whose answers stand in them, the same for the same seed; at most 2 ``count``."""
    return list(_reading(random.Random(seed), text, count)) if source in _READ else []
