"""What a file's first bytes say about its kind. Opens nothing."""

from __future__ import annotations

import re

PDF_WITHIN = 1024 * 1024  # bytes in which the mark of a PDF stands
PACKED = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the head of older Office files, and of newer ones with a password
PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*")
_MARK = re.compile(rb"(?:\A|\A\xef\xbb\xbf|[\r\n])%PDF-\d")
_OBJECT = re.compile(rb"\d+\s+\d+\s+obj\b")


def is_pdf(head: bytes, suffix: str) -> bool:
    """Whether a file is a PDF, by its first `PDF_WITHIN` bytes and its ending.

    Programs put all kinds of things before the mark; but a text may speak of it, and a packed file may hold a PDF, so where the file is not
    called .pdf the mark must begin a line near the beginning, and objects must follow.
    """
    if suffix == ".pdf":
        return b"%PDF-" in head
    if head.startswith((PACKED, OLE, *PICTURES)):
        return False
    return _MARK.search(head[:1024]) is not None and _OBJECT.search(head) is not None
