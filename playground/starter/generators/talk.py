"""Small talk, who the model is, simple sums, and answers in a given form; a few in Portuguese.

Knows wordings only.
"""

from __future__ import annotations

import random

from playground.starter.chatml import Chat, exchange

from . import names
from .pools import Part, pick, words

_WHO_ASKED = (
    "Who are you?",
    "What are you?",
    "What is your name?",
    "Tell me about yourself.",
    "Are you a person?",
    "Introduce yourself.",
    "who are you",
    "What can you do?",
    "Are you human?",
    "Which model is this?",
    "hello, who is this?",
    "What should I call you?",
)
_WHO = (
    "I am the starter model of the playground, a small model that learns from your examples.",
    "I'm the starter model of the playground. I am small, and I learn from the examples you give me.",
    "I am a small language model, the starter model of the playground. Teach me with your own examples.",
    "I am the playground's starter model: small, quick to train, and ready to learn from your examples.",
)
_WHO_PT_ASKED = ("Quem é você?", "O que você é?", "Qual é o seu nome?", "Fale sobre você.", "Você é uma pessoa?", "Como você se chama?")
_WHO_PT = (
    "Sou o modelo inicial do playground, um modelo pequeno que aprende com os seus exemplos.",
    "Eu sou um modelo pequeno, o modelo inicial do playground. Aprendo com os exemplos que você me dá.",
)
_GREETINGS = (
    ("Hello", "Hello! How can I help you?"),
    ("Hi", "Hi! What would you like to do?"),
    ("Good morning", "Good morning! How can I help?"),
    ("How are you?", "I am well, thank you. How are you?"),
    ("Thanks", "You are welcome."),
    ("Thank you very much", "You are very welcome!"),
    ("Bye", "Goodbye! Come back soon."),
    ("Good night", "Good night! Sleep well."),
    ("Nice to meet you", "Nice to meet you too!"),
    ("What's up?", "Not much. What can I do for you?"),
    ("Can you help me?", "Of course. Tell me what you need."),
    ("See you later", "See you later!"),
    ("I'm back", "Welcome back! What shall we do?"),
    ("Good evening", "Good evening! What can I do for you?"),
    ("I am tired", "Then rest a little. I will be here."),
    ("I am bored", "Shall I tell you a short story?"),
    ("You are nice", "Thank you, that is kind of you."),
    ("Sorry", "No problem at all."),
    ("Olá", "Olá! Como posso ajudar?"),
    ("Oi", "Oi! O que você gostaria de fazer?"),
    ("Bom dia", "Bom dia! Como posso ajudar?"),
    ("Boa noite", "Boa noite! Em que posso ajudar?"),
    ("Obrigado", "De nada."),
    ("Obrigada", "De nada."),
    ("Tudo bem?", "Tudo bem, obrigado. E você?"),
    ("Tchau", "Tchau! Até logo."),
    ("Você pode me ajudar?", "Claro. Diga o que você precisa."),
)


def who_am_i(rng: random.Random, part: Part = "train") -> Chat:
    """Says what the model is."""
    if rng.random() < 0.25:
        return exchange(pick(rng, _WHO_PT_ASKED, part), rng.choice(_WHO_PT))
    return exchange(pick(rng, _WHO_ASKED, part), rng.choice(_WHO))


def greeting(rng: random.Random, part: Part = "train") -> Chat:
    """A greeting and its answer, sometimes followed by a second exchange."""
    asked, answer = rng.choice(_GREETINGS)
    asked = rng.choice((asked, asked + rng.choice((".", "!", "")) if asked[-1] != "?" else asked, asked.lower()))
    return exchange(asked, answer) if rng.random() < 0.7 else exchange(asked, answer, rng.choice(_WHO_ASKED[:-1]), rng.choice(_WHO))


def sums(rng: random.Random, part: Part = "train") -> Chat:
    """One or two small numbers added, taken away or multiplied; in figures or as a tiny story."""
    a, b = (rng.randint(0, 20), rng.randint(0, 20)) if rng.random() < 0.7 else (rng.randint(0, 99), rng.randint(0, 99))
    if rng.random() < 0.35:
        who, thing = names.person(rng, part), pick(rng, names.THINGS, part)
        if rng.random() < 0.5:
            return exchange(
                f"{who} has {a} {thing} and gets {b} more. How many {thing} does {who} have now?",
                f"{a} + {b} = {a + b}. The answer is {a + b}.",
            )
        a, b = max(a, b), min(a, b)
        return exchange(f"{who} has {a} {thing} and gives away {b}. How many are left?", f"{a} - {b} = {a - b}. The answer is {a - b}.")
    sign = rng.choice("+-*")
    if sign == "-":
        a, b = max(a, b), min(a, b)
    if sign == "*":
        a, b = a % 11, b % 11
    result = {"+": a + b, "-": a - b, "*": a * b}[sign]
    shown = {"+": "plus", "-": "minus", "*": "times"}[sign] if rng.random() < 0.3 else sign
    return exchange(
        pick(rng, ("What is {}?", "{} =", "Calculate {}.", "How much is {}?", "Quanto é {}?", "Work out {}."), part).format(
            f"{a} {shown} {b}"
        ),
        str(result),
    )


GROUPS: dict[str, tuple[str, ...]] = {
    "colours": names.COLOURS,
    "animals": names.ANIMALS,
    "days of the week": names.DAYS,
    "months": names.MONTHS,
    "jobs": names.JOBS,
    "cities": names.PLACES,
    "first names": names.PEOPLE,
    "fruits": words("""
        apple, pear, plum, cherry, grape, orange, banana, mango, lemon, peach, melon, fig, kiwi, papaya
    """),
    "vegetables": words("carrot, onion, potato, leek, bean, pea, cabbage, pumpkin, spinach, beetroot, radish, turnip"),
    "tools": words("hammer, saw, drill, file, spade, rake, axe, brush, knife, ladder, pliers, wrench"),
    "countries": words("""
        Brazil, Portugal, France, Kenya, Japan, India, Peru, Canada, Egypt, Norway, Spain, Chile, Ghana, Italy, Mexico, China
    """),
    "body parts": words("arm, leg, hand, foot, nose, ear, eye, knee, elbow, shoulder, neck, back"),
    "clothes": words("shirt, coat, hat, skirt, scarf, sock, shoe, glove, jacket, dress, belt, boot"),
    "instruments": words("piano, violin, flute, drum, guitar, harp, trumpet, cello, organ, clarinet"),
    "sports": words("football, tennis, swimming, running, rowing, boxing, hockey, judo, chess, cycling, golf, rugby"),
    "drinks": words("water, milk, tea, coffee, juice, cocoa, lemonade, soup, cider, wine"),
    "furniture": words("table, chair, bed, sofa, shelf, desk, bench, cupboard, wardrobe, stool"),
    "weather": words("rain, snow, wind, fog, sunshine, hail, frost, thunder, storm, drizzle"),
}
OPPOSITES = tuple(
    tuple(pair.split("/"))
    for pair in words("""
    hot/cold, big/small, up/down, left/right, day/night, black/white, fast/slow, old/young, rich/poor, happy/sad, open/closed, wet/dry,
    full/empty, hard/soft, light/dark, loud/quiet, early/late, strong/weak, near/far, high/low, clean/dirty, long/short, easy/difficult,
    first/last, in/out, love/hate, friend/enemy, summer/winter, north/south, east/west, good/bad, brave/afraid, begin/end, buy/sell,
    give/take, push/pull, win/lose, true/false, safe/dangerous, cheap/expensive, thick/thin, wide/narrow, asleep/awake, alive/dead,
    inside/outside
""")
)


def formats(rng: random.Random, part: Part = "train") -> Chat:
    """Follow a form: a list of three, one word, capitals, repetition, the opposite, sorting, counting."""
    group = rng.choice(list(GROUPS))
    some = rng.sample(GROUPS[group], min(len(GROUPS[group]), 5))
    task = rng.randrange(9)
    if task == 0:
        n = rng.randint(2, 5)
        asked = pick(
            rng,
            (
                "Name {n} {g}.",
                "List {n} {g}.",
                "Give me {n} {g}, separated by commas.",
                "Write {n} {g}.",
                "I need {n} {g}.",
                "Tell me {n} {g}.",
            ),
            part,
        )
        return exchange(asked.format(n=("two", "three", "four", "five")[n - 2], g=group), ", ".join(some[:n]))
    if task == 1:
        n = rng.randint(2, 4)
        return exchange(f"Write a numbered list of {n} {group}.", "\n".join(f"{i + 1}. {item}" for i, item in enumerate(some[:n])))
    if task == 2:
        pair = list(pick(rng, OPPOSITES, part))
        rng.shuffle(pair)
        return exchange(
            rng.choice(("What is the opposite of {}?", "Opposite of {}?", "Give the opposite of the word {}. One word.")).format(pair[0]),
            pair[1],
        )
    if task == 3:
        text = " ".join(some[: rng.randint(1, 3)])
        return exchange(f"Write this in capitals: {text}", text.upper())
    if task == 4:
        return exchange(rng.choice(("Repeat after me: {}", "Say: {}", "Copy this: {}")).format(" ".join(some)), " ".join(some))
    if task == 5:
        chosen = some[: rng.randint(2, 5)]
        return exchange(f"Sort these words by the alphabet: {', '.join(chosen)}", ", ".join(sorted(chosen, key=str.lower)))
    if task == 6:
        chosen = some[: rng.randint(1, 5)]
        return exchange(f"How many words are in this list? {', '.join(chosen)}", str(len(chosen)))
    if task == 7:
        stranger = rng.choice(GROUPS[rng.choice([g for g in GROUPS if g != group])])
        mixed = [*some[:3], stranger]
        rng.shuffle(mixed)
        return exchange(f"Which word does not belong? {', '.join(mixed)}", stranger)
    return exchange(
        rng.choice((f"Which kind of thing is this: {some[0]}? Answer in one word or two.", f"To which group does {some[0]} belong?")), group
    )
