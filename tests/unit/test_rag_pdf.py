"""Every file ends in pages or in one sentence, in time, whatever is in it and whatever happens to its reader."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, ByteStringObject, DictionaryObject, NameObject, NumberObject

from playground.errors import FileUnreadable
from playground.rag import pdf, reader
from playground.rag.health import Health, sentences
from playground.rag.pdf import Cancelled, Page
from playground.rag.readers import pdfs, told

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "documents"
SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
HANDBOOK = SAMPLES / "harbour_cafe_handbook.pdf"
FILES = sorted(SHARED.rglob("*.pdf")) if SHARED.is_dir() else []
LONGEST = 30  # seconds for a whole file
Popen = subprocess.Popen


def pages_of(path: Path, name: str = "paper.pdf", **options: float) -> list[Page]:
    return [page for _, page in pdf.read(path, name, **options)]


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> list["subprocess.Popen[bytes]"]:
    """Let another program be the reader; gives the processes that were started."""
    started: list[subprocess.Popen[bytes]] = []

    def start(command: list[str], **options: object) -> "subprocess.Popen[bytes]":
        started.append(Popen([sys.executable, "-c", code, *command[3:]], **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(pdf.subprocess, "Popen", start)
    return started


def readers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(autouse=True)
def no_tesseract(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are for tests/integration/test_rag_reading.py."""
    monkeypatch.setattr(pdf, "tesseract", lambda: None)


@pytest.fixture(autouse=True)
def leaves_nothing_behind():  # type: ignore[no-untyped-def]
    before, threads = set(readers()), set(threading.enumerate())
    yield
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and ({*readers()} - before or {*threading.enumerate()} - threads):
        time.sleep(0.02)
    assert not {*readers()} - before, "a reader goes on"
    assert not {*threading.enumerate()} - threads, "a thread goes on"


# real files


@pytest.mark.skipif(not FILES, reason=f"no folder of real test files at {SHARED}")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_real_file_ends_in_pages_or_a_sentence(path: Path) -> None:
    began = time.monotonic()
    try:
        pages = pages_of(path)
    except FileUnreadable as error:
        assert str(error).startswith("paper.pdf ")
        assert str(error).endswith(".")
        assert "{" not in str(error)
    else:
        assert [page.number for page in pages] == list(range(1, len(pages) + 1))
        for page in pages:
            (page.text + page.label).encode()
            assert page.text == page.text.strip()
    assert time.monotonic() - began < LONGEST


@pytest.mark.skipif(not FILES, reason=f"no folder of real test files at {SHARED}")
@pytest.mark.parametrize("name", ["multicolumn.pdf", "with-attachment.pdf", "alice_in_wonderland.pdf"])
def test_a_file_that_was_cut_off_ends_too(name: str, tmp_path: Path) -> None:
    content = next(path for path in FILES if path.name == name).read_bytes()
    chance = random.Random(name)
    for number in range(5):
        path = tmp_path / f"{number}.pdf"
        path.write_bytes(content[: chance.randrange(10, len(content))])
        began = time.monotonic()
        try:
            assert pages_of(path)
        except FileUnreadable as error:
            assert str(error).startswith("paper.pdf ")
        assert time.monotonic() - began < LONGEST


@pytest.mark.skipif(not FILES, reason=f"no folder of real test files at {SHARED}")
@pytest.mark.parametrize(
    ("name", "words"),
    [("libreoffice-writer-password.pdf", "protected by a password"), ("invalid.pdf", "damaged")],
)
def test_what_is_wrong_is_said(name: str, words: str) -> None:
    with pytest.raises(FileUnreadable, match=words):
        pages_of(next(path for path in FILES if path.name == name))


@pytest.mark.skipif(not FILES, reason=f"no folder of real test files at {SHARED}")
def test_a_scan_has_pages_without_text_and_printed_numbers_are_told() -> None:
    scan = next(path for path in FILES if path.name == "linn.pdf")
    assert [(page.text, page.missed) for page in pages_of(scan)] == [("", "absent")]
    roman = next(path for path in FILES if path.name == "GeoTopo-komprimiert.pdf")
    assert [page.label for page in pages_of(roman)][:3] == ["i", "ii", "iii"]


def test_the_handbook_is_read_whole() -> None:
    found = list(pdf.read(HANDBOOK, "handbook.pdf"))
    assert [total for total, _ in found] == [12] * 12
    assert [page.number for _, page in found] == list(range(1, 13))
    for (_, page), other in zip(found, PdfReader(HANDBOOK).pages, strict=True):
        assert set(page.text.split()) & set(other.extract_text().split())
        assert not page.garbled


# files made by hand


def test_no_pages(tmp_path: Path) -> None:
    PdfWriter().write(tmp_path / "x.pdf")
    with pytest.raises(FileUnreadable, match=r"paper.pdf has no pages\."):
        pages_of(tmp_path / "x.pdf")


@pytest.mark.parametrize(
    "content", [b"just a letter to you\n", b"", b"\x00" * 100, b"PK\x03\x04" + b"x" * 50], ids=["text", "empty", "nothing", "zip"]
)
def test_what_is_no_pdf(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pdf"
    path.write_bytes(content)
    with pytest.raises(FileUnreadable, match="is not a PDF file"):
        pages_of(path)


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"%PDF-1.4\n" + b"<<" * 5000, b"%PDF-\n%%EOF"], ids=["head", "deep", "end"])
def test_only_the_head_of_a_pdf(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pdf"
    path.write_bytes(content)
    with pytest.raises(FileUnreadable, match=r"paper\.pdf (is damaged|has no pages)"):
        pages_of(path)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable):
        pages_of(tmp_path / "gone.pdf")


def test_passwords(tmp_path: Path) -> None:
    for name, user in (("closed", "secret"), ("owner only", "")):
        writer = PdfWriter(clone_from=HANDBOOK)
        writer.encrypt(user, "the owner's", algorithm="RC4-128")
        writer.write(tmp_path / f"{name}.pdf")
    with pytest.raises(FileUnreadable, match="protected by a password"):
        pages_of(tmp_path / "closed.pdf")
    assert len(pages_of(tmp_path / "owner only.pdf")) == 12  # whoever may not print may still read


def with_label(path: Path, label: bytes) -> Path:
    writer = PdfWriter()
    writer.add_page(PdfReader(HANDBOOK).pages[0])
    style = DictionaryObject({NameObject("/P"): ByteStringObject(label)})
    writer._root_object[NameObject("/PageLabels")] = DictionaryObject({NameObject("/Nums"): ArrayObject([NumberObject(0), style])})
    writer.write(path)
    return path


@pytest.mark.parametrize(
    "label",
    [b"\xfe\xff\xd8\x00\x00A", b"\xfe\xff\xd8", b"A\x00B\x01", b"long " * 2000, b"\xff\xff\xff"],
    ids=["half a letter", "half a byte", "controls", "long", "odd"],
)
def test_an_odd_label_costs_neither_the_text_nor_the_index(tmp_path: Path, label: bytes) -> None:
    page = pages_of(with_label(tmp_path / "x.pdf", label))[0]
    assert "Harbour" in page.text
    page.label.encode()
    assert len(page.label) <= 100
    assert page.label == "" or page.label.isprintable()


@pytest.mark.parametrize("name", ["-rf.pdf", "a b'c\"d.pdf", "Ação ☕.pdf", "--help"])
def test_the_name_on_disk_does_not_matter(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(HANDBOOK.read_bytes())
    assert len(pages_of(tmp_path / name)) == 12
    monkeypatch.chdir(tmp_path)
    assert len(pages_of(Path(name))) == 12


def test_too_many_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdfs, "MOST_PAGES", 11)
    with pytest.raises(told.Unreadable) as problem:
        list(reader.read(told.Request(HANDBOOK)))
    assert problem.value.args == (told.MANY_PAGES,)


def test_every_problem_has_its_sentence() -> None:
    problems = {value for name, value in vars(told).items() if name.isupper() and isinstance(value, str)} - {told.THIS, *told.UNREAD}
    assert set(pdf.PROBLEMS) == problems
    assert set(pdf.UNLIKE_PDF) < problems


@pytest.mark.parametrize(
    ("value", "share"),
    [
        ("", 0.0),
        (" \n", 0.0),
        ("plain", 0.0),
        ("\ufffd\ufffdab", 0.5),
        ("\ue000\x01", 1.0),
        ("日本語 русский", 0.0),
        ("䴀甀氀琀", 1.0),  # its bytes are swapped
        ("the quick brown fox jumps over the lazy dog " * 3, 0.0),
        ("".join(chr(ord(c) - 29) for c in "thequickbrownfoxjumpsoverthelazydog" * 3), 1.0),  # a font without a map
        ("Strč prst skrz krk " * 20, 1.0),  # the price of that rule
        ("Žluťoučký kůň úpěl ďábelské ódy a příliš žhavil " * 4, 0.0),
        ("1 2 3 4 . . . . . . . . . . . . . . . xyz" * 9, 0.0),
    ],
)
def test_how_garbled_a_text_is(value: str, share: float) -> None:
    assert told.garbled(value) == share


# readers in trouble


def test_a_reader_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    stand_in(monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(FileUnreadable, match=r"Page 1 of paper\.pdf took longer than 1 seconds"):
        pages_of(HANDBOOK, seconds=1)
    assert time.monotonic() - began < 4


def test_a_reader_that_hangs_at_a_later_page(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [{"pages": 9}, *({"page": n, "label": "", "text": "tea", "garbled": False} for n in (1, 2))]
    stand_in(monkeypatch, f"import time; print({chr(10).join(map(json.dumps, lines))!r}, flush=True); time.sleep(60)")
    got = []
    with pytest.raises(FileUnreadable, match=r"Page 3 of paper\.pdf took longer"):
        for _, page in pdf.read(HANDBOOK, "paper.pdf", seconds=1):
            got.append(page.number)
    assert got == [1, 2]


def test_a_reader_that_is_killed_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    started = stand_in(monkeypatch, "import time; print('{\"pages\": 3}', flush=True); time.sleep(60)")
    threading.Timer(0.5, lambda: started[0].kill()).start()
    with pytest.raises(FileUnreadable, match="made the PDF reader give up at page 1"):
        pages_of(HANDBOOK)


@pytest.mark.parametrize(
    "code",
    [
        'import sys; sys.stdout.write(\'{"pages": 3}\\n{"page": 1, "te\'); sys.stdout.flush(); import os; os.kill(os.getpid(), 9)',
        "import os; os.abort()",
        "import sys; sys.exit(3)",
        "print('Traceback (most recent call last)')",
        "print('[1, 2]')",
        'print(\'{"problem": "unheard of"}\')',
        "print('{\"page\": 1}')",
        "import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\n')",
    ],
    ids=["killed in mid-line", "abort", "exit", "words", "a list", "unknown problem", "half a page", "bytes"],
)
def test_a_reader_that_crashes_or_talks_nonsense(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    stand_in(monkeypatch, code)
    with pytest.raises(FileUnreadable, match=r"paper\.pdf made the PDF reader give up at page 1"):
        pages_of(HANDBOOK)


DYING = """
import ctypes, os, signal, sys, time
from playground.rag import reader
from playground.rag.readers import pdfs

def trouble(number):
    if number + 1 in {pages}:
        {how}

page, text = pdfs._Work.page, pdfs._Work._text
pdfs._Work.page = lambda self, number: ({soon} and trouble(number), page(self, number))[1]
pdfs._Work._text = lambda self, opened, number, found: (not {soon} and trouble(number), text(self, opened, number, found))[1]
sys.exit(reader.main())
"""


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "broke"),
        ("ctypes.string_at(0)", "broke"),  # a real segmentation fault
        ("time.sleep(60)", "late"),
        ("bytearray(3 * 1024**3)", "full"),  # more than the reader may have
    ],
    ids=["killed", "segfault", "stuck", "memory"],
)
def test_a_page_that_ends_the_reader_costs_that_page_alone(monkeypatch: pytest.MonkeyPatch, how: str, why: str) -> None:
    wanted = pages_of(HANDBOOK)
    started = stand_in(monkeypatch, DYING.format(pages={2}, how=how, soon=why != "full"))
    health = Health()
    found = []
    for total, page in pdf.read(HANDBOOK, "paper.pdf", seconds=3, about=health.about):
        assert total == 12
        health.add(page)
        found.append(page)
    assert found == [page if page.number != 2 else Page(2, page.label if why == "full" else "", "", missed=why) for page in wanted]
    assert len(started) == (1 if why == "full" else 2)
    assert all(one.returncode is not None for one in started)
    [told] = sentences(health.card())
    assert "left out: 2." in told
    assert (health.card()["pages_text"], health.missed) == (11, {why: 1})


def test_several_bad_pages_are_left_out_and_more_than_a_few_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    stand_in(monkeypatch, DYING.format(pages={1, 5, 6, 12}, how=kill, soon=True))
    assert [page.number for page in pages_of(HANDBOOK) if page.missed] == [1, 5, 6, 12]
    monkeypatch.undo()
    started = stand_in(monkeypatch, DYING.format(pages=set(range(2, 12)), how=kill, soon=True))
    monkeypatch.setattr(pdf, "tesseract", lambda: None)
    with pytest.raises(FileUnreadable, match=r"paper\.pdf made the PDF reader give up at page 7"):
        pages_of(HANDBOOK)
    assert len(started) == pdf.MOST_LOST + 1


def test_a_file_all_of_whose_pages_end_the_reader_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    writer = PdfWriter()
    for number in (1, 2):
        writer.add_page(PdfReader(HANDBOOK).pages[number])
    writer.write(tmp_path / "two.pdf")
    stand_in(monkeypatch, DYING.format(pages={1, 2}, how="os.kill(os.getpid(), signal.SIGKILL)", soon=True))
    with pytest.raises(FileUnreadable, match=r"paper\.pdf made the PDF reader give up at page 2"):
        pages_of(tmp_path / "two.pdf")


def test_cancelling_is_quick_and_kills_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    started = stand_in(monkeypatch, "import time; time.sleep(60)")
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(pdf.read(HANDBOOK, "paper.pdf", lambda: time.monotonic() - began > 0.3))
    assert time.monotonic() - began < 2
    assert started[0].returncode is not None


def test_whoever_stops_listening_leaves_no_reader_and_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps({"page": 1, "label": "", "text": "", "garbled": False})
    stand_in(monkeypatch, f"import sys\nsys.stdout.write('{{\"pages\": 5000}}\\n' + {line + chr(10)!r} * 5000); sys.stdout.flush()")
    pages = pdf.read(HANDBOOK, "paper.pdf")
    next(pages)
    pages.close()  # type: ignore[attr-defined]


def test_the_reader_gets_no_variable_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_X", "a token")
    code = (
        "import json, os\ninput()\nprint(json.dumps({'pages': 1}))\n"  # as the reader does: one that ends before it was asked is not heard
        "print(json.dumps({'page': 1, 'label': '', 'text': ' '.join(sorted(os.environ)), 'garbled': False}))\nprint(json.dumps({'end': 1}))"
    )
    stand_in(monkeypatch, code)
    names = set(pages_of(HANDBOOK)[0].text.split())
    assert "PYTHONUTF8" in names
    assert not names & ({"SECRET_X", "HOME", "PATH", "HF_TOKEN"} | {name for name in os.environ if "TOKEN" in name or "SECRET" in name})


def test_the_reader_has_no_more_memory_than_a_large_pdf_needs() -> None:
    code = "from playground.rag.reader import limit_memory; limit_memory(); bytearray(3 * 1024**3)"
    done = subprocess.run([sys.executable, "-c", code], cwd=pdf.PROJECT, capture_output=True, text=True, timeout=30, check=False)
    assert "MemoryError" in done.stderr
