"""Rows of CSV files with misplaced quotes and very long cells, and the dates and times of workbooks."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from playground.rag import pdf
from playground.rag.pdf import Page
from playground.rag.readers import quoted, times


def pages_of(path: Path) -> list[Page]:
    return [page for _, page in pdf.read(path, path.name)]


@pytest.mark.parametrize(
    ("odd", "wanted"),
    [
        ('9;"12 inch screen;99,00', '"12 inch screen'),  # a quote that nothing closes
        ('9;"12" screen;99,00', "12 screen"),  # one that is closed too early
        ('9;"a screen;\nwith a stand; black";99,00', "a screen; with a stand; black"),
        ("9;" + "word " * 25_000 + ";99,00", "word word word"),  # more than a page may have
        ('9;"' + "word; " * 25_000 + '";99,00', "word; word; word"),
    ],
    ids=["stray", "early", "lines", "long", "long in quotes"],
)
@pytest.mark.parametrize("last", [9, 300, 4000], ids=["at the end", "300 rows", "4000 rows"])
def test_an_odd_row_of_a_csv_costs_no_other(tmp_path: Path, odd: str, wanted: str, last: int) -> None:
    rows = [f"{n};article number {n} of the shop;{n % 90},50" for n in range(last + 1)]
    rows[9] = odd
    if last > 200:
        rows[200] = rows[200].replace("article", '"article') if odd.startswith('9;"12 ') else rows[200]  # closes it, as it were
    (tmp_path / "a.csv").write_text("\n".join(["id;item;price", *rows]))
    pages = pages_of(tmp_path / "a.csv")
    text, lines = "".join(page.text for page in pages), "\n".join(page.text for page in pages).split("\n")
    for n in {0, 8, 10, 199, 201, last} - {9}:
        assert n > last or f"id: {n}; item: article number {n} of the shop; price: {n % 90},50" in lines
    assert f"id: 9; item: {wanted}" in text and text.count("word") in (0, 25_000)
    assert "price: 99,00" in text


def test_a_csv_full_of_stray_quotes_is_read_in_a_moment(tmp_path: Path) -> None:
    rows = [f'"{n} inch;article {n}' for n in range(20_000)]
    (tmp_path / "a.csv").write_text("\n".join(["size;item", *rows]))
    began = time.monotonic()
    text = "\n".join(page.text for page in pages_of(tmp_path / "a.csv"))
    assert text.count("article ") == 20_000 and text.endswith('size: "19999 inch; item: article 19999')
    assert time.monotonic() - began < 10


def test_dates_and_times_of_a_workbook_are_written_as_they_are_spoken_of(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "a.xlsx")) as book:
        sheet = book.add_worksheet()
        formats = [book.add_format({"num_format": one}) for one in ("dd/mm/yyyy", "dd/mm/yyyy hh:mm", "hh:mm", "hh:mm:ss", "[h]:mm")]
        sheet.write_row(0, 0, ["day", "start", "opens", "lap", "worked", "note"])
        for row, (day, hour, second) in enumerate([(5, 9, 30), (6, 0, 0)], 1):
            sheet.write_datetime(row, 0, dt.datetime(2024, 1, day), formats[0])
            sheet.write_datetime(row, 1, dt.datetime(2024, 1, day, hour, 30), formats[1])
            sheet.write_datetime(row, 2, dt.time(hour, 30), formats[2])
            sheet.write_datetime(row, 3, dt.time(0, 1, second), formats[3])
            sheet.write_number(row, 4, 1.5 if row == 1 else 0.375, formats[4])
            sheet.write_string(row, 5, "since 2024-01-05 00:00:00")
    [page] = pages_of(tmp_path / "a.xlsx")
    assert page.text == (
        "day: 2024-01-05; start: 2024-01-05 09:30; opens: 09:30; lap: 00:01:30; worked: 36:00; note: since 2024-01-05 00:00:00\n"
        "day: 2024-01-06; start: 2024-01-06 00:30; opens: 00:30; lap: 00:01:00; worked: 09:00; note: since 2024-01-05 00:00:00"
    )


CELL = st.text('ab;"\n ', max_size=6)


@given(st.lists(st.lists(CELL, min_size=2, max_size=3).filter(any), max_size=6))
def test_rows_that_are_quoted_well_are_read_as_they_are(rows: list[list[str]]) -> None:
    text = "".join(";".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)
    assert list(quoted.rows(text, ";")) == rows


@given(st.text('ab;"\n ', max_size=60))
def test_no_letter_of_a_csv_is_lost_however_it_is_quoted(text: str) -> None:
    read = "".join(cell for row in quoted.rows(text, ";") for cell in row)
    assert [letter for letter in read if letter in "ab"] == [letter for letter in text if letter in "ab"]


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (["1899-12-31 09:30:00", "1900-01-01 12:00:00"], ["09:30", "36:00"]),
        (["1899-12-31 09:29:59.998", "1899-12-31 00:00:01.500"], ["09:30:00", "00:00:01.5"]),
        (["1900-01-01 00:00:00", "2024-01-05 00:00:00"], ["1900-01-01", "2024-01-05"]),
        (["2024-01-05 00:00:00", "2024-01-05T09:30:00", None, "tea"], ["2024-01-05 00:00", "2024-01-05 09:30", None, "tea"]),
        (["1899-12-31 09:30:00", "2024-01-05 09:30:00"], ["09:30", "2024-01-05 09:30"]),
        (["2024-02-31 00:00:00", "9999-12-31 23:59:59.999", "0001-01-01 00:00:00"], [None, None, "0001-01-01"]),
    ],
)
def test_moments_lose_what_no_one_in_their_column_needs(column: list[str | None], wanted: list[str | None]) -> None:
    assert times.plain(column) == [new or cell for new, cell in zip(wanted, column, strict=True)]


def test_spans_of_time_stand_where_there_is_no_text() -> None:
    spans = [dt.timedelta(hours=9, minutes=30), None, dt.timedelta(hours=-1), dt.timedelta(hours=30)]
    assert times.with_spans([None, "tea", None, "more"], spans) == ["09:30", "tea", "-01:00", "more"]
