"""Answers from a server of the host's: a real one on this machine's loopback, which answers, dawdles, breaks off or sends rubbish."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground.asking import Asking
from playground.errors import ModelUnavailable, NotFound, SettingsError
from playground.inference.generate import GenerationSettings
from playground.inference.panes import Pane, PaneState
from playground.inference.server import Address, Server, ref
from playground.messages import Conversation, Message, conversation
from playground.models.catalog import Catalog
from playground.settings import Limits, Settings, load
from tests.fake_server import KEY, Spoken
from tests.unit.test_asking import Recorder, adapter

SHORT = GenerationSettings(max_new_tokens=8)


@pytest.fixture
def spoken() -> Iterator[Spoken]:
    server = Spoken()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.left.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def server(spoken: Spoken) -> Server:
    return Server(Address(spoken.url, KEY), silent_seconds=0.5)


def pane(model: str, asked: Conversation | None = None) -> Pane:
    return Pane("x", ref(f"server:{model}"), False, None, asked or conversation("Hi?", system="Be kind."))


def answer(server: Server, model: str, settings: GenerationSettings = SHORT, asked: Conversation | None = None) -> PaneState:
    return list(server.stream([pane(model, asked)], settings))[-1]["x"]


def test_an_answer_streams_and_says_who_gave_it(server: Server, spoken: Spoken) -> None:
    drawn = GenerationSettings(8, temperature=0.7, top_p=0.9, top_k=5, repetition_penalty=1.2, stop=("\n",), seed=3)
    state = answer(server, "good", drawn)
    assert (state.text, state.tokens, state.prompt_tokens, state.served) == ("Hello thére", 3, 12, "tiny-of-theirs")
    assert state.done and state.stopped_because == "end" and not state.error and state.adapter is None
    assert 0 < state.first_seconds <= state.seconds
    path, body, key = spoken.asked[0]
    assert path == "/v1/chat/completions" and key == f"Bearer {KEY}"
    assert body["messages"] == [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi?"}]
    assert {**body, "max_tokens": 8, "temperature": 0.7, "top_p": 0.9, "top_k": 5, "seed": 3, "stop": ["\n"]} == body
    assert "top_k" not in (answer(server, "good"), spoken.asked[-1][1])[1], "what was not chosen is not sent: some servers refuse it"


def test_a_text_is_gone_on_with(server: Server, spoken: Spoken) -> None:
    assert answer(server, "text", asked=Conversation((Message("text", "Once"),))).text == "upon a time"
    assert spoken.asked[0][0] == "/v1/completions" and spoken.asked[0][1]["prompt"] == "Once"


@pytest.mark.parametrize(("model", "text", "why"), [("at once", "All.", "length"), ("halves", "ça", "end"), ("surrogate", "a?", "end")])
def test_other_ways_to_answer(server: Server, model: str, text: str, why: str) -> None:
    state = answer(server, model)
    assert (state.text, state.stopped_because, state.error) == (text, why, None)


@pytest.mark.parametrize(
    ("model", "kept", "sentence"),
    [
        ("broken", "So far so good", "broke off"),
        ("half a line", "So far", "broke off"),
        ("silent", "One moment", "wrote nothing for"),
        ("rubbish", "", "can be read"),
        ("odd", "", "can be read"),
        ("nothing", "", "can be read"),
        ("error", "", "can be read"),
        ("a flood", "", "can be read"),
        ("key", "", "does not accept"),
        ("full", "", "HTTP 503"),
        ("away", "", "HTTP 302"),
        ("of nobody", "", "has no model of nobody"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_keeps_what_came(
    server: Server, caplog: pytest.LogCaptureFixture, model: str, kept: str, sentence: str
) -> None:
    caplog.set_level(logging.DEBUG)
    state = answer(server, model)
    assert state.done and state.stopped_because == "error" and state.text == kept
    assert sentence in str(state.error) and KEY not in str(state.error)
    assert KEY not in caplog.text and KEY not in repr(server._address)


def test_a_server_that_does_not_stop_is_stopped(server: Server) -> None:
    state = answer(server, "too long")
    assert state.stopped_because == "length" and state.tokens < 300


def test_a_server_that_is_away_and_comes_back(spoken: Spoken) -> None:
    nobody = Server(Address("http://127.0.0.1:9/v1"))
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        nobody.models()
    assert "cannot be reached" in str(answer(nobody, "good").error)
    nobody._address = Address(spoken.url)
    assert answer(nobody, "good").text == "Hello thére"


def test_who_leaves_closes_the_connection(server: Server, spoken: Spoken) -> None:
    stream = server.stream([pane("endless")], GenerationSettings(max_new_tokens=1024))
    while next(stream)["x"].tokens < 3:
        pass
    stream.close()  # type: ignore[attr-defined]
    assert spoken.left.wait(10), "the server hears that nobody reads any more"


def test_the_list_of_models_is_the_hosts_or_the_servers_and_nothing_odd(server: Server, spoken: Spoken) -> None:
    spoken.models = [
        {"id": "a"},
        {"id": 7},
        "b",
        {"id": ""},
        {"id": "x" * 999},
        {"id": "line\nbreak"},
        *({"id": f"m{n}"} for n in range(300)),
    ]
    assert server.models()[:2] == ["a", "m0"] and len(server.models()) == 100
    assert Server(Address(spoken.url, only="mine")).models() == ["mine"]
    assert "has no model good" in str(answer(Server(Address(spoken.url, only="mine")), "good").error)
    assert not spoken.asked


@pytest.fixture
def asking(server: Server, tmp_path: Path) -> Asking:
    def ask(owner: str, text: str, collection: str, generate: Any, *, small: bool, **how: Any) -> Iterator[dict[str, Any]]:
        for state in generate(f"Context: It is so.\n\nQuestion: {text}"):
            yield {**state, "small": small}

    runs: Any = SimpleNamespace(adapter=lambda owner, run_id: adapter(run_id))
    collections: Any = SimpleNamespace(ask=ask)
    return Asking(Limits(), Catalog(Settings(home=tmp_path)), runs, Recorder(), collections, server)  # type: ignore[arg-type]


def test_a_servers_pane_stands_beside_the_others_and_fails_alone(asking: Asking, spoken: Spoken) -> None:
    settings = {"runs": ["other", "server:good", "server:broken", "server:of nobody"]}
    states = list(asking.compare("me", "Two?", "mine", settings, {"server:good": [("One?", "1")]}))[-1]
    assert list(states) == ["base", "tuned", "other", "server:good", "server:broken", "server:of nobody"]
    assert states["server:good"]["text"] == "Hello thére" and states["server:good"]["model"] == "server:good"
    assert states["server:broken"]["error"] and states["server:broken"]["text"]
    assert states["server:of nobody"]["error"] and not states["base"]["error"] and states["tuned"]["text"] == "by tuned"
    said = next(body["messages"] for _, body, _ in spoken.asked if body["model"] == "good")
    assert [one["content"] for one in said] == ["Be kind.", "Answer.\n\nOne?", "1", "Answer.\n\nTwo?"], "put as the run was taught"


def test_a_servers_model_phrases_what_documents_say(asking: Asking) -> None:
    last = list(asking.documents("me", "Is it?", "c", None, {"model": "server:good"}))[-1]
    assert (last["text"], last["model"], last["small"]) == ("Hello thére", "server:good", False)
    for wrong in ("starter", "http://10.0.0.1/v1", 7):
        with pytest.raises(SettingsError):
            list(asking.documents("me", "Is it?", "c", None, {"model": wrong}))
    with pytest.raises(SettingsError):
        list(asking.documents("me", "Is it?", "c", "run", {"model": "server:good"}))


def test_without_a_server_its_models_are_refused(asking: Asking) -> None:
    alone = Asking(asking.limits, asking.catalog, asking.runs, asking.host, asking.collections)
    with pytest.raises(NotFound):
        list(alone.compare("me", "Two?", "mine", {"runs": ["server:good"]}))


def test_the_host_names_the_server_by_environment(tmp_path: Path) -> None:
    def read(url: str) -> Settings:
        return load({"PLAYGROUND_SERVER_URL": url, "PLAYGROUND_SERVER_KEY": KEY, "PLAYGROUND_HOME": str(tmp_path)})

    assert {read(url).server_url for url in ("http://h:8000", "http://h:8000/", "http://h:8000/v1", "http://h:8000/v1/")} == {
        "http://h:8000/v1"
    }
    assert load({}).server_url == "" and KEY not in repr(read("https://h"))
    for wrong in ("h:8000", "ftp://h", "http://", "http://user:word@h/v1", "http://h:99999", "http://h/v1?x=1"):
        with pytest.raises(SettingsError, match="PLAYGROUND_SERVER_URL"):
            read(wrong)
