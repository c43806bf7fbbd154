"""Conversations as tools for fine-tuning write them: known by sight and brought to one form."""

import json
from pathlib import Path

import polars as pl
import pytest

from playground.data.chats import CHAT_FORMATS, as_prose, first_text, recognise, turns
from playground.data.formats import read_table
from playground.data.mapping import map_table
from playground.data.table import Table
from playground.errors import FileUnreadable

ASK, REPLY = {"role": "user", "content": "Oi"}, {"role": "assistant", "content": "Olá"}
SHARE = [{"from": "human", "value": "Oi"}, {"from": "gpt", "value": "Olá"}]


def read(tmp_path: Path, value: object, name: str = "x.json", **options: object) -> Table:
    path = tmp_path / "upload"
    lines = "\n".join(json.dumps(row) for row in value) if name.endswith(".jsonl") and isinstance(value, list) else json.dumps(value)
    path.write_text(lines, encoding="utf-8")
    return read_table(path, name, options)


def messages(table: Table) -> list[list[dict[str, str]]]:
    return [json.loads(cell) for cell in table.frame["messages"]]


@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
@pytest.mark.parametrize(
    ("rows", "chat_format"),
    [
        ([{"messages": [ASK, REPLY]}] * 2, "openai"),
        ([{"conversations": SHARE, "id": "a"}] * 2, "sharegpt"),
        ([{"conversation": SHARE}] * 2, "sharegpt"),
        ([SHARE] * 2, "sharegpt"),
        ([{"prompt": [ASK], "completion": [REPLY]}] * 2, "prompt_completion"),
        ([{"prompt": "Oi", "completion": [REPLY]}] * 2, "prompt_completion"),
        ([{"prompt": [ASK], "chosen": [REPLY], "rejected": [REPLY]}] * 2, "dpo"),
        ([{"prompt": "Oi", "chosen": [ASK, REPLY], "rejected": [ASK, REPLY]}] * 2, "dpo"),
        ([{"chosen": [ASK, REPLY], "rejected": [ASK, REPLY]}] * 2, "dpo"),
    ],
)
def test_conversations_have_one_form(tmp_path: Path, name: str, rows: list, chat_format: str) -> None:
    table = read(tmp_path, rows, name)
    assert table.read_as["chat_format"] == chat_format
    assert messages(table) == [[ASK, REPLY]] * 2
    assert table.frame.columns[0] == "messages"
    assert ("rejected" in table.frame.columns) is (chat_format == "dpo")
    assert "Recognised as" in table.warnings[0]
    assert map_table(table.frame).task == "chat"
    again = read(tmp_path, rows, name, **table.read_as)
    assert again.frame.equals(table.frame)


@pytest.mark.parametrize(
    ("row", "chat_format", "answer"),
    [
        ({"instruction": "Add.", "input": "1 2", "output": "3"}, "alpaca", "output"),
        ({"prompt": "Add.", "completion": "3"}, "prompt_completion", "completion"),
        ({"prompt": "Add.", "rejected": "a much longer and wrong answer", "chosen": "3"}, "dpo", "chosen"),
    ],
)
def test_forms_of_plain_texts_keep_their_columns(tmp_path: Path, row: dict, chat_format: str, answer: str) -> None:
    table = read(tmp_path, [row, {key: f"{value} more" for key, value in row.items()}])
    assert (table.read_as["chat_format"], table.frame.columns) == (chat_format, list(row))
    mapped = map_table(table.frame)
    assert (mapped.task, mapped.columns["answer"]) == ("instruction", answer)


def test_one_conversation_in_a_document_is_one_row(tmp_path: Path) -> None:
    assert messages(read(tmp_path, {"conversations": SHARE})) == [[ASK, REPLY]]
    assert messages(read(tmp_path, SHARE)) == [[ASK, REPLY]]


def test_roles_parts_and_empty_turns(tmp_path: Path) -> None:
    said = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": None, "tool_calls": [{"name": "add"}]},
        {"role": "tool", "content": "3"},
        {"role": "assistant", "content": " Three. "},
    ]
    (found,) = messages(read(tmp_path, [{"messages": said}]))
    assert [turn["role"] for turn in found] == ["system", "user", "assistant", "user", "assistant"]
    assert [turn["content"] for turn in found] == ["Be kind.", "One\nTwo", '[{"name": "add"}]', "3", "Three."]


def test_conversations_without_an_answer_stay_and_are_counted(tmp_path: Path) -> None:
    table = read(tmp_path, [{"messages": [ASK, REPLY]}, {"messages": [ASK]}, {"messages": None, "x": 1}, {"messages": [REPLY]}])
    assert table.frame.height == 4
    assert "says anything: 2" in table.warnings[1]
    assert map_table(table.frame).dropped == {"no conversation": 1, "no answer": 1}


def test_a_system_column_is_the_first_turn(tmp_path: Path) -> None:
    table = read(tmp_path, [{"system": "Be kind.", "conversations": SHARE}] * 2)
    assert table.frame.columns == ["messages"]
    assert messages(table)[0][0] == {"role": "system", "content": "Be kind."}


def test_conversations_in_a_csv(tmp_path: Path) -> None:
    cells = [json.dumps([ASK, REPLY], ensure_ascii=False), str([ASK, REPLY])]
    pl.DataFrame({"id": [1, 2], "messages": cells}).write_csv(tmp_path / "x.csv")
    table = read_table(tmp_path / "x.csv", "x.csv")
    assert (table.read_as["chat_format"], messages(table)) == ("openai", [[ASK, REPLY]] * 2)


def test_what_is_no_conversation_is_left_alone(tmp_path: Path) -> None:
    for rows in (
        [{"text": "a", "tags": ["x"]}],
        [{"turns": [{"role": "customer", "text": "x"}]}],
        [{"messages": [{"role": "wizard", "content": "x"}]}],
    ):
        table = read(tmp_path, rows * 2)
        assert table.read_as["chat_format"] is None
        assert table.frame.columns == list(rows[0])


def test_recognition_can_be_declined_or_asked_for(tmp_path: Path) -> None:
    rows = [{"conversations": SHARE}] * 2
    assert read(tmp_path, rows, chat_format="none").frame.columns == ["conversations"]
    with pytest.raises(FileUnreadable, match="Alpaca"):
        read(tmp_path, rows, chat_format="alpaca")
    assert recognise(pl.DataFrame({"a": ["x"]})).chat_format is None
    assert set(CHAT_FORMATS) >= {"alpaca", "sharegpt", "openai", "prompt_completion", "dpo"}


def test_cells_of_any_kind() -> None:
    for cell in ("", "x", "[", "[1]", "{}", "[{}]", '[{"role": 1}]', "[{'a': }", "[" * 5_000, "{" * 5_000):
        assert turns(cell) is None
        assert as_prose(cell) == cell
    assert first_text('["", " a ", "b"]') == "a" and first_text("[1, 2]") == "[1, 2]" and first_text("x") == "x"


@pytest.mark.parametrize(
    ("file", "chat_format", "rows", "answers"),
    [
        ("conversation.json", "sharegpt", 1, 6),
        ("conversation.missingturns.json", "sharegpt", 1, 5),
        ("openai_toy_chat_fine_tuning.jsonl", "openai", 5, 8),
        ("alpaca.json", "alpaca", 2, None),
    ],
)
def test_real_conversations(shared_data: Path, file: str, chat_format: str, rows: int, answers: int | None) -> None:
    table = read_table(shared_data / "tables/chat_formats_axolotl" / file, file)
    assert (table.read_as["chat_format"], table.frame.height) == (chat_format, rows)
    if answers is not None:
        assert sum(turn["role"] == "assistant" for row in messages(table) for turn in row) == answers
