"""The programming interface: every promised name, argument and key, through a real client."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tests.browser.conftest import Server, wait_for

ENDPOINTS = {
    "list_samples": [],
    "import_dataset": ["file", "sample", "options", "owner"],
    "list_hub_splits": ["id"],
    "import_hub_dataset": ["id", "split", "config", "owner"],
    "list_datasets": ["owner"],
    "delete_dataset": ["dataset_id", "owner"],
    "preview_dataset": ["dataset_id", "offset", "limit", "owner", "search", "column"],
    "check_dataset": ["dataset_id", "owner"],
    "fix_dataset": ["dataset_id", "issue_ids", "owner"],
    "restore_dataset": ["dataset_id", "version", "owner"],
    "edit_dataset": ["dataset_id", "cells", "add", "delete", "owner", "drop_columns"],
    "map_dataset": ["dataset_id", "settings", "owner"],
    "list_models": ["owner"],
    "list_server_models": ["owner"],
    "use_token": ["token", "owner"],
    "list_recipes": ["dataset_id", "owner", "model"],
    "export_run": ["run_id", "format", "owner"],
    "import_adapter": ["file", "model", "name", "owner", "path", "files"],
    "estimate_run": ["dataset_id", "settings", "owner", "start_from"],
    "rehearse_run": ["dataset_id", "settings", "owner", "start_from"],
    "start_run": ["dataset_id", "settings", "owner", "start_from"],
    "get_run": ["run_id", "owner"],
    "get_metrics": ["run_id", "since_step", "owner"],
    "stop_run": ["run_id", "owner"],
    "cancel_run": ["run_id", "owner"],
    "resume_run": ["run_id", "settings", "owner"],
    "move_run": ["run_id", "place", "owner"],
    "list_runs": ["owner"],
    "delete_run": ["run_id", "owner"],
    "compare": ["prompt", "run_id", "settings", "owner"],
    "compare_many": ["questions", "run_id", "settings", "rows", "owner"],
    "look_inside": ["prompt", "run_id", "answers", "right", "settings", "owner"],
    "index_documents": ["files", "collection", "embedder", "owner", "passwords", "settings"],
    "list_collections": ["owner"],
    "list_documents": ["collection", "owner"],
    "rename_document": ["collection", "name", "new_name", "owner", "document_id"],
    "delete_document": ["collection", "name", "owner", "document_id"],
    "rename_collection": ["collection", "new_name", "owner"],
    "reindex_collection": ["collection", "embedder", "owner"],
    "delete_collection": ["collection", "owner"],
    "search": ["question", "collection", "k", "mode", "owner", "settings"],
    "xray": ["question", "collection", "run_id", "settings", "owner"],
    "facts_or_style": ["run_id", "questions", "owner"],
    "check_documents": ["questions", "collection", "settings", "owner"],
    "compare_checks": ["before", "after", "owner"],
    "suggest_threshold": ["job_id", "owner"],
    "set_threshold": ["collection", "threshold", "owner"],
    "ask": ["question", "collection", "run_id", "settings", "owner"],
    "get_job": ["job_id", "owner"],
    "stop_job": ["job_id", "owner"],
    "open_vote": ["question", "answers", "owner"],
    "cast_vote": ["vote_id", "choice", "voter"],
    "get_vote": ["vote_id", "owner"],
    "reveal_vote": ["vote_id", "owner"],
}

RUN_KEYS = {"run_id", "name", "state", "pid", "place_in_line", "step", "max_steps", "epoch", "loss", "eval_loss", "seconds", "eta_seconds"}
RUN_KEYS |= {"tokens_per_second", "memory_mb", "settings", "error"}
POINT_KEYS = {"step", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm", "tokens", "time"}


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return server.client()


@pytest.fixture(scope="module")
def run_id(client: Client) -> str:
    dataset = client.predict(api_name="/import_dataset", file=None, sample="Harbour Café: answers in house style")
    run = client.predict(api_name="/start_run", dataset_id=dataset["dataset_id"], settings={"max_steps": 3})["run_id"]
    wait_for(lambda: client.predict(api_name="/get_run", run_id=run)["state"] == "done", 240, "the run is done")
    return run


def test_names_arguments_and_descriptions(client: Client) -> None:
    listed = client.view_api(return_format="dict")["named_endpoints"]
    assert {name.strip("/") for name in listed} == set(ENDPOINTS)
    for name, arguments in ENDPOINTS.items():
        assert [p["parameter_name"] for p in listed[f"/{name}"]["parameters"]] == arguments
        assert len(listed[f"/{name}"].get("description", "")) > 20


def test_dataset_endpoints(client: Client, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("question,answer\n" + "".join(f"What is {n}?,It is {n}.\n" for n in range(50)))
    read = client.predict(api_name="/import_dataset", file=handle_file(table))
    assert {"dataset_id", "name", "rows", "columns", "read_as", "dropped", "warnings"} <= read.keys()
    assert read["rows"] == 50
    assert read["read_as"]["delimiter"] == ","
    page = client.predict(api_name="/preview_dataset", dataset_id=read["dataset_id"], offset=48, limit=10)
    assert page["total"] == 50
    assert len(page["rows"]) == 2
    report = client.predict(api_name="/map_dataset", dataset_id=read["dataset_id"], settings={"split": {"validation": 0.2, "test": 0.2}})
    assert report["rows"] == {"train": 30, "validation": 10, "test": 10}
    assert {"median", "p95", "max", "over_limit"} <= report["tokens"].keys()
    assert any(trained for _, trained in report["example"]["pieces"])
    assert any(d["dataset_id"] == read["dataset_id"] for d in client.predict(api_name="/list_datasets"))
    client.predict(api_name="/delete_dataset", dataset_id=read["dataset_id"])
    assert all(d["dataset_id"] != read["dataset_id"] for d in client.predict(api_name="/list_datasets"))


def test_run_endpoints(client: Client, run_id: str) -> None:
    run = client.predict(api_name="/get_run", run_id=run_id)
    assert run.keys() >= RUN_KEYS
    assert (run["state"], run["step"], run["max_steps"]) == ("done", 3, 3)
    points = client.predict(api_name="/get_metrics", run_id=run_id, since_step=0)
    assert [p["step"] for p in points if p.get("loss") is not None] == [1, 2, 3]
    assert points[-1].keys() >= POINT_KEYS
    assert [p["step"] for p in client.predict(api_name="/get_metrics", run_id=run_id, since_step=2)] == [3]
    assert run_id in [r["run_id"] for r in client.predict(api_name="/list_runs")]


def test_compare_streams_and_proves_who_answered(client: Client, run_id: str) -> None:
    stream = list(client.submit(api_name="/compare", prompt="Are dogs allowed?", run_id=run_id, settings={"max_new_tokens": 12}))
    last = stream[-1]
    assert len(stream) > 2
    assert last["base"]["adapter"] is None
    assert last["tuned"]["adapter"]["run_id"] == run_id
    assert last["base"]["tokens"] > 0
    assert last["tuned"]["seconds"] > 0


@pytest.mark.parametrize(
    ("endpoint", "arguments", "told"),
    [
        ("import_dataset", {"file": None, "sample": "no such sample"}, "sample"),
        ("import_dataset", {"file": None, "sample": None}, "file or the name"),
        ("preview_dataset", {"dataset_id": "../../etc"}, "no such dataset"),
        ("get_run", {"run_id": "000000000000"}, "no such run"),
        ("delete_run", {"run_id": "../runs"}, "no such run"),
    ],
)
def test_failures_are_one_sentence(client: Client, endpoint: str, arguments: dict, told: str) -> None:
    with pytest.raises(AppError, match=told):
        client.predict(api_name=f"/{endpoint}", **arguments)


def test_unknown_settings_are_refused_with_the_known_ones(client: Client, run_id: str) -> None:
    dataset = client.predict(api_name="/list_datasets")[0]["dataset_id"]
    for endpoint, arguments in (
        ("map_dataset", {"dataset_id": dataset, "settings": {"colour": 1}}),
        ("start_run", {"dataset_id": dataset, "settings": {"colour": 1, "learning_rate": "high"}}),
    ):
        with pytest.raises(AppError, match="colour"):
            client.predict(api_name=f"/{endpoint}", **arguments)
    with pytest.raises(AppError, match="colour"):
        client.submit(api_name="/compare", prompt="x", run_id=run_id, settings={"colour": 1}).result()


def test_models_say_why_they_cannot_be_had(client: Client) -> None:
    models = client.predict(api_name="/list_models")
    assert (models[0]["id"], models[0]["available"]) == ("starter", True)
    assert any(m["parameters"] and m["parameters"] > 6e9 for m in models)
    assert all(m["available"] or m["reason"] for m in models)


def test_a_dataset_is_checked_mended_edited_and_restored_by_program(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "doubled.csv"
    path.write_text("question,answer\n" + "".join(f"Where is thing {n}?,On shelf number {n}.\n" for n in (*range(25), 3)))
    dataset = client.predict(api_name="/import_dataset", file=handle_file(path), sample=None)["dataset_id"]
    issues = client.predict(api_name="/check_dataset", dataset_id=dataset)["issues"]
    (doubled,) = [one for one in issues if one["kind"] == "duplicate_rows"]
    assert doubled["rows"] == 1 and doubled["examples"] == [25] and doubled["fix"]
    done = client.predict(api_name="/fix_dataset", dataset_id=dataset, issue_ids=[doubled["id"]])
    assert (done["version"], done["rows"], sum(done["dropped"].values())) == (2, 25, 1)
    edited = client.predict(api_name="/edit_dataset", dataset_id=dataset, cells=[{"row": 0, "column": "answer", "value": "Gone."}])
    assert (edited["version"], edited["changed"]) == (3, 1)
    assert client.predict(api_name="/preview_dataset", dataset_id=dataset, search="gone")["rows"] == [["Where is thing 0?", "Gone."]]
    assert client.predict(api_name="/restore_dataset", dataset_id=dataset, version=1)["rows"] == 26


def test_a_blind_vote_by_program(client: Client) -> None:
    answers = [{"key": "base", "name": "Base", "text": "Perhaps."}, {"key": "tuned", "name": "My run", "text": "Yes, on a lead."}]
    vote = client.predict(api_name="/open_vote", question="Are dogs allowed?", answers=answers)
    assert (vote["state"], vote["voters"]) == ("open", 0)
    assert "My run" not in str(vote) and "tuned" not in str(vote)
    good = next(one["label"] for one in vote["answers"] if one["text"] == "Yes, on a lead.")
    for voter in ("anna", "bruno", "anna"):
        seen = client.predict(api_name="/cast_vote", vote_id=vote["vote_id"], choice=good, voter=voter)
        assert seen.keys() == {"vote_id", "state", "question", "answers"}
    assert client.predict(api_name="/get_vote", vote_id=vote["vote_id"])["voters"] == 2
    with pytest.raises(AppError, match="by its letter: A, B"):
        client.predict(api_name="/cast_vote", vote_id=vote["vote_id"], choice="C", voter="carla")
    result = client.predict(api_name="/reveal_vote", vote_id=vote["vote_id"])["result"]
    assert (result["leader"], result["voters"], result["p"], result["more_than_chance"]) == (good, 2, 0.5, False)
    assert next(one for one in result["answers"] if one["label"] == good)["name"] == "My run"
    with pytest.raises(AppError, match="This vote is over"):
        client.predict(api_name="/cast_vote", vote_id=vote["vote_id"], choice="A", voter="carla")
    with pytest.raises(AppError, match="no such vote"):
        client.predict(api_name="/get_vote", vote_id="../../etc/passwd")
