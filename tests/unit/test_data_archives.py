"""Compressed files: the table inside is read, and nothing that an archive can do to a reader is done to this one."""

import bz2
import gzip
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from playground.data.formats import read_table
from playground.data.table import Table
from playground.errors import FileUnreadable
from playground.settings import Limits

TABLE = "question,answer\nWhere?,Here\nWho?,Me\n"
SMALL = Limits(upload_bytes=1024**2)


def read(tmp_path: Path, content: bytes, name: str, limits: Limits | None = None, **options: object) -> Table:
    path = tmp_path / "upload"
    path.write_bytes(content)
    return read_table(path, name, options, limits)


def gz(content: bytes) -> bytes:
    """Without the time: test processes have to agree on what there is to test."""
    return gzip.compress(content, mtime=0)


def zipped(*members: tuple[str, bytes | str], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", how) as archive:
        for name, inside in members:
            archive.writestr(zipfile.ZipInfo(name), inside, how)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "format"),
    [
        (gz(TABLE.encode()), "t.csv.gz", "csv"),
        (bz2.compress(TABLE.encode()), "t.csv.bz2", "csv"),
        (gz(b'{"question": "Where?", "answer": "Here"}\n' * 2), "t.jsonl.gz", "jsonl"),
        (zipped(("t.csv", TABLE)), "t.zip", "csv"),
        (zipped(("folder/", b""), ("folder/t.tsv", TABLE.replace(",", "\t")), ("__MACOSX/t.csv", b"x")), "t.zip", "tsv"),
    ],
)
def test_what_is_inside_is_read(tmp_path: Path, content: bytes, name: str, format: str) -> None:
    table = read(tmp_path, content, name)
    assert table.frame.columns == ["question", "answer"]
    assert table.frame.row(0) == ("Where?", "Here")
    assert (table.read_as["format"], table.read_as["sheet"], table.warnings) == (format, None, [])


def test_of_several_tables_one_is_chosen(tmp_path: Path) -> None:
    content = zipped(("read me.md", "# About"), ("a/first.csv", TABLE), ("b/second.csv", "x,y\n1,2\n"), ("datapackage.json", "{}"))
    table = read(tmp_path, content, "t.zip")
    assert table.read_as["sheet"] == "a/first.csv"
    assert "a/first.csv was read" in table.warnings[0] and "b/second.csv, read me.md, datapackage.json" in table.warnings[0]
    assert read(tmp_path, content, "t.zip", sheet="b/second.csv").frame.rows() == [(1, 2)]
    assert read(tmp_path, content, "t.zip", **table.read_as).frame.equals(table.frame)
    with pytest.raises(FileUnreadable, match=r"no table called c\.csv\. Its tables are: a/first\.csv, b/second\.csv"):
        read(tmp_path, content, "t.zip", sheet="c.csv")


def test_a_single_table_leaves_the_sheet_to_what_is_inside(tmp_path: Path) -> None:
    content = zipped(("t.json", json.dumps({"a": [{"x": 1}], "b": [{"y": 2}]})))
    assert read(tmp_path, content, "t.zip", sheet="b").frame.columns == ["y"]
    assert read(tmp_path, content, "t.zip", sheet="t.json").frame.columns == ["x"]


def test_names_inside_are_no_paths(tmp_path: Path) -> None:
    table = read(tmp_path, zipped(("../../evil.csv", TABLE), ("/etc/evil\n.csv", TABLE)), "t.zip")
    assert table.read_as["sheet"] == "../../evil.csv"
    assert "/etc/evil .csv" in table.warnings[0]
    assert [path.name for path in tmp_path.iterdir()] == ["upload"]


def test_a_bomb_is_refused_by_the_bytes_that_come_out(tmp_path: Path) -> None:
    bomb = b"a,b\n" + b"0,0\n" * 2**20
    lying = bytearray(zipped(("bomb.csv", bomb)))
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # the size that the headers tell
        struct.pack_into("<I", lying, lying.index(mark) + place, 8)
    for content, name in [(gz(bomb), "b.csv.gz"), (bz2.compress(bomb), "b.csv.bz2"), (zipped(("bomb.csv", bomb)), "b.zip")]:
        with pytest.raises(FileUnreadable, match=r"Unpacked.*1 MB"):
            read(tmp_path, content, name, SMALL)
    with pytest.raises(FileUnreadable, match=r"b\.zip"):
        read(tmp_path, bytes(lying), "b.zip", SMALL)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (zipped(("inner.csv", zipped(("t.csv", TABLE)))), "archive"),
        (gz(gz(TABLE.encode())), "compressed"),
        (zipped(("t.csv.gz", gz(TABLE.encode()))), "compressed"),
        (zipped(("picture.png", b"\x89PNG")), "no table"),
        (zipped(("t.csv", b"\x89PNG\r\n\x1a\n")), "PNG"),
        (zipped(("t.csv", b"")), "empty"),
        (gz(TABLE.encode() * 99)[:-20], "damaged"),
        (b"\x1f\x8b" + zlib.compress(b"x"), "damaged"),
        (zipped(("t.csv", TABLE))[:-30], "damaged"),
    ],
)
def test_archives_that_cannot_be_read(tmp_path: Path, content: bytes, part: str) -> None:
    with pytest.raises(FileUnreadable, match=part) as caught:
        read(tmp_path, content, "called.zip")
    assert "called.zip" in str(caught.value)


def test_a_locked_archive_says_so(tmp_path: Path) -> None:
    content = bytearray(zipped(("t.csv", TABLE)))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    with pytest.raises(FileUnreadable, match="protected by a password"):
        read(tmp_path, bytes(content), "t.zip")


def test_archives_of_strangers(shared_data: Path) -> None:
    folder = shared_data / "tables"
    found = {}
    for path in [
        *folder.rglob("*.zip"),
        *folder.rglob("*.gz"),
        *folder.rglob("*.bz2"),
        folder / "frictionless/data/compression/implicit-gz.csv",
    ]:
        try:
            found[path.name] = read_table(path, path.name).frame.shape
        except FileUnreadable as error:
            found[path.name] = str(error)
    assert found.pop("without-rows.csv.zip").endswith("Add rows, or say that the first row is no header.")
    assert all(isinstance(shape, tuple) for shape in found.values()), found
    assert found["dummy.csv.gz"] == (1, 3) and found["table.csv.zip"] == (2, 2) and found["doublequote.csv.zip"] == (5, 17)
