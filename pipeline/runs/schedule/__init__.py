"""Schedules: when one fires, and which months that firing loads. Pure: no I/O.

A schedule fires once a month. A firing loads the newest month that the source has published: the
current month is not over, and the TLC publishes a month about two months after its end. While the
month that a firing expects (`lag`) is missing, the firing is retried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.core.datasets import Dataset, find_dataset
from pipeline.core.errors import UsageError
from pipeline.core.trips import Month, Selection
from pipeline.runs.plan import Request
from pipeline.runs.policy import Policy
from pipeline.warehouse.registry import DEFAULT_TARGET, find_backend

USUAL_ZONE = "America/New_York"
# Months between the end of a month and its publication by the TLC.
USUAL_LAG = 2
# A firing that is late by at most this long was not missed.
GRACE = timedelta(minutes=10)


class CatchUp(StrEnum):
    """What a schedule does about firings that it missed while no scheduler ran."""

    ALL = "all"
    LAST = "last"
    NONE = "none"

    @classmethod
    def parse(cls, text: str) -> CatchUp:
        """Return the rule named `text`; raise UsageError for any other word."""
        try:
            return cls(text)
        except ValueError:
            raise UsageError(
                f"There is no catch-up {text!r}.", cure=f"Use one of {', '.join(cls)}."
            ) from None

    @property
    def meaning(self) -> str:
        """One sentence that explains the rule to a user."""
        return {
            CatchUp.ALL: "Every month since the first one, as soon as a scheduler runs again.",
            CatchUp.LAST: "The newest published month only, as soon as a scheduler runs again.",
            CatchUp.NONE: "Nothing: missed firings are skipped.",
        }[self]


@dataclass(frozen=True)
class Schedule:
    """A monthly backfill of one dataset into one warehouse.

    Attributes:
        since: The first month that the schedule loads.
        day: Day of the month, 1 to 28, on which it fires at `hour`:`minute` in `timezone`.
        lag: Months between a firing and the newest month it expects: with 2, the firing of
            2026-11-01 expects 2026-09.
    """

    name: str
    dataset: Dataset
    since: Month
    target: str = DEFAULT_TARGET
    source: str = "tlc"
    day: int = 1
    hour: int = 9
    minute: int = 0
    timezone: str = USUAL_ZONE
    catch_up: CatchUp = CatchUp.ALL
    lag: int = USUAL_LAG

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", self.name):
            raise UsageError(
                f"{self.name!r} is not a valid schedule name.",
                cure="Use up to 40 lower-case letters, digits and dashes.",
            )
        find_backend(self.target)
        if not 1 <= self.day <= 28:
            raise UsageError(
                f"Not every month has a day {self.day}.", cure="Use a day from 1 to 28."
            )
        if not (0 <= self.hour <= 23 and 0 <= self.minute <= 59):
            raise UsageError(
                f"{self.hour:02d}:{self.minute:02d} is not a time of day.",
                cure="Write it as HH:MM, from 00:00 to 23:59.",
            )
        if not 1 <= self.lag <= 24:
            raise UsageError(
                f"{self.lag} months is not a valid publication lag.", cure="Use 1 to 24 months."
            )
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise UsageError(
                f"There is no time zone {self.timezone!r}.",
                cure="Use a name such as America/New_York, Europe/Berlin or UTC.",
            ) from None

    @property
    def at(self) -> str:
        """When it fires, for users: `day 1 of each month, 09:00 America/New_York`."""
        return f"day {self.day} of each month, {self.hour:02d}:{self.minute:02d} {self.timezone}"

    def time_in(self, month: Month) -> datetime:
        """Return the moment it fires in a month, in its time zone.

        A time that the clocks skip or repeat is read as RFC 5545 (section 3.3.5) reads it. A
        skipped time counts from the offset before the change: 02:30 becomes 03:30 daylight time. A
        repeated time is its first occurrence.
        """
        zone = ZoneInfo(self.timezone)
        named = datetime(month.year, month.month, self.day, self.hour, self.minute, tzinfo=zone)
        # The way through UTC turns a skipped time into the time that clocks show at that moment.
        return named.astimezone(UTC).astimezone(zone)

    def times(self, after: datetime) -> Iterator[datetime]:
        """Yield its firing times later than `after` (aware), without end, in its time zone."""
        month = self._month_of(after).plus(-1)
        while True:
            time = self.time_in(month)
            if time.astimezone(UTC) > after:
                yield time
            month = month.plus(1)

    def previous_time(self, before: datetime) -> datetime:
        """Return its last firing time at or before `before` (aware), in its time zone."""
        month = self._month_of(before)
        time = self.time_in(month)
        return time if time.astimezone(UTC) <= before else self.time_in(month.plus(-1))

    def newest_possible(self, now: datetime) -> Month:
        """Return the newest month that is over at `now` (aware): the month before."""
        return self._month_of(now).plus(-1)

    def expected(self, now: datetime) -> Month:
        """Return the newest month that the last firing before `now` (aware) expects."""
        return self._month_of(self.previous_time(now)).plus(-self.lag)

    def request(self, newest: Month) -> Request:
        """Return the backfill of a firing.

        `newest` is the newest month that the source has; it must not be before `since`.
        """
        first = self.since if self.catch_up == CatchUp.ALL else newest
        return Request(
            Selection((self.dataset,), first, newest),
            source=self.source,
            policy=Policy.MISSING_AND_FAILED,
            target=self.target,
        )

    def _month_of(self, moment: datetime) -> Month:
        local = moment.astimezone(ZoneInfo(self.timezone))
        return Month(local.year, local.month)


def write_schedule(schedule: Schedule) -> dict[str, str | int]:
    """Return a schedule as plain values, for a database row or a JSON document."""
    values = vars(schedule) | {
        "color": schedule.dataset.name,
        "since": str(schedule.since),
        "catch_up": schedule.catch_up.value,
    }
    del values["dataset"]
    return values


def read_schedule(values: Mapping[str, Any]) -> Schedule:
    """Return the schedule that `write_schedule` wrote; other keys in `values` are ignored.

    Raises ValueError, KeyError or UsageError when the values are not those of a schedule.
    """

    def value(name: str, type_: type) -> Any:
        if type(values[name]) is not type_:
            raise ValueError(f"{name} is {type(values[name]).__name__}, not {type_.__name__}")
        return values[name]

    return Schedule(
        name=value("name", str),
        dataset=find_dataset(value("color", str)),
        since=Month.parse(value("since", str)),
        target=value("target", str),
        source=value("source", str),
        day=value("day", int),
        hour=value("hour", int),
        minute=value("minute", int),
        timezone=value("timezone", str),
        catch_up=CatchUp(value("catch_up", str)),
        lag=value("lag", int),
    )


def parse_time(text: str) -> tuple[int, int]:
    """Return hour and minute of `HH:MM`; raise UsageError for anything else."""
    match = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text.strip())
    if not match:
        raise UsageError(
            f"{text!r} is not a time of day.", cure="Write it as HH:MM, from 00:00 to 23:59."
        )
    return int(match[1]), int(match[2])
