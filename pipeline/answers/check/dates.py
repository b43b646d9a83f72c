"""Read the dates, clock times and weekdays in a text, in whichever way they are written."""

from __future__ import annotations

import datetime
import re
from typing import Literal, NamedTuple

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
MONTH_NUMBERS = {
    name: number
    for number, month in enumerate(MONTHS, 1)
    for name in (month.lower(), month[:3].lower(), *(["sept"] if month == "September" else []))
}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_MONTH = "|".join(sorted(MONTH_NUMBERS, key=len, reverse=True))
_DAY = r"(?<![\w.,])(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_RANGE = r"(?:\s?(?:-|–|to|and)\s?(?P<last>\d{1,2})(?:st|nd|rd|th)?)?"
_DATE_FORMS = (
    re.compile(r"\b(?P<year>\d{4})[-/](?P<month>\d\d)[-/](?P<day>\d\d)(?=\b|T)"),
    re.compile(r"(?<![\w-])(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])(?![\w-])"),
    re.compile(r"(?<![\w./])(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>(?:19|20)\d\d)(?!\w)"),
    re.compile(r"(?<![\w./])(?P<us>\d{1,2}/\d{1,2})/(?P<year>(?:19|20)\d\d)(?![\w/])"),
    re.compile(
        rf"\b(?:{_DAY}{_RANGE}[\s-]+(?:of\s+)?)?(?P<name>{_MONTH})\b\.?,?[\s-]+"
        r"(?:of\s+|the\s+year\s+)?(?P<year>\d{4})\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?P<name>{_MONTH})\.?\s+(?:the\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?{_RANGE}\b"
        r"(?![,.]\d|\s\d{3}\b)(?:,?\s+(?P<year>\d{4})\b(?![,.]\d)|(?!\s*(?:%|percent|per cent"
        r"|[ap]\.?m)))",
        re.IGNORECASE,
    ),
    re.compile(rf"{_DAY}{_RANGE}\s+(?:of\s+)?(?P<name>{_MONTH})\b", re.IGNORECASE),
    # A month alone: March and May are words too unless something says that they are months.
    re.compile(
        rf"\b(?:in|since|until|till|by|from|of|during|to|between|and|through|early|late|mid"
        rf"|last|next|"
        rf"this|every|and|on)[\s-](?P<name>{_MONTH})\b(?!\s+\d{{1,2}}\b(?![,.]\d|\s\d{{3}}))",
        re.IGNORECASE,
    ),
    re.compile(rf"(?:^|[:,|(]\s*)(?P<name>{_MONTH})(?=\s*(?:[:,|)]|$))", re.IGNORECASE),
    re.compile(
        r"\b(?P<name>January|February|April|June|July|August|September|October|November|December)\b"
    ),
)
# A year alone. Numbers with a unit or something counted behind them are no years.
_YEAR = re.compile(
    r"(?<![\w.,$€£-])(?P<year>1[0-9]\d\d|20\d\d)"
    r"(?![\w%$]|[.,]\d|\s?(?:%|percent|(?:[kcm]?m|[km]?g|[mk]?l|ft|mph|mb|gb|kb|hp|rpm|[kmg]?w|[kmg]?hz)\b"
    r"|km/h|kwh))"
)
_YEAR_RANGE = re.compile(r"(?<![\w.,])(?P<year>1\d\d\d|20\d\d)\s?[-–/]\s?(?P<end>\d\d)(?![\w-])")
_YEAR_BEFORE = re.compile(
    r"(?:\b(?:in|since|until|till|by|from|of|during|to|between|and|through|before|after|around"
    r"|early|"
    r"late|mid|year|season|spring|summer|autumn|fall|winter|circa|c\.|for|as of|than|the)\s"
    r"|[(–-])\s*$",
    re.IGNORECASE,
)
_DECADE = re.compile(r"(?<![\w.,])(?P<year>1\d\d0|20\d0)['’]?s\b")
_BEFORE_DATE = re.compile(r"\b(?:before|prior to|earlier than|no later than|ahead of)\s$", re.I)
_AFTER_DATE = re.compile(r"\b(?:after|later than|following)\s$", re.IGNORECASE)
_SINCE_DATE = re.compile(r"\b(?:since|from)\s(?:the\s)?$", re.IGNORECASE)
_UNTIL_DATE = re.compile(
    r"\b(?:until|till)\s(?:the\s)?$|\bfrom\s[\w ,.]{1,20}\sto\s$", re.IGNORECASE
)
_BY_DATE = re.compile(r"\bby\s$", re.IGNORECASE)
_COUNTED = re.compile(
    r"\s+(?!(?:to|and|or|in|of|on|at|by|for|with|from|the|a|an|was|were|is|are|as|"
    r"when|but|had|has|after|before|until|while|it|he|she|they|that|which|who|"
    r"season|election|edition|report|census|world|film|novel|album)\b)[a-z]{3,}"
)

_CLOCK = re.compile(
    r"(?<![\w.:,])(?P<hour>\d{1,2})"
    r"(?:(?:[:.](?P<minute>[0-5]\d)(?::[0-5]\d)?)?\s?(?P<half>[ap])\.?\s?m\b\.?"
    r"|:(?P<minute24>[0-5]\d)(?::[0-5]\d)?(?![\w:])|(?P<oclock>\s?o'?\s?clock))",
    re.IGNORECASE,
)
_SHARED_HALF = re.compile(  # 9 to 5 p.m. says nothing of 9; "5 and 6 p.m." says p.m. of both
    r"(?<![\w.:])(?P<hour>\d{1,2})(?::(?P<minute>[0-5]\d))?\s?(?:and|-|–)\s?"
    r"\d{1,2}(?::\d\d)?\s?(?P<half>[ap])\.?m\b",
    re.IGNORECASE,
)
# Opening hours of a record, 8:0-17:30, with single digits too.
_HOURS = re.compile(
    r"(?<![\w.:])(?P<hour>\d{1,2}):(?P<minute>\d{1,2})-(?P<end>\d{1,2}):(?P<end_minute>\d{1,2})(?![\w.:])"
)
_NAMED_CLOCK = re.compile(r"\b(noon|midday|midnight)\b", re.IGNORECASE)
_WEEKDAY = re.compile(rf"\b({'|'.join(WEEKDAYS)})s?\b", re.IGNORECASE)


class Date(NamedTuple):
    """A date, with 0 for the year, month or day that is not stated."""

    year: int
    month: int
    day: int

    @property
    def weekday(self) -> str:
        """The name of its weekday in lower case, or nothing unless it is a whole date."""
        try:
            return WEEKDAYS[datetime.date(*self).weekday()]
        except ValueError:
            return ""


DateRelation = Literal["", "before", "after", "by", "since", "until", "decade"]
"""How a text relates to a date: on, before, after, by, since or until it, or in its decade."""


class DateSpan(NamedTuple):
    """A date at `start` to `end` of a text."""

    date: Date
    start: int
    end: int
    relation: DateRelation = ""


class Clock(NamedTuple):
    """A time of day in minutes after midnight; `is_half` if 5:30 may mean the afternoon too."""

    minutes: int
    is_half: bool


def read_dates(text: str) -> list[DateSpan]:
    """Return the dates of a text, in order: 2025-11-12, 12.11.2025, 12 November 2025, Nov 12th.

    Of a range, 3–5 May, both ends are returned. 11/12/2025 is November 12, 13/12/2025 is not.
    """
    dates: list[DateSpan] = []
    for form in _DATE_FORMS[:-3]:
        dates += _matches(form, text, dates)
    return sorted(dates, key=lambda date: date.start)


def read_months_and_years(text: str, dates: list[DateSpan]) -> list[DateSpan]:
    """Return the months and years that stand alone, beside the dates of a text."""
    spans: list[DateSpan] = []
    for form in _DATE_FORMS[-3:]:
        spans += _matches(form, text, [*dates, *spans])
    for match in _DECADE.finditer(text):
        spans.append(DateSpan(Date(int(match["year"]), 0, 0), *match.span(), "decade"))
    for match in _YEAR_RANGE.finditer(text):
        year, end = int(match["year"]), int(match["end"])
        if end > year % 100 and not _overlaps(match, [*dates, *spans]):
            spans.append(DateSpan(Date(year, 0, 0), match.start(), match.end()))
            spans.append(
                DateSpan(Date(year // 100 * 100 + end, 0, 0), match.start("end"), match.end())
            )
    for match in _YEAR.finditer(text):
        if _overlaps(match, [*dates, *spans]):
            continue
        is_counted = _COUNTED.match(text, match.end()) is not None
        if not is_counted and (
            _YEAR_BEFORE.search(text[max(0, match.start() - 24) : match.start()])
            or int(match[0]) >= 1900
        ):
            spans.append(DateSpan(Date(int(match["year"]), 0, 0), *match.span()))
    return spans


def date_relation(text: str, start: int) -> DateRelation:
    """Return the relation that the words before a date express; `start` is its position."""
    before = text[max(0, start - 36) : start]
    if _BEFORE_DATE.search(before):
        return "by" if before.lower().endswith("no later than ") else "before"
    if _AFTER_DATE.search(before):
        return "after"
    if _SINCE_DATE.search(before):
        return "since"
    if _UNTIL_DATE.search(before):
        return "until"
    return "by" if _BY_DATE.search(before) else ""


def is_earlier(date: Date, other: Date) -> bool:
    """Return whether a date is earlier than another one; parts that are 0 are not compared."""
    for part, same in zip(date, other, strict=True):
        if not part or not same:
            return False
        if part != same:
            return part < same
    return False


def _overlaps(match: re.Match[str], spans: list[DateSpan]) -> bool:
    return any(match.start() < span.end and span.start < match.end() for span in spans)


def _matches(form: re.Pattern[str], text: str, known: list[DateSpan]) -> list[DateSpan]:
    spans: list[DateSpan] = []
    for match in form.finditer(text):
        if _overlaps(match, [*known, *spans]):
            continue
        parts = match.groupdict()
        name = parts.get("name")
        if name and name.islower() and not parts.get("year"):  # "may 10 people" is no date
            continue
        month = MONTH_NUMBERS[name.lower()] if name else int(parts.get("month") or 0)
        day = int(parts.get("day") or 0)
        if parts.get("us"):
            month, day = (int(part) for part in parts["us"].split("/"))
            if month > 12:
                month, day = day, month
        year = int(parts.get("year") or 0)
        if month > 12 or day > 31:
            continue
        start = match.start("name") if name and not day and not year else match.start()
        spans.append(DateSpan(Date(year, month, day), start, match.end()))
        if parts.get("last"):
            spans.append(DateSpan(Date(year, month, int(parts["last"])), *match.span()))
    return spans


def read_clocks(text: str) -> list[tuple[Clock, int, int]]:
    """Return the times of day with their spans: 17:00, 5 p.m., 5 o'clock, noon."""
    clocks = []
    for match in _HOURS.finditer(text):
        for hour_part, minute_part in (("hour", "minute"), ("end", "end_minute")):
            hour, minute = int(match[hour_part]), int(match[minute_part])
            if hour <= 24 and minute < 60:
                clock = Clock(hour % 24 * 60 + minute, False)
                clocks.append((clock, match.start(hour_part), match.end(minute_part)))
    for form in (_CLOCK, _SHARED_HALF):
        for match in form.finditer(text):
            parts = match.groupdict()
            hour = int(match["hour"])
            minute = int(parts.get("minute") or parts.get("minute24") or 0)
            half = (parts.get("half") or "").lower()
            if hour > 24 or (half and not 1 <= hour <= 12):
                continue
            if half:
                hour = hour % 12 + (12 if half == "p" else 0)
            is_half = not half and 1 <= hour <= 12 and not match["hour"].startswith("0")
            clocks.append((Clock(hour % 24 * 60 + minute, is_half), *match.span()))
    for match in _NAMED_CLOCK.finditer(text):
        minutes = 0 if match[0].lower() == "midnight" else 720
        clocks.append((Clock(minutes, False), *match.span()))
    return clocks


def read_weekdays(text: str) -> list[tuple[str, int, int]]:
    """Return the weekdays named in a text, with their spans."""
    return [(match[1].lower(), *match.span()) for match in _WEEKDAY.finditer(text)]


def is_same_clock(first: Clock, second: Clock) -> bool:
    """Return whether two times of day agree; 5:30 may be 17:30."""
    if first.minutes == second.minutes:
        return True
    may_be_half = first.is_half or second.is_half
    return may_be_half and first.minutes % 720 == second.minutes % 720
