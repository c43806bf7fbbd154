"""What was filled into a PDF's forms, and noted on its pages, is read with them, drawn and found again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfWriter
from pypdf.annotations import FreeText, Highlight, Text
from pypdf.generic import ArrayObject, BooleanObject, DictionaryObject, FloatObject, NameObject, NumberObject, TextStringObject

from playground.rag import pdf
from playground.rag.health import NOT_READ, Health, sentences
from playground.rag.marking import marks
from playground.rag.pictures import paint
from playground.rag.readers import limits, told
from playground.settings import PROJECT
from tests.conftest import SHARED
from tests.unit.test_rag_readers import by_hand

SAMPLES = SHARED / "documents" / "pysamples"
HANDBOOK = PROJECT / "assets/samples/harbour_cafe_handbook.pdf"


@pytest.fixture(autouse=True)
def no_tesseract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "tesseract", lambda: None)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return DictionaryObject({NameObject(f"/{key}"): plain(one) for key, one in value.items()})
    if isinstance(value, list):
        return ArrayObject(map(plain, value))
    if isinstance(value, bool):
        return BooleanObject(value)
    if isinstance(value, int | float):
        return FloatObject(value) if isinstance(value, float) else NumberObject(value)
    return NameObject(value) if value.startswith("/") else TextStringObject(value)


def form(path: Path, *fields: dict[str, Any], about: dict[str, Any] | None = None, source: Path = HANDBOOK) -> Path:
    """A PDF with these fields on its first page, from the top down."""
    writer = PdfWriter(clone_from=source)
    page = writer.pages[0]
    made = []
    for number, field in enumerate(fields):
        shown = {"Type": "/Annot", "Subtype": "/Widget", "Rect": [100, 700 - 30 * number, 300, 720 - 30 * number], "F": 4}
        made.append(writer._add_object(plain({**shown, **field})))
    page[NameObject("/Annots")] = ArrayObject(made)
    writer._root_object[NameObject("/AcroForm")] = plain({"NeedAppearances": True, **(about or {})})
    writer._root_object["/AcroForm"][NameObject("/Fields")] = ArrayObject(made)
    writer.write(path)
    return path


def box(name: str, on: bool) -> dict[str, Any]:
    state = {"N": {"Yes": {}, "Off": {}}}
    return {"FT": "/Btn", "T": name, "V": "/Yes" if on else "/Off", "AS": "/Yes" if on else "/Off", "AP": state}


def first(path: Path) -> tuple[pdf.Page, Health]:
    health = Health()
    pages = [page for _, page in pdf.read(path, path.name, about=health.about)]
    for page in pages:
        health.add(page)
    return pages[0], health


def test_filled_fields_are_read_with_their_names(tmp_path: Path) -> None:
    [before, _] = first(HANDBOOK)
    path = form(
        tmp_path / "a.pdf",
        {"FT": "/Tx", "T": "Name", "V": "Alice\rPell"},
        {"FT": "/Tx", "T": "Name", "V": "Alice\rPell"},  # the same in another place
        {"FT": "/Tx", "T": "form1[0].page1[0].town[0]", "V": "Porto"},
        {"FT": "/Tx", "T": "f7", "TU": "Day of birth:", "V": "4 May"},
        {"FT": "/Tx", "T": "Empty"},
        {"FT": "/Tx", "T": "Secret", "V": "hunter2", "Ff": 1 << 13},
        {"FT": "/Tx", "T": "Unseen", "V": "planted", "F": 2},
        box("Agrees", True),
        box("Smokes", False),
        {"FT": "/Ch", "T": "Country", "Ff": 1 << 17, "V": "pt", "Opt": [["pt", "Portugal"], ["br", "Brasil"]]},
        {"FT": "/Btn", "T": "Send", "Ff": 1 << 16, "V": "/No"},
    )
    page, health = first(path)
    assert page.text.removeprefix(before.text).strip().split("\n") == [
        "Name: Alice Pell", "town: Porto", "Day of birth: 4 May", "Agrees: Yes", "Country: Portugal",
    ]  # fmt: skip
    assert sentences(health.card()) == []


def test_filled_fields_are_drawn_and_can_be_marked(tmp_path: Path) -> None:
    path = form(tmp_path / "a.pdf", {"FT": "/Tx", "T": "Name", "V": "Alice", "DA": "/Helv 12 Tf 0 g"})
    empty = form(tmp_path / "b.pdf", {"FT": "/Tx", "T": "Name", "DA": "/Helv 12 Tf 0 g"})
    picture = paint(path, "a.pdf", 1)
    assert picture.image != paint(empty, "b.pdf", 1).image
    [found] = marks(picture.readings, "Name: Alice")
    height = 842 if picture.height / picture.width * 595 > 800 else 792
    assert found.left == pytest.approx(100 / 595, abs=0.03) and found.top == pytest.approx(1 - 720 / height, abs=0.03)


def test_a_form_of_countless_fields_costs_one_page_and_no_more(tmp_path: Path) -> None:
    count = 40_000  # PDFium's time for them grows with their square
    fields = b" ".join(b"%d 0 R" % number for number in range(6, 6 + count))
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Annots[%s]>>"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[%s]>>>>" % fields,
        b"<</Type/Pages/Count 3/Kids[3 0 R 4 0 R 5 0 R]>>",
        *(page % one for one in (b"6 0 R", b"7 0 R", b"8 0 R 9 0 R")),
        *(b"<</Type/Annot/Subtype/Widget/FT/Tx/T(f%d)/V(v%d)/Contents(c%d)/Rect[0 0 9 9]>>" % (n, n, n) for n in range(count)),
    ]
    began = time.monotonic()
    about = pdf.About()
    pages = [one for _, one in pdf.read(by_hand(tmp_path / "a.pdf", objects), "a.pdf", seconds=3, about=about)]
    assert [one.missed == limits.LATE for one in pages] == [True, False, False]
    assert about.unread == {told.FORMS: 1}
    assert time.monotonic() - began < 15


def test_notes_are_read_but_not_the_copies_of_what_they_mark(tmp_path: Path) -> None:
    [before, _] = first(HANDBOOK)
    copied = max(before.text.split("\n"), key=len)[:60]
    writer = PdfWriter(clone_from=HANDBOOK)
    corners = ArrayObject(map(FloatObject, (50, 720, 90, 720, 50, 700, 90, 700)))
    rect = (50, 700, 90, 720)
    writer.add_annotation(0, Text(text="Is this\nright?", rect=rect))
    writer.add_annotation(0, FreeText(text="Approved on the 4th", rect=rect))
    for said in (copied, "No!"):
        marked = Highlight(rect=rect, quad_points=corners)
        marked[NameObject("/Contents")] = TextStringObject(said)
        writer.add_annotation(0, marked)
    writer.write(tmp_path / "a.pdf")
    page, _ = first(tmp_path / "a.pdf")
    assert page.text.removeprefix(before.text).strip().split("\n") == ["Is this right?", "Approved on the 4th", "No!"]


def test_a_form_of_which_only_acrobat_makes_pages_is_told(tmp_path: Path) -> None:
    path = form(tmp_path / "a.pdf", {"FT": "/Tx", "T": "Name"}, about={"XFA": "<xdp/>"})
    writer = PdfWriter(clone_from=path)
    writer._root_object[NameObject("/NeedsRendering")] = BooleanObject(True)
    writer.write(path)
    assert [one.template for one in sentences(first(path)[1].card())] == [NOT_READ[told.XFA]]


def test_a_pdfium_that_could_run_programs_of_a_form_opens_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pypdfium2

    from playground.rag.readers import forms

    path = form(tmp_path / "a.pdf", {"FT": "/Tx", "T": "Name", "V": "Alice"})
    for flags, lines in (((), ["Name: Alice"]), (("V8",), []), (("XFA",), [])):
        monkeypatch.setattr(pypdfium2, "PDFIUM_INFO", type("Info", (), {"flags": flags}))
        document = pypdfium2.PdfDocument(path)
        forms.open_forms(document)
        assert [one.text for one in forms.said(document, document[0])] == lines
        document.close()


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no folder of real test files at {SHARED}")
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("libreoffice-form.pdf", ["First Name: Alice", "First Name_2: Bob"]),
        ("annotated_pdf.pdf", ["This is a text annotation.", "Highlight comment", "Hello world!"]),
    ],
)
def test_real_forms_and_notes(name: str, lines: list[str]) -> None:
    page, _ = first(SAMPLES / name)
    assert page.text.split("\n")[-len(lines) :] == lines
