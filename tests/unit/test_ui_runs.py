"""What the Train tab says of runs: how one could go on, how several differ, what a form's fields mean. Pure functions."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from playground.errors import Sentence, SettingsError
from playground.training.ahead.estimate import Estimate
from playground.training.config import KNOWN, check
from playground.training.record import Run
from playground.ui import charts, overlaid
from playground.ui.i18n import Texts
from playground.ui.run_words import status_sentence
from playground.ui.tabs import settings_form
from playground.ui.tabs.estimate import refused, written
from playground.ui.tabs.line import waiting
from playground.ui.tabs.onward import broken_off, fifth, further
from playground.ui.tabs.watch import answers, own_questions

TEXTS = Texts(Path(__file__).resolve().parents[2] / "assets/locales")
SETTINGS: dict[str, Any] = {
    "model": "starter",
    "method": "lora",
    "learning_rate": 0.001,
    "max_steps": 60,
    "packing": False,
    "eval_steps": None,
}

PROMISED = (
    "method learning_rate num_train_epochs max_steps per_device_train_batch_size gradient_accumulation_steps max_length warmup_steps "
    "max_grad_norm weight_decay lr_scheduler_type optim seed lora_r lora_alpha lora_dropout target_modules use_dora use_rslora "
    "init_lora_weights logging_steps eval_steps save_steps early_stopping_patience gradient_checkpointing packing "
    "train_sampling_strategy sample_prompts load_best_model_at_end report_to"
)


def say(key: str, **values: object) -> str:
    TEXTS.say(key, "pt-BR", **values)
    return TEXTS.say(key, "en", **values)


def run(run_id: str = "a", name: str = "letters #1", state: str = "done", **more: Any) -> Run:
    return Run(run_id, name, state, **{"step": 60, "max_steps": 60, "epoch": 2.5, "settings": SETTINGS, **more})


# going on


def test_what_broke_off_is_resumed_and_what_finished_goes_further() -> None:
    assert broken_off(run(state="stopped", step=20, can_resume=20))
    assert broken_off(run(state="failed", step=20, can_resume=15))
    assert not broken_off(run(state="done", can_resume=60))
    assert not broken_off(run(state="stopped", can_resume=60)), "stopped in its last step: there is nothing left to resume"
    assert not broken_off(run(state="failed", step=3, can_resume=None))
    assert not broken_off(run(state="done", step=40, can_resume=40)), "it ended early by itself"


@pytest.mark.parametrize(
    ("typed", "unit", "settings"),
    [
        ("", "steps", {"max_steps": 72}),
        ("  ", "passes", {"max_steps": 72}),
        ("40", "steps", {"max_steps": 100}),
        ("1,000", "steps", {"max_steps": 1060}),
        ("1.5", "passes", {"num_train_epochs": 4.0}),
        ("0,5", "passes", {"num_train_epochs": 3.0}),
    ],
)
def test_how_much_further(typed: str, unit: str, settings: dict[str, Any]) -> None:
    assert further(run(), typed, unit) == settings
    assert check(settings) == settings


@pytest.mark.parametrize(
    ("typed", "unit"), [("a lot", "steps"), ("0", "passes"), ("-3", "steps"), ("2.5", "steps"), ("nan", "passes"), ("1e9", "steps")]
)
def test_no_amount_is_told_with_an_example(typed: str, unit: str) -> None:
    with pytest.raises(SettingsError, match="for example") as caught:
        further(run(), typed, unit)
    assert "Quanto mais" in TEXTS.sentence(caught.value.sentence, "pt-BR")


def test_a_fifth_is_at_least_a_step() -> None:
    assert fifth(run(step=1)) == 1 and fifth(run(step=3)) == 1 and fifth(run(step=60)) == 12


@pytest.mark.parametrize("state", ["queued", "starting", "running", "stopping", "stopped", "done", "failed"])
def test_every_state_has_its_sentence(state: str) -> None:
    for resumable in (None, 15):
        found = run(
            state=state, step=17, can_resume=resumable, has_adapter=True, error=Sentence("It broke *off*.") if state == "failed" else None
        )
        told = status_sentence(found, [], say, lambda sentence: str(sentence))
        assert told.startswith("**")
        assert ("Everything up to step 15 is saved" in told) == (state in ("stopped", "failed") and resumable is not None)
        assert "*off*" not in told, "what a service says is no markup"


def test_a_paused_run_says_that_it_can_go_on() -> None:
    paused = run(state="stopped", step=9, can_resume=8, error=Sentence("The disk is full."), warnings=[Sentence("Mind <this>.")])
    told = status_sentence(paused, [], say, str)
    assert "disk" in told and "step 8" in told and "<this>" not in told


def test_the_line_is_in_the_order_of_starting() -> None:
    runs = [
        run("c", state="queued", place_in_line=3),
        run("a", state="queued", place_in_line=1),
        run("x", state="running"),
        run("b", state="queued", place_in_line=2),
    ]
    assert waiting(runs) == ["a", "b", "c"]


# several runs


def test_names_are_short_and_tell_runs_apart() -> None:
    assert overlaid.names([run(name="Harbour Café: answers #1"), run(name="Harbour Café: answers #12")]) == ["#1", "#12"]
    assert overlaid.names([run(name="same"), run(name="same")]) == ["same (1)", "same (2)"]
    assert overlaid.names([run(name="one")]) == ["one"]
    long = overlaid.names([run(name="x" * 60 + " #1"), run(name="y" * 60 + " #2")])
    assert all(len(name) <= overlaid.NAME_CHARACTERS for name in long) and long[0].endswith("#1") and long[0] != long[1]


def test_only_settings_that_differ_are_listed() -> None:
    other = run("b", settings={**SETTINGS, "learning_rate": 0.01, "packing": True, "use_dora": True})
    assert overlaid.differing([run(), other]) == ["learning_rate", "packing", "use_dora"]
    assert overlaid.differing([run(), run("b")]) == []
    html = overlaid.table([run(), other], say)
    assert html.count("<td>") == 2 * (3 + 6), "three settings and six results, for two runs"
    assert "0.01" in html and "yes" in html and "lora" not in html
    assert "all settings are the same" in overlaid.table([run(), run("b")], say)


def test_data_in_the_comparison_is_escaped() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    runs = [
        run("a", hostile, settings={"sample_prompts": [hostile]}, dataset_name=hostile),
        run("b", "b", settings={"sample_prompts": []}, dataset_name="d"),
    ]
    points = [{"step": 1, "loss": 2.0, "eval_loss": 2.1}, {"step": 2, "loss": 1.0, "eval_loss": 1.5}]
    html = overlaid.table(runs, say) + overlaid.chart(runs, {"a": points, "b": points}, say)
    assert "<img" not in html and "&lt;img" in html


def test_every_run_has_a_colour_and_a_dash_of_its_own() -> None:
    points = [{"step": step, "loss": 3 - step / 10, "eval_loss": 3 - step / 10 if step % 2 else None} for step in range(1, 9)]
    runs = [run(str(place), f"letters #{place}") for place in range(overlaid.MOST)]
    html = overlaid.chart(runs, {one.run_id: points for one in runs}, say)
    assert html.count("<polyline") == 2 * overlaid.MOST
    css = (Path(__file__).resolve().parents[2] / "assets/style.css").read_text("utf-8")
    for place in range(overlaid.MOST):
        assert f'class="r{place}"' in html and f'class="r{place} faint"' in html
        assert css.count(f"--r{place}: #") == 2, "one for light and one for dark"
    dashes = [line.split("--dash: ")[1].split(";")[0] for line in css.splitlines() if "--dash: " in line]
    assert len(dashes) == len(set(dashes)) == overlaid.MOST


def test_a_run_that_was_never_checked_shows_its_training_loss() -> None:
    points = [{"step": step, "loss": 3.0, "eval_loss": None} for step in range(1, 9)]
    html = overlaid.chart([run("a", "letters #1"), run("b", "letters #2")], {"a": points, "b": points}, say)
    assert html.count("<polyline") == 2 and "#1: training loss" in html
    assert overlaid.chart([run("a")], {}, say) == ""


def test_labels_at_the_ends_stay_inside_and_apart() -> None:
    points = {
        str(place): [{"step": 1, "eval_loss": 2.0 + place / 1000}, {"step": 2, "eval_loss": 1.0 + place / 1000}] for place in range(6)
    }
    html = overlaid.chart([run(str(place), f"x #{place}") for place in range(6)], points, say)
    ends = html.split('class="ends"')[1]
    tops = sorted(float(part.split("%")[0]) for part in ends.split("top:")[1:])
    assert tops[0] >= 0 and tops[-1] <= 100 and all(b - a > 16 for a, b in pairwise(tops))


# the other charts


@pytest.mark.parametrize("view", charts.VIEWS)
def test_every_view_of_a_run_is_drawn(view: str) -> None:
    points = [
        {
            "step": step,
            "loss": 2.0,
            "grad_norm": 0.5,
            "tokens_per_second": 1234.5,
            "memory_mb": 800,
            "learning_rate": 2e-5,
            "eval_loss": None,
        }
        for step in range(1, 30)
    ]
    assert "<polyline" in charts.draw_run(points, 30, say, view)
    small = charts.draw_rate(points, 30, say)
    assert 'class="curve small"' in small and "0.000020" in small
    assert "1,234" in charts.draw_run(points, 30, say, "speed")
    card = [{**point, "memory_reserved_mb": 5000 + point["step"]} for point in points]
    assert "5,029" in charts.draw_run(card, 30, say, "memory") and "GPU memory" in charts.draw_run(card, 30, say, "memory")
    assert 'polyline class="memory"' in charts.draw_run(card, 30, say, "memory"), "a kind of line that the page's style knows"
    assert "GPU" not in charts.draw_run(points, 30, say, "memory")
    assert charts.draw_run([], 30, say, view) == "" and charts.draw_rate([], None, say) == ""


def test_a_loss_that_is_no_number_is_not_drawn() -> None:
    broken = [{"step": 1, "loss": float("nan"), "eval_loss": None}]
    assert charts.draw_run(broken, 9, say) == ""


# the form


def collect(**typed: str) -> dict[str, Any]:
    return settings_form.collect(tuple(typed.get(name, "") for name in settings_form.NAMES))


def test_the_form_has_every_setting_but_the_model() -> None:
    assert set(PROMISED.split()) <= set(settings_form.NAMES) == set(KNOWN) - {"model"}
    assert len(settings_form.NAMES) == len(set(settings_form.NAMES))
    assert all(f"setting.{name}" in TEXTS.locales["en"] for name in settings_form.NAMES)


def test_fields_become_settings_of_the_right_kind() -> None:
    given = collect(
        use_dora="true", packing="false", init_lora_weights="true", method="ia3", save_steps="0", early_stopping_patience="3",
        sample_prompts=" What time?\n\n Is it <b>cold</b>? \n", target_modules="q_proj, v_proj", learning_rate="1e-3", report_to="none",
    )  # fmt: skip
    assert given == {
        "use_dora": True, "packing": False, "init_lora_weights": True, "method": "ia3", "save_steps": 0, "early_stopping_patience": 3,
        "sample_prompts": ["What time?", "Is it <b>cold</b>?"], "target_modules": ["q_proj", "v_proj"], "learning_rate": 0.001,
        "report_to": "none",
    }  # fmt: skip
    assert check(given) == given
    assert collect() == {}
    assert collect(target_modules="All-Linear ") == {"target_modules": "all-linear"}
    with pytest.raises(SettingsError, match="not ','"):
        check(collect(target_modules=" , "))
    assert collect(init_lora_weights="pissa") == {"init_lora_weights": "pissa"}


def test_thousands_and_parts_of_one_are_told_apart() -> None:
    for typed in ("1,000", "1.000", "1 000", "1\u00a0000", "1000"):
        assert collect(warmup_steps=typed, max_steps=typed) == {"warmup_steps": 1000, "max_steps": 1000}
    assert collect(max_steps="1.000.000", seed="12,345,678") == {"max_steps": 1_000_000, "seed": 12_345_678}
    for typed in ("0.050", "0,050", "0.05"):
        assert collect(warmup_steps=typed, max_steps=typed) == {"warmup_steps": 0.05, "max_steps": 0.05}, "no 50"
    assert collect(max_steps="1.000,500", warmup_steps="10,5") == {"max_steps": "1.000,500", "warmup_steps": 10.5}


def test_a_number_of_any_length_is_refused_with_a_sentence() -> None:
    for name in settings_form.NUMBERS:
        for typed in ("9" * 400, "9" * 5000, "1e999", "nan"):
            with pytest.raises(SettingsError, match=name):
                check(collect(**{name: typed}))


def test_nine_questions_are_refused_with_a_sentence() -> None:
    with pytest.raises(SettingsError, match="at most 8 questions"):
        check(collect(sample_prompts="\n".join(f"Question {n}?" for n in range(9))))


# the estimate


@pytest.mark.parametrize(
    ("trained", "told"),
    [
        (8_000_000, "all its numbers: 8.0 M."),
        (7_990_000, "8.0 M of 8.0 M numbers (100 %), the rest"),
        (400_000, "0.4 M of 8.0 M numbers (5.0 %)"),
        (43_210, "43,210 of 8.0 M numbers (0.54 %)"),
        (640, "640 of 8.0 M numbers (0.0080 %)"),
        (1, "1 of 8.0 M numbers (0.000013 %)"),
    ],
)
def test_the_share_that_learns_is_written_out(trained: int, told: str) -> None:
    found = Estimate(100, 10, 10.0, trained, 8_000_000, "fits", [], 60, False, 1000, 1000, False, Sentence("From a formula."), 0.1)
    assert told in written({"balanced": found}, "balanced", say, str)
    said = written({"balanced": found}, "balanced", lambda key, **values: TEXTS.say(key, "pt-BR", **values), str)
    [share] = re.findall(r"\(.* %\)", told) or ["todos os seus números: 8,0 milhões."]
    assert share.replace("0.", "0,").replace("5.", "5,") in said


def test_what_is_wrong_with_settings_is_listed_line_by_line() -> None:
    with pytest.raises(SettingsError) as caught:
        check(collect(max_steps="-7", learning_rate="0,5 <b>", lora_dropout="1,5"))
    said = refused(caught.value.sentence, lambda key: TEXTS.say(key, "pt-BR"), lambda one: TEXTS.sentence(one, "pt-BR"))
    assert said.count("<li>") == 3 and "<b>" not in said and "Estas configurações não podem ser usadas" in said
    assert "<li>max_steps tem de ser um número inteiro de 1 a 1.000.000, não -7</li>" in said
    assert "<li>lora_dropout tem de ser um número de 0 a 0,9, não 1,5</li>" in said
    assert "<li>" not in refused(Sentence("There are no rows."), say, str)


# watch it learn


def test_own_questions_are_shown_as_typed_and_without_a_right_answer() -> None:
    told = {"prompts": [{"prompt": "Answer kindly.\n\nOpen?", "answer": ""}], "steps": [{"step": 5, "answers": ["<b>Yes</b>"]}]}
    own = own_questions(run(settings={"sample_prompts": ["Open?"]}))
    html = answers(told, 0, say, own)
    assert "<dt>Open?</dt>" in html and "Right answer" not in html and "Your own questions" in html and "&lt;b&gt;Yes" in html
    rows = answers({**told, "prompts": [{"prompt": "Open?", "answer": "At nine."}]}, 0, say)
    assert "Right answer" in rows and "never learns from" in rows
    assert own_questions(None) == [] and own_questions(run()) == []
