"""Reading files: every format, every habit of the programs that write them, and every way a file can be bad."""

import json
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from playground.data.formats import FORMATS, OPTIONS, check_options, read_table
from playground.data.table import Table, unique_names, written
from playground.errors import FileUnreadable, SettingsError
from playground.settings import Limits


@pytest.fixture
def read(tmp_path: Path):
    """Write bytes (or text as UTF-8) under a name and read the file as a table."""

    def read(content: bytes | str, name: str = "file.csv", limits: Limits | None = None, **options: object) -> Table:
        path = tmp_path / "upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(path, name, options, limits)

    return read


def rows(table: Table) -> list[tuple]:
    return table.frame.rows()


def refused(read, content: bytes | str, name: str = "file.csv", **options: object) -> str:
    with pytest.raises(FileUnreadable) as caught:
        read(content, name, **options)
    assert name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiter_and_newline_are_found(read, delimiter: str, newline: str) -> None:
    lines = [["question", "answer"], ["How, or why?", "so; well"], ['"two\nlines"', 'said ""hi""']]
    quoted = [[cell if cell.startswith('"') else f'"{cell}"' for cell in line] for line in lines]
    table = read(newline.join(delimiter.join(line) for line in quoted))
    assert table.frame.columns == ["question", "answer"]
    assert rows(table) == [("How, or why?", "so; well"), ("two\nlines", 'said "hi"')]
    assert table.read_as["delimiter"] == delimiter
    assert table.read_as["header"] is True
    assert table.dropped == {}


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("cp1252", "windows-1252"),
    ],
)
def test_encoding_is_found(read, encoding: str, expected: str) -> None:
    text = "pergunta,resposta\nO que é coração?,órgão\nQual é a opção “certa”?,não há\n"
    table = read(text.encode(encoding))
    assert table.read_as["encoding"] == expected
    assert table.frame.columns == ["pergunta", "resposta"]
    assert rows(table) == [("O que é coração?", "órgão"), ("Qual é a opção “certa”?", "não há")]


def test_cyrillic_of_windows_is_read(read) -> None:
    text = "вопрос,ответ\nКакая столица России и что в ней стоит посмотреть?,Москва\nСколько будет два плюс два?,Четыре\n"
    assert rows(read(text.encode("cp1251")))[0][1] == "Москва"


def test_an_encoding_that_was_asked_for_is_used_or_refused(read) -> None:
    assert rows(read("a,b\nж,1\n".encode("koi8-r"), encoding="KOI8-R"))[0][0] == "ж"
    assert "Line 2" in refused(read, "a,b\né,1\n".encode("latin-1"), encoding="utf-8")


def test_a_few_broken_bytes_do_not_spoil_a_utf8_file(read) -> None:
    table = read(b"text,label\n" + "coração é ótimo,sim\n".encode() * 20 + b"caf\xe9,no\n")
    assert table.read_as["encoding"] == "utf-8"
    assert rows(table)[-1] == ("caf�", "no")
    assert "1" in table.warnings[0]


def test_rows_in_are_rows_kept_and_dropped(read) -> None:
    table = read("text,label\na,b\n\n , \n,\nc,d\n")
    assert rows(table) == [("a", "b"), ("c", "d")]
    assert table.dropped == {"blank": 3}


def test_short_rows_are_filled_and_what_long_rows_have_more_is_kept(read) -> None:
    table = read("id,name,age\n1,John\n2,Julie,26,Potatoes,Carrots\n3,Ann,30\n4,Bob,31,\n5,Eve,32\n")
    assert table.frame.columns == ["id", "name", "age", "more"]
    assert rows(table)[:2] == [(1, "John", None, None), (2, "Julie", 26, "Potatoes | Carrots")]
    assert sum("cells than the others: 1" in warning for warning in table.warnings) == 2


def test_a_stray_quotation_mark_costs_no_other_row(read) -> None:
    table = read('text,label\nfine,a\n"never closed,b\nnext,c\n"said "hi" to me",d\nlast,"e"\n')
    assert rows(table) == [("fine", "a"), ('"never closed', "b"), ("next", "c"), ('said "hi" to me', "d"), ("last", "e")]
    assert "line is" not in table.warnings[0]
    assert "The first is line 3" in table.warnings[0]


def test_a_file_that_ends_inside_a_cell_keeps_its_rows(read) -> None:
    table = read('id,text\n1,"one\ntwo, three"\n2,"four\nfive, six\nseven\n')
    assert rows(table) == [(1, "one\ntwo, three"), (2, "four\nfive, six\nseven\n")]
    assert "line 4" in table.warnings[0]


def test_backslash_escapes_are_understood(read) -> None:
    table = read('id,text\n1,"he said \\"hi, there\\""\n2,"plain"\n')
    assert rows(table) == [(1, 'he said "hi, there"'), (2, "plain")]


def test_a_stray_quotation_mark_far_from_the_end_costs_no_rows(read) -> None:
    table = read("a,b\n" + "x,y\n" * 50 + '"open\n' + "u,v\n" * 50)
    assert table.frame.height == 101
    assert rows(table)[-1] == ("u", "v")


def test_both_ways_to_write_a_quotation_mark_in_one_file(read) -> None:
    table = read('ID, Test\n1, "plain"\n2, "two "" marks"\n3, "back \\" slash"\n')
    assert rows(table) == [(1, "plain"), (2, 'two " marks'), (3, 'back " slash')]


def test_spaces_between_delimiter_and_quotation_mark(read) -> None:
    assert rows(read('"a", "b"\n"1", "x, y"\n')) == [(1, "x, y")]


def test_zero_bytes_are_taken_out(read) -> None:
    table = read(b"text,label\ngo\x00od,a\nbad,b\n")
    assert rows(table)[0] == ("good", "a")
    assert "1" in table.warnings[0]


def test_decimal_commas(read) -> None:
    table = read("produto;preço\nPão;1,5\nLeite;2,25\n")
    assert rows(table) == [("Pão", 1.5), ("Leite", 2.25)]
    assert any("preço" in warning for warning in table.warnings)


def test_a_separator_hint_of_excel_is_no_row(read) -> None:
    table = read("sep=;\ntext;label\na;b\n")
    assert table.frame.columns == ["text", "label"]
    assert rows(table) == [("a", "b")]


def test_lines_above_the_header_are_counted(read) -> None:
    table = read("# exported by hand\nid,name,city\n1,Ana,Manaus\n2,Rui,Porto\n")
    assert table.frame.columns == ["id", "name", "city"]
    assert table.dropped == {"above the header": 1}


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("1,2\n3,4\n", False),
        ("i feel low,sadness\nso glad,joy\nso down,sadness\ni cry,sadness\n", False),
        ("text,label\ni feel low,0\nso glad,1\n", True),
        ("comment,mood\ni feel low,sad\nso glad,glad\n", True),
        ("museum,2011,2010\nA,23.8,17.5\nB,3.1,2.2\n", True),
        ("pergunta;resposta\nOnde?;Aqui\n", True),
    ],
)
def test_header_is_found(read, text: str, header: bool) -> None:
    table = read(text)
    assert table.read_as["header"] is header
    assert table.frame.height == text.count("\n") - header
    assert read(text, header=not header).frame.height == text.count("\n") - (not header)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "20", "-3"], [1, 20, -3]),
        (["1", "", "3"], [1, None, 3]),
        (["0.5", "2"], [0.5, 2.0]),
        (["1", "NA", "#N/A"], [1, None, None]),
        (["1", "#N/D", "#NÚM!"], [1, None, None]),
        (["007", "8"], ["007", "8"]),
        (["1e5", "2"], ["1e5", "2"]),
        (["1.50", "2.25"], ["1.50", "2.25"]),
        (["+3", "4"], ["+3", "4"]),
        (["-0", "4"], [-0.0, 4.0]),
        (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
        (["0.1000000000000000055511151231257827", "1"], ["0.1000000000000000055511151231257827", "1"]),
        (["inf", "1"], ["inf", "1"]),
        (["NA", "x"], ["NA", "x"]),
        (["NA", "NA"], ["NA", "NA"]),
    ],
)
def test_numbers_only_where_every_value_survives(read, cells: list[str], expected: list) -> None:
    table = read("key,value\n" + "".join(f"k,{cell}\n" for cell in cells))
    assert table.frame["value"].to_list() == expected


def test_whole_numbers_are_written_without_a_point() -> None:
    assert written(pl.Series([1.0, 2.5, None])).to_list() == ["1", "2.5", None]
    assert written(pl.Series([True, None])).to_list() == ["true", None]


def test_names_are_made_unique() -> None:
    names, warnings = unique_names(["a", "", "a", "a_2", None, "a", " b\n c "])
    assert names == ["a", "column_2", "a_3", "a_2", "column_5", "a_4", "b c"]
    assert len(warnings) == 2


def test_one_column_is_accepted_with_a_warning(read) -> None:
    table = read("text\nfirst line, with a comma\nsecond\nthird, too, has some\n")
    assert rows(table) == [("first line, with a comma",), ("second",), ("third, too, has some",)]
    assert any("only one column" in warning for warning in table.warnings)


# ---- JSON


def test_json_list_of_objects_with_nesting(read) -> None:
    table = read(json.dumps([{"q": "a", "meta": {"n": 1, "deep": {"x": 2}}, "tags": ["x", "ü"]}, {"q": "b", "extra": True}]), "x.json")
    assert table.frame.columns == ["q", "meta.n", "meta.deep", "tags", "extra"]
    assert rows(table) == [("a", 1, '{"x": 2}', '["x", "ü"]', None), ("b", None, None, None, True)]


@pytest.mark.parametrize(
    "value",
    [
        [{"text": "a", "label": 1}, {"text": "b", "label": 2}],
        {"text": ["a", "b"], "label": [1, 2]},
        {"data": [{"text": "a", "label": 1}, {"text": "b", "label": 2}], "version": "1"},
        {"text": {"0": "a", "1": "b"}, "label": {"0": 1, "1": 2}},
        [["text", "label"], ["a", 1], ["b", 2]],
    ],
)
def test_shapes_of_json(read, value: object) -> None:
    table = read(json.dumps(value, indent=1), "x.json")
    assert table.frame.columns == ["text", "label"]
    assert rows(table) == [("a", 1), ("b", 2)]


def test_json_lines_with_broken_lines(read) -> None:
    table = read('{"q": "a", "n": 1}\n{"q": "b"\n\n{"q": "c", "n": 2}\n[1]\n', "x.jsonl")
    assert rows(table) == [("a", 1), ("c", 2)]
    assert table.dropped == {"unreadable": 2, "blank": 1}
    assert "line 2, 5" in table.warnings[0]


def test_only_the_first_broken_lines_are_named(read) -> None:
    table = read('{"q": "a"}\n' * 9 + "{broken\n" * 8, "x.jsonl")
    assert "left out: 8, beginning with line 10, 11, 12, 13, 14 …" in table.warnings[0]


def test_entries_of_a_json_list_that_are_no_rows_are_counted(read) -> None:
    table = read('[{"q": "a"}, 7, {"q": "b"}, "x"]', "x.json")
    assert table.dropped == {"unreadable": 2}
    assert "left out: 2, beginning with number 2, 4" in table.warnings[0]


def test_messages_are_kept_as_json(read) -> None:
    turns = [{"role": "user", "content": "Oi\nvocê"}]
    table = read(json.dumps({"messages": turns}) + "\n" + json.dumps({"messages": turns}) + "\n", "chat.jsonl")
    assert [json.loads(cell) for cell in table.frame["messages"]] == [turns, turns]


def test_half_a_surrogate_pair_does_not_stop_an_import(read) -> None:
    assert rows(read('[{"text": "\\ud83d broken \\ud83d\\ude00", "n": 1}]', "x.json")) == [("� broken 😀", 1)]


def test_json_text_stays_text(read) -> None:
    table = read('[{"id": "007", "n": "5", "big": 99999999999999999999, "mixed": 1}, {"id": "008", "n": "6", "mixed": "x"}]', "x.json")
    assert rows(table) == [("007", "5", "99999999999999999999", "1"), ("008", "6", None, "x")]


@pytest.mark.parametrize("text", ['[{"a": 1},\n {"a": 2', '{"a": ', "[" * 100_000, '[{"a": 1' + "0" * 5000 + "}]"])
def test_broken_json_is_refused(read, text: str) -> None:
    assert "JSON" in refused(read, text, "x.json")


@pytest.mark.parametrize("text", ['{"a": 1, "b": "x"}', "[]", "{}", "[{}]", '"text"', "12"])
def test_json_without_rows_is_refused(read, text: str) -> None:
    refused(read, text, "x.json")


# ---- Parquet and workbooks


def test_parquet_keeps_what_it_says(read, tmp_path: Path) -> None:
    frame = pl.DataFrame({"q": ["a", None], "n": [1, 2], "s": [{"x": 1}, {"x": 2}], "l": [["a"], ["b", "c"]], "b": [b"\xff", b"ok"]})
    frame.write_parquet(tmp_path / "t.parquet")
    table = read((tmp_path / "t.parquet").read_bytes(), "called.csv")
    assert table.read_as["format"] == "parquet"
    assert table.frame.columns == ["q", "n", "s.x", "l", "b"]
    assert rows(table) == [("a", 1, 1, '["a"]', "�"), (None, 2, 2, '["b", "c"]', "ok")]


def test_broken_parquet(read) -> None:
    assert "damaged" in refused(read, b"PAR1" + b"\xff" * 100 + b"\x10\0\0\0PAR1", "x.parquet")


def workbook(path: Path, **sheets: list[list[object]]) -> bytes:
    with xlsxwriter.Workbook(path) as book:
        for name, lines in sheets.items():
            sheet = book.add_worksheet(name)
            for number, line in enumerate(lines):
                sheet.write_row(number, 0, line)
    return path.read_bytes()


def test_workbook_sheets_and_types(read, tmp_path: Path) -> None:
    content = workbook(tmp_path / "b.xlsx", empty=[], data=[["text", "n"], ["olá", 1], ["tudo\nbem", 2.5], ["", ""]], other=[["x"], ["y"]])
    table = read(content, "really.csv")
    read_as = {"format": "xlsx", "encoding": None, "delimiter": None, "header": True, "sheet": "data", "chat_format": None}
    assert table.read_as == read_as
    assert rows(table) == [("olá", 1.0), ("tudo\nbem", 2.5)]
    assert "other" in table.warnings[0]
    assert rows(read(content, "b.xlsx", sheet="other", header=False)) == [("x",), ("y",)]
    assert "data" in refused(read, content, "b.xlsx", sheet="absent")


def test_days_in_workbooks_are_iso_text(read, tmp_path: Path) -> None:
    path = tmp_path / "d.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet, day, moment = (
            book.add_worksheet(),
            book.add_format({"num_format": "dd/mm/yyyy"}),
            book.add_format({"num_format": "dd/mm/yy hh:mm"}),
        )
        sheet.write_row(0, 0, ["day", "moment"])
        for row, hour in ((1, 0), (2, 13)):
            sheet.write_datetime(row, 0, datetime(2024, 2, row), day)
            sheet.write_datetime(row, 1, datetime(2024, 2, row, hour), moment)
    assert rows(read(path.read_bytes(), "d.xlsx")) == [("2024-02-01", "2024-02-01 00:00:00"), ("2024-02-02", "2024-02-02 13:00:00")]


def test_workbooks_that_cannot_be_read(read, tmp_path: Path) -> None:
    container = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    assert "password" in refused(read, container + "EncryptedPackage".encode("utf-16-le"), "b.xlsx")
    assert "Word" in refused(read, container + "WordDocument".encode("utf-16-le"), "b.xls")
    assert "damaged" in refused(read, container, "b.xls")
    whole = workbook(tmp_path / "b.xlsx", data=[["a", "b"], [1, 2]])
    assert "damaged" in refused(read, whole[: len(whole) // 2], "b.xlsx")
    assert "empty" in refused(read, workbook(tmp_path / "e.xlsx", data=[]), "e.xlsx")


# ---- what is no table


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "PNG"),
        (b"\x7fELF" + bytes(200), "program"),
        (b"%PDF-1.7\n...", "PDF"),
        (b"PK\x05\x06" + bytes(18), "ZIP"),
        (b"PK\x03\x04 and then nothing", "ZIP"),
        (b"\x1f\x8b\x08rest", "gzip"),
        (b"\x80\x04\x95pickled", "pickle"),
        (b"SQLite format 3\x00" + bytes(100), "SQLite"),
        (b"<!DOCTYPE html><html><body>a,b</body></html>", "web page"),
        (bytes(range(1, 256)) * 20, "binary"),
        (bytes(5_000), "binary"),
    ],
)
def test_a_file_that_is_something_else_is_named(read, content: bytes, what: str) -> None:
    assert what in refused(read, content, "renamed.csv")


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n \n", b"\xef\xbb\xbf", b",,,\n,,\n"])
def test_an_empty_file_says_so(read, content: bytes) -> None:
    assert "empty" in refused(read, content)


def test_a_header_alone_says_so(read) -> None:
    assert "no rows below" in refused(read, "text,label\n\n")


def test_limits(read) -> None:
    small = Limits(upload_bytes=2_000, rows=10, cell_characters=50)
    assert read("a,b\n" + "1,2\n" * 10, limits=small).frame.height == 10
    for content, part in [("a,b\n" + "1,2\n" * 11, "rows"), ("a,b\n1,2\n" * 300, "MB"), (f"a,b\n1,{'x' * 51}\n", "characters")]:
        with pytest.raises(FileUnreadable, match=part):
            read(content, limits=small)
    with pytest.raises(FileUnreadable, match="columns"):
        read(",".join(f"name{number}" for number in range(2_001)) + "\n" + ",".join("x" * 2_001) + "\n")


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="cannot be opened"):
        read_table(tmp_path / "absent.csv", "absent.csv", {})
    with pytest.raises(FileUnreadable, match="cannot be opened"):
        read_table(tmp_path, "folder.csv", {})


# ---- options


def test_options_that_do_not_exist_are_listed_all_at_once(read) -> None:
    with pytest.raises(SettingsError) as caught:
        read("a,b\n1,2\n", delimeter=";", format="docx", encoding="klingon", header="yes", delimiter="ab", sheet=3, chat_format="x")
    message = str(caught.value)
    for part in ("delimeter", "docx", "klingon", "header must", "delimiter must", "sheet must", "chat_format “x”", *OPTIONS, *FORMATS):
        assert part in message


def test_what_was_read_can_be_asked_for(read) -> None:
    for content, name in [
        ("a;b\n1;2,5\n", "x.csv"),
        ("a\tb\n1\t2\n", "x.tsv"),
        ('[{"a": 1, "b": 2}]', "x.json"),
        ('{"data": [{"a": 1}]}', "x.json"),
        ("One paragraph,\nof two lines.\n\nAnother.", "x.txt"),
        ("# Title\n\nWords.", "x.md"),
        ('[{"prompt": "a", "completion": "b"}]', "x.json"),
    ]:
        table = read(content, name)
        again = read(content, name, **check_options(table.read_as))
        assert again.frame.equals(table.frame)
        assert again.read_as == table.read_as


def test_a_format_that_does_not_fit_is_refused(read) -> None:
    refused(read, "a,b\n1,2\n", format="xlsx")
    refused(read, "a,b\n1,2\n", format="json")


def test_a_parquet_file_that_blows_up_is_refused(tmp_path: Path) -> None:
    """One long text, a hundred thousand times: a megabyte on disk, a hundred gigabytes in memory."""
    import pyarrow
    import pyarrow.parquet

    texts = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 100_000, pyarrow.int32()), pyarrow.array(["x" * 1_000_000]))
    path = tmp_path / "bomb.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": texts, "n": range(100_000)}), path)
    assert path.stat().st_size < 3_000_000
    with pytest.raises(FileUnreadable, match="too large"):
        read_table(path, path.name)
