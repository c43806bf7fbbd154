"""From rows to conversations: roles, tasks, labels, what is guessed and what is refused."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.data.choices import KEYS
from playground.data.mapping import Mapped, ask, map_table, taken_apart
from playground.errors import MappingError, SettingsError
from playground.messages import Conversation


def every(mapped: Mapped) -> list[Conversation]:
    splits = mapped.conversations
    return [*splits.train, *splits.validation, *splits.test]


def pairs(mapped: Mapped) -> set[tuple[str, str]]:
    return {(example.prompt[-1].content, example.completion[0].content) for example in every(mapped)}


HELLO = '[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]'
QUESTIONS = pl.DataFrame({"Pergunta": ["Onde fica?", "Quem é?", "Quando?"], "Resposta": [" Em Manaus. ", "Ana", "Hoje"]})
LETTERS = pl.DataFrame({"text": [f"text {number}" for number in range(20)], "label": [number % 2 for number in range(20)]})


def test_an_instruction_is_question_and_answer() -> None:
    mapped = map_table(QUESTIONS)
    assert (mapped.task, mapped.columns) == ("instruction", {"prompt": "Pergunta", "answer": "Resposta"})
    assert (mapped.instruction, mapped.system) == ("", "")
    assert pairs(mapped) == {("Onde fica?", "Em Manaus."), ("Quem é?", "Ana"), ("Quando?", "Hoje")}
    assert mapped.guessed == ["task", "columns.prompt", "columns.answer", "instruction"]
    assert all([turn.role for turn in example.prompt] == ["user"] for example in every(mapped))


def test_nothing_is_guessed_that_is_given() -> None:
    columns = {"prompt": "Resposta", "answer": "Pergunta"}
    mapped = map_table(QUESTIONS, {"task": "instruction", "columns": columns, "instruction": "Ask.", "system": "You ask."})
    assert mapped.guessed == []
    assert ("Ask.\n\nAna", "Quem é?") in pairs(mapped)
    assert [turn.role for turn in every(mapped)[0].prompt] == ["system", "user"]
    assert map_table(QUESTIONS, mapped.settings()).conversations == mapped.conversations


def test_a_classification_names_its_labels() -> None:
    mapped = map_table(LETTERS, {"label_names": {"0": "sad", 1: " glad "}})
    assert mapped.task == "classification"
    assert mapped.instruction == "Which of these fits the text best: sad, glad? Answer with one of them only."
    assert mapped.conversations.labels == ["sad", "glad"]
    assert (mapped.instruction + "\n\ntext 3", "glad") in pairs(mapped)
    assert mapped.label_names == {"0": "sad", "1": "glad"}


def test_a_label_without_a_name_says_itself() -> None:
    frame = pl.DataFrame({"text": ["a", "b", "c", "d"], "label": [10.0, 2.0, 10.0, 2.5]})
    mapped = map_table(frame, {"task": "classification", "label_names": {"2": "two", "9": "nine"}})
    assert mapped.conversations.labels == ["two", "10", "2.5"]
    assert "9" in mapped.warnings[0]


def test_true_and_false_are_labels() -> None:
    frame = pl.DataFrame({"review": [f"good {number}" for number in range(12)], "positive": [True, False] * 6})
    mapped = map_table(frame)
    assert (mapped.task, mapped.columns["answer"], mapped.conversations.labels) == ("classification", "positive", ["false", "true"])


def test_many_labels_are_not_all_named() -> None:
    frame = pl.DataFrame({"text": [f"t{number}" for number in range(120)], "label": [f"l{number % 60}" for number in range(120)]})
    mapped = map_table(frame, {"task": "classification"})
    assert "l7" not in mapped.instruction and mapped.instruction
    assert any("60" in warning for warning in mapped.warnings)


def test_context_follows_the_question() -> None:
    frame = pl.DataFrame({"instruction": ["Add.", "Sing.", "Rest."], "input": ["1 and 2", None, ""], "output": ["3", "La", "Zzz"]})
    mapped = map_table(frame)
    assert mapped.columns == {"prompt": "instruction", "answer": "output", "context": "input"}
    assert pairs(mapped) == {("Add.\n\n1 and 2", "3"), ("Sing.", "La"), ("Rest.", "Zzz")}


def test_summarization_has_an_instruction() -> None:
    frame = pl.DataFrame({"id": [1, 2], "article": ["A long story.", "Another."], "highlights": ["Story.", "Other."]})
    mapped = map_table(frame)
    assert (mapped.task, mapped.columns) == ("summarization", {"prompt": "article", "answer": "highlights"})
    assert (ask(mapped.instruction, "Another."), "Other.") in pairs(mapped)


def test_slots_are_filled_literally() -> None:
    frame = pl.DataFrame({"text": ["a {lang} {0}", "b {text}"], "lang": ["{text}", "pt"], "label": ["x", "y"]})
    columns = {"prompt": "text", "answer": "label"}
    mapped = map_table(frame, {"task": "instruction", "columns": columns, "instruction": "In {lang}: {unknown} {0.__class__} {}"})
    assert ("In {text}: {unknown} {0.__class__} {}\n\na {lang} {0}", "x") in pairs(mapped)
    inside = map_table(frame, {"task": "instruction", "columns": columns, "instruction": "Read «{text}» in {lang}."})
    assert pairs(inside) == {("Read «a {lang} {0}» in {text}.", "x"), ("Read «b {text}» in pt.", "y")}


def test_a_chat_asks_as_the_examples_did() -> None:
    for instruction in ("", "Answer.", "Read «{text}» well."):
        mapped = map_table(LETTERS, {"instruction": instruction})
        asked = {ask(mapped.conversations.instruction, f"text {number}") for number in range(20)}
        assert asked == {question for question, _ in pairs(mapped)}
    assert ask("Say {prompt}!", "{prompt} {x}") == "Say {prompt} {x}!"


def test_rows_that_lack_something_are_counted() -> None:
    frame = pl.DataFrame({"question": ["a", None, "  ", "d", None, "f"], "answer": ["1x", "2x", "3x", None, None, "6x"]})
    mapped = map_table(frame)
    assert mapped.dropped == {"no question": 3, "no answer": 1}
    assert sum(mapped.rows.values()) + sum(mapped.dropped.values()) == frame.height
    assert pairs(mapped) == {("a", "1x"), ("f", "6x")}


@pytest.mark.parametrize(
    ("frame", "settings", "parts"),
    [
        ({"question": [None, None], "answer": ["x", "y"]}, {"columns": {"prompt": "question"}}, ["question", "empty"]),
        ({"question": ["x", "y"], "answer": [None, None]}, {"columns": {"answer": "answer"}}, ["answer", "empty"]),
        ({"question": ["x", None], "answer": [None, "y"]}, {}, ["question", "answer", "No row"]),
        ({"question": ["x", None], "answer": ["y", "y"]}, {}, ["Only one row", "two"]),
        ({"text": ["x", "y"]}, {"task": "instruction"}, ["only one column", "text"]),
        ({"number": ["2024-01-01", "2024-01-02"]}, {}, ["only one column", "number"]),
        ({"messages": ["[]", "[]"]}, {}, ["messages", "conversations"]),
        ({"messages": [HELLO, None]}, {}, ["messages", "Only one row"]),
        ({"a": ["x", "y"], "b": ["u", "v"]}, {"task": "chat"}, ["conversations", "a, b"]),
        ({"a": [None, None], "b": ["u", "v"]}, {"columns": {"text": "a"}}, ["a", "empty"]),
        ({"a": ["x", "y"], "b": ["u", "v"]}, {"task": "completion", "columns": {"text": "c"}}, ["no column called c"]),
        ({"a": ["x", "y"], "b": ["u", "v"]}, {"columns": {"prompt": "nope"}}, ["nope", "a, b"]),
        ({"a": ["x", "y"], "b": ["u", "v"]}, {"columns": {"prompt": "a", "answer": "a"}}, ["same column"]),
        ({"text": ["x", "y"], "label": ["u", "u"]}, {"task": "classification"}, ["same", "u"]),
    ],
)
def test_tables_that_cannot_be_learnt_from(frame: dict, settings: dict, parts: list[str]) -> None:
    with pytest.raises(MappingError) as caught:
        map_table(pl.DataFrame(frame, schema=dict.fromkeys(frame, pl.String)), settings)
    for part in parts:
        assert part in str(caught.value)


def test_all_wrong_settings_are_listed_at_once() -> None:
    wrong = {
        "tasc": 1,
        "task": "poetry",
        "columns": {"prompt": 3, "reply": "x"},
        "instruction": 5,
        "system": ["x"],
        "label_names": {"0": ""},
        "split": {"validation": 0.6, "test": 0.5},
        "seed": -1,
        "few_shot": "many",
    }
    with pytest.raises(SettingsError) as caught:
        map_table(QUESTIONS, wrong)
    for part in (*wrong, *KEYS, "reply", "columns.prompt"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"split": {"validation": 1.0}},
        {"split": {"validation": -0.1}},
        {"split": {"validation": "0.1"}},
        {"split": {"validation": float("nan")}},
        {"split": {"holdout": 0.1}},
        {"split": [0.1]},
        {"split": {"validation": True}},
        {"seed": 1.5},
        {"seed": True},
        {"few_shot": -1},
        {"few_shot": 21},
        {"few_shot": True},
        {"columns": ["text"]},
        {"label_names": ["a"]},
        {"task": ["x"]},
        "text",
        [],
    ],
)
def test_values_of_the_wrong_kind(settings: object) -> None:
    with pytest.raises(SettingsError):
        map_table(LETTERS, settings)  # type: ignore[arg-type]


def talk(*said: tuple[str, str]) -> str:
    return json.dumps([{"role": role, "content": content} for role, content in said], ensure_ascii=False)


def test_a_chat_trains_every_answer() -> None:
    long = talk(
        ("system", "Be kind."), ("user", "Oi"), ("assistant", "Olá"), ("user", "Tudo bem?"), ("assistant", "Tudo!"), ("user", "Tchau")
    )
    frame = pl.DataFrame({"messages": [long, HELLO, talk(("user", "Alone")), "no JSON", None, talk(("assistant", "I begin"))]})
    mapped = map_table(frame, {"system": "Help.", "split": {"validation": 0, "test": 0}})
    assert (mapped.task, mapped.columns, mapped.guessed) == ("chat", {"messages": "messages"}, ["task", "columns.messages"])
    assert mapped.dropped == {"no conversation": 2, "no answer": 1}
    first, second, third = mapped.conversations.train
    assert [(turn.role, turn.content) for turn in first.prompt] == [("system", "Be kind."), ("user", "Oi")]
    assert [turn.role for turn in first.completion] == ["assistant", "user", "assistant"]
    assert [turn.content for turn in second.prompt] == ["Help.", "Hi"]
    assert ([turn.role for turn in third.prompt], third.completion[0].content) == (["system"], "I begin")
    assert map_table(frame, mapped.settings()).conversations == mapped.conversations
    assert Conversation.from_dict(first.to_dict()) == first


def test_a_chat_may_have_other_columns_and_other_names() -> None:
    frame = pl.DataFrame({"id": [1, 2], "conversa": [HELLO, talk(("customer", "Help"), ("agent", "Sure"))], "note": ["x", "y"]})
    mapped = map_table(frame, {"task": "chat"})
    assert mapped.columns == {"messages": "conversa"}
    assert {one.completion[0].content for one in every(mapped)} == {"Hello", "Sure"}
    assert map_table(frame, {"columns": {"messages": "conversa"}}).task == "chat"


def test_same_openings_stay_in_one_part() -> None:
    frame = pl.DataFrame({"messages": [talk(("user", f"Q{number // 2}"), ("assistant", f"A{number}")) for number in range(40)]})
    homes: dict[str, set[str]] = {}
    for part in ("train", "validation", "test"):
        for one in getattr(map_table(frame).conversations, part):
            homes.setdefault(one.prompt[0].content, set()).add(part)
    assert len(homes) == 20 and all(len(home) == 1 for home in homes.values())


def test_a_completion_is_the_whole_text() -> None:
    frame = pl.DataFrame({"text": [f"Story {number}. The end." for number in range(10)] + [None, " "]})
    mapped = map_table(frame, {"instruction": "unused", "system": "unused"})
    assert (mapped.task, mapped.columns, mapped.system, mapped.instruction) == ("completion", {"text": "text"}, "", "")
    assert mapped.dropped == {"no text": 2}
    one = mapped.conversations.train[0]
    assert (one.prompt, one.completion[0].role, one.completion[0].content) == ((), "text", "Story 0. The end.")
    assert sum(mapped.rows.values()) == 10
    assert map_table(frame, mapped.settings()).conversations == mapped.conversations


def test_shots_are_earlier_turns_from_training_only() -> None:
    frame = pl.DataFrame({"question": [f"q{number}" for number in range(60)], "answer": [f"a{number}" for number in range(60)]})
    mapped = map_table(frame, {"few_shot": 2, "system": "Be brief.", "instruction": "Answer."})
    shots = mapped.conversations.shots
    assert [turn.role for turn in shots] == ["user", "assistant"] * 2
    trained = {one.prompt[-1].content for one in mapped.conversations.train}
    assert {shots[0].content, shots[2].content} <= trained
    for one in every(mapped):
        assert one.prompt[0].role == "system"
        assert one.prompt[-1].content not in [turn.content for turn in one.prompt[:-1]], "an example must not show its own answer"
        assert len(one.prompt) == 6
        if one.prompt[-1].content not in (shots[0].content, shots[2].content):
            assert one.prompt[1:-1] == shots
    assert mapped.settings()["few_shot"] == 2
    assert map_table(frame, mapped.settings()).conversations == mapped.conversations
    assert map_table(frame, {"few_shot": 2, "seed": 1}).conversations.shots != shots
    assert map_table(frame).conversations.shots == ()


def test_shots_of_a_classification_show_different_labels() -> None:
    frame = pl.DataFrame(
        {"text": [f"text {number}" for number in range(60)], "label": [("a", "b", "c")[number % 3] for number in range(60)]}
    )
    mapped = map_table(frame, {"few_shot": 3, "label_names": {"a": "first"}})
    assert sorted(turn.content for turn in mapped.conversations.shots if turn.role == "assistant") == ["b", "c", "first"]
    assert all(turn.content.startswith(mapped.instruction) for turn in mapped.conversations.shots if turn.role == "user")


def test_more_shots_than_there_are_examples() -> None:
    mapped = map_table(QUESTIONS, {"few_shot": 20, "split": {"validation": 0, "test": 0}})
    assert any("not enough examples" in warning for warning in mapped.warnings)
    assert len(mapped.conversations.shots) == 6 and all(len(one.prompt) == 5 for one in every(mapped))
    assert any("left out" in warning for warning in map_table(pl.DataFrame({"text": ["a b", "c d"]}), {"few_shot": 1}).warnings)


def test_dialogues_and_lists_of_summaries_become_text() -> None:
    turns = json.dumps([{"role": "customer", "text": "It broke."}, {"role": "agent", "text": "Sorry."}])
    frame = pl.DataFrame({"conversa": [turns, turns.replace("broke", "burnt")], "resumos": ['["Broken.", "It is broken."]', '["Burnt."]']})
    mapped = map_table(frame, {"instruction": ""})
    assert (mapped.task, mapped.columns) == ("summarization", {"prompt": "conversa", "answer": "resumos"})
    assert pairs(mapped) == {("customer: It broke.\nagent: Sorry.", "Broken."), ("customer: It burnt.\nagent: Sorry.", "Burnt.")}


@pytest.mark.parametrize(
    ("columns", "prompt", "answer", "task"),
    [
        ({"text": "long", "label": "few"}, "text", "label", "classification"),
        ({"Frase": "long", "Rótulo": "few"}, "Frase", "Rótulo", "classification"),
        ({"customer_message": "long", "topic": "few"}, "customer_message", "topic", "classification"),
        ({"x": "long", "y": "few"}, "x", "y", "classification"),
        ({"y": "few", "x": "long"}, "x", "y", "classification"),
        ({"id": "row", "a": "long", "b": "longer"}, "a", "b", "instruction"),
        ({"question": "long", "query": "longer", "db_id": "few"}, "question", "query", "instruction"),
        ({"Prompt": "long", "Completion": "longer"}, "Prompt", "Completion", "instruction"),
        ({"resumo": "long", "documento": "longer"}, "documento", "resumo", "summarization"),
        ({"título": "long", "descrição": "longer", "url": "row"}, "título", "descrição", "instruction"),
        ({"product_name": "long", "price": "row", "product_description": "longer"}, "product_name", "product_description", "instruction"),
        ({"title": "long", "content": "longer", "category": "few"}, "content", "category", "classification"),
        ({"title": "long", "content": "longer", "sub category": "few"}, "title", "content", "instruction"),
        ({"title": "long", "body": "longer", "answer": "longer"}, "body", "answer", "instruction"),
        ({"citação": "longer", "autor": "long", "tags": "few"}, "citação", "autor", "instruction"),
        ({"texto": "long", "rótulo": "few", "id": "row"}, "texto", "rótulo", "classification"),
        ({"conversa": "longer", "resumo": "long"}, "conversa", "resumo", "summarization"),
        ({"prompt": "long", "rejected": "longer", "chosen": "longer"}, "prompt", "chosen", "instruction"),
        ({"question": "long", "sql": "longer", "context": "few"}, "question", "sql", "instruction"),
        ({"same": "same", "questionText": "long", "answerText": "longer"}, "questionText", "answerText", "instruction"),
    ],
)
def test_guesses(columns: dict[str, str], prompt: str, answer: str, task: str) -> None:
    values = {
        "long": [f"some words with number {number}" for number in range(30)],
        "longer": [f"so many more words that come with the number {number}" for number in range(30)],
        "few": [("red", "green", "blue")[number % 3] for number in range(30)],
        "row": list(range(30)),
        "same": ["always"] * 30,
    }
    mapped = map_table(pl.DataFrame({name: values[kind] for name, kind in columns.items()}))
    assert (mapped.columns["prompt"], mapped.columns["answer"], mapped.task) == (prompt, answer, task)


def test_one_given_column_helps_to_guess_the_other() -> None:
    frame = pl.DataFrame({"title": ["a a", "b b"], "body": ["long long text", "other long text"], "note": ["n", "m"]})
    assert map_table(frame, {"columns": {"answer": "title"}}).columns["prompt"] == "body"
    assert map_table(frame, {"columns": {"prompt": "title", "answer": None}, "task": "instruction"}).columns["answer"] == "body"


def test_the_default_split() -> None:
    frame = pl.DataFrame({"question": [f"q{number}" for number in range(200)], "answer": [f"a{number}" for number in range(200)]})
    mapped = map_table(frame)
    assert mapped.rows == {"train": 160, "validation": 20, "test": 20}
    assert map_table(frame, {"seed": 1}).conversations != mapped.conversations
    assert map_table(frame).conversations == mapped.conversations
    first = [example.prompt[0].content for example in mapped.conversations.validation[:4]]
    assert first == ["q2", "q3", "q13", "q30"], "another split than before: old runs could not be compared with new ones"


def test_labels_are_spread_evenly() -> None:
    frame = pl.DataFrame(
        {"text": [f"t{number}" for number in range(1_000)], "label": ["rare" if number < 100 else "usual" for number in range(1_000)]}
    )
    splits = map_table(frame).conversations
    for part, count in ((splits.validation, 10), (splits.test, 10), (splits.train, 80)):
        assert abs(sum(example.completion[0].content == "rare" for example in part) - count) <= 1


def test_alike_questions_leave_no_validation_and_say_so() -> None:
    mapped = map_table(pl.DataFrame({"question": ["Hi", " hi", "HI "], "answer": ["a", "b", "c"]}))
    assert mapped.rows == {"train": 3, "validation": 0, "test": 0}
    assert mapped.warnings


def test_a_declined_context_stays_declined() -> None:
    frame = pl.DataFrame({"instruction": [f"do {n}" for n in range(9)], "input": [f"with {n}" for n in range(9)], "output": ["x y z"] * 9})
    guessed = map_table(frame)
    assert guessed.columns["context"] == "input"
    declined = map_table(frame, {"columns": {"prompt": "instruction", "answer": "output", "context": None}})
    assert declined.columns["context"] is None
    again = map_table(frame, declined.settings())
    assert again.columns["context"] is None
    assert again.conversations == declined.conversations
    assert "with" not in again.conversations.train[0].prompt[-1].content


WORDS = st.text(alphabet="ab {}\n", max_size=6)


@given(
    st.sampled_from(["", "Say.", "In {city}: {prompt}!", "{city} {when} {city}: {prompt} as {json}", "Of {city}, {when}."]),
    WORDS,
    WORDS,
    WORDS,
)
def test_what_was_asked_is_taken_apart_again(instruction: str, text: str, city: str, when: str) -> None:
    """Put together again it is the same question, even where it can be read in two ways."""
    slots = {name: value for name, value in (("city", city), ("when", when)) if "{" + name + "}" in instruction}
    asked = ask(instruction, text, slots)
    found, values = taken_apart(instruction, list(slots), asked)
    assert ask(instruction, found, values) == asked
    assert set(values) == set(slots)
    assert taken_apart("In {city}: {prompt}", ["city"], "something else") == ("something else", {})


def test_a_mapping_tells_its_slots() -> None:
    frame = pl.DataFrame({"q": ["a", "b", "c"], "city": ["x", "y", "z"], "a": ["1", "2", "3"]})
    mapped = map_table(frame, {"columns": {"prompt": "q", "answer": "a"}, "task": "instruction", "instruction": "{city} {no}: {q}"})
    assert mapped.conversations.slots == ("city",)
