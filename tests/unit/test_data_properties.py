"""What must hold for every table: it is read back as it was written, and every row goes where it should and nowhere else."""

import csv
import gzip
import io
import json
import re
import tempfile
import zipfile
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from playground.data.delimited import find_dialect
from playground.data.formats import read_table
from playground.data.mapping import map_table
from playground.data.prose import paragraphs
from playground.data.split import split_rows
from playground.data.table import NOT_AVAILABLE, unique_names, written
from playground.errors import PlaygroundError

quick = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LETTERS = "abcXYZ 019.,;|\t\"'éçãß“”€-_#{}[]()\n\\"
cells = st.text(alphabet=LETTERS, max_size=12)
grids = st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=8))
NAMES = ["alpha", "beta", "gamma", "delta"]


def read_bytes(content: bytes, name: str, **options: object):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        path.write_bytes(content)
        return read_table(path, name, options)


def check_rows(table, grid: list[list[str]]) -> None:
    """Every row with something in it is there as it was, blank cells apart; the others are counted."""
    kept = [row for row in grid if any(map(str.strip, row))]
    assert table.frame.height == len(kept)
    assert table.dropped.get("blank", 0) == len(grid) - len(kept)
    for place, column in enumerate(table.frame.iter_columns()):
        raw = [row[place] for row in kept]
        if column.dtype == pl.String:
            assert column.to_list() == [cell if cell.strip() else None for cell in raw]
        else:
            shown = [None if not cell.strip() or cell.strip().lower() in NOT_AVAILABLE else cell.strip() for cell in raw]
            assert written(column).to_list() == [cell and cell.replace(",", ".") for cell in shown]


@quick
@given(
    grid=grids,
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-16-le"]),
)
def test_what_is_written_is_read(grid: list[list[str]], delimiter: str, newline: str, quoting: int, encoding: str) -> None:
    assume(any(cell.strip() for row in grid for cell in row))
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting).writerows([NAMES[: len(grid[0])], *grid])  # type: ignore[arg-type]
    options = {"encoding": encoding} if encoding in ("cp1252", "utf-16-le") else {}
    assume("\\" not in text.getvalue() or quoting == csv.QUOTE_ALL)
    table = read_bytes(text.getvalue().encode(encoding), "x.csv", delimiter=delimiter, header=True, **options)
    assert table.frame.columns == NAMES[: len(grid[0])]
    check_rows(table, grid)


SOUTH = "abcXYZ 019.,;|\t\"'éçã-_#\n"  # what every one of the encodings below can write


@quick
@given(
    grid=st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(st.text(alphabet=SOUTH, max_size=12), min_size=width, max_size=width), min_size=1, max_size=8)
    ),
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    encoding=st.sampled_from(
        ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "mac-roman", "cp850"]
    ),
    packed=st.sampled_from(["", "gzip", "zip"]),
)
def test_every_dialect_in_every_encoding(
    grid: list[list[str]], delimiter: str, newline: str, quoting: int, encoding: str, packed: str
) -> None:
    assume(any(cell.strip() for row in grid for cell in row))
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([NAMES[: len(grid[0])], *grid])
    content = text.getvalue().encode(encoding)
    options = {} if encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32") else {"encoding": encoding}
    if packed == "gzip":
        content = gzip.compress(content)
    elif packed == "zip":
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as members:
            members.writestr("inside.csv", content)
        content = archive.getvalue()
    table = read_bytes(content, "x.csv", delimiter=delimiter, header=True, **options)
    assert table.frame.columns == NAMES[: len(grid[0])]
    check_rows(table, grid)


plain_words = st.text(alphabet="abcdefgh ", min_size=1, max_size=8).map(lambda word: "é" + word.strip())


@quick
@example(grid=[["éa"] * 3] * 3, delimiter=",", encoding="latin-1", name="x.csv")  # half of the letters have accents
@given(
    grid=st.lists(st.lists(plain_words, min_size=3, max_size=3), min_size=3, max_size=12),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"]),
    name=st.sampled_from(["x.csv", "x.txt", "x"]),
)
def test_plain_tables_need_no_options(grid: list[list[str]], delimiter: str, encoding: str, name: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([["pergunta", "resposta", "nota"], *grid])
    table = read_bytes(text.getvalue().encode(encoding), name)
    assert table.frame.columns == ["pergunta", "resposta", "nota"]
    check_rows(table, grid)


@quick
@given(st.lists(st.text(alphabet="abc é.\n", min_size=1, max_size=30).filter(lambda text: text.strip() and "\n\n" not in text), max_size=6))
def test_paragraphs_come_back(parts: list[str]) -> None:
    wanted = [" ".join(part.split()) for part in parts]
    assume(len(wanted) > 1 and not any("\n" in part.strip("\n") and not part.strip() for part in parts))
    text = "\n\n\n".join(part.strip() for part in parts)
    assert [" ".join(row.split()) for row in paragraphs(text)] == [
        " ".join(piece.split()) for part in parts for piece in re.split(r"\n\s*\n", part.strip())
    ]


@quick
@given(st.binary(max_size=300), st.sampled_from(["x.zip", "x.gz"]), st.integers(0, 400))
def test_broken_archives_are_a_table_or_a_sentence(content: bytes, name: str, cut: int) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("inside.csv", content)
    packed = (archive.getvalue() if name == "x.zip" else gzip.compress(content))[: cut or None]
    try:
        read_bytes(packed, name)
    except PlaygroundError as error:
        assert name in str(error)


words = st.text(alphabet="abc é\"'.\n", max_size=10)


@quick
@given(
    grid=st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(words, min_size=width, max_size=width), min_size=2, max_size=8)),
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_the_delimiter_is_found_where_there_is_no_doubt(grid: list[list[str]], delimiter: str, newline: str) -> None:
    assume(any(cell.strip() for row in grid for cell in row))
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows([NAMES[: len(grid[0])], *grid])
    assert find_dialect(text.getvalue(), None, "").delimiter == delimiter
    check_rows(read_bytes(text.getvalue().encode(), "x", header=True), grid)


@quick
@given(st.binary(max_size=400), st.sampled_from(["x.csv", "x.json", "x.jsonl", "x.xlsx", "x.parquet", "x.txt"]))
def test_any_bytes_are_a_table_or_a_sentence(content: bytes, name: str) -> None:
    try:
        table = read_bytes(content, name)
    except PlaygroundError as error:
        assert name in str(error)
    else:
        assert table.frame.height >= 1


@quick
@given(st.text(alphabet='ab,;"\n\r\t\\ ', max_size=200))
@example(',\n"\n"\r;')
def test_any_mess_of_quotation_marks_keeps_its_letters(text: str) -> None:
    try:
        table = read_bytes(text.encode(), "x.csv", delimiter=",", header=False)
    except PlaygroundError:
        assert not text.replace(",", "").replace('"', "").replace("\\", "").strip()
        return
    seen = "".join(str(cell) for row in table.frame.rows() for cell in row if cell is not None)
    assert sorted(letter for letter in seen if letter in "ab") == sorted(letter for letter in text if letter in "ab")


json_values = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
records = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), json_values, min_size=1), min_size=1, max_size=8)


@quick
@given(records)
def test_json_and_json_lines_say_the_same(rows: list[dict]) -> None:
    kept = [row for row in rows if any(value is not None and value != "" for value in row.values())]
    assume(kept)
    lines = read_bytes("\n".join(map(json.dumps, rows)).encode(), "x.jsonl", format="jsonl")
    whole = read_bytes(json.dumps(rows).encode(), "x.json", format="json")
    assert whole.frame.equals(lines.frame)
    assert whole.frame.height == len(kept)
    assert whole.dropped.get("blank", 0) == len(rows) - len(kept)


@quick
@given(st.lists(st.text(max_size=5) | st.none() | st.sampled_from(["a", "a_2", "column_2", ""]), max_size=8))
def test_unique_names(raw: list[str | None]) -> None:
    names, _ = unique_names(raw)
    assert len(names) == len(raw) == len(set(names))
    assert all(name.strip() for name in names)


prompts = st.sampled_from(["How?", "how? ", " HOW?\n", "Why?", "When?", "Where?", "Who?", "", None, "{answer}"])
answers = st.sampled_from(["yes", "no", "maybe", " ", None])


@quick
@given(
    rows=st.lists(st.tuples(prompts, answers), min_size=1, max_size=40),
    task=st.sampled_from(["instruction", "classification", "summarization"]),
    validation=st.sampled_from([0, 0.1, 0.3, 0.5]),
    test=st.sampled_from([0, 0.1, 0.4]),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_row_goes_to_one_place(rows: list[tuple], task: str, validation: float, test: float, seed: int) -> None:
    frame = pl.DataFrame(rows, schema={"question": pl.String, "answer": pl.String}, orient="row")
    wanted = {"task": task, "seed": seed, "split": {"validation": validation, "test": test}, "instruction": "", "system": ""}
    wanted["columns"] = {"prompt": "question", "answer": "answer"}
    try:
        mapped = map_table(frame, wanted)
    except PlaygroundError:
        usable = [(question, answer) for question, answer in rows if question and answer and answer.strip()]
        assert len(usable) < 2 or (task == "classification" and len({answer for _, answer in usable}) < 2)
        return
    parts = {part: getattr(mapped.conversations, part) for part in ("train", "validation", "test")}
    assert {part: len(examples) for part, examples in parts.items()} == mapped.rows
    assert sum(mapped.rows.values()) + sum(mapped.dropped.values()) == len(rows)
    seen = [(one.prompt[-1].content, one.completion[0].content) for examples in parts.values() for one in examples]
    expected = [(question.strip(), answer.strip()) for question, answer in rows if question and answer and answer.strip()]
    assert sorted(seen) == sorted(expected)
    homes: dict[str, set[str]] = {}
    for part, examples in parts.items():
        for one in examples:
            homes.setdefault(" ".join(one.prompt[-1].content.casefold().split()), set()).add(part)
    assert all(len(home) == 1 for home in homes.values())
    assert mapped.rows["train"] >= 1
    assert mapped.rows["validation"] >= (validation > 0 and len(homes) >= 3)
    assert map_table(frame, wanted).conversations == mapped.conversations


@quick
@given(st.lists(st.integers(0, 300), min_size=20, max_size=200), st.integers(0, 10_000))
def test_shares_are_near(keys: list[int], seed: int) -> None:
    parts = split_rows([str(key) for key in keys], 0.2, 0.1, seed)
    largest = max(keys.count(key) for key in keys)
    assert abs(parts.count("validation") - 0.2 * len(keys)) <= max(largest, 1)
    assert parts.count("test") <= 0.1 * len(keys) + 1
