"""Settings of an answer, and text that grows token by token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import SettingsError
from playground.inference.generate import Answer, GenerationSettings, choosers
from playground.settings import Limits


def test_what_is_left_out_is_greedy() -> None:
    assert GenerationSettings.from_dict(None) == GenerationSettings.from_dict({}) == GenerationSettings()
    assert GenerationSettings.from_dict({"temperature": None, "stop": []}).temperature == 0


def test_sliders_give_floats_and_a_stop_may_be_one_text() -> None:
    settings = GenerationSettings.from_dict({"max_new_tokens": 12.0, "temperature": 1, "top_k": 5.0, "stop": "###", "seed": 3})
    assert settings == GenerationSettings(max_new_tokens=12, temperature=1.0, top_k=5, stop=("###",), seed=3)
    assert isinstance(settings.max_new_tokens, int) and isinstance(settings.temperature, float)


def test_all_problems_are_told_at_once_with_the_known_names() -> None:
    wrong = {
        "max_new_tokens": 1025,
        "temperature": -0.1,
        "top_p": 0,
        "top_k": 1.5,
        "seed": "x",
        "stop": ["", "b"],
        "beams": 4,
        "system": "ok",
    }
    with pytest.raises(SettingsError) as caught:
        GenerationSettings.from_dict(wrong, also=("system",))
    text = str(caught.value)
    assert all(name in text for name in wrong if name != "system")
    assert "from 1 to 1024" in text and "repetition_penalty" in text and "there is no setting beams" in text


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), "5", [5], 0, 10**30])
def test_max_new_tokens_refuses(value: object) -> None:
    with pytest.raises(SettingsError):
        GenerationSettings.from_dict({"max_new_tokens": value})


@pytest.mark.parametrize("stop", [5, ["a"] * 9, ["x" * 101], [None], {"a": 1}])
def test_stop_refuses(stop: object) -> None:
    with pytest.raises(SettingsError):
        GenerationSettings.from_dict({"stop": stop})


def test_the_host_sets_the_limit() -> None:
    limits = Limits(new_tokens=16)
    assert GenerationSettings.from_dict({"max_new_tokens": 16}, limits).max_new_tokens == 16
    with pytest.raises(SettingsError):
        GenerationSettings.from_dict({"max_new_tokens": 17}, limits)


class Bytes:
    """A tokenizer whose tokens are bytes, and 256 ends the answer."""

    def decode(self, ids: list[int], skip_special_tokens: bool = True) -> str:
        return bytes(ids).decode("utf-8", errors="replace")


END = 256


def grow(text: str, stops: tuple[str, ...] = (), room: int = 10_000) -> list[str]:
    answer = Answer(Bytes(), [END], stops, room)
    seen = []
    for token in [*text.encode(), END]:
        answer.push(token)
        seen.append(answer.text)
    assert answer.finished
    return seen


@given(st.text(alphabet=st.characters(exclude_characters="\ufffd", exclude_categories=["Cs"]), max_size=60))
def test_text_grows_whole_character_by_character(text: str) -> None:
    seen = grow(text)
    assert seen[-1] == text.lstrip()
    assert all(text.lstrip().startswith(part) for part in seen)


@given(st.text(alphabet="ab🙂é", max_size=40), st.text(alphabet="ab🙂é", min_size=1, max_size=4))
def test_a_stop_text_is_never_shown(text: str, stop: str) -> None:
    seen = grow(text, (stop,))
    assert seen[-1] == text.split(stop)[0]
    assert all(stop not in part and seen[-1].startswith(part) for part in seen)


def test_half_a_character_at_the_end_is_not_shown() -> None:
    answer = Answer(Bytes(), [END], (), 3)
    for token in "a🙂".encode():
        answer.push(token)
    assert answer.text == "a" and answer.finished == "length" and answer.tokens == 3


def test_a_finished_answer_takes_nothing_more() -> None:
    answer = Answer(Bytes(), [END], ("x",), 100)
    for token in [*b"one x two", END]:
        answer.push(token)
    assert answer.text == "one " and answer.finished == "stop" and answer.tokens == 5


def test_padding_is_no_repetition() -> None:
    """Were it one, the token that pads (often the one that ends an answer) would be shunned in the shorter pane only."""
    import torch

    chain = choosers([GenerationSettings(repetition_penalty=2.0)] * 2, [2, 0])
    scores = chain(torch.tensor([[7, 7, 5], [4, 3, 5]]), torch.tensor([[1.0, -1.0] * 4] * 2))
    assert scores.tolist() == [[1, -1, 1, -1, 1, -2, 1, -1], [1, -1, 1, -2, 0.5, -2, 1, -1]]


def test_drawing_follows_the_probabilities() -> None:
    import torch

    chain = choosers([GenerationSettings(temperature=1.0, seed=1)] * 2, [0, 0])
    wanted = torch.tensor([0.6, 0.3, 0.1])
    drawn = torch.stack([chain(torch.zeros(2, 1), wanted.log().repeat(2, 1)).argmax(-1) for _ in range(3000)])
    assert torch.equal(drawn[:, 0], drawn[:, 1])
    assert torch.allclose(torch.bincount(drawn[:, 0], minlength=3) / 3000, wanted, atol=0.04)
