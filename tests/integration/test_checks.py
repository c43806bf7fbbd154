"""A list of questions with expected answers is asked of real documents in a job; what it says is what asking alone says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground.errors import InputError, NotFound, PromptError, SettingsError, WrongState
from playground.jobs import Job, follow
from playground.many.checks import Checks
from playground.many.expected import ExpectedList, given
from playground.services import Services
from playground.settings import PROJECT, Settings
from playground.ui.app import build_app
from playground.workspace import read_json
from tests.browser.conftest import wait_for
from tests.helpers import make_cross_encoder

HANDBOOK = PROJECT / "assets" / "samples" / "harbour_cafe_handbook.pdf"
KEY = "Who keeps the spare key to the blue door?"


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checks]:
    services = Services.make(Settings(home=tmp_path_factory.mktemp("checks")))
    *_, job = services.index_documents("me", [(HANDBOOK, HANDBOOK.name)], "Handbook")
    assert job.state == "done"
    yield Checks(services)
    services.close()


def sample(checks: Checks) -> ExpectedList:
    return given(checks.services.sample_questions("me", "Handbook"))


def over(job: Job) -> Any:
    *_, last = follow(job)
    assert (last.state, last.error) == ("done", None)
    return last.result


def test_each_row_is_what_asking_alone_says(checks: Checks) -> None:
    asked = sample(checks)
    result = over(checks.start("me", "Handbook", asked, {"mode": "keyword"}))
    assert [row["question"] for row in result["rows"]] == [one.question for one in asked.listed]
    assert len(result["rows"]) == 42 and sum(not row["answerable"] for row in result["rows"]) == 12
    for row in result["rows"][::6]:
        *_, alone = checks.services.collections.ask("me", row["question"], "Handbook", None, small=True, mode="keyword")
        assert row["refused"] is alone["refused"] and row["confidence"] == alone["confidence"]
        assert row["answer"] == ("" if alone["refused"] else alone["answer"])
        places = [hit["page"] for hit in checks.services.collections.search("me", row["question"], "Handbook", 10, "keyword")]
        assert row["rank"] == (places.index(row["page"]) + 1 if row["page"] in places else None)
    told = result["figures"]
    assert 0.4 < told["recall_1"]["value"] <= told["recall_5"]["value"] <= told["recall_10"]["value"]
    assert checks.result("me", checks.kept("me")[0]["job_id"])["figures"] == told


def test_steps_of_the_search_reach_every_question_and_stand_side_by_side(checks: Checks, tmp_path: Path) -> None:
    reranker = f"local:{make_cross_encoder(tmp_path / 'encoder')}"
    usual = checks.start("me", "Handbook", sample(checks))
    over(usual)
    search = checks.services.collections.search
    for steps in ({"reranker": reranker}, {"thesaurus": False}, {"weight": 0.9}, {"keyword": False}):
        job = checks.start("me", "Handbook", sample(checks), steps)
        result = over(job)
        for row in [one for one in result["rows"] if one["ranked"]][::7]:
            places = [hit["page"] for hit in search("me", row["question"], "Handbook", 10, settings=steps)]
            assert row["rank"] == (places.index(row["page"]) + 1 if row["page"] in places else None)
            *_, alone = checks.services.collections.ask("me", row["question"], "Handbook", None, small=True, settings=steps)
            assert row["confidence"] == alone["confidence"]
        assert {key: value for key, value in result["settings"].items() if key in steps} == {
            k: v for k, v in steps.items() if k != "keyword"
        }
        beside = checks.compare("me", usual.job_id, job.job_id)
        if "thesaurus" not in steps:  # whose words change little here
            assert beside["figures"]["mrr_10"]["changed"] > 0, steps
    assert checks.kept("me")[0]["settings"]["mode"] == "dense", "no words is by meaning"
    missing = checks.start("me", "Handbook", sample(checks), {"reranker": f"local:{tmp_path / 'nothing'}"})
    *_, last = follow(missing)
    assert last.state == "failed" and "not a cross-encoder" in str(last.error), "once, and not for each question"


def test_a_threshold_is_found_kept_honoured_and_told(checks: Checks) -> None:
    job = checks.start("me", "Handbook", sample(checks))
    over(job)
    found = checks.suggest("me", job.job_id)
    assert 0 < found["threshold"] < 1 and found["held_f1"] <= found["f1"] and found["answerable"] == 30
    kept = checks.keep("me", job.job_id)
    assert kept.own and checks.threshold("me", "Handbook").about["f1"] == found["f1"]
    again = checks.start("me", "Handbook", sample(checks))
    result = over(again)
    assert result["settings"]["threshold"] == found["threshold"]
    assert result["figures"]["refusal_f1"]["value"] == pytest.approx(found["f1"], abs=1e-3)
    beside = checks.compare("me", job.job_id, again.job_id)
    assert beside["questions"] == 42 and beside["figures"]["recall_1"]["difference"] == 0
    assert checks.set_threshold("me", "Handbook", 0.99).value == 0.99
    *_, alone = checks.services.collections.ask("me", KEY, "Handbook", None, small=True)
    assert alone["refused"]
    *_, alone = checks.services.collections.ask("me", KEY, "Handbook", None, small=True, threshold=0.1)
    assert "Hanna Pell" in alone["answer"], "what is asked for counts before what is kept"
    assert not checks.set_threshold("me", "Handbook", None).own


def test_a_model_phrases_and_is_judged_too(checks: Checks) -> None:
    asked = given([{"question": KEY, "answer": "Hanna Pell", "page": 8}, {"question": "x" * 3_000, "answer": "y"}])
    result = over(checks.start("me", "Handbook", asked, {"phrased_by": "base", "max_new_tokens": 8}))
    first, second = result["rows"]
    assert first["said"] and first["said_f1"] is not None and first["right"]
    assert second["error"] and second["right"] is None
    assert result["figures"]["model_token_f1"]["n"] == 1 and result["figures"]["right"]["n"] == 1


def test_an_answer_that_stands_nowhere_word_for_word_says_nothing_of_the_search(checks: Checks) -> None:
    asked = given([{"question": KEY, "answer": one} for one in ("Hanna Pell", "Hannas Pell")] + [{"question": KEY, "answer": ""}])
    first, second, third = over(checks.start("me", "Handbook", asked))["rows"]
    assert first["ranked"] and first["rank"] == 1
    assert not second["ranked"] and not third["ranked"], "another form of the word is no passage to be found"


def test_an_answer_that_no_document_can_hold_ends_no_list(checks: Checks) -> None:
    odd = [{"question": "Who?", "answer": one} for one in ("a\x00b", "\ud800", '"', "*", "a" * 9_000)]
    job = checks.start("me", "Handbook", given([*odd, {"question": KEY, "answer": "Hanna Pell"}]))
    assert [row["error"] for row in over(job)["rows"]] == [None] * 6
    assert len(read_json(checks.services.workspace.home / "jobs" / job.job_id / "status.json")["result"]["rows"]) == 6


def handler(app: gr.Blocks, name: str, output: str) -> Callable[..., Any]:
    """What the page calls to fill an element."""
    known = [one for one in app.fns.values() if output in {getattr(o, "elem_id", None) for o in one.outputs}]
    return next(one.fn for one in known if getattr(one.fn, "__name__", "") == name)  # type: ignore[return-value]


def test_a_threshold_is_kept_for_the_collection_that_was_asked(checks: Checks, tmp_path: Path) -> None:
    (tmp_path / "bees.txt").write_text("Bees are kept behind the mill, where lavender grows in June.\n", "utf-8")
    list(checks.services.index_documents("me", [(tmp_path / "bees.txt", "bees.txt")], "Bees"))
    asked = sample(checks).listed
    some = [one for kind in (True, False) for one in [one for one in asked if one.answerable is kind][:5]]
    job = checks.start("me", "Handbook", ExpectedList(some))
    over(job)
    app = build_app(checks.services)
    owner = ""  # in personal mode, all are the same
    remember, look = handler(app, "on_remember", "exam-rounds"), handler(app, "on_look", "exam-keep")
    keep = handler(app, "on_keep_it", "exam-now")
    assert remember(None, owner, job.job_id, None, "Handbook")[0] == job.job_id
    there = remember(None, owner, job.job_id, None, "Bees")
    assert there[0] == "" and there[3]["visible"], "its list goes with the other collection, and can still be chosen"
    assert look(None, owner, job.job_id, None, "all", 0, (), "Handbook")[-2]["visible"]
    assert not look(None, owner, job.job_id, None, "all", 0, (), "Bees")[-2]["visible"]
    with pytest.raises(gr.Error, match="asked of another collection"):
        keep(None, owner, job.job_id, "Bees")
    assert not checks.threshold("me", "Handbook").own and not checks.threshold("me", "Bees").own
    checks.services.collections.rename("me", "Handbook", "Handbook 2")
    try:
        assert remember(None, owner, "", None, "Handbook 2")[0] == job.job_id
        keep(None, owner, job.job_id, "Handbook 2")
        assert checks.threshold("me", "Handbook 2").own
        checks.set_threshold("me", "Handbook 2", None)
    finally:
        checks.services.collections.rename("me", "Handbook 2", "Handbook")
        checks.services.collections.delete("me", "Bees")


def test_it_stops_when_asked_and_keeps_what_it_has(checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    going, held = threading.Event(), threading.Event()
    search = checks.services.collections.search

    def slow(*values: Any) -> Any:
        if going.is_set():
            held.wait(30)
        going.set()
        return search(*values)

    monkeypatch.setattr(checks.services.collections, "search", slow)
    job = checks.start("me", "Handbook", sample(checks))
    wait_for(lambda: job.done == 1, 60, "the first answer")
    with pytest.raises(WrongState, match="still being asked"):
        checks.start("me", "Handbook", sample(checks))
    checks.services.jobs.stop("me", job.job_id)
    held.set()
    *_, last = follow(job)
    assert last.state == "stopped" and 1 <= len(last.result["rows"]) <= 2
    assert checks.result("me", job.job_id)["figures"]


def test_what_cannot_be_asked_says_why(checks: Checks, tmp_path: Path) -> None:
    one = given([{"question": KEY, "answer": "Hanna Pell"}])
    for collection, owner, asked, settings, error in (
        ("Handbook", "me", given([]), {}, InputError),
        ("Handbook", "other", one, {}, NotFound),
        ("", "other", one, {}, PromptError),
        ("Nothing", "me", one, {}, NotFound),
        ("Handbook", "me", one, {"mode": "both"}, SettingsError),
        ("Handbook", "me", one, {"threshold": 2}, SettingsError),
        ("Handbook", "me", one, {"weight": 2}, SettingsError),
        ("Handbook", "me", one, {"reranker": 2}, SettingsError),
        ("Handbook", "me", one, {"phrased_by": 2}, SettingsError),
        ("Handbook", "me", one, {"colour": 2}, SettingsError),
        ("Handbook", "me", one, {"phrased_by": "0" * 12}, NotFound),
    ):
        with pytest.raises(error):
            checks.start(owner, collection, asked, settings)
    job = checks.start("me", "Handbook", one)
    over(job)
    with pytest.raises(InputError, match="at least 5"):
        checks.suggest("me", job.job_id)
    with pytest.raises(NotFound):
        checks.result("other", job.job_id)
    other = checks.start("me", "Handbook", given([{"question": "Why?", "answer": "no"}]))
    over(other)
    with pytest.raises(InputError, match="in common"):
        checks.compare("me", job.job_id, other.job_id)
