"""Records and small tables in several forms (lines, CSV, JSON, Markdown), and questions whose answer stands in one cell.

Knows fields with makers of values, in English and Portuguese.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import NamedTuple

from playground.starter.chatml import Chat, exchange

from . import inventions, names
from .pools import Part, pick, words


class Field(NamedTuple):
    """A column: its name in both languages and what makes a value."""

    english: str
    portuguese: str
    value: Callable[[random.Random], str]


def _one_of(text: str) -> Callable[[random.Random], str]:
    items = words(text)
    return lambda rng: rng.choice(items)


FIELDS = (
    Field("city", "cidade", inventions.place),
    Field(
        "country", "país", _one_of("Brazil, Portugal, France, Kenya, Japan, India, Peru, Canada, Egypt, Norway, Spain, Chile, Ghana, Italy")
    ),
    Field("age", "idade", lambda rng: str(rng.randint(5, 95))),
    Field("price", "preço", inventions.figure),
    Field("quantity", "quantidade", lambda rng: str(rng.randint(1, 500))),
    Field("code", "código", inventions.code),
    Field("room", "sala", lambda rng: rng.choice((inventions.code(rng), str(rng.randint(1, 499))))),
    Field("colour", "cor", lambda rng: rng.choice(names.COLOURS)),
    Field("job", "profissão", lambda rng: rng.choice(names.JOBS)),
    Field("teacher", "professor", inventions.name),
    Field("owner", "dono", inventions.name),
    Field("date", "data", names.date),
    Field("time", "hora", names.clock),
    Field("day", "dia", lambda rng: rng.choice(names.DAYS)),
    Field("phone", "telefone", lambda rng: f"{rng.randint(200, 999)}-{rng.randint(1000, 9999)}"),
    Field("email", "email", lambda rng: f"{inventions.word(rng)}{rng.choice(('', str(rng.randint(1, 99))))}@example.com"),
    Field("animal", "animal", lambda rng: rng.choice(names.ANIMALS)),
    Field("brand", "marca", lambda rng: inventions.word(rng, 2, 2).capitalize()),
    Field("model", "modelo", inventions.code),
    Field("street", "rua", lambda rng: f"{inventions.word(rng, 2, 2).capitalize()} {rng.randint(1, 300)}"),
    Field("weight", "peso", lambda rng: f"{rng.randint(1, 90)} kg"),
    Field("length", "comprimento", lambda rng: f"{rng.randint(2, 400)} cm"),
    Field("status", "situação", _one_of("open, closed, paid, late, sent, cancelled, ready, waiting, new, returned")),
    Field("author", "autor", inventions.name),
    Field("title", "título", lambda rng: f"The {rng.choice(names.COLOURS)} {rng.choice(names.ANIMALS)}".title()),
    Field("year", "ano", lambda rng: str(rng.randint(1900, 2030))),
    Field("score", "nota", lambda rng: str(rng.randint(1, 100))),
    Field("team", "time", lambda rng: f"{inventions.word(rng, 2, 2).capitalize()} {rng.choice(('United', 'Club', 'Stars', 'Rovers'))}"),
    Field("fruit", "fruta", _one_of("apple, pear, plum, cherry, grape, orange, banana, mango, lemon, peach, melon, fig, kiwi, papaya")),
    Field("language", "língua", _one_of("English, Portuguese, French, Hindi, Arabic, Spanish, Swahili, Japanese, Korean, German, Italian")),
)
_ASK = (
    "{record}\n\nWhat is the {field}?",
    "What is the {field}?\n\n{record}",
    "Record:\n{record}\nQuestion: what is the {field}?\nAnswer:",
    "{record}\n\n{field}?",
    "Give me the {field}.\n\n{record}",
    "Look at this record and tell me the {field}.\n{record}",
    "{record}\n\nWhich {field} does the record give?",
)
_ASK_PT = (
    "{record}\n\nQual é o valor de {field}?",
    "Qual é o valor do campo {field}?\n\n{record}",
    "Registro:\n{record}\nPergunta: {field}?\nResposta:",
    "{record}\n\n{field}?",
    "Diga o valor de {field}.\n\n{record}",
    "Procure no registro: {field}.\n{record}",
    "{record}\n\nQue valor tem {field}?",
)
_ASK_TABLE = (
    "{table}\n\nWhat is the {field} of {who}?",
    "What is {who}'s {field}?\n\n{table}",
    "Table:\n{table}\nQuestion: {field} of {who}?\nAnswer:",
    "Use the table. Which {field} belongs to {who}?\n\n{table}",
    "{table}\n\n{who}: which {field}?",
    "Find the {field} for {who}.\n{table}",
)
_ASK_TABLE_PT = (
    "{table}\n\nQual é {field} de {who}?",
    "Tabela:\n{table}\nPergunta: {field} de {who}?\nResposta:",
    "{table}\n\n{who}: {field}?",
    "Procure na tabela: {field} de {who}.\n{table}",
    "Use a tabela. Que {field} tem {who}?\n\n{table}",
    "Diga {field} de {who}.\n\n{table}",
)
UNTOLD = {"en": "The text does not say.", "pt": "O texto não diz."}


def _written(rng: random.Random, rows: list[dict[str, str]]) -> str:
    """Rows of one shape as CSV, Markdown, JSON lines or plain lines."""
    form = rng.randrange(5 if len(rows) == 1 else 4)
    header = list(rows[0])
    if form == 0:
        mark = rng.choice((",", ";", "\t", ", "))
        return "\n".join([mark.join(header), *(mark.join(row.values()) for row in rows)])
    if form == 1:
        return "\n".join([f"| {' | '.join(header)} |", f"|{'---|' * len(header)}", *(f"| {' | '.join(row.values())} |" for row in rows)])
    if form == 2:
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    if form == 3:
        return "\n".join(", ".join(f"{key}: {value}" for key, value in row.items()) for row in rows)
    return "\n".join(f"{key}: {value}" for key, value in rows[0].items())


def _columns(rng: random.Random, least: int, most: int) -> tuple[str, list[Field]]:
    return ("pt" if rng.random() < 0.25 else "en"), rng.sample(FIELDS, rng.randint(least, most))


def record(rng: random.Random, part: Part = "train") -> Chat:
    """One record and a question for one or two of its fields; now and then a field that it does not have; or the record as JSON."""
    language, fields = _columns(rng, 3, 7)
    shown = [field.portuguese if language == "pt" else field.english for field in fields]
    row = dict(zip(shown, (field.value(rng) for field in fields), strict=True))
    ask = pick(rng, _ASK_PT if language == "pt" else _ASK, part)
    kind = rng.random()
    if kind < 0.1:
        missing = shown[-1]
        del row[missing]
        return exchange(ask.format(record=_written(rng, [row]), field=missing), UNTOLD[language])
    if kind < 0.2:
        wanted = rng.sample(shown, 2)
        text = "\n".join(f"{key}: {value}" for key, value in row.items())
        asked = rng.choice((f"Write {wanted[0]} and {wanted[1]} as JSON.\n\n{text}", f"{text}\n\nJSON with {wanted[0]} and {wanted[1]}:"))
        return exchange(asked, json.dumps({key: row[key] for key in wanted}, ensure_ascii=False))
    first, second = rng.sample(shown, 2)
    contents = [ask.format(record=_written(rng, [row]), field=first), row[first]]
    if rng.random() < 0.4:
        contents += [rng.choice((f"And the {second}?", f"{second}?")) if language == "en" else f"E {second}?", row[second]]
    return exchange(*contents)


def table(rng: random.Random, part: Part = "train") -> Chat:
    """A table of several people or things; a cell by its row and column, or the row by its cell."""
    language, fields = _columns(rng, 1, 3)
    key = "nome" if language == "pt" else "name"
    rows = []
    for who in dict.fromkeys(inventions.name(rng, part) for _ in range(rng.randint(2, 6))):
        row = {key: who} | {(f.portuguese if language == "pt" else f.english): f.value(rng) for f in fields}
        rows.append(row)
    chosen = rng.choice(rows)
    field = rng.choice([name for name in chosen if name != key])
    written = _written(rng, rows)
    if rng.random() < 0.2 and sum(row[field] == chosen[field] for row in rows) == 1:
        asked = f"Quem tem {field} {chosen[field]}?" if language == "pt" else f"Who has the {field} {chosen[field]}?"
        return exchange(f"{written}\n\n{asked}", chosen[key])
    ask = pick(rng, _ASK_TABLE_PT if language == "pt" else _ASK_TABLE, part)
    return exchange(ask.format(table=written, field=field, who=chosen[key]), chosen[field])
