"""Large files read in pieces: the same table as when they are read at once, whatever stands where a piece ends."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.data import large, streams
from playground.data.formats import read_table
from playground.data.large import TableWriter, looked_at, sample_path, slices
from playground.errors import FileUnreadable, Sentence
from playground.settings import Limits

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large, and pieces are short."""
    monkeypatch.setattr(streams, "LARGE", 1)
    monkeypatch.setattr(streams, "PIECE", 256)


def both(content: bytes, folder: Path, name: str, **options: object) -> tuple[pl.DataFrame, pl.DataFrame, streams.Streamed]:
    """(as read at once, as read in pieces, what was told of that)."""
    path = folder / name
    path.write_bytes(content)
    read = streams.read_streamed(path, name, options or None, Limits(), folder / "table.parquet")
    assert read is not None
    return read_table(path, name, options or None).frame, pl.read_parquet(folder / "table.parquet"), read


words = st.text(alphabet="abcdef çã\n\",;'<=1", max_size=9)


@quick
@given(rows=st.lists(st.tuples(words, words, st.integers(0, 99).map(str)), min_size=4, max_size=30), delimiter=st.sampled_from(",;\t"))
def test_delimited_pieces_are_the_whole(tmp_path: Path, rows: list[tuple[str, str, str]], delimiter: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([("pergunta", "resposta", "nota"), ("primeira", "linha", "1"), *rows])
    whole, pieces, read = both(text.getvalue().encode(), tmp_path, "x.csv", delimiter=delimiter, header=True)
    assert pieces.columns == whole.columns
    assert [[str(cell) for cell in row] for row in pieces.rows()] == [[str(cell) for cell in row] for row in whole.rows()]
    assert read.rows == whole.height


values = st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.text(max_size=12), st.lists(st.integers(0, 9), max_size=3))
records = st.lists(
    st.fixed_dictionaries({"id": st.integers(0, 9)}, optional={"a": st.text(max_size=9), "b": values}), min_size=3, max_size=20
)


@quick
@given(rows=records, ascii=st.booleans())
def test_json_pieces_are_the_whole(tmp_path: Path, rows: list[dict[str, object]], ascii: bool) -> None:
    try:
        content = "".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in rows).encode()
    except UnicodeEncodeError:
        return
    whole, pieces, _ = both(content, tmp_path, "x.jsonl", format="jsonl")
    assert set(pieces.columns) == set(whole.columns)
    pieces = pieces.select(whole.columns)
    for name in whole.columns:
        # A column whose pieces have different types is text; whether a truth value among texts has a capital is all that may differ.
        told = [[None if cell is None else str(cell).lower() for cell in frame[name]] for frame in (whole, pieces)]
        assert told[0] == told[1]


def test_broken_lines_are_kept_aside_and_named(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"line {n}", "n": n}) for n in range(60)]
    lines[41] = '{"text": "half'
    lines[50] = ""
    whole, pieces, read = both("\n".join(lines).encode(), tmp_path, "x.jsonl")
    assert pieces.equals(whole) and pieces.height == 58
    assert read.dropped == {"unreadable": 1, "blank": 1}
    assert any("beginning with line 42" in warning for warning in read.warnings)


def test_a_column_becomes_text_where_a_late_piece_asks_for_it(tmp_path: Path) -> None:
    rows = ["id,code,price", *(f"{n},{n:03d},{n}.5" for n in range(100, 140)), "140,007,N/A", "141,x,2"]
    whole, pieces, _ = both("\n".join(rows).encode(), tmp_path, "x.csv")
    assert whole["code"].dtype == pl.String and pieces["code"].to_list() == whole["code"].to_list()
    assert pieces["price"].dtype == pl.Float64 and pieces["price"].null_count() == 1 and pieces["id"].dtype == pl.Int64


def test_a_name_that_comes_late_makes_a_column(tmp_path: Path) -> None:
    lines = [json.dumps({"a": n}) for n in range(50)] + [json.dumps({"a": 50, "late": "x", "more": {"k": 1}})]
    whole, pieces, _ = both("\n".join(lines).encode(), tmp_path, "x.jsonl")
    assert pieces.columns == whole.columns and pieces["late"][-1] == "x" and pieces["late"].null_count() == 50


def test_rows_with_more_cells_keep_them_and_are_counted_over_all_pieces(tmp_path: Path) -> None:
    rows = ["a,b", *("1,x" for _ in range(30)), "2,y,too,much", *("3,z" for _ in range(30)), "4,y,again", "5"]
    _, pieces, read = both("\n".join(rows).encode(), tmp_path, "x.csv")
    assert pieces.height == 63 and pieces["more"].drop_nulls().to_list() == ["too | much", "again"]
    assert Sentence("Rows with more cells than the others: {count}. The rest of them is in the last column.", count=2) in read.warnings


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    rows = ["pergunta;resposta", *(f"Qual é a opção número {n}?;É a opção ção, não" for n in range(80))]
    whole, pieces, read = both("\r\n".join(rows).encode(encoding), tmp_path, "x.csv")
    assert pieces.equals(whole) and read.rows == 80


def test_conversations_are_recognised(tmp_path: Path) -> None:
    lines = [json.dumps({"conversations": [{"from": "human", "value": f"hi {n}"}, {"from": "gpt", "value": "hello"}]}) for n in range(40)]
    whole, pieces, read = both("\n".join(lines).encode(), tmp_path, "x.jsonl")
    assert read.read_as["chat_format"] == "sharegpt" and pieces.equals(whole)


def test_compressed_files_and_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "\n".join(json.dumps({"a": n, "b": f"text {n}"}) for n in range(300)).encode()
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(lines))
    read = streams.read_streamed(tmp_path / "x.jsonl.gz", "x.jsonl.gz", None, Limits(), tmp_path / "table.parquet")
    assert read is not None and read.rows == 300
    monkeypatch.setattr(streams, "ROWS", 10)
    source = pl.DataFrame({"a": range(300), "when": [None] * 299 + [date(2020, 1, 2)], "tags": [["x", "y"]] * 300})
    source.write_parquet(tmp_path / "x.parquet")
    read = streams.read_streamed(tmp_path / "x.parquet", "x.parquet", None, Limits(), tmp_path / "other.parquet")
    assert read is not None and read.rows == 300
    assert pl.read_parquet(tmp_path / "other.parquet").equals(read_table(tmp_path / "x.parquet", "x.parquet").frame)


@pytest.mark.parametrize("content", [b'[{"a": 1}, {"a": 2}]', b"Just a paragraph.\n\nAnd another one of it.\n", b"PK\x03\x04broken"])
def test_what_is_no_table_of_rows_is_left_to_the_other_reader(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    try:
        assert streams.read_streamed(tmp_path / "x", "x", None, Limits(), tmp_path / "table.parquet") is None
    except FileUnreadable:
        assert content.startswith(b"PK")
    assert not (tmp_path / "table.parquet").exists()


def test_limits_and_nothing_half_written(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "".join(f"{n},text {n}\n" for n in range(500)))
    with pytest.raises(FileUnreadable, match="rows; 100 is the most"):
        streams.read_streamed(path, "x.csv", None, Limits(rows=100), tmp_path / "table.parquet")
    with pytest.raises(FileUnreadable, match="characters; 4 is the most"):
        streams.read_streamed(path, "x.csv", None, Limits(cell_characters=4), tmp_path / "table.parquet")
    assert [one.name for one in tmp_path.iterdir()] == ["x.csv"]


def test_giving_up_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "".join(f"{n},text {n}\n" for n in range(500)))
    heard: list[float] = []

    def told(share: float) -> None:
        heard.append(share)
        if share > 0.5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        streams.read_streamed(path, "x.csv", None, Limits(), tmp_path / "table.parquet", told)
    assert heard == sorted(heard) and [one.name for one in tmp_path.iterdir()] == ["x.csv"]


def test_a_large_table_has_a_fair_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "ROWS", 1_000)
    monkeypatch.setattr(large, "SAMPLE", 500)
    path = tmp_path / "table.parquet"
    with TableWriter(path) as writer:
        for start in range(0, 10_000, 250):
            writer.write(pl.DataFrame({"n": range(start, start + 250), "half": [n % 2 or None for n in range(250)]}))
    frame, numbers = looked_at(path)
    assert numbers is not None and frame["n"].to_list() == numbers == sorted(set(numbers)) and len(numbers) == 500
    assert 4_200 < sum(numbers) / 500 < 5_800
    assert sum(piece.height for piece in slices(path)) == writer.rows == 10_000
    assert [(one["missing"], one["unique"]) for one in writer.columns] == [(0, 10_000), (5_000, 1)]
    large.remove(path)
    assert not sample_path(path).exists()
