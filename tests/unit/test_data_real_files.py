"""Real files of strangers: each becomes a dataset or one sentence, quickly, and the known ones are read as a person would."""

import time
from pathlib import Path

import pytest

from playground.data.formats import read_table
from playground.data.store import DatasetStore
from playground.errors import PlaygroundError
from playground.settings import Settings
from playground.workspace import Workspace

SECONDS = 10


def test_every_table_becomes_a_dataset_or_a_sentence(shared_data: Path, settings: Settings) -> None:
    store = DatasetStore(Workspace(settings.home), settings)
    files = [path for path in sorted((shared_data / "tables").rglob("*")) if path.is_file()]
    assert len(files) > 200
    read, refused = 0, 0
    for path in files:
        start = time.perf_counter()
        try:
            report = store.import_file("me", path)
        except PlaygroundError as error:
            refused += 1
            assert path.name in str(error) and str(error)[-1] in ".!", (path.name, error)
        else:
            read += 1
            page = store.preview("me", report["dataset_id"], 0, 5)
            assert page["total"] == report["rows"] >= 1
            assert page["columns"] == [column["name"] for column in report["columns"]]
            store.delete("me", report["dataset_id"])
        assert time.perf_counter() - start < SECONDS, path.name
    assert refused > 20 and read > 340, (refused, read)
    assert list((settings.home / "datasets").iterdir()) == []


@pytest.mark.parametrize(
    ("file", "shape", "read_as"),
    [
        ("tables/csvkit/examples/test_utf16_big.csv", (2, 3), {"encoding": "utf-16"}),
        ("tables/csvkit/examples/test_latin1.csv", (2, 3), {"encoding": "windows-1252"}),
        ("tables/csvkit/examples/mac_newlines.csv", (2, 3), {"delimiter": ","}),
        ("tables/csvkit/examples/no_header_row3.csv", (2, 3), {"header": False}),
        ("tables/csvkit/examples/dummy.tsv", (1, 3), {"format": "tsv"}),
        ("tables/csvkit/examples/realdata/ks_1033_data.csv", (1575, 14), {"header": True}),
        ("tables/csvkit/examples/realdata/ne_1033_data.xlsx", (1036, 14), {"format": "xlsx"}),
        ("tables/frictionless/data/table-with-accents.csv", (638, 8), {"delimiter": ";", "encoding": "windows-1252"}),
        ("tables/frictionless/data/issue-1066-largecellsize.csv", (19, 2), {"delimiter": ","}),
        ("tables/frictionless/data/table-with-booleans.ods", (2, 2), {"format": "ods"}),
        ("tables/frictionless/data/without-headers.csv", (3, 2), {"header": False}),
        ("tables/frictionless/data/table.ndjson", (2, 2), {"format": "jsonl"}),
        ("tables/chat_formats_axolotl/alpaca.json", (2, 3), {"format": "json"}),
        ("reports/grocery.csv", (1757, 8), {"delimiter": ","}),
        ("reports/emotion_train.csv", (16000, 2), {"header": True}),
        ("reports/tweetsumm.jsonl", (650, 4), {"format": "jsonl"}),
        ("reports/spider_train.json", (7000, 3), {"format": "json"}),
    ],
)
def test_known_files(shared_data: Path, file: str, shape: tuple[int, int], read_as: dict) -> None:
    path = shared_data / file
    table = read_table(path, path.name)
    assert table.frame.shape == shape
    assert {key: table.read_as[key] for key in read_as} == read_as


@pytest.mark.parametrize(
    ("file", "task", "prompt", "answer"),
    [
        ("reports/emotion_train.csv", "classification", "text", "label"),
        ("reports/spider_train.json", "instruction", "question", "query"),
        ("reports/ufam_pairs.json", "instruction", "Pergunta", "Resposta"),
        ("reports/amazon_titles_rag.json", "instruction", "instruction", "output"),
        ("reports/amazon_titles_dataset_alpaca.json", "instruction", "instruction", "output"),
        ("reports/english_quotes.csv", "instruction", "quote", "author"),
        ("reports/grocery.csv", "instruction", "Title", "Product Description"),
        ("reports/tweetsumm.jsonl", "summarization", "conversation", "summaries"),
        ("questions/pira_validation.csv", "instruction", "question_en_origin", "answer_en_origin"),
    ],
)
def test_known_files_are_understood(shared_data: Path, settings: Settings, file: str, task: str, prompt: str, answer: str) -> None:
    store = DatasetStore(Workspace(settings.home), settings)
    id = store.import_file("me", shared_data / file)["dataset_id"]
    mapped = store.map("me", id)
    assert (mapped.task, mapped.columns["prompt"], mapped.columns["answer"]) == (task, prompt, answer)
    assert mapped.rows["train"]


def test_known_conversations_are_understood(shared_data: Path, settings: Settings) -> None:
    store = DatasetStore(Workspace(settings.home), settings)
    id = store.import_file("me", shared_data / "reports/amazon_titles_amazon_sft.jsonl")["dataset_id"]
    mapped = store.map("me", id)
    assert (mapped.task, mapped.columns, sum(mapped.rows.values())) == ("chat", {"messages": "messages"}, 20)
