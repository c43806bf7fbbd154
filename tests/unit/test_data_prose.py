"""Plain text and Markdown: paragraphs, and what is no prose but a table called .txt."""

from pathlib import Path

import pytest

from playground.data.formats import read_table
from playground.data.prose import markdown, paragraphs
from playground.data.table import Table


def read(tmp_path: Path, text: str, name: str, **options: object) -> Table:
    path = tmp_path / "upload"
    path.write_text(text, encoding="utf-8")
    return read_table(path, name, options)


STORY = "Once, in a town, there lived a cat,\nwho was old, and wise, and slow.\n\n\nOne day, it rained; the cat, of course, stayed in.\n"


def test_paragraphs_are_rows(tmp_path: Path) -> None:
    table = read(tmp_path, STORY, "story.txt")
    assert table.frame.columns == ["text"]
    assert table.frame["text"].to_list() == [
        "Once, in a town, there lived a cat,\nwho was old, and wise, and slow.",
        "One day, it rained; the cat, of course, stayed in.",
    ]
    assert table.read_as == {"format": "text", "encoding": "utf-8", **dict.fromkeys(("delimiter", "header", "sheet", "chat_format"))}
    assert (table.dropped, table.warnings) == ({}, [])


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_without_gaps_are_paragraphs(newline: str) -> None:
    assert paragraphs(newline.join(["First.", "Second one.", "Third."]) + newline) == ["First.", "Second one.", "Third."]


def test_lines_broken_at_the_margin_stay_together() -> None:
    lines = [
        "It was the best of times and it was also the worst",
        "of times, as many people in the old town have said",
        "before, and will say again.",
    ]
    assert paragraphs("\n".join(lines)) == ["\n".join(lines)]


@pytest.mark.parametrize(
    "text", ['"Hello," she said, "how are you?"\n"Fine," he said, "and you?"\n', "Dear, come.\nNow, stay.\n", "No comma here.\nNor here.\n"]
)
def test_commas_in_sentences_divide_nothing(tmp_path: Path, text: str) -> None:
    table = read(tmp_path, text, "x.txt")
    assert table.frame["text"].to_list() == text.splitlines()


@pytest.mark.parametrize("name", ["table.txt", "table", "table.dat"])
@pytest.mark.parametrize("text", ["id;name\n1;Ana\n2;Rui\n", "text\tlabel\ngood day\tx\nbad day\ty\n", "a, b, c\n1, 2, 3\n4, 5, 6\n"])
def test_a_table_stays_a_table(tmp_path: Path, name: str, text: str) -> None:
    table = read(tmp_path, text, name)
    assert table.read_as["format"] in ("csv", "tsv")
    assert table.frame.shape == (2, len(table.frame.columns)) and table.frame.width > 1


def test_a_csv_of_one_column_keeps_its_lines(tmp_path: Path) -> None:
    assert read(tmp_path, "text\nfirst\nsecond\n", "x.csv").frame.rows() == [("first",), ("second",)]
    assert read(tmp_path, "first\nsecond\n", "x.txt", delimiter="none", header=False).frame.height == 2
    assert read(tmp_path, STORY, "x.csv", format="text").frame.height == 2


DOCUMENT = """---
title: Guide
---
# Coffee

Intro with a [link](x).

<!-- a note -->
## Brewing
Heat water.
Wait.

```python
# no heading

pour(1)
```

- one
- two

***

Setext
------

| a | b |
|---|---|
| 1 | 2 |

## Last words
"""


def test_markdown_keeps_headings_and_code(tmp_path: Path) -> None:
    table = read(tmp_path, DOCUMENT, "guide.md")
    assert table.frame["text"].to_list() == [
        "# Coffee\n\nIntro with a [link](x).",
        "## Brewing\n\nHeat water.\nWait.",
        "```python\n# no heading\n\npour(1)\n```",
        "- one\n- two",
        "Setext\n------\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        "## Last words",
    ]
    assert table.read_as["format"] == "markdown"


def test_markdown_that_looks_like_something_else(tmp_path: Path) -> None:
    assert read(tmp_path, "[1] A note, and more.\n\n{x} y", "notes.md").frame.height == 2
    assert markdown("```\nnever closed\n\n# x") == ["```\nnever closed\n\n# x"]
    assert markdown("a\n# b\nc") == ["a", "# b\n\nc"]
    assert markdown("") == paragraphs(" \n \n") == []


def test_empty_prose_says_so(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="empty"):
        read(tmp_path, " \n\n", "x.txt")
    with pytest.raises(Exception, match="empty"):
        read(tmp_path, "---\na: b\n---\n", "x.md")
