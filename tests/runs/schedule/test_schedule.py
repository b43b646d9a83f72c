"""When schedules fire, on clocks that change twice a year, and what a firing then loads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.datasets import GREEN_TAXIS, either_of
from pipeline.core.errors import UsageError
from pipeline.core.trips import Month
from pipeline.runs.policy import Policy
from pipeline.runs.schedule import CatchUp, Schedule, parse_time
from pipeline.warehouse.registry import target_names
from tests.support.examples import examples

NEW_YORK = ZoneInfo("America/New_York")
# Daylight saving of an hour, of half an hour, and none at all with an offset of 5 h 45 min.
ZONES = ["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Europe/Berlin", "UTC"]


def schedule(**changes: Any) -> Schedule:
    values = {"name": "green-local", "dataset": GREEN_TAXIS, "since": Month(2026, 1)}
    return Schedule(**values | changes)


def local(*moment: int, fold: int = 0) -> datetime:
    return datetime(*moment, tzinfo=NEW_YORK, fold=fold)  # type: ignore[arg-type, misc]


def test_schedule_fires_on_the_same_day_and_hour_of_every_month_on_new_york_clocks() -> None:
    times = list(islice(schedule().times(local(2026, 9, 15)), 5))
    assert times == [local(2026, month, 1, 9) for month in (10, 11, 12)] + [
        local(2027, month, 1, 9) for month in (1, 2)
    ]
    # 09:00 in New York is 13:00 UTC in summer and 14:00 in winter.
    assert [time.astimezone(UTC).hour for time in times] == [13, 14, 14, 14, 14]


def test_a_time_that_the_clocks_skip_in_march_fires_once_by_the_clocks_before() -> None:
    skipped = schedule(day=8, hour=2, minute=30)  # 2026-03-08 has no 02:30 in New York
    february, march, april = islice(skipped.times(local(2026, 2, 1)), 3)
    assert february == local(2026, 2, 8, 2, 30)
    assert march.astimezone(UTC) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
    assert april == local(2026, 4, 8, 2, 30)


def test_a_time_that_the_clocks_show_twice_in_november_fires_once() -> None:
    twice = schedule(day=1, hour=1, minute=30)  # 2026-11-01 has two 01:30 in New York
    times = list(islice(twice.times(local(2026, 10, 15)), 2))
    assert times[0].astimezone(UTC) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert times[1] == local(2026, 12, 1, 1, 30)


@given(
    day=st.integers(1, 28),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
)
def test_there_is_one_firing_in_each_month_whatever_the_clocks_do(
    day: int, hour: int, minute: int, zone: str, start: datetime
) -> None:
    monthly = schedule(day=day, hour=hour, minute=minute, timezone=zone)
    after = start.replace(tzinfo=UTC)
    times = list(islice(monthly.times(after), 14))
    months = [(time.year, time.month) for time in times]
    first = Month(*months[0])
    assert [Month(*month) for month in months] == [first.plus(i) for i in range(14)]
    assert all(time > after for time in times)
    assert times == sorted(times)
    assert monthly.previous_time(times[3]) == times[3]
    assert monthly.previous_time(times[4] - timedelta(seconds=1)) == times[3]


def time_by_watching_a_clock(monthly: Schedule, month: Month) -> datetime:
    """Return when a schedule fires in a month, found on a clock that is read every minute.

    This only turns UTC into local time, where nothing is ambiguous; `Schedule` goes the other way.
    """
    zone = ZoneInfo(monthly.timezone)
    target = datetime(month.year, month.month, monthly.day, monthly.hour, monthly.minute)
    start = target.replace(tzinfo=UTC) - timedelta(hours=14)
    minutes = [start + timedelta(minutes=number) for number in range(28 * 60)]
    shown = [minute.astimezone(zone).replace(tzinfo=None) for minute in minutes]
    if target in shown:
        return minutes[shown.index(target)]  # the first time that the clock shows it
    last = next(i for i, wall in enumerate(shown) if wall > target) - 1  # minute before the skip
    return minutes[last] + (target - shown[last])


@examples(60)  # it reads a clock 8,000 times
@given(
    day=st.integers(1, 28),
    # The clocks change between these hours.
    hour=st.one_of(st.integers(0, 3), st.integers(0, 23)),
    minute=st.integers(0, 59),
    zone=st.sampled_from(ZONES),
    after=st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1)),
)
@example(day=8, hour=2, minute=30, zone="America/New_York", after=datetime(2026, 3, 1))
@example(day=8, hour=2, minute=0, zone="America/New_York", after=datetime(2026, 3, 8, 6, 59))
@example(day=8, hour=2, minute=0, zone="America/New_York", after=datetime(2026, 3, 8, 7))
@example(day=1, hour=1, minute=30, zone="America/New_York", after=datetime(2026, 10, 20))
@example(day=1, hour=1, minute=30, zone="America/New_York", after=datetime(2026, 11, 1, 5, 30))
@example(day=4, hour=2, minute=15, zone="Australia/Lord_Howe", after=datetime(2026, 10, 1))
@example(day=5, hour=1, minute=45, zone="Australia/Lord_Howe", after=datetime(2026, 4, 1))
@example(day=5, hour=1, minute=45, zone="Australia/Lord_Howe", after=datetime(2026, 4, 4, 15))
@example(day=1, hour=5, minute=44, zone="Asia/Kathmandu", after=datetime(2026, 3, 31, 23, 58))
@example(day=1, hour=5, minute=44, zone="Asia/Kathmandu", after=datetime(2026, 3, 31, 23, 59))
def test_next_firing_time_is_the_one_that_watching_a_clock_finds(
    day: int, hour: int, minute: int, zone: str, after: datetime
) -> None:
    monthly = schedule(day=day, hour=hour, minute=minute, timezone=zone)
    after = after.replace(tzinfo=UTC)
    around = [Month(after.year, after.month).plus(offset) for offset in range(-1, 4)]
    watched = [time_by_watching_a_clock(monthly, month) for month in around]
    expected = [time for time in watched if time > after][:2]
    assert [time.astimezone(UTC) for time in islice(monthly.times(after), 2)] == expected
    assert monthly.previous_time(after).astimezone(UTC) == max(t for t in watched if t <= after)


def test_the_month_that_has_just_begun_is_never_asked_for() -> None:
    fired = local(2026, 11, 1, 9)
    assert schedule().newest_possible(fired) == Month(2026, 10)
    assert schedule().expected(fired) == Month(2026, 9)
    assert schedule(lag=1).expected(fired) == Month(2026, 10)
    # Until the next firing, the last one's month is what is waited for.
    assert schedule().expected(local(2026, 11, 30, 23, 59)) == Month(2026, 9)
    assert schedule().expected(local(2026, 12, 1, 8, 59)) == Month(2026, 9)
    assert schedule().expected(local(2026, 12, 1, 9)) == Month(2026, 10)


@pytest.mark.parametrize(
    ("catch_up", "first"),
    [(CatchUp.ALL, Month(2026, 1)), (CatchUp.LAST, Month(2026, 9)), (CatchUp.NONE, Month(2026, 9))],
)
def test_catch_up_says_from_which_month_on_files_are_asked_for(
    catch_up: CatchUp, first: Month
) -> None:
    request = schedule(catch_up=catch_up, target="gcp").request(Month(2026, 9))
    assert (request.selection.first, request.selection.last) == (first, Month(2026, 9))
    assert request.selection.datasets == (GREEN_TAXIS,)
    assert (request.policy, request.target) == (Policy.MISSING_AND_FAILED, "gcp")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"day": 0}, "1 to 28"),
        ({"day": 31}, "1 to 28"),
        ({"hour": 24}, "HH:MM"),
        ({"timezone": "New York"}, "America/New_York"),
        ({"timezone": "../../etc/passwd"}, "America/New_York"),
        ({"lag": 0}, "1 to 24"),
        ({"target": "aws"}, either_of(target_names())),
        ({"name": "green again"}, "lower-case"),
        ({"name": ""}, "lower-case"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_with_its_cure(
    wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        schedule(**wrong)


@pytest.mark.parametrize("text", ["9", "24:00", "09:60", "nine", "9:5", ""])
def test_a_time_of_day_is_written_hh_mm(text: str) -> None:
    with pytest.raises(UsageError, match="HH:MM"):
        parse_time(text)
    assert parse_time("9:05") == (9, 5)
