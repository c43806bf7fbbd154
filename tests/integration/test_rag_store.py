"""Documents in, passages and evidence out, with the embedder in the box and a real Chroma; and everything that may happen in between."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pypdf import PdfReader, PdfWriter

from playground.errors import InputError, ModelUnavailable, NotFound, PlaygroundError, PromptError, SettingsError, StorageFull, WrongState
from playground.jobs import INTERRUPTED, Job, Jobs
from playground.rag import documents, indexing
from playground.rag.chunks import Size
from playground.rag.embedders import STARTER, Embedder, Embedders
from playground.rag.index import Index
from playground.rag.page_view import PageViews
from playground.rag.steps import Steps
from playground.rag.store import Collections
from playground.settings import PROJECT, Limits, Settings
from playground.workspace import Workspace, read_json, write_json
from tests.conftest import SHARED

SAMPLES = PROJECT / "assets" / "samples"
HANDBOOK = SAMPLES / "harbour_cafe_handbook.pdf"
QUESTIONS = json.loads((SAMPLES / "harbour_cafe_questions.json").read_text(encoding="utf-8"))
GRIMM = SHARED / "documents" / "gov_public_domain" / "grimms_fairy_tales.pdf"
QUESTION = QUESTIONS["answerable"][0]["question"]
Open = Callable[[], Collections]


@pytest.fixture
def open_app(settings: Settings) -> Open:
    """The room as a newly started app has it, on one and the same home."""

    def start() -> Collections:
        from chromadb.api.shared_system_client import SharedSystemClient

        SharedSystemClient.clear_system_cache()
        workspace = Workspace(settings.home)
        return Collections(workspace, settings, Jobs(workspace))

    return start


@pytest.fixture
def app(open_app: Open) -> Collections:
    return open_app()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A PDF of some of the handbook's pages, counted from 1."""
    made: dict[tuple[int, ...], Path] = {}
    reader = PdfReader(HANDBOOK)

    def make(*numbers: int) -> Path:
        if numbers not in made:
            writer = PdfWriter()
            for number in numbers:
                writer.add_page(reader.pages[number - 1])
            made[numbers] = tmp_path_factory.mktemp("pages") / "pages.pdf"
            writer.write(made[numbers])
        return made[numbers]

    return make


@pytest.fixture(scope="module")
def ready_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the handbook is indexed, to be copied."""
    home = tmp_path_factory.mktemp("ready") / "home"
    workspace = Workspace(home)
    room = Collections(workspace, Settings(home=home), Jobs(workspace))
    finished(room.add("me", [(HANDBOOK, "handbook.pdf")], "Papers")[0])
    room.search("me", QUESTION, "Papers")
    return home


@pytest.fixture
def ready(ready_home: Path, settings: Settings, open_app: Open) -> Collections:
    shutil.copytree(ready_home, settings.home)
    return open_app()


def finished(job: Job, seconds: float = 60, state: str = "done") -> Job:
    deadline = time.monotonic() + seconds
    while not job.finished and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (job.state, job.error) == (state, None) if state != "failed" else job.state == state
    return job


def states(room: Collections, collection: str = "Papers", owner: str = "me") -> list[tuple[str, str]]:
    return [(one["name"], one["state"]) for one in room.documents(owner, collection)]


def index_of(room: Collections, collection: str = "Papers", owner: str = "me") -> Index:
    return Index(room.find(owner, collection) / "index.sqlite")


def is_sound(room: Collections, collection: str = "Papers", owner: str = "me") -> None:
    """Index, vectors and files agree."""
    folder, index = room.find(owner, collection), index_of(room, collection, owner)
    ids, texts = index.texts()
    found = room.search(owner, texts[0], collection, k=50, mode="dense")
    assert {one["chunk"] for one in found} <= set(ids)
    assert len(found) == min(50, len(ids))
    assert found[0]["text"] == texts[0]
    documents = index.documents()
    assert {path.name for path in (folder / "documents").iterdir()} == {one.file for one in documents}
    assert sum(one.chunks for one in documents) == len(ids)


# the usual way


def test_a_document_is_indexed_found_and_quoted(ready: Collections) -> None:
    [told] = ready.documents("me", "Papers")
    assert (told["name"], told["pages"], told["state"], told["error"], told["pages_empty"]) == ("handbook.pdf", 12, "done", None, 0)
    [about] = ready.list("me")
    assert (about["documents"], about["waiting"], about["chunks"]) == (1, 0, told["chunks"])
    assert about == ready.info("me", about["collection_id"]) == ready.info("me", "Papers")
    texts = {number: page.extract_text() for number, page in enumerate(PdfReader(HANDBOOK).pages, 1)}
    asked = [one for one in QUESTIONS["answerable"] if one["language"] == "en"]
    for mode, least in (("hybrid", 0.6), ("keyword", 0.6), ("dense", 0.3)):
        right = 0
        for one in asked:
            hits = ready.search("me", one["question"], "Papers", mode=mode)
            assert 0 < len(hits) <= 5
            assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
            for hit in hits:
                assert hit["document"] == "handbook.pdf"
                assert set(hit["text"].split()[:3]) <= set(texts[hit["page"]].split())
                assert (hit["ranks"]["dense"] is None) <= (mode != "dense")
                assert (hit["ranks"]["keyword"] is None) or mode != "dense"
            right += one["page"] in [hit["page"] for hit in hits]
        assert right / len(asked) >= least, mode
    is_sound(ready)


def test_answers_from_a_real_document_name_their_section_even_after_indexing_anew(
    app: Collections, tmp_path: Path, shared_data: Path
) -> None:
    guide = shared_data / "documents" / "gov_public_domain" / "FederalPLGuidelines.pdf"
    finished(app.add("me", [(guide, guide.name)], "Papers")[0])
    [card] = app.documents("me", "Papers")
    assert (card["pages"], card["sections"]) == (118, 150)
    path = ["III. Write your document", "a. Words", "1. Verbs", "i. Use active voice"]
    first = list(app.ask("me", "Why should I use the active voice?", "Papers", None, small=True))[-1]["citations"][0]
    assert (first["page"], first["section"]) == (26, path)
    static_embedder(tmp_path / "other", 32)
    finished(app.reindex("me", "Papers", f"local:{tmp_path / 'other'}"))
    assert app.search("me", "Use active voice", "Papers", mode="keyword")[0]["section"] == path


def test_an_answer_without_a_model_is_a_quote_from_its_page(ready: Collections) -> None:
    answered = 0
    for one in QUESTIONS["answerable"]:
        last = list(ready.ask("me", one["question"], "Papers", None, small=True))[-1]
        assert last["done"]
        assert last["passages"]
        for cited in last["citations"]:
            page = " ".join(index_of(ready).page_text(1, cited["page"]).split())
            assert " ".join(cited["quote"].split()) in page
        answered += not last["refused"]
        assert bool(last["citations"]) is not last["refused"]
    assert answered / len(QUESTIONS["answerable"]) > 0.5
    for one in QUESTIONS["unanswerable"]:
        json.dumps(list(ready.ask("me", one["question"], "Papers", None, small=True))[-1])


def test_a_collection_by_name_or_by_id(ready: Collections) -> None:
    id = ready.list("me")[0]["collection_id"]
    assert ready.find("me", id) == ready.find("me", "Papers") == ready.find("me", "  Papers ")
    assert ready.make("me", " Papers") == ready.find("me", id)
    for unknown in ("papers", "", "0" * 12, id + "0", "../" + id, None, 5, ["Papers"]):
        with pytest.raises(NotFound):
            ready.find("me", unknown)  # type: ignore[arg-type]


def test_owners_are_apart(ready: Collections, pages: Callable[..., Path]) -> None:
    id = ready.list("me")[0]["collection_id"]
    assert ready.list("you") == []
    attempts: list[Callable[[str], Any]] = [
        lambda collection: ready.documents("you", collection),
        lambda collection: ready.search("you", QUESTION, collection),
        lambda collection: list(ready.ask("you", QUESTION, collection, None, small=True)),
        lambda collection: ready.delete("you", collection),
        lambda collection: ready.reindex("you", collection, STARTER),
        lambda collection: ready.searched("you", QUESTION, collection, 10, Steps()),
        lambda collection: ready.rename("you", collection, "Mine"),
        lambda collection: ready.rename_document("you", collection, "handbook.pdf", "mine.pdf"),
        lambda collection: ready.remove("you", collection, "handbook.pdf"),
        lambda collection: ready.remove("you", collection, 1),
        lambda collection: ready.notes("you", collection, ""),
        lambda collection: PageViews(ready).page("you", collection, 1, 1),
        lambda collection: PageViews(ready).passage("you", collection, 1),
        lambda collection: ready.warm("you", collection),
        lambda collection: ready.under_way("you", collection),
        lambda collection: ready.last_failure("you", collection),
        lambda collection: ready.info("you", collection),
    ]
    for attempt in attempts:
        for collection in (id, "Papers"):
            with pytest.raises(PlaygroundError):
                attempt(collection)
    with pytest.raises(NotFound):
        ready.add("you", [(pages(1), "a.pdf")], id)
    finished(ready.add("you", [(pages(3), "mine.pdf")], "Papers")[0])
    assert states(ready) == [("handbook.pdf", "done")]
    assert states(ready, owner="you") == [("mine.pdf", "done")]
    assert {hit["document"] for hit in ready.search("you", QUESTION, "Papers", mode="dense")} == {"mine.pdf"}
    ready.delete("you", "Papers")
    is_sound(ready)


@pytest.mark.parametrize(
    "question",
    [
        '" OR NEAR(',
        "🙂" * 50,
        "tea " * 500,
        "\ud800 tea",
        "tea\x00",
        "pa\u0303o de queijo",
        "?",
        "the",
        "日本語",
        "%s {0} {name}",
        "\u200b",
    ],
    ids=ascii,
)
def test_an_odd_question_is_answered_like_any_other(ready: Collections, question: str) -> None:
    for mode in ("hybrid", "dense", "keyword"):
        json.dumps(ready.search("me", question, "Papers", mode=mode)).encode()
    json.dumps(list(ready.ask("me", question, "Papers", None, small=True))[-1]).encode()


def test_accents_written_apart_ask_the_same(ready: Collections) -> None:
    whole, apart = (ready.search("me", question, "Papers") for question in ("pão de queijo", "pa\u0303o de queijo"))
    assert whole == apart


def test_what_cannot_be_asked_is_said(ready: Collections) -> None:
    for question in ("", "  \n", None, 5, "\x00", "x" * 2001):
        with pytest.raises(PromptError):
            ready.search("me", question, "Papers")  # type: ignore[arg-type]
    for options in ({"mode": "magic"}, {"mode": None}, {"mode": []}, {"k": 0}, {"k": 51}, {"k": "5"}, {"k": 2.5}, {"k": True}):
        with pytest.raises(SettingsError):
            ready.search("me", QUESTION, "Papers", **options)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="hybrid, dense, keyword"):
        list(ready.ask("me", QUESTION, "Papers", None, small=True, mode="magic"))
    ready.make("me", "Empty")
    for collection, owner in (("Empty", "me"), ("", "nobody")):
        with pytest.raises(PromptError, match="no document to ask"):
            ready.search(owner, QUESTION, collection)


# adding


def test_the_same_file_again_is_skipped(ready: Collections, pages: Callable[..., Path]) -> None:
    files = [(HANDBOOK, "copy.pdf"), (pages(1), "one.pdf"), (pages(1), "uno.pdf")]
    job, _ = ready.add("me", files, "Papers")
    told = {one["name"]: one for one in finished(job).result["documents"]}
    assert states(ready) == [("handbook.pdf", "done"), ("one.pdf", "done")]
    for name in ("copy.pdf", "uno.pdf"):
        assert told[name]["skipped"] == f"{name} is already there, with the same content."
    assert told["one.pdf"]["skipped"] is None
    job, _ = ready.add("me", [(HANDBOOK, "handbook.pdf")], "Papers")
    assert [one["skipped"] is None for one in finished(job).result["documents"]] == [False, True]
    is_sound(ready)


def test_a_changed_file_takes_the_place_of_the_former_one(app: Collections, pages: Callable[..., Path]) -> None:
    finished(app.add("me", [(pages(1), "a.pdf"), (pages(3), "b.pdf")], "Papers")[0])
    before = app.search("me", QUESTION, "Papers", k=50, mode="dense")
    finished(app.add("me", [(pages(5, 6), "a.pdf")], "Papers")[0])
    assert [(one["name"], one["pages"]) for one in app.documents("me", "Papers")] == [("b.pdf", 1), ("a.pdf", 2)]
    after = app.search("me", QUESTION, "Papers", k=50, mode="dense")
    assert not {one["chunk"] for one in before if one["document"] == "a.pdf"} & {one["chunk"] for one in after}
    is_sound(app)


def test_the_newest_of_two_waiting_versions_stays(app: Collections, held: threading.Event, pages: Callable[..., Path]) -> None:
    job, _ = app.add("me", [(pages(1), "a.pdf")], "Papers")
    assert app.add("me", [(pages(5, 6), "a.pdf")], "Papers")[0] is job
    held.set()
    told = finished(job).result
    assert [(one["name"], one["pages"], one["state"]) for one in told["documents"]] == [("a.pdf", 2, "done")]
    assert told["notes"] == ["a.pdf has taken the place of the version that was here before."] == app.notes("me", "Papers", job.job_id)
    is_sound(app)


def test_two_files_of_one_name_in_one_upload_both_stay(app: Collections, pages: Callable[..., Path]) -> None:
    first, second, third = pages(1), pages(5, 6), pages(1, 3, 5)

    def standing() -> list[tuple[str, int]]:
        return [(one["name"], one["pages"]) for one in app.documents("me", "Papers")]

    job, _ = app.add("me", [(first, "a.pdf"), (second, "a.pdf"), (first, "a.pdf")], "Papers")
    assert finished(job).result["notes"] == ["Two different files of one upload are called a.pdf. One of them is a (2).pdf here."]
    assert standing() == [("a.pdf", 1), ("a (2).pdf", 2)]
    # in whichever order they come again, the changed one takes the place of its own former version
    job, _ = app.add("me", [(third, "a.pdf"), (first, "a.pdf")], "Papers")
    assert "a (2).pdf has taken the place" in " ".join(finished(job).result["notes"])
    assert standing() == [("a.pdf", 1), ("a (2).pdf", 3)]
    is_sound(app)


def test_a_version_that_fails_leaves_the_former_one(app: Collections, pages: Callable[..., Path], tmp_path: Path) -> None:
    finished(app.add("me", [(pages(1), "a.pdf")], "Papers")[0])
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.7 but no more")
    job, _ = app.add("me", [(tmp_path / "bad.pdf", "a.pdf")], "Papers")
    told = finished(job).result["documents"]
    assert [one["state"] for one in told] == ["done", "failed"]
    assert told[1]["error"].startswith("a.pdf is damaged")
    is_sound(app)
    finished(app.add("me", [(pages(3), "a.pdf")], "Papers")[0])
    assert states(app) == [("a.pdf", "done")]
    is_sound(app)


def test_a_version_that_failed_is_taken_out_without_the_good_one(app: Collections, pages: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.7 but no more")

    def spoil() -> tuple[int, int]:
        finished(app.add("me", [(tmp_path / "bad.pdf", "a.pdf")], "Papers")[0])
        good, bad = app.documents("me", "Papers")
        assert (good["state"], bad["state"]) == ("done", "failed")
        return good["document_id"], bad["document_id"]

    finished(app.add("me", [(pages(1), "a.pdf")], "Papers")[0])
    spoil()
    app.remove("me", "Papers", "a.pdf")
    assert states(app) == [("a.pdf", "done")]
    _, bad = spoil()
    app.remove("me", "Papers", bad)
    assert states(app) == [("a.pdf", "done")]
    good, bad = spoil()
    app.rename_document("me", "Papers", "a.pdf", "b.pdf")
    assert states(app) == [("b.pdf", "done"), ("a.pdf", "failed")]
    app.rename_document("me", "Papers", bad, "c.pdf")
    assert states(app) == [("b.pdf", "done"), ("c.pdf", "failed")]
    app.remove("me", "Papers", good)
    assert states(app) == [("c.pdf", "failed")]
    for nothing in (good, "b.pdf", "1", True, None):
        with pytest.raises(NotFound):
            app.remove("me", "Papers", nothing)  # type: ignore[arg-type]


def test_a_collection_keeps_its_embedder_and_says_so(ready: Collections, pages: Callable[..., Path]) -> None:
    for more in ({"embedder": STARTER}, {"size": Size()}, {}):
        assert finished(ready.add("me", [(HANDBOOK, "handbook.pdf")], "Papers", **more)[0]).result["notes"] == [
            "handbook.pdf is already there, with the same content."
        ]
    for other in ({"embedder": "intfloat/multilingual-e5-small"}, {"size": Size(100)}):
        job, _ = ready.add("me", [(HANDBOOK, "handbook.pdf")], "Papers", **other)
        assert finished(job).result["notes"][0].startswith("Papers keeps the embedder and the size of passages")
    assert ready.info("me", "Papers")["passage_tokens"] == 220


def test_one_bad_file_does_not_hold_up_the_others(app: Collections, pages: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "text.pdf").write_text("only words")
    blank = PdfWriter()
    blank.add_blank_page(100, 100)
    blank.write(tmp_path / "blank.pdf")
    files = [(tmp_path / "text.pdf", "text.pdf"), (tmp_path / "blank.pdf", "blank.pdf"), (pages(1), "good.pdf")]
    told = finished(app.add("me", files, "Papers")[0]).result["documents"]
    assert [one["state"] for one in told] == ["failed", "failed", "done"]
    assert "not a PDF file" in told[0]["error"]
    assert "no words were found" in told[1]["error"]
    # both get another try, and a copy that was deleted meanwhile is a sentence too
    job, folder = app.add("me", files[:2], "Papers")
    assert [one["state"] for one in finished(job).result["documents"]] == ["failed", "failed", "done"]
    assert len(list((folder / "documents").iterdir())) == 3


def test_a_file_given_again_under_its_right_ending_is_read(app: Collections, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("The harbour cafe opens at nine on Sundays.\n", "utf-8")
    finished(app.add("me", [(tmp_path / "notes", "notes.pdf")], "Papers")[0])
    assert states(app) == [("notes.pdf", "failed")]
    _, folder = app.add("me", [(tmp_path / "notes", "notes.txt")], "Papers")
    until(lambda: states(app) == [("notes.txt", "done")])
    assert [path.suffix for path in (folder / "documents").iterdir()] == [".txt"]
    is_sound(app)


@pytest.mark.parametrize(
    "name", ["a\ud800b.pdf", "a\x00b.pdf", "../../etc/passwd", "x" * 5000 + ".pdf", "{0} {name}.pdf", "", "a\nb.pdf"], ids=ascii
)
def test_a_file_may_have_any_name(app: Collections, pages: Callable[..., Path], name: str) -> None:
    job, folder = app.add("me", [(pages(1), name)], "Papers")
    [told] = finished(job).result["documents"]
    json.dumps(told, ensure_ascii=False).encode()
    assert told["state"] == "done"
    assert told["name"].isprintable()
    assert 0 < len(told["name"]) <= 200
    assert len(list((folder / "documents").iterdir())) == 1
    assert app.search("me", QUESTION, "Papers", mode="keyword")[0]["document"] == told["name"]
    assert app.remove("me", "Papers", told["name"])["deleted"]


@pytest.mark.parametrize("name", ["x" * 81, "a\x00b", "\ud800", "f" * 12])
def test_a_name_that_no_collection_can_have(app: Collections, name: str) -> None:
    with pytest.raises(PlaygroundError):
        app.make("me", name)
    assert app.list("me") == []


def test_what_cannot_be_added_is_said_and_makes_no_collection(app: Collections, pages: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "empty.pdf").touch()
    small = replace(app.settings, limits=Limits(upload_bytes=1024**2, documents=1))
    app.settings = small
    (tmp_path / "large.pdf").write_bytes(b"x" * (1024**2 + 1))
    attempts = [
        [],
        [(tmp_path / "empty.pdf", "empty.pdf")],
        [(tmp_path / "gone.pdf", "gone.pdf")],
        [(tmp_path / "large.pdf", "large.pdf")],
        [(pages(1), "a.pdf"), (pages(3), "b.pdf")],
    ]
    for files in attempts:
        for name in ("Papers", None):
            with pytest.raises(InputError):
                app.add("me", files, name)
    with pytest.raises(PlaygroundError):
        app.add("me", [(pages(1), "a.pdf")], "Papers", embedder="")
        app.add("me", [(pages(1), "a.pdf")], "Other", embedder="  ")
    assert [one["collection"] for one in app.list("me")] in ([], ["Papers"])


def test_a_full_disk_while_copying_is_told_and_leaves_nothing(
    app: Collections, pages: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(documents.shutil, "copyfile", full)
    with pytest.raises(StorageFull):
        app.add("me", [(pages(1), "a.pdf")], "Papers")
    monkeypatch.undo()
    folder = app.find("me", "Papers")
    assert list((folder / "documents").iterdir()) == []
    finished(app.add("me", [(pages(1), "a.pdf")], "Papers")[0])
    is_sound(app)


def test_a_full_disk_while_indexing_is_told_and_the_rest_waits(
    app: Collections, pages: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object, **options: object) -> list[int]:
        raise StorageFull("The disk is full.")

    monkeypatch.setattr(Index, "finish", full)
    job, _ = app.add("me", [(pages(1), "a.pdf"), (pages(3), "b.pdf")], "Papers")
    finished(job, state="failed")
    assert app.last_failure("me", "Papers") == job.error == "The disk is full."
    monkeypatch.undo()
    assert states(app) == [("a.pdf", "waiting"), ("b.pdf", "waiting")]
    finished(app.add("me", [], "Papers")[0])
    assert states(app) == [("a.pdf", "done"), ("b.pdf", "done")]
    assert app.last_failure("me", "Papers") is None
    is_sound(app)


def test_a_bug_with_one_document_does_not_hold_up_the_others(
    app: Collections, pages: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = indexing.chunk

    def broken(found: Iterator[Any], tokenizer: Any, *size: int) -> Iterator[Any]:
        for one in real(found, tokenizer, *size):
            if "Marta" in one.text:
                raise ZeroDivisionError("secret")
            yield one

    monkeypatch.setattr(indexing, "chunk", broken)
    job, _ = app.add("me", [(pages(1), "a.pdf"), (pages(3), "b.pdf")], "Papers")
    told = finished(job).result["documents"]
    assert [one["state"] for one in told] == ["failed", "done"]
    assert "tell the host the reference" in told[0]["error"]
    assert "secret" not in told[0]["error"]
    assert told[0]["error"].split()[-1].rstrip(".") in caplog.text
    monkeypatch.undo()
    finished(app.add("me", [(pages(1), "a.pdf")], "Papers")[0])
    assert dict(states(app)) == {"a.pdf": "done", "b.pdf": "done"}
    is_sound(app)


def test_questions_are_answered_while_it_indexes(ready: Collections, pages: Callable[..., Path]) -> None:
    wanted = {one["chunk"] for one in ready.search("me", QUESTION, "Papers")}
    job, _ = ready.add("me", [(pages(n, n + 1), f"{n}.pdf") for n in range(1, 6)], "Papers")
    asked = 0
    while not job.finished:
        found = ready.search("me", QUESTION, "Papers", k=50)
        assert wanted & {one["chunk"] for one in found}
        assert len(found) == len({one["chunk"] for one in found})
        asked += 1
    finished(job)
    assert asked
    is_sound(ready)


# stopping, deleting


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Reading goes on only when this is set, or the job is stopped."""
    go = threading.Event()
    real = indexing.pdf.read

    def read(path: Path, name: str, cancelled: Callable[[], bool], **options: Any) -> Iterator[Any]:
        for found in real(path, name, cancelled, **options):
            while not go.wait(0.01):
                if cancelled():
                    raise indexing.pdf.Cancelled
            yield found

    monkeypatch.setattr(indexing.pdf, "read", read)
    yield go
    go.set()


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_a_stopped_indexing_can_be_taken_up_again(app: Collections, held: threading.Event, pages: Callable[..., Path]) -> None:
    job, _ = app.add("me", [(pages(1), "a.pdf"), (pages(3), "b.pdf")], "Papers")
    until(lambda: job.state == "running" and job.doing)
    with pytest.raises(WrongState):
        app.remove("me", "Papers", "a.pdf")
    with pytest.raises(WrongState):
        app.rename_document("me", "Papers", "a.pdf", "c.pdf")
    assert app.under_way("me", "Papers") is job
    until(lambda: states(app) == [("a.pdf", "reading"), ("b.pdf", "waiting")])
    app.jobs.stop("me", job.job_id)
    finished(job, 5, state="stopped")
    assert states(app) == [("a.pdf", "waiting"), ("b.pdf", "waiting")]
    assert app.info("me", "Papers")["waiting"] == 2
    with pytest.raises(PromptError):
        app.search("me", QUESTION, "Papers")
    held.set()
    finished(app.add("me", [], "Papers")[0])
    assert states(app) == [("a.pdf", "done"), ("b.pdf", "done")]
    is_sound(app)


def test_what_waits_behind_anothers_files_says_so_and_is_stopped_at_once(app: Collections, pages: Callable[..., Path]) -> None:
    gate = threading.Event()
    other = app.jobs.start("you", "index_documents", lambda job: gate.wait(20))
    job, _ = app.add("me", [(pages(1), "a.pdf"), (pages(3), "b.pdf")], "Papers")
    assert (job.state, str(job.doing)) == ("queued", "Waiting for other work: 1 in line before this")
    assert app.jobs.stop("me", job.job_id).state == "stopped" and app.under_way("me", "Papers") is None
    app.rename_document("me", "Papers", "a.pdf", "c.pdf")
    app.remove("me", "Papers", "b.pdf")
    began = time.monotonic()
    later, _ = app.add("me", [(pages(5), "d.pdf")], "Papers")
    assert later is not job and time.monotonic() - began < 2 and not other.finished
    gate.set()
    finished(later)
    assert states(app) == [("c.pdf", "done"), ("d.pdf", "done")]
    is_sound(app)


def test_a_file_that_comes_while_others_are_read_is_read_after_them(
    app: Collections, held: threading.Event, pages: Callable[..., Path]
) -> None:
    job, _ = app.add("me", [(pages(1), "a.pdf")], "Papers")
    until(lambda: states(app) == [("a.pdf", "reading")])
    later, folder = app.add("me", [(pages(3), "b.pdf")], "Papers")
    assert later is job
    assert states(app) == [("a.pdf", "reading"), ("b.pdf", "waiting")]
    app.jobs.stop("me", job.job_id)  # what comes now is for another one
    last, _ = app.add("me", [(pages(5), "c.pdf")], "Papers")
    assert last is not job and job.finished
    held.set()
    finished(last)
    assert states(app) == [("a.pdf", "done"), ("b.pdf", "done"), ("c.pdf", "done")]
    assert len(list((folder / "documents").iterdir())) == 3
    is_sound(app)


def test_files_that_come_all_the_time_are_all_read(app: Collections, pages: Callable[..., Path], tmp_path: Path) -> None:
    jobs = []
    for number in range(12):
        (tmp_path / f"{number}.txt").write_text(f"The key number {number} hangs behind the oven.\n", "utf-8")
        jobs.append(app.add("me", [(tmp_path / f"{number}.txt", f"{number}.txt")], "Papers")[0])
        time.sleep(0.01 * (number % 7))
    for job in jobs:
        finished(job)
    assert {state for _, state in states(app)} == {"done"}
    assert len(states(app)) == index_of(app).count() == 12


def test_a_file_that_comes_while_a_collection_is_indexed_anew_is_read_afterwards(
    ready: Collections, pages: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    go, real = threading.Event(), Index.swap

    def swap(index: Index, about: dict[str, Any]) -> None:
        assert go.wait(20)
        real(index, about)

    monkeypatch.setattr(Index, "swap", swap)
    job = ready.reindex("me", "Papers", STARTER)
    until(lambda: job.doing)
    with pytest.raises(WrongState, match="being indexed already"):
        ready.reindex("me", "Papers", STARTER)
    assert ready.add("me", [(pages(1), "one.pdf")], "Papers")[0] is job
    go.set()
    told = finished(job).result
    assert states(ready) == [("handbook.pdf", "done"), ("one.pdf", "done")]
    assert told["documents"] == 2 and told["chunks"] == index_of(ready).count()
    is_sound(ready)


def test_a_collection_can_be_deleted_while_it_is_indexed(app: Collections, held: threading.Event, pages: Callable[..., Path]) -> None:
    job, folder = app.add("me", [(HANDBOOK, "a.pdf"), (pages(3), "b.pdf")], "Papers")
    until(lambda: job.doing)
    assert app.delete("me", "Papers")["deleted"]
    held.set()
    finished(job, 10, state="stopped")
    assert app.list("me") == []
    assert not folder.exists()
    finished(app.add("me", [(pages(1), "a.pdf")], "Papers")[0])
    is_sound(app)


def test_deleting(ready: Collections, pages: Callable[..., Path]) -> None:
    finished(ready.add("me", [(pages(1), "one.pdf")], "Papers")[0])
    assert ready.remove("me", "Papers", "handbook.pdf") == {"collection": "Papers", "name": "handbook.pdf", "deleted": True}
    is_sound(ready)
    assert {one["document"] for one in ready.search("me", QUESTION, "Papers", k=50)} == {"one.pdf"}
    with pytest.raises(NotFound):
        ready.remove("me", "Papers", "handbook.pdf")
    folder = ready.find("me", "Papers")
    assert ready.delete("me", "Papers")["collection"] == "Papers"
    assert not folder.exists()
    assert folder.name not in " ".join(one.name for one in ready.dense._open().list_collections())
    with pytest.raises(NotFound):
        ready.delete("me", "Papers")


# what may be missing, damaged or of another make


def test_vectors_are_made_again_where_chroma_was_deleted(ready: Collections, open_app: Open, settings: Settings) -> None:
    wanted = ready.search("me", QUESTION, "Papers", mode="dense")
    shutil.rmtree(settings.home / "chroma")
    again = open_app().search("me", QUESTION, "Papers", mode="dense")
    assert [one["chunk"] for one in again] == [one["chunk"] for one in wanted]


def test_chroma_deleted_or_damaged_under_a_running_app_costs_no_answer(
    ready: Collections, settings: Settings, pages: Callable[..., Path]
) -> None:
    wanted = [one["chunk"] for one in ready.search("me", QUESTION, "Papers", mode="dense")]
    shutil.rmtree(settings.home / "chroma")
    assert [one["chunk"] for one in ready.search("me", QUESTION, "Papers", mode="dense")] == wanted
    finished(ready.add("me", [(pages(1), "one.pdf")], "Papers")[0])
    ready.remove("me", "Papers", "one.pdf")
    assert [one["chunk"] for one in ready.search("me", QUESTION, "Papers", mode="dense")] == wanted


def test_a_damaged_chroma_costs_no_answer(ready: Collections, open_app: Open, settings: Settings, pages: Callable[..., Path]) -> None:
    wanted = [one["chunk"] for one in ready.search("me", QUESTION, "Papers", mode="dense")]
    for path in (settings.home / "chroma").glob("chroma.sqlite3*"):
        path.write_bytes(b"no database at all" * 100)
    room = open_app()
    assert [one["chunk"] for one in room.search("me", QUESTION, "Papers", mode="dense")] == wanted
    finished(room.add("me", [(pages(1), "one.pdf")], "Papers")[0])
    room.remove("me", "Papers", "one.pdf")
    room.delete("me", "Papers")


@pytest.mark.parametrize("content", [b"garbage" * 1000, b""], ids=["garbage", "emptied"])
def test_a_damaged_index_is_told_and_can_be_deleted(ready: Collections, pages: Callable[..., Path], content: bytes) -> None:
    finished(ready.add("me", [(pages(1), "a.pdf")], "Others")[0])
    folder = ready.find("me", "Papers")
    for path in folder.glob("index.sqlite*"):
        path.unlink()
    (folder / "index.sqlite").write_bytes(content)
    attempts: list[Callable[[], Any]] = [
        lambda: ready.documents("me", "Papers"),
        lambda: ready.search("me", QUESTION, "Papers"),
        lambda: ready.add("me", [(pages(1), "a.pdf")], "Papers"),
        lambda: ready.reindex("me", "Papers", STARTER),
    ]
    for attempt in attempts:
        with pytest.raises(WrongState, match="index of this collection is damaged"):
            attempt()
    assert {one["collection"]: one["damaged"] for one in ready.list("me")} == {"Papers": True, "Others": False}
    assert ready.delete("me", "Papers")["deleted"]
    assert not folder.exists()
    is_sound(ready, "Others")


@pytest.mark.parametrize("how", ["one missing", "one too many", "others"])
def test_vectors_that_do_not_fit_the_passages_are_made_again(ready: Collections, how: str) -> None:
    wanted = [one["chunk"] for one in ready.search("me", QUESTION, "Papers", mode="dense")]
    name = ready.find("me", "Papers").name
    vector = np.ones((1, ready.embedders.load("starter").dimension), np.float32)
    if how != "one too many":
        ready.dense.remove(name, wanted[:1] if how == "one missing" else index_of(ready).texts()[0][-1:])
    if how != "one missing":
        ready.dense.add(name, [99_999], vector)
    assert [one["chunk"] for one in ready.search("me", QUESTION, "Papers", mode="dense")] == wanted


def test_another_fingerprint_makes_the_vectors_anew(ready: Collections, open_app: Open) -> None:
    wanted = [one["chunk"] for one in ready.search("me", QUESTION, "Papers", mode="dense")]
    folder, index = ready.find("me", "Papers"), index_of(ready)
    right = read_json(folder / "embedder.json")
    ids, _ = index.texts()
    index.replace_vectors(ids, np.random.default_rng(0).normal(size=(len(ids), 7)))
    write_json(folder / "embedder.json", {"fingerprint": "0" * 16, "dimension": 7})
    assert [one["chunk"] for one in open_app().search("me", QUESTION, "Papers", mode="dense")] == wanted
    assert read_json(folder / "embedder.json") == right
    assert index.vectors(right["dimension"])[1].shape == (len(ids), right["dimension"])


class Stand:
    """The starter's embedder under another name or fingerprint, which counts what it encodes and can be held up."""

    def __init__(self, real: Embedder, id: str, fingerprint: str) -> None:
        self.id, self.fingerprint, self.dimension, self.real = id, fingerprint, real.dimension, real
        self.tokenizer, self.reads, self.known, self.question = real.tokenizer, real.reads, real.known, real.question
        self.encoded: list[int] = []
        self.go = threading.Event()
        self.go.set()

    def passages(self, texts: list[str]) -> np.ndarray:
        self.encoded.append(len(texts))
        assert self.go.wait(20)
        return self.real.passages(texts)

    def weight(self, language: str) -> float:
        return self.real.weight(language)


def test_a_collection_gets_another_versions_vectors_once_and_holds_up_no_other(
    ready: Collections, pages: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    new = Stand(ready.embedders.load(STARTER), STARTER, "updated")
    monkeypatch.setattr(ready.embedders, "load", lambda id: new)
    new.go.clear()
    folder, count = ready.find("me", "Papers"), index_of(ready).count()
    asking = [threading.Thread(target=ready.embedder_of, args=(folder,)) for _ in range(3)]
    for thread in asking:
        thread.start()
    until(lambda: new.encoded)
    made = threading.Thread(target=lambda: ready.rename("you", ready.make("you", "Others").name, "Still others"))
    made.start()
    made.join(5)
    assert not made.is_alive() and ready.info("you", "Still others")["documents"] == 0
    new.go.set()
    for thread in asking:
        thread.join(20)
    assert new.encoded == [count]
    assert read_json(folder / "embedder.json")["fingerprint"] == "updated"
    is_sound(ready)


def test_whoever_still_loads_the_former_embedder_does_not_undo_an_indexing_anew(
    ready: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ready.embedders.load(STARTER)
    former, other = Stand(real, STARTER, real.fingerprint), Stand(real, "local:other", "other")
    entered, go = threading.Event(), threading.Event()

    def load(id: str) -> Stand:
        if threading.current_thread().name == "asker" and id == STARTER:
            entered.set()
            assert go.wait(20)
        return {STARTER: former, "local:other": other}[id]

    monkeypatch.setattr(ready.embedders, "load", load)
    folder, found = ready.find("me", "Papers"), []
    asker = threading.Thread(target=lambda: found.append(ready.embedder_of(folder)), name="asker")
    asker.start()
    assert entered.wait(5)
    finished(ready.reindex("me", "Papers", "local:other"))
    encoded = list(other.encoded)
    go.set()
    asker.join(20)
    assert found == [other] and ready.embedder_of(folder) is other
    assert (former.encoded, other.encoded) == ([], encoded)
    assert (read_json(folder / "embedder.json")["fingerprint"], ready.info("me", "Papers")["embedder"]) == ("other", "local:other")


def test_an_indexing_anew_takes_the_place_only_of_vectors_that_are_whole(ready: Collections, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ready.embedders.load(STARTER)
    updated, other = Stand(real, STARTER, "updated"), Stand(real, "local:other", "other")
    monkeypatch.setattr(ready.embedders, "load", lambda id: {STARTER: updated, "local:other": other}[id])
    updated.go.clear()
    folder = ready.find("me", "Papers")
    asker = threading.Thread(target=ready.embedder_of, args=(folder,))
    asker.start()
    until(lambda: updated.encoded)
    job = ready.reindex("me", "Papers", "local:other")
    until(lambda: sum(other.encoded) == index_of(ready).count())
    time.sleep(0.2)
    assert not job.finished
    updated.go.set()
    finished(job)
    asker.join(20)
    assert ready.embedder_of(folder) is other and len(updated.encoded) == 1
    assert (read_json(folder / "embedder.json")["fingerprint"], ready.info("me", "Papers")["embedder"]) == ("other", "local:other")
    is_sound(ready)


def static_embedder(folder: Path, dimension: int) -> None:
    """A random embedder of words."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = Tokenizer.from_file(str(PROJECT / "assets/starter/embedder/tokenizer.json"))
    weights = np.random.default_rng(dimension).normal(size=(tokenizer.get_vocab_size(), dimension)).astype(np.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu").save(str(folder))


def short_sighted(folder: Path, tokens: int) -> str:
    """A random transformer that reads so many tokens, marks included."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", *(f"w{n}" for n in range(500))]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    marks = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **marks).save_pretrained(folder / "bert")
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=512, **shape)).save_pretrained(folder / "bert")
    model = SentenceTransformer(modules=[Transformer(str(folder / "bert"), max_seq_length=tokens), Pooling(32)], device="cpu")
    model.save(str(folder / "model"))
    return f"local:{folder / 'model'}"


def test_an_embedder_sees_the_end_of_every_passage(open_app: Open, tmp_path: Path, settings: Settings) -> None:
    from playground.rag.chunks import Size
    from playground.rag.preview import preview

    own = short_sighted(tmp_path, 128)
    (tmp_path / "a.txt").write_text(" ".join(f"w{n % 400}" for n in range(1000)))
    room = open_app()
    embedder = room.embedders.load(own)
    assert embedder.reads == room.embedders.reads(own) == 126 and Embedders(settings).reads(own) is None
    for name, first in (("New", own), ("Again", None)):
        finished(room.add("me", [(tmp_path / "a.txt", "a.txt")], name, first, size=Size(400))[0])
        if first is None:
            finished(room.reindex("me", name, own))
        texts = index_of(room, name).texts()[1]
        assert {len(text.split()) for text in texts[:-1]} == {126}
        for text in texts:
            other = text.rsplit(" ", 1)[0] + " w499"
            seen, changed = embedder.passages([text, other])
            assert not np.array_equal(seen, changed)
    cuts = preview(tmp_path / "a.txt", "a.txt", embedder.tokenizer, Size(400), embedder.reads).cuts
    assert max(one.tokens for one in cuts) == 126


def test_an_embedder_of_another_size_takes_over(open_app: Open, tmp_path: Path, pages: Callable[..., Path]) -> None:
    own = f"local:{tmp_path / 'embedder'}"
    static_embedder(tmp_path / "embedder", 16)
    room = open_app()
    for name in ("Full", "Emptied"):
        finished(room.add("me", [(pages(1), "a.pdf")], name, own)[0])
        assert room.search("me", QUESTION, name, mode="dense")
    room.remove("me", "Emptied", "a.pdf")
    static_embedder(tmp_path / "embedder", 24)
    room = open_app()
    for name in ("Full", "Emptied"):
        finished(room.add("me", [(pages(3), "b.pdf")], name)[0])
        is_sound(room, name)
        assert index_of(room, name).vectors(24)[1].shape[1] == 24
        assert room.info("me", name)["embedder"] == own


def test_an_embedder_that_cannot_be_had_is_told(app: Collections, pages: Callable[..., Path], tmp_path: Path) -> None:
    job, _ = app.add("me", [(pages(1), "a.pdf")], "Papers", f"local:{tmp_path / 'nothing'}")
    finished(job, state="failed")
    assert "is not a sentence-transformers model" in str(app.last_failure("me", "Papers"))
    assert states(app) == [("a.pdf", "waiting")]


def test_a_damaged_embedder_is_a_sentence(open_app: Open, tmp_path: Path) -> None:
    static_embedder(tmp_path / "embedder", 16)
    weights = next((tmp_path / "embedder").rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelUnavailable):
        open_app().embedders.load(f"local:{tmp_path / 'embedder'}")


# a killed app

KILLED = """
import sys, time
from pathlib import Path
from playground.jobs import Jobs
from playground.rag.store import Collections
from playground.settings import Settings
from playground.workspace import Workspace
home = Path(sys.argv[1])
workspace = Workspace(home)
room = Collections(workspace, Settings(home=home), Jobs(workspace))
job, _ = room.add("me", [(Path(path), Path(path).name) for path in sys.argv[2:]], "Papers")
print(job.job_id, flush=True)
while not job.finished:
    if "Reading grimms" in str(job.doing) and job.done > 120:
        print("at it", flush=True)
    time.sleep(0.005)
print("finished", flush=True)
"""


@pytest.mark.skipif(not GRIMM.is_file(), reason=f"no folder of real test files at {SHARED}")
def test_a_killed_app_leaves_whole_documents_and_waiting_ones(settings: Settings, open_app: Open, pages: Callable[..., Path]) -> None:
    command = [sys.executable, "-c", KILLED, str(settings.home), str(HANDBOOK), str(GRIMM), str(pages(1))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT, text=True)
    assert process.stdout is not None
    job_id = process.stdout.readline().strip()
    assert process.stdout.readline() == "at it\n"
    process.send_signal(signal.SIGKILL)
    assert "finished" not in process.communicate()[0]
    room = open_app()
    assert states(room) == [("harbour_cafe_handbook.pdf", "done"), ("grimms_fairy_tales.pdf", "waiting"), ("pages.pdf", "waiting")]
    assert {one["document"] for one in room.search("me", "Who is Rapunzel?", "Papers", k=50)} == {"harbour_cafe_handbook.pdf"}
    is_sound(room)
    told = room.jobs.get("me", job_id)
    assert (told.state, told.error) == ("stopped", INTERRUPTED)
    assert room.under_way("me", "Papers") is None
    finished(room.add("me", [], "Papers")[0])
    assert [state for _, state in states(room)] == ["done"] * 3
    assert [one["pages"] for one in room.documents("me", "Papers")] == [12, 246, 1]
    assert room.search("me", "Who is Rapunzel?", "Papers")[0]["document"] == "grimms_fairy_tales.pdf"
    is_sound(room)


# models of strangers, and ours


def test_the_starter_is_not_changed_by_loading(settings: Settings, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "assets/starter/embedder", tmp_path / "assets/starter/embedder")
    before = {path: path.read_bytes() for path in sorted((tmp_path / "assets").rglob("*")) if path.is_file()}
    embedder = Embedders(replace(settings, assets=tmp_path / "assets")).load(STARTER)
    vectors = embedder.passages(["Tea costs three pounds.", "", "🙂", "word " * 3000])
    np.testing.assert_allclose(np.linalg.norm(vectors[[0, 3]], axis=1), 1, atol=1e-3)
    assert np.isfinite(vectors).all()
    assert embedder.passages([]).shape == (0, embedder.dimension)
    assert len(embedder.tokenizer.encode("word " * 3000).ids) >= 3000  # it counts beyond what the model reads
    assert before == {path: path.read_bytes() for path in sorted((tmp_path / "assets").rglob("*")) if path.is_file()}


def test_a_class_that_the_library_does_not_have_is_a_sentence(open_app: Open, tmp_path: Path) -> None:
    static_embedder(tmp_path / "embedder", 16)
    modules = read_json(tmp_path / "embedder" / "modules.json")
    for kind in ("sentence_transformers.evil.Normalize", "sentence_transformers.models.os.Normalize"):
        write_json(tmp_path / "embedder" / "modules.json", [*modules, {"idx": 1, "name": "1", "path": "", "type": kind}])
        with pytest.raises(ModelUnavailable):
            open_app().embedders.load(f"local:{tmp_path / 'embedder'}")


def test_weights_are_never_unpickled(open_app: Open, tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    static_embedder(tmp_path / "embedder", 16)
    next((tmp_path / "embedder").rglob("*.safetensors")).unlink()
    (tmp_path / "embedder" / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(ModelUnavailable):
        open_app().embedders.load(f"local:{tmp_path / 'embedder'}")
    assert not (tmp_path / "ran").exists()
