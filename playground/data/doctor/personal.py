"""Personal data in cells: what may be an e-mail address, a telephone, a payment card, a CPF, a CNPJ or an internet address.

Proposes by the form, the check digits and the words around; it cannot know names or postal addresses, and is no promise that nothing is
left. Bare rows of digits count only where a word before them, the name of the column or the whole column speaks for it, since most of
them are order numbers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from playground.data.doctor.findings import Finding, found
from playground.data.doctor.identifiers import is_card, is_cnpj, is_cpf
from playground.data.doctor.teaching import text_columns
from playground.data.guess import words
from playground.data.table import written

ROUNDS = 4
WHOLE_COLUMN = 0.9  # the share of bare numbers with right check digits that makes a column one of such numbers; by chance it is 0.01
FEWEST = 3
DATE = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}")
EMAIL = re.compile(r"(?<![\w.+-])\w[\w.+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}([A-Za-z]{2,24})(?![\w@-])")
FILES = {"png", "jpg", "jpeg", "gif", "svg", "webp"}  # logo@2x.png
CARD = re.compile(r"(?<![\w.,+-])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5}|\d{13,19})(?![\w-])(?![.,]\d)")
ORDERS = re.compile(
    r"\b(?:order|pedido|invoice|fatura|tracking|rastreio|rastreamento|protocolo?|isbn|ean|gtin|barcode|serial|imei|ticket|nota|chave|"
    r"código|code|ref(?:erence)?|id|sku|upc)\b[^\d\n]{0,20}$",
    re.IGNORECASE,
)
CARDS = re.compile(r"\b(?:card|cartão|cartao|visa|mastercard|amex|credit|crédito|débito)\b[^\d\n]{0,30}$", re.IGNORECASE)
CPF = re.compile(r"(?<![\w./-])(?:\d{3}\.\d{3}\.\d{3}-\d{2}|\d{9}-\d{2}|\d{11})(?![\w-])(?![.,/]\d)")
CPF_WORD = re.compile(r"\bcpf\b[^\d\n]{0,12}$", re.IGNORECASE)
CNPJ = re.compile(r"(?<![\w./-])(?:[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-\d{2}|[0-9A-Z]{12}\d{2})(?![\w-])(?![.,/]\d)")
CNPJ_WORD = re.compile(r"\bcnpj\b[^\d\n]{0,12}$", re.IGNORECASE)
PHONES = (
    re.compile(r"(?<![\w.+-])\+\d{1,3}(?:[ .-]?\(\d{1,4}\))?(?:[ .-]?\d{1,5}){2,6}(?![\w-])(?![.,:/]\d)"),
    re.compile(r"(?<![\w)-])\(0?\d{2,3}\) ?\d{3,5}(?:[ .-]\d{4}|\d{4})(?![\w-])(?![.,:/]\d)"),
    re.compile(r"(?<![\w.,/+-])(?:1[ .-])?[2-9]\d{2}([.-])[2-9]\d{2}\1\d{4}(?![\w-])(?![.,:/]\d)"),
    re.compile(r"(?<![\w.,/+-])(?:55 )?[1-9]\d (?:9\d{4}|(?!20)[2-5]\d{3})-\d{4}(?![\w-])(?![.,:/]\d)"),  # Brazil
)
PHONE_WORD = re.compile(
    r"\b(?:tele)?(?:phones?|fones?)\b|\b(?:tel|telefax|fax|celular|cel|mobile|whats?app|zap|ligue|call (?:me|us)|text me)\b", re.IGNORECASE
)
AFTER_WORD = re.compile(
    r"[\s:.(]{0,4}(?:(?:number|no\.?|nº|número|numero|is|é|at|on|para|o|para o|us|me)[\s:]{1,3}){0,3}(\(?\+?\d[\d ().-]{5,18}\d)(?![\w-])"
)
PHONE_CELL = re.compile(r"\s*(\(?\+?\d[\d ().-]{5,18}\d)\s*")
PHONE_COLUMNS = {"phone", "telephone", "telefone", "fone", "tel", "celular", "mobile", "whatsapp", "fax", "cellphone"}
IPV4 = re.compile(r"(?<![\w.,-])(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?![\w-])(?!\.\d)")
VERSION = re.compile(
    r"(?:[A-Za-z]/|§ ?|\b(?:v|ver|version|versão|versao|release|build|section|seção|secao|chapter|capítulo|firmware)\b[.:]? {0,2})$",
    re.IGNORECASE,
)
IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){1,7}(?::?[0-9A-Fa-f]{1,4}){0,7}(?:::)?(?![\w:])")
WIDE = re.compile(r"^(?:2[0-9a-f]{3}|3[0-9a-f]{3}|fe[89ab][0-9a-f]|f[cd][0-9a-f]{2}):.*\d", re.IGNORECASE)  # prefixes in use
Span = tuple[int, int]


@dataclass(frozen=True)
class Kind:
    """`suspects`: a pattern for polars; `spans`: where it stands in a text, given whether a bare number in the column counts."""

    mask: str
    severity: str
    suspects: str
    spans: Callable[[str, bool], Iterable[Span]]
    named: frozenset[str] = frozenset()  # words in the name of a column in which bare numbers count
    check: Callable[[str], bool] | None = None  # of a cell that is one bare number


def emails(text: str, bare: bool) -> Iterable[Span]:
    return [match.span() for match in EMAIL.finditer(text) if match[1].lower() not in FILES]


def cards(text: str, bare: bool) -> Iterable[Span]:
    for match in CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        before = text[max(0, match.start() - 50) : match.start()]
        alone = match[0].isdigit() and match[0] == text.strip()
        if not is_card(digits) or ORDERS.search(before) or (alone and not bare):
            continue
        if len(digits) > 13 or CARDS.search(before):  # thirteen digits are nearly always the barcode of a thing
            yield match.span()


def cpfs(text: str, bare: bool) -> Iterable[Span]:
    for match in CPF.finditer(text):
        if is_cpf(re.sub(r"\D", "", match[0])) and (bare or "-" in match[0] or CPF_WORD.search(text[: match.start()][-30:])):
            yield match.span()


def cnpjs(text: str, bare: bool) -> Iterable[Span]:
    for match in CNPJ.finditer(text):
        if is_cnpj(re.sub(r"\W", "", match[0])) and (bare or "/" in match[0] or CNPJ_WORD.search(text[: match.start()][-30:])):
            yield match.span()


def phones(text: str, bare: bool) -> Iterable[Span]:
    spans = []
    for place, pattern in enumerate(PHONES):
        for match in pattern.finditer(text):
            digits = re.sub(r"\D", "", match[0])
            if (10 if place == 0 else 9) <= len(digits) <= 15 and not _years(match[0]):
                spans.append(match.span())
    for word in PHONE_WORD.finditer(text):
        if number := AFTER_WORD.match(text, word.end()):
            spans += _phone_like(number)
    if bare and (cell := PHONE_CELL.fullmatch(text)):
        spans += _phone_like(cell)
    return _apart(spans)


def addresses(text: str, bare: bool) -> Iterable[Span]:
    for match in IPV4.finditer(text):
        if not VERSION.search(text[max(0, match.start() - 20) : match.start()]):
            yield match.span()
    for match in IPV6.finditer(text):
        try:
            ipaddress.IPv6Address(match[0])
        except ValueError:
            continue
        if match[0].count(":") == 7 or WIDE.match(match[0]):
            yield match.span()


def _phone_like(match: re.Match[str]) -> list[Span]:
    digits = re.sub(r"\D", "", match[1])
    return [match.span(1)] if 8 <= len(digits) <= 15 and not DATE.search(match[1]) and not _years(match[1]) else []


def _years(number: str) -> bool:
    """2024-2025 and the like."""
    return bool(re.search(r"(?<!\d)(?:19|20)\d\d ?- ?(?:19|20)\d\d$", number))


def _apart(spans: list[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: (one[0], -one[1])):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


KINDS = {
    "personal_email": Kind("[e-mail]", "serious", r"\w@\w", emails),
    "personal_card": Kind("[card]", "serious", r"\d(?:[ -]?\d){12}", cards, frozenset({"card", "cartao"}), is_card),
    "personal_cnpj": Kind(
        "[CNPJ]", "advice", r"[0-9A-Z]{2}\.?[0-9A-Z]{3}\.?[0-9A-Z]{3}/?[0-9A-Z]{4}-?\d{2}", cnpjs, frozenset({"cnpj"}), is_cnpj
    ),
    "personal_cpf": Kind("[CPF]", "serious", r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}", cpfs, frozenset({"cpf"}), is_cpf),
    "personal_phone": Kind("[phone]", "serious", r"\d[\d ().-]{5,}\d", phones, frozenset(PHONE_COLUMNS)),
    "personal_ip": Kind("[IP]", "advice", r"\d\.\d{1,3}\.\d|[0-9A-Fa-f]:[0-9A-Fa-f:]*:", addresses),
}


def masked(column: pl.Series, kind: str) -> dict[int, str | None]:
    """Row -> the cell with the personal data masked, for the cells that have some."""
    its = KINDS[kind]
    suspects = column.str.contains(its.suspects).fill_null(False).arg_true()
    if not len(suspects):
        return {}
    bare = _counts_bare(column, its)
    after: dict[int, str | None] = {}
    for row, text in zip(suspects.to_list(), column.gather(suspects).to_list(), strict=True):
        hidden = text
        for _ in range(ROUNDS):  # a mask can set free what stood too close to another number
            spans = list(its.spans(hidden, bare))
            for start, end in reversed(spans):
                hidden = hidden[:start] + its.mask + hidden[end:]
            if not spans:
                break
        if hidden != text:
            after[row] = hidden
    return after


def _counts_bare(column: pl.Series, kind: Kind) -> bool:
    if set(words(column.name)) & kind.named:
        return True
    if kind.check is None:
        return False
    numbers = column.str.strip_chars().drop_nulls()
    numbers = numbers.filter(numbers.str.contains(r"^\d{11,19}$"))
    return len(numbers) >= FEWEST and sum(map(kind.check, numbers.to_list())) >= WHOLE_COLUMN * len(numbers)


def searchable(frame: pl.DataFrame) -> list[pl.Series]:
    """Columns that can hold personal data, as text: texts, and whole numbers long enough to be one."""
    long = [column for column in frame.iter_columns() if column.dtype.is_integer() and (column.max() or 0) >= 10**7]  # type: ignore[operator]
    return [*text_columns(frame), *(written(column) for column in long)]


def check_personal(frame: pl.DataFrame) -> list[Finding]:
    """Findings of the kinds in `KINDS`."""
    return [
        found(kind, its.severity, rows, column.name)
        for column in searchable(frame)
        for kind, its in KINDS.items()
        if (rows := list(masked(column, kind)))
    ]
