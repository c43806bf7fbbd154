"""Lists of questions with expected answers: from files, pasted lines and programs; and as files that run nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as draws
from hypothesis import settings
from hypothesis import strategies as st

from playground.errors import InputError
from playground.many.checks_table import FILTERS, HEADS, chosen, save
from playground.many.expected import ExpectedColumns, columns, given, in_file, pasted
from playground.rag.exam.expected import Expected
from playground.rag.exam.marks import marked
from playground.settings import Limits

LIMITS = Limits()


@pytest.mark.parametrize(
    "heads, guess",
    [
        ("question,answer,page,document", ("question", "answer", "document", "page")),
        ("Pergunta;Resposta;Página;Arquivo", ("Pergunta", "Resposta", "Arquivo", "Página")),
        ("id,question,expected_answer", ("question", "expected_answer", None, None)),
        ("document,question,answer", ("question", "answer", "document", None)),
    ],
)
def test_columns_are_guessed(tmp_path: Path, heads: str, guess: tuple[str | None, ...]) -> None:
    mark = ";" if ";" in heads else ","
    path = tmp_path / "exam.csv"
    cells = {"question": "When does it open?", "pergunta": "Quando abre?", "page": "3", "página": "3", "id": "1"}
    line = mark.join(cells.get(head.lower(), "nine o'clock") for head in heads.split(mark))
    path.write_text("\n".join([heads, line, line]) + "\n", "utf-8")
    found = columns(path, path.name, LIMITS)
    assert (found.question, found.answer, found.document, found.page) == guess
    taken = in_file(path, path.name, found, LIMITS)
    assert len(taken.listed) == 2 and taken.listed[0].answers == ("nine o'clock",)
    assert taken.listed[0].page == (3 if guess[3] else None)


def test_a_file_without_answers_or_with_other_columns_says_so(tmp_path: Path) -> None:
    path = tmp_path / "exam.csv"
    path.write_text("question,answer\nWhen?,nine\nWhy?,\n", "utf-8")
    with pytest.raises(InputError, match="No expected answer"):
        in_file(path, path.name, ExpectedColumns([], "question", None, None, None), LIMITS)
    with pytest.raises(InputError, match="no column"):
        in_file(path, path.name, ExpectedColumns([], "question", "right", None, None), LIMITS)
    listed = in_file(path, path.name, ExpectedColumns([], "question", "answer", None, None), LIMITS).listed
    assert [one.answerable for one in listed] == [True, False]


def test_pasted_lines_and_pasted_csv() -> None:
    taken = pasted("When?\tnine\ta.pdf\t3\r\nWhy?\t\n\nWho?\tnot in the documents", LIMITS)
    assert taken.listed == [Expected("When?", ("nine",), "a.pdf", 3), Expected("Why?"), Expected("Who?")]
    assert taken.skipped == 1
    table = pasted('question,answer,page\n"When, then?","nine, or so",3\nWhy?,,\n', LIMITS)
    assert table.listed == [Expected("When, then?", ("nine, or so",), "", 3), Expected("Why?")]
    with pytest.raises(InputError, match="No expected answer"):
        pasted("When?\nWhy?", LIMITS)
    assert pasted(" \n", LIMITS).listed == []


@pytest.mark.parametrize(
    "first",
    [
        ("What question does the princess ask?", "Why did he come"),
        ("Qual é a pergunta, afinal?", "sim"),
        ("Which question, if any, is open; and why?", "none"),
        ('A "pergunta", então', "não"),
    ],
)
def test_a_first_question_with_the_word_question_in_it_is_no_header(first: tuple[str, str]) -> None:
    asked = pasted("\t".join(first) + "\nWho is there?\tBob\n", LIMITS).listed
    assert [(one.question, *one.answers) for one in asked] == [first, ("Who is there?", "Bob")]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize(
    "head", ["question|answer", '"Questions"|answer', "id|PERGUNTA|resposta", "\ufeffPergunta|Resposta", " question |answer"]
)
def test_a_cell_that_is_such_a_word_alone_makes_a_header(head: str, mark: str) -> None:
    lines = [head, "|".join(["1"] * head.count("id|") + ["Who is there?", "Bob"])]
    asked = pasted("\n".join(lines).replace("|", mark), LIMITS).listed
    assert [(one.question, *one.answers) for one in asked] == [("Who is there?", "Bob")]


def test_what_no_document_can_hold_is_left_out_of_a_list() -> None:
    (one,) = given([{"question": "Who\ud800?", "answers": ["a\x00b", "\ud800", "cafe\u0301"], "document": "a\x00.pdf"}]).listed
    assert one == Expected("Who?", ("ab", "café"), "a.pdf")


def test_a_page_that_is_none_is_told() -> None:
    lines = "When?\tnine\ta.pdf\tpages 3-4\nWhy?\tso\t\tsee chapter 2\nWho?\t\t\tnowhere\nHow?\tso\t\t-\n\t\t\tx"
    taken = pasted(lines, LIMITS)
    assert [one.page for one in taken.listed] == ["3-4", None, None, None]
    assert (taken.pages_unread, taken.skipped) == (1, 1)
    assert given([{"question": "q", "answer": "a", "page": "nowhere"}]).pages_unread == 1


def test_what_a_program_gives() -> None:
    listed = given(
        [{"question": "When?", "answers": ["nine", "9"], "page": 3}, {"question": "Why?", "answer": ""}, {"question": ""}]
    ).listed
    assert listed == [Expected("When?", ("nine", "9"), "", 3), Expected("Why?")]
    for wrong in [
        "text",
        [1],
        ["When?"],
        [{"question": 1}],
        [{"question": "q", "more": 1}],
        [{"question": "q", "page": [1]}],
        {"a": 1},
        [{"answers": "x"}],
    ]:
        with pytest.raises(InputError):
            given(wrong)  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@draws(st.text(max_size=200))
def test_no_pasted_text_breaks_the_reader(text: str) -> None:
    try:
        assert all(one.question for one in pasted(text, LIMITS).listed)
    except Exception as error:
        from playground.errors import PlaygroundError

        assert isinstance(error, PlaygroundError)


def result(rows: list[dict[str, Any]]) -> dict[str, Any]:
    how = {"mode": "hybrid", "thesaurus": False, "weight": 0.25, "reranker": "local:=x", "threshold": 0.45, "phrased_by": "nobody"}
    return {"collection": "c", "embedder": "starter", "settings": how, "run": None, "asked": 1_700_000_000.0, "questions": 2, "rows": rows}


def test_files_to_take_away_run_nothing_and_lose_nothing(tmp_path: Path) -> None:
    cited = {"document": "=a.pdf", "page": 3, "label": "=iii", "unit": "page", "quote": "x"}
    state = {"answer": "=HYPERLINK(1)", "refused": False, "citations": [cited], "confidence": 0.61234}
    rows = [
        marked(Expected("=1+1", ("@x",), "", 3), state, [], stands=False, asked_model=False),
        marked(Expected("Why?"), {"refused": True}, [], stands=False, asked_model=False, error={"template": "Gone.", "values": {}}),
    ]
    with save(result(rows), tmp_path / "a.csv", "csv").open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert tuple(first) == HEADS
    assert (first["question"], first["expected"], first["answer"], first["document"]) == ("'=1+1", "'@x", "'=HYPERLINK(1)", "'=a.pdf")
    assert (first["right"], first["refused"], first["page"], first["confidence"]) == ("no", "no", "3", "0.6123")
    assert (first["expected_page"], first["label"]) == ("3", "'=iii")
    assert (first["mode"], first["thesaurus"], first["weight"], first["reranker"]) == ("hybrid", "no", "0.25", "local:=x")
    assert second["error"] == "Gone." and second["right"] == ""
    whole = json.loads(save(result(rows), tmp_path / "a.json", "json").read_text("utf-8"))
    assert whole["rows"][0]["question"] == "=1+1" and whole["rows"][1]["error"] == "Gone."
    assert [len(chosen(rows, name)) for name in FILTERS] == [2, 1, 0, 1, 1, 1]
