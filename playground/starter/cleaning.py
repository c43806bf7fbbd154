"""Text cleaning for the corpus: plain punctuation, unwrapped paragraphs, markup removed.

Knows file contents only, never where they came from.
"""

from __future__ import annotations

import html
import re

# One spelling of each mark: a small vocabulary should not be spent on typographic twins.
_PLAIN = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u201e": '"',
        "\u00a0": " ",
        "\u2013": "-",
        "\ufeff": "",
        "\u00ad": "",
        "\u200b": "",
        "\u2026": "...",
        "\t": " ",
        "\u2028": "\n",
    }
)
_GUTENBERG_START = re.compile(r"\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG.*?\*\*\*", re.IGNORECASE | re.DOTALL)
_GUTENBERG_END = re.compile(r"\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG|End of (?:the |this )?Project Gutenberg", re.IGNORECASE)
_ILLUSTRATION = re.compile(r"\[(?:Illustration|Footnote|Transcriber|Sidenote)[^\]]*\]", re.IGNORECASE)
_TAG = re.compile(r"<[^>]+>")
_LIQUID = re.compile(r"\{[%{].*?[%}]\}", re.DOTALL)
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


def plain(text: str) -> str:
    """Plain quotes and spaces, Unix line ends, no trailing blanks, at most one empty line in a row."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_PLAIN)
    text = re.sub(r"[ ]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def one_line(text: str) -> str:
    """All white space folded to single blanks."""
    return " ".join(plain(text).split())


def without_tags(text: str) -> str:
    """HTML tags and entities removed, white space folded."""
    return one_line(html.unescape(_TAG.sub(" ", html.unescape(text))))


def unwrap(text: str) -> str:
    """Join hard-wrapped lines of prose paragraphs; leave verse and lists (short or indented lines) as they are."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text):
        lines = paragraph.split("\n")
        filled = [line for line in lines[:-1] if len(line) >= 45 and not line.startswith("   ")]
        if len(lines) > 1 and len(filled) * 2 >= len(lines) - 1:
            paragraphs.append(" ".join(line.strip() for line in lines))
        else:
            paragraphs.append("\n".join(line.strip() for line in lines))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph.strip())


def gutenberg_book(text: str) -> str:
    """The book alone: Project Gutenberg's header, licence, credits and pictures' captions removed."""
    text = text.replace("\r\n", "\n").lstrip("\ufeff")
    start = _GUTENBERG_START.search(text)
    text = text[start.end() :] if start else text
    end = _GUTENBERG_END.search(text)
    text = text[: end.start()] if end else text
    text = _ILLUSTRATION.sub("", text)
    text = re.sub(r"(?<=\S) {2,}", " ", unwrap(plain(text))).replace("--", "\u2014")
    kept = [p for p in text.split("\n\n") if not _is_apparatus(p)]
    return re.sub(r"(?<!\w)_([^_\n]+)_(?!\w)", r"\1", "\n\n".join(kept))


def _is_apparatus(paragraph: str) -> bool:
    """Credits, tables of contents and rules of stars: nothing that a reader would read aloud."""
    if re.search(r"gutenberg|produced by|e-?text|transcrib|proofread|copyright|https?:|www\.", paragraph, re.IGNORECASE):
        return True
    letters = sum(ch.isalpha() for ch in paragraph)
    if letters < 0.6 * len(paragraph.replace(" ", "")):
        return True
    lines = paragraph.split("\n")
    return len(lines) > 2 and sum(bool(re.search(r"\d+\.?$|\.{4,}|^[IVXLC]+\.|^CHAPTER", line)) for line in lines) * 2 > len(lines)


def markdown_text(text: str) -> str:
    """Readable text of a Markdown page: front matter, pictures, tags and link targets removed."""
    text = _FRONT_MATTER.sub("", text.replace("\r\n", "\n"))
    text = _LIQUID.sub("", _IMAGE.sub("", text))
    text = html.unescape(_TAG.sub("", _LINK.sub(r"\1", text)))
    text = re.sub(r"^#+\s*", "", text, flags=re.MULTILINE)
    text = re.sub(r"(\*\*|__)(.+?)\1", r"\2", text)
    text = re.sub(r"(?<!\w)[*_]([^*_\n]+)[*_](?!\w)", r"\1", text).replace("\\.", ".")
    return plain(text)


def official_act(data: bytes) -> str:
    """A Portuguese act exported as UTF-16 lines in quotes, as paragraphs; lines of rules, numbers and dots dropped."""
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", errors="replace")
    lines = [one_line(line.strip().strip('"')) for line in plain(text).split("\n")]
    lines = [
        line
        for line in lines
        if len(line) > 2
        and sum(ch.isalpha() for ch in line) > 0.6 * len(line.replace(" ", ""))
        and "\ufffd" not in line
        and not any("\ue000" <= ch <= "\uf8ff" for ch in line)
    ]
    joined: list[str] = []
    for line in lines:
        # A line that goes on in lower case is the rest of a wrapped sentence.
        if joined and line[0].islower() and joined[-1][-1] not in ".;:":
            joined[-1] += " " + line
        else:
            joined.append(line)
    return "\n".join(joined)
