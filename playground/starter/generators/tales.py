"""Very short stories of a fixed shape, in English and Portuguese: somebody wants something, something is in the way, it ends well or not.

As in TinyStories (Eldan and Li 2023, arXiv 2305.07759) the point is a world small enough for a small model to tell of it coherently; here
the shape is a grammar of our own (after Propp's functions). Knows wordings only.
"""

from __future__ import annotations

import random

from playground.starter.chatml import Chat, exchange

from . import inventions
from .pools import Part, phrases, pick, words

# who, he or she, him or her, his or her
_HEROES = tuple(
    (hero, *forms)
    for forms, group in (
        (
            ("he", "him", "his"),
            "old king, young prince, poor farmer, little boy, grey wolf, brave sailor, fisherman, tailor, shepherd, giant",
        ),
        (("she", "her", "her"), "little girl, old woman, young queen, kind nurse, grey cat, red hen, princess, grandmother, baker, witch"),
        (
            ("it", "it", "its"),
            "small mouse, white rabbit, old horse, lost dog, black bird, little fox, brown bear, green frog, tired donkey",
        ),
    )
    for hero in words(group)
)
_HOMES = words("""
    in a small house, by the sea, at the edge of a forest, in a far country, in a village, on a hill, near a river, in an old mill,
    behind the mountains, in a quiet town, under a big tree, on an island
""")
_WISHES = words("""
    a friend, a golden key, a warm coat, some bread, a new song, a boat, the lost ring, a red apple, a magic book, the blue flower, a lamp,
    a bell, clean water, a home, a treasure, a drum
""")
_WAYS = phrases("""
    So one {morning} {he} left home and walked {through}. | {He} took {his} bag and went {through}. | The next {morning} {he} set
    out to look for it. | Nobody could help, so {he} went {through} alone. | {He} said goodbye and walked {through} for {number}
    days.
""")
_THROUGH = words("through the forest, over the hills, along the river, across the field, down the road, into the valley, to the sea")
_BLOCKS = words("""
    a deep river, a high wall, a sleeping dragon, a dark cave, an angry dog, a closed gate, a cold storm, a broken bridge, a proud lion,
    a thick fog
""")
_HELPERS = words("an owl, a bee, an old man, a small bird, a turtle, a stranger, a child, a mole, a fish, a beggar")
_MEETINGS = phrases("""
    There {he} met {helper}. | On the way {he} saw {helper}. | By the road sat {helper}. | Soon {helper} came along. | Then
    {helper} called out.
""")
_TALKS = phrases("""
    "Where are you going?" asked {the_helper}. "I am looking for {wish}," said {the_hero}. | "Why are you sad?" asked
    {the_helper}. "I want {wish}," said {the_hero}. | "I know where to find {wish}," said {the_helper}. "But first you must pass
    {block}." | "Help me, and I will help you," said {the_helper}. So {the_hero} helped {the_helper}.
""")
_TRIES = phrases("""
    But before them was {block}. | Then they came to {block}. | But the way was closed by {block}. | In the evening there was
    {block}.
""")
_DEEDS = phrases("""
    {The_hero} was afraid, but {he} did not turn back. | {The_hero} thought for a while, and then {he} began to sing. |
    {The_helper} showed {him} another way. | Together they waited until the morning, and then it was easy. | {The_hero} was clever
    and asked a question that nobody could answer.
""")
_ENDINGS = phrases("""
    At last {the_hero} found {wish} and went home happy. | So {the_hero} got {wish}, and {he} was never alone again. | {The_hero}
    gave {wish} to {the_helper}, for a friend was better. | {The_hero} came home without {wish}, but with a friend. | And
    {the_hero} and {the_helper} lived together until they were old.
""")
_ASKED = phrases("""
    Tell me a story. | Tell me a story about {hero}. | Write a short story about {hero}. | Can you tell me a tale of {hero}? | I
    want to hear about {hero} and {wish}. | A story, please! | Write a story with {hero} and {helper}. | Do you know a story about
    {wish}?
""")
_NAMED = ("{His} name was {name}.", "Everybody called {him} {name}.", "The people called {him} {name}.", "")

_HERÓIS = tuple(
    (hero, the, he)
    for the, he, group in (
        ("o", "ele", "velho rei, menino, pescador, lobo, sapo, gato preto, macaco, jovem príncipe, lavrador, coelho, peixe, burro"),
        ("a", "ela", "velha rainha, menina, pescadora, raposa, gata branca, princesa, avó, onça, galinha, abelha, coruja, tartaruga"),
    )
    for hero in words(group)
)
_CASAS = words("""
    numa casa pequena, perto do rio, na floresta, numa aldeia, numa ilha, no alto do morro, longe daqui, na beira do mar, na cidade,
    debaixo de uma árvore
""")
_DESEJOS = words("""
    um amigo, uma chave de ouro, um barco, uma flor azul, um pão, um livro, uma canção nova, água limpa, uma fruta doce, o anel perdido,
    um tambor, uma casa
""")
_CAMINHOS = words("pela floresta, pela estrada, pelo rio, pelo campo, até o mar, pela cidade, pelas montanhas")
_PORTUGUÊS = (
    phrases("""
        Era uma vez {um} {hero} que morava {casa}. | Há muito tempo, {um} {hero} vivia {casa}. | {Um} {hero} morava {casa}. |
        Havia {um} {hero} que vivia {casa}.
    """),
    ("{He} queria {wish}.", "{The} {hero} sempre sonhava com {wish}.", "Um dia {he} perdeu {wish}.", "{He} precisava de {wish}."),
    ("Então {he} saiu de casa e andou {caminho}.", "De manhã {he} foi {caminho}.", "{He} andou {caminho} por três dias."),
    phrases("""
        No caminho {he} encontrou {um2} {helper}. | Lá estava {um2} {helper}. | Logo apareceu {um2} {helper}. | Depois {he} viu
        {um2} {helper}.
    """),
    (
        '"Aonde você vai?", perguntou {the2} {helper}. "Procuro {wish}", disse {the} {hero}.',
        '"Por que você chora?", disse {the2} {helper}. "Eu quero {wish}", respondeu {the} {hero}.',
        '"Eu sei onde está o que você procura", disse {the2} {helper}.',
    ),
    phrases("""
        {The} {hero} teve medo, mas não voltou. | Juntos eles esperaram até de manhã. | {The2} {helper} mostrou outro caminho. |
        {The} {hero} pensou um pouco e começou a cantar.
    """),
    phrases("""
        No fim {the} {hero} achou {wish} e voltou para casa. | E {the} {hero} nunca mais ficou {só}. | {The} {hero} voltou sem
        nada, mas com um amigo. | E todos viveram felizes para sempre.
    """),
)
_PEDIDOS = phrases("""
    Conte uma história. | Conte uma história sobre {um} {hero}. | Escreva uma história curta sobre {um} {hero}. | Uma história,
    por favor! | Você conhece uma história de {um} {hero}? | Quero ouvir uma história com {um} {hero} e {um2} {helper}. | Invente
    um conto sobre {um} {hero}.
""")


def _capitals(known: dict[str, str]) -> dict[str, str]:
    """Each slot also with a capital: ``he`` gives ``He``."""
    return known | {name[0].upper() + name[1:]: text[:1].upper() + text[1:] for name, text in known.items()}


def _english(rng: random.Random, part: Part) -> tuple[str, str]:
    """(request, story)"""
    hero, he, him, his = pick(rng, _HEROES, part)
    helper, wish, block = (rng.choice(choices) for choices in (_HELPERS, _WISHES, _BLOCKS))
    article = "an" if hero[0] in "aeiou" else "a"
    known = _capitals(
        {
            "hero": f"{article} {hero}",
            "the_hero": f"the {hero.split()[-1]}",
            "he": he,
            "him": him,
            "his": his,
            "wish": wish,
            "block": block,
            "helper": helper,
            "the_helper": f"the {helper.split()[-1]}",
            "name": inventions.name(rng),
            "through": rng.choice(_THROUGH),
            "morning": rng.choice(("morning", "day", "evening")),
            "number": rng.choice(("two", "three", "seven")),
        }
    )
    home = rng.choice(_HOMES)
    opening = rng.choice(
        (
            f"Once upon a time there was {{hero}} who lived {home}.",
            f"Long ago {{hero}} lived {home}.",
            f"There was once {{hero}} who lived {home}.",
            f"{{Hero}} lived {home}.",
            f"Once there lived {{hero}} {home}.",
        )
    )
    wanted = rng.choice(
        phrases("""
            {He} had everything but {wish}. | {The_hero} wanted {wish} more than anything. | Every day {he} dreamt of {wish}. |
            One day {he} lost {wish}. | But {he} had no peace, for {he} needed {wish}.
        """)
    )
    parts = [opening, rng.choice(_NAMED), wanted, *(rng.choice(step) for step in (_WAYS, _MEETINGS, _TALKS))]
    parts += [rng.choice(_TRIES), rng.choice(_DEEDS)] if rng.random() < 0.8 else []
    parts.append(rng.choice(_ENDINGS))
    return pick(rng, _ASKED, part).format(**known), " ".join(text.format(**known) for text in parts if text)


def _portuguese(rng: random.Random, part: Part) -> tuple[str, str]:
    """(request, story)"""
    (hero, the, he), (helper, the2, _) = pick(rng, _HERÓIS, part), rng.choice(_HERÓIS)
    known = _capitals(
        {
            "hero": hero,
            "the": the,
            "he": he,
            "um": "um" if the == "o" else "uma",
            "helper": helper,
            "the2": the2,
            "um2": "um" if the2 == "o" else "uma",
            "wish": rng.choice(_DESEJOS),
            "casa": rng.choice(_CASAS),
            "caminho": rng.choice(_CAMINHOS),
            "só": "sozinho" if the == "o" else "sozinha",
        }
    )
    return pick(rng, _PEDIDOS, part).format(**known), " ".join(rng.choice(step).format(**known) for step in _PORTUGUÊS)


def tale(rng: random.Random, part: Part = "train") -> Chat:
    """A request for a story and a story of five to nine sentences."""
    return exchange(*(_portuguese if rng.random() < 0.4 else _english)(rng, part))


def plain(rng: random.Random, part: Part = "train") -> str:
    """A story alone, as prose."""
    return (_portuguese if rng.random() < 0.4 else _english)(rng, part)[1]
