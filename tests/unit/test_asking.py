"""What panes read and who is asked, without a model: settings, several turns, several runs, and streams put together."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground.asking import Asking, phraser, put, together
from playground.errors import PromptError, SettingsError
from playground.inference.panes import Pane, PaneState
from playground.messages import Message, conversation
from playground.models.catalog import AdapterRef, Catalog, ModelRef
from playground.settings import Limits, Settings

REF = ModelRef("starter", "/nowhere", None, 1024)


def adapter(name: str, **more: Any) -> AdapterRef:
    return AdapterRef(name, name, Path("/nowhere"), name * 8, REF, True, instruction="Answer.", system="Be kind.", step=7, **more)


class Recorder:
    """In the place of the host: keeps the panes, answers each with its key."""

    def __init__(self) -> None:
        self.panes: list[Pane] = []

    def stream(self, panes: list[Pane], generation: Any) -> Iterator[dict[str, PaneState]]:
        self.panes += panes
        yield {pane.key: PaneState(text=f"by {pane.key}", tokens=1, done=True) for pane in panes}


@pytest.fixture
def host() -> Recorder:
    return Recorder()


searched: list[Any] = []  # how, of each question that reads documents


@pytest.fixture
def asking(host: Recorder, tmp_path: Path) -> Asking:
    def ask(owner: str, text: str, collection: str, generate: Any, *, small: bool, mode: str, settings: Any) -> Iterator[dict[str, Any]]:
        cited = [{"document": "d.pdf", "page": 1, "label": None, "quote": "It is so."}]
        searched.append((mode, settings))
        for _ in generate(f"Context: It is so.\n\nQuestion: {text}"):
            yield {"citations": cited, "refused": False, "supported": False, "orders": ["d.pdf"], "done": False}
        yield {"citations": cited, "refused": False, "supported": True, "orders": ["d.pdf"], "done": True}

    runs: Any = SimpleNamespace(adapter=lambda owner, run_id: adapter(run_id))
    collections: Any = SimpleNamespace(ask=ask, check=lambda *args: None)
    return Asking(Limits(), Catalog(Settings(home=tmp_path)), runs, host, collections)  # type: ignore[arg-type]


def last(stream: Iterator[dict[str, Any]]) -> dict[str, Any]:
    return list(stream)[-1]


def test_each_pane_goes_on_with_its_own_turns(asking: Asking, host: Recorder) -> None:
    earlier = {"base": [("One?", "b1")], "tuned": [("One?", "t1"), ("Lost?", " ")]}
    last(asking.compare("me", "Two?", "mine", None, earlier))
    base, tuned = host.panes
    assert base.conversation == conversation(
        "Answer.\n\nTwo?", system="Be kind.", earlier=(Message("user", "Answer.\n\nOne?"), Message("assistant", "b1"))
    )
    assert tuned.conversation.prompt[-2:] == (Message("assistant", "t1"), Message("user", "Answer.\n\nTwo?")), (
        "what got no answer is left out"
    )
    last(asking.compare("me", "Two?", "mine", {"use_template": False, "system": "Short."}, earlier))
    assert host.panes[2].conversation == conversation(
        "Two?", system="Short.", earlier=(Message("user", "One?"), Message("assistant", "b1"))
    )


def test_what_the_instruction_takes_from_columns_is_filled_as_in_learning(tmp_path: Path, host: Recorder) -> None:
    taught = replace(adapter("mine"), instruction="In {city}, {when}: answer {prompt} as {json}.", slots=("city", "when"))
    other = replace(adapter("other"), instruction="Of {city}.", slots=("city",))
    runs: Any = SimpleNamespace(adapter=lambda owner, run_id: taught if run_id == "mine" else other)
    asking = Asking(Limits(), Catalog(Settings(home=tmp_path)), runs, host, None)  # type: ignore[arg-type]
    last(asking.compare("me", "{when}?", "mine", {"runs": ["other"], "slots": {"city": "{prompt}"}}, {"tuned": [("A?", "a")]}))
    assert [pane.conversation.prompt[-1].content for pane in host.panes] == [
        "In {prompt}, : answer {when}? as {json}.", "In {prompt}, : answer {when}? as {json}.", "Of {prompt}.\n\n{when}?"
    ]  # fmt: skip
    assert host.panes[1].conversation.prompt[1].content == "In {prompt}, : answer A? as {json}."
    for wrong in ({"city": 7}, ["city"], {"city": "x" * 200_000}):
        with pytest.raises(SettingsError):
            asking.read({"slots": wrong})


def test_a_text_to_go_on_with_knows_no_turns() -> None:
    taught = SimpleNamespace(task="completion", instruction="", system="x", shots=(), slots=())
    assert put("Once", taught, None, [("a", "b")]).prompt == (Message("text", "Once"),)


def test_more_runs_and_documents_get_panes_of_their_own(asking: Asking, host: Recorder) -> None:
    steps = {"mode": "keyword", "thesaurus": True, "reranker": "local:x"}
    states = last(asking.compare("me", "Why?", "mine", {"runs": ["other", "mine", "third"], "collection": "Papers", **steps}))
    assert list(states) == ["base", "tuned", "other", "third", "base_documents", "tuned_documents"]
    asked = {pane.key: pane for pane in host.panes}
    assert asked["base"].adapter is None and asked["base_documents"].adapter is None
    assert [asked[key].adapter.run_id for key in ("tuned", "other", "third", "tuned_documents")] == ["mine", "other", "third", "mine"]  # type: ignore[union-attr]
    for key in ("base_documents", "tuned_documents"):
        assert states[key]["sentence"] == "It is so." and states[key]["supported"] and states[key]["done"]
        assert states[key]["orders"] == ["d.pdf"]
        assert "Context: It is so." in asked[key].conversation.prompt[-1].content
    assert searched[-2:] == [("keyword", {"thesaurus": True, "reranker": "local:x"})] * 2
    assert states["tuned"]["step"] == 7 and states["base"]["step"] is None and states["other"]["settings"]["temperature"] == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"runs": "abc"},
        {"runs": [1]},
        {"collection": 3},
        {"runs": list("abcdef")},
        {"system": 1},
        {"use_template": "yes"},
        {"heat": 1},
        {"weight": 2},
        {"mode": "psychic"},
    ],
    ids=str,
)
def test_settings_are_checked(asking: Asking, settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        asking.compare("me", "Why?", "mine", settings).__next__()


@pytest.mark.parametrize(
    "prompt", ["", "  \n", "x" * 100_001, [], [{"role": "root", "content": "x"}], [{"role": "user"}], [{"role": "user", "content": 3}]]
)
def test_what_cannot_be_asked_is_refused_at_once(asking: Asking, prompt: Any) -> None:
    with pytest.raises(PromptError):
        asking.compare("me", prompt, "mine").__next__()


def test_streams_together_have_the_newest_of_all() -> None:
    def source(key: str, count: int, pause: float) -> Iterator[dict[str, Any]]:
        for number in range(count):
            time.sleep(pause)
            yield {key: {"n": number}}

    seen = list(together([source("a", 5, 0.01), source("b", 2, 0.02)]))
    assert list(seen[0]) == ["a", "b"] and seen[-1] == {"a": {"n": 4}, "b": {"n": 1}}


def test_closing_closes_all_and_a_failure_is_told() -> None:
    closed = threading.Event()

    def endless() -> Iterator[dict[str, Any]]:
        try:
            while True:
                time.sleep(0.01)
                yield {"a": {}}
        finally:
            closed.set()

    def failing() -> Iterator[dict[str, Any]]:
        yield {"b": {}}
        raise PromptError("No.")

    with pytest.raises(PromptError):
        list(together([endless(), failing()]))
    assert closed.wait(5), "the other one was ended"


def test_who_phrases_what_documents_say() -> None:
    assert phraser("base") == (None, {}) and phraser("0123abcd") == ("0123abcd", {})
    assert phraser("server:llama") == (None, {"model": "server:llama"})
