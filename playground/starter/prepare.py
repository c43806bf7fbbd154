"""From corpus archives to token files: the tokenizer, the packed training tokens of both phases, and a held-out part per source.

Knows which share each source gets; knows nothing of the model.
"""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from . import packing, tokenizer
from .chatml import END_OF_TEXT, TURN_START, render
from .generators import tales
from .generators.close_reading import close_reading
from .generators.derived import from_document
from .generators.mixture import conversations
from .generators.pools import Part
from .sources import Document, read_corpus

# How often each source's documents stand in the stream of (stable, decay): the decay phase reads less prose and more conversations.
REPEATS = {
    "gutenberg_children": (1.0, 0.35),
    "fairytaleqa": (1.0, 2.0),
    "cia_factbook": (1.0, 0.3),
    "taskmaster": (1.0, 0.5),
    "gsm8k": (0.2, 0.1),
    "self_instruct": (3.0, 2.0),
    "chatterbot_corpus": (3.0, 2.0),
    "plainlanguage_gov": (1.0, 0.3),
    "public_domain_recipes": (2.0, 0.3),
    "ufam_acts": (1.0, 0.5),
}
GENERATED = {"stable": 280_000, "decay": 200_000}
TALES = {"stable": 9_000, "decay": 6_000}  # told as prose, without a question
# Whose paragraphs are asked about: language, and conversations from one document at most.
READ = {"gutenberg_children": ("en", 400), "plainlanguage_gov": ("en", 40), "cia_factbook": ("en", 4), "ufam_acts": ("pt", 150)}
HELD_ONE_IN = 40
HELD_MOST = 30_000  # tokens per source: enough for a steady figure, quick to measure


def is_held_out(document: Document) -> bool:
    """Decided by the name alone, so that the split never changes."""
    return zlib.crc32(f"{document.source}/{document.name}".encode()) % HELD_ONE_IN == 0


def _generated(seed: int, count: int, part: Part, late: bool) -> list[Document]:
    return [
        Document(f"generated_{name}", f"{part}/{seed}/{index}", render(chat))
        for index, (name, chat) in enumerate(conversations(seed, count, part, late))
    ]


def _tales(seed: int, count: int) -> list[Document]:
    """Made-up stories as prose."""
    rng = random.Random(f"{seed}/tales")
    return [Document("plain_tales", f"{seed}/{index}", tales.plain(rng)) for index in range(count)]


def _derived(documents: list[Document], seed: int) -> list[Document]:
    """Conversations made from the documents of the training part."""
    return [
        Document(f"derived_{d.source}", f"{d.name}/{index}", render(chat))
        for d in documents
        for index, chat in enumerate(from_document(d.source, d.text, f"{seed}/{d.name}"))
    ]


def _read_closely(documents: list[Document], seed: int) -> list[Document]:
    """Questions about paragraphs of the prose."""
    return [
        Document(f"read_{d.source}", f"{d.name}/{index}", render(chat))
        for d in documents
        if d.source in READ
        for index, chat in enumerate(close_reading(d.text, f"{seed}/{d.name}", READ[d.source][1], READ[d.source][0]))
    ]


def _repeated(documents: list[Document], phase: int, rng: random.Random) -> list[Document]:
    """Each document as often as its source asks; a fraction is a chance."""
    chosen = []
    for document in documents:
        wanted = REPEATS.get(document.source, (1.0, 1.0))[phase]
        chosen += [document] * (int(wanted) + (rng.random() < wanted % 1))
    rng.shuffle(chosen)
    return chosen


def prepare(corpus: Path, out: Path, seed: int = 1, phases: tuple[str, ...] = ("stable", "decay")) -> dict:
    """Write tokenizer/, <phase>.npy for each phase, held.npz and corpus.json into out; return what corpus.json says.

    An existing tokenizer is kept: the token files of one run must speak the same language.
    """
    out.mkdir(parents=True, exist_ok=True)
    documents = list(read_corpus(corpus))
    held = [d for d in documents if is_held_out(d)]
    train = [d for d in documents if not is_held_out(d)]
    streams = {}
    for number, phase in enumerate(("stable", "decay")):
        late = phase == "decay"
        documents = train + _generated(seed + number, GENERATED[phase], "train", late) + _read_closely(train, seed + number)
        documents += _tales(seed + number, TALES[phase])
        documents += _derived(train, seed + number) if late else []
        streams[phase] = _repeated(documents, number, random.Random(f"{seed}/{phase}"))
    folder = out / "tokenizer"
    if not (folder / "tokenizer.json").is_file():
        trained = tokenizer.train(d.text for d in streams["stable"])
        tokenizer.save(trained, folder, context=1024)
    from tokenizers import Tokenizer

    bpe = Tokenizer.from_file(str(folder / "tokenizer.json"))
    separator, turn_start, assistant = (bpe.encode(text).ids[0] for text in (END_OF_TEXT, TURN_START, "assistant"))

    def ids(document: Document, encoded: list[int]) -> np.ndarray:
        if document.source == "fairytaleqa":  # its questions are as good as its stories
            return packing.weigh(encoded, turn_start, assistant, others=0)
        made_up = document.source.startswith(("generated_", "derived_", "read_"))
        return packing.weigh(encoded, turn_start, assistant) if made_up else np.asarray(encoded)

    report_file = out / "corpus.json"
    report = json.loads(report_file.read_text()) if report_file.is_file() else {}
    for phase in phases:
        encoded = bpe.encode_batch([d.text for d in streams[phase]])
        tokens = packing.pack((ids(d, e.ids) for d, e in zip(streams[phase], encoded, strict=True)), separator)
        packing.save(tokens, out / f"{phase}.npy")
        counts: Counter[str] = Counter()
        for document, encoding in zip(streams[phase], encoded, strict=True):
            counts[document.source] += len(encoding.ids) + 1
        report[phase] = dict(counts.most_common())
    by_source: dict[str, list[np.ndarray]] = defaultdict(list)
    for document in held + _generated(seed, 3000, "held", late=True) + _read_closely(held, seed):
        by_source[document.source].append(ids(document, bpe.encode(document.text).ids))
    packed = {source: packing.pack(documents, separator)[:HELD_MOST] for source, documents in by_source.items()}
    np.savez(out / "held.npz", **packed)  # type: ignore[arg-type]
    report["held"] = {source: len(tokens) for source, tokens in packed.items()}
    report_file.write_text(json.dumps(report, indent=1))
    return report


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of the corpus archives (*.tar.xz)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the tokenizer and the token files")
    parser.add_argument("--phase", choices=("stable", "decay"), action="append", help="write this phase only (again)")
    given = parser.parse_args()
    print(json.dumps(prepare(given.corpus, given.out, phases=tuple(given.phase or ("stable", "decay"))), indent=1))
