"""Readers of the public corpora: archives in, documents (prose or conversations) out.

Knows each corpus's layout, licence and address; knows nothing of tokens, training or the generated text.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from . import cleaning
from .chatml import exchange, render


class Document(NamedTuple):
    """One text of the corpus; name is unique in its source and decides whether the text is held out."""

    source: str
    name: str
    text: str


class Source(NamedTuple):
    """A corpus: how it is read, under which licence it stands, and where it is published."""

    name: str
    read: Callable[[Path], Iterator[tuple[str, str]]]
    licence: str
    origin: str


def _members(archive: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    """(path, content) of the regular files of a tar.xz whose path ends with suffix, in the order of their paths."""
    with tarfile.open(archive, "r:xz") as tar:
        # One pass in stored order, then sorted: seeking back and forth in xz would unpack it again each time.
        wanted = ((m.name, tar.extractfile(m)) for m in tar if m.isfile() and m.name.endswith(suffix))
        found = [(name, file.read()) for name, file in wanted if file is not None]
    yield from sorted(found)


def _gutenberg(archive: Path) -> Iterator[tuple[str, str]]:
    for path, data in _members(archive, ".txt"):
        if not path.endswith("SOURCE.txt"):
            yield Path(path).stem, cleaning.gutenberg_book(data.decode("utf-8", errors="replace"))


def _fairytales(archive: Path) -> Iterator[tuple[str, str]]:
    """A section of a story as the passage, its questions as the turns after it; the train split only."""
    sections: dict[str, dict[str, str]] = {}
    questions: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for path, data in _members(archive, ".csv"):
        rows = csv.DictReader(io.StringIO(data.decode("utf-8", errors="replace")))
        if "/section-stories/train/" in path:
            sections[Path(path).stem.removesuffix("-story")] = {
                r["section"]: cleaning.one_line(r["text"]).replace("--", "\u2014") for r in rows
            }
        elif "/questions/train/" in path:
            asked: dict[str, list[tuple[str, str]]] = defaultdict(list)
            for r in rows:
                answer = cleaning.one_line(r["answer1"] or "")
                if r["cor_section"].strip().isdigit() and answer and r["ex-or-im1"] == "explicit":
                    asked[r["cor_section"].strip()].append((cleaning.one_line(r["question"]), _sentence(answer)))
            questions[Path(path).stem.removesuffix("-questions")] = asked
    for story in sorted(sections):
        for number, passage in sections[story].items():
            pairs = questions.get(story, {}).get(number, [])[:4]
            if pairs:
                flat = [part for pair in pairs for part in pair]
                flat[0] = f"{passage}\n\n{flat[0]}"
                yield f"{story}/{number}", render(exchange(*flat))


def _sentence(answer: str) -> str:
    """First letter as a capital and a full stop, so that answers look alike."""
    answer = answer.strip(" .")
    return answer[:1].upper() + answer[1:] + "."


_FACTS = (
    ("Introduction", "Background"),
    ("Geography", "Location"),
    ("Geography", "Climate"),
    ("Geography", "Terrain"),
    ("Geography", "Natural resources"),
    ("Geography", "Natural hazards"),
    ("Geography", "Population distribution"),
    ("Geography", "Geography - note"),
    ("People and Society", "Languages"),
    ("People and Society", "Religions"),
    ("People and Society", "Ethnic groups"),
    ("Government", "Government type"),
    ("Government", "Capital"),
    ("Government", "Flag description"),
    ("Government", "National symbol(s)"),
    ("Government", "Independence"),
    ("Economy", "Economic overview"),
    ("Economy", "Agricultural products"),
    ("Economy", "Industries"),
    ("Economy", "Exports - commodities"),
    ("Economy", "Imports - commodities"),
)


def _factbook(archive: Path) -> Iterator[tuple[str, str]]:
    for path, data in _members(archive, ".json"):
        country = json.loads(data)
        names = country.get("Government", {}).get("Country name", {})
        name = _fact(names.get("conventional short form"))
        if not name or name == "none":
            name = _fact(names.get("conventional long form"))
        if not name or name == "none":
            continue
        parts = [name]
        for section, field in _FACTS:
            text = _fact(country.get(section, {}).get(field))
            if len(text) > 3:
                parts.append(text if field == "Background" else f"{field}: {text}")
        if len(parts) > 4:
            yield Path(path).stem, "\n\n".join(parts)


# Parts of a field that are no plain facts; the samples of languages are one sentence in dozens of scripts.
_UNTOLD = ("etymology", "note", "geographic coordinates", "time difference", "daylight saving time", "major-language sample(s)")


def _fact(field: object) -> str:
    """The text of a field, or of its named parts joined; notes left out."""
    if not isinstance(field, dict):
        return ""
    if "text" in field:
        return cleaning.without_tags(str(field["text"]))
    texts = [
        f"{key.strip()}: {cleaning.without_tags(str(value['text']))}"
        for key, value in field.items()
        if isinstance(value, dict) and "text" in value and key.strip() not in _UNTOLD
    ]
    return "; ".join(texts).removeprefix("Languages: ")


def _taskmaster(archive: Path) -> Iterator[tuple[str, str]]:
    for path, data in _members(archive, ".json"):
        if "/TM-4-2024/data/" not in path:
            continue
        for index, dialogue in enumerate(json.loads(data)):
            contents: list[str] = []
            last = ""
            for utterance in dialogue["utterances"]:
                text = cleaning.one_line(utterance["text"])
                if utterance["speaker"] == last and contents:
                    contents[-1] += " " + text
                elif text and (contents or utterance["speaker"] == "user"):
                    contents.append(text)
                    last = utterance["speaker"]
            if len(contents) >= 2:
                yield f"{Path(path).stem}/{index}", render(exchange(*contents[: len(contents) // 2 * 2]))


def _sums(archive: Path) -> Iterator[tuple[str, str]]:
    for path, data in _members(archive, "/train.jsonl"):
        for index, line in enumerate(data.decode().splitlines()):
            row = json.loads(line)
            working = re.sub(r"<<.*?>>", "", row["answer"])
            yield f"{Path(path).stem}/{index}", render(exchange(cleaning.one_line(row["question"]), plain_answer(working)))


def plain_answer(working: str) -> str:
    """GSM8K's closing mark ``#### 72`` as a sentence."""
    return cleaning.plain(re.sub(r"\n?#### ?(.+)$", r"\nThe answer is \1.", working.strip()))


def _instructions(archive: Path) -> Iterator[tuple[str, str]]:
    for path, data in _members(archive, ".jsonl"):
        for index, line in enumerate(data.decode().splitlines()):
            row = json.loads(line)
            for number, instance in enumerate(row["instances"]):
                asked = cleaning.plain(f"{row['instruction']}\n\n{instance['input']}")
                answer = cleaning.plain(instance["output"])
                if answer and len(asked) + len(answer) < 4000:
                    yield f"{Path(path).stem}/{index}/{number}", render(exchange(asked, answer))


# Left out: files in which a robot speaks of itself (the starter model says who it is in its own words), politics, and code.
_TALK = ("conversations", "greetings", "health", "history", "literature", "money", "science", "sports", "trivia", "computers")


def _talk(archive: Path) -> Iterator[tuple[str, str]]:
    import yaml

    for path, data in _members(archive, ".yml"):
        if Path(path).stem not in _TALK:
            continue
        for index, lines in enumerate(yaml.safe_load(data)["conversations"]):
            contents = [cleaning.one_line(str(line)) for line in lines]
            if len(contents) >= 2 and not re.search(r"\b(robot|computer|machine|program|software)\b", " ".join(contents), re.IGNORECASE):
                yield f"{Path(path).stem}/{index}", render(exchange(*contents[: len(contents) // 2 * 2]))


def _plain_language(archive: Path) -> Iterator[tuple[str, str]]:
    for path, data in _members(archive, ".md"):
        text = data.decode("utf-8", errors="replace")
        title = re.search(r"^title: *[\"']?(.+?)[\"']?$", text, re.MULTILINE)
        body = cleaning.markdown_text(text)
        if "/_pages/" in path and title and len(body) > 400:
            yield path, f"{title.group(1)}\n\n{body}"


def _recipes(archive: Path) -> Iterator[tuple[str, str]]:
    for path, data in _members(archive, ".md"):
        text = data.decode("utf-8", errors="replace")
        title = re.search(r"^title: *[\"']?(.+?)[\"']?$", text, re.MULTILINE)
        body = "".join(ch for ch in cleaning.markdown_text(text) if ord(ch) < 0x2190)
        if title and "Ingredients" in body:
            yield path, f"{title.group(1)}\n\n{cleaning.unwrap(body).replace('-  ', '- ')}"


# The acts whose text was typed; the others are scans full of misread letters.
_TYPED_ACTS = ("L11788", "LEI ", "DECRETO ", "ESTATUTO", "REGIMENTO", "RES 2_2015", "RES 23_2017", "Portaria No", "PORTARIA 3", "PORT 048")


def _acts(archive: Path) -> Iterator[tuple[str, str]]:
    for path, data in _members(archive, ".txt"):
        if Path(path).name.startswith(_TYPED_ACTS):
            yield Path(path).stem, cleaning.official_act(data)


SOURCES = (
    Source("gutenberg_children", _gutenberg, "public domain in the USA", "Project Gutenberg, through github.com/GITenberg"),
    Source("fairytaleqa", _fairytales, "Apache-2.0", "github.com/uci-soe/FairytaleQAData (train split)"),
    Source("cia_factbook", _factbook, "CC0 / US government work", "github.com/factbook/factbook.json"),
    Source(
        "taskmaster", _taskmaster, "CC BY 4.0", "Taskmaster TM-4, Google Research Datasets, github.com/google-research-datasets/Taskmaster"
    ),
    Source("gsm8k", _sums, "MIT", "github.com/openai/grade-school-math (train split)"),
    Source("self_instruct", _instructions, "Apache-2.0", "github.com/yizhongw/self-instruct"),
    Source("chatterbot_corpus", _talk, "BSD-3-Clause", "github.com/gunthercox/chatterbot-corpus"),
    Source("plainlanguage_gov", _plain_language, "US government work, CC0", "github.com/GSA/plainlanguage.gov"),
    Source("public_domain_recipes", _recipes, "Unlicense", "github.com/ronaldl29/public-domain-recipes"),
    Source(
        "ufam_acts",
        _acts,
        "official acts, outside copyright (Brazil, Lei 9.610/98 art. 8 IV)",
        "acts of the Universidade Federal do Amazonas",
    ),
)


def read_corpus(folder: Path) -> Iterator[Document]:
    """Every document of every known source whose archive ``<name>.tar.xz`` lies in folder.

    Raises FileNotFoundError for a missing archive: a corpus with a hole would give another model under the same name.
    """
    for source in SOURCES:
        archive = folder / f"{source.name}.tar.xz"
        if not archive.is_file():
            raise FileNotFoundError(f"No {archive.name} in {folder}")
        for name, text in source.read(archive):
            if text.strip():
                yield Document(source.name, name, text)
