"""The number that an answer in words states, read in the unit that was asked for. Pure.

Only one number of an answer counts, so that naming many is no way to be right: the first one that
carries the unit (dollars, percent, miles ...), else the first that neither the question holds nor
another unit claims. "about 1.2 million trips", "$1,234.56", "18 Prozent", "6 p.m." and "twelve" are
all read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Unit = Literal["trips", "dollars", "percent", "change", "miles", "minutes", "hour", "day", "zone"]

_SCALES = {
    "hundred": 1e2,
    "thousand": 1e3,
    "k": 1e3,
    "million": 1e6,
    "mn": 1e6,
    "m": 1e6,
    "billion": 1e9,
    "bn": 1e9,
    "b": 1e9,
}
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: float(value) for value, word in enumerate(_SMALL)} | {
    word: 10.0 * value for value, word in enumerate(_TENS, 2)
}
_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))
_SCALE = "|".join(sorted(_SCALES, key=len, reverse=True))
# Thousands separated by commas, spaces (also narrow and no-break ones), apostrophes or underscores;
# by dots only when there are two groups or more: 1.234 is a decimal.
_DIGITS = (
    r"\d{1,3}(?:[,\u0020\u00a0\u2009\u202f'’_]\d{3})+(?!\d)(?:\.\d+)?"
    r"|\d{1,3}(?:\.\d{3}){2,}(?!\d)"
    r"|\d+(?:[.,]\d+)?"
)
_NUMBER = re.compile(
    rf"(?<![\w.])(?P<sign>[-−–+]\s?|minus\s|plus\s)?(?P<currency>(?:US)?\$\s?|USD\s?)?"
    rf"(?:(?P<digits>{_DIGITS})|(?P<words>\b(?:{_WORD})(?:[- ](?:{_WORD}))*\b))"
    rf"(?:[\s\u00a0-]?(?P<scale>(?:{_SCALE})\b(?:\s(?:{_SCALE})\b)?))?"
    r"(?P<after>(?::\d\d)?(?:\s?(?:to|and|-|–)\s?\d{1,2}(?::\d\d)?(?=\s?[ap]\.?m))?"
    r"[\s\u00a0*_]{0,4}[a-z%$°.]{0,12})",
    re.IGNORECASE,
)
_DATES = re.compile(r"\b(?:19|20)\d\d-\d\d(?:-\d\d)?\b|\[\d{1,3}(?:\s?,\s?\d{1,3})*\]")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_MONTH = "|".join(MONTHS)
_NAMED_DATE = re.compile(
    rf"\b(?:{_MONTH})\s+(?:\d{{1,2}}(?:st|nd|rd|th)?,?\s+)?(?:19|20)\d\d\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{_MONTH})(?:\s+(?:19|20)\d\d)?\b"
    rf"|\b(?:{_MONTH})\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?!\s*(?:%|percent))",
    re.IGNORECASE,
)
_MARKS: dict[Unit, re.Pattern[str]] = {
    "trips": re.compile(r"^(trip|ride|journey|fahrt)"),
    "dollars": re.compile(r"^(\$|usd|dollar|buck)"),
    "percent": re.compile(r"^(%|percent|per$|prozent|pct)"),
    "change": re.compile(r"^(%|percent|per$|prozent|pct)"),
    "miles": re.compile(r"^(mile|mi\b|mi$)"),
    "minutes": re.compile(r"^min"),
    "hour": re.compile(r"^([ap]\.?m|o|h\b|h$|uhr)"),
    "day": re.compile(r"^(st|nd|rd|th)"),
    "zone": re.compile(r"^$"),
}
_FALL = re.compile(
    r"\b(fell|fall|fallen|falling|drop\w*|declin\w*|decreas\w*|down|lower|less|fewer|los[st]|"
    r"shrank|shrunk|plung\w*|plummet\w*|collaps\w*|reduc\w*)\b",
    re.IGNORECASE,
)
_RISE = re.compile(r"\b(rose|ris\w+|grew|grow\w*|increas\w*|up|higher|more|gain\w*)\b", re.I)


@dataclass(frozen=True)
class Stated:
    """A number an answer states: its value in the unit asked for, and the words it was read from.

    Where a range is stated, `value` is its end and `low` its beginning: both must be right.
    """

    value: float
    text: str
    low: float | None = None


@dataclass(frozen=True)
class _Found:
    value: float
    text: str
    after: str
    currency: bool
    start: int
    end: int
    clock: str  # what stands between the digits and am/pm, such as ":30"


def read_number(answer: str, unit: Unit, question: str = "") -> Stated | None:
    """Return the number an answer states in a unit, or None when it states none.

    Args:
        answer: What somebody wrote, Markdown or plain.
        unit: `change` is a percentage with a direction: "fell by 3 %" is -3; `hour` is 0 to 23.
        question: Numbers that stand in it, such as a year, are not taken for the answer.
    """
    text = answer.replace("**", "").replace("__", "")
    if unit == "hour" and (named := re.search(r"\b(noon|midnight)\b", text, re.IGNORECASE)):
        digits = re.search(r"\d", text)
        if digits is None or named.start() < digits.start():
            return Stated(12.0 if named[1].lower() == "noon" else 0.0, named[1])
    if unit == "day" and (dated := _day_of_date(text)):
        return dated
    blank = _NAMED_DATE.sub(_blanked, _DATES.sub(_blanked, text))
    found = list(_numbers(blank))
    asked = {number.value for number in _numbers(question)}
    marked = [number for number in found if _has_mark(number, unit)]
    others = [
        number
        for number in found
        if number.value not in asked
        and not any(_has_mark(number, other) for other in _MARKS if other not in (unit, "zone"))
    ]
    for number in (*marked, *others):
        value = _in_unit(number, unit, blank)
        begin = None if unit == "hour" else _range_begin(number, found, blank)
        if begin is None:
            return Stated(value, number.text)
        return Stated(value, blank[begin.start : number.end].strip(), begin.value)
    return None


def _range_begin(number: _Found, found: Sequence[_Found], text: str) -> _Found | None:
    """Return the number that a range begins with which ends in this one, if there is a range."""
    position = found.index(number)
    if position == 0:
        return None
    begin = found[position - 1]
    between = text[begin.end : number.start].strip(" \u00a0*$%")
    spoken = between in ("to", "-", "–") or (
        between == "and" and re.search(r"\bbetween\W*$", text[: begin.start], re.IGNORECASE)
    )
    return begin if spoken else None


def _numbers(text: str) -> Iterator[_Found]:
    for match in _NUMBER.finditer(text):
        value = _digits(match["digits"]) if match["digits"] else _words(match["words"])
        for scale in (match["scale"] or "").lower().split():
            value *= _SCALES[scale]
        if (match["sign"] or "").strip().lower() in ("-", "−", "–", "minus"):
            value = -value
        clock = re.match(r":\d\d|\s?(?:to|and|-|–)\s?\d{1,2}(?::\d\d)?", match["after"])
        after = match["after"][clock.end() if clock else 0 :].strip(" \u00a0*_").lower()
        yield _Found(
            value,
            match.group().strip(" *_."),
            after,
            bool(match["currency"]),
            match.start(),
            match.start("after"),
            clock.group() if clock else "",
        )


def _digits(text: str) -> float:
    grouped = re.fullmatch(r"\d{1,3}(?:[,\s\u00a0\u2009\u202f'’_]\d{3})+(\.\d+)?", text)
    if grouped:
        return float(re.sub(r"[^\d.]", "", text))
    if text.count(".") > 1:
        return float(text.replace(".", ""))
    return float(text.replace(",", "."))


def _words(text: str) -> float:
    return sum(_WORDS[word] for word in re.split(r"[- ]", text.lower()))


def _has_mark(number: _Found, unit: Unit) -> bool:
    if unit == "dollars" and number.currency:
        return True
    if unit == "zone":
        return False
    if unit == "hour" and number.clock.startswith(":"):
        return True
    return bool(number.after) and bool(_MARKS[unit].match(number.after))


def _in_unit(number: _Found, unit: Unit, text: str) -> float:
    if unit == "hour":
        hour = number.value % 24
        half = re.match(r"([ap])\.?m", number.after)
        if half and hour <= 12:
            hour = hour % 12 + (12 if half[1] == "p" else 0)
        return hour
    if unit == "change" and number.value > 0:
        sentence_start = max(text.rfind(mark, 0, number.start) for mark in (". ", "\n", "! ")) + 1
        sentence = text[sentence_start : number.start + len(number.text) + 40].split(". ")[0]
        if _FALL.search(sentence) and not _RISE.search(sentence):
            return -number.value
    return number.value


def _day_of_date(text: str) -> Stated | None:
    """Return the day of the first full date, as in `2020-04-17`, `April 17` or `17 April`."""
    iso = re.search(r"\b(?:19|20)\d\d-\d\d-(\d\d)\b", text)
    for match in filter(None, (iso, *_NAMED_DATE.finditer(text))):
        day = match[1] if match is iso else None
        if day is None:
            short = re.sub(r"(?:19|20)\d\d", "", match.group())
            digits = re.search(r"\d{1,2}", short)
            day = digits[0] if digits else None
        if day:
            return Stated(float(day), match.group())
    return None


def _blanked(match: re.Match[str]) -> str:
    return " " * len(match.group())
