"""The sections of a document: read from outlines however broken, from headings, placed in the text, and known to every passage."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.generic import Fit

from playground.rag import pdf, schema
from playground.rag.chunks import Chunk, chunk
from playground.rag.health import Health
from playground.rag.index import DONE, Index
from playground.rag.pdf import Page
from playground.rag.readers import outline
from playground.rag.readers.told import Begun
from playground.rag.sections import TITLE_CHARACTERS, Section, held, placed
from tests.conftest import PROJECT, SHARED
from tests.pdf_by_hand import by_hand
from tests.unit.test_rag_pdf import DYING, stand_in

HANDBOOK = PROJECT / "assets" / "samples" / "harbour_cafe_handbook.pdf"
TEXT = "Fees are told below.\nFees\nTea costs 4.\nCakes\nFees of cakes: none.\nFees\nThe end."
quick = hypothesis_settings(max_examples=100, deadline=None)


@pytest.fixture(autouse=True)
def no_tesseract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "tesseract", lambda: None)


def pages_of(path: Path, **options: Any) -> list[Page]:
    return [page for _, page in pdf.read(path, path.name, **options)]


def begun(pages: list[Page]) -> list[tuple[int, str]]:
    return [(page.number, " › ".join(one.path)) for page in pages for one in page.sections]


# where a section begins in the text


@pytest.mark.parametrize(
    ("title", "share", "start"),
    [
        ("Fees", None, TEXT.index("Fees\nTea")),  # a line of its own; the first, where nothing tells them apart
        ("Fees", 0.8, TEXT.index("Fees\nThe end")),  # the one nearest to the destination
        ("CAKES ", 0.0, TEXT.index("Cakes")),
        ("Tea", None, TEXT.index("Tea")),  # at the end of a line, for want of a better one
        ("costs", None, 0),  # amid other words it is no title
        ("costs", 0.5, TEXT.index("Cakes")),
        ("Prices", 0.5, TEXT.index("Cakes")),  # not on the page: half of its letters stand before it
        ("Prices", None, 0),
        ("…", 0.0, 0),
    ],
)
def test_where_a_section_begins(title: str, share: float | None, start: int) -> None:
    assert placed([Begun((title,), share)], TEXT)[0].start == start


def test_sections_come_in_the_order_of_the_text_and_hold_until_the_next() -> None:
    found = placed([Begun(("Prices", "Cakes"), 0.6), Begun(("Prices", "Fees"), 0.2)], TEXT)
    assert [one.path for one in found] == [("Prices", "Fees"), ("Prices", "Cakes")]
    assert held(found, 3) == ()
    assert held(found, TEXT.index("Tea")) == ("Prices", "Fees")
    assert held(found, len(TEXT)) == ("Prices", "Cakes")


def test_a_section_does_not_begin_after_one_within_it() -> None:
    told = [one.path for one in placed([Begun(("Cakes",)), Begun(("Cakes", "Not printed"))], TEXT)]
    assert told == [("Cakes",), ("Cakes", "Not printed")]
    outer, inner = placed([Begun(("Cakes",)), Begun(("Cakes", "Fees"))], TEXT)
    assert (outer.path, inner.path, outer.start) == (("Cakes",), ("Cakes", "Fees"), inner.start)
    assert [one.start for one in placed([Begun(("Fees",)), Begun(("Of old",))], TEXT)] == [TEXT.index("Fees\nTea")] * 2


def test_hostile_titles_stay_one_short_line() -> None:
    [one] = placed([Begun(("A\n\x00\tB", "\u202egro.elpmaxe\u2066", " \x07 ", "x y " * 10_000))], "tea")
    assert one.path[:2] == ("A B", "gro.elpmaxe")
    assert TITLE_CHARACTERS - 3 < len(one.path[2]) <= TITLE_CHARACTERS and one.path[2].endswith(" x…")
    assert placed([Begun((" ", "\x00"))], "tea") == ()


def test_a_hostile_page_of_titles_is_placed_in_a_moment() -> None:
    began = time.monotonic()
    placed([Begun(("a",), 0.9)] * 50, "a " * 50_000)
    placed([Begun(("aa",), 0.9)] * 50, "a" * 100_000)
    assert time.monotonic() - began < 3


@quick
@given(
    st.text(max_size=60),
    st.lists(st.builds(Begun, st.tuples(st.text(max_size=9), st.text(max_size=4)), st.none() | st.floats(0, 1)), max_size=5),
)
def test_any_title_has_a_place_in_any_text(text: str, sections: list[Begun]) -> None:
    found = placed(sections, text)
    assert len(found) <= len(sections)
    assert [one.start for one in found] == sorted(one.start for one in found)
    assert all(0 <= one.start <= max(0, len(text) - 1) for one in found)


# outlines


def outlined(path: Path, password: str = "") -> Path:
    """Three pages of the handbook with an outline: two sections on one page, told apart by their height alone, within a third."""
    writer = PdfWriter()
    for page in PdfReader(HANDBOOK).pages[:3]:
        writer.add_page(page)
    house = writer.add_outline_item("House", 0, fit=Fit("/XYZ", (0, None, None)))
    writer.add_outline_item("Upper half", 1, house, fit=Fit("/XYZ", (0, 842, 0)))
    writer.add_outline_item("Lower half", 1, house, fit=Fit("/FitH", (400,)))
    writer.add_outline_item("Nobody's", None, house)
    if password:
        writer.encrypt(password, algorithm="AES-256")
    writer.write(path)
    return path


@pytest.mark.parametrize("password", ["", "tea"])
def test_an_outline_is_read_beside_the_text(tmp_path: Path, password: str) -> None:
    found = pages_of(outlined(tmp_path / "a.pdf", password), password=password or None)
    plain = pages_of(HANDBOOK)[:3]
    assert [page.text for page in found] == [page.text for page in plain]
    assert begun(found) == [(1, "House"), (2, "House › Upper half"), (2, "House › Lower half")]
    upper, lower = found[1].sections
    assert upper.start == 0 and 0.2 < lower.start / len(found[1].text) < 0.8
    assert found[1].text[lower.start - 1].isspace(), "between two words"


PAGE, ROOM = (
    "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
    "BT /F 9 Tf 9 50 Td (Tea) Tj ET",
)
BEFORE = 5  # objects


def with_outline(path: Path, entries: list[str], *, catalog: str = "", first: int = 0) -> Path:
    """One page that says Tea; `entries` are objects from number 7 on, 6 being their root."""
    objects = [
        f"<</Type/Catalog/Pages 2 0 R/Outlines 6 0 R{catalog}>>",
        "<</Type/Pages/Count 1/Kids[3 0 R]>>",
        PAGE,
        f"<</Length {len(ROOM)}>>stream\n{ROOM}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        f"<</Type/Outlines/First {first or 7} 0 R/Last {6 + len(entries)} 0 R/Count {len(entries)}>>",
        *entries,
    ]
    return by_hand(path, [one.encode("latin-1") for one in objects])


def entry(title: str, more: str = "", dest: str = "/Dest[3 0 R/Fit]") -> str:
    return f"<</Title({title})/Parent 6 0 R{dest}{more}>>"


NAMES = "/Names<</Dests<</Names[(there)[3 0 R/XYZ 0 90 0]]>>>>"
ENTRIES: dict[str, tuple[list[str], list[str]]] = {
    "its end is its beginning": ([entry("A", "/Next 8 0 R"), entry("B", "/Next 7 0 R")], ["A", "B"]),
    "its own child": ([entry("A", "/First 7 0 R/Next 8 0 R"), entry("B")], ["A", "B"]),
    "a child of its child": ([entry("A", "/First 8 0 R"), entry("B", "/First 7 0 R")], ["A", "A › B"]),
    "names": ([entry("A", "/Next 8 0 R", "/Dest(there)"), entry("B", dest="/A<</S/GoTo/D(there)>>")], ["A", "B"]),
    "nowhere": ([entry("A", "/Next 8 0 R", "/Dest(nowhere)"), entry("B", "/Next 9 0 R", "/Dest[77 0 R/Fit]"), entry("C")], ["C"]),
    "elsewhere": ([entry("A", "/Next 8 0 R", "/A<</S/URI/URI(http://127.0.0.1:1/x)>>"), entry("B", dest="/Dest[99/Fit]")], []),
    "a program": ([entry("A", "/Next 8 0 R", "/A<</S/JavaScript/JS(app.alert\\(1\\))>>"), entry("B")], ["B"]),
    "odd heights": ([entry("A", "/Next 8 0 R", "/Dest[3 0 R/XYZ null null null]"), entry("B", dest="/Dest[3 0 R/FitH]")], ["A", "B"]),
    "no title": (["<</Title 7/Dest[3 0 R/Fit]/Next 8 0 R>>", "<</Dest[3 0 R/Fit]/Next 9 0 R>>", entry("C")], ["C"]),
    "half a letter": ([entry("\xfe\xff\xd8\x3d", "/Next 8 0 R"), entry("B")], ["B"]),
    "no entry": (["null"], []),
    "a page for an entry": (["3 0 R"], []),
    "deeper than anybody reads": ([entry(f"{n}", f"/First {8 + n} 0 R") for n in range(200)], [
        " › ".join(map(str, range(n + 1))) for n in range(outline.DEEPEST)
    ]),
}  # fmt: skip


@pytest.mark.parametrize("how", ENTRIES)
def test_of_a_broken_outline_what_is_whole_counts_and_the_text_is_read(tmp_path: Path, how: str) -> None:
    entries, wanted = ENTRIES[how]
    [page] = pages_of(with_outline(tmp_path / "a.pdf", entries, catalog=NAMES))
    assert page.text == "Tea"
    assert [" › ".join(one.path) for one in page.sections] == wanted


def test_an_outline_of_50_000_entries_is_bounded(tmp_path: Path) -> None:
    path = with_outline(tmp_path / "a.pdf", [entry(f"Part {n}", f"/Next {8 + n} 0 R") for n in range(50_000)])
    began = time.monotonic()
    [page] = pages_of(path)
    assert time.monotonic() - began < 10
    assert page.text == "Tea"
    assert len(page.sections) == outline.MOST_ON_A_PAGE


def test_a_title_of_a_million_letters_is_cut(tmp_path: Path) -> None:
    [page] = pages_of(with_outline(tmp_path / "a.pdf", [entry("a" * 1_000_000)]))
    assert len(page.sections[0].path[0]) == TITLE_CHARACTERS


@pytest.mark.parametrize("how", ["os.kill(os.getpid(), signal.SIGKILL)", "time.sleep(60)", "raise MemoryError"])
def test_an_outline_that_ends_the_reader_costs_the_sections_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    path = outlined(tmp_path / "a.pdf")
    wanted = [page.text for page in pages_of(path)]
    dying = f"import pypdfium2\ndef toc(*_, **__):\n    {how}\npypdfium2.PdfDocument.get_toc = toc\n"
    started = stand_in(monkeypatch, DYING.replace("sys.exit", dying + "sys.exit").format(pages={99}, how="pass", soon=True))
    health = Health()
    found = pages_of(path, seconds=2, about=health.about)
    assert ([page.text for page in found], begun(found), health.missed) == (wanted, [], {})
    assert len(started) == (1 if "Memory" in how else 2)


def test_a_section_that_begins_on_a_lost_page_holds_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = outlined(tmp_path / "a.pdf")
    stand_in(monkeypatch, DYING.format(pages={2}, how="os.kill(os.getpid(), signal.SIGKILL)", soon=True))
    found = pages_of(path)
    assert [page.missed for page in found] == ["", "broke", ""]
    assert begun(found) == [(1, "House"), (2, "House › Upper half"), (2, "House › Lower half")]


# headings


WORDS = [("Statutes", 1), ("Fees", 2), ("Nobody pays.", 0), ("Students", 3), ("They read.", 0), ("Rules", 1), ("No smoking.", 0)]
PATHS = ["Statutes", "Statutes › Fees", "Statutes › Fees › Students", "Rules"]


def headed(path: Path) -> Path:
    if path.suffix == ".docx":
        import docx

        document = docx.Document()
        document.add_heading("Handbook", 0)
        for text, level in WORDS:
            document.add_heading(text, level) if level else document.add_paragraph(text)
        document.save(str(path))
    elif path.suffix == ".md":
        path.write_text("\n\n".join(f"{'#' * level} {text}".strip() for text, level in WORDS))
    else:
        path.write_text("".join(f"<h{level}>{text}</h{level}>" if level else f"<p>{text}</p>" for text, level in WORDS))
    return path


@pytest.mark.parametrize("kind", ["docx", "md", "html"])
def test_headings_are_sections_too(tmp_path: Path, kind: str) -> None:
    pages = pages_of(headed(tmp_path / f"a.{kind}"))
    title = ["Handbook"] if kind == "docx" else []
    assert [" › ".join(one.path) for page in pages for one in page.sections] == title + [" › ".join([*title, path]) for path in PATHS]
    assert all(page.sections[0].start == 0 for page in pages)
    assert pages[-1].label == "Rules"


def test_text_after_a_long_section_is_cut_still_stands_under_its_heading(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Long\n\n" + "\n\n".join(["word " * 300] * 5))
    pages = pages_of(tmp_path / "a.md")
    assert len(pages) > 1
    assert [len(page.sections) for page in pages] == [1] + [0] * (len(pages) - 1)


# passages


def test_a_heading_as_long_as_a_book_is_not_repeated_on_every_page(tmp_path: Path) -> None:
    from playground.rag.readers import prose, told

    (tmp_path / "a.html").write_text(f"<h1>{'word ' * 9000}</h1>" + "".join(f"<h2>Part {n}</h2><p>Text {n}." for n in range(50)))
    lines = list(prose.html(told.Request(tmp_path / "a.html", ".html")))
    sizes = [len(json.dumps(line)) for line in lines]
    assert sizes[1] > 45_000 and max(sizes[2:]) < 2_000
    pages = pages_of(tmp_path / "a.html")
    assert pages[0].text.count("word") == 9000 and pages[-1].sections[0].path[1] == "Part 49"


@pytest.fixture
def index(tmp_path: Path) -> Index:
    made = Index(tmp_path / "index.sqlite")
    made.create()
    return made


def fill(index: Index, pages: list[Page], name: str = "a.pdf", sha: str = "1", replaces: list[int] | None = None) -> list[int]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(PROJECT / "assets/starter/embedder/tokenizer.json"))
    document = index.register(name, sha, f"{sha}.pdf")
    chunks = list(chunk(pages, tokenizer, 64))
    texts = [(page.number, page.label, page.text, False) for page in pages]
    sections = {page.number: page.sections for page in pages}
    return index.finish(document.id, chunks, np.zeros((len(chunks), 4)), texts, begun=sections, replaces=replaces or [])


def test_every_passage_knows_its_section(index: Index) -> None:
    head = "Harbour Café\n"
    first = Page(1, "", f"{head}What stands before all sections, in words enough.")
    second = Page(2, "", f"{head}Fees\nNobody pays for tea.\nRules\nNo smoking.", sections=(
        Section(len(head), ("Fees",)), Section(len(head) + 26, ("Fees", "Rules")),
    ))  # fmt: skip
    third = Page(3, "", "Still no smoking.")
    one, two, three = index.passages(fill(index, [first, second, third])).values()
    assert (one.section, two.section, three.section) == ((), ("Fees",), ("Fees", "Rules")), "that in which the middle of a passage stands"
    assert two.section_at(0) == ()
    assert two.section_at(two.text.index("Nobody")) == ("Fees",)
    assert two.section_at(two.text.index("No smoking")) == ("Fees", "Rules")
    assert index.section(1, 2, 0) == () and index.section(1, 3, 0) == index.section(1, 99, 0) == ("Fees", "Rules")


def test_sections_go_with_their_document(index: Index) -> None:
    page = Page(1, "", "tea", sections=(Section(0, ("Old",)),))
    fill(index, [page])
    [new] = fill(index, [Page(1, "", "fish")], sha="2", replaces=[1])
    assert index.passages([new])[new].sections == ()
    index.delete(index.documents()[0].id)
    with contextlib.closing(sqlite3.connect(index.path)) as db:
        assert db.execute("SELECT count(*) FROM sections").fetchone() == (0,)


def test_a_file_made_before_there_were_sections_is_asked_as_before(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.executescript(schema.TABLES)
        for line in schema.ADDED[1]:
            db.execute(line)
        db.execute("PRAGMA user_version = 2")
        row = (1, "a.pdf", "1", "1.pdf", DONE, 1, 0, 0, 1, None, 5.0, 0, "page", '{"tables": 1}')
        db.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.execute("INSERT INTO pages VALUES (1, 1, 'i', 'one tea')")
        db.execute("INSERT INTO chunks VALUES (3, 1, 0, 1, 'i', 0, 'one tea', ?)", (np.ones(4, np.float16).tobytes(),))
    index = Index(path)
    assert [id for id, _ in index.keyword("tea", 5)] == [3]
    assert (index.passages([3])[3].text, index.passages([3])[3].section) == ("one tea", ())
    assert index.documents()[0].health == {"tables": 1}
    document = index.register("b.pdf", "2", "2.pdf")
    [id] = index.finish(document.id, [Chunk(0, 1, "", 0, "fish")], np.ones((1, 4)), [], begun={1: [Section(0, ("Sea",))]})
    assert index.passages([id])[id].section == ("Sea",)


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no folder of real test files at {SHARED}")
def test_a_real_outline() -> None:
    pages = pages_of(SHARED / "documents" / "gov_public_domain" / "FederalPLGuidelines.pdf")
    assert sum(len(page.sections) for page in pages) == 150
    for page in pages:
        for one in page.sections:
            assert page.text[one.start :].replace("\n", " ").startswith(one.path[-1].strip("…")), (page.number, one)
