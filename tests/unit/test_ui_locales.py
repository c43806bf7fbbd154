"""Every language says everything: the same keys, the same slots, and a translation for each sentence that a service can show.

The sentences are found by reading the code: whatever is handed to `Sentence` or to an error of `playground.errors`. What cannot be found by
reading fails, so that no sentence escapes translation unnoticed.
"""

from __future__ import annotations

import ast
import html
import json
import re
from pathlib import Path
from string import Formatter

import gradio as gr
import pytest

from playground import errors
from playground.errors import InputError, NotFound, Sentence, Sentences, SettingsError
from playground.ui import charts
from playground.ui.formatting import column_rows, number, understood
from playground.ui.i18n import Texts

PROJECT = Path(__file__).resolve().parents[2]
LOCALES = PROJECT / "assets/locales"
TEXTS = Texts(LOCALES)
TRANSLATED = sorted(path.stem for path in LOCALES.glob("*.json") if path.stem != "en")
SPEAKERS = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, errors.PlaygroundError)} | {"Sentence"}
NOT_WORDS = {"encoding"}  # values that are names of things, not words
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Code:
    """Modules of the playground, and the English templates of what they say."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.trees = {name: ast.parse(source) for name, source in sources.items()}
        self.constants: dict[str, list[ast.expr]] = {}
        for tree in self.trees.values():
            for node in tree.body:
                for name, value in _assigned(node):
                    self.constants.setdefault(name, []).append(value)

    def templates(self) -> set[str]:
        found: set[str] = set()
        for name, tree in self.trees.items():
            for call, inside in _calls(tree):
                if _called(call) not in SPEAKERS or not call.args:
                    continue
                try:
                    found |= self._said(call.args[0], inside, tree)
                    for keyword in call.keywords:
                        _check_value(keyword)
                except LookupError as error:
                    raise AssertionError(f"{name}, line {call.lineno}: {error}") from error
        return found

    def _said(self, node: ast.expr, inside: list[Function], tree: ast.Module) -> set[str]:
        """The texts that an expression can be; none where it hands on what another sentence said."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return {node.value}
        if isinstance(node, ast.IfExp):
            return self._said(node.body, inside, tree) | self._said(node.orelse, inside, tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            sides = [self._said(side, inside, tree) for side in (node.left, node.right)]
            return {left + right for left in sides[0] for right in sides[1]}
        if isinstance(node, ast.Attribute) and node.attr == "template":
            return set()
        if isinstance(node, ast.Subscript):
            if isinstance(node.slice, ast.Constant) and node.slice.value == "template":
                return set()
            table = self.constants.get(node.value.id, []) if isinstance(node.value, ast.Name) else []
            if len(table) == 1 and isinstance(table[0], ast.Dict):
                return set().union(*(self._said(value, inside, tree) for value in table[0].values))
        if isinstance(node, ast.Attribute) and node.attr.isupper():
            return self._named(self.constants.get(node.attr, []), [], tree)
        if isinstance(node, ast.Name):
            return self._name(node.id, inside, tree)
        raise LookupError(f"it cannot be seen what is said by: {ast.unparse(node)}")

    def _name(self, name: str, inside: list[Function], tree: ast.Module) -> set[str]:
        for depth in range(len(inside), 0, -1):
            function = inside[depth - 1]
            values = [value for node in ast.walk(function) for known, value in _assigned(node) if known == name]
            if values:
                return self._named(values, inside[:depth], tree)
            names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
            if name in names and isinstance(function, ast.FunctionDef):
                if function.name in ("__new__", "__init__"):
                    return set()
                place = names.index(name) - (names[0] == "self")
                return self._handed(function.name, place, name, tree)
        if name in self.constants:
            return self._named(self.constants[name], [], tree)
        raise LookupError(f"it cannot be seen what {name} is")

    def _named(self, values: list[ast.expr], inside: list[Function], tree: ast.Module) -> set[str]:
        if not values:
            raise LookupError("a constant that is nowhere")
        return set().union(*(self._said(value, inside, tree) for value in values))

    def _handed(self, function: str, place: int, name: str, tree: ast.Module) -> set[str]:
        """What the callers of a function of the same module give it."""
        found: set[str] = set()
        for call, inside in _calls(tree):
            if _called(call) == function:
                given = [keyword.value for keyword in call.keywords if keyword.arg == name] or call.args[place : place + 1]
                found |= self._named(given, inside, tree)
        return found


def _assigned(node: ast.AST) -> list[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        pairs = [(target, node.value) for target in node.targets]
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        pairs = [(node.target, node.value)]
    else:
        return []
    flat = []
    for target, value in pairs:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            flat += list(zip(target.elts, value.elts, strict=False))
        else:
            flat.append((target, value))
    return [(target.id, value) for target, value in flat if isinstance(target, ast.Name)]


def _calls(tree: ast.AST, inside: tuple[Function, ...] = ()) -> list[tuple[ast.Call, list[Function]]]:
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            found.append((node, list(inside)))
        found += _calls(node, (*inside, node) if isinstance(node, Function) else inside)
    return found


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _check_value(keyword: ast.keyword) -> None:
    """A value with words of ours in it stays English unless it is a sentence itself."""
    for node in (keyword.value.body, keyword.value.orelse) if isinstance(keyword.value, ast.IfExp) else (keyword.value,):
        words = isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and any(map(str.isalpha, node.value))
        )
        if words and keyword.arg not in NOT_WORDS:
            raise LookupError(f"the value {keyword.arg} has words; make it a Sentence")


def modules() -> dict[str, str]:
    folder = PROJECT / "playground"
    paths = [path for path in sorted(folder.rglob("*.py")) if path.relative_to(folder).parts[0] != "starter"]
    return {path.relative_to(PROJECT).as_posix(): path.read_text("utf-8") for path in paths}


def the_code() -> Code:
    return Code(modules())


def slots(template: str) -> list[tuple[str, str, str]]:
    """The values that a template takes, each with how it is written."""
    return sorted({(name, spec or "", how or "") for _, name, spec, how in Formatter().parse(template) if name is not None})


def sentences(language: str) -> dict[str, str]:
    return json.loads((LOCALES / f"{language}.json").read_text("utf-8"))["sentences"]


def listed(texts: set[str]) -> str:
    return "\n".join(sorted(texts))


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_language_has_every_text_and_no_other(language: str) -> None:
    english, texts = TEXTS.locales["en"], TEXTS.locales[language]
    assert not english.keys() - texts.keys(), f"{language} lacks:\n" + listed(english.keys() - texts.keys())
    assert not texts.keys() - english.keys(), f"{language} has for nothing:\n" + listed(texts.keys() - english.keys())
    assert list(texts) == list(english), "the order is the same, so that two files can be read side by side"
    for key, text in texts.items():
        assert text.strip() and slots(text) == slots(english[key]), key
        assert text.count("**") == english[key].count("**") and text.startswith("#") == english[key].startswith("#"), key


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_language_has_every_sentence_of_the_services_and_no_other(language: str) -> None:
    said, translated = the_code().templates(), sentences(language)
    assert not said - translated.keys(), f"not in {language}.json:\n" + listed(said - translated.keys())
    orphans = translated.keys() - said
    assert not orphans, f"{language}.json has what nobody says:\n" + listed(orphans)
    for english, text in translated.items():
        assert text.strip() and slots(text) == slots(english), english


def test_a_new_sentence_is_found() -> None:
    code = Code(
        {
            "new.py": """
from playground.errors import InputError, ModelUnavailable, Sentence
from playground.models import hub
FULL = "The shelf {name} " "is full."
NAMES = {"a": "a shelf"}

def refuse(name, late):
    message = "It is too late for {name}."
    if late:
        raise InputError(message, name=name)
    raise InputError("It is too early." if name else FULL, name=name)

def outer():
    def default(name, template, **values):
        return Sentence(template, **values)
    use(default)

def use(default):
    default("x", "Nine is enough.")
    raise errors.ModelUnavailable(hub.FULL, name=Sentence(NAMES["a"]))
"""
        }
    )
    new = {"The shelf {name} is full.", "It is too late for {name}.", "It is too early.", "Nine is enough.", "a shelf"}
    assert code.templates() == new
    assert not new & sentences("pt-BR").keys()


@pytest.mark.parametrize(
    "line",
    [
        'raise InputError(f"There is no {x}.")',
        "raise InputError(compute())",
        "raise InputError(nowhere)",
        'raise InputError("It is {what}.", what="too late")',
        'raise InputError("It is {what}.", what=f"{x} MB")',
        'raise InputError("It is {what}.", what="late" if x else "early")',
    ],
)
def test_a_sentence_that_could_not_be_translated_is_refused(line: str) -> None:
    with pytest.raises(AssertionError, match="line 2"):
        Code({"new.py": f"def say(x):\n    {line}\n"}).templates()


def test_sentences_and_their_parts_are_translated() -> None:
    kind = NotFound("There is no such {kind} any more. Choose another one from the list.", kind=Sentence("run")).sentence
    assert "run" in kind and "treino" in TEXTS.sentence(kind, "pt-BR") and "run" not in TEXTS.sentence(kind, "pt-BR")
    parts = Sentences([Sentence("header must be true or false"), Sentence("{key} must be text", key="sheet")])
    problems = SettingsError("These options cannot be used: {problems}.", problems=parts)
    assert str(problems) == "These options cannot be used: header must be true or false; sheet must be text."
    told = TEXTS.sentence(problems.sentence, "pt-BR")
    assert "must" not in told and "sheet" in told and told.count(";") == 1
    assert TEXTS.sentence(problems.sentence, "en") == str(problems)


def test_a_users_word_is_never_translated() -> None:
    error = InputError("The column {column} is empty in every row. Choose another column.", column="dataset")
    assert "dataset" in TEXTS.sentence(error.sentence, "pt-BR")


def test_an_unknown_sentence_stays_english_and_data_is_no_template() -> None:
    assert TEXTS.sentence(Sentence("Never said {x}.", x="{y}"), "pt-BR") == "Never said {y}."
    assert TEXTS.sentence("{y}", "pt-BR") == "{y}"


def test_numbers_as_the_language_writes_them() -> None:
    def both(key: str, **values: object) -> list[str]:
        return [TEXTS.say(key, language, **values) for language in ("en", "pt-BR")]

    assert both("number.whole", n=1234567) == ["1,234,567", "1.234.567"]
    assert both("number.gigabytes", n=2.5) == ["2.5 GB", "2,5 GB"]
    assert both("train.tokens_per_second", n=1234.5)[1] == "1.234 tokens/s"
    assert number(0.1234, lambda key, **values: TEXTS.say(key, "pt-BR", **values)) == "0,123"
    told = both("dataset.dropped", rows=1234, reason="a,b.c")
    assert "1,234" in told[0] and "1.234" in told[1] and all("a,b.c" in one for one in told), "words keep their commas and points"
    rows = Sentence("The file {name} has {count:,} rows; {most:,} is the most that can be read here. Split it, or take a part of it.",
                    name="a,b.csv", count=1234567, most=200000)  # fmt: skip
    assert "a,b.csv tem 1.234.567 linhas" in TEXTS.sentence(rows, "pt-BR")


def test_the_chart_has_the_languages_numbers() -> None:
    points = [{"step": step, "loss": 3 - step / 1000, "eval_loss": None} for step in range(1, 1201)]
    drawn = charts.draw_run(points, 1200, lambda key, **values: TEXTS.say(key, "pt-BR", **values))
    assert "<b>1,8" in drawn and "1.000</span>" in drawn and "<b>1.8" not in drawn
    assert all(float(left) >= 0 for left in re.findall(r"left:([0-9.]+)%", drawn)), "styles stay in the language of CSS"


def test_what_was_understood_is_told_in_portuguese() -> None:
    info = {
        "name": "a.csv",
        "rows": 7420,
        "columns": [{"name": "text", "type": "text", "missing": 1200, "unique": 3, "example": "text"}],
        "read_as": {"format": "csv", "encoding": "utf-8", "delimiter": ";", "header": True},
        "dropped": {"blank": 2, "above the header": 1},
        "warnings": [Sentence("Lines above the header that were left out: {count}.", count=1)],
    }

    def say(key: str, **values: object) -> str:
        return TEXTS.say(key, "pt-BR", **values)

    def translate(sentence: str) -> str:
        return TEXTS.sentence(sentence, "pt-BR")

    shown = html.unescape(understood(info, say, translate))
    assert "7.420 linhas" in shown and "em branco" in shown and "acima do cabeçalho" in shown
    assert "blank" not in shown and "Lines" not in shown
    assert shown.count("cabeçalho") == 2, "that there is a header, and once what stood above it"
    assert column_rows(info["columns"], say, translate) == [["text", "texto", "1.200", "3", "text"]]


def test_every_sample_has_a_name_in_every_language() -> None:
    texts = TEXTS.locales["en"]
    named = {text for key, text in texts.items() if key.startswith("sample.")}
    samples = json.loads((PROJECT / "assets/samples/samples.json").read_text("utf-8"))
    assert {sample["name"] for sample in samples} == named


@pytest.mark.parametrize("asked", ["pt-BR,pt;q=0.9,en;q=0.8", "pt", "pt-PT,en;q=0.5", "PT-br", "fr, pt-PT;q=0.7"])
def test_every_portuguese_is_answered_in_portuguese(asked: str) -> None:
    assert TEXTS.language(browser(asked)) == "pt-BR"


@pytest.mark.parametrize("asked", ["en-GB,pt;q=0.5", "fr", "", "ptx"])
def test_everybody_else_is_answered_in_english(asked: str) -> None:
    assert TEXTS.language(browser(asked)) == "en"


def browser(asked: str) -> gr.Request:
    request = gr.Request.__new__(gr.Request)
    request.__dict__["headers"] = {"accept-language": asked}
    return request
