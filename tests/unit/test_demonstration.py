"""The demonstration in the box is whole and fits the starters; it is given once, and brought back when asked for."""

import hashlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from playground.demonstration import COLLECTION, MARK, Demonstration
from playground.errors import NotFound, PlaygroundError, StorageFull
from playground.rag.embedders import _fingerprint
from playground.services import SAMPLE_QUESTIONS, Services
from playground.settings import Settings
from playground.training import samples
from playground.workspace import Workspace, read_json, write_json

ASSETS = Path(__file__).resolve().parents[2] / "assets"
BOX = ASSETS / "demonstration"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    made = Services.make(settings)
    yield made
    made.close()


@pytest.fixture
def demonstration(services: Services) -> Demonstration:
    return Demonstration(services)


def counts(services: Services, owner: str = "me") -> tuple[int, int, int]:
    return tuple(len(services.workspace.list(kind, owner)) for kind in ("datasets", "runs", "collections"))  # type: ignore[return-value]


# what lies in assets/


def test_it_was_made_with_the_starters_that_lie_beside_it() -> None:
    about = read_json(BOX / "about.json")
    again = "python -m playground.demonstration makes it anew"
    assert about["starter_sha256"] == sha256(ASSETS / "starter/language-model/model.safetensors"), again
    embedder = read_json(BOX / "collection/embedder.json")
    assert embedder["fingerprint"] == _fingerprint(ASSETS / "starter/embedder"), again
    with sqlite3.connect(f"file:{BOX / 'collection/index.sqlite'}?mode=ro&immutable=1", uri=True) as db:
        documents = db.execute("SELECT name, sha256, state, pages, chunks, error FROM documents").fetchall()
        vectors = db.execute("SELECT length(vector), length(text) FROM chunks").fetchall()
    [(name, digest, state, pages, chunks, error)] = documents
    assert (name, state, pages, error) == (about["document"], "done", 12, None)
    assert digest == sha256(ASSETS / "samples" / name), again
    assert chunks == len(vectors) > 0
    assert {size for size, _ in vectors} == {2 * embedder["dimension"]}
    assert name == read_json(ASSETS / "samples" / SAMPLE_QUESTIONS)["document"]


def test_the_adapter_is_the_one_that_the_run_made() -> None:
    adapter = BOX / "run/adapter/adapter_model.safetensors"
    told = read_json(BOX / "run/manifest.json")["adapter"]
    assert told == {"sha256": sha256(adapter), "bytes": adapter.stat().st_size}
    assert read_json(BOX / "run/status.json")["state"] == "done"
    assert read_json(BOX / "about.json")["dataset"] in [one["name"] for one in read_json(ASSETS / "samples/samples.json")]


def test_nothing_in_it_tells_of_the_machine_that_made_it() -> None:
    files = sorted(path for path in BOX.rglob("*") if path.suffix in (".json", ".jsonl"))
    assert len(files) > 8
    for path in files:
        text = path.read_text("utf-8")
        assert not re.search(r'"(/|[A-Z]:\\\\|~/)[^"]*"', text), path
        assert not re.search(r"/(home|root|tmp|work|Users|var)/", text), path
    for name in ("index.sqlite", "embedder.json"):
        assert b"/tmp/" not in (BOX / "collection" / name).read_bytes()
    for name in ("config.json", "status.json"):
        told = read_json(BOX / "run" / name)
        assert not told.keys() & {"id", "owner", "created", "pid", "pid_started", "launched", "queued_at"}, name


def test_the_curve_and_the_answers_are_whole() -> None:
    steps = read_json(BOX / "about.json")["steps"]
    points = [json.loads(line) for line in (BOX / "run/metrics.jsonl").read_text().splitlines()]
    assert max(one["step"] for one in points) == steps
    assert any(one.get("eval_loss") for one in points)
    told = samples.read(BOX / "run")
    assert told["prompts"]
    assert all(len(one["answers"]) == len(told["prompts"]) for one in told["steps"])
    assert told["steps"][-1]["step"] <= steps


# installing


def test_every_room_can_read_what_is_installed(services: Services, demonstration: Demonstration) -> None:
    made = demonstration.install("me")
    run = services.runs.get("me", made["run_id"])
    assert (run.state, run.has_adapter, run.error) == ("done", True, None)
    assert services.runs.list("me")[0].run_id == made["run_id"]
    assert services.runs.samples("me", made["run_id"])["steps"]
    adapter = services.runs.adapter("me", made["run_id"])
    assert (adapter.model.id, adapter.path.is_dir()) == ("starter", True)
    assert services.datasets.info("me", made["dataset_id"])["mapping"]
    assert services.newest("me") == (made["dataset_id"], made["run_id"])
    assert services.examples("me", made["run_id"])
    [collection] = services.collections.list("me")
    assert (collection["collection"], collection["documents"], collection["waiting"]) == (COLLECTION, 1, 0)
    assert collection["chunks"] > 0
    [document] = services.collections.documents("me", COLLECTION)
    assert (document["state"], document["pages"]) == ("done", 12)
    assert services.document_examples("me", COLLECTION, "en")
    hits = services.collections.search("me", "When does the café open?", COLLECTION, mode="keyword")
    assert hits
    file = next((services.workspace.find("collections", collection["collection_id"], "me") / "documents").iterdir())
    assert file.stem == sha256(file)


def test_installing_needs_no_heavy_library() -> None:
    code = (
        "import sys, tempfile\nfrom pathlib import Path\nfrom playground.demonstration import Demonstration\n"
        "from playground.services import Services\nfrom playground.settings import Settings\n"
        "services = Services.make(Settings(home=Path(tempfile.mkdtemp(dir=sys.argv[1]))))\nDemonstration(services).greet('me')\n"
        "assert services.collections.list('me')\n"
        "print([name for name in ('torch', 'transformers', 'chromadb', 'sentence_transformers') if name in sys.modules])"
    )
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-c", code, home], cwd=ASSETS.parent, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_second_one_gets_a_name_of_its_own(services: Services, demonstration: Demonstration) -> None:
    names = {demonstration.install("me")["collection"] for _ in range(3)}
    assert names == {COLLECTION, f"{COLLECTION} (2)", f"{COLLECTION} (3)"}


def test_what_is_done_to_the_copy_leaves_the_box_alone(services: Services, demonstration: Demonstration) -> None:
    def box() -> dict[str, str]:
        return {str(path): sha256(path) for path in BOX.rglob("*") if path.is_file()} | {"pdf": sha256(ASSETS / "samples" / document)}

    document = read_json(BOX / "about.json")["document"]
    before = box()
    made = demonstration.install("me")
    services.collections.remove("me", made["collection"], document)
    services.runs.delete("me", made["run_id"])
    services.collections.delete("me", made["collection"])
    assert box() == before


@pytest.mark.parametrize("part", ["_copy_run", "_copy_collection"])
def test_a_full_disk_leaves_nothing_half_installed(
    services: Services, demonstration: Demonstration, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def full(*given: object) -> str:
        raise StorageFull("The disk is full.")

    monkeypatch.setattr(demonstration, part, full)
    with pytest.raises(StorageFull):
        demonstration.install("me")
    assert counts(services) == (0, 0, 0)
    demonstration.greet("me")
    monkeypatch.undo()
    demonstration.greet("me")  # the disk has room again
    assert counts(services) == (1, 1, 1)


# greeting


def test_everybody_is_greeted_once(services: Services, demonstration: Demonstration) -> None:
    for owner in ("me", "me", "you"):
        demonstration.greet(owner)
    assert counts(services) == counts(services, "you") == (1, 1, 1)
    demonstration.restore("me", everything=True)
    services.collections.delete("me", COLLECTION)
    demonstration.greet("me")
    Demonstration(services).greet("me")
    assert counts(services) == (1, 1, 0)


def test_whoever_has_data_is_not_greeted(services: Services, demonstration: Demonstration) -> None:
    services.collections.make("me", "My own")
    demonstration.greet("me")
    assert counts(services) == (0, 0, 1)
    services.collections.delete("me", "My own")
    demonstration.greet("me")
    assert counts(services) == (0, 0, 0)


def test_an_owner_name_is_never_a_path(services: Services, demonstration: Demonstration) -> None:
    demonstration.greet("../../../etc/passwd\0")
    assert [path.parent.name for path in services.settings.home.rglob("*") if re.fullmatch("[0-9a-f]{32}", path.name)] == ["greeted"]


# bringing it back


def test_restoring_takes_away_the_old_demonstration_only(services: Services, demonstration: Demonstration) -> None:
    first = demonstration.install("me")
    services.collections.make("me", "My own")
    own = services.datasets.import_sample("me", services.datasets.samples()[1]["name"])["dataset_id"]
    yours = demonstration.install("you")
    second = demonstration.restore("me")
    assert second["run_id"] != first["run_id"]
    assert counts(services) == (2, 1, 2)
    assert services.datasets.info("me", own)
    assert {one["collection"] for one in services.collections.list("me")} == {"My own", COLLECTION}
    assert services.runs.get("you", yours["run_id"]).state == "done"


def test_restoring_everything_takes_away_all_else(services: Services, demonstration: Demonstration) -> None:
    demonstration.install("me")
    services.collections.make("me", "My own")
    services.datasets.import_sample("me", services.datasets.samples()[1]["name"])
    demonstration.install("you")
    made = demonstration.restore("me", everything=True)
    assert counts(services) == counts(services, "you") == (1, 1, 1)
    assert services.newest("me") == (made["dataset_id"], made["run_id"])


def test_a_queued_run_is_ended_first(services: Services, demonstration: Demonstration, monkeypatch: pytest.MonkeyPatch) -> None:
    made = demonstration.install("me")
    monkeypatch.setattr(services.runs._line, "look", lambda *given: None, raising=False)
    run = services.workspace.find("runs", made["run_id"], "me")
    write_json(run / "status.json", {"state": "queued"})
    (run / "manifest.json").unlink()
    demonstration.restore("me", everything=True)
    assert counts(services) == (1, 1, 1)


def test_nothing_is_thrown_away_where_there_is_nothing_to_bring_back(services: Services, tmp_path: Path) -> None:
    services.collections.make("me", "My own")
    shutil.copytree(ASSETS / "samples", tmp_path / "assets/samples")
    bare = Demonstration(replace(services, settings=replace(services.settings, assets=tmp_path / "assets")))
    assert not bare.there
    bare.greet("me")
    with pytest.raises(PlaygroundError):
        bare.restore("me", everything=True)
    assert counts(services) == (0, 0, 1)


def test_a_deleted_demonstration_is_gone_for_good(services: Services, demonstration: Demonstration) -> None:
    made = demonstration.install("me")
    assert read_json(services.workspace.find("runs", made["run_id"], "me") / "config.json")[MARK] is True
    services.runs.delete("me", made["run_id"])
    with pytest.raises(NotFound):
        services.runs.get("me", made["run_id"])


# answers along the way


def test_answers_are_told_by_rising_step_and_the_last_of_a_step_counts(workspace: Workspace) -> None:
    folder = workspace.draft("runs")
    write_json(folder / "samples.json", [{"prompt": "Hi", "answer": "Ahoy!"}])
    lines = [
        '{"step": 10, "answers": ["a"]}',
        '{"step": 20, "answers": ["b"]}',
        '{"step": 3',  # killed while writing, then resumed
        "[1]",
        '{"answers": ["no step"]}',
        '{"step": 15, "answers": ["c"]}',
        '{"step": 20, "answers": ["d\u2028e"]}',
        '{"step": 30, "answers": ["half',
    ]
    (folder / "samples.jsonl").write_bytes("\n".join(lines).encode())
    told = samples.read(folder)
    assert told["prompts"] == [{"prompt": "Hi", "answer": "Ahoy!"}]
    assert told["steps"] == [
        {"step": 10, "answers": ["a"]},
        {"step": 15, "answers": ["c"]},
        {"step": 20, "answers": ["d\u2028e"]},
    ]


def test_a_run_without_answers(workspace: Workspace) -> None:
    assert samples.read(workspace.draft("runs")) == {"prompts": [], "steps": []}
