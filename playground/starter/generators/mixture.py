"""The mixture of generators: how often each speaks, and a stream of conversations for a seed.

Knows the generators by name only.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from playground.starter.chatml import Chat

from . import enquiries, feelings, labels, portuguese, reading, recitals, records, rewriting, tales, talk
from .pools import Part

# name: (generator, weight); the weights are shares of conversations, not of tokens
GENERATORS = {
    "feelings": (feelings.feeling, 30),
    "moods": (feelings.mood_question, 5),
    "labels": (labels.labelled, 18),
    "questions": (reading.question, 14),
    "extraction": (reading.extraction, 8),
    "yes_no": (reading.yes_or_no, 7),
    "sums": (talk.sums, 12),
    "formats": (talk.formats, 10),
    "greetings": (talk.greeting, 2),
    "enquiries": (enquiries.enquiry, 14),
    "tales": (tales.tale, 7),
    "recitals": (recitals.recital, 12),
    "statements": (recitals.statements, 12),
    "records": (records.record, 10),
    "tables": (records.table, 8),
    "rewriting": (rewriting.rewriting, 8),
    "small_talk": (rewriting.small_talk, 3),
    "portuguese_questions": (portuguese.question, 7),
}
# Only in the decay phase: what is read last is remembered best, and these are few wordings.
LATE_GENERATORS = {
    "identity": (talk.who_am_i, 4),
    "portuguese_labels": (portuguese.classification, 7),
}


def conversations(seed: int, count: int, part: Part = "train", late: bool = True) -> Iterator[tuple[str, Chat]]:
    """count pairs (generator's name, conversation), with or without the late generators; the same for the same arguments."""
    rng = random.Random(f"{seed}/{part}")
    generators = {**GENERATORS, **(LATE_GENERATORS if late else {})}
    names = list(generators)
    weights = [generators[name][1] for name in names]
    for _ in range(count):
        name = rng.choices(names, weights)[0]
        yield name, generators[name][0](rng, part)
