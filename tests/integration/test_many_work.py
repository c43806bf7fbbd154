"""A list of questions is asked of real models in groups, and each row is what the models say to that question alone."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from playground.asking import How
from playground.errors import InputError, SettingsError, WrongState, unpack
from playground.inference.generate import GenerationSettings
from playground.inference.panes import Pane
from playground.jobs import Job, Jobs
from playground.many import work as module
from playground.many.questions import Listed, Taken, given, pasted
from playground.many.work import GROUP, Many
from playground.messages import Message
from playground.models.catalog import AdapterRef
from playground.services import Services
from playground.settings import Limits, Settings
from tests.browser.conftest import wait_for
from tests.integration.conftest import MakeAdapter

SHORT = {"max_new_tokens": 6}
LINES = "\n".join(["Hi", "What is the capital of France?", "", "When does the shop open?", "Hi"] * 5)  # 20 questions, more than a group


@dataclass
class Asked:
    many: Many
    adapter: AdapterRef

    def start(self, taken: Taken, **more: Any) -> Job:
        return self.many.start("me", "0" * 12, taken, **{"settings": SHORT, **more})

    def all(self, taken: Taken, **more: Any) -> Job:
        return over(self.start(taken, **more))


def how(asked: Asked, **settings: Any) -> How:
    return asked.many.services.asking.read(settings)


def over(job: Job) -> Job:
    wait_for(lambda: job.finished, 120, "the list is asked")
    return job


@pytest.fixture
def asked(settings: Settings, adapter: MakeAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """A playground whose one run is a random adapter of the tiny model, in a folder of its own that may be deleted."""
    services = Services.make(replace(settings, limits=Limits(many_questions=40, prompt_characters=2_000)))
    made = adapter("many")
    made = replace(
        made, path=Path(shutil.copytree(made.path, tmp_path / "adapter")), instruction="Answer this.\n\n{text}", system="Be kind."
    )
    monkeypatch.setattr(services.runs, "adapter", lambda owner, run_id: made)
    yield Asked(Many(services), made)
    services.close()


def test_each_row_is_what_the_models_say_alone(asked: Asked) -> None:
    taken = pasted(LINES)
    job = asked.all(taken)
    rows = job.result["rows"]
    assert (job.state, job.done, job.total, len(rows)) == ("done", 20, 20, 20) and len(rows) > GROUP
    assert job.result["skipped"] == 5 and job.result["adapter"] == asked.adapter.sha256
    assert [row["question"] for row in rows] == [one.question for one in taken.listed], "in order, and twice stays twice"
    host, generation = asked.many.services.host, GenerationSettings(max_new_tokens=6)
    for question in {one.question for one in taken.listed}:
        put = asked.many.services.asking.question(question, asked.adapter, how(asked))
        assert put.prompt[0] == Message("system", "Be kind.") and "Answer this." in put.prompt[-1].content
        panes = [Pane(name, asked.adapter.model, False, worn, put) for name, worn in (("base", None), ("tuned", asked.adapter))]
        alone = {pane.key: list(host.stream([pane], generation))[-1][pane.key] for pane in panes}
        for row in rows:
            if row["question"] == question:
                assert {name: row[name]["text"] for name in alone} == {name: state.text for name, state in alone.items()}
                assert row["base"]["adapter"] is None and row["tuned"]["adapter"]["sha256"] == asked.adapter.sha256
                assert row["same"] is (alone["base"].text == alone["tuned"].text)


def test_settings_put_all_questions_in_another_way(asked: Asked) -> None:
    taken = given([{"question": "Hi", "answer": "x"}])
    usual = asked.all(taken).result["rows"][0]
    other = asked.all(taken, settings=SHORT | {"use_template": False}).result
    assert other["rows"][0]["base"]["text"] != usual["base"]["text"]
    assert other["settings"]["use_template"] is False and other["settings"]["max_new_tokens"] == 6
    for refused, named in (({"colour": 1}, "colour"), ({"runs": ["1" * 12]}, "one run"), ({"collection": "x"}, "without documents")):
        with pytest.raises(SettingsError, match=named):
            asked.start(taken, settings=refused)


def test_a_row_of_the_run_is_asked_as_it_stands_there(asked: Asked) -> None:
    whole = asked.many.services.asking.question("When?", asked.adapter, how(asked, system="Another system prompt."))
    (row,) = asked.all(Taken([Listed("When?", "", whole)])).result["rows"]
    (same,) = asked.all(given(["When?"]), settings=SHORT | {"system": "Another system prompt."}).result["rows"]
    (other,) = asked.all(given(["When?"])).result["rows"]
    assert row["tuned"]["text"] == same["tuned"]["text"] != other["tuned"]["text"]


def test_one_question_that_cannot_be_asked_does_not_keep_the_others(asked: Asked) -> None:
    rows = asked.all(given(["Hi", "x" * 3_000, "x" * 1_995, "Hi"])).result["rows"]
    assert [bool(row["tuned"]["error"]) for row in rows] == [False, True, True, False]
    assert rows[1]["same"] is None and "3,000 characters" in rows[1]["base"]["error"]
    assert "3.000 caracteres" in asked_in_portuguese(rows[1]["base"]["sentence"])
    assert rows[0]["tuned"]["text"] == rows[3]["tuned"]["text"] != ""


def asked_in_portuguese(packed: dict[str, Any]) -> str:
    from playground.ui.i18n import Texts
    from tests.conftest import PROJECT

    said = unpack(packed)
    assert said is not None
    return Texts(PROJECT / "assets/locales").sentence(said, "pt-BR")


def test_a_run_deleted_on_the_way_leaves_its_sentence_and_the_base_goes_on(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Many._ask

    def delete_after(self: Many, job: Job, adapter: AdapterRef, *more: Any) -> list[dict[str, Any]]:
        rows = whole(self, job, adapter, *more)
        shutil.rmtree(adapter.path, ignore_errors=True)
        return rows

    monkeypatch.setattr(Many, "_ask", delete_after)
    job = asked.all(pasted(LINES))
    rows = job.result["rows"]
    assert job.state == "done" and len(rows) == 20
    assert not any(row["tuned"]["error"] for row in rows[:GROUP])
    assert all("no longer on this machine" in row["tuned"]["error"] and not row["base"]["error"] for row in rows[GROUP:])


def test_stopping_keeps_what_is_answered(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, begun = Many._ask, []

    def stop_in_the_second(self: Many, job: Job, *more: Any) -> list[dict[str, Any]]:
        begun.append(job)
        if len(begun) == 2:
            self.services.jobs.stop("me", job.job_id)
        return whole(self, job, *more)

    monkeypatch.setattr(Many, "_ask", stop_in_the_second)
    job = asked.all(pasted(LINES), settings={"max_new_tokens": 200})
    assert job.state == "stopped" and job.done == len(job.result["rows"]) == GROUP
    assert all(row[name]["text"] for row in job.result["rows"] for name in ("base", "tuned"))
    wait_for(lambda: not any(one["busy"] for one in asked.many.services.host.status()["models"]), 30, "nothing is written for nobody")
    kept = Jobs(asked.many.services.workspace).get("me", job.job_id)  # as the next app finds it
    assert kept.state == "stopped" and kept.result == job.result


def test_others_have_their_turn_between_two_groups(asked: Asked) -> None:
    job = asked.start(given(["Tell me about fear, anger and joy."] * 40), settings={"max_new_tokens": 60})
    wait_for(lambda: job.done >= GROUP, 60, "the first group is answered", every=0.01)
    pane = Pane("chat", asked.adapter.model, False, None, asked.many.services.asking.question("Hi", asked.adapter, how(asked)))
    answer = list(asked.many.services.host.stream([pane], GenerationSettings(max_new_tokens=6)))[-1]["chat"]
    assert answer.done and answer.tokens and job.done < job.total
    assert over(job).state == "done"


def test_one_list_at_a_time_is_asked_for_each_owner(asked: Asked) -> None:
    gate = threading.Event()
    holding = asked.many.services.jobs.start("me", module.KIND, lambda job: gate.wait(30), apart=True)
    with pytest.raises(WrongState, match="still being asked"):
        asked.start(given(["Hi"]))
    other = asked.many.start("key:other", "0" * 12, given(["Hi"]), SHORT)
    assert over(other).state == "done", "another's list does not wait for it"
    gate.set()
    over(holding)
    job = asked.all(given(["Hi"]))
    assert [one["job_id"] for one in asked.many.kept("me")] == [job.job_id, holding.job_id]
    assert asked.many.kept("me")[0]["run"] == asked.adapter.name and asked.many.kept("me")[0]["questions"] == 1
    assert [one["job_id"] for one in asked.many.kept("key:other")] == [other.job_id]


@pytest.mark.parametrize("texts", [[], ["", " "], ["Hi"] * 41])
def test_no_question_and_too_many_are_refused(asked: Asked, texts: list[str]) -> None:
    with pytest.raises(InputError):
        asked.start(given(texts))
    assert not asked.many.kept("me")


@pytest.mark.parametrize("rows", [0, 41, 1.5, True, "3"])
def test_rows_are_a_number_within_the_limit(asked: Asked, rows: Any) -> None:
    with pytest.raises(InputError, match="whole number from 1 to 40"):
        asked.many.unseen("me", "0" * 12, rows)


def test_time_left_is_told_on_the_way(asked: Asked) -> None:
    job = asked.start(given(["Hi"] * 40), settings={"max_new_tokens": 40})
    wait_for(lambda: GROUP <= job.done < 40, 60, "some are answered", every=0.01)
    assert job.eta_seconds is not None and job.eta_seconds > 0
    assert job.doing in (module.ASKING, module.WAITING)
    over(job)
