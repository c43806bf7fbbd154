"""What lies in office files and web pages beside their paragraphs: read, or told on the card, but never lost without a word."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import docx
import pptx
import pytest
import xlsxwriter
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml.ns import nsdecls
from docx.oxml.parser import parse_xml
from PIL import Image

from playground.rag import pdf
from playground.rag.health import NOT_READ, Health, sentences
from playground.rag.readers import told
from tests.unit.test_rag_pdf import stand_in

DIAGRAM = """<dgm:dataModel xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"
 xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><dgm:ptLst>
 <dgm:pt modelId="1"><dgm:t><a:bodyPr/><a:p><a:r><a:t>Sow in </a:t></a:r><a:r><a:t>March</a:t></a:r></a:p></dgm:t></dgm:pt>
 <dgm:pt modelId="2"><dgm:t><a:bodyPr/><a:p><a:r><a:t>Reap in August</a:t></a:r></a:p></dgm:t></dgm:pt></dgm:ptLst></dgm:dataModel>"""
DIAGRAM_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/diagramData"
SMART_ART = (
    '<a:graphicData xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    ' uri="http://schemas.openxmlformats.org/drawingml/2006/diagram"><dgm:relIds'
    ' xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" r:dm="{id}"/></a:graphicData>'
)


def read(path: Path) -> tuple[list[pdf.Page], list[Any]]:
    """The pages, and what the card says is left out."""
    health = Health()
    pages = [page for _, page in pdf.read(path, path.name, about=health.about)]
    for page in pages:
        health.add(page)
    return pages, [(one.template, one.values["n"]) for one in sentences(health.card())]


def left(**counts: int) -> list[Any]:
    return [(NOT_READ[what], counts[what]) for what in told.UNREAD if what in counts]


def picture() -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (200, 100), "white").save(out, "PNG")
    out.seek(0)
    return out


def written(tmp_path: Path, *body: str, **parts: str) -> Path:
    """A Word file with this XML in its body, after a first paragraph, and parts such as `footnotes`."""
    document = docx.Document()
    document.add_paragraph("The first paragraph stands plainly here.")
    for place, xml in enumerate(body, 1):
        holder = parse_xml(f"<x {nsdecls('w', 'r', 'wp', 'a', 'pic', 'm')}>{xml}</x>")
        for number, element in enumerate(list(holder)):
            document.element.body.insert(place + number, element)
    package = document.part.package
    for name, xml in parts.items():
        content = f"<w:{name} {nsdecls('w')}>{xml}</w:{name}>".encode()
        part = Part(PackURI(f"/word/{name}.xml"), "application/xml", content, package)
        document.part.relate_to(part, getattr(RELATIONSHIP_TYPE, name.upper()))
    document.save(str(tmp_path / "a.docx"))
    return tmp_path / "a.docx"


def run(text: str) -> str:
    return f"<w:r><w:t>{text}</w:t></w:r>"


def box(text: str) -> str:
    return f"<w:txbxContent><w:p>{run(text)}</w:p></w:txbxContent>"


CONTROL = "<w:sdt><w:sdtPr>{what}</w:sdtPr><w:sdtContent>{held}</w:sdtContent></w:sdt>"
TEXT_BOX = (
    '<w:p><w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice Requires="wps">'
    '<w:drawing><wp:anchor><a:graphic><a:graphicData><wps:wsp xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape">'
    f"<wps:txbx>{box('Ring twice.')}</wps:txbx></wps:wsp></a:graphicData></a:graphic></wp:anchor></w:drawing></mc:Choice><mc:Fallback>"
    f'<w:pict><v:shape xmlns:v="urn:schemas-microsoft-com:vml"><v:textbox>{box("Ring twice.")}</v:textbox></v:shape></w:pict>'
    "</mc:Fallback></mc:AlternateContent></w:r></w:p>"
)


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (CONTROL.format(what="", held=f"<w:p>{run('The deadline is on the 4th of May.')}</w:p>"), "The deadline is on the 4th of May."),
        (f"<w:p>{run('Due on ')}{CONTROL.format(what='', held=run('the 4th'))}{run(' of May')}</w:p>", "Due on the 4th of May"),
        (f"<w:p>{run('Name: ')}{CONTROL.format(what='<w:showingPlcHdr/>', held=run('Click here to enter text'))}</w:p>", "Name:"),
        (f"<w:p>{run('The fee is ')}<w:ins w:id='1'>{run('90 euros')}</w:ins>{run(' in all.')}</w:p>", "The fee is 90 euros in all."),
        (f"<w:p>{run('It costs ')}<w:del w:id='1'><w:r><w:delText>80</w:delText></w:r></w:del>{run('90.')}</w:p>", "It costs 90."),
        (f"<w:p><w:moveFrom w:id='1'>{run('Gone. ')}</w:moveFrom><w:moveTo w:id='2'>{run('Here.')}</w:moveTo></w:p>", "Here."),
        (f"<w:p><w:hyperlink>{run('Link')}</w:hyperlink><w:r><w:tab/><w:t>and</w:t><w:br/><w:t>more</w:t></w:r></w:p>", "Link and more"),
        ("<w:p><m:oMath><m:r><m:t>E=mc²</m:t></m:r></m:oMath></w:p>", "E=mc²"),
        (f"<w:p>{run('At the door')}</w:p>{TEXT_BOX}", "At the door\nRing twice."),
    ],
)  # fmt: skip
def test_no_text_of_a_word_file_is_lost(tmp_path: Path, body: str, wanted: str) -> None:
    pages, left_out = read(written(tmp_path, body))
    assert [page.text for page in pages] == [f"The first paragraph stands plainly here.\n{wanted}"]
    assert left_out == []


def test_notes_headers_and_footers_of_a_word_file_are_read(tmp_path: Path) -> None:
    note = '<w:{what}note w:id="2"><w:p>' + run("But not on Sundays.") + "</w:p></w:{what}note>"
    ruler = '<w:footnote w:type="separator" w:id="0"><w:p><w:r><w:separator/></w:r></w:p></w:footnote>'
    refers = f"<w:p>{run('It opens at nine.')}<w:r><w:{{what}}noteReference w:id='2'/></w:r></w:p>"
    for what in ("foot", "end"):
        path = written(tmp_path, refers.format(what=what), **{f"{what}notes": (ruler if what == "foot" else "") + note.format(what=what)})
        document = docx.Document(str(path))
        document.sections[0].header.paragraphs[0].text = "House rules"
        document.sections[0].footer.paragraphs[0].text = "Version of May"
        document.add_section().header.is_linked_to_previous = False
        document.sections[1].header.paragraphs[0].text = "House rules"
        document.save(str(path))
        [page], left_out = read(path)
        assert page.text.split("\n") == [
            "House rules", "Version of May", "The first paragraph stands plainly here.", "It opens at nine.", "But not on Sundays.",
        ]  # fmt: skip
        assert left_out == []


def test_tables_of_a_word_file_have_all_their_rows_and_cells(tmp_path: Path) -> None:
    def cell(text: str, more: str = "") -> str:
        return f"<w:tc><w:tcPr>{more}</w:tcPr><w:p>{text}</w:p></w:tc>"

    def row(*cells: str, more: str = "") -> str:
        return f"<w:tr><w:trPr>{more}</w:trPr>{''.join(cells)}</w:tr>"

    rows = [
        row(cell(run("Tea")), cell(run("Price")), cell(run("Shelf"))),
        row(cell(run("Grey")), cell(f"<w:ins w:id='1'>{run('4.50')}</w:ins>"), cell(run("low"), '<w:vMerge w:val="restart"/>')),
        CONTROL.format(what="", held=row(CONTROL.format(what="", held=cell(run("Green"))), cell(run("3")), cell("", "<w:vMerge/>"))),
        row(cell(run("Sold out")), cell(run("1")), cell(""), more="<w:del w:id='2'/>"),
        row(cell(run("All of them"), '<w:gridSpan w:val="2"/>'), cell(run("high"))),
    ]
    [page], _ = read(written(tmp_path, f"<w:tbl>{''.join(rows)}</w:tbl>"))
    assert page.text.split("\n")[1:] == [
        "Tea: Grey; Price: 4.50; Shelf: low",
        "Tea: Green; Price: 3; Shelf: low",
        "Tea: All of them; Price: All of them; Shelf: high",
    ]
    assert page.tables == 1
    span, before = '<w:gridSpan w:val="99999999"/>', '<w:gridBefore w:val="99999999"/>'
    endless = row(cell(run("a"), span), more=before)
    assert read(written(tmp_path, f"<w:tbl>{endless}</w:tbl>"))[0][0].text.endswith("here.\na")


def test_what_is_no_text_in_a_word_file_is_told(tmp_path: Path) -> None:
    document = docx.Document()
    run = document.add_paragraph("See the plan.").runs[0]
    document.add_picture(picture())
    document.inline_shapes[0]._inline.docPr.set("descr", "The way to the red door")
    document.add_picture(picture())
    document.inline_shapes[1]._inline.docPr.set("descr", "plan.png")
    document.add_comment(run, "Is this right?")
    last = document.element.body[-2]
    last.addnext(parse_xml(f"<w:p {nsdecls('w')}><w:r><w:object/></w:r></w:p>"))
    chart = f"<a:graphic {nsdecls('a')}><a:graphicData><c:chart {nsdecls('c')}/></a:graphicData></a:graphic>"
    last.addnext(parse_xml(f"<w:p {nsdecls('w')}><w:r><w:drawing>{chart}</w:drawing></w:r></w:p>"))
    data = Part(PackURI("/word/diagrams/data1.xml"), "application/xml", DIAGRAM.encode(), document.part.package)
    held = f"<a:graphic {nsdecls('a')}>{SMART_ART.format(id=document.part.relate_to(data, DIAGRAM_TYPE))}</a:graphic>"
    last.addnext(parse_xml(f"<w:p {nsdecls('w')}><w:r><w:drawing>{held}</w:drawing></w:r></w:p>"))
    document.save(str(tmp_path / "a.docx"))
    [page], left_out = read(tmp_path / "a.docx")
    assert page.text.split("\n") == ["See the plan.", "The way to the red door", "Sow in March", "Reap in August"]
    assert left_out == left(pictures=2, drawings=1, comments=1, embedded=1)


def test_slides_with_groups_smartart_pictures_charts_and_comments(tmp_path: Path) -> None:
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.opc.package import Part as SlidePart
    from pptx.opc.packuri import PackURI as SlideURI
    from pptx.oxml import parse_xml as parse_slide

    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "The year"
    group = slide.shapes.add_group_shape().shapes
    group.add_textbox(0, 0, 9, 9).text_frame.text = "Within a group"
    slide.shapes.add_picture(picture(), 0, 0)
    slide.shapes[-1]._element.nvPicPr.cNvPr.set("descr", "A field in spring")
    chart = CategoryChartData()
    chart.categories = ["a"]
    chart.add_series("s", [1])
    slide.shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, 9, 9, chart)
    package = show.part.package
    art = slide.part.relate_to(SlidePart(SlideURI("/ppt/diagrams/data1.xml"), "application/xml", package, DIAGRAM.encode()), DIAGRAM_TYPE)
    spaces = (
        'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
        ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
        ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    )
    name = '<p:cNvPr id="{id}" name="x"/>'
    slide.shapes._spTree.append(parse_slide(
        f'<p:graphicFrame {spaces}><p:nvGraphicFramePr>{name.format(id=70)}<p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr>'
        f'<p:xfrm/><a:graphic>{SMART_ART.format(id=art)}</a:graphic></p:graphicFrame>'
    ))  # fmt: skip
    shape = (
        f"<p:sp><p:nvSpPr>{name.format(id=71)}<p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/>"
        "<p:txBody><a:bodyPr/><a:p><a:r><a:t>For newer programs</a:t></a:r></a:p></p:txBody></p:sp>"
    )
    slide.shapes._spTree.append(parse_slide(
        f'<mc:AlternateContent {spaces}><mc:Choice Requires="a14">{shape}</mc:Choice>'
        f"<mc:Fallback>{shape.replace('newer', 'older')}</mc:Fallback></mc:AlternateContent>"
    ))  # fmt: skip
    comments = b'<p:cmLst xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"><p:cm/><p:cm/></p:cmLst>'
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/comments"
    slide.part.relate_to(SlidePart(SlideURI("/ppt/comments/comment1.xml"), "application/xml", package, comments), kind)
    show.save(str(tmp_path / "a.pptx"))
    [page], left_out = read(tmp_path / "a.pptx")
    assert page.text.split("\n") == [
        "The year", "Within a group", "A field in spring", "Sow in March", "Reap in August", "For newer programs",
    ]  # fmt: skip
    assert left_out == left(pictures=1, drawings=1, comments=2)


def test_a_broken_slide_or_sheet_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show = pptx.Presentation()
    for number in range(3):
        show.slides.add_slide(show.slide_layouts[5]).shapes.title.text = f"Slide {number + 1}"
    show.save(str(tmp_path / "a.pptx"))
    with xlsxwriter.Workbook(str(tmp_path / "a.xlsx")) as book:
        for name in ("One", "Two", "Three"):
            sheet = book.add_worksheet(name)
            sheet.write_column(0, 0, ["Name", name])
            sheet.write_column(0, 1, ["Price", 4])
    for kind, inner, wanted in (
        ("pptx", "ppt/slides/slide{}.xml", "Slide 3"),
        ("xlsx", "xl/worksheets/sheet{}.xml", "Name: Three; Price: 4"),
    ):
        with zipfile.ZipFile(tmp_path / f"a.{kind}") as packed:
            files = {name: packed.read(name) for name in packed.namelist()}
        if kind == "pptx":  # well formed, for all of the package is parsed at once, but no slide
            files[inner.format(2)] = b'<p:sld xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"/>'
        else:
            files[inner.format(2)] = files[inner.format(2)][:300]
        with zipfile.ZipFile(tmp_path / f"a.{kind}", "w") as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        pages = [page for _, page in pdf.read(tmp_path / f"a.{kind}", "a")]
        assert [page.missed for page in pages] == ["", "broke", ""] and pages[2].text == wanted
    stuck = "import time; from playground.rag import reader; from playground.rag.readers import slides; real = slides._slide; "
    stand_in(monkeypatch, stuck + "slides._slide = lambda n, *more: time.sleep(60) if n == 1 else real(n, *more); reader.main()")
    pages = [page for _, page in pdf.read(tmp_path / "a.pptx", "a.pptx", seconds=6)]
    assert [page.missed for page in pages] == ["late", "broke", ""]


def test_hidden_sheets_are_read_and_what_is_in_no_cell_is_told(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "a.xlsx")) as book:
        for name in ("Seen", "Hidden"):
            sheet = book.add_worksheet(name)
            sheet.write_column(0, 0, ["Name", name])
            sheet.write_column(0, 1, ["Price", 4])
        sheet.hide()
        sheet.write_comment("A2", "Is this right?")
        sheet.insert_image("D1", "plan.png", {"image_data": picture()})
        sheet.insert_textbox("D9", "Ring twice.")
        chart = book.add_chart({"type": "pie"})
        chart.add_series({"values": "=Seen!$B$2:$B$2"})
        sheet.insert_chart("D20", chart)
    pages, left_out = read(tmp_path / "a.xlsx")
    assert [page.text for page in pages] == ["Name: Seen; Price: 4", "Name: Hidden; Price: 4"]
    assert left_out == left(pictures=1, drawings=2, comments=1)


def test_comments_and_pictures_of_an_opendocument_sheet_are_told(tmp_path: Path) -> None:
    spaces = " ".join(f'xmlns:{one}="urn:oasis:names:tc:opendocument:xmlns:{one}:1.0"' for one in ("office", "table", "text"))
    noted = "<office:annotation><text:p>Is this right?</text:p></office:annotation>"
    cell = '<table:table-cell office:value-type="string">{}<text:p>{}</text:p></table:table-cell>'
    clock = '<table:table-cell office:value-type="time" office:time-value="PT09H30M00S"><text:p>09:30</text:p></table:table-cell>'
    day = '<table:table-cell office:value-type="date" office:date-value="2024-01-05T09:30:00"><text:p>5/1</text:p></table:table-cell>'
    rows = [["Name", "Price", "From", "Since"], ["Tea", "4"]]
    lines = [
        f"<table:table-row>{''.join(cell.format(noted if one == 'Tea' else '', one) for one in row)}{more}</table:table-row>"
        for row, more in zip(rows, ("", clock + day), strict=True)
    ]
    content = (
        f'<office:document-content {spaces} office:version="1.2"><office:body><office:spreadsheet><table:table table:name="S">'
        f"{''.join(lines)}</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        packed.writestr("META-INF/manifest.xml", "<manifest/>")
        packed.writestr("content.xml", content)
        packed.writestr("Pictures/1.png", picture().getvalue())
    [page], left_out = read(tmp_path / "a.ods")
    assert page.text == "Name: Tea; Price: 4; From: 09:30; Since: 2024-01-05 09:30"
    assert left_out == left(pictures=1, comments=1)


def test_a_web_page_gives_the_words_that_stand_for_pictures_and_tells_what_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        "<h2><button>When does it open?</button></h2><div hidden>At nine.</div><button>Send</button>"
        "<p>Map: <img src=a.png alt='The way to the red door'><img src=b.png><img src=c.png alt=''></p>"
        "<svg><path d=''/></svg><svg><text>12 %</text></svg><iframe src='http://127.0.0.1:1/'></iframe><video src=x></video>"
    )
    [page], left_out = read(tmp_path / "a.html")
    assert page.text.split("\n") == ["When does it open?", "At nine.", "Map: The way to the red door"]
    assert left_out == left(pictures=1, drawings=1, embedded=2)


def test_cells_of_a_web_page_that_reach_over_rows_and_columns_stand_in_each(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        "<table><tr><th>Region<th>Tea<th>Price<tr><td rowspan=2>North<td>Grey<td>4<tr><td>Green<td>3"
        "<tr><td>South<td colspan=2>none</table><table><tr><td rowspan=99999999 colspan=99999999>a<tr><td>b</table>"
    )
    [page], _ = read(tmp_path / "a.html")
    assert page.text.split("\n")[:3] == [
        "Region: North; Tea: Grey; Price: 4", "Region: North; Tea: Green; Price: 3", "Region: South; Tea: none; Price: none",
    ]  # fmt: skip
