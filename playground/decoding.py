"""From bytes to text: whether a file is text, and which encoding it was written in. Knows nothing of what the text is."""

from __future__ import annotations

import codecs
import re
import unicodedata

from playground.errors import FileUnreadable, Sentence

HEAD = 65_536  # bytes that are looked at
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ENCODINGS = (
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"),
    *(f"windows-{page}" for page in (1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)),
    *(f"iso-8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)),
    *("mac-roman", "koi8-r", "koi8-u", "cp437", "cp850", "cp852", "cp866"),
    *("gb18030", "gbk", "big5", "shift_jis", "euc-jp", "euc-kr", "ascii"),
)
USUAL = frozenset("áàâãäéèêëíìîïóòôõöúùûüçñ")
BROKEN_SHARE = 0.25  # broken bytes per character beyond ASCII: up to it a file is UTF-8 with a few faults


def decode(content: bytes, name: str, encoding: str | None = None, said: str | None = None) -> tuple[str, str, list[Sentence]]:
    """(text without byte order mark, name of the encoding, warnings).

    Args:
        encoding: what its owner says that it is.
        said: what the file says of itself, which counts where it is not UTF-8, and it can be.

    Raises:
        FileUnreadable: the encoding that was asked for does not fit.
    """
    warnings: list[Sentence] = []
    marked = next((known for mark, known in BOMS if content.startswith(mark)), None)
    found = encoding or marked or utf16(content[:HEAD])
    if found is None:
        text, found = _guess(content, said, warnings)
    else:
        text = _strictly(content, found, name, asked=encoding is not None, warnings=warnings)
    if text.startswith("\ufeff"):
        text = text[1:]
    if "\x00" in text:
        warnings.append(Sentence("Zero bytes that were taken out of the text: {count}.", count=text.count("\x00")))
        text = text.replace("\x00", "")
    return text, found, warnings


def binary(head: bytes) -> bool:
    """Control characters that no text has, leaving out the zeros that UTF-16 and UTF-32 are full of."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        return False
    controls = sum(head.count(bytes([code])) for code in range(1, 32) if code not in b"\t\n\v\f\r\x1a\x1b")
    zeros = head.count(0)
    if zeros > max(3, len(head) // 50) and not utf16(head):
        return True
    return controls > max(3, len(head) // 50)


def utf16(head: bytes) -> str | None:
    """utf-16-le or utf-16-be where every second byte of most characters is zero, as in Latin text without a byte order mark."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(1, len(head) // 2)
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd < 0.05 * half else None


def canonical(encoding: str) -> str | None:
    """The name from ENCODINGS that an encoding goes by here, or None."""
    try:
        wanted = codecs.lookup(encoding).name
    except LookupError:
        return None
    return next((known for known in ENCODINGS if codecs.lookup(known).name == wanted), "utf-8" if wanted == "utf-8-sig" else None)


def _strictly(content: bytes, encoding: str, name: str, asked: bool, warnings: list[Sentence]) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if asked:
            line = content.count(b"\n", 0, error.start) + 1
            message = "Line {line} of {name} is not {encoding}. Choose another encoding, or let it be found automatically."
            raise FileUnreadable(message, line=line, name=name, encoding=encoding) from error
        text = content.decode(encoding, "replace")
        warnings.append(replaced(text.count("\ufffd")))
        return text


def replaced(count: int) -> Sentence:
    """What to tell of characters that became replacement characters."""
    return Sentence("Characters that could not be read and stand as � now: {count}.", count=count)


def _guess(content: bytes, said: str | None, warnings: list[Sentence]) -> tuple[str, str]:
    for encoding in ("utf-8", said) if said else ("utf-8",):
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            pass
        text = content.decode(encoding, "replace")
        broken = text.count("\ufffd")
        if _few(content, encoding, broken, len(re.findall(r"[^\x00-\x7f]", text)) - broken):
            warnings.append(replaced(broken))
            return text, encoding
    sample = _sample(content)
    if b"\r" in content and b"\n" not in content and _looks_western(sample.decode("mac-roman")):
        return content.decode("mac-roman"), "mac-roman"
    candidates = ["windows-1252"] if _looks_western(sample.decode("windows-1252", "replace")) else []
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    candidates += [found for found in (best and canonical(best.encoding),) if found]
    for candidate in [*candidates, "windows-1252"]:
        try:
            text = content.decode(candidate)
        except UnicodeDecodeError:
            continue
        warnings.append(Sentence("The encoding was guessed: {encoding}. If letters look wrong, choose another.", encoding=candidate))
        return text, candidate
    warnings.append(Sentence("The encoding was guessed: {encoding}. If letters look wrong, choose another.", encoding="iso-8859-1"))
    return content.decode("iso-8859-1"), "iso-8859-1"


def _few(content: bytes, encoding: str, broken: int, whole: int) -> bool:
    """Whether faults in an encoding are so few that it is the right one all the same; a cut within the last character is none."""
    if broken <= BROKEN_SHARE * whole:
        return True
    if broken > 1 or not whole:
        return False
    try:
        codecs.getincrementaldecoder(encoding)().decode(content)
    except UnicodeDecodeError:
        return False
    return True


def _sample(content: bytes) -> bytes:
    """The lines that are not ASCII, as far as a guess needs them."""
    lines, size = [], 0
    for line in re.split(rb"(?<=[\r\n])", content[: 64 * HEAD]) if not content.isascii() else []:
        if not line.isascii():
            lines.append(line)
            size += len(line)
            if size > HEAD:
                break
    return b"".join(lines)


def _looks_western(text: str) -> bool:
    """Whether the letters beyond ASCII are few and stand where Western European words have them."""
    letters = sum(character.isalpha() for character in text)
    beyond = [character for character in text if character > "\x7f"]
    accented = [character for character in beyond if character.isalpha()]
    usual = 0.5 if USUAL.issuperset(map(str.lower, accented)) else 0.3  # other alphabets come out as accented letters nearly throughout
    if "\ufffd" in beyond or len(accented) > usual * letters:
        return False
    inside = re.findall(r"(?<=[a-z])[^\x00-\x7f](?=[a-z])", text)
    odd = sum(unicodedata.category(character)[0] not in "LP" for character in inside)
    return odd <= 0.1 * max(1, len(inside))
