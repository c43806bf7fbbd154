"""Pages drawn by the real PDFium with the quoted words marked where they really stand: turned, cropped, scanned, damaged."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter, Transformation
from pypdf.generic import RectangleObject

from playground.errors import FileUnreadable, NotFound
from playground.jobs import Jobs
from playground.rag import pdf, pictures
from playground.rag.boxes import Box
from playground.rag.chunks import Chunk
from playground.rag.index import Index
from playground.rag.marking import marks
from playground.rag.page_view import PageViews, expected
from playground.rag.painter import LONGEST, MOST_BYTES
from playground.rag.pictures import Picture, paint
from playground.rag.store import Collections
from playground.settings import PROJECT, Settings
from playground.workspace import Workspace

HANDBOOK = PROJECT / "assets" / "samples" / "harbour_cafe_handbook.pdf"
QUOTE = "Hanna Pell next door keeps the spare key to the blue door."


def pixels(picture: Picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.image)).convert("L"))


def ink(picture: Picture, box: Box) -> float:
    """Share of dark pixels under a box."""
    grey = pixels(picture)
    height, width = grey.shape
    part = grey[round(box.top * height) : round(box.bottom * height), round(box.left * width) : round(box.right * width)]
    return float((part < 128).mean())


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The handbook's eighth page alone, changed."""

    def make(
        turned: int = 0, crop: tuple[float, float, float, float] | None = None, media: tuple[float, ...] | None = None, letters: int = 0
    ) -> Path:
        """`letters` are turned counterclockwise on the page, which is itself shown `turned` clockwise."""
        writer = PdfWriter()
        page = writer.add_page(PdfReader(HANDBOOK).pages[7])
        if media:
            page.mediabox = RectangleObject(media)
        if crop:
            page.cropbox = RectangleObject(crop)
        if letters:
            (left, bottom), (right, top) = page.mediabox.lower_left, page.mediabox.upper_right
            across, up = float(left + right) / 2, float(bottom + top) / 2
            page.add_transformation(Transformation().translate(-across, -up).rotate(letters).translate(across, up))
            page.mediabox = page.cropbox = RectangleObject((across - 430, up - 430, across + 430, up + 430))
        page.rotate(turned)
        path = tmp_path_factory.mktemp("changed") / "page.pdf"
        writer.write(path)
        return path

    return make


def marked(path: Path, number: int = 1) -> tuple[Picture, Box]:
    picture = paint(path, "page.pdf", number)
    (box,) = marks(picture.readings, QUOTE)
    return picture, box


@pytest.fixture(scope="module")
def upright(changed: Callable[..., Path]) -> tuple[Picture, Box]:
    return marked(changed())


def test_the_marked_words_are_where_the_picture_has_them(upright: tuple[Picture, Box]) -> None:
    picture, box = upright
    assert max(picture.width, picture.height) <= LONGEST + 1 and len(picture.image) <= MOST_BYTES
    assert box.text.replace(" ", "") == QUOTE.replace(" ", "")
    assert 0.08 < ink(picture, box) < 0.4
    above = Box("", box.left, box.top - 0.012, box.right, box.top - 0.004)
    assert ink(picture, above) < 0.01, "the line above is not touched"


@pytest.mark.parametrize(
    ("turned", "where"),
    [
        (90, lambda b: (1 - b.bottom, b.left, 1 - b.top, b.right)),
        (180, lambda b: (1 - b.right, 1 - b.bottom, 1 - b.left, 1 - b.top)),
        (270, lambda b: (b.top, 1 - b.right, b.bottom, 1 - b.left)),
    ],
)
def test_turned_pages(changed: Callable[..., Path], upright: tuple[Picture, Box], turned: int, where: Callable[[Box], tuple]) -> None:
    picture, box = marked(changed(turned))
    assert (picture.width > picture.height) == (turned != 180)
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx(where(upright[1]), abs=0.003)
    assert ink(picture, box) > 0.08


@pytest.mark.parametrize("turned", [0, 90])
@pytest.mark.parametrize("letters", [90, 180, 270])
def test_letters_that_lie_on_their_side_or_stand_on_their_head_are_read_in_order(
    changed: Callable[..., Path], letters: int, turned: int
) -> None:
    [(_, wanted)] = pdf.read(changed(), "page.pdf")
    path = changed(turned, letters=letters)
    [(_, page)] = pdf.read(path, "page.pdf")
    assert page.text.split() == wanted.text.split()
    picture, box = marked(path)
    assert box.text.replace(" ", "") == QUOTE.replace(" ", "")
    assert (box.bottom - box.top > box.right - box.left) == ((letters - turned) % 180 == 90)
    assert ink(picture, box) > 0.08


@pytest.mark.parametrize("turned", [0, 90])
def test_cropped_pages(changed: Callable[..., Path], upright: tuple[Picture, Box], turned: int) -> None:
    left, bottom, right, top = map(float, PdfReader(HANDBOOK).pages[7].mediabox)
    whole = upright[1]
    crop = (left + 40, bottom + 60, right - 20, top - 200)
    picture, box = marked(changed(turned, crop=crop))
    wide, high = crop[2] - crop[0], crop[3] - crop[1]
    expected_box = (
        (whole.left * (right - left) - 40) / wide,
        (whole.top * (top - bottom) - 200) / high,
        (whole.right * (right - left) - 40) / wide,
        (whole.bottom * (top - bottom) - 200) / high,
    )
    if turned:
        expected_box = (1 - expected_box[3], expected_box[0], 1 - expected_box[1], expected_box[2])
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx(expected_box, abs=0.003)
    assert ink(picture, box) > 0.08


def test_words_that_are_cropped_away_are_not_marked(changed: Callable[..., Path]) -> None:
    left, _, right, top = map(float, PdfReader(HANDBOOK).pages[7].mediabox)
    picture = paint(changed(crop=(left, top - 100, right, top)), "page.pdf", 1)
    assert marks(picture.readings, QUOTE) == []


@pytest.mark.parametrize("media", [(0, 0, 14_000, 3), (0, 0, 2, 2), (0, 0, 40_000, 40_000), (-500, -300, 200, 700)])
def test_a_picture_is_bounded_whatever_the_page(changed: Callable[..., Path], media: tuple[float, ...]) -> None:
    picture = paint(changed(media=media, crop=media), "page.pdf", 1)
    assert min(picture.width, picture.height) >= 1 and max(picture.width, picture.height) <= LONGEST + 1
    assert len(picture.image) <= MOST_BYTES


def test_what_cannot_be_drawn_is_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(HANDBOOK.read_bytes()[:3000])
    for path, number in ((broken, 1), (tmp_path / "none.pdf", 1), (HANDBOOK, 99), (HANDBOOK, 0)):
        with pytest.raises(FileUnreadable, match=f"Page {number} of a.pdf cannot be drawn"):
            paint(path, "a.pdf", number)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_killed_app_leaves_no_painter(tmp_path: Path) -> None:
    path = tmp_path / "endless.pdf"
    os.mkfifo(path)  # a file that never ends, as far as the painter can tell
    code = "import sys; from pathlib import Path; from playground.rag.pictures import paint; paint(Path(sys.argv[1]), 'a.pdf', 1)"
    app, painters, pipe = psutil.Popen([sys.executable, "-c", code, str(path)], cwd=PROJECT), [], None
    deadline = time.monotonic() + 15
    try:
        while pipe is None and time.monotonic() < deadline:
            time.sleep(0.05)
            with contextlib.suppress(OSError):  # until the painter has opened it
                pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        painters = app.children()
        assert len(painters) == 1 and app.poll() is None
        app.kill()
        app.wait(5)
        assert psutil.wait_procs(painters, 3)[1] == [], "it works on for nobody"
    finally:
        for one in (app, *painters):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        if pipe is not None:
            os.close(pipe)


def test_a_page_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stuck = tmp_path / "playground" / "rag"
    stuck.mkdir(parents=True)
    for folder in (stuck.parent, stuck):
        (folder / "__init__.py").touch()
    (stuck / "painter.py").write_text("import time\ntime.sleep(60)\n", "utf-8")
    monkeypatch.setattr(pictures, "PROJECT", tmp_path)
    began = time.monotonic()
    with pytest.raises(FileUnreadable):
        paint(HANDBOOK, "a.pdf", 1, seconds=0.6)
    assert time.monotonic() - began < 5
    (stuck / "painter.py").write_text("import sys\nwhile True: sys.stdout.write('x' * 100_000)\n", "utf-8")
    with pytest.raises(FileUnreadable):  # one that floods us is not listened to for ever
        paint(HANDBOOK, "a.pdf", 1, seconds=20)


def test_every_shared_document_is_drawn_or_told(shared_data: Path) -> None:
    names = ("skew", "rotated_skew", "linn", "hugemono", "poster", "no_contents", "invalid", "jbig2", "cardinal")
    drawn = 0
    for path in sorted((shared_data / "documents" / "ocrmypdf").glob("*.pdf")):
        if path.stem in names:
            try:
                picture = paint(path, path.name, 1)
            except FileUnreadable:
                assert path.stem == "invalid"
                continue
            assert max(picture.width, picture.height) <= LONGEST + 1 and len(picture.image) <= MOST_BYTES
            drawn += 1
    assert drawn >= 6


# with an index


@pytest.fixture
def room(settings: Settings) -> Collections:
    workspace = Workspace(settings.home)
    return Collections(workspace, settings, Jobs(workspace))


def stored(room: Collections, path: Path, texts: list[str], boxes: dict[int, list[Box]] | None = None, unit: str = "page") -> int:
    """A document with a page for each text, one passage on each, as indexing would leave it; gives its number."""
    folder = room.make("me", "Papers")
    index = Index(folder / "index.sqlite")
    document = index.register(path.name, path.stem, path.name)
    (folder / "documents" / path.name).write_bytes(path.read_bytes())
    chunks = [Chunk(place, place + 1, "", 0, text) for place, text in enumerate(texts)]
    pages = [(place + 1, "", text, False) for place, text in enumerate(texts)]
    index.finish(document.id, chunks, np.zeros((len(texts), 4)), pages, boxes=boxes or {}, unit=unit)
    return document.id


def test_a_citation_opens_its_page(room: Collections) -> None:
    texts = [page.extract_text() or "-" for page in PdfReader(HANDBOOK).pages]
    document = stored(room, HANDBOOK, texts)
    views = PageViews(room)
    index = Index(room.find("me", "Papers") / "index.sqlite")
    (passage,) = index.on_page(document, 8)
    assert views.passage("me", "Papers", passage.id) == passage
    view = views.page("me", "Papers", document, 8, [(QUOTE, expected(passage, QUOTE, texts[7]))], borders=True)
    assert (view.document, view.number, view.pages, view.note) == (HANDBOOK.name, 8, 12, None)
    assert len(view.marks) == 1 and view.picture is not None
    assert len(view.passages[0].boxes) > 10
    other = views.page("me", "Papers", document, 3, [("words that are not there at all", 0.5)])
    assert other.marks == [] and "could not be found again" in str(other.note)
    for owner, number in (("you", 8), ("me", 13), ("me", 0)):
        with pytest.raises(NotFound):
            views.page(owner, "Papers", document, number)
    with pytest.raises(NotFound):
        views.passage("you", "Papers", passage.id)
    with pytest.raises(NotFound):
        views.passage("me", "Papers", 10_000)


def test_a_scan_is_marked_by_the_words_that_were_read(room: Collections, changed: Callable[..., Path]) -> None:
    said = ["The", "old", "lighthouse", "burns", "oil"]
    words = [Box(word, 0.1 * place, 0.4, 0.1 * place + 0.09, 0.42, 0.9) for place, word in enumerate(said, 1)]
    scan = changed()
    document = stored(room, scan, ["The old lighthouse burns oil"], {1: words})
    view = PageViews(room).page("me", "Papers", document, 1, [("old lighthouse", 0)])
    assert [(round(box.left, 2), round(box.right, 2)) for box in view.marks] == [(0.2, 0.39)]


def test_what_is_no_pdf_is_shown_as_text(room: Collections, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Rain on Monday.", "utf-8")
    document = stored(room, tmp_path / "notes.txt", ["Rain on Monday."], unit="part")
    view = PageViews(room).page("me", "Papers", document, 1, [("Rain", 0)])
    assert (view.picture, view.note, view.text) == (None, None, "Rain on Monday.")


def test_a_photo_is_drawn_upright(room: Collections, tmp_path: Path) -> None:
    photo = Image.new("RGB", (300, 100), "white")
    exif = photo.getexif()
    exif[0x0112] = 6  # the camera was held upright
    photo.save(tmp_path / "photo.jpg", exif=exif)
    document = stored(room, tmp_path / "photo.jpg", ["Rain"], {1: [Box("Rain", 0.1, 0.1, 0.4, 0.2, 0.8)]})
    view = PageViews(room).page("me", "Papers", document, 1, [("Rain", 0)])
    assert view.picture is not None and (view.picture.width, view.picture.height) == (100, 300)
    assert len(view.marks) == 1
    with pytest.raises(FileUnreadable):
        paint(tmp_path / "photo.jpg", "photo.jpg", 2)
