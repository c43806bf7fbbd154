"""What Gradio keeps of a session is made once for all sessions, and each has its own all the same."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest
from gradio.blocks import BlocksConfig
from gradio.state_holder import SessionState

from playground.services import Services
from playground.settings import Settings
from playground.ui.app import build_app
from playground.ui.sessions import share_config


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of all components that Gradio describes."""
    seen: list[int] = []
    describe = BlocksConfig.config_for_block

    def noting(_id: int, *args: Any) -> dict[str, Any]:
        seen.append(_id)
        return describe(_id, *args)

    monkeypatch.setattr(BlocksConfig, "config_for_block", staticmethod(noting))
    return seen


def test_the_page_is_described_once_however_many_come(settings: Settings, described: list[int]) -> None:
    app = build_app(Services.make(settings))
    described.clear()
    first = SessionState(app)
    assert sorted(described) == sorted(app.blocks)
    described.clear()
    second = SessionState(app)
    assert described == []
    assert first.config_values == second.config_values


def test_a_session_is_what_it_was_and_nobody_sees_anothers_values(described: list[int]) -> None:
    with gr.Blocks() as app:
        box, button = gr.Textbox("empty", label="Box"), gr.Button("Go")
        button.click(lambda: "x", None, box)
    before = SessionState(app)
    share_config(app)
    one, other = SessionState(app), SessionState(app)
    assert one.config_values == before.config_values
    assert list(one.blocks_config.blocks) == list(before.blocks_config.blocks) and list(one.blocks_config.fns) == list(app.fns)
    one._update_value_in_config(box._id, "mine")  # so does Gradio after an event
    one[button._id] = gr.Button("Changed", render=False)
    one._update_config(button._id)
    assert one.config_values[box._id]["props"]["value"] == "mine"
    assert one.config_values[button._id]["props"]["value"] == "Changed"
    for untouched in (other, SessionState(app)):
        assert untouched.config_values == before.config_values
        assert untouched[button._id] is button
