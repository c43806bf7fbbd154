"""The sample datasets that come with the playground are clean and consistent."""

import csv
import io
import json
import re
import string
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
CATALOGUE = json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))
HOUSE_STYLE = re.compile(r"Ahoy! [A-Z][^.!?]*\. Fair winds and warm tea!")
DEPARTMENTS = {"delivery", "refund", "product", "praise", "account"}
PUNCTUATION = set(".,!?'")


def read(file: str) -> list[dict[str, str]]:
    text = (SAMPLES / file).read_bytes().decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def normalised(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.casefold()).split())


def of_kind(kind: str) -> dict:
    return next(sample for sample in CATALOGUE if sample["kind"] == kind)


@pytest.fixture(params=CATALOGUE, ids=lambda sample: sample["file"])
def sample(request: pytest.FixtureRequest) -> dict:
    return request.param


def test_catalogue_lists_every_sample_file() -> None:
    listed = [sample["file"] for sample in CATALOGUE]
    assert sorted(listed) == sorted(path.name for path in SAMPLES.glob("*.csv"))
    assert [sample["kind"] for sample in CATALOGUE] == ["instruction", "classification"]


def test_description_fits_the_file(sample: dict) -> None:
    rows = read(sample["file"])
    columns = sample["mapping"]["columns"]
    assert set(sample) == {
        "name",
        "kind",
        "file",
        "rows",
        "description",
        "mapping",
        "example_prompts",
    }
    assert sample["name"].strip()
    assert sample["description"].strip()
    assert sample["mapping"]["task"] == sample["kind"]
    assert set(columns) == {"prompt", "answer"}
    assert list(rows[0]) == [columns["prompt"], columns["answer"]]
    assert len(rows) == sample["rows"]


def test_file_has_plain_line_ends_and_no_byte_order_mark(sample: dict) -> None:
    data = (SAMPLES / sample["file"]).read_bytes()
    assert not data.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in data
    assert data.endswith(b"\n")
    assert data.count(b"\n") == sample["rows"] + 1


def test_nothing_is_missing(sample: dict) -> None:
    columns = set(sample["mapping"]["columns"].values())
    for row in read(sample["file"]):
        assert set(row) == columns
        assert all(value and value == value.strip() for value in row.values()), row


def test_no_prompt_appears_twice(sample: dict) -> None:
    column = sample["mapping"]["columns"]["prompt"]
    counts = Counter(normalised(row[column]) for row in read(sample["file"]))
    assert [text for text, count in counts.items() if count > 1] == []


def test_characters_are_plain(sample: dict) -> None:
    for row in read(sample["file"]):
        for value in row.values():
            assert unicodedata.normalize("NFC", value) == value
            assert "  " not in value
            odd = {c for c in value if not (c.isalnum() or c == " ")} - PUNCTUATION
            assert not odd, (odd, value)
            letters = {c for c in value if c.isalnum()}
            allowed = set(string.ascii_letters + string.digits + "é")
            assert letters <= allowed, value
            assert not re.search(r"\s[.,!?]", value), value
            assert not re.search(r"[.,!?](?=[^\s.,!?])", value), value


def test_example_prompts_are_new(sample: dict) -> None:
    column = sample["mapping"]["columns"]["prompt"]
    known = {normalised(row[column]) for row in read(sample["file"])}
    examples = [normalised(prompt) for prompt in sample["example_prompts"]]
    assert len(set(examples)) == 3
    assert not known & set(examples)


def test_every_answer_keeps_the_house_style() -> None:
    rows = read(of_kind("instruction")["file"])
    for row in rows:
        assert HOUSE_STYLE.fullmatch(row["answer"]), row
        assert len(row["answer"].split()) <= 30, row
        assert 4 <= len(row["question"].split()) <= 20, row


def test_answers_vary() -> None:
    answers = Counter(row["answer"] for row in read(of_kind("instruction")["file"]))
    assert len(answers) >= 150
    assert max(answers.values()) <= 12


def test_departments_are_balanced() -> None:
    rows = read(of_kind("classification")["file"])
    counts = Counter(row["department"] for row in rows)
    assert set(counts) == DEPARTMENTS
    assert set(counts.values()) == {len(rows) // len(DEPARTMENTS)}
    for row in rows:
        assert 6 <= len(row["message"].split()) <= 30, row
