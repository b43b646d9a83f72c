"""Read the numbers and dates in a text, in whichever way they are written.

"about 1.2 million trips", "$1,234.56", "18 Prozent", "PT24H", "twelve" and "12 November 2025" are
all read. The check of claims and the score of an answer about the trips read numbers here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
MONEY = ("$", "€", "£")
LONGEST_NUMBER = 40  # characters; more digits than this are no number that anybody states

# By word: the dimension, and the unit's size in the dimension's base unit: seconds, months, bytes,
# percent, miles or dollars.
UNITS: dict[str, tuple[str, Decimal]] = {
    word: (dimension, Decimal(size))
    for dimension, size, words in (
        ("time", "0.001", "ms millisecond milliseconds"),
        ("time", "1", "s sec secs second seconds"),
        ("time", "60", "min mins minute minutes"),
        ("time", "3600", "h hr hrs hour hours"),
        ("time", "86400", "d day days"),
        ("time", "604800", "week weeks"),
        ("month", "1", "month months"),
        ("month", "12", "year years"),
        ("size", "1000", "kb kilobyte kilobytes"),
        ("size", "1000000", "mb megabyte megabytes"),
        ("size", "1000000000", "gb gigabyte gigabytes"),
        ("size", "1000000000000", "tb terabyte terabytes"),
        ("size", "1024", "kib"),
        ("size", "1048576", "mib"),
        ("size", "1073741824", "gib"),
        ("share", "1", "% percent pct prozent"),
        ("length", "1", "mi mile miles"),
        ("$", "1", "$ usd dollar dollars buck bucks"),
    )
    for word in words.split()
} | {"per cent": ("share", Decimal(1))}
UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))

_SCALES = {
    "hundred": 2,
    "thousand": 3,
    "k": 3,
    "million": 6,
    "mn": 6,
    "m": 6,
    "billion": 9,
    "bn": 9,
    "b": 9,
}
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: value for value, word in enumerate(_SMALL)} | {
    word: 10 * value for value, word in enumerate(_TENS, 2)
}
_WORD = rf"(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_SMALL[1:10])}))?|{'|'.join(_SMALL)}"
_SCALE = "|".join(sorted(_SCALES, key=len, reverse=True))
# Thousands are separated by commas, spaces (narrow and no-break ones too), apostrophes or
# underscores; by dots only when there are two groups or more: 1.234 is a decimal. A comma before
# decimals is told from one between two numbers by the unit that follows.
_DIGITS = (
    r"\d{1,3}(?:[,\u0020\u00a0\u2009\u202f'’_]\d{3})+(?!\d)(?:\.\d+)?"
    r"|\d{1,3}(?:\.\d{3}){2,}(?!\d)"
    rf"|\d+(?:\.\d+|,\d{{1,2}}(?=[\s-]?(?:{UNIT})(?!\w)))?"
)
_NUMERAL = re.compile(
    rf"(?<![\w.])(?:(?<!\d\s)(?P<sign>[-−–+]\s?|(?:minus|plus)\s))?"
    rf"(?P<currency>(?:(?:US)?\$|USD|[€£])\s?)?"
    rf"(?:(?P<digits>{_DIGITS})(?!\w*\.\d)|\b(?P<words>{_WORD})\b)",
    re.IGNORECASE,
)
_SCALE_AFTER = re.compile(rf"[\s-]?(?P<scale>(?:{_SCALE})\b(?:\s(?:{_SCALE})\b)?)", re.IGNORECASE)
_UNIT_AFTER = re.compile(rf"[\s-]?(?P<unit>{UNIT})(?!\w)", re.IGNORECASE)
_DURATION = re.compile(r"\bP(?=\d|T\d)(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?(?!\w)")

MONTH_NUMBERS = {
    name: number
    for number, month in enumerate(MONTHS, 1)
    for name in (month.lower(), month[:3].lower(), *(["sept"] if month == "September" else []))
}
_MONTH = "|".join(sorted(MONTH_NUMBERS, key=len, reverse=True))
_DATE_FORMS = (
    re.compile(r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?=\b|T)"),
    re.compile(r"(?<![\w-])(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])(?![\w-])"),
    re.compile(
        rf"\b(?:(?<![\w.])(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?)?"
        rf"(?P<name>{_MONTH})\b\.?,?"
        r"\s+(?P<year>\d{4})\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?P<name>{_MONTH})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b"
        r"(?:,?\s+(?P<year>\d{4})\b|(?!\s*(?:%|percent)))",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?<![\w.])(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<name>{_MONTH})\b",
        re.IGNORECASE,
    ),
)


@dataclass(frozen=True)
class Number:
    """A number at `start` to `end` of a text.

    Attributes:
        text: The number as it is written, with sign, currency, scale and unit.
        value: What it is, with sign and scale: 1,200,000 for "1.2 million".
        unscaled: The same without the scale: 1.2.
        scale: The scale in lower case, or nothing: "million", "k", "hundred thousand".
        dimension: What the unit measures, one of `UNITS`; a currency's sign; or nothing.
        size: The value in the dimension's base unit.
        is_word: Whether it is written out in letters.
    """

    text: str
    start: int
    end: int
    value: Decimal
    unscaled: Decimal
    scale: str
    dimension: str
    size: Decimal
    is_word: bool = False


class Date(NamedTuple):
    """A date, with 0 for the year or day that is not stated."""

    year: int
    month: int
    day: int


class DateSpan(NamedTuple):
    """A date at `start` to `end` of a text."""

    date: Date
    start: int
    end: int


def read_numbers(text: str) -> Iterator[Number]:
    """Yield the numbers of a text and durations such as PT24H, each kind in the order they stand.

    Parts of a date are numbers too; a version of three parts, such as 2.4.1, holds none.
    """
    for match in _DURATION.finditer(text):
        parts = zip(match.groups("0"), (86400, 3600, 60, 1), strict=True)
        seconds = Decimal(sum(int(part[:LONGEST_NUMBER]) * size for part, size in parts))
        yield Number(match[0], *match.span(), seconds, seconds, "", "time", seconds)
    for match in _NUMERAL.finditer(text):
        if len(match[0]) <= LONGEST_NUMBER:
            yield _number(match, text)


def _number(match: re.Match[str], text: str) -> Number:
    unscaled = Decimal(_plain_digits(match["digits"]) if match["digits"] else _value(match[0]))
    if (match["sign"] or "").strip().lower() in ("-", "−", "–", "minus"):
        unscaled = -unscaled
    end = match.end()
    scale = ""
    if scaled := _SCALE_AFTER.match(text, end):
        scale, end = scaled["scale"].lower(), scaled.end()
    value = unscaled * Decimal(10) ** sum(_SCALES[part] for part in scale.split())
    currency = (match["currency"] or "").strip().upper()
    dimension, size = currency.replace("USD", "$").removeprefix("US"), Decimal(1)
    if not dimension and (measured := _UNIT_AFTER.match(text, end)):
        dimension, size = UNITS[measured["unit"].lower()]
        end = measured.end()
    return Number(
        text[match.start() : end],
        match.start(),
        end,
        value,
        unscaled,
        scale,
        dimension,
        value * size,
        match["words"] is not None,
    )


def _value(words: str) -> int:
    return sum(_WORDS.get(word, 0) for word in re.split(r"[\s-]+", words.lower()))


def _plain_digits(text: str) -> str:
    """Return digits without what separates thousands, and with a dot before decimals."""
    if re.fullmatch(r"\d{1,3}(?:[^\d.]\d{3})+(?:\.\d+)?", text):
        return re.sub(r"[^\d.]", "", text)
    if text.count(".") > 1:
        return text.replace(".", "")
    return text.replace(",", ".")


def read_dates(text: str) -> list[DateSpan]:
    """Return the dates of a text, in order: 2025-11-12, 2025-11, 12 November 2025, Nov 12th."""
    dates: list[DateSpan] = []
    for form in _DATE_FORMS:
        for match in form.finditer(text):
            start, end = match.span()
            if any(start < date.end and date.start < end for date in dates):
                continue
            parts = match.groupdict()
            name = parts.get("name")
            if name and name.islower() and not parts["year"]:  # "may 10 people" is no date
                continue
            month = MONTH_NUMBERS[name.lower()] if name else int(parts["month"] or 0)
            date = Date(int(parts.get("year") or 0), month, int(parts.get("day") or 0))
            dates.append(DateSpan(date, start, end))
    return sorted(dates, key=lambda date: date.start)
