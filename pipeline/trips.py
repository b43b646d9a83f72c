"""Colors, months, trip files, and the columns of the two production tables. Pure: no I/O.

Column names follow the TLC trip record dictionaries and the course's tables, so that the course's
later modules keep working. Types are the logical (GoogleSQL) ones; `LOCAL_TYPES` says what each
becomes in DuckDB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Literal

from pipeline.errors import UsageError

Type = Literal["INT64", "STRING", "NUMERIC", "TIMESTAMP"]

# SMALLINT holds every code and zone the TLC publishes (zones end at 265; passenger counts of 192
# occur); DECIMAL(9,2) holds every amount seen, the largest being about one million dollars.
LOCAL_TYPES: dict[Type, str] = {
    "INT64": "SMALLINT",
    "STRING": "VARCHAR",
    "NUMERIC": "DECIMAL(9,2)",
    "TIMESTAMP": "TIMESTAMP",
}


class Color(StrEnum):
    """A taxi color: which of the two production tables a trip belongs to."""

    YELLOW = "yellow"
    GREEN = "green"

    @classmethod
    def parse(cls, text: str) -> Color:
        """Return the color named `text`, in any case; raise UsageError for any other word."""
        try:
            return cls(text.strip().lower())
        except ValueError:
            raise UsageError(
                f"There is no taxi color {text!r}.", cure="Use yellow or green."
            ) from None

    @property
    def table(self) -> str:
        """Name of the production table, `yellow_tripdata` or `green_tripdata`."""
        return f"{self.value}_tripdata"

    @property
    def pickup(self) -> str:
        """Name of the table's pickup column."""
        return _column_of(self, "_pickup_datetime")

    @property
    def dropoff(self) -> str:
        """Name of the table's dropoff column."""
        return _column_of(self, "_dropoff_datetime")


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month, written `2020-04`."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Return the month written as `YYYY-MM`; raise UsageError for anything else."""
        match = re.fullmatch(r"([0-9]{4})-([0-9]{2})", text.strip())
        if not match or not 1 <= int(match[2]) <= 12 or int(match[1]) < 2009:
            raise UsageError(
                f"{text!r} is not a month.",
                cure="Write the year and month as YYYY-MM, for example 2020-04 "
                "(the earliest published month is 2009-01).",
            )
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def current(cls) -> Month:
        """Return the month it is now, in UTC."""
        now = datetime.now(UTC)
        return cls(now.year, now.month)

    @property
    def first_day(self) -> date:
        """The first day of the month."""
        return date(self.year, self.month, 1)

    @property
    def number(self) -> int:
        """The month as a number, such as 202004."""
        return self.year * 100 + self.month

    def plus(self, months: int) -> Month:
        """Return the month this many months later (or earlier, when negative)."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year, month + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


def months_between(first: Month, last: Month) -> Iterator[Month]:
    """Yield each month from `first` to `last`, both included; nothing when `last` is earlier."""
    while first <= last:
        yield first
        first = first.plus(1)


@dataclass(frozen=True, order=True)
class TripFile:
    """One color of one month: the unit of work."""

    color: Color
    month: Month

    @property
    def stem(self) -> str:
        """`green_tripdata_2020-04`: the published name without its ending."""
        return f"{self.color.value}_tripdata_{self.month}"

    @property
    def filename(self) -> str:
        """Value of the `filename` column: the same whatever source and format the file came from.

        That is what makes a month taken again from another source replace its rows.
        """
        return f"{self.stem}.csv"

    @classmethod
    def parse(cls, filename: str) -> TripFile:
        """Return the trip file a name stands for; the inverse of `filename`.

        Raises UsageError for a name that is not a trip file's.
        """
        match = re.fullmatch(r"(yellow|green)_tripdata_([0-9]{4}-[0-9]{2})\..+", filename)
        if not match:
            raise UsageError(
                f"{filename!r} is not a trip file's name.",
                cure="Trip files are named like green_tripdata_2020-04.csv.gz.",
            )
        return cls(Color(match[1]), Month.parse(match[2]))

    def __str__(self) -> str:
        return self.filename


@dataclass(frozen=True)
class Selection:
    """What one backfill asks for: colors x months, months being `first` to `last` inclusive."""

    colors: tuple[Color, ...]
    first: Month
    last: Month

    def __post_init__(self) -> None:
        if not self.colors:
            raise UsageError("No color was picked.", cure="Pick yellow, green or both.")
        if self.first > self.last:
            raise UsageError(
                f"The range runs backwards: from {self.first} to {self.last}.",
                cure=f"Swap them: from {self.last} to {self.first}.",
            )
        if self.last > Month.current():
            raise UsageError(
                f"{self.last} has not begun yet, so no source can have it.",
                cure="End the range at a published month; the TLC publishes about two months late.",
            )

    def files(self) -> tuple[TripFile, ...]:
        """Return the trip files asked for, by month and then color, each once."""
        return tuple(
            TripFile(color, month)
            for month in months_between(self.first, self.last)
            for color in dict.fromkeys(self.colors)
        )


@dataclass(frozen=True)
class Column:
    """A column of a production table.

    `identity` columns say which trip a row is; all others say what happened on it and may be
    corrected by a later file. `fee` columns exist only in newer files.
    """

    name: str
    type: Type
    description: str
    identity: bool = False
    fee: bool = False

    @property
    def local_type(self) -> str:
        """The DuckDB type of the column."""
        return LOCAL_TYPES[self.type]


def _pickup(prefix: str) -> Column:
    text = "When the meter was engaged, New York wall-clock time as published"
    return Column(f"{prefix}_pickup_datetime", "TIMESTAMP", text, identity=True)


def _dropoff(prefix: str) -> Column:
    text = "When the meter was disengaged, New York wall-clock time as published"
    return Column(f"{prefix}_dropoff_datetime", "TIMESTAMP", text, identity=True)


_VENDOR = Column("VendorID", "INT64", "Code of the provider that sent the record", identity=True)
_PICKUP_ZONE = Column(
    "PULocationID", "INT64", "TLC taxi zone where the meter was engaged", identity=True
)
_DROPOFF_ZONE = Column(
    "DOLocationID", "INT64", "TLC taxi zone where the meter was disengaged", identity=True
)
_PASSENGERS = Column("passenger_count", "INT64", "Passengers, as entered by the driver")
_DISTANCE = Column("trip_distance", "NUMERIC", "Distance by the taximeter, in miles")
_RATE = Column("RatecodeID", "INT64", "Final rate code: 1 standard, 2 JFK, 3 Newark, ...")
_FLAG = Column("store_and_fwd_flag", "STRING", "Y when held in the vehicle before it was sent")
_PAYMENT = Column("payment_type", "INT64", "How it was paid: 1 credit card, 2 cash, ...")
_FARE = Column("fare_amount", "NUMERIC", "Fare by time and distance, in dollars")
_EXTRA = Column("extra", "NUMERIC", "Extras and surcharges, in dollars")
_TAX = Column("mta_tax", "NUMERIC", "MTA tax, in dollars")
_TIP = Column("tip_amount", "NUMERIC", "Card tips (cash tips are not recorded), in dollars")
_TOLLS = Column("tolls_amount", "NUMERIC", "Tolls paid on the trip, in dollars")
_IMPROVEMENT = Column("improvement_surcharge", "NUMERIC", "Improvement surcharge, in dollars")
_TOTAL = Column("total_amount", "NUMERIC", "Total charged, without cash tips, in dollars")
_CONGESTION = Column("congestion_surcharge", "NUMERIC", "State congestion surcharge, in dollars")
_EHAIL = Column("ehail_fee", "NUMERIC", "E-hail fee, in dollars; never filled in so far")
_TRIP_TYPE = Column("trip_type", "INT64", "1 street hail, 2 dispatch")
_AIRPORT = Column("airport_fee", "NUMERIC", "LaGuardia and JFK pickup fee, in dollars", fee=True)
_CBD = Column(
    "cbd_congestion_fee", "NUMERIC", "MTA congestion zone fee from 2025, in dollars", fee=True
)

# In table order (the course's), known later fees last.
COLUMNS: dict[Color, tuple[Column, ...]] = {
    Color.YELLOW: (
        _VENDOR,
        _pickup("tpep"),
        _dropoff("tpep"),
        _PASSENGERS,
        _DISTANCE,
        _RATE,
        _FLAG,
        _PICKUP_ZONE,
        _DROPOFF_ZONE,
        _PAYMENT,
        _FARE,
        _EXTRA,
        _TAX,
        _TIP,
        _TOLLS,
        _IMPROVEMENT,
        _TOTAL,
        _CONGESTION,
        _AIRPORT,
        _CBD,
    ),
    Color.GREEN: (
        _VENDOR,
        _pickup("lpep"),
        _dropoff("lpep"),
        _FLAG,
        _RATE,
        _PICKUP_ZONE,
        _DROPOFF_ZONE,
        _PASSENGERS,
        _DISTANCE,
        _FARE,
        _EXTRA,
        _TAX,
        _TIP,
        _TOLLS,
        _EHAIL,
        _IMPROVEMENT,
        _TOTAL,
        _PAYMENT,
        _TRIP_TYPE,
        _CONGESTION,
        _CBD,
    ),
}

# Which trips count for the speed, in seconds and miles: meters also report trips of a second, of
# days, and of thousands of miles.
SHORTEST_TIMED = 60
LONGEST_TIMED = 6 * 60 * 60
FARTHEST_TIMED = 200

# Beyond this, in miles, a distance is called absurd: the longest trip within the city is some 40.
MOST_MILES = 100


def _column_of(color: Color, ending: str) -> str:
    return next(column.name for column in COLUMNS[color] if column.name.endswith(ending))


def match_columns(color: Color, header: tuple[str, ...]) -> dict[str, str]:
    """Map each of our column names to the file's own spelling of it, matched without case.

    Columns the file lacks are absent from the result; columns we do not know are ignored here
    (`unknown_columns` lists them).
    """
    spelled = {name.strip().lower(): name for name in header}
    return {
        column.name: spelled[column.name.lower()]
        for column in COLUMNS[color]
        if column.name.lower() in spelled
    }


def unknown_columns(color: Color, header: tuple[str, ...]) -> tuple[str, ...]:
    """Return the file's columns that no production column of this color matches, as spelled."""
    known = {column.name.lower() for column in COLUMNS[color]}
    return tuple(name for name in header if name.strip().lower() not in known)
