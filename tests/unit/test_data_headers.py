"""Titles above a header, and headers of several rows, in CSV files and in workbooks."""

from pathlib import Path

import pytest
import xlsxwriter

from playground.data.formats import read_table
from playground.data.headers import header_rows, joined_names
from playground.data.table import Table


def read(tmp_path: Path, text: str, **options: object) -> Table:
    path = tmp_path / "upload"
    path.write_text(text, encoding="utf-8")
    return read_table(path, "file.csv", options)


def test_two_rows_of_names_are_joined(tmp_path: Path) -> None:
    table = read(tmp_path, "Region,2023,,2024,\n,Q1,Q2,Q1,Q2\nNorth,1,2,3,4\nSouth,5,6,7,8\n")
    assert table.frame.columns == ["Region", "2023 Q1", "2023 Q2", "2024 Q1", "2024 Q2"]
    assert table.frame.rows() == [("North", 1, 2, 3, 4), ("South", 5, 6, 7, 8)]
    assert "has 2 rows" in table.warnings[0] and "2024 Q2" in table.warnings[0]
    assert table.read_as["header"] is True


def test_a_merged_header_of_a_workbook(tmp_path: Path) -> None:
    path = tmp_path / "b.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Sales of the year"])
        sheet.merge_range(1, 1, 1, 2, "2023")
        sheet.merge_range(1, 3, 1, 4, "2024")
        sheet.write_row(2, 0, ["Shop", "Q1", "Q2", "Q1", "Q2"])
        sheet.write_row(3, 0, ["A", 1, 2, 3, 4])
        sheet.write_row(4, 0, ["B", 5, 6, 7, 8])
    table = read_table(path, "b.xlsx")
    assert table.frame.columns == ["Shop", "2023 Q1", "2023 Q2", "2024 Q1", "2024 Q2"]
    assert table.frame.height == 2
    assert table.dropped == {"above the header": 1}


def test_one_group_is_no_title(tmp_path: Path) -> None:
    table = read(tmp_path, ",2023,\nShop,Q1,Q2\nA,1,2\nB,3,4\n")
    assert table.frame.columns == ["Shop", "2023 Q1", "2023 Q2"]
    assert table.dropped == {}


@pytest.mark.parametrize(
    "text",
    [
        "name,,city\nAna,x,Manaus\nRui,y,Porto\n",  # a column without a name, and rows of words
        "name,score,,\nAna,5,a,b\nRui,6,c,d\n",
        "id,name,,name,\n1,english,,,\n2,german,1,2,3\n",
        "vote,,x\nyes,no,yes\nno,no,yes\n",
        "question,answer\nHow many?,7\nHow old?,8\n",
    ],
)
def test_rows_are_not_taken_for_names(tmp_path: Path, text: str) -> None:
    table = read(tmp_path, text, header=True)
    assert table.frame.height == 2


def test_three_rows_and_how_they_are_joined() -> None:
    content = [["", "A", "", ""], ["", "x", "", "y"], ["Key", "m", "n", "m"], ["k", "1", "2", "3"], ["l", "4", "5", "6"]]
    assert header_rows(content) == 3
    assert joined_names(content[:3]) == ["Key", "A x m", "A x n", "A y m"]
    assert header_rows([["a", "b"], ["1", "2"]]) == header_rows([["a", "b"]]) == 1
