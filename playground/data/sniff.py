"""What a file is by its content, whatever its name says. Knows nothing of tables."""

from __future__ import annotations

import zipfile
from pathlib import Path

from playground.decoding import HEAD, binary
from playground.errors import Sentence

FOREIGN: tuple[tuple[int, bytes, Sentence], ...] = (
    (0, b"\x89PNG", Sentence("a PNG picture")),
    (0, b"\xff\xd8\xff", Sentence("a JPEG picture")),
    (0, b"GIF8", Sentence("a GIF picture")),
    (0, b"II*\x00", Sentence("a TIFF picture")),
    (0, b"MM\x00*", Sentence("a TIFF picture")),
    (8, b"WEBP", Sentence("a WebP picture")),
    (8, b"WAVE", Sentence("a sound file")),
    (0, b"ID3", Sentence("a sound file")),
    (0, b"OggS", Sentence("a sound file")),
    (0, b"fLaC", Sentence("a sound file")),
    (4, b"ftyp", Sentence("a video")),
    (0, b"\x1aE\xdf\xa3", Sentence("a video")),
    (0, b"%PDF", Sentence("a PDF document")),
    (0, b"{\\rtf", Sentence("a text document (RTF)")),
    (0, b"\x7fELF", Sentence("a program")),
    (0, b"MZ\x90", Sentence("a Windows program")),
    (0, b"\xcf\xfa\xed\xfe", Sentence("a program")),
    (0, b"\xfd7zXZ", Sentence("a compressed file (xz)")),
    (0, b"\x28\xb5\x2f\xfd", Sentence("a compressed file (zstd)")),
    (0, b"7z\xbc\xaf", Sentence("a 7-Zip archive")),
    (0, b"Rar!", Sentence("a RAR archive")),
    (257, b"ustar", Sentence("a TAR archive")),
    (0, b"SQLite format 3", Sentence("an SQLite database")),
    (0, b"ARROW1", Sentence("an Arrow file")),
    (0, b"Obj\x01", Sentence("an Avro file")),
    (0, b"GGUF", Sentence("a language model (GGUF)")),
    (0, b"\x80\x02", Sentence("a Python pickle")),
    (0, b"\x80\x04", Sentence("a Python pickle")),
    (0, b"\x80\x05", Sentence("a Python pickle")),
    (0, b"\xca\xfe\xba\xbe", Sentence("a program")),
)
PACKED: dict[bytes, tuple[str, Sentence]] = {
    b"\x1f\x8b": ("gzip", Sentence("a compressed file (gzip)")),
    b"BZh": ("bzip2", Sentence("a compressed file (bzip2)")),
}


def kind_of(path: Path) -> tuple[str, Sentence | None]:
    """("text" | "parquet" | "excel" | "locked" | "binary" | "foreign" | "gzip" | "bzip2" | "zip", what a foreign or packed file is)."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(b"PAR1"):
        return "parquet", None
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _zipped(path)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _compound(path)
    for magic, packed in PACKED.items():
        if head.startswith(magic):
            return packed
    for offset, magic, what in FOREIGN:
        if head[offset : offset + len(magic)] == magic:
            return "foreign", what
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "foreign", Sentence("a web page")
    if start.startswith(b"<?xml"):
        return "foreign", Sentence("an XML document")
    return ("binary", None) if binary(head) else ("text", None)


def _zipped(path: Path) -> tuple[str, Sentence | None]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, UnicodeDecodeError):
        return "foreign", Sentence("a damaged ZIP archive or workbook")
    office = "[Content_Types].xml" in names
    if any(name.startswith("xl/") for name in names if office) or "content.xml" in names:
        return "excel", None
    if any(name.startswith("word/") for name in names if office):
        return "foreign", Sentence("a Word document")
    if any(name.startswith("ppt/") for name in names if office):
        return "foreign", Sentence("a PowerPoint presentation")
    return "zip", Sentence("a ZIP archive")


def _compound(path: Path) -> tuple[str, Sentence | None]:
    """Microsoft's container of before 2007, in which newer files with a password travel too."""
    content = path.read_bytes()
    if "EncryptedPackage".encode("utf-16-le") in content:
        return "locked", None
    if "WordDocument".encode("utf-16-le") in content:
        return "foreign", Sentence("a Word document")
    if "PowerPoint Document".encode("utf-16-le") in content:
        return "foreign", Sentence("a PowerPoint presentation")
    return "excel", None
