"""Datasets of the Hugging Face Hub, over a real connection to a Hub of our own: what is found, brought in, and refused."""

from __future__ import annotations

import gzip
import io
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from playground.data import hub_client
from playground.data.hub import HubDatasets
from playground.data.hub_layout import Part, converted_parts, default_part, kind_of, own_parts
from playground.data.store import DatasetStore
from playground.errors import DatasetUnavailable, InputError, NotFound, PlaygroundError, WrongState
from playground.jobs import Jobs, follow
from playground.services import Services
from playground.settings import Limits, Settings
from playground.workspace import Workspace
from tests.fake_hub import CONVERTED, FakeHub, Repo, commit_of, fake_hub

ME = "me"
SCRIPT = b"raise SystemExit('a script of a dataset was run')"
Serve = Callable[..., FakeHub]


def parquet(first: int = 0, rows: int = 30, **columns: Any) -> bytes:
    file = io.BytesIO()
    numbers = range(first, first + rows)
    pl.DataFrame({"question": [f"What is {n}?" for n in numbers], "answer": [f"It is {n}." for n in numbers], **columns}).write_parquet(
        file
    )
    return file.getvalue()


def csv(first: int = 0, rows: int = 30) -> bytes:
    return ("question,answer\n" + "".join(f"What is {n}?,It is {n}.\n" for n in range(first, first + rows))).encode()


def jsonl(first: int = 0, rows: int = 30) -> bytes:
    return "".join(json.dumps({"question": f"What is {n}?", "answer": f"It is {n}."}) + "\n" for n in range(first, first + rows)).encode()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Serve]:
    """Start a Hub with these datasets, and let huggingface_hub ask it: no token, no cache."""
    from huggingface_hub import constants

    with ExitStack() as stack:

        def begin(**repos: Repo) -> FakeHub:
            hub = stack.enter_context(fake_hub(**repos))
            point_to(monkeypatch, hub.url)
            return hub

        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield begin


def point_to(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture
def datasets(settings: Settings, workspace: Workspace) -> HubDatasets:
    return HubDatasets(DatasetStore(workspace, settings), Jobs(workspace))


def limited(datasets: HubDatasets, **limits: int) -> HubDatasets:
    settings = replace(datasets.store.settings, limits=Limits(**limits))
    return HubDatasets(DatasetStore(datasets.store.workspace, settings), datasets.jobs)


def bring(datasets: HubDatasets, name: str, **part: str) -> dict[str, Any]:
    """The dataset that came in, as the store tells of it."""
    *_, job = follow(datasets.start(ME, name, **part))
    assert job.state == "done", job.error
    return {**datasets.store.info(ME, job.result["dataset_id"]), "hub": job.result}


def refused(datasets: HubDatasets, name: str, **part: str) -> str:
    """The sentence; nothing is kept and nobody waits for an answer that does not come."""
    began = time.monotonic()
    try:
        *_, job = follow(datasets.start(ME, name, **part))
        assert job.state == "failed" and job.error, job
        told = str(job.error)
    except PlaygroundError as error:
        told = str(error)
    assert datasets.store.list(ME) == [] and time.monotonic() - began < 60
    return told


def test_a_parquet_file_comes_in_whole_at_one_commit(serve: Serve, datasets: HubDatasets) -> None:
    hub = serve(anna__pairs=Repo({"README.md": b"# Hi", "pairs.py": SCRIPT, "data/train-00000-of-00001.parquet": parquet()}))
    made = bring(datasets, "anna/pairs")
    assert (made["name"], made["rows"], made["read_as"]["format"]) == ("pairs-train.parquet", 30, "parquet")
    commit = commit_of("anna/pairs")
    wanted = {"id": "anna/pairs", "revision": commit, "config": "default", "split": "train"}
    assert made["hub"] == {"dataset_id": made["dataset_id"], **wanted}
    fetched = {path for path in hub.requests if "/resolve/" in path}
    assert fetched == {f"/datasets/anna/pairs/resolve/{commit}/data/train-00000-of-00001.parquet"}
    history = datasets.store.workspace.find("datasets", made["dataset_id"], ME) / "history.jsonl"
    assert wanted.items() <= json.loads(history.read_text().splitlines()[-1]).items()


def test_several_shards_become_one_table_in_their_order(serve: Serve, datasets: HubDatasets) -> None:
    files = {f"data/train-{n:05}-of-00003.parquet": parquet(n * 10, 10) for n in (2, 0, 1)}
    files["data/train-00002-of-00003.parquet"] = parquet(20, 10, source=["book"] * 10)  # a column that the others lack
    serve(anna__pairs=Repo(files))
    made = bring(datasets, "anna/pairs")
    page = datasets.store.preview(ME, made["dataset_id"], 0, 100)
    assert [row[0] for row in page["rows"]] == [f"What is {n}?" for n in range(30)]
    assert page["columns"] == ["question", "answer", "source"] and page["rows"][-1][2] == "book"


def test_shards_that_do_not_fit_together_are_refused(serve: Serve, datasets: HubDatasets) -> None:
    broken = {"train-00000-of-00002.parquet": parquet(), "train-00001-of-00002.parquet": b"PAR1" + bytes(50) + b"PAR1"}
    other = {"train-00000-of-00002.parquet": parquet(), "train-00001-of-00002.parquet": parquet(more=[[{"a": 1}]] * 30)}
    other["train-00000-of-00002.parquet"] = parquet(more=[3] * 30)
    serve(anna__broken=Repo(broken), anna__other=Repo(other))
    assert "is damaged" in refused(datasets, "anna/broken")
    assert "do not fit together" in refused(datasets, "anna/other")


def test_the_hubs_conversion_is_taken_before_csv(serve: Serve, datasets: HubDatasets) -> None:
    converted = {"default/train/0000.parquet": parquet(), "default/test/0000.parquet": parquet(50, 5)}
    serve(anna__pairs=Repo({"all.csv": csv(), "pairs.py": SCRIPT}, converted=converted))
    made = bring(datasets, "anna/pairs", split="test")
    assert (made["rows"], made["hub"]["revision"]) == (5, commit_of("anna/pairs" + CONVERTED))


@pytest.mark.parametrize(
    ("name", "content", "called"),
    [
        ("pairs.csv", csv(), "pairs-train.csv"),
        ("train.jsonl", jsonl(), "pairs-train.jsonl"),
        ("data/train.csv.gz", gzip.compress(csv()), "pairs-train.csv.gz"),
        ("train.json", json.dumps([json.loads(line) for line in jsonl().splitlines()]).encode(), "pairs-train.json"),
    ],
)
def test_without_parquet_other_tables_are_read(serve: Serve, datasets: HubDatasets, name: str, content: bytes, called: str) -> None:
    serve(pairs=Repo({name: content, "dataset_infos.json": b"{}", "README.md": b""}))
    made = bring(datasets, "https://huggingface.co/datasets/pairs/viewer/default/train")
    assert (made["name"], made["rows"]) == (called, 30)


def test_several_csv_files_of_one_split_are_put_together(serve: Serve, datasets: HubDatasets) -> None:
    serve(anna__pairs=Repo({"train_1.csv": csv(0, 10), "train_2.csv": csv(10, 20), "test.csv": csv(50, 5)}))
    assert [(one.split, len(one.files)) for one in datasets.look("anna/pairs").parts] == [("test", 1), ("train", 2)]
    made = bring(datasets, "anna/pairs")
    assert (made["rows"], made["name"]) == (30, "pairs-train.parquet")


def test_a_part_is_chosen_by_config_and_split(serve: Serve, datasets: HubDatasets) -> None:
    converted = {
        f"{config}/{split}/0000.parquet": parquet(0, rows) for config, rows in (("en", 11), ("pt", 22)) for split in ("dev", "train")
    }
    serve(anna__pairs=Repo({}, converted=converted))
    found = datasets.look("anna/pairs")
    assert (found.default.config, found.default.split, len(found.parts)) == ("en", "train", 4)
    told = found.to_dict()
    assert [one["default"] for one in told["splits"]] == [False, True, False, False] and told["splits"][0]["bytes"] > 0
    made = bring(datasets, "anna/pairs", config="pt", split="dev")
    assert (made["rows"], made["name"]) == (22, "pairs-pt-dev.parquet")
    with pytest.raises(NotFound, match=r"no part de/train\. Its parts are: en/dev, en/train, pt/dev"):
        datasets.start(ME, "anna/pairs", "de", "train")


def test_what_the_card_declares_goes_before_what_names_suggest(serve: Serve, datasets: HubDatasets) -> None:
    configs = [
        {"config_name": "small", "data_files": [{"split": "train", "path": ["small/*.parquet"]}]},
        {"config_name": "large", "default": True, "data_files": {"train": "./large/a-*", "test": "large/**/b-*.parquet"}},
        {"config_name": 7, "data_files": [{"split": None, "path": [3]}]},
        "nonsense",
    ]
    files = {"small/x.parquet": b"1", "large/a-1.parquet": b"22", "large/a-2.parquet": b"22", "large/deep/b-1.parquet": b"3"}
    serve(anna__pairs=Repo(files, configs=configs))
    parts = datasets.look("anna/pairs").parts
    assert parts == (
        Part("large", "train", ("large/a-1.parquet", "large/a-2.parquet"), 4),
        Part("large", "test", ("large/deep/b-1.parquet",), 1),
        Part("small", "train", ("small/x.parquet",), 1),
    )


def test_parts_are_guessed_from_names() -> None:
    def guessed(*names: str) -> dict[str, int]:
        return {part.split: len(part.files) for part in own_parts(dict.fromkeys(names, 1))}

    assert guessed("a/train.csv", "a/valid.csv", "notes.csv") == {"train": 1, "validation": 1}
    assert guessed("constraints.csv", "latest.csv") == {"constraints": 1, "latest": 1}  # no word of theirs is a split
    assert guessed("part-1.csv", "part-2.csv", "part-3.csv") == {"train": 3}
    assert guessed("data/train_sft-00000-of-00002.parquet", "data/train_sft-00001-of-00002.parquet") == {"train": 2}
    assert guessed("data/prefs-00000-of-00001.parquet", "data/test-00000-of-00001.parquet") == {"prefs": 1, "test": 1}
    assert guessed("x.csv", "x.json") == {"train": 1}
    old = converted_parts({"plain/imdb-train.parquet": 5, "plain/imdb-test.parquet": 3, "stray.parquet": 1})
    assert [(one.config, one.split) for one in old] == [("plain", "test"), ("plain", "train")]
    assert default_part(old).split == "train"


def test_a_long_pattern_of_stars_costs_no_time() -> None:
    began = time.monotonic()
    patterns = [{"config_name": "x", "data_files": "*a" * 100 + "b"}, {"config_name": "y", "data_files": "**/" * 90 + "x"}]
    own_parts({"a" * 250 + f"{n}.csv": 1 for n in range(200)}, patterns)
    assert time.monotonic() - began < 5


def test_names_that_lead_out_of_the_folder_are_not_fetched(serve: Serve, datasets: HubDatasets) -> None:
    bad = ["../../x.parquet", "/etc/x.parquet", "a/../../x.csv", "..\\x.csv", "C:x.csv", "a//x.csv", ".hidden/x.csv", "a/\0.csv", "x\n.csv"]
    assert [kind_of(name) for name in bad] == [None] * len(bad) and kind_of("a" * 400 + ".csv") is None
    hub = serve(anna__bad=Repo(dict.fromkeys(bad, parquet())), anna__both=Repo({**dict.fromkeys(bad, csv()), "good.csv": csv()}))
    assert "no Parquet, CSV" in refused(datasets, "anna/bad")
    assert bring(datasets, "anna/both")["rows"] == 30
    assert {path.rsplit("/", 1)[-1] for path in hub.requests if "/resolve/" in path} == {"good.csv"}


@pytest.mark.parametrize(
    "name",
    [
        *("", "  ", "a/b/c", "../etc", "a b/c", "anna/pairs;rm", "a--b", "a..b", "anna/", "/pairs", "x" * 97, "anna/päirs", "x.git"),
        *("https://example.com/datasets/anna/pairs", "https://huggingface.co.example.com/datasets/a/b", "http://127.0.0.1/datasets/a/b"),
        *("https://huggingface.co/anna/pairs", "https://huggingface.co/datasets/", "file:///etc/passwd", "a" * 10_000, "a\nb", None, 7),
    ],
)
def test_what_is_no_name_is_refused_before_anybody_is_asked(serve: Serve, datasets: HubDatasets, name: Any) -> None:
    hub = serve()
    with pytest.raises(InputError) as caught:
        datasets.look(name)
    assert hub.requests == [] and "owner/name" in str(caught.value) and len(str(caught.value)) < 400


def test_names_and_addresses_that_are_understood() -> None:
    assert hub_client.clean_id(" anna/pairs ") == "anna/pairs" and hub_client.clean_id("squad") == "squad"
    address = "https://huggingface.co/datasets"
    for text in (f"{address}/anna/pairs", f"{address}/anna/pairs/", f"{address}/anna/pairs/tree/main?x=1#y", "hf.co/datasets/anna/pairs"):
        assert hub_client.clean_id(text) == "anna/pairs"
    assert hub_client.clean_id(f"{address}/squad") == hub_client.clean_id(f"{address}/squad/viewer") == "squad"


def test_what_cannot_be_had_is_told_in_a_sentence(serve: Serve, datasets: HubDatasets) -> None:
    file = {"train.parquet": parquet()}
    hub = serve(anna__gated=Repo(file, gated=True), anna__down=Repo(file, status=503), anna__script=Repo({"s.py": SCRIPT, "x.pkl": b""}))
    assert "no dataset anna/nothing" in refused(datasets, "anna/nothing") and "token" in refused(datasets, "anna/nothing")
    assert "accepted its terms" in refused(datasets, "anna/gated") and "token" in refused(datasets, "anna/gated")
    assert "503" in refused(datasets, "anna/down")
    assert "is not run here" in refused(datasets, "anna/script")
    hub.page = "<html>Welcome to our hotel. Sign in to use the network.</html>"
    assert "cannot be reached" in refused(datasets, "anna/gated")


def test_too_large_is_refused_before_and_while_it_is_fetched(serve: Serve, datasets: HubDatasets) -> None:
    told, hidden = Repo({"train.parquet": parquet(), "test.parquet": b"x"}), Repo({"train.csv": csv(0, 2000)}, sizes={"train.csv": None})
    hub = serve(anna__large=replace(told, sizes={"train.parquet": 900 * 1024**2}), anna__hidden=hidden)
    small = limited(datasets, upload_bytes=512 * 1024**2)
    assert "has 900 MB in its part default/train; 512 MB is the most" in refused(small, "anna/large")
    assert not any("/resolve/" in path for path in hub.requests)
    assert "is the most that can be read here" in refused(limited(datasets, upload_bytes=20_000), "anna/hidden")


def test_too_many_rows_in_all_are_refused(serve: Serve, datasets: HubDatasets) -> None:
    serve(
        anna__a=Repo({f"train-0000{n}-of-00002.parquet": parquet(n * 30) for n in (0, 1)}), anna__b=Repo({"1.csv": csv(), "2.csv": csv(30)})
    )
    for name in ("anna/a", "anna/b"):
        assert "60 rows; 50 is the most" in refused(limited(datasets, rows=50), name)


def test_without_a_network_the_sentence_says_what_to_do(serve: Serve, datasets: HubDatasets, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        point_to(monkeypatch, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert "cannot be reached" in refused(datasets, "anna/pairs") and "upload a file" in refused(datasets, "anna/pairs")
        nobody.listen()  # somebody is there, but never answers
        monkeypatch.setattr(hub_client, "WHOLE_SECONDS", 0.5)
        assert "cannot be reached" in refused(datasets, "anna/pairs")


def test_switched_off_downloads_are_told_as_such(serve: Serve, datasets: HubDatasets, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    hub = serve(anna__pairs=Repo({"train.csv": csv()}))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in refused(datasets, "anna/pairs") and hub.requests == []


def test_a_connection_that_breaks_keeps_nothing(serve: Serve, datasets: HubDatasets, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(anna__pairs=Repo({"train.parquet": parquet()}))

    def broken(*_: Any, **__: Any) -> str:
        raise OSError("Consistency check failed: file should be of size 9")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", broken)
    assert "broke off" in refused(datasets, "anna/pairs")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: "/etc/hostname")
    assert "no Parquet" in refused(datasets, "anna/pairs")  # a file outside the folder is none of the dataset's


def test_a_download_can_be_stopped(serve: Serve, datasets: HubDatasets, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(anna__pairs=Repo({"train-1.csv": csv(), "train-2.csv": csv()}))
    fetch = hub_client.fetch

    def slow(found: Any, name: str, folder: Path, told: Callable[[int], None]) -> Path:
        datasets.jobs.stop(ME, job.job_id)
        return fetch(found, name, folder, told)

    monkeypatch.setattr(hub_client, "fetch", slow)
    job = datasets.start(ME, "anna/pairs")
    *_, last = follow(job)
    assert last.state == "failed" and "was stopped" in str(last.error) and datasets.store.list(ME) == []


def test_visitors_of_a_shared_playground_are_told_to_upload(serve: Serve, datasets: HubDatasets) -> None:
    hub = serve(anna__pairs=Repo({"train.csv": csv()}))
    shared = HubDatasets(DatasetStore(datasets.store.workspace, replace(datasets.store.settings, mode="shared")), datasets.jobs)
    with pytest.raises(WrongState, match="upload it here"):
        shared.look("anna/pairs")
    assert hub.requests == []


def test_the_services_follow_the_job_and_tell_of_the_dataset(serve: Serve, settings: Settings) -> None:
    serve(anna__pairs=Repo({"train.csv": csv()}), anna__gated=Repo({"train.csv": csv()}, gated=True))
    services = Services.make(settings)
    try:
        *_, job = services.import_hub_dataset(ME, "anna/pairs")
        made = services.imported(ME, job)
        assert (made["rows"], made["hub"]["id"], job.done, job.total) == (30, "anna/pairs", len(csv()), len(csv()))
        *_, job = services.import_hub_dataset(ME, "anna/gated")
        with pytest.raises(PlaygroundError, match="accepted its terms"):
            services.imported(ME, job)
        with pytest.raises(DatasetUnavailable):
            next(services.import_hub_dataset(ME, "anna/nothing"))
    finally:
        services.close()
