"""Reads times: the wall clock as it is written, in whatever zone the text names."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from functools import lru_cache
from typing import Literal
from zoneinfo import available_timezones

from pipeline.core.cells.reading import BLANKS, Conventions, DateOrder, Note, Rejected

FIRST_YEAR, LAST_YEAR = 1900, 9999

_Order = Literal["month first", "day first"]

_ANY_CASE = re.IGNORECASE | re.ASCII  # without ASCII, the long s (U+017F) is an s, too
_B = f"[{BLANKS}]"
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAY = (
    "(?P<weekday>mon(?:day)?|tue(?:sday)?|wed(?:nesday)?|thu(?:rsday)?|fri(?:day)?|sat(?:urday)?"
    "|sun(?:day)?)"
)
# 2020-04-01, 4/1/2020 and 1.4.2020; 20200401; 1-Apr-2020, 01APR2020 and 2020-Apr-01; Apr 1, 2020.
_DATE = re.compile(
    rf"(?:{_WEEKDAY},?{_B}+)?(?:"
    r"(?P<a>[0-9]{1,4})(?P<mark>[-/.])(?P<b>[0-9]{1,2})(?P=mark)(?P<c>[0-9]{1,4})"
    r"|(?P<compact>[0-9]{8})"
    rf"|(?P<first>[0-9]{{1,4}})(?:[-/]|\.?{_B}*)(?P<named>{_MONTH})"
    rf"(?:[-/]|[.,]?{_B}*)(?P<last>[0-9]{{1,4}})"
    rf"|(?P<leading>{_MONTH})\.?{_B}+(?P<day>[0-9]{{1,2}})(?:,{_B}*|{_B}+)(?P<year>[0-9]{{1,4}})"
    r")(?![0-9])",
    _ANY_CASE,
)
_CLOCK = re.compile(
    rf"(?:{_B}+|T|,{_B}*)"
    r"(?:(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2})(?::(?P<second>[0-9]{1,2})"
    r"(?:[.,](?P<fraction>[0-9]+))?)?"
    r"|(?P<compact>[0-9]{4}|[0-9]{6}(?:[.,](?P<part>[0-9]+))?)(?![0-9:]))"
    # No letter may follow: America/New_York is a zone.
    rf"(?:{_B}*(?P<half>[AP])(?:\.{_B}?)?M\.?(?![A-Za-z0-9]))?",
    _ANY_CASE,
)
# Wed Apr  1 08:05:00 2020, as C's asctime and Unix write it; Java puts the zone before the year.
_YEAR_LAST = re.compile(
    rf"((?:[a-z]{{3,9}},?{_B}{{1,9}})?{_MONTH}{_B}{{1,9}}[0-9]{{1,2}})"
    rf"({_B}{{1,9}}[0-9]{{1,2}}:.{{1,60}}?){_B}{{1,9}}([0-9]{{4}})",
    _ANY_CASE | re.DOTALL,
)
_CLOCK_OF_DIGITS = re.compile(r"[^0-9]+[0-9]{4}")
_HOUR = re.compile(rf"(?:{_B}+|T|,{_B}*)[0-9]", _ANY_CASE)
_AREA = (
    "(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe"
    "|Indian|Mexico|Pacific|US)/[A-Za-z0-9_+/-]+"
)
_ABBREVIATIONS = (
    "Z|UTC|GMT|UT|ET|EST|EDT|CT|CST|CDT|MT|MST|MDT|PT|PST|PDT|AST|ADT|AKST|AKDT|HST|WET|WEST|CET"
    "|CEST|EET|EEST|BST|IST|MSK|JST|AEST|AEDT"
)
_LONG = (
    "(?:Eastern|Central|Mountain|Pacific|Atlantic|Alaskan?|Hawaiian?|Coordinated Universal"
    "|Greenwich Mean)(?: (?:Standard|Daylight))? Time"
)
_ZONE = re.compile(
    rf"(?:(?:UTC|GMT)?[+-](?:(?:0?[0-9]|1[0-3])(?::?[0-5][0-9]){{0,2}}|14(?::?00){{0,2}})|{_ABBREVIATIONS}|{_AREA}"
    rf"|{_LONG})(?:{_B}*\[{_AREA}\]|{_B}*\((?:{_LONG}|{_ABBREVIATIONS})\))?",
    _ANY_CASE,
)
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")


def date_order_of(text: str) -> DateOrder | None:
    """Return which of month and day comes first in a time, or None if it does not show that.

    A date that is rejected, because it does not exist or has no time of day, tells nothing.

    Args:
        text: A cell; what follows its hour does not matter.
    """
    match = _DATE.match(text)
    if match is None or not match["c"] or len(match["c"]) != 4 or len(match["a"]) > 2:
        return None
    if not _HOUR.match(text, match.end()):
        return None
    try:
        _, order = _read_date(match[0], None)
    except Rejected:
        return None
    return order


def read_time(text: str, conventions: Conventions) -> tuple[datetime, tuple[Note, ...], str]:
    """Return a time, what to note about it, and the zone that the text names, or "".

    Raises Rejected.
    """
    if year_last := _YEAR_LAST.fullmatch(text):
        day_text, clock_text, year = year_last.groups()
        text = f"{day_text} {year}{clock_text}"
    match = _DATE.match(text)
    if match is None:
        raise Rejected("is a number, not a time" if _NUMBER.fullmatch(text) else "is not a time")
    rest = text[match.end() :]
    if not rest:
        _read_date(match[0], conventions.date_order)  # whose own fault is the better reason
        raise Rejected("has no time of day" if not match["compact"] else "is a number, not a time")
    day, order = _read_date(match[0], conventions.date_order)
    clock, half, zone = _read_clock(rest)
    if _CLOCK_OF_DIGITS.match(rest) and not match["compact"]:
        raise Rejected("has a time of day without colons after a date with separators")
    notes: tuple[Note, ...] = (order,) if order else ()
    if half:
        notes += ("12-hour clock",)
    if zone:
        notes += ("zone",)
    return datetime.combine(day, clock), notes, zone


# A month has few dates, and a day 86,400 seconds, so nearly all times of a file are in the caches.
@lru_cache(4096)
def _read_date(text: str, order: DateOrder | None) -> tuple[date, _Order | None]:
    match = _DATE.match(text)
    assert match is not None  # it is the text of a match
    note: _Order | None = None
    if match["compact"]:
        year, month, day_text = text[-8:-4], int(text[-4:-2]), text[-2:]
    elif match["named"]:
        month = _MONTHS.index(match["named"][:3].lower()) + 1
        first, last = match["first"], match["last"]
        year, day_text = (first, last) if len(first) == 4 > len(last) else (last, first)
    elif match["leading"]:
        month = _MONTHS.index(match["leading"][:3].lower()) + 1
        year, day_text = match["year"], match["day"]
    elif len(match["a"]) > 2:
        year, month, day_text = match["a"], int(match["b"]), match["c"]
    else:
        year = match["c"]
        month, day, note = _order(int(match["a"]), int(match["b"]), len(year), order)
        day_text = str(day)
    if len(day_text) > 2:
        raise Rejected("is not a day of the calendar")
    if len(year) != 4:
        count = {1: "one digit", 2: "two digits"}.get(len(year), f"{len(year)} digits")
        raise Rejected(f"has a year of {count}")
    if int(year) < FIRST_YEAR:
        raise Rejected(f"has a year before {FIRST_YEAR}")
    try:
        read = date(int(year), month, int(day_text))
    except ValueError:
        raise Rejected("is not a day of the calendar") from None
    weekday = match["weekday"]
    if weekday and weekday[:3].lower() != _WEEKDAYS[read.weekday()]:
        raise Rejected(f"names a weekday, but {read} is a {read:%A}")
    return read, note


def _order(
    first: int, second: int, digits: int, order: DateOrder | None
) -> tuple[int, int, _Order | None]:
    """Return month and day of a date that ends with the year, and which of them comes first."""
    if digits != 4 or first == second or max(first, second) > 31 or min(first, second) > 12:
        return first, second, None
    if first > 12:
        order = "day first"
    elif second > 12:
        order = "month first"
    if order == "both":
        raise Rejected("has month and day in an order on which the dates of the file disagree")
    if order is None:
        raise Rejected("has month and day in an order that no other date of the file shows")
    if order == "month first":
        return first, second, "month first"
    return second, first, "day first"


@lru_cache(200_000)
def _read_clock(text: str) -> tuple[time, bool, str]:
    """Return the time of day, whether its clock has 12 hours, and the zone that the text names."""
    match = _CLOCK.match(text)
    if match is None:
        raise Rejected("is not a time")
    digits = match["compact"]
    if digits:
        hour, minute, second = int(digits[:2]), int(digits[2:4]), int(digits[4:6] or 0)
    else:
        hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            raise Rejected("has an hour that is not on a 12-hour clock")
        hour = hour % 12 + (12 if match["half"] in "Pp" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise Rejected("is not a time of day; hours end at 23, minutes and seconds at 59")
    zone = text[match.end() :].strip(BLANKS)
    if zone and not _is_zone(zone):
        raise Rejected("has text after the time that is not a time zone")
    microsecond = int((match["fraction"] or match["part"] or "0")[:6].ljust(6, "0"))
    return time(hour, minute, second, microsecond), bool(match["half"]), zone


def _is_zone(text: str) -> bool:
    if not _ZONE.fullmatch(text):
        return False
    # A system without a list of zones cannot tell a wrong name from a right one.
    known = _known_areas()
    return not known or all(area.lower() in known for area in re.findall(_AREA, text, _ANY_CASE))


@lru_cache(1)
def _known_areas() -> frozenset[str]:
    return frozenset(map(str.lower, available_timezones()))
