"""Facts or style, with the real models in the box, on the table of the demonstration; and on a shop's table as it was scraped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.demonstration import Demonstration
from playground.errors import InputError, NotFound
from playground.facts.judging import counts, verdict
from playground.facts.work import Facts
from playground.jobs import Job
from playground.rag.page_view import PageViews
from playground.rag.rows import store_rows
from playground.services import Services
from playground.settings import Settings


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    services = Services.make(settings)
    services.open()
    yield services
    services.close()


def finished(job: Job, seconds: float = 120) -> Job:
    deadline = time.monotonic() + seconds
    while not job.finished and time.monotonic() < deadline:
        time.sleep(0.02)
    assert job.finished
    return job


def test_training_gives_style_and_documents_give_facts(services: Services) -> None:
    run_id = Demonstration(services).install("me")["run_id"]
    facts = Facts(services)
    with pytest.raises(InputError):
        facts.start("me", run_id, 0)
    with pytest.raises(NotFound):
        facts.start("you", run_id, 3)
    job = finished(facts.start("me", run_id, 4))
    assert (job.state, job.error) == ("done", None)
    rows = job.result["rows"]
    counted = counts(rows)
    assert len(rows) == 4 and job.result["style"] == ["Ahoy!", "Fair winds and warm tea!"]
    assert counted["base_documents"]["right"] == 4 and counted["tuned"]["right"] < 4
    assert counted["tuned"]["styled"] >= 3 and counted["base"]["styled"] == 0
    assert verdict(counted) == "both"
    assert [one["job_id"] for one in facts.kept("me")] == [job.job_id] and facts.kept("you") == []
    made = services.collections.list("me")
    assert made[-1]["rows"] and made[-1]["collection"] == job.result["collection"] and len(made) == 2
    (hit, *_) = services.collections.search("me", rows[0]["question"], job.result["collection"])
    assert rows[0]["right"] in hit["text"] and hit["unit"] == "row"
    view = PageViews(services.collections).page("me", job.result["collection"], 1, hit["page"])
    assert view.picture is None and rows[0]["right"] in view.text


def test_a_stopped_experiment_keeps_what_is_answered(services: Services) -> None:
    facts = Facts(services)
    job = facts.start("me", Demonstration(services).install("me")["run_id"], 30)
    while not job.done and not job.finished:
        time.sleep(0.02)
    services.jobs.stop("me", job.job_id)
    finished(job)
    assert job.state == "stopped" and 1 <= len(job.result["rows"]) < 30


def test_rows_are_a_collection_that_follows_its_table(services: Services) -> None:
    room = services.collections
    store_rows(room, "me", "Prices", ["name: tea; price: 3", "", "name: cake; price: 4"])
    store_rows(room, "me", "Prices", ["name: tea; price: 3", "", "name: cake; price: 4"])
    (document,) = room.documents("me", "Prices")
    assert (document["pages"], document["chunks"], document["unit"]) == (2, 2, "row")
    store_rows(room, "me", "Prices", ["name: tea; price: 5"])
    (document,) = room.documents("me", "Prices")
    assert document["chunks"] == 1
    *_, last = room.ask("me", "What is the price of tea?", "Prices", None, small=True)
    assert last["answer"] == "name: tea; price: 5" and last["citations"][0]["page"] == 1
    with pytest.raises(InputError):
        store_rows(room, "me", "Nothing", ["", " "])


@pytest.mark.soak
def test_a_shops_table(services: Services, shared_data: Path) -> None:
    """A run that learnt titles and prices of a shop invents prices; with the rows, they are right."""
    made = services.datasets.import_file("me", shared_data / "reports" / "grocery.csv", "grocery.csv")
    services.map_dataset("me", made["dataset_id"], {"task": "instruction", "columns": {"prompt": "Title", "answer": "Price"}})
    run_id = services.start_run("me", made["dataset_id"], {"max_steps": 60})
    deadline = time.monotonic() + 240
    while not services.runs.get("me", run_id).finished and time.monotonic() < deadline:
        time.sleep(0.3)
    job = finished(Facts(services).start("me", run_id, 6))
    counted = counts(job.result["rows"])
    assert counted["base_documents"]["right"] >= 4 > counted["tuned"]["right"], job.result["rows"]
