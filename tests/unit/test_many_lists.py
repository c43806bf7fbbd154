"""Lists of questions, what counts as right, and filters whose counts add up."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.errors import FileUnreadable, InputError, Sentence, pack
from playground.many import questions as lists
from playground.many.table import HEADS, WHO, save
from playground.many.verdicts import FILTERS, alike, chosen, counts, folded, judged
from playground.settings import Limits
from playground.ui import many as shown

LIMITS = Limits()
TEXTS = st.text(max_size=30)


def answer(text: str | None) -> dict[str, Any]:
    """What a model said; None where it failed."""
    error = Sentence("Gone.") if text is None else None
    told = {"text": text or "", "tokens": 3, "seconds": 0.1, "adapter": None, "stopped_because": "end"}
    return {**told, "error": str(error) if error else None, "sentence": pack(error) if error else None}


def row(question: str, base: str | None, tuned: str | None, right: str | None) -> dict[str, Any]:
    made = {"question": question, "right": right, "base": answer(base), "tuned": answer(tuned)}
    return {**made, **judged(made)}


def result(rows: list[dict[str, Any]]) -> dict[str, Any]:
    told = {"run_id": "0" * 12, "run": "=run", "model": "starter", "quantised": False, "adapter": "ab" * 32, "asked": 1_700_000_000.0}
    return {**told, "settings": {"temperature": 0.0, "max_new_tokens": 9}, "source": "list", "skipped": 1, "left_out": 2, "rows": rows}


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20), max_size=20))
def test_every_pasted_line_is_a_question_or_counted(lines: list[str]) -> None:
    taken = lists.pasted("\n".join([*lines, ""]))
    assert [one.question for one in taken.listed] == [line.strip() for line in lines if line.strip()], "in order, and twice stays twice"
    assert len(taken.listed) + taken.skipped == len(lines)


@given(TEXTS.filter(str.strip), TEXTS)
def test_what_follows_a_tab_is_the_right_answer(question: str, right: str) -> None:
    question, right = (" ".join(text.split()) for text in (question, right))  # a line has no line breaks in it
    (one,) = lists.pasted(f"{question}\t{right}\r\n").listed
    assert (one.question, one.right) == (question, right)


@given(st.lists(TEXTS, max_size=30), st.integers(1, 20))
def test_a_list_cut_short_says_how_much_is_missing(texts: list[str], most: int) -> None:
    whole = lists.given(texts)
    cut = whole.first(most)
    assert cut.listed == whole.listed[:most]
    assert len(cut.listed) + cut.left_out + cut.skipped == len(texts)


def test_a_program_gives_texts_pairs_or_both() -> None:
    taken = lists.given(["One?", {"question": "Two?", "answer": "2"}, ["Three?", None], ("Four?", "4"), " ", {"question": "Five?"}])
    assert [(one.question, one.right) for one in taken.listed] == [
        ("One?", ""),
        ("Two?", "2"),
        ("Three?", ""),
        ("Four?", "4"),
        ("Five?", ""),
    ]
    assert taken.skipped == 1


@pytest.mark.parametrize("value", [7, None, {"prompt": "x"}, ["a", "b", "c"], ["a", 1], {"question": 1}])
def test_anything_else_is_refused_with_a_sentence(value: object) -> None:
    with pytest.raises(InputError, match="list of questions"):
        lists.given([value])


@given(TEXTS, st.sampled_from(["", ".", "!", " ", "\n", "…", "?!"]), st.sampled_from([str, str.upper, str.casefold]))
def test_right_forgives_capitals_spaces_and_a_last_mark(text: str, ending: str, how: Any) -> None:
    if not folded(text) or not folded(text)[-1:].isalnum() or how(text).casefold() != text.casefold():
        return  # a text of nothing but marks is compared as it stands
    assert alike(text, f" {how(text)}{ending}")


@given(TEXTS)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    assert alike(text, unicodedata.normalize("NFC", text)) and alike(unicodedata.normalize("NFD", text), text)


@pytest.mark.parametrize(
    ("said", "right", "same"),
    [
        ("Joy.", "joy", True),
        ("  SADNESS!! ", "sadness", True),
        ("Straße", "STRASSE", True),
        ("não", "NÃO.", True),
        ("joy and love", "joy", False),
        ("nao", "não", False),
        ("1.5", "15", False),
        ("(yes)", "yes", False),
        ("", "?", False),
        ("...", "...", True),
        ("", "", True),
    ],
)
def test_right_is_the_same_text(said: str, right: str, same: bool) -> None:
    assert alike(said, right) is same


ROWS = st.lists(st.builds(row, TEXTS, *[st.none() | st.sampled_from(["joy", "Joy.", "fear", ""])] * 3), max_size=30)


@given(ROWS)
def test_counts_add_up(rows: list[dict[str, Any]]) -> None:
    told = counts(rows)
    assert told["all"] == len(rows)
    for key in ("same", "base_right", "tuned_right"):
        assert sum(told[f"{key}_{word}"] for word in ("yes", "no", "unknown")) == len(rows)
    assert told["differ"] == told["same_no"] and told["wrong"] == told["tuned_right_no"]
    known = [one for one in rows if one["right"] and not one["base"]["error"] and not one["tuned"]["error"]]
    right = {name: sum(bool(one[f"{name}_right"]) for one in known) for name in ("base", "tuned")}
    assert right["tuned"] - right["base"] == told["gained"] - told["lost"], "what was gained less what was lost is the difference"
    for name in FILTERS:
        assert len(chosen(rows, name)) == told[name]
        assert all(rows[number] is one for number, one in chosen(rows, name))


def test_a_model_that_failed_is_neither_right_nor_wrong() -> None:
    one = row("Q?", "joy", None, "joy")
    assert (one["same"], one["base_right"], one["tuned_right"]) == (None, True, None)
    assert [name for name in FILTERS if FILTERS[name](one)] == ["all"]


@pytest.mark.parametrize(
    ("name", "content", "question", "right"),
    [
        ("a.csv", "id,pergunta,resposta\n1,Onde fica?,Aqui\n2,,Nada\n3,Quando abre?,Cedo\n", "pergunta", "resposta"),
        ("a.csv", "Pergunta;Certa resposta\nOnde, hoje?;Aqui\nQuando abre?;\n", "Pergunta", "Certa resposta"),
        ("a.jsonl", '{"question": "Where?", "answer": "Here"}\n{"question": "When?", "answer": null}\n', "question", "answer"),
        ("a.jsonl", '{"instruction": "Where?", "output": "Here"}\n{"instruction": "When?", "output": "Now"}\n', "instruction", "output"),
        ("a.txt", "Where is it?\nWhen does it open, please?\n\nMay I bring a dog?\n", None, None),
        ("a.txt", "Only one question here", None, None),
        ("a.csv", "question\nWhere?\nWhen?\n", "question", None),
    ],
)
def test_a_files_columns_are_guessed(tmp_path: Path, name: str, content: str, question: str | None, right: str | None) -> None:
    path = tmp_path / name
    path.write_text(content)
    found = lists.columns(path, name, LIMITS)
    assert question is None or found.question == question
    assert found.right == right
    taken = lists.in_file(path, name, found.question, found.right, LIMITS)
    assert taken.listed and len(taken.listed) + taken.skipped == found.rows
    if name.endswith(".txt"):
        assert [one.question for one in taken.listed] == [line for line in content.splitlines() if line]


def test_a_workbook_is_read_and_numbers_stay_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    pl.DataFrame({"question": ["How many?", "And then?"], "label": [3, 4]}).write_excel(path)
    found = lists.columns(path, path.name, LIMITS)
    assert [one.right for one in lists.in_file(path, path.name, "question", "label", LIMITS).listed] == ["3", "4"]
    assert (found.question, found.rows) == ("question", 2)


def test_a_file_that_is_no_list_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"%PDF-1.7 nothing")
    with pytest.raises(FileUnreadable):
        lists.columns(path, path.name, LIMITS)
    path.write_text("question,answer\na,b\nc,d\n")
    with pytest.raises(InputError, match="no column x"):
        lists.in_file(path, path.name, "x", None, LIMITS)


def test_a_spreadsheet_runs_nothing_and_says_who_answered(tmp_path: Path) -> None:
    risky = ["=1+1", "+cmd", "-2+3", "@SUM(A1)", 'says "hi",\nand more', "não"]
    rows = [row(text, text, None, text) for text in risky]
    path = save(result(rows), tmp_path / "a.csv", "csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf"), "or a spreadsheet reads accents wrongly"
    read = pl.read_csv(path, infer_schema=False)
    assert tuple(read.columns) == (*HEADS, *WHO) and read.height == len(risky)
    for text, cell in zip(risky, read["question"], strict=True):
        assert cell == (f"'{text}" if text[0] in "=+-@" else text)
        assert cell[0] not in "=+-@"
    first = read.row(0, named=True)
    assert first["run"] == "'=run" and first["date"].startswith("2023-11-14") and json.loads(first["settings"])["max_new_tokens"] == 9
    assert not first["same"] and (first["base_right"], first["tuned_error"]) == ("yes", "Gone.")


def test_the_json_has_everything_once(tmp_path: Path) -> None:
    told = result([row("Q?", "a", "b", "b")])
    read = json.loads(save(told, tmp_path / "a.json", "json").read_text("utf-8"))
    assert read["adapter"] == told["adapter"] and read["asked"].startswith("2023-11-14")
    assert read["rows"][0]["tuned_right"] is True and "sentence" not in read["rows"][0]["tuned"]


def say(key: str, **values: object) -> str:
    return f"{key} {sorted(values.items())}"


@settings(max_examples=30)
@given(st.lists(st.builds(row, *[st.sampled_from(["<script>", '"><img src=x>', "a & b", "x" * 900])] * 4), min_size=1, max_size=3))
def test_text_from_data_is_escaped_in_the_table(rows: list[dict[str, Any]]) -> None:
    drawn = shown.table(list(enumerate(rows)), say, str)
    assert "<script>" not in drawn and "<img" not in drawn and "a & b" not in drawn
    assert drawn.count("<tr") == len(rows) + 1 and drawn.count("<details>") == drawn.count("</details>")


def test_without_right_answers_there_is_no_such_column() -> None:
    drawn = shown.table([(0, row("Q?", "a", "b", None))], say, str)
    assert "head_right" not in drawn and "verdict" not in drawn
    assert "none" in shown.table([], say, str)
