"""The six figures of the Explore page: what they need, and how they follow from sums. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pages.components.common.drawing import Row
from pipeline.core.datasets import Dataset
from pipeline.core.trips import MOST_MILES

# Works a figure out from rows of sums; None if the trips do not tell it.
Measure = Callable[[Sequence[Row]], float | None]


def add_up(rows: Iterable[Row], name: str) -> float | None:
    """Return the sum of a column, or None if it has no value in any row."""
    values = [row[name] for row in rows if row[name] is not None]
    return float(sum(values)) if values else None


def _sum(name: str) -> Measure:
    return lambda rows: add_up(rows, name)


def _count_trips(rows: Sequence[Row]) -> float:
    return add_up(rows, "trips") or 0.0


def _ratio(numerator: str, denominator: str, factor: float = 1.0) -> Measure:
    def measure(rows: Sequence[Row]) -> float | None:
        above, below = add_up(rows, numerator), add_up(rows, denominator)
        return factor * above / below if above is not None and below else None

    return measure


def _average_distance(rows: Sequence[Row]) -> float | None:
    trips = (add_up(rows, "distances") or 0) - (add_up(rows, "absurd_distances") or 0)
    miles = (add_up(rows, "trip_distance") or 0) - (add_up(rows, "absurd_miles") or 0)
    return miles / trips if trips else None


@dataclass(frozen=True)
class Metric:
    """A figure of the page, and of the chart over time.

    Attributes:
        name: What the address calls it.
        label: What people read.
        measure: Works it out from rows of the queries `figures` and `over_time`.
        format: Writes its value.
        help: What it is made of.
        axis: The title of an axis of it.
        tick_format: The format of the numbers on the axis, as in d3.
        needs: The columns of trips without which there is nothing to say.
        is_total: Whether it grows with the number of trips, so that parts add up.
    """

    name: str
    label: str
    measure: Measure
    format: str
    help: str
    axis: str
    tick_format: str
    needs: tuple[str, ...] = ()
    is_total: bool = False

    def write(self, value: float) -> str:
        """Return a value as text."""
        return self.format.format(value).replace("$-", "-$")

    def suits(self, datasets: Iterable[Dataset]) -> bool:
        """Whether any of the datasets has the columns."""
        return any(dataset.has(*self.needs) for dataset in datasets)


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "trips",
            "Trips",
            _count_trips,
            "{:,.0f}",
            "Rows as published: a trip and its void are two.",
            "trips",
            "~s",
            is_total=True,
        ),
        Metric(
            "revenue",
            "Revenue",
            _sum("total_amount"),
            "${:,.0f}",
            "Sum of total_amount, without cash tips.",
            "revenue, $",
            "~s",
            needs=("total_amount",),
            is_total=True,
        ),
        Metric(
            "fare",
            "Average fare",
            _ratio("fare_amount", "fares"),
            "${:,.2f}",
            "Of trips whose fare is known.",
            "average fare, $",
            "~f",
            needs=("fare_amount",),
        ),
        Metric(
            "distance",
            "Average distance",
            _average_distance,
            "{:,.2f} mi",
            f"Of trips of 0 to {MOST_MILES} miles.",
            "average distance, miles",
            "~f",
            needs=("trip_distance",),
        ),
        Metric(
            "speed",
            "Average speed",
            _ratio("timed_miles", "timed_seconds", 3600.0),
            "{:,.1f} mph",
            "Miles by hours of trips of 1 minute to 6 hours and up to 200 miles.",
            "average speed, mph",
            "~f",
            needs=("trip_distance",),
        ),
        Metric(
            "tips",
            "Tip share",
            _ratio("card_tips", "card_fares"),
            "{:.1%}",
            "Tips by fares of trips paid by card; cash tips are not recorded.",
            "card tips, share of the fare",
            ".0%",
            needs=("tip_amount", "fare_amount", "payment_type"),
        ),
    )
}


def offered_metrics(datasets: Iterable[Dataset]) -> list[Metric]:
    """Return the metrics that some of the datasets have the columns for."""
    datasets = tuple(datasets)
    return [metric for metric in METRICS.values() if metric.suits(datasets)]
