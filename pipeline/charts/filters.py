"""Which trips a chart is about, and the conditions that say so in GoogleSQL. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from pipeline.trips import Color
from pipeline.warehouse import Scalar
from pipeline.warehouse.summaries import Summary

# The TLC's codes of payment_type; 0 appears in files of 2025.
PAYMENTS = {
    1: "credit card",
    2: "cash",
    3: "no charge",
    4: "dispute",
    5: "unknown",
    6: "voided trip",
    0: "flex fare",
}
NOT_RECORDED = -1  # stands for a payment_type of NULL

# As in `summaries`, of a day.
WEEKDAY = "MOD(DATE_DIFF(pickup_day, DATE '1900-01-01', DAY), 7)"


def payment_name(code: int | None) -> str:
    """Return a payment_type in words."""
    if code is None or code == NOT_RECORDED:
        return "not recorded"
    return PAYMENTS.get(code, f"code {code}")


@dataclass(frozen=True)
class Filters:
    """Which trips are counted; what is empty or None does not restrict them.

    Attributes:
        colors: At least one.
        first: First day of pickup, New York wall-clock time.
        last: Last day of pickup, included.
        payments: Codes of `payment_type`, or NOT_RECORDED.
        zones: TLC zones of pickup.
        dropoffs: TLC zones of dropoff.
        minimum_miles: Shortest distance.
        weekdays: 0 (Monday) to 6.
        hours: Hours of pickup, 0 to 23.
        strays: Whether trips count whose pickup lies outside the month of their file.
    """

    colors: tuple[Color, ...] = tuple(Color)
    first: date | None = None
    last: date | None = None
    payments: tuple[int, ...] = ()
    zones: tuple[int, ...] = ()
    dropoffs: tuple[int, ...] = ()
    minimum_miles: Decimal | None = None
    weekdays: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    strays: bool = False

    @property
    def whole_months(self) -> bool:
        """Whether the days are whole months, or all."""
        begins = self.first is None or self.first.day == 1
        return begins and (self.last is None or (self.last + timedelta(days=1)).day == 1)

    @property
    def half_miles(self) -> bool:
        """Whether the shortest distance is one that sums by half miles can tell, or none."""
        miles = self.minimum_miles
        return miles is None or (0 <= miles <= 30 and miles * 2 % 1 == 0)


@dataclass
class Conditions:
    """A WHERE clause under construction: conditions, and the values bound to their @names."""

    texts: list[str] = field(default_factory=list)
    parameters: dict[str, Scalar] = field(default_factory=dict)

    def add(self, text: str, **values: Scalar) -> None:
        """Add a condition, whose @names are bound to `values`."""
        self.texts.append(text)
        self.parameters |= values

    def among(self, name: str, column: str, values: Sequence[Scalar]) -> None:
        """Require that a column is one of `values`."""
        names = {f"{name}_{number}": value for number, value in enumerate(values)}
        self.add(f"{column} IN ({', '.join('@' + key for key in names)})", **names)

    def where(self, indent: str = "") -> str:
        """Return the clause, or nothing when everything is wanted."""
        if not self.texts:
            return ""
        return f"\n{indent}WHERE " + f"\n{indent}    AND ".join(self.texts)


def summary_conditions(filters: Filters, summary: Summary) -> Conditions:
    """Return the conditions on the rows of a summary that can answer under these filters."""
    day = "pickup_day" if "pickup_day" in summary.keys else "pickup_month"
    found = Conditions()
    if set(filters.colors) != set(Color):
        found.among("color", "color", [color.value for color in filters.colors])
    _add_days(filters, found, day)
    _add_others(filters, found, weekday_of(summary), "pickup_hour")
    if filters.minimum_miles is not None:
        miles = "half_miles" if "half_miles" in summary.keys else "trip_distance"
        found.add(f"{miles} >= @minimum_miles", minimum_miles=filters.minimum_miles)
    return found


def weekday_of(summary: Summary | None) -> str:
    """Return the weekday of a row of a summary, or of the trips grouped by day."""
    return "weekday" if summary and "weekday" in summary.keys else WEEKDAY


def local_trip_conditions(filters: Filters, color: Color) -> Conditions:
    """Return the conditions on a color's trips in the local warehouse, which has their days."""
    found = Conditions()
    _add_days(filters, found, "pickup_day")
    _add_others(filters, found, WEEKDAY, f"EXTRACT(HOUR FROM {color.pickup})")
    _add_ends(filters, found)
    return found


def picked_conditions(filters: Filters) -> Conditions:
    """Return the conditions on trips picked by all filters but payment, weekday and hour."""
    found = Conditions()
    _add_others(replace(filters, zones=()), found, WEEKDAY, "pickup_hour")
    return found


def google_trip_conditions(filters: Filters, color: Color) -> Conditions:
    """Return the conditions on a color's trips in BigQuery, which has their pickups only."""
    found, pickup = Conditions(), color.pickup
    if filters.first:
        start = datetime(filters.first.year, filters.first.month, filters.first.day)
        found.add(f"{pickup} >= @start", start=start)
    if filters.last:
        after = filters.last + timedelta(days=1)
        found.add(f"{pickup} < @after", after=datetime(after.year, after.month, after.day))
    if not filters.strays:
        first = "PARSE_DATE('%Y-%m', SUBSTR(filename, -11, 7))"
        found.add(f"{pickup} >= TIMESTAMP({first})")
        found.add(f"{pickup} < TIMESTAMP(DATE_ADD({first}, INTERVAL 1 MONTH))")
    weekday = WEEKDAY.replace("pickup_day", f"DATE({pickup})")
    _add_others(filters, found, weekday, f"EXTRACT(HOUR FROM {pickup})")
    _add_ends(filters, found)
    return found


def _add_days(filters: Filters, found: Conditions, day: str) -> None:
    if not filters.strays:
        found.add("NOT stray")
    if filters.first:
        found.add(f"{day} >= @first", first=filters.first)
    if filters.last:
        found.add(f"{day} <= @last", last=filters.last)


def _add_others(filters: Filters, found: Conditions, weekday: str, hour: str) -> None:
    _add_payments(filters, found)
    if filters.weekdays:
        found.among("weekday", weekday, filters.weekdays)
    if filters.hours:
        found.among("hour", hour, filters.hours)
    if filters.zones:
        found.among("zone", "PULocationID", filters.zones)


def _add_ends(filters: Filters, found: Conditions) -> None:
    if filters.dropoffs:
        found.among("dropoff", "DOLocationID", filters.dropoffs)
    if filters.minimum_miles is not None:
        found.add("trip_distance >= @minimum_miles", minimum_miles=filters.minimum_miles)


def _add_payments(filters: Filters, found: Conditions) -> None:
    codes = [code for code in filters.payments if code != NOT_RECORDED]
    if codes and NOT_RECORDED in filters.payments:
        before = Conditions()
        before.among("payment", "payment_type", codes)
        found.add(f"({before.texts[0]} OR payment_type IS NULL)", **before.parameters)
    elif codes:
        found.among("payment", "payment_type", codes)
    elif filters.payments:
        found.add("payment_type IS NULL")
