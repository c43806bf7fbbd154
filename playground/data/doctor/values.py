"""Numbers and dates that are kept as text, in columns that hold nothing else. Does not know what a column is for."""

from __future__ import annotations

import re
from datetime import date

import polars as pl

from playground.data.doctor.findings import Finding, found
from playground.data.doctor.teaching import text_columns
from playground.data.table import NOT_AVAILABLE

SIGN = r"R\$|US\$|\$|€|£|¥|USD|EUR|BRL|GBP"
SHAPE = rf"^([-+]?)({SIGN})? ?([-+]?)([0-9][0-9.,]*) ?(%|{SIGN})?$"
POINT = r"^(?:[1-9]\d{0,2}(?:,\d{3})+|0|[1-9]\d*)(?:\.\d+)?$"  # 1,234.50
COMMA = r"^(?:[1-9]\d{0,2}(?:\.\d{3})+|0|[1-9]\d*)(?:,\d+)?$"  # 1.234,50
MOST_DIGITS = 15  # more than a decimal can hold exactly; such things are identifiers
NEARLY_ALL = 0.95
FEWEST = 3
MONTHS = (
    "jan",
    "fev feb",
    "mar",
    "abr apr",
    "mai may",
    "jun",
    "jul",
    "ago aug",
    "set sep",
    "out oct",
    "nov",
    "dez dec",
)  # Portuguese, English
MONTH_NAMES = (
    "janeiro fevereiro março marco abril maio junho julho agosto setembro outubro novembro dezembro january february march april may june "
    "july august september october november december"
)
MONTH = {short: number for number, names in enumerate(MONTHS, start=1) for short in names.split()}
ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
YEAR_FIRST = re.compile(r"(\d{4})([/.])(\d{1,2})\2(\d{1,2})")
YEAR_LAST = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})")
DAY_NAMED = re.compile(r"(\d{1,2})(?:º|st|nd|rd|th)?[ -](?:de )?([^\W\d_]{3,9})\.?,?[ -](?:de )?(\d{4})")
NAMED_DAY = re.compile(r"([^\W\d_]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")


def check_values(frame: pl.DataFrame) -> list[Finding]:
    """Findings of the kinds numbers_as_text, numbers_unclear, not_numbers, date_spellings and dates_unclear."""
    findings = []
    for column in text_columns(frame):
        for kind, rows, after in (_numbers(column), _dates(column)):
            if rows:
                findings.append(found(kind, "note", rows, column.name, fixable=after is not None))
    return findings


def as_numbers(column: pl.Series) -> pl.Series | None:
    """The column as numbers, n/a words as missing; None where that needs guessing or changes nothing."""
    return _numbers(column)[2]


def as_dates(column: pl.Series) -> pl.Series | None:
    """The column with every date as year-month-day; None where that needs guessing or changes nothing."""
    return _dates(column)[2]


def _known(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """(cells without white space around them, n/a words and blanks as missing; where a cell has such a word)."""
    values = column.str.strip_chars()
    words = values.str.to_lowercase().is_in(list(NOT_AVAILABLE))
    return values.set((words | (values == "")).fill_null(False), None), words.fill_null(False)


def _numbers(column: pl.Series) -> tuple[str, list[int], pl.Series | None]:
    values, words = _known(column)
    known = values.drop_nulls()
    if len(known) < FEWEST or not known.head(50).str.contains(r"^\D{0,5}\d").mean():
        return "", [], None
    fits = values.str.contains(SHAPE)
    digits = values.str.extract(SHAPE, 4)
    fits &= digits.str.contains(POINT) | digits.str.contains(COMMA)
    share = fits.sum() / len(known)
    if share < NEARLY_ALL or digits.str.contains(r"^0\d").any() or (digits.str.count_matches(r"\d") > MOST_DIGITS).any():
        return "", [], None
    if share < 1:
        return "not_numbers", (~fits).fill_null(False).arg_true().to_list(), None
    units = values.str.extract(SHAPE, 2).fill_null("") + values.str.extract(SHAPE, 5).fill_null("")
    special = (units != "") | digits.str.contains(",", literal=True) | digits.str.contains(r"\..*\.")
    special = special.fill_null(False) & values.is_not_null()
    if not special.any():
        return "", [], None
    kinds = set(units.filter(values.is_not_null()).unique())
    comma = _decimal_comma(digits.drop_nulls())
    if comma is None or len(kinds - {""}) > 1 or ("%" in kinds and "" in kinds):
        return "numbers_unclear", special.arg_true().to_list(), None
    plain = digits.str.replace_all("." if comma else ",", "", literal=True).str.replace(",", ".", literal=True)
    minus = (values.str.extract(SHAPE, 1) == "-") ^ (values.str.extract(SHAPE, 3) == "-")
    whole = not plain.str.contains(".", literal=True).any()
    numbers = plain.cast(pl.Int64 if whole else pl.Float64)
    numbers = pl.select(pl.when(minus).then(-numbers).otherwise(numbers)).to_series().alias(column.name)
    return "numbers_as_text", (special | words).arg_true().to_list(), numbers


def _decimal_comma(digits: pl.Series) -> bool | None:
    """Whether 1,5 is one and a half in these numbers; None where both readings are possible, or none is for all of them."""
    point, comma = digits.str.contains(POINT).all(), digits.str.contains(COMMA).all()
    if point != comma:
        return bool(comma)
    if not point:
        return None
    # Every number can be read both ways, so each has at most one separator, with three digits after it. Numbers below a thousand
    # without one tell that it stands between thousands: decimals would have it there as well.
    marks = "," if digits.str.contains(",", literal=True).any() else "."
    if marks == "," and not digits.str.contains(".", literal=True).any():
        without = digits.filter(~digits.str.contains(",", literal=True))
        return False if len(without) and (without.str.len_chars() <= 3).all() else None
    return None if digits.str.contains(",", literal=True).any() else False


def _dates(column: pl.Series) -> tuple[str, list[int], pl.Series | None]:
    values, _ = _known(column)
    known = values.drop_nulls()
    if len(known) < FEWEST or not all(_read_date(text) for text in known.head(20)):
        return "", [], None
    read = {text: _read_date(text) for text in known.unique()}
    if not all(read.values()):
        return "", [], None
    spellings: dict[str, list[tuple[int, int, int]]] = {}
    for one in read.values():
        spellings.setdefault(one[0], []).append(one[1])  # type: ignore[index]
    if len(spellings) < 2:
        return "", [], None
    rows = [row for row, text in enumerate(values.to_list()) if text is not None and read[text][0] != "iso"]  # type: ignore[index]
    order = {spelling: _order(spelling, dates) for spelling, dates in spellings.items()}
    if not all(order.values()):
        return "dates_unclear", rows, None
    iso = {text: _iso(order[one[0]], one[1]) for text, one in read.items() if one is not None}
    if None in iso.values():
        return "dates_unclear", rows, None
    after = [before if text is None else iso[text] for before, text in zip(column.to_list(), values.to_list(), strict=True)]
    return "date_spellings", rows, pl.Series(column.name, after, dtype=pl.String)


def _read_date(text: str) -> tuple[str, tuple[int, int, int]] | None:
    """(spelling, three numbers in the order they stand), the month of a name as a number; None for what is no date."""
    if match := ISO.fullmatch(text):
        return "iso", _three(*match.groups())
    if match := YEAR_FIRST.fullmatch(text):
        return "year first", _three(match[1], match[3], match[4])
    if match := YEAR_LAST.fullmatch(text):
        return f"year last {match[2]} {len(match[4])}", _three(match[1], match[3], match[4])
    if (match := DAY_NAMED.fullmatch(text)) and (month := _month(match[2])):
        return "day named", (int(match[1]), month, int(match[3]))
    if (match := NAMED_DAY.fullmatch(text)) and (month := _month(match[1])):
        return "named day", (month, int(match[2]), int(match[3]))
    return None


def _three(first: str, second: str, third: str) -> tuple[int, int, int]:
    return int(first), int(second), int(third)


def _month(word: str) -> int | None:
    lower = word.casefold()
    return MONTH.get(lower[:3]) if lower in MONTH_NAMES.split() or lower in MONTH or lower == "sept" else None


def _order(spelling: str, dates: list[tuple[int, int, int]]) -> str | None:
    """In which order year, month and day stand, if all dates of a spelling agree on one: ymd, dmy or mdy."""
    if spelling in ("iso", "year first"):
        return "ymd"
    if spelling in ("day named", "named day"):
        return "dmy" if spelling == "day named" else "mdy"
    if spelling.endswith("2"):  # 24 may be 1924
        return None
    if " . " in spelling:  # nobody writes month.day.year
        return "dmy"
    day_first, month_first = any(one[0] > 12 for one in dates), any(one[1] > 12 for one in dates)
    return None if day_first == month_first else "dmy" if day_first else "mdy"


def _iso(order: str | None, numbers: tuple[int, int, int]) -> str | None:
    parts = dict(zip(order or "", numbers, strict=True))
    try:
        return date(parts["y"], parts["m"], parts["d"]).isoformat()
    except ValueError:
        return None
