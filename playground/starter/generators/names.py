"""Names, places, things and dates that fill the generated passages."""

from __future__ import annotations

import random

from .pools import Part, pick, words

PEOPLE = words("""
    Anna, Ben, Carla, David, Elena, Frank, Grace, Hugo, Iris, Jack, Karen, Liam, Maria, Noah, Olivia, Peter, Quinn, Rosa, Samuel, Tina,
    Umar, Vera, Walter, Xenia, Yusuf, Zoe, Alice, Bruno, Clara, Diego, Emma, Fatima, George, Helen, Ivan, Julia, Kofi, Laura, Marco, Nina,
    Oscar, Paula, Rafael, Sofia, Thomas, Ursula, Victor, Wendy, Ahmed, Beatriz, Chen, Dora, Ethan, Flora, Gabriel, Hanna, Ines, Joao,
    Kenji, Lucia, Martin, Nadia, Omar, Priya
""")
SURNAMES = words("""
    Almeida, Baker, Costa, Dias, Evans, Fischer, Garcia, Hill, Ito, Jones, Kim, Lopes, Miller, Nunes, Owens, Pereira, Reed, Silva, Turner,
    Vega, Ward, Young, Cooper, Santos, Brown, Clarke, Moreno, Novak, Okafor, Shaw, Tanaka, Wolf, Rossi, Patel, Lee, Martins
""")
PLACES = words("""
    London, Paris, Lisbon, Manaus, Berlin, Madrid, Toronto, Chicago, Boston, Dublin, Vienna, Prague, Cairo, Nairobi, Lima, Bogota, Quito,
    Santiago, Tokyo, Seoul, Delhi, Sydney, Oslo, Helsinki, Athens, Porto, Recife, Salvador, Denver, Seattle, Geneva, Milan, Naples,
    Warsaw, Krakow, Lagos, Accra, Havana, Montreal, Glasgow, Bristol, Leeds, Coimbra, Belem, Fortaleza, Austin, Riga
""")
THINGS = words("""
    apples, pencils, books, tickets, chairs, lamps, cups, boxes, shirts, eggs, bottles, stamps, plates, candles, baskets, oranges,
    notebooks, flowers, coins, marbles, shells, cakes, hats, keys, bricks, brushes, toys, maps, letters, sandwiches, bags of rice,
    bicycles, umbrellas
""")
JOBS = words("""
    teacher, nurse, farmer, baker, pilot, painter, driver, engineer, gardener, librarian, cook, doctor, dentist, carpenter, singer,
    writer, lawyer, plumber, sailor, tailor, firefighter, photographer, waiter, mechanic, student, journalist, judge, clerk
""")
MONTHS = words("January, February, March, April, May, June, July, August, September, October, November, December")
DAYS = words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday")
COLOURS = words("red, blue, green, yellow, white, black, brown, grey, purple, orange, pink, silver")
ANIMALS = words("dog, cat, horse, parrot, rabbit, goat, hen, duck, turtle, pony, sheep, donkey, goldfish, mouse")


def person(rng: random.Random, part: Part = "train") -> str:
    """A first name, sometimes with a surname."""
    first = pick(rng, PEOPLE, part)
    return first if rng.random() < 0.6 else f"{first} {pick(rng, SURNAMES, part)}"


def date(rng: random.Random) -> str:
    """A date in one of several spellings."""
    day, month, year = rng.randint(1, 28), rng.choice(MONTHS), rng.randint(1950, 2029)
    return rng.choice(
        (f"{day} {month} {year}", f"{month} {day}, {year}", f"{day} {month}", f"{year}-{MONTHS.index(month) + 1:02d}-{day:02d}")
    )


def clock(rng: random.Random) -> str:
    """A time of day."""
    return rng.choice((f"{rng.randint(1, 12)} o'clock", f"{rng.randint(1, 12)}:{rng.choice(('00', '15', '30', '45'))}"))
