"""Conversations made from documents of the corpus: go on with a story, give a recipe, tell a fact about a country.

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


def from_document(source: str, text: str, seed: str, count: int = 30) -> list[Chat]:
    """Conversations from one document (none for most sources), the same for the same seed; about ``count`` from a long book."""
    return list(_MAKERS[source](random.Random(seed), text, count)) if source in _MAKERS else []
