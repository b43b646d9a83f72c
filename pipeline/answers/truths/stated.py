"""Find the one number with which an answer in words answers a question about the trips.

Only one number counts, so that naming many is no way to be right: the first with the unit that was
asked for, otherwise the first that neither the question states nor another unit claims.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.answers.check.claims import split_sentences
from pipeline.answers.check.dates import DateSpan, read_dates
from pipeline.answers.check.numbers import Number, read_numbers

NumberUnit = Literal[
    "trips", "dollars", "percent", "change", "miles", "minutes", "hour", "day", "zone"
]

_DIMENSIONS: dict[NumberUnit, str] = {
    "dollars": "$",
    "percent": "share",
    "change": "share",
    "miles": "length",
    "minutes": "time",
}
_TRIPS_AFTER = re.compile(r"\s?(?:trip|ride|journey|fahrt)", re.IGNORECASE)
_ORDINAL_AFTER = re.compile(r"(?:st|nd|rd|th)\b", re.IGNORECASE)
# ":30 PM", " o'clock", " Uhr"; "5 and 6 p.m." and "5-6 PM" say of both numbers that they are hours.
_HOUR_AFTER = re.compile(
    r"(?P<minutes>:\d\d)?(?:\s?(?:to|and|-|–)\s?\d{1,2}(?::\d\d)?(?=\s?[ap]\.?m))?"
    r"\s?(?:(?P<half>[ap])\.?m|o'?\s?clock|h\b|uhr)?",
    re.IGNORECASE,
)
_MINUTES_BEFORE = re.compile(r"\d:$")
_NAMED_HOUR = re.compile(r"\b(noon|midnight)\b", re.IGNORECASE)
_FALL = re.compile(
    r"\b(fell|fall|fallen|falling|drop\w*|declin\w*|decreas\w*|down|lower|less|fewer|los[st]|"
    r"shrank|shrunk|plung\w*|plummet\w*|collaps\w*|reduc\w*)\b",
    re.IGNORECASE,
)
_RISE = re.compile(r"\b(rose|ris\w+|grew|grow\w*|increas\w*|up|higher|more|gain\w*)\b", re.I)


@dataclass(frozen=True)
class StatedNumber:
    """The number that an answer states, in the unit asked for, and the words it is read from.

    Where a range is stated, `value` is its end and `low` its beginning: both must be right.
    """

    value: float
    text: str
    low: float | None = None


def read_stated_number(answer: str, unit: NumberUnit, question: str = "") -> StatedNumber | None:
    """Return the number that an answer states in a unit, or None if it states none.

    Args:
        answer: Markdown, as a model writes it.
        unit: What was asked for.
        question: Its own numbers are taken only when they carry the unit.
    """
    text = "\n".join(sentence.text for sentence in split_sentences(answer))
    named = _NAMED_HOUR.search(text)
    if unit == "hour" and named:
        return StatedNumber(12.0 if named[1].lower() == "noon" else 0.0, named[1])
    dates = read_dates(text)
    day = next((date for date in dates if date.date.day), None)
    if unit == "day" and day:
        return StatedNumber(float(day.date.day), text[day.start : day.end])
    numbers = _numbers_beside_dates(text, dates)
    in_question = {number.value for number in read_numbers(question)}
    with_unit = [number for number in numbers if _has_unit(number, unit, text)]
    others = [
        number
        for number in numbers
        if number.value not in in_question and not _has_other_unit(number, unit, text)
    ]
    for number in (*with_unit, *others):
        value = _in_unit(number, unit, text)
        begin = None if unit == "hour" else _range_begin(number, numbers, text)
        if begin is None:
            return StatedNumber(value, number.text)
        return StatedNumber(value, text[begin.start : number.end], float(begin.value))
    return None


def _numbers_beside_dates(text: str, dates: Sequence[DateSpan]) -> list[Number]:
    """Return the numbers that are no part of a date and no minutes of a time of day."""
    return [
        number
        for number in read_numbers(text)
        if not any(number.start < date.end and date.start < number.end for date in dates)
        and not _MINUTES_BEFORE.search(text[: number.start])
    ]


def _has_unit(number: Number, unit: NumberUnit, text: str) -> bool:
    if unit == "trips":
        return _TRIPS_AFTER.match(text, number.end) is not None
    if unit == "hour":
        after = _HOUR_AFTER.match(text, number.end)
        return number.text[-1] in "hH" or (after is not None and bool(after[0].strip()))
    if unit == "day":
        return _ORDINAL_AFTER.match(text, number.end) is not None
    return unit != "zone" and number.dimension == _DIMENSIONS[unit]


def _has_other_unit(number: Number, unit: NumberUnit, text: str) -> bool:
    others: list[NumberUnit] = ["trips", "hour", "day"]
    return (bool(number.dimension) and not _has_unit(number, unit, text)) or any(
        other != unit and _has_unit(number, other, text) for other in others
    )


def _range_begin(number: Number, numbers: Sequence[Number], text: str) -> Number | None:
    """Return the number with which the range begins that this one ends, if there is a range."""
    position = numbers.index(number)
    if position == 0:
        return None
    begin = numbers[position - 1]
    between = text[begin.end : number.start].strip()
    is_range = between in ("to", "-", "–") or (
        between == "and" and re.search(r"\bbetween\W*$", text[: begin.start], re.IGNORECASE)
    )
    return begin if is_range else None


def _in_unit(number: Number, unit: NumberUnit, text: str) -> float:
    value = float(number.value)
    if unit == "minutes" and number.dimension == "time":
        return float(number.size) / 60
    if unit == "hour":
        hour = value % 24
        after = _HOUR_AFTER.match(text, number.end)
        if after and after["half"] and hour <= 12:
            hour = hour % 12 + (12 if after["half"].lower() == "p" else 0)
        return hour
    if unit == "change" and value > 0:
        start = max(text.rfind(mark, 0, number.start) for mark in (". ", "\n", "! ")) + 1
        sentence = text[start : number.end + 40].split(". ")[0].split("\n")[0]
        if _FALL.search(sentence) and not _RISE.search(sentence):
            return -value
    return value
