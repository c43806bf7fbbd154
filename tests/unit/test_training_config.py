"""Settings of a run: what is accepted takes effect, what is not is named, all at once."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from playground.errors import SettingsError
from playground.training.circumstances import Circumstances
from playground.training.config import KNOWN, PRESETS, RULES, check
from playground.training.defaults import check_rows, resolve

STARTER = Circumstances(rows=1000, validation_rows=100, parameters=8_000_000, window=1024, kind="llama")
WRONG = {
    "model": ["", 3],
    "method": ["prefix", "pissa", 1],
    "learning_rate": [0, -1, 2, "fast", float("nan"), True, 10**400],
    "num_train_epochs": [0, -3, "three", float("inf")],
    "max_steps": [-5, 1.5, "10", 10**400],
    "per_device_train_batch_size": [0, 2.5, 10_000],
    "gradient_accumulation_steps": [0, "2"],
    "max_length": [1, 10**9, 32.5],
    "warmup_steps": [-0.1, "none"],
    "max_grad_norm": [0, -1],
    "weight_decay": [-1, 2],
    "lr_scheduler_type": ["lineal", True],
    "optim": ["adam", 1],
    "seed": [-1, 2**32, 0.5],
    "lora_r": [0, 4000],
    "lora_alpha": [0, "32"],
    "lora_dropout": [-0.1, 1],
    "target_modules": ["q_proj", [], [3], ["lm_head"], ""],
    "use_dora": ["yes", 1],
    "use_rslora": [0],
    "init_lora_weights": [False, "loftq"],
    "logging_steps": [0, 1.5],
    "eval_steps": [-3, 0.1],
    "save_steps": [-2, 0.5],
    "early_stopping_patience": [-2],
    "gradient_checkpointing": ["off"],
    "packing": ["bfd", 1],
    "train_sampling_strategy": ["shuffled"],
    "sample_prompts": ["Hello", [""], ["?"] * 9, [3], ["long" * 1000]],
    "load_best_model_at_end": ["best"],
    "report_to": ["tensorboard", "wandb", 3],
    "num_processes": [0, 17, 1.5, "two"],
}


def test_every_setting_has_a_rule_and_wrong_values_to_try() -> None:
    assert set(RULES) == set(KNOWN) == set(WRONG)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        check({name: value})
    assert name in str(caught.value).split("Known settings")[0]


def test_all_that_is_wrong_is_said_in_one_sentence_with_the_known_names() -> None:
    with pytest.raises(SettingsError) as caught:
        check({"learning_rat": 1e-4, "lora_r": 0, "method": "soft", "seed": 7})
    said = str(caught.value)
    problems, known = said.split("Known settings")
    assert all(name in problems for name in ("learning_rat", "lora_r", "method")) and "seed" not in problems
    assert all(name in known for name in KNOWN)


def test_known_names_are_listed_where_one_was_not_known() -> None:
    with pytest.raises(SettingsError) as caught:
        resolve({"warmup_steps": 2e6, "lora_dropout": 1, "max_grad_norm": 1001, "seed": -1, "sample_prompts": ["?"] * 9}, STARTER)
    said = str(caught.value)
    assert "Known settings" not in said and "4,294,967,295, not -1" in said
    assert "from 0 to 1,000,000, not 2000000.0" in said and "from 0 to 0.9, not 1" in said and "at most 1,000, not 1001" in said
    assert "of up to 2,000 characters, not ?, ?, ?" in said and "[" not in said


def test_left_out_settings_get_values_with_reasons_and_given_ones_none() -> None:
    settings, reasons = resolve({"lora_r": 8, "seed": None}, STARTER)
    assert settings.lora_r == 8 and "lora_r" not in reasons
    assert set(reasons) == set(KNOWN) - {"lora_r"}
    assert all(str(reason).endswith(".") and "{" not in str(reason) for reason in reasons.values())
    assert settings.method == "qlora" and settings.train_sampling_strategy == "random"


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("rows", [1, 90, 1000, 50_000])
@pytest.mark.parametrize("parameters", [None, 8_000_000, 500_000_000, 7_000_000_000])
def test_presets_fit_every_size(preset: str, rows: int, parameters: int | None) -> None:
    around = Circumstances(rows=rows, validation_rows=max(1, rows // 10), parameters=parameters, window=2048)
    settings, _ = resolve(PRESETS[preset], around)
    assert settings.planned_steps(rows) >= 1
    assert 1 <= check_rows(around.validation_rows, rows, settings) <= 200


def test_without_validation_rows_nothing_is_checked_and_early_stopping_is_refused() -> None:
    around = Circumstances(rows=50, validation_rows=0, parameters=8_000_000, window=1024)
    settings, reasons = resolve({}, around)
    assert settings.eval_steps is None and "validation" in reasons["eval_steps"]
    with pytest.raises(SettingsError, match="early_stopping_patience"):
        resolve({"early_stopping_patience": 2}, around)
    with pytest.raises(SettingsError, match="eval_steps"):
        resolve({"eval_steps": 5}, around)


def test_a_length_beyond_the_model_is_refused_with_the_limit() -> None:
    with pytest.raises(SettingsError, match="1024"):
        resolve({"max_length": 4096}, STARTER)


def test_max_steps_decides_over_the_epochs_as_in_transformers() -> None:
    settings, _ = resolve({"max_steps": 7, "num_train_epochs": 100}, STARTER)
    assert settings.planned_steps(1000) == 7
    settings, _ = resolve({"num_train_epochs": 2, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 2}, STARTER)
    assert settings.planned_steps(100) == 14  # 13 batches make 7 steps
    several = replace(settings, num_processes=3)
    assert several.planned_steps(100) == 6  # 5 batches of each process make 3 steps
    assert several.examples_a_step == several.alone().examples_a_step == 48 and several.alone().planned_steps(100) == 6


def test_whole_numbers_may_come_as_floats_as_interfaces_send_them() -> None:
    settings, _ = resolve({"lora_r": 8.0, "max_steps": 20.0, "target_modules": ("q_proj",)}, STARTER)
    assert settings.lora_r == 8 and isinstance(settings.lora_r, int)
    assert settings.max_steps == 20 and settings.target_modules == ["q_proj"]


@given(
    st.dictionaries(
        st.sampled_from(KNOWN) | st.text(max_size=8), st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)
    )
)
def test_anything_given_is_either_used_or_refused_with_a_sentence(given_settings: dict[str, object]) -> None:
    try:
        settings, reasons = resolve(given_settings, STARTER)
    except SettingsError as error:
        assert str(error).startswith("These settings cannot be used: ")
        return
    off = {"max_steps", "eval_steps", "save_steps", "early_stopping_patience"}
    for name, value in given_settings.items():
        if value is not None:
            assert name in KNOWN
            assert (
                getattr(settings, name) == value or (name in off and value in (0, -1) and getattr(settings, name) is None) or value is False
            )
    assert set(reasons) | {name for name, value in given_settings.items() if value is not None} >= set(KNOWN)


def test_wrong_values_and_what_does_not_fit_are_said_together() -> None:
    given = {"learning_rate": -1, "optim": "paged_adamw_8bit", "max_length": 9999, "lora_rank": 3, "init_lora_weights": "pissa"}
    with pytest.raises(SettingsError) as caught:
        resolve(given, STARTER)
    said = str(caught.value).split("Known settings")[0]
    assert all(name in said for name in given) and "needs a GPU" in said and "1024" in said and "take lora" in said


def test_a_wrong_value_is_not_held_against_the_others() -> None:
    with pytest.raises(SettingsError) as caught:
        resolve({"method": "soft", "use_dora": True, "eval_steps": -7, "load_best_model_at_end": True}, STARTER)
    said = str(caught.value).split("Known settings")[0]
    assert "use_dora" not in said and "load_best_model_at_end" not in said, "what it stands on is to be put right first"


def test_layers_that_the_model_does_not_have_are_named_with_those_that_it_has() -> None:
    known = replace(
        STARTER, layers=dict.fromkeys(("model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj"), 256)
    )
    for fine in (["q_proj"], ["self_attn.q_proj", "up_proj"], ["model.layers.1.mlp.up_proj"], "all-linear"):
        assert resolve({"target_modules": fine}, known)[0].target_modules == fine
    with pytest.raises(SettingsError) as caught:
        resolve({"target_modules": ["q_proj", "wonder_proj", "proj"], "optim": "adamw_8bit"}, known)
    said = str(caught.value).split("Known settings")[0]
    assert "wonder_proj, proj" in said and "q_proj, up_proj" in said and "needs a GPU" in said
    assert resolve({"target_modules": ["wonder_proj"]}, STARTER)[0].target_modules, "of a model that is not here yet, nobody knows"


def test_an_adapter_that_begins_as_a_part_of_the_weights_has_no_higher_rank_than_they() -> None:
    known = replace(STARTER, layers={"layers.0.self_attn.q_proj": 256, "layers.0.self_attn.k_proj": 64, "layers.0.mlp.up_proj": 256})
    given = {"method": "lora", "init_lora_weights": "pissa"}
    assert resolve({**given, "lora_r": 64}, known)[0].lora_r == 64
    assert resolve({**given, "lora_r": 256, "target_modules": ["q_proj", "up_proj"]}, known)[0].lora_r == 256
    assert resolve({**given, "lora_r": 512, "init_lora_weights": True}, known)[0].lora_r == 512, "any other adapter may be wider"
    for asked, most in ((65, "at most 64, the width of k_proj"), (300, "at most 64, the width of k_proj")):
        with pytest.raises(SettingsError, match=f"lora_r can be {most}, not {asked}"):
            resolve({**given, "lora_r": asked}, known)
    with pytest.raises(SettingsError, match=r"at most 256, the width of (q|up)_proj, not 257"):
        resolve({**given, "init_lora_weights": "olora", "lora_r": 257, "target_modules": ["q_proj", "mlp.up_proj"]}, known)
    assert resolve({**given, "lora_r": 512}, STARTER)[0].lora_r == 512, "of a model that is not here yet, nobody knows"


@pytest.mark.parametrize("nothing", [None, [], "method", 3])
def test_settings_that_are_no_names_and_values(nothing: object) -> None:
    with pytest.raises(SettingsError, match="by name"):
        check(nothing)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"method": "full", "lora_r": 8}, "lora_r has no effect"),
        ({"method": "full", "target_modules": ["q_proj"]}, "target_modules has no effect"),
        ({"method": "ia3", "use_dora": True}, "use_dora has no effect"),
        ({"init_lora_weights": "pissa"}, "take lora"),
        ({"method": "lora", "init_lora_weights": "olora", "use_dora": True}, "use_dora cannot"),
        ({"lr_scheduler_type": "polynomial", "learning_rate": 1e-7}, "polynomial ends at 0.0000001, so learning_rate"),
        ({"lr_scheduler_type": "polynomial", "max_steps": 9, "warmup_steps": 9}, "polynomial needs steps after warmup_steps.*has 9"),
        ({"lr_scheduler_type": "polynomial", "max_steps": 1}, "polynomial needs steps after warmup_steps.*has 1"),
        ({"method": "lora", "init_lora_weights": "orthogonal", "lora_r": 7}, "orthogonal needs an even lora_r"),
        ({"init_lora_weights": "orthogonal"}, "orthogonal cannot begin on weights in 4 bits; take lora"),
        ({"optim": "paged_adamw_32bit"}, "needs a GPU"),
        ({"load_best_model_at_end": True, "eval_steps": 0}, "load_best_model_at_end needs"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(chosen: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        resolve(chosen, STARTER)


def test_examples_are_packed_only_where_they_cannot_see_each_other() -> None:
    assert resolve({"packing": True}, STARTER)[0].packing
    with pytest.raises(SettingsError, match="mix the examples"):
        resolve({"packing": True}, Circumstances(rows=10, validation_rows=2, parameters=1_000_000, window=512, kind="gpt2"))


def test_a_model_that_looks_back_a_little_way_is_read_with_padding_and_its_page_says_so() -> None:
    gemma = replace(STARTER, kind="gemma3_text", sliding_window=512)
    chosen, reasons = resolve({"max_length": 1024}, gemma)
    assert chosen.train_sampling_strategy == "group_by_length" and "without padding" not in reasons["train_sampling_strategy"]
    chosen, reasons = resolve({"max_length": 512}, gemma)
    assert chosen.train_sampling_strategy == "random" and "without padding" in reasons["train_sampling_strategy"]
    assert resolve({"packing": True, "max_length": 512}, gemma)[0].packing
    with pytest.raises(SettingsError, match=r"packing would mix the examples.*512"):
        resolve({"packing": True, "max_length": 513}, gemma)


def test_each_method_has_a_pace_of_its_own() -> None:
    rates = {method: resolve({"method": method}, STARTER)[0].learning_rate for method in ("full", "lora", "ia3")}
    assert rates["full"] < rates["lora"] < rates["ia3"]


AROUND = st.builds(
    Circumstances,
    rows=st.sampled_from([1, 5, 40, 299, 300, 2000, 2001, 5001, 30_000]),
    validation_rows=st.sampled_from([0, 1, 50, 4000]),
    parameters=st.sampled_from([None, 8_000_000, 270_000_000, 7_000_000_000]),
    window=st.sampled_from([512, 1024, 32_768]),
    gpu=st.booleans(),
    task=st.sampled_from(["instruction", "chat", "completion"]),
    parts=st.none() | st.sampled_from([40, 900, 30_000]),
    kind=st.sampled_from(["llama", "gemma3_text", "gpt2", ""]),
    sliding_window=st.sampled_from([None, 512]),
    processes=st.sampled_from([1, 4]),
)
GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["lora", "qlora", "ia3", "full"]),
        "per_device_train_batch_size": st.sampled_from([1, 3, 8, 32]),
        "gradient_accumulation_steps": st.sampled_from([1, 2, 16]),
        "num_processes": st.sampled_from([1, 3]),
        "num_train_epochs": st.sampled_from([0.5, 1, 4]),
        "max_steps": st.sampled_from([0, 1, 3, 60]),
        "max_length": st.sampled_from([64, 512]),
        "eval_steps": st.sampled_from([0, 1, 25]),
        "save_steps": st.sampled_from([0, 10]),
        "packing": st.booleans(),
        "train_sampling_strategy": st.sampled_from(["random", "group_by_length", "sequential"]),
        "lora_r": st.sampled_from([4, 16]),
        "early_stopping_patience": st.sampled_from([0, 2]),
    },
)
ALWAYS = {"method": {4}, "warmup_steps": {5}, "use_rslora": {16}}  # of the matter, not of the run


@tries(max_examples=400, deadline=None)
@given(around=AROUND, given_settings=GIVEN, together=st.sampled_from([1, 3, 20]))
def test_what_a_reason_says_is_what_was_chosen(around: Circumstances, given_settings: dict[str, Any], together: int) -> None:
    if given_settings.get("packing"):
        around = replace(around, packed=max(1, around.examples // together))
    try:
        chosen, reasons = resolve(given_settings, around)
    except SettingsError:
        return
    steps, examples = chosen.planned_steps(around.read), chosen.examples_a_step * around.examples / around.read
    known: dict[str, set[float]] = {
        "num_train_epochs": {around.read, chosen.num_train_epochs},
        "gradient_accumulation_steps": {chosen.examples_a_step, round(examples)},
        "per_device_train_batch_size": {
            chosen.per_device_train_batch_size,
            round(chosen.per_device_train_batch_size * around.examples / around.read),
        },
        "eval_steps": {steps // (chosen.eval_steps or 1)},
        "save_steps": {steps // (chosen.save_steps or 1)},
    }
    for name, reason in reasons.items():
        value = getattr(chosen, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            value = -1
        said = {
            float(number) for number in re.findall(r"(?<![A-Za-z])\d+(?:\.\d+)?(?:e-?\d+)?", str(reason)) if name != "init_lora_weights"
        }
        assert said <= {value} | known.get(name, set()) | ALWAYS.get(name, set()), (name, str(reason), value)
        assert not re.search(r"\b1 \w+s\b", str(reason)), f"one of something: {reason}"
    apart = around.unpadded(chosen.max_length, chosen.packing)
    for name in ("packing", "train_sampling_strategy"):
        if name in reasons:
            assert ("without padding" in reasons[name]) == apart
            assert ("similar length" in reasons[name] or "grouping" in reasons[name]) <= (
                chosen.train_sampling_strategy == "group_by_length"
            )
    if "num_train_epochs" in reasons:
        assert ("max_steps" in reasons["num_train_epochs"]) == bool(chosen.max_steps)
    for name, reason in reasons.items():
        assert chosen.eval_steps or not re.search("At every check|every check\\.|which step was best", str(reason)), (name, str(reason))
        assert around.validation_rows == 0 or "no validation rows" not in reason
        assert chosen.method in ("lora", "qlora") or "dapter" not in reason or name in ("weight_decay", "method"), (name, str(reason))
    if not {"per_device_train_batch_size", "gradient_accumulation_steps"} & set(given_settings):
        assert 4 <= examples / chosen.num_processes <= max(8, around.examples / around.read) * 1.5


def test_a_step_learns_from_about_eight_examples_whatever_batch_was_given() -> None:
    for batch, times in ((1, 8), (2, 4), (3, 2), (8, 1), (32, 1)):
        for parameters in (8_000_000, 7_000_000_000):
            chosen, reasons = resolve({"per_device_train_batch_size": batch}, replace(STARTER, parameters=parameters))
            assert chosen.gradient_accumulation_steps == times
            assert f"from {batch * times} examples" in reasons["gradient_accumulation_steps"]
