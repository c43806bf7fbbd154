"""A conversation as data: what models remember of it, what panes show, and what is taken away."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from playground.errors import Sentence
from playground.ui import talk
from playground.ui.difference import differing, shown
from playground.ui.formatting import Say
from playground.ui.i18n import Texts
from playground.ui.tabs import filling
from playground.ui.tabs.panes import by_whom, heavy, keys, names, served

HOSTILE = '<img src="http://evil" onerror=alert(1)>\n```\n# x'


def say(key: str, **values: Any) -> str:
    return key + "".join(f" {value}" for value in values.values())


def state(key: str = "base", text: str = "Tea.", **more: Any) -> dict[str, Any]:
    usual = {
        "text": text,
        "tokens": 3,
        "seconds": 1.5,
        "first_seconds": 0.5,
        "adapter": None,
        "done": True,
        "stopped_because": "end",
        "error": None,
        "cut": 0,
        "prompt_tokens": 7,
        "place": 0,
        "plain": False,
        "model": "starter",
        "revision": None,
        "quantised": True,
        "step": None,
        "settings": {"temperature": 0.0, "stop": ()},
    }
    return {**usual, **more}


def exchange(question: str = "What?", right: str = "", **states: dict[str, Any]) -> talk.Exchange:
    return talk.exchange_of(question, "r" * 12, right, {}, states or {"base": state()}, {"base": "● Base", "tuned": "◆ Tuned"})


def plain(sentence: str) -> str:
    return str(sentence)


def test_each_model_remembers_its_own_answers() -> None:
    said = [
        exchange("One?", base=state(text="b1"), tuned=state(text="t1")),
        exchange("Two?", base=state(text="", error=Sentence("It broke.")), tuned=state(text="t2")),
    ]
    assert talk.turns(said) == {"base": [("One?", "b1")], "tuned": [("One?", "t1"), ("Two?", "t2")]}


def test_a_pane_shows_text_only() -> None:
    said = [exchange(HOSTILE, base=state(text=HOSTILE), tuned=state(text="", refused=True))]
    shown_as = talk.messages(said, "base", say, plain)
    assert [one["role"] for one in shown_as] == ["user", "assistant"]
    assert all("<" not in one["content"] and "&lt;img" in one["content"] for one in shown_as)
    assert talk.messages(said, "tuned", say, plain)[1]["content"] == "chat.refused"
    assert talk.messages(said, "not asked", say, plain) == []


def test_words_where_there_is_no_answer() -> None:
    assert talk.words(state(text="", done=False), say, plain) == "…"
    assert talk.words(state(text=""), say, plain) == "chat.nothing"
    assert talk.words(state(text="", error=Sentence("The disk is full.")), say, plain) == "The disk is full."


def test_what_is_stopped_stays_as_far_as_it_came() -> None:
    said = talk.stopped([exchange(), exchange(base=state(text="Te", done=False, place=3), tuned=state())])
    last = {one["key"]: one for one in said[-1]["answers"]}
    assert last["base"]["done"] and last["base"]["stopped_because"] == "cancelled" and last["base"]["text"] == "Te"
    assert last["tuned"]["stopped_because"] == "end" and talk.stopped([]) == []


def test_the_file_proves_who_answered() -> None:
    adapter = {"run_id": "r" * 12, "name": "mine", "sha256": "ab" * 32}
    said = [exchange("Q?", "Right.", tuned=state(adapter=adapter, step=40))]
    found = json.loads(talk.as_json(said))
    (answer,) = found[0]["answers"]
    assert found[0]["right_answer"] == "Right." and answer["adapter"] == adapter and answer["step"] == 40
    assert answer["settings"] == {"temperature": 0.0, "stop": []} and answer["seconds"] == 1.5


@given(st.text(alphabet=st.sampled_from("`~#<>a \n"), max_size=60))
def test_nothing_in_an_answer_leaves_its_fence(text: str) -> None:
    written = talk.as_markdown([exchange("Q?", base=state(text=text or "x"))], say, plain)
    fence = re.search(r"### . ?Base\n\n(`{3,})\n|### Base\n\n(`{3,})\n", written)
    assert fence is not None
    mark = fence[1] or fence[2]
    inside = written[fence.end() :].split(f"\n{mark}\n")[0]
    assert inside == (text or "x")


@given(st.text(max_size=80), st.text(max_size=80))
def test_the_pieces_of_a_difference_are_the_texts(before: str, after: str) -> None:
    left, right = differing(before, after)
    assert "".join(text for text, _ in left) == before and "".join(text for text, _ in right) == after
    assert "".join(text for text, only in left if not only) == "".join(text for text, only in right if not only)
    if before == after:
        assert not any(only for _, only in left + right)


def test_a_difference_is_marked_and_escaped() -> None:
    told = shown("We open at nine.", "We open at <b>ten</b>.", ("● Base", "◆ <i>"), say)
    assert "<mark>nine</mark>" in told and "&lt;" in told and "<b>" not in told and "<i>" not in told and "chat.only_here" in told
    assert "chat.same_words" in shown("a", "a", ("x", "y"), say)
    long = "word " * 5_000
    assert "<mark>" in shown(long, long + "more", ("x", "y"), say)


def test_the_small_type_says_who_and_hides_nothing() -> None:
    adapter = {"run_id": "r" * 12, "name": "<b>mine</b>", "sha256": "ab" * 32}
    told = by_whom(
        state(adapter=adapter, step=40, cut=5, citations=[{"document": "<x>", "page": 2, "label": None, "quote": "<q>"}]), say, plain
    )
    assert "<b>" not in told and "<x>" not in told and "<q>" not in told
    assert "ab" * 32 in told and "40" in told and "chat.cut 5" in told and "chat.four_bits" in told
    assert "chat.in_line 4" in by_whom(state(tokens=0, done=False, place=4), say, plain)
    assert "chat.waiting" in by_whom(state(tokens=0, done=False, place=1), say, plain)
    assert 'class="bad"' in by_whom(state(error=Sentence("No.")), say, plain)
    assert by_whom(state(refused=True, tokens=0), say, plain) == "<p>chat.not_asked</p>"  # no model is named that was never asked
    for more in ({}, {"refused": True, "tokens": 0}):
        told = by_whom(state(orders=["<b>.md"], **more), say, plain)
        assert "documents.orders" in told and "&lt;b&gt;.md" in told and "<b>" not in told


def test_a_servers_answer_is_never_taken_for_the_base() -> None:
    told = by_whom(state(model="server:<big>", served="<big> of theirs"), say, plain)
    assert "chat.by_server &lt;big&gt; of theirs" in told and "chat.by_base" not in told and "<big>" not in told
    assert "chat.proof_asked" in told and "chat.proof_served" in told and "chat.proof_adapter" not in told
    assert names(say, "mine", {"server:big": served("server:big", say)})["server:big"] == "▲ chat.served big"
    broken = by_whom(state(model="server:big", error=Sentence("It broke off.")), say, plain)
    assert broken == '<p class="bad">It broke off.</p>'


def test_what_a_whole_model_takes_is_told_and_warned_of() -> None:
    told = heavy([("<b>small</b>", 100, 900), ("large", 2048, 1000)], say)
    assert 'class="hint">chat.heavy &lt;b&gt;small&lt;/b&gt; 100 MB 900 MB' in told and 'class="warn">chat.too_heavy large' in told
    assert heavy([], say) == ""


def test_fields_stand_for_the_slots_of_an_instruction() -> None:
    assert filling.read(["city", "when"], "Rome", None, "left over", "") == {"city": "Rome", "when": ""}
    row, known, *fields = filling.shown(("city", "when"))
    assert row["visible"] and known == ["city", "when"] and [one["visible"] for one in fields] == [True, True, False, False]
    assert [one.get("value") for one in filling.filled(["city"], {"city": "Rome"})] == ["Rome", None, None, None]
    assert not filling.shown(())[0]["visible"]


def test_which_pane_stands_where() -> None:
    assert keys([], False) == {"base": "base", "tuned": "tuned"}
    assert keys(["x", "y"], True) == {
        "base": "base",
        "tuned": "tuned",
        "more1": "x",
        "more2": "y",
        "base_documents": "base_documents",
        "tuned_documents": "tuned_documents",
    }


_: Say = say


def test_an_answer_names_the_place_of_its_evidence_as_documents_do() -> None:
    cited = {
        "document": "keys.md",
        "page": 2,
        "label": "Keys",
        "unit": "section",
        "section": ["House", "Keys"],
        "quote": "Under <the> mat.",
    }
    texts = Texts(Path(__file__).resolve().parents[2] / "assets/locales")
    told = by_whom(state(citations=[cited]), lambda key, **values: texts.say(key, "en", **values), plain)
    assert "keys.md, section 2, “Keys”: “Under &lt;the&gt; mat.”" in told and "page" not in told.split("</p>")[1]
