"""Made-up names, words, codes and numbers without end, so that an answer can be copied but never remembered.

Knows syllables only.
"""

from __future__ import annotations

import random

from . import names
from .pools import Part, words

_ONSETS = words("b, br, c, ch, cl, d, dr, f, fl, g, gr, h, j, k, l, m, n, p, pl, pr, qu, r, s, sh, sl, st, t, th, tr, v, w, z")
_VOWELS = words("a, e, i, o, u, ai, ea, ee, ia, io, oa, ou")
_CODAS = ("", "", "", "l", "m", "n", "r", "s", "t", "x", "nd", "rt", "ck")


def word(rng: random.Random, least: int = 1, most: int = 3) -> str:
    """A word of one to three made-up syllables, in small letters."""
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.randint(least, most)))


def name(rng: random.Random, part: Part = "train") -> str:
    """Somebody: a common first name, a made-up one, or a first name with a made-up surname."""
    kind = rng.random()
    if kind < 0.4:
        return names.person(rng, part)
    if kind < 0.7:
        return word(rng, 2, 2).capitalize()
    return f"{names.person(rng, part).split()[0]} {word(rng, 1, 2).capitalize()}"


def place(rng: random.Random) -> str:
    """Somewhere: a real city or a made-up one."""
    return rng.choice(names.PLACES) if rng.random() < 0.4 else word(rng, 2, 2).capitalize()


def code(rng: random.Random) -> str:
    """An order number, a plate, a room: letters and figures."""
    letters = "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(rng.randint(1, 3)))
    return f"{letters}{rng.choice(('', '-'))}{rng.randint(1, 9999)}"


def figure(rng: random.Random) -> str:
    """A number as people write it: mostly small, now and then with thousands or cents."""
    kind = rng.random()
    if kind < 0.6:
        return str(rng.randint(1, 99))
    if kind < 0.8:
        return str(rng.randint(100, 9999))
    return f"{rng.randint(1, 499)}.{rng.randint(0, 99):02d}" if kind < 0.9 else f"{rng.randint(1, 99)},{rng.randint(0, 999):03d}"
