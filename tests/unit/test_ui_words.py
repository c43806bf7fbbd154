"""Formatting, charts and words: pure functions, and what a visitor is told."""

import json
import re
from pathlib import Path

import gradio as gr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import NotFound, WrongState
from playground.settings import Settings
from playground.ui import charts
from playground.ui.curve import Line, draw, nice_ticks
from playground.ui.errors import owner_of, told
from playground.ui.formatting import cards, column_rows, duration, megabytes, parameters, plain, shorten, strip, understood
from playground.ui.i18n import Texts
from playground.ui.tabs.mapping import chosen_settings
from playground.ui.tabs.settings_form import NAMES, collect

PROJECT = Path(__file__).resolve().parents[2]
TEXTS = Texts(PROJECT / "assets/locales")


def say(key: str, **values: object) -> str:
    return TEXTS.say(key, "en", **values)


@pytest.mark.parametrize(("seconds", "text"), [(None, "–"), (0.4, "0 s"), (59.6, "1 min 00 s"), (75, "1 min 15 s"), (7260, "2 h 01 min")])
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_sizes() -> None:
    assert (megabytes(512), megabytes(2048), megabytes(None)) == ("512 MB", "2.0 GB", "–")
    assert (parameters(8_000_000, say), parameters(7_200_000_000, say), parameters(None, say)) == ("8.0 M", "7.2 B", "")


@given(st.text(max_size=60))
def test_data_never_becomes_markup(text: str) -> None:
    escaped = plain(text)
    assert not set(escaped) & set("<>*_`[]()|\"'")
    assert "<" not in strip([("a", text)]).replace('<div class="standing" role="status">', "").replace("<span>", "").replace(
        "</span>", ""
    ).replace("<b>", "").replace("</b>", "").replace("</div>", "")
    assert cards([("a", text)]).count("<") == cards([("a", "b")]).count("<")


def test_what_was_understood() -> None:
    info = {
        "name": "a*b.csv",
        "rows": 7420,
        "columns": [{"name": "q", "type": "text", "missing": 1200, "unique": 3, "example": "x" * 99}],
        "read_as": {"format": "csv", "encoding": "cp1252", "delimiter": ";", "header": True},
        "dropped": {"blank": 2, "broken": 0},
        "warnings": ["Row 3 was short."],
    }
    text = understood(info, say, str)
    assert "a&#42;b&#46;csv" in text
    assert "semicolons" in text
    assert "7,420 rows" in text
    assert "2 left out: blank" in text
    assert "broken" not in text
    assert column_rows(info["columns"], say, str)[0][2:] == ["1,200", "3", "x" * 59 + "…"]
    assert shorten(None) == ""


def test_smoothing_starts_at_the_first_value_and_keeps_a_constant() -> None:
    assert charts.smooth([2.0, 2.0, 2.0]) == pytest.approx([2.0, 2.0, 2.0])
    assert charts.smooth([4.0, 2.0])[0] == pytest.approx(4.0)


@given(st.integers(2, 3000))
def test_thinning_keeps_both_ends(count: int) -> None:
    points = [(step, 1.0) for step in range(count)]
    thinned = charts.thin(points, 100)
    assert len(thinned) == min(count, 100)
    assert (thinned[0], thinned[-1]) == (points[0], points[-1])


def points(losses: list[float], checks: dict[int, float] | None = None) -> list[dict]:
    return [{"step": i, "loss": v, "eval_loss": (checks or {}).get(i)} for i, v in enumerate(losses, 1)]


def test_the_chart_of_a_run() -> None:
    assert charts.draw_run([], 10, say) == ""
    html = charts.draw_run(points([3.0, 2.0, 2.0], {1: 2.9, 3: 2.5}), 10, say)
    assert html.count("<polyline") == 3
    assert "2.50" in html
    assert "best on unseen rows: 2.500 at step 3" in html
    assert charts.best(points([3.0] * 4, {2: 2.5, 4: 2.6})) == (2, 2.5)
    assert charts.best([{"step": 0, "eval_loss": 1.0}, *points([3.0] * 4, {2: 2.5, 4: 2.6})]) == (2, 2.5), "step 0 is never what is kept"
    worse = charts.draw_run([{"step": 0, "eval_loss": 2.0}, *points([2.0] * 4, {2: 2.6, 4: 2.7})], 10, say)
    assert "best on unseen rows while learning: 2.600 at step 2; untrained it was 2.000" in worse
    assert "<script" not in draw([Line("<script>", [(0, 1.0), (1, 2.0)], "raw")], x_title="<script>", y_title="<script>")


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_cover_the_range_and_are_few(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    assert ticks[0] <= low + 1e-6 * max(1, abs(low))
    assert ticks[-1] >= low + span - 1e-6 * max(1, abs(low + span))
    assert 2 <= len(ticks) <= 12


@given(st.lists(st.floats(0, 20), min_size=1, max_size=30))
def test_every_point_lies_inside_the_chart(values: list[float]) -> None:
    html = draw([Line("x", list(enumerate(values)), "raw")], x_title="", y_title="", x_max=100)
    shown = re.search(r'class="raw" points="([^"]+)"', html)
    assert shown
    assert all(-0.01 <= float(n) <= 100.01 for pair in shown[1].split() for n in pair.split(","))


@pytest.mark.parametrize("values", [[7.69135], [7.69135, 7.6914], [0.0], [0.0, 0.0], [-3.0]])
def test_a_level_line_has_a_scale_that_can_be_read(values: list[float]) -> None:
    html = draw([Line("x", list(enumerate(values)), "raw")], x_title="", y_title="")
    told = [float(one) for one in re.findall(r'<span style="top:[^"]+">([^<]+)</span>', html)]
    assert min(told) <= min(values) and max(told) >= max(values) and 0 in told and all(len(f"{one:g}") <= 4 for one in told)


def test_every_locale_has_every_text_with_the_same_slots() -> None:
    english = TEXTS.locales["en"]
    for name, texts in TEXTS.locales.items():
        assert texts.keys() == english.keys(), name
    assert all(text.strip() for text in english.values())


def test_expected_failures_are_told_and_others_get_a_reference(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(gr.Error, match="There is no such run any more"), told(TEXTS, "en"):
        raise NotFound("There is no such {kind} any more.", kind="run")
    with pytest.raises(gr.Error) as caught, told(TEXTS, "en"):
        raise ZeroDivisionError("secret detail")
    reference = str(caught.value).split("reference ")[1][:6]
    assert "secret detail" not in str(caught.value)
    assert reference in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_name_from_a_file_is_no_markup_in_a_toast() -> None:
    with pytest.raises(gr.Error) as caught, told(TEXTS, "en", page=True):
        raise NotFound("There is no column {name}.", name="<img src=x>")
    assert "<img" not in str(caught.value)


def test_owners() -> None:
    shared = Settings(home=PROJECT, mode="shared")
    assert owner_of(Settings(home=PROJECT), None) == "me"
    assert owner_of(shared, None, "ana") == "login:ana"
    assert owner_of(shared, "k" * 32) == owner_of(shared, "k" * 32) != owner_of(shared, "j" * 32)
    assert "k" * 16 not in owner_of(shared, "k" * 32)
    for key in (None, "", "short"):
        with pytest.raises(WrongState):
            owner_of(shared, key)


def test_language_of_a_browser(tmp_path: Path) -> None:
    for name, title in (("en", "Hello"), ("pt-BR", "Olá")):
        (tmp_path / f"{name}.json").write_text(json.dumps({"title": title}), "utf-8")
    texts = Texts(tmp_path)

    def language(header: str) -> str:
        request = gr.Request.__new__(gr.Request)
        request.__dict__["headers"] = {"accept-language": header}
        return texts.language(request)

    assert language("pt-BR,pt;q=0.9,en;q=0.8") == "pt-BR"
    assert language("pt") == "pt-BR"
    assert language("fr, en-GB;q=0.7") == "en"
    assert language("") == "en"
    assert texts.say("title", "pt-BR") == "Olá"


def test_empty_fields_are_left_to_the_defaults() -> None:
    values: dict[str, str | None] = dict.fromkeys(NAMES)
    values |= {
        "method": "",
        "learning_rate": "1e-3",
        "lora_r": " 8 ",
        "max_steps": "1,000",
        "lora_dropout": "0,05",
        "seed": "x",
        "target_modules": "q_proj, v_proj",
    }
    assert collect(tuple(values.values())) == {
        "learning_rate": 0.001,
        "max_steps": 1000,
        "lora_r": 8,
        "lora_dropout": 0.05,
        "seed": "x",
        "target_modules": ["q_proj", "v_proj"],
    }


def test_mapping_controls_become_settings() -> None:
    import pandas as pd

    names = pd.DataFrame([["0", "sadness"], ["1", "  "]])
    settings = chosen_settings("classification", "text", "label", None, "", names, "", "", 0.2, 0, 7, 0)
    assert settings["columns"] == {"prompt": "text", "answer": "label", "context": None}
    assert settings["label_names"] == {"0": "sadness", "1": "1"}
    assert (settings["split"], settings["seed"]) == ({"validation": 0.2, "test": 0.0}, 7)
