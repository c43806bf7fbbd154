"""Copying in its plain forms: say again, go on with a list, find a place in it, give back the sentence that was asked for.

Copying from what stands before is the root of every answer from a passage; small models learn it late unless they see it pure
(Olsson et al. 2022, "In-context Learning and Induction Heads", arXiv 2209.11895). Knows made-up words and simple statements.
"""

from __future__ import annotations

import random

from playground.starter.chatml import Chat, exchange

from . import inventions, names
from .pools import Part, pick, words

_AGAIN = (
    "Repeat after me: {}",
    "Say: {}",
    "Copy this: {}",
    "Write this again.\n\n{}",
    "Please repeat: {}",
    "{}\n\nRepeat the text above.",
    "Echo: {}",
    "Repita: {}",
    "Copie: {}",
)
_AFTER = (
    "{list}\n\nWhat comes after {one}?",
    "List: {list}\nWhich comes right after {one}?",
    "In the list {list}, what follows {one}?",
    "{list}\n\nName the one after {one}.",
    "O que vem depois de {one}?\n\n{list}",
    "What stands next to {one} on the right?\n{list}",
)
_PLACES = ("first", "second", "third", "last")
_AT = (
    "{list}\n\nWhich one is {place}?",
    "What is the {place} word of this list? {list}",
    "Give me the {place} item: {list}",
    "List: {list}\nThe {place} one?",
    "Say the {place} word.\n\n{list}",
    "{list}\n\nOnly the {place} one, please.",
)
_SAYS = (
    "{text}\n\nWhich sentence is about {topic}?",
    "{text}\n\nWhat does the text say about {topic}?",
    "Find the sentence about {topic}.\n\n{text}",
    "Copy the sentence that speaks of {topic}.\n\n{text}",
    "Passage: {text}\nQuestion: What do we learn about {topic}?\nAnswer:",
    "{text}\n\nTell me about {topic}.",
    "What is said of {topic}?\n\n{text}",
    "O que o texto diz sobre {topic}?\n\n{text}",
)
_DID = words("""
    carried the {x} to {p}, sold a {x} for {n} coins, found {n} {y} under the {x}, painted the {x} {c}, hid the {x} behind the door, went
    to {p} with a {x}, forgot the {x} in {p}, wanted a {c} {x}, gave {n} {y} to the {j}, told the {j} about the {x}, broke the {x} on a {d},
    waited in {p} for the {j}, wrote {n} letters to the {j}, saw a {c} {a} near the {x}, bought the {x} from a {j}, lost {n} {y} in {p},
    keeps the {x} in a {c} box, left {p} on {d}, met a {j} at the {x}, fed the {a} with {y}
""")
_OBJECTS = words("""
    lamp, ladder, clock, drum, kettle, mirror, cart, boat, crown, gate, well, tower, bridge, wheel, barrel, rope, sword, flute, carpet, pot,
    bell, candle, saddle, anchor, basket, statue, map, ring, chest, oven, window, fountain, violin, telescope, blanket
""")


def statement(rng: random.Random, who: str, part: Part = "train") -> str:
    """One made-up thing that somebody did, as a sentence."""
    did = rng.choice(_DID).format(
        x=rng.choice(_OBJECTS),
        y=rng.choice(names.THINGS),
        p=inventions.place(rng),
        n=rng.randint(2, 90),
        c=rng.choice(names.COLOURS),
        j=rng.choice(names.JOBS),
        d=rng.choice(names.DAYS),
        a=rng.choice(names.ANIMALS),
    )
    return f"{who} {did}."


def _items(rng: random.Random, least: int, most: int) -> list[str]:
    """Different words, made up or numbers."""
    make = rng.choice((inventions.word, inventions.word, inventions.code, inventions.figure, inventions.place))
    items: list[str] = []
    for _ in range(rng.randint(least, most)):
        item = make(rng)
        if item not in items:
            items.append(item)
    return items


def recital(rng: random.Random, part: Part = "train") -> Chat:
    """Repeat words or sentences, or find an item by its neighbour or its place."""
    kind = rng.random()
    if kind < 0.45:
        if rng.random() < 0.5:
            text = rng.choice((" ", ", ", "; ", "\n")).join(_items(rng, 1, 12))
        else:
            text = " ".join(statement(rng, inventions.name(rng, part), part) for _ in range(rng.randint(1, 3)))
        return exchange(pick(rng, _AGAIN, part).format(text), text)
    items = _items(rng, 3, 9)
    while len(items) < 3:
        items = _items(rng, 3, 9)
    listed = rng.choice((", ", " ", " - ", "\n")).join(items)
    if kind < 0.75:
        at = rng.randrange(len(items) - 1)
        return exchange(pick(rng, _AFTER, part).format(list=listed, one=items[at]), items[at + 1])
    place = rng.choice(_PLACES)
    return exchange(pick(rng, _AT, part).format(list=listed, place=place), items[_PLACES.index(place) if place != "last" else -1])


def statements(rng: random.Random, part: Part = "train") -> Chat:
    """Several people did something; give back the sentence about one of them, or say that none is."""
    people = list(dict.fromkeys(inventions.name(rng, part) for _ in range(rng.randint(2, 6))))  # a set has no order to repeat
    told = {who: statement(rng, who, part) for who in people}
    topic = rng.choice(people)
    answer = told[topic]
    if len(people) > 2 and rng.random() < 0.12:
        del told[topic]
        answer = "The text does not say."
    return exchange(pick(rng, _SAYS, part).format(text=" ".join(told.values()), topic=topic), answer)
