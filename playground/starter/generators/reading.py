"""Passages made of simple facts, and tasks over them: answer a question, extract a field, say yes or no.

Knows frames of facts; each fact has its sentence, its questions and its answer.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from playground.starter.chatml import Chat, exchange

from . import names
from .pools import Part, pick


class Fact(NamedTuple):
    """A sentence, the field it fills, the value, questions for the value and a statement to confirm with {v} for the value."""

    sentence: str
    field: str
    value: str
    questions: tuple[str, ...]
    claim: str


def _facts(rng: random.Random, who: str, part: Part) -> list[Fact]:
    """All facts that can be told of one person, in a random order."""
    place, home = rng.sample(list(names.PLACES), 2)
    count, price, age = rng.randint(2, 90), rng.randint(3, 400), rng.randint(6, 90)
    thing, job, day, when = pick(rng, names.THINGS, part), rng.choice(names.JOBS), rng.choice(names.DAYS), names.date(rng)
    time, colour, animal, friend = names.clock(rng), rng.choice(names.COLOURS), rng.choice(names.ANIMALS), names.person(rng, part)
    phone = f"{rng.randint(200, 999)}-{rng.randint(1000, 9999)}"
    mail = f"{who.split()[0].lower()}{rng.randint(1, 99)}@example.com"
    order = f"{rng.choice('ABCDEFGHKMR')}{rng.randint(100, 9999)}"
    article = "an" if job[0] in "aeiou" else "a"
    facts = [
        Fact(
            f"{who} lives in {home}.",
            "city",
            home,
            (f"Where does {who} live?", f"In which city does {who} live?"),
            f"{who} lives in {{v}}.",
        ),
        Fact(
            f"{who} is {age} years old.",
            "age",
            str(age),
            (f"How old is {who}?", f"What is the age of {who}?"),
            f"{who} is {{v}} years old.",
        ),
        Fact(
            f"{who} works as {article} {job}.",
            "job",
            job,
            (f"What is the job of {who}?", f"What does {who} do for a living?"),
            f"{who} is a {{v}}.",
        ),
        Fact(
            f"On {day} {who} bought {count} {thing}.",
            "quantity",
            str(count),
            (f"How many {thing} did {who} buy?",),
            f"{who} bought {{v}} {thing}.",
        ),
        Fact(
            f"The trip to {place} begins on {when}.",
            "date",
            when,
            (f"When does the trip to {place} begin?", "On which date does the trip begin?"),
            "The trip begins on {v}.",
        ),
        Fact(
            f"The bill was {price} dollars.",
            "amount",
            f"{price} dollars",
            ("How much was the bill?", "How much did it cost?"),
            "The bill was {v}.",
        ),
        Fact(
            f"The meeting starts at {time}.",
            "time",
            time,
            ("At what time does the meeting start?", "When does the meeting start?"),
            "The meeting starts at {v}.",
        ),
        Fact(
            f"{who} has a {colour} {animal}.",
            "colour",
            colour,
            (f"What colour is the {animal}?", f"Which colour is {who}'s {animal}?"),
            f"The {animal} is {{v}}.",
        ),
        Fact(
            f"The best friend of {who} is called {friend}.",
            "friend",
            friend,
            (f"Who is the best friend of {who}?", "What is the friend called?"),
            "The friend is called {v}.",
        ),
        Fact(
            f"The phone number of {who} is {phone}.",
            "phone number",
            phone,
            (f"What is the phone number of {who}?", "Which number can I call?"),
            "The phone number is {v}.",
        ),
        Fact(f"Write to {who} at {mail}.", "email", mail, (f"What is the email address of {who}?",), "The email is {v}."),
        Fact(
            f"The order number is {order}.",
            "order number",
            order,
            ("What is the order number?", "Which order is it?"),
            "The order number is {v}.",
        ),
    ]
    rng.shuffle(facts)
    return facts


def _passage(rng: random.Random, part: Part) -> tuple[str, list[Fact], list[Fact]]:
    """(text, facts told, facts not told)."""
    facts = _facts(rng, names.person(rng, part), part)
    told = facts[: rng.randint(2, 6)]
    sentences = [fact.sentence for fact in told]
    if rng.random() < 0.4:
        sentences.insert(rng.randrange(len(sentences) + 1), pick(rng, _FILLERS, part))
    return " ".join(sentences), told, facts[len(told) :]


_FILLERS = (
    "The weather was fine that week.",
    "Everybody was in a good mood.",
    "It had rained all night.",
    "Nobody knew why.",
    "Then they went home.",
    "Some people asked about it later.",
    "This happened a while ago.",
    "There was not much else to say.",
    "The street was quiet.",
    "It is a long story.",
    "They talked about it for a while.",
    "The rest is not known.",
)
_QUESTION_FRAMES = (
    "{passage}\n\n{question}",
    "Passage: {passage}\nQuestion: {question}\nAnswer:",
    "Read the text and answer the question.\n\n{passage}\n\n{question}",
    "{question}\n\n{passage}",
    "Text: {passage}\n\nAnswer in a few words: {question}",
    "Context: {passage}\n\nQuestion: {question}",
    "Use the text to answer. {passage} {question}",
    "Answer from the passage: {question}\n\nPassage: {passage}",
)
_EXTRACT_FRAMES = (
    "Extract the {field} from the text.\n\n{passage}",
    "{passage}\n\nWhat is the {field}? Answer with the {field} only.",
    "Find the {field}: {passage}",
    "Text: {passage}\nField: {field}\nValue:",
    "Copy the {field} from this message.\n{passage}",
    "Which {field} does the text give?\n\n{passage}",
    "Give me only the {field}.\n\n{passage}",
)
_UNKNOWN = ("The text does not say.", "The text does not say.", "The passage does not tell.")


def question(rng: random.Random, part: Part = "train") -> Chat:
    """A question whose short answer stands in the passage; now and then one that the passage leaves open; sometimes two in a row."""
    passage, told, untold = _passage(rng, part)
    frame = pick(rng, _QUESTION_FRAMES, part)
    if untold and rng.random() < 0.1:
        return exchange(frame.format(passage=passage, question=rng.choice(rng.choice(untold).questions)), rng.choice(_UNKNOWN))
    first, *rest = rng.sample(told, min(2, len(told)))
    contents = [frame.format(passage=passage, question=rng.choice(first.questions)), first.value]
    if rest and rng.random() < 0.4:
        contents += [rng.choice(rest[0].questions), rest[0].value]
    return exchange(*contents)


def extraction(rng: random.Random, part: Part = "train") -> Chat:
    """Copy one named field, or several as lines ``field: value``."""
    passage, told, _ = _passage(rng, part)
    if rng.random() < 0.25 and len(told) > 1:
        wanted = rng.sample(told, 2)
        return exchange(
            f"List the {wanted[0].field} and the {wanted[1].field}.\n\n{passage}",
            "\n".join(f"{fact.field}: {fact.value}" for fact in wanted),
        )
    fact = rng.choice(told)
    return exchange(pick(rng, _EXTRACT_FRAMES, part).format(field=fact.field, passage=passage), fact.value)


def yes_or_no(rng: random.Random, part: Part = "train") -> Chat:
    """Is a statement true by the passage? Half of them carry a wrong value of the same field."""
    passage, told, _ = _passage(rng, part)
    fact = rng.choice(told)
    true = rng.random() < 0.5
    other = next(f for f in _facts(rng, names.person(rng, part), part) if f.field == fact.field)
    value = fact.value if true else other.value
    asked = rng.choice(("Is this true? {} Answer yes or no.", "{} True or false?", "Does the text say this? {} Answer yes or no."))
    answer = "yes" if value == fact.value else "no"
    if "True or false" in asked:
        answer = "true" if answer == "yes" else "false"
    return exchange(f"{passage}\n\n{asked.format(fact.claim.format(v=value))}", answer.capitalize())
