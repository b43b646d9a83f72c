"""Say which trips charts are about, and write that as conditions in GoogleSQL. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from pipeline.core.datasets import DATASETS, Dataset
from pipeline.core.trips import TripFile
from pipeline.warehouse import Scalar
from pipeline.warehouse.dialect import TripTable
from pipeline.warehouse.rollups import Rollup

# The codes of payment_type, from the TLC's data dictionaries; 0 appears in files of 2025.
PAYMENTS = {
    1: "credit card",
    2: "cash",
    3: "no charge",
    4: "dispute",
    5: "unknown",
    6: "voided trip",
    0: "flex fare",
}
NOT_RECORDED = -1  # in filters, stands for a payment_type of NULL

# The keys of rollups that some filter can need.
FILTER_KEYS = (
    "pickup_day",
    "pickup_month",
    "weekday",
    "pickup_hour",
    "payment_type",
    "PULocationID",
    "trip_distance",
)

# The key `weekday` of rollups, of a day: 0 is Monday, as 1900-01-01 was.
WEEKDAY = "MOD(DATE_DIFF(pickup_day, DATE '1900-01-01', DAY), 7)"


def payment_name(code: int | None) -> str:
    """Return the name of a payment_type, such as "cash" for 2."""
    if code is None or code == NOT_RECORDED:
        return "not recorded"
    return PAYMENTS.get(code, f"code {code}")


@dataclass(frozen=True)
class Filters:
    """Which trips a chart is about; an empty tuple or None does not restrict them.

    Attributes:
        datasets: The datasets; at least one.
        first: The first day of pickup, New York wall-clock time.
        last: The last day of pickup, included.
        payments: Codes of `payment_type`, or NOT_RECORDED.
        zones: The TLC zones of pickup.
        dropoffs: The TLC zones of dropoff.
        minimum_miles: The shortest distance.
        weekdays: Days of the week of pickup, 0 (Monday) to 6.
        hours: Hours of pickup, 0 to 23.
        strays: Whether to include trips whose pickup lies outside the month of their file.
        left_out: Files whose trips do not count, such as those of the sample beside real ones.
    """

    datasets: tuple[Dataset, ...] = field(default_factory=lambda: tuple(DATASETS.values()))
    first: date | None = None
    last: date | None = None
    payments: tuple[int, ...] = ()
    zones: tuple[int, ...] = ()
    dropoffs: tuple[int, ...] = ()
    minimum_miles: Decimal | None = None
    weekdays: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    strays: bool = False
    left_out: tuple[TripFile, ...] = ()

    def needed_keys(self) -> set[str] | None:
        """Return the keys that a rollup needs for these filters, or None if no rollup has them."""
        if self.dropoffs:
            return None
        keys = {"pickup_month" if self._covers_whole_months() else "pickup_day"}
        if self.minimum_miles is not None:
            if not (0 <= self.minimum_miles <= 30 and self.minimum_miles * 2 % 1 == 0):
                return None
            keys.add("trip_distance")
        if self.weekdays:
            keys.add("weekday")
        if self.hours:
            keys.add("pickup_hour")
        if self.payments:
            keys.add("payment_type")
        if self.zones:
            keys.add("PULocationID")
        return keys

    def _covers_whole_months(self) -> bool:
        starts_month = self.first is None or self.first.day == 1
        ends_month = self.last is None or (self.last + timedelta(days=1)).day == 1
        return starts_month and ends_month


@dataclass
class Conditions:
    """The conditions of a WHERE clause, and the values of their @parameters."""

    texts: list[str] = field(default_factory=list)
    parameters: dict[str, Scalar] = field(default_factory=dict)

    def add(self, text: str, **parameters: Scalar) -> None:
        """Add a condition and the values of the @parameters in it."""
        self.texts.append(text)
        self.parameters |= parameters

    def add_among(
        self, name: str, column: str, values: Sequence[Scalar], operator: str = "IN"
    ) -> None:
        """Require that a column has one of `values`, bound to @{name}_0, @{name}_1 and so on.

        With the operator `NOT IN`, that it has none of them.
        """
        parameters = {f"{name}_{number}": value for number, value in enumerate(values)}
        self.add(
            f"{column} {operator} ({', '.join('@' + key for key in parameters)})", **parameters
        )

    def where(self, indent: str = "") -> str:
        """Return the clause on lines of its own, or an empty text without conditions."""
        if not self.texts:
            return ""
        return f"\n{indent}WHERE " + f"\n{indent}    AND ".join(self.texts)


def rollup_conditions(filters: Filters, rollup: Rollup) -> Conditions:
    """Return the conditions on the rows of a rollup that has the keys the filters need."""
    conditions = Conditions()
    if set(filters.datasets) != set(DATASETS.values()):
        conditions.add_among("color", "color", [dataset.name for dataset in filters.datasets])
    day = "pickup_day" if "pickup_day" in rollup.keys else "pickup_month"
    _add_days(filters, conditions, day)
    _add_groups(filters, conditions, weekday_expression(rollup), "pickup_hour")
    if filters.minimum_miles is not None:
        conditions.add("trip_distance >= @minimum_miles", minimum_miles=filters.minimum_miles)
    if filters.left_out:
        names = [file.filename for file in filters.left_out]
        conditions.add_among("left_out", "filename", names, "NOT IN")
    return conditions


def trip_conditions(filters: Filters, dataset: Dataset, table: TripTable) -> Conditions:
    """Return the conditions on the trips of a dataset, as their table stores them."""
    conditions_of = _derived_trip_conditions if table.stored else _plain_trip_conditions
    conditions = conditions_of(filters, dataset)
    left_out = [file for file in filters.left_out if file.dataset == dataset]
    if left_out:
        column = table.month_number or "filename"
        values = [file.month.number if table.month_number else file.filename for file in left_out]
        # Each dataset has a list of its own in a statement over several.
        conditions.add_among(f"left_out_{dataset}", column, values, "NOT IN")
    return conditions


def weekday_expression(rollup: Rollup | None) -> str:
    """Return the expression for the weekday in a rollup, or in trips that have a `pickup_day`."""
    return "weekday" if rollup and "weekday" in rollup.keys else WEEKDAY


def _derived_trip_conditions(filters: Filters, dataset: Dataset) -> Conditions:
    """Return the conditions on trips that are stored with `pickup_day` and `stray`."""
    conditions = Conditions()
    _add_days(filters, conditions, "pickup_day")
    _add_groups(filters, conditions, WEEKDAY, f"EXTRACT(HOUR FROM {dataset.pickup})")
    _add_dropoffs_and_miles(filters, conditions)
    return conditions


def _plain_trip_conditions(filters: Filters, dataset: Dataset) -> Conditions:
    """Return the conditions on trips that are stored with their published columns only."""
    conditions, pickup = Conditions(), dataset.pickup
    if filters.first:
        start = datetime(filters.first.year, filters.first.month, filters.first.day)
        conditions.add(f"{pickup} >= @start", start=start)
    if filters.last:
        after = filters.last + timedelta(days=1)
        conditions.add(f"{pickup} < @after", after=datetime(after.year, after.month, after.day))
    if not filters.strays:
        first_day = "PARSE_DATE('%Y-%m', SUBSTR(filename, -11, 7))"
        conditions.add(f"{pickup} >= TIMESTAMP({first_day})")
        conditions.add(f"{pickup} < TIMESTAMP(DATE_ADD({first_day}, INTERVAL 1 MONTH))")
    weekday = WEEKDAY.replace("pickup_day", f"DATE({pickup})")
    _add_groups(filters, conditions, weekday, f"EXTRACT(HOUR FROM {pickup})")
    _add_dropoffs_and_miles(filters, conditions)
    return conditions


def _add_days(filters: Filters, conditions: Conditions, day: str) -> None:
    if not filters.strays:
        conditions.add("NOT stray")
    if filters.first:
        conditions.add(f"{day} >= @first", first=filters.first)
    if filters.last:
        conditions.add(f"{day} <= @last", last=filters.last)


def _add_groups(filters: Filters, conditions: Conditions, weekday: str, hour: str) -> None:
    """Add the conditions on payment, weekday, hour and zone of pickup."""
    _add_payments(filters, conditions)
    if filters.weekdays:
        conditions.add_among("weekday", weekday, filters.weekdays)
    if filters.hours:
        conditions.add_among("hour", hour, filters.hours)
    if filters.zones:
        conditions.add_among("zone", "PULocationID", filters.zones)


def _add_dropoffs_and_miles(filters: Filters, conditions: Conditions) -> None:
    if filters.dropoffs:
        conditions.add_among("dropoff", "DOLocationID", filters.dropoffs)
    if filters.minimum_miles is not None:
        conditions.add("trip_distance >= @minimum_miles", minimum_miles=filters.minimum_miles)


def _add_payments(filters: Filters, conditions: Conditions) -> None:
    codes = [code for code in filters.payments if code != NOT_RECORDED]
    if codes and NOT_RECORDED in filters.payments:
        recorded = Conditions()
        recorded.add_among("payment", "payment_type", codes)
        conditions.add(f"({recorded.texts[0]} OR payment_type IS NULL)", **recorded.parameters)
    elif codes:
        conditions.add_among("payment", "payment_type", codes)
    elif filters.payments:
        conditions.add("payment_type IS NULL")
