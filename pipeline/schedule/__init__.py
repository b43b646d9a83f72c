"""Schedules: when, each month, which color is asked for, and which months then. Pure: no I/O.

A schedule fires once a month. The month that has just begun cannot be published yet, so what a
firing asks for is the newest month its source really has; where that is older than the firing
expects (`lag`), it looks again until the month appears or the next firing takes over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.base import BaseTrigger

from pipeline.errors import UsageError
from pipeline.plan import Policy, Request
from pipeline.trips import Color, Month, Selection
from pipeline.warehouse import require_target

# When the course's Kestra flows fire: green on the 1st at 09:00, yellow at 10:00.
USUAL_HOUR = {Color.GREEN: 9, Color.YELLOW: 10}
USUAL_ZONE = "America/New_York"
# The TLC publishes a month about two months after it has ended.
USUAL_LAG = 2
# A firing that is late by less is not a missed one.
GRACE = timedelta(minutes=10)


class CatchUp(StrEnum):
    """What becomes of the firings that were missed while no scheduler ran."""

    ALL = "all"
    LAST = "last"
    NONE = "none"

    @classmethod
    def parse(cls, text: str) -> CatchUp:
        """Return the rule of this name; raise UsageError for any other word."""
        try:
            return cls(text)
        except ValueError:
            raise UsageError(
                f"There is no catch-up {text!r}.", cure=f"Use one of {', '.join(cls)}."
            ) from None

    @property
    def meaning(self) -> str:
        """One sentence for people."""
        return {
            CatchUp.ALL: "Every month since the first one, as soon as a scheduler runs again.",
            CatchUp.LAST: "The newest published month only, as soon as a scheduler runs again.",
            CatchUp.NONE: "Nothing: a firing that was missed is left out.",
        }[self]


@dataclass(frozen=True)
class Schedule:
    """One color, loaded month by month into one warehouse.

    Attributes:
        since: The first month it is responsible for.
        day: Of the month, 1 to 28, at `hour`:`minute` on the clocks of `timezone`. A time that the
            clocks skip in spring is the moment they skip it; one they show twice is its first.
        lag: Months between a firing and the newest month it expects: 2 on 2026-11-01 is 2026-09.
    """

    name: str
    color: Color
    since: Month
    target: str = "local"
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
                f"{self.name!r} cannot be a schedule's name.",
                cure="Use up to 40 lower-case letters, digits and dashes.",
            )
        require_target(self.target)
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
                f"A publication lag of {self.lag} months cannot be.", cure="Use 1 to 24 months."
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
        """When it fires, for people: `day 1 of each month, 09:00 America/New_York`."""
        return f"day {self.day} of each month, {self.hour:02d}:{self.minute:02d} {self.timezone}"

    def time_in(self, month: Month) -> datetime:
        """Return when it fires in a month, in its own time zone."""
        zone = ZoneInfo(self.timezone)
        named = datetime(month.year, month.month, self.day, self.hour, self.minute, tzinfo=zone)
        # By way of UTC, a time that the clocks skip becomes one that they show.
        return named.astimezone(UTC).astimezone(zone)

    def times(self, after: datetime) -> Iterator[datetime]:
        """Yield its firings after a moment (with a zone), without end, in its own time zone."""
        month = self._month_of(after).plus(-1)
        while True:
            fires = self.time_in(month)
            if fires.astimezone(UTC) > after:
                yield fires
            month = month.plus(1)

    def previous_time(self, before: datetime) -> datetime:
        """Return its last firing at or before a moment (with a zone), in its own time zone."""
        month = self._month_of(before)
        fires = self.time_in(month)
        return fires if fires.astimezone(UTC) <= before else self.time_in(month.plus(-1))

    def newest_possible(self, now: datetime) -> Month:
        """Return the newest month that can be whole at a moment (with a zone): the one before."""
        return self._month_of(now).plus(-1)

    def expected(self, now: datetime) -> Month:
        """Return the newest month its source should have by the last firing before a moment."""
        return self._month_of(self.previous_time(now)).plus(-self.lag)

    def from_newest(self, now: datetime) -> Schedule:
        """Return the same schedule, responsible from the newest month on that is expected now."""
        return replace(self, since=self.expected(now))

    def request(self, newest: Month) -> Request:
        """Return the backfill to ask for when `newest`, not before `since`, is the newest month
        its source has."""
        first = self.since if self.catch_up == CatchUp.ALL else newest
        return Request(
            Selection((self.color,), first, newest),
            source=self.source,
            policy=Policy.MISSING_AND_FAILED,
            target=self.target,
        )

    def _month_of(self, moment: datetime) -> Month:
        local = moment.astimezone(ZoneInfo(self.timezone))
        return Month(local.year, local.month)


class MonthlyTrigger(BaseTrigger):  # type: ignore[misc]
    """A schedule's firings, as APScheduler asks for them.

    Its own CronTrigger fires twice in an hour that the clocks repeat, and its
    CalendarIntervalTrigger leaves out a month whose hour they skip.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the firing after the previous one, or, at first, the next from now on."""
        after = previous_fire_time or now - timedelta(microseconds=1)
        return next(self.schedule.times(after))

    def __getstate__(self) -> dict[str, Any]:
        return {"schedule": write_schedule(self.schedule)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.schedule = read_schedule(state["schedule"])

    def __str__(self) -> str:
        return self.schedule.at


def write_schedule(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as plain values, which a later version can read."""
    return asdict(schedule) | {
        "color": schedule.color.value,
        "since": str(schedule.since),
        "catch_up": schedule.catch_up.value,
    }


def read_schedule(values: dict[str, Any]) -> Schedule:
    """Return the schedule that `write_schedule` wrote."""
    return Schedule(
        **values
        | {
            "color": Color(values["color"]),
            "since": Month.parse(values["since"]),
            "catch_up": CatchUp(values["catch_up"]),
        }
    )


def parse_time(text: str) -> tuple[int, int]:
    """Return hour and minute of `HH:MM`; raise UsageError for anything else."""
    match = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text.strip())
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise UsageError(
            f"{text!r} is not a time of day.", cure="Write it as HH:MM, from 00:00 to 23:59."
        )
    return int(match[1]), int(match[2])
