"""Rewriting a sentence: politely, as a question, in the past, with a pronoun, without a word, shorter; single words between two languages.

Knows wordings only.
"""

from __future__ import annotations

import random

from playground.starter.chatml import Chat, exchange

from . import inventions, names
from .pools import Part, pick, words
from .recitals import statement

_VERBS = tuple(
    tuple(verb.split("/"))
    for verb in words("""
    play/plays/played, open/opens/opened, paint/paints/painted, carry/carries/carried, clean/cleans/cleaned, wash/washes/washed,
    buy/buys/bought, sell/sells/sold, find/finds/found, lose/loses/lost, bring/brings/brought, write/writes/wrote, read/reads/read,
    make/makes/made, break/breaks/broke, see/sees/saw, take/takes/took, give/gives/gave, hide/hides/hid, keep/keeps/kept,
    move/moves/moved, repair/repairs/repaired, send/sends/sent, count/counts/counted, watch/watches/watched, cook/cooks/cooked
""")
)
_OBJECTS = words("""
    the door, the window, two chairs, a letter, the old clock, some bread, the blue box, a story, the garden, the dishes, a song,
    the report, the bicycle, three plates,
    the shoes, a picture, the keys, the boat, the floor, a cake, the lamp, some water, the map, the table
""")
_TURNS = words("close, open, send me, bring, clean, repair, read, paint, move, find, wash, show me, carry, count")
_GREAT = tuple(
    tuple(pair.split("/"))
    for pair in words("""
    house/casa, dog/cachorro, cat/gato, water/água, book/livro, sun/sol, moon/lua, bread/pão, milk/leite, school/escola, friend/amigo,
    day/dia, night/noite, red/vermelho, blue/azul, green/verde, white/branco, black/preto, one/um, two/dois, three/três, four/quatro,
    five/cinco, king/rei, queen/rainha, boy/menino, girl/menina, mother/mãe, father/pai, table/mesa, chair/cadeira, door/porta,
    window/janela, tree/árvore, flower/flor, fish/peixe, bird/pássaro, horse/cavalo, city/cidade, street/rua, hand/mão, head/cabeça,
    heart/coração, love/amor, fear/medo, joy/alegria, anger/raiva, happy/feliz, sad/triste, good/bom, bad/ruim, big/grande, small/pequeno,
    new/novo, old/velho, coffee/café, rain/chuva, wind/vento, sea/mar, river/rio, thank you/obrigado, good morning/bom dia, year/ano
""")
)
_POLITE = (
    "Make this polite: {}",
    "Say this politely: {}",
    "Rewrite as a polite request.\n\n{}",
    "How can I say this in a friendly way? {}",
    "{}\n\nPut it politely.",
    "Turn this order into a polite question: {}",
)
_PAST = (
    "Put this in the past: {}",
    "Rewrite in the past tense.\n\n{}",
    "{}\n\nNow in the past tense:",
    "Change to the past: {}",
    "Past tense: {}",
    "Say that it happened yesterday, in the past tense: {}",
)
_ASKED = (
    "Turn this into a question: {}",
    "Make a yes or no question of this.\n\n{}",
    "{}\n\nRewrite as a question.",
    "Ask whether this is so: {}",
    "Question form: {}",
    "Rewrite the sentence as a question: {}",
)
_SWAPPED = (
    "Write this again with {new} instead of {old}.\n\n{text}",
    "Replace {old} with {new}: {text}",
    "{text}\n\nChange {old} to {new}.",
    "In this text, put {new} where {old} stands.\n\n{text}",
    "Swap {old} for {new}.\n{text}",
    "Rewrite: {text}\nUse {new} in place of {old}.",
)


def rewriting(rng: random.Random, part: Part = "train") -> Chat:
    """One sentence said in another way, or one word in the other language."""
    who = inventions.name(rng, part)
    base, present, past = rng.choice(_VERBS)
    thing = rng.choice(_OBJECTS)
    kind = rng.randrange(6)
    if kind == 0:
        order = f"{rng.choice(_TURNS)} {thing}"
        return exchange(pick(rng, _POLITE, part).format(f"{order[:1].upper()}{order[1:]}."), f"Could you please {order}?")
    if kind == 1:
        return exchange(pick(rng, _PAST, part).format(f"{who} {present} {thing}."), f"{who} {past} {thing}.")
    if kind == 2:
        return exchange(pick(rng, _ASKED, part).format(f"{who} {present} {thing}."), f"Does {who} {base} {thing}?")
    if kind == 3:
        english, portuguese = pick(rng, _GREAT, part)
        if rng.random() < 0.5:
            return exchange(rng.choice(("How do you say {} in Portuguese?", "{} in Portuguese?")).format(english), portuguese)
        return exchange(rng.choice(("What does {} mean in English?", "Como se diz {} em inglês?")).format(portuguese), english)
    text, new = statement(rng, who, part), inventions.name(rng, part)
    if kind == 4:
        return exchange(pick(rng, _SWAPPED, part).format(text=text, old=who, new=new), text.replace(who, new))
    more = statement(rng, new, part)
    asked = rng.choice(("Shorten to one sentence.\n\n{}", "Keep only the first sentence: {}", "Give the first sentence only.\n\n{}"))
    return exchange(asked.format(f"{text} {more}"), text)


def small_talk(rng: random.Random, part: Part = "train") -> Chat:
    """Polite talk in several turns, in which a name or a liking that was told is remembered."""
    who, liking = inventions.name(rng, part), rng.choice(names.ANIMALS + names.COLOURS)
    place = inventions.place(rng)
    kind = rng.randrange(4)
    opened = rng.choice(("Hello", "Hi", "Good morning", "Good evening"))
    if kind == 0:
        return exchange(
            f"{opened}, my name is {who}.",
            f"{opened}, {who}! How can I help you?",
            rng.choice(("Do you remember my name?", "What is my name?", "Who am I?")),
            f"Your name is {who}.",
            rng.choice(("Thank you!", "Thanks, that is right.", "Correct, thank you.")),
            f"You are welcome, {who}.",
        )
    if kind == 1:
        return exchange(
            f"{opened}! I live in {place}.",
            f"{opened}! Do you like it in {place}?",
            rng.choice(("Yes, very much.", "Yes, it is quiet.", "I like it well enough.")),
            "That is good to hear.",
            rng.choice(("Where do I live?", "Did you note where I live?", "Which place did I name?")),
            f"You live in {place}.",
        )
    if kind == 2:
        return exchange(
            rng.choice((f"My favourite is {liking}.", f"I like {liking} best.", f"The one I like most: {liking}.")),
            f"{liking.capitalize()} is a good choice.",
            rng.choice(("What did I say I like?", "What is my favourite?", "Which one do I like?")),
            f"You like {liking}.",
        )
    return exchange(
        rng.choice((f"Oi, eu me chamo {who}.", f"Olá, meu nome é {who}.", f"Bom dia, sou {who}.")),
        f"Olá, {who}! Como posso ajudar?",
        rng.choice(("Qual é o meu nome?", "Como eu me chamo?", "Você lembra o meu nome?")),
        f"O seu nome é {who}.",
        rng.choice(("Obrigado!", "Obrigada!", "Isso mesmo, obrigado.")),
        "De nada.",
    )
