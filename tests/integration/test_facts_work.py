"""Facts or style, with the real models in the box, on the table of the demonstration; and on a shop's table as it was scraped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.demonstration import Demonstration
from playground.errors import InputError, NotFound
from playground.facts.judging import counts, verdict
from playground.facts.work import Facts
from playground.jobs import Job
from playground.rag.chunks import Chunk
from playground.rag.index import Index
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


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


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


ROWS = ["name: apples; price: 3", "", "name: pears; price: 4", "name: plums; price: 5"]
PASSAGES = [(1, ROWS[0]), (3, ROWS[2]), (4, ROWS[3])]


def passages(services: Services, name: str = "Prices") -> list[tuple[int, str]]:
    (document,) = services.collections.documents("me", name)
    assert (document["state"], document["unit"], document["pages"]) == ("done", "row", document["chunks"])
    index = Index(services.collections.find("me", name) / "index.sqlite")
    ids = index.texts()[0]
    assert services.collections.search("me", "plums", name, mode="dense")
    return [(one.page, one.text) for one in index.passages(ids).values()]


def test_rows_stay_rows_where_their_collection_is_indexed_anew(services: Services) -> None:
    store_rows(services.collections, "me", "Prices", ROWS)
    assert passages(services) == PASSAGES
    finished(services.collections.reindex("me", "Prices", "starter"))
    assert passages(services) == PASSAGES


def test_rows_that_were_interrupted_are_gone_on_with_as_rows(services: Services) -> None:
    room = services.collections
    store_rows(room, "me", "Prices", ROWS, lambda: True)
    until(lambda: room.under_way("me", "Prices") is None)
    if room.documents("me", "Prices")[0]["state"] == "waiting":  # else it was quicker than the stop
        finished(room.add("me", [], "Prices")[0])
    assert passages(services) == PASSAGES
    store_rows(room, "me", "Prices", ROWS)
    assert passages(services) == PASSAGES


def test_rows_that_come_while_their_collection_is_indexed_anew_lose_nothing(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    room, real, coming = services.collections, Index.swap, threading.Event()
    store_rows(room, "me", "Prices", ROWS[:2])

    def swap(index: Index, about: dict[str, Any]) -> None:
        coming.set()
        time.sleep(0.3)
        real(index, about)

    monkeypatch.setattr(Index, "swap", swap)
    job = room.reindex("me", "Prices", "starter")
    assert coming.wait(20)
    store_rows(room, "me", "Prices", ROWS)
    finished(job)
    assert passages(services) == PASSAGES


def test_a_swap_keeps_no_passage_of_a_document_that_went_and_loses_none_that_came(services: Services) -> None:
    room = services.collections
    store_rows(room, "me", "Prices", ROWS)
    folder = room.find("me", "Prices")
    index = Index(folder / "index.sqlite")
    (document,) = index.documents()
    index.stage(document.id + 1, [Chunk(0, 1, "", 0, "of nobody")], np.zeros((1, 4)))
    index.swap({"embedder": "starter", "fingerprint": "", "dimension": 4, "swapped": 1})
    assert index.texts() == ([], []) and [one.state for one in index.documents()] == ["waiting"]
    finished(room.add("me", [], "Prices")[0])
    assert passages(services) == PASSAGES


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
