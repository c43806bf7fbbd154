"""Looking up and copying: records in several notations, plain statements with made-up values, and texts to repeat.

Most values are words that no other text holds, so that the answer can only come from the prompt. Knows nothing of people or places.
"""

from __future__ import annotations

import json
import random

from playground.starter.chatml import Chat, exchange

from .pools import Part, pick, words

_STARTS = words("b, br, c, cl, d, dr, f, fl, g, gr, h, j, k, l, m, n, p, pl, qu, r, s, st, t, tr, v, w, z, sh, th, ch")
_MIDDLES = words("a, e, i, o, u, ai, ea, oo, ou, ei, io")
_ENDS = words("b, ck, d, l, m, n, nd, p, r, rn, s, st, t, x, lo, na, ra, mi, to, ve, nta, rel, sto, dim")
FIELDS = words("""
    name, price, colour, size, city, owner, brand, code, weight, material, country, date, author, title, number, flavour, street, team,
    language, shape, model, category, supplier, room, day, origin, version, status, length, address, topic, teacher, captain, label
""")
CAMPOS = words("""
    nome, preço, cor, tamanho, cidade, dono, marca, código, peso, material, país, data, autor, título, número, sabor, rua, time, idioma,
    forma, modelo, categoria, fornecedor, sala, dia, origem, versão, comprimento, endereço, tema
""")
_THINGS = words("""
    house, boat, machine, plan, garden, tool, bridge, school, shop, lamp, clock, book, bag, box, ticket, song, cake, game, island, river,
    car, door, letter, farm, tower, phone, recipe, course, stone, horse
""")
_COISAS = words("""
    o barco, o plano, o jardim, o relógio, o livro, o bolo, o jogo, o rio, o carro, o curso, o cavalo, o prédio, o trem, o mapa, o prato
""")
_UNITS = words("kg, g, cm, m, km, dollars, euros, minutes, days, pages, litres")
_ASK = (
    "What is the {field}?",
    "Which {field} does it have?",
    "Tell me the {field}.",
    "{field}?",
    "Give the {field} only.",
    "What does it say for {field}?",
    "Answer with the {field}.",
)
_PERGUNTE = (
    "Qual é o valor de {field}?",
    "O que diz o campo {field}?",
    "Diga só o valor de {field}.",
    "{field}?",
    "Responda com o valor de {field}.",
    "Qual valor tem {field}?",
)
_TELL = (
    "The {field} of the {thing} is {value}.",
    "The {thing} has the {field} {value}.",
    "For the {thing}, the {field} is {value}.",
    "Its {field} is known: the {thing} has {value}.",
    "{value} is the {field} of the {thing}.",
    "As {field} of the {thing}, people give {value}.",
)
_FRAMES = (
    "{text}\n\n{question}",
    "{question}\n\n{text}",
    "Text: {text}\nQuestion: {question}",
    "Read this and answer.\n\n{text}\n\n{question}",
    "Context: {text}\n\nQuestion: {question}\nAnswer:",
    "Answer from the text.\n\n{text}\n\n{question}",
    "Use only this: {text}\n{question}",
)
_MOLDES = (
    "{text}\n\n{question}",
    "{question}\n\n{text}",
    "Texto: {text}\nPergunta: {question}",
    "Leia e responda.\n\n{text}\n\n{question}",
    "Contexto: {text}\n\nPergunta: {question}\nResposta:",
    "Responda pelo texto.\n\n{text}\n\n{question}",
)
_REPEAT = (
    "Repeat this text: {}",
    "Copy exactly:\n{}",
    "Say this again: {}",
    "Write the same once more.\n\n{}",
    "Repita este texto: {}",
    "Copie exatamente:\n{}",
    "Echo: {}",
)
UNKNOWN, DESCONHECIDO = "The text does not say.", "O texto não diz."


def made_up(rng: random.Random) -> str:
    """A word of one to three syllables that means nothing."""
    word = "".join(rng.choice(_STARTS) + rng.choice(_MIDDLES) for _ in range(rng.randint(1, 2))) + rng.choice(_ENDS)
    return word.capitalize() if rng.random() < 0.5 else word


def value(rng: random.Random, part: Part) -> str:
    """Something to be looked up: a made-up word or two, a number with or without its unit, a code, a price."""
    kind = rng.random()
    if kind < 0.4:
        return made_up(rng)
    if kind < 0.55:
        return f"{made_up(rng)} {made_up(rng)}"
    if kind < 0.7:
        return f"{rng.randint(1, 999)} {pick(rng, _UNITS, part)}"
    if kind < 0.8:
        return str(rng.randint(2, 9999))
    if kind < 0.9:
        return f"{rng.randint(1, 99)}.{rng.randint(0, 99):02d}"
    return f"{rng.choice('ABCDEFGHKLMNPRSTXYZ')}{rng.choice('ABCDEFGHKLMNPRSTXYZ')}-{rng.randint(10, 999)}"


def _notation(rng: random.Random, fields: dict[str, str]) -> str:
    """One record as lines, CSV, JSON, a Markdown table, or a list on one line."""
    kind = rng.randrange(5)
    if kind == 0:
        return "\n".join(f"{key}: {cell}" for key, cell in fields.items())
    if kind == 1:
        mark = rng.choice((",", ";", "\t"))
        return mark.join(fields) + "\n" + mark.join(fields.values())
    if kind == 2:
        return json.dumps(fields, ensure_ascii=False)
    if kind == 3:
        return f"| {' | '.join(fields)} |\n| {' | '.join(fields.values())} |"
    return rng.choice(("; ", ", ", " | ")).join(f"{key} = {cell}" for key, cell in fields.items())


def record(rng: random.Random, part: Part = "train") -> Chat:
    """A field of a record, in English or Portuguese; now and then one that the record lacks; sometimes two questions in a row."""
    english = rng.random() < 0.7
    names = FIELDS if english else CAMPOS
    chosen = rng.sample(names, rng.randint(3, 7))
    fields = {name: value(rng, part) for name in chosen}
    ask, frames = (_ASK, _FRAMES) if english else (_PERGUNTE, _MOLDES)
    frame = pick(rng, frames, part)
    if rng.random() < 0.1:
        missing = rng.choice([name for name in names if name not in fields])
        asked = pick(rng, ask, part).format(field=missing)
        return exchange(frame.format(text=_notation(rng, fields), question=asked), UNKNOWN if english else DESCONHECIDO)
    wanted = rng.sample(chosen, 2 if rng.random() < 0.3 else 1)
    first, *rest = [(pick(rng, ask, part).format(field=name), fields[name]) for name in wanted]
    contents = [frame.format(text=_notation(rng, fields), question=first[0]), first[1]]
    return exchange(*contents, *(text for pair in rest for text in pair))


def statement(rng: random.Random, part: Part = "train") -> Chat:
    """What was said of one thing among several, in English or Portuguese; the other sentences have the same shape."""
    english = rng.random() < 0.7
    things, names = (_THINGS, FIELDS) if english else (_COISAS, CAMPOS)
    told = {(rng.choice(things), rng.choice(names)): value(rng, part) for _ in range(rng.randint(2, 6))}
    if english:
        lines = [pick(rng, _TELL, part).format(thing=thing, field=field, value=given) for (thing, field), given in told.items()]
        asked = ("What is the {field} of the {thing}?", "Which {field} has the {thing}?", "Of the {thing}, what is the {field}?")
    else:
        lines = [f"Sobre {thing}: {field} é {given}." for (thing, field), given in told.items()]
        asked = ("Sobre {thing}: qual é {field}?", "Qual é {field}, falando sobre {thing}?", "Diga {field} sobre {thing}.")
    text = " ".join(line[:1].upper() + line[1:] for line in lines)
    frame = pick(rng, _FRAMES if english else _MOLDES, part)
    if rng.random() < 0.1:
        absent = (rng.choice(things), rng.choice(names))
        if absent not in told:
            question = rng.choice(asked).format(thing=absent[0], field=absent[1])
            return exchange(frame.format(text=text, question=question), UNKNOWN if english else DESCONHECIDO)
    (thing, field), given = rng.choice(list(told.items()))
    return exchange(frame.format(text=text, question=rng.choice(asked).format(thing=thing, field=field)), given)


def recital(rng: random.Random, part: Part = "train") -> Chat:
    """A row of words, made up or not, to be said again."""
    pool = (*_THINGS, *FIELDS, *CAMPOS)
    row = [made_up(rng) if rng.random() < 0.6 else rng.choice(pool) for _ in range(rng.randint(2, 14))]
    text = " ".join(row)
    return exchange(pick(rng, _REPEAT, part).format(text), text)
