"""A JSON Lines file in the shape of a published catalogue of products: 2.2 million records with title, content and lists of related ones.

One record in 20 has no content, one in 100 an empty title, one in 50 repeats an earlier title and content. Made up throughout.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

RECORDS = 2_248_619
POOL = 20_000  # different sentences
SYLLABLES = ("ba", "ce", "do", "fi", "gu", "ha", "li", "mo", "na", "pe", "ra", "si", "to", "vu", "zen", "mar", "lon", "ter", "wick", "ish")


def write(path: Path, records: int = RECORDS, seed: int = 1) -> int:
    """Write the file; gives its bytes."""
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(8_000)]
    sentences = [" ".join(rng.choices(vocabulary, k=rng.randint(6, 22))).capitalize() + "." for _ in range(POOL)]
    sentences[::50] = [f"{one} Größe „M“, 5 € – für *Über*?" for one in sentences[::50]]
    earlier: list[tuple[str, str]] = []
    with path.open("w", encoding="utf-8") as file:
        for number in range(records):
            chance = rng.random()
            title = " ".join(rng.choices(vocabulary, k=rng.randint(2, 9))).title()
            content = " ".join(rng.choices(sentences, k=rng.randint(1, 12)))
            if chance < 0.05:
                content = ""
            elif chance < 0.06:
                title = ""
            elif chance < 0.08 and earlier:
                title, content = rng.choice(earlier)
            elif len(earlier) < 10_000:
                earlier.append((title, content))
            related = [rng.randrange(records) for _ in range(rng.randint(1, 6))]
            record = {
                "uid": f"B{number:09d}",
                "title": title,
                "content": content,
                "target_ind": related,
                "target_rel": [1.0] * len(related),
            }
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path.stat().st_size


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else RECORDS))
