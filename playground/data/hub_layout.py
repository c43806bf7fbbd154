"""Which files of a dataset's repository on the Hugging Face Hub hold which configuration and split.

Works on names and sizes alone, as the Hub lists them: strangers wrote them, so nothing here is believed, and no name is used as a path.
Does not ask the Hub, and does not open a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from playground.errors import NotFound

DEFAULT, TRAIN = "default", "train"
KINDS = {  # how a name ends -> what the file holds; in the order of preference
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}
ABOUT = {  # JSON files that tell of data and hold none
    *("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json", "metadata.json", "schema.json"),
    *("package.json", "datapackage.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json"),
}
NAME_CHARACTERS = 300
PARTS = 1_000  # configurations and splits that are offered; some datasets have thousands
KEYWORDS = {"train": "train|training", "validation": "validation|valid|dev|val", "test": "test|testing|eval|evaluation"}
MARKED = {split: re.compile(rf"(?:^|[-._ 0-9/])(?:{words})(?:$|[-._ 0-9/])") for split, words in KEYWORDS.items()}
SHARD = re.compile(r"(?:^|[/-])([A-Za-z0-9_.]+)-\d{5}-of-\d{5}")
OTHERS = 12  # parts that a sentence lists
NO_PART = "{name} has no part {part}. Its parts are: {known}."
NUMBERED = re.compile(r"[-_. ]?\d+(?:-of-\d+)?$")


@dataclass(frozen=True)
class Part:
    """One split of one configuration: files of one kind, in order. `size` in bytes, as far as the Hub tells it."""

    config: str
    split: str
    files: tuple[str, ...]
    size: int

    @property
    def label(self) -> str:
        return f"{self.config}/{self.split}"

    @property
    def kind(self) -> str:
        return kind_of(self.files[0]) or ""


def kind_of(name: str) -> str | None:
    """What a file holds by its name; None for what is no table, or has a name that could lead out of a folder."""
    parts = name.split("/")
    hidden = any(part in ("", ".", "..") or part.startswith((".", "__")) for part in parts)
    if hidden or len(name) > NAME_CHARACTERS or "\\" in name or ":" in name or not name.isprintable() or parts[-1].lower() in ABOUT:
        return None
    plain = name.lower().removesuffix(".gz")
    kind = next((kind for ending, kind in KINDS.items() if plain.endswith(ending)), None)
    return None if kind == "parquet" and plain != name.lower() else kind


@dataclass(frozen=True)
class Found:
    """A dataset of the Hub at one commit. `revision` is where its files lie: the commit of the branch that was chosen."""

    id: str
    revision: str
    parts: tuple[Part, ...]

    @property
    def default(self) -> Part:
        return default_part(self.parts)

    def part(self, config: str | None = None, split: str | None = None) -> Part:
        """The part that is named; what is left out is the default's, where that fits.

        Raises:
            NotFound: there is no such part; the sentence lists what there is.
        """
        fits = [one for one in self.parts if config in (None, "", one.config) and split in (None, "", one.split)]
        if fits:
            return default_part(fits)
        known = ", ".join(one.label for one in self.parts[:OTHERS]) + (", …" if len(self.parts) > OTHERS else "")
        raise NotFound(NO_PART, name=self.id, part="/".join(str(one)[:100] for one in (config, split) if one), known=known)

    def to_dict(self) -> dict[str, Any]:
        """The form of `/list_hub_splits`."""
        chosen = self.default
        told = [{"config": p.config, "split": p.split, "files": len(p.files), "bytes": p.size, "default": p == chosen} for p in self.parts]
        return {"id": self.id, "revision": self.revision, "splits": told}


def own_parts(files: Mapping[str, int], configs: Any = None) -> list[Part]:
    """The parts of a repository by its own files; `configs` is what its card declares, where it does.

    One kind of file for each part: Parquet before CSV before JSON.
    """
    tables = {name: size for name, size in sorted(files.items()) if kind_of(name)}
    found = _declared(tables, configs) or _guessed(tables)
    return _made(found, tables)


def converted_parts(files: Mapping[str, int]) -> list[Part]:
    """The parts in the Hub's own conversion to Parquet: `config/split/0000.parquet`, formerly `config/name-split.parquet`."""
    found: dict[tuple[str, str], list[str]] = {}
    tables = {name: size for name, size in sorted(files.items()) if kind_of(name) == "parquet" and "/" in name}
    for name in tables:
        config, *between, last = name.split("/")
        split = between[0] if between else _split_of(last) or TRAIN
        found.setdefault((config, split), []).append(name)
    return _made(found, tables)


def default_part(parts: Sequence[Part]) -> Part:
    """What is taken where nobody chose: the train split of the configuration called default, else of the first one."""
    first = next((part.config for part in parts if part.config == DEFAULT), parts[0].config)
    mine = [part for part in parts if part.config == first]
    return next((part for part in mine if part.split == TRAIN), mine[0])


def _made(found: Mapping[tuple[str, str], list[str]], sizes: Mapping[str, int]) -> list[Part]:
    parts = []
    for (config, split), names in list(found.items())[:PARTS]:
        kinds = {kind_of(name) for name in names}
        kind = next(kind for kind in KINDS.values() if kind in kinds)
        files = tuple(sorted(name for name in names if kind_of(name) == kind))
        parts.append(Part(config, split, files, sum(sizes[name] for name in files)))
    return parts


def _declared(tables: Iterable[str], configs: Any) -> dict[tuple[str, str], list[str]]:
    """By the patterns of the card: `configs: [{config_name, data_dir, data_files: pattern, list, or by split}]`."""
    found: dict[tuple[str, str], list[str]] = {}
    tables = list(tables)
    listed = [one for one in configs if isinstance(one, dict)] if isinstance(configs, list) else []
    for one in sorted(listed[:PARTS], key=lambda one: one.get("default") is not True):
        config, folder = _text(one.get("config_name")) or DEFAULT, _text(one.get("data_dir"))
        inside = [name for name in tables if not folder or name.startswith(folder.strip("./") + "/")]
        for split, patterns in _by_split(one.get("data_files")):
            prefix = f"{folder.strip('./')}/" if folder else ""
            names = [name for name in inside if any(_fits(name, prefix + pattern.removeprefix("./")) for pattern in patterns)]
            if names and len(found) < PARTS:
                found.setdefault((config, split), []).extend(name for name in names if name not in found.get((config, split), ()))
        if folder and one.get("data_files") is None:
            for (_, split), names in _guessed(inside).items():
                found.setdefault((config, split), names)
    return found


def _by_split(data_files: Any) -> list[tuple[str, list[str]]]:
    if isinstance(data_files, dict):
        pairs = list(data_files.items())
    elif isinstance(data_files, list) and all(isinstance(one, dict) for one in data_files):
        pairs = [(one.get("split"), one.get("path")) for one in data_files]
    else:
        pairs = [(TRAIN, data_files)]
    found = []
    for split, patterns in pairs[:PARTS]:
        listed = [_text(one) for one in (patterns if isinstance(patterns, list) else [patterns])]
        found.append((_text(split) or TRAIN, [one for one in listed[:PARTS] if one]))
    return found


def _fits(name: str, pattern: str) -> bool:
    """A star stays within its folder, two stars do not."""
    if "**" in pattern:
        return fnmatchcase(name, pattern) or fnmatchcase(name, pattern.replace("**/", ""))
    return name.count("/") == pattern.count("/") and fnmatchcase(name, pattern)


def _guessed(tables: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """By the words in the names. Where no name says its split, files that are only numbered differently belong together."""
    names = list(tables)
    best = next((kind for kind in KINDS.values() if any(kind_of(name) == kind for name in names)), None)
    names = [name for name in names if kind_of(name) == best]
    split = {name: _split_of(name) for name in names}
    if not any(split.values()):
        split = {name: NUMBERED.sub("", _stem(name)) for name in names}
        if len(set(split.values())) == 1:
            split = dict.fromkeys(names, TRAIN)
    found: dict[tuple[str, str], list[str]] = {}
    for name, part in split.items():
        if part is not None:  # beside files that say their split, one that does not is something else
            found.setdefault((DEFAULT, part or TRAIN), []).append(name)
    return found


def _split_of(name: str) -> str | None:
    if shard := SHARD.search(name):
        return next((split for split, words in MARKED.items() if words.search(shard[1].lower())), shard[1])
    return next((split for split, words in MARKED.items() if words.search(name.lower())), None)


def _stem(name: str) -> str:
    last = name.rsplit("/", 1)[-1]
    return last.removesuffix(".gz").rsplit(".", 1)[0]


def _text(value: Any) -> str:
    """A short printable text, or nothing: what stands in a card may be of any type."""
    return value.strip() if isinstance(value, str) and len(value) <= NAME_CHARACTERS and value.isprintable() else ""
