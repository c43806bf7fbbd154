"""What the doctor finds in small tables, what it leaves alone, and that repairs do what they say and nothing else."""

import json

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.data.doctor import check, fix
from playground.data.formats import read_table
from playground.errors import NotFound

MAPPING = {"task": "instruction", "columns": {"prompt": "ask", "answer": "say", "context": None}, "split": {}, "seed": 1}
FILES = ("emotion_train.csv", "english_quotes.csv", "grocery.csv", "spider_train.json", "ufam_pairs.json")


def table(column: list[str | None]) -> pl.DataFrame:
    rows = range(len(column))
    return pl.DataFrame({"ask": [f"question {row}" for row in rows], "say": [f"answer {row}" for row in rows], "x": column})


def kinds(frame: pl.DataFrame, **more: object) -> dict[str, tuple[int, ...]]:
    always = ("few_rows", "unused_columns")  # of such tables
    return {one.kind: one.examples for one in check(frame, MAPPING, **more) if one.kind not in always}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("mojibake", "the cafÃ© is open", "the café is open"),
        ("markup", "<p>One</p><p>two &amp; three</p>", "One\n\ntwo & three"),
        ("markup", "Tom &amp; Ann", "Tom & Ann"),
        ("scan_debris", "an exam-\nple of it", "an example of it"),
        ("scan_debris", "the H e l l o of it", "the Hello of it"),
        ("scan_debris", "the ﬁsh", "the fish"),
        ("odd_characters", "ab\u200bc\x07", "abc"),
        ("white_space", " a  b\u00a0c\nd ", "a b c\nd"),
        ("personal_email", "write to ann.b@shop.example, please", "write to [e-mail], please"),
        ("personal_phone", "call me at 555-234-5678 today", "call me at [phone] today"),
        ("personal_phone", "ligue (11) 98765-4321", "ligue [phone]"),
        ("personal_phone", "or +44 20 7946 0958.", "or [phone]."),
        ("personal_card", "paid with 4111 1111 1111 1111 today", "paid with [card] today"),
        ("personal_cpf", "meu CPF 529.982.247-25 vale", "meu CPF [CPF] vale"),
        ("personal_cpf", "cpf: 52998224725", "cpf: [CPF]"),
        ("personal_cnpj", "loja 11.222.333/0001-81 aqui", "loja [CNPJ] aqui"),
        ("personal_ip", "from 192.168.10.24 again", "from [IP] again"),
        ("personal_ip", "from 2001:db8::8a2e:370:7334 again", "from [IP] again"),
    ],
)
def test_a_cell_is_found_and_repaired(kind: str, before: str, after: str) -> None:
    frame = table(["one thing", before, "another thing"])
    assert kinds(frame) == {kind: (1,)}
    fixed = fix(frame, [f"{kind}:x"], MAPPING)
    assert fixed.frame["x"].to_list() == ["one thing", after, "another thing"]
    assert list(fixed.changed.values()) == [1] and fixed.changes[0].before == before and fixed.changes[0].after == after
    assert not kinds(fixed.frame)
    assert all(before not in one.message and before not in str(one.fix) for one in check(frame, MAPPING))


@pytest.mark.parametrize(
    "text",
    [
        *("a < b and c > d", "I <3 you", "type <title> here", "vector<int> x;", "AT&T; ok", "```\n<b>x</b>\n```", "a well-known thing"),
        *("A B C D E", "naïve café", "👩\u200d👧 family", "می\u200cخواهم", "order 4111111111111112", "ISBN 978-0-306-40615-7"),
        *("version 1.2.3.4", "v1.2", "on 2024-03-15 or 15/03/2024", "seasons 12 2024-2025", "it is $1,234.50", "std::vector<a>"),
        *("pedido 12345678901", "at 12:30:45", "3.14159265358979", "logo@2x.png", "line one\nline two"),
        *("What does #N/A mean?", "#REF", "#null", "#name?!", "# N/A", "#NA #REF!"),
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert not kinds(table(["one thing", text, "another thing"]))


@pytest.mark.parametrize(
    ("column", "kind", "after"),
    [
        (["$1,234.50", "$7.00", "n/a", "$2.50"], "numbers_as_text", [1234.5, 7.0, None, 2.5]),
        (["1.234,50", "7,25", "-3,5"], "numbers_as_text", [1234.5, 7.25, -3.5]),
        (["12 %", "7 %", "8 %"], "numbers_as_text", [12, 7, 8]),
        (["1,234", "5,678", "9,012"], "numbers_unclear", None),
        (["$5.00", "€6.00", "$7.00"], "numbers_unclear", None),
        (["2024-03-31", "31/12/2024", "5 March 2024"], "date_spellings", ["2024-03-31", "2024-12-31", "2024-03-05"]),
        (["2024-03-31", "01/02/2024", "03/04/2024"], "dates_unclear", None),
        (["007", "008", "009"], "", None),
    ],
)
def test_numbers_and_dates(column: list[str], kind: str, after: list[object] | None) -> None:
    frame = table(column)
    assert set(kinds(frame)) == ({kind} if kind else set())
    if after is not None:
        fixed = fix(frame, [f"{kind}:x"], MAPPING)
        assert fixed.frame["x"].to_list() == after and not kinds(fixed.frame)


@pytest.mark.parametrize(
    "mark",
    [
        *("#N/A", " #n/a\n", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#SPILL!", "#CALC!"),
        *("#N/D", "#VALOR!", "#NOME?", "#núm!", "#NULO!", "#DESPEJAR!"),
    ],
)
def test_what_a_spreadsheet_wrote_where_it_had_no_value_becomes_empty(mark: str) -> None:
    frame = table(["one thing", mark, "another thing", "#N/A"])
    [finding] = [one for one in check(frame, MAPPING) if one.column == "x" and one.kind != "white_space"]
    assert (finding.kind, finding.severity, finding.rows, finding.examples) == ("spreadsheet_errors", "serious", 2, (1, 3))
    fixed = fix(frame, ["spreadsheet_errors:x"], MAPPING)
    assert fixed.frame["x"].to_list() == ["one thing", None, "another thing", None] and list(fixed.changed.values()) == [2]
    assert not kinds(fixed.frame)


def test_rows_that_only_have_a_spreadsheets_error_for_an_answer_can_go() -> None:
    frame = pl.DataFrame({"ask": ["a?", "b?", "c?"], "say": ["1 day", "#N/A", "2 days"]})
    mended = fix(frame, ["spreadsheet_errors:say"], MAPPING).frame
    assert "missing_answers" in {one.kind for one in check(mended, MAPPING)}
    assert fix(frame, ["spreadsheet_errors:say", "missing_answers:say"], MAPPING).frame["ask"].to_list() == ["a?", "c?"]


def test_rows_and_columns() -> None:
    long = "Where can I find the opening hours of the little shop by the harbour in winter"
    frame = pl.DataFrame(
        {
            "ask": ["a?", "a?", "b?", "b?", "b?", None, "d", long, long + "?!"],
            "say": ["1", "1", "2", "3", "3", "4", None, "5", "6"],
            "e": [None] * 9,
            "k": ["k"] * 9,
        }
    )
    found = {one.id: one for one in check(frame, MAPPING)}
    assert {
        "duplicate_rows": (1, 4),
        "missing_prompts:ask": (5,),
        "missing_answers:say": (6,),
        "conflicting_answers:say": (2,),
    }.items() <= {key: one.examples for key, one in found.items()}.items()
    assert found["near_duplicates:ask"].examples == (8,) and found["few_rows"].fix is None
    assert found["constant_column:k"].fix and found["empty_column:e"].fix
    order = [one.severity for one in found.values()]
    assert order == sorted(order, key=("serious", "advice", "note").index)
    fixed = fix(frame, [key for key, one in found.items() if one.fix], MAPPING)
    assert fixed.frame.columns == ["ask", "say"] and fixed.frame["ask"].to_list() == ["a?", "b?", long]
    assert fixed.frame.height + sum(fixed.dropped.values()) == 9


def test_labels_are_spelt_as_most_are() -> None:
    frame = pl.DataFrame({"ask": [f"text {row}" for row in range(12)], "say": ["good"] * 6 + ["Good", "good."] + ["bad"] * 4})
    mapping = {**MAPPING, "task": "classification"}
    assert {one.kind for one in check(frame, mapping)} >= {"label_spellings", "rare_labels"}
    assert fix(frame, ["label_spellings:say"], mapping).frame["say"].to_list() == ["good"] * 8 + ["bad"] * 4


def test_long_rows_and_leaks() -> None:
    texts = [f"Please tell me about {letter * 9} and everything around that place in the far north of the land" for letter in "abcdefgh"]
    frame = pl.DataFrame({"ask": [text + end for text in texts for end in ("", " it")], "say": [f"answer {row}" for row in range(16)]})

    def count(rows: list[str]) -> list[int]:
        return [len(row.split()) for row in rows]

    assert kinds(frame, lengths=count, max_length=19)["long_rows"] == (1, 3, 5, 7, 9)
    assert fix(frame, ["long_rows"], MAPPING, lengths=count, max_length=19).frame.height == 8
    mapping = {**MAPPING, "split": {"validation": 0.3, "test": 0.2}}
    assert "leakage" in {one.kind for one in check(frame, mapping)}
    assert "leakage" not in {one.kind for one in check(fix(frame, ["leakage"], mapping).frame, mapping)}


def test_dialogues_are_as_long_as_they_are_read() -> None:
    talk = json.dumps([{"role": "customer", "text": "one two"}, {"role": "agent", "text": "three"}])
    summaries = json.dumps(["four five", "six seven eight nine"])
    frame = pl.DataFrame({"ask": [talk] * 30, "say": [summaries] * 30})
    mapping = {"task": "summarization", "columns": {"prompt": "ask", "answer": "say"}}
    counted: list[str] = []
    check(frame, mapping, lengths=lambda rows: counted.extend(rows) or [0] * len(rows), max_length=1)
    assert counted[0] == "customer: one two\nagent: three\nfour five", "not the marks around it, and of several summaries the first"


def test_what_cannot_be_repaired_is_told_at_once() -> None:
    with pytest.raises(NotFound, match="nonsense, few_rows, markup:nowhere"):
        fix(table(["a", "b"]), ["nonsense", "few_rows", "markup:nowhere", "markup:x"], MAPPING)


CELLS = st.one_of(
    st.none(),
    st.text(alphabet="ab <>/&;lt.-\n\u200b\u00a0Ã©@1ﬁ", max_size=10),
    st.sampled_from(
        ["cafÃ©", "<b>x</b>", "&amp;lt;b&amp;gt;", "a@b.co", "H e l l o", "1,5", "$3.00", "1/2/2024", "n/a", "#N/A", "Yes", "yes", "yes."]
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8), st.data())
def test_repairs_are_counted_and_not_needed_twice(rows: list[tuple[str | None, ...]], data: st.DataObject) -> None:
    frame = pl.DataFrame(rows, schema={"ask": pl.String, "say": pl.String, "x": pl.String}, orient="row")
    offered = [one.id for one in check(frame, MAPPING) if one.fix]
    ids = data.draw(st.lists(st.sampled_from(offered), unique=True)) if offered else []
    fixed = fix(frame, ids, MAPPING)
    assert fixed.frame.height + sum(fixed.dropped.values()) == frame.height
    assert not set(ids) & {one.id for one in check(fixed.frame, MAPPING)}
    untouched = [name for name in fixed.frame.columns if not any(one.endswith(f":{name}") for one in ids)]
    if not fixed.dropped:
        assert fixed.frame.select(untouched).equals(frame.select(untouched))
    if not ids:
        assert fixed.frame.equals(frame) and not fixed.changes


@pytest.mark.parametrize("name", FILES)
def test_real_tables(shared_data, name: str) -> None:
    path = shared_data / "reports" / name
    frame = read_table(path, name).frame
    for one in check(frame):
        assert one.rows and 0 < len(one.examples) <= 5 and all(0 <= row < frame.height for row in one.examples)
        assert one.kind in ("near_duplicates", "duplicate_rows", "leakage", "not_compared") or one.rows <= frame.height


def test_columns_that_the_task_does_not_use_can_go_before_equal_rows_are_looked_for():
    frame = pl.DataFrame({"id": [1, 2, 3], "ask": ["q", "q", "r"], "say": ["a", "a", "b"], "note": ["x", "y", "z"]})
    [unused] = [one for one in check(frame, MAPPING) if one.kind == "unused_columns"]
    assert unused.severity == "note" and "id, note" in unused.message
    fixed = fix(frame, ["unused_columns", "duplicate_rows"], MAPPING)
    assert fixed.frame.rows() == [("q", "a"), ("r", "b")] and fixed.dropped_columns == ["id", "note"]
    assert fix(frame, ["duplicate_rows"], MAPPING).frame.height == 3
